"""One peer connection: the core's orders for one `MediaId`, carried out one after the other.

Whatever aiortc does not like becomes a fact. After `Peer.close` no fact of this peer is ever reported again, however
much of the library is still winding down.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, assert_never

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.sdp import candidate_from_sdp
from attrs import field, frozen

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    CreateAnswer,
    CreateOffer,
    DescriptionKind,
    OpenSource,
    PeerConfig,
)
from telnyx_core.facts import (
    CandidateFound,
    DigitHeard,
    LocalDescribed,
    MediaFact,
    MediaHeard,
    NegotiationFailed,
    PeerState,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    Stage,
    StatsTaken,
)
from telnyx_core.ids import MediaId
from telnyx_core.quality.snapshot import StatsSnapshot
from telnyx_drivers.media import aiortc_private as private
from telnyx_drivers.media import ice, local_sdp, preferences, remote_sdp, sdp
from telnyx_drivers.media.consent import Consent, ConsentTiming
from telnyx_drivers.media.local_sdp import LocalDescription
from telnyx_drivers.media.ports import AudioPort
from telnyx_drivers.media.readings import read_peer
from telnyx_drivers.media.remote_sdp import RemoteDescription
from telnyx_drivers.media.rtp.path import direct_rtp_path
from telnyx_drivers.media.rtp_path import AgreedAudio, RtpCodec, RtpPathFactory, RtpWiring

log = logging.getLogger(__name__)

Order: TypeAlias = OpenSource | CreateOffer | CreateAnswer | ApplyRemote | AddCandidate
OpenTheSource: TypeAlias = Callable[[OpenSource], Awaitable[MediaFact]]

CLOSE_SECONDS: Final = 5.0
"""The longest that closing a peer may take (MEDIA-513)."""
_STOP_SECONDS: Final = 1.0
"""Of those, for a source that is just being opened, for the path, and for TURN servers to confirm: one each."""
_MOST_EARLY_CANDIDATES: Final = 256
"""Remote candidates kept while there is no remote description yet (MEDIA-110)."""

CIPHERS: Final = b":".join(
    b"ECDHE-%s-%s" % (key, cipher)
    for cipher in (b"AES128-GCM-SHA256", b"AES256-GCM-SHA384", b"CHACHA20-POLY1305", b"AES128-SHA", b"AES256-SHA")
    for key in (b"ECDSA", b"RSA")
)
"""What DTLS offers. aiortc alone leaves out RSA, which is what the platform's servers have (SRV-002)."""


@frozen(kw_only=True)
class PeerSettings:
    """What all peers of an engine have in common."""

    rtp_path: RtpPathFactory = direct_rtp_path
    loopback: bool = False
    reflexive_first: bool = True
    patience: ice.Patience = field(factory=ice.Patience)
    consent: ConsentTiming = field(factory=ConsentTiming)
    addresses: ice.Addresses = ice.host_addresses


class Peer:
    """Made, driven and closed on the running loop."""

    def __init__(
        self,
        media: MediaId,
        config: PeerConfig,
        settings: PeerSettings,
        *,
        port: AudioPort,
        report: Callable[[MediaFact], None],
        open_source: OpenTheSource,
    ) -> None:
        self.media = media
        self._config = config
        self._settings = settings
        self._report_fact = report
        self._open_source = open_source
        self._dead = False
        self._state: PeerState = "new"
        self._session_id = secrets.randbits(62)
        self._version = 0
        self._remote: RemoteDescription | None = None
        self._early_candidates: list[AddCandidate] = []
        self._local: LocalDescription | None = None
        self._consent: Consent | None = None
        self._consent_task: asyncio.Task[None] | None = None
        self._library_close: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

        policy = RTCIceTransportPolicy.RELAY if config.force_relay else RTCIceTransportPolicy.ALL
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], iceTransportPolicy=policy))
        self._transceiver = self._pc.addTransceiver("audio", direction=preferences.direction(config))
        self._gathering = ice.Gathering(
            plan=ice.plan(config.ice_servers),
            relay_only=config.force_relay,
            loopback=settings.loopback,
            patience=settings.patience,
            addresses=settings.addresses,
        )
        private.replace_gathering(self._transceiver, self._gathering)
        private.leave_out_consent_checks(self._transceiver)
        private.offer_ciphers(self._transceiver, CIPHERS)
        private.check_raw_certificate(self._transceiver)
        preferences.prefer(self._transceiver, config.preferred_codecs)
        self._path = settings.rtp_path(
            RtpWiring(
                transceiver=self._transceiver,
                port=port,
                heard=lambda: self._report(MediaHeard(media)),
                digit=lambda digit, seconds: self._report(DigitHeard(media, digit, seconds)),
            )
        )
        self._pc.add_listener("connectionstatechange", self._on_connection_state)
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._gatherer = self._transceiver.receiver.transport.transport.iceGatherer
        self._gathered = asyncio.create_task(self._gatherer.gather()) if config.prefetch else None
        self._worker = asyncio.create_task(self._work(), name=f"media {media}")
        self._worker.add_done_callback(_complain)

    def order(self, order: Order) -> None:
        self._orders.put_nowait(order)

    def reading(self) -> StatsSnapshot:
        """This peer's counters now, without the levels, which are its call's."""
        round_trip = None if self._consent is None else self._consent.round_trip
        return read_peer(self._pc, self._transceiver, self._path.stats(), round_trip)

    def report_reading(self, take: Callable[[StatsSnapshot], StatsSnapshot]) -> None:
        """STATS-010. Not one of the orders: an order that waits for a source must not hold it up."""
        if not self._dead:
            self._report(StatsTaken(self.media, take(self.reading())))

    # Orders

    async def _work(self) -> None:
        while not self._dead:
            order = await self._orders.get()
            match order:
                case OpenSource():
                    self._report(await self._open_source(order))
                case CreateOffer():
                    await self._describe("offer")
                case CreateAnswer():
                    await self._describe("answer")
                case ApplyRemote():
                    await self._apply(order)
                case AddCandidate():
                    await self._add_candidate(order)
                case _:
                    assert_never(order)

    async def _describe(self, kind: DescriptionKind) -> None:
        stage: Stage = "set_local"
        try:
            await self._gather()
            stage = "create_offer" if kind == "offer" else "create_answer"
            if self._local is not None:
                raise InvalidStateError("this peer has been described already; a new negotiation takes a new peer")
            created = await (self._pc.createOffer() if kind == "offer" else self._pc.createAnswer())
            stage = "set_local"
            await self._pc.setLocalDescription(created)
            self._version += 1
            self._local = local = local_sdp.finish(
                self._pc.localDescription.sdp,
                session_id=self._session_id,
                version=self._version,
                style=self._style,
                remote=self._remote if kind == "answer" else None,
            )
        except Exception as error:  # noqa: BLE001  whatever the library raises is the owed fact
            self._report(NegotiationFailed(self.media, stage, _reason(error)))
            return
        index = 0 if self._remote is None else self._remote.audio_index
        for candidate in local.candidates:
            text = f"candidate:{candidate}"
            self._report(CandidateFound(self.media, text, sdp_mid=local.mid, sdp_m_line_index=index))
        self._report(LocalDescribed(self.media, local.sdp, complete=True))

    async def _gather(self) -> None:
        """Raises `NoCandidateError` when nothing was found: aiortc would stay ``new`` for ever, without a word."""
        if self._gathered is None:
            self._gathered = asyncio.create_task(self._gatherer.gather())
        await self._gathered
        if not self._gatherer.getLocalCandidates():
            raise NoCandidateError(self._gathering.relay_only, self._gathering.failures)

    async def _apply(self, order: ApplyRemote) -> None:
        try:
            if self._remote is not None:
                raise InvalidStateError("a remote description has been applied already")
            remote = remote_sdp.parse_remote(order.sdp, order.kind)
            preferences.admit(self._transceiver, remote.codecs)
            mid = None if self._local is None else self._local.mid
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp=remote.to_sdp(mid), type=order.kind))
            self._remote = remote
            if remote.candidates and not self._config.trickle:
                await self._pc.addIceCandidate(None)
        except Exception as error:  # noqa: BLE001  whatever the library raises is the owed fact
            self._report(RemoteRefused(self.media, _reason(error)))
            return
        self._report(RemoteApplied(self.media))
        early, self._early_candidates = self._early_candidates, []
        for candidate in early:
            await self._add_candidate(candidate)

    async def _add_candidate(self, order: AddCandidate) -> None:
        """MEDIA-110, MEDIA-111, MEDIA-115: never fatal, and the candidates of refused sections are not ours."""
        if self._remote is None:
            if len(self._early_candidates) < _MOST_EARLY_CANDIDATES:
                self._early_candidates.append(order)
            return
        candidate = sdp.parse_candidate(order.candidate)
        ends = not order.candidate.strip()
        if not ends and (candidate is None or not self._remote.is_audio(order.sdp_mid, order.sdp_m_line_index)):
            log.debug("media %s: remote candidate is of no use: %.120s", self.media, order.candidate)
            return
        try:
            parsed = None if candidate is None else candidate_from_sdp(str(candidate))
            if parsed is not None:
                parsed.sdpMid = self._transceiver.mid
            await self._pc.addIceCandidate(parsed)
        except Exception as error:  # noqa: BLE001  one candidate must not end the call
            log.warning("media %s: remote candidate refused: %s", self.media, error)

    @property
    def _style(self) -> local_sdp.Style:
        return local_sdp.Style(
            stereo=self._config.use_stereo,
            max_kbps=self._config.max_kbps,
            trickle=self._config.trickle,
            reflexive_first=self._settings.reflexive_first,
        )

    # The library's news

    def _on_connection_state(self) -> None:
        """MEDIA-500, MEDIA-501."""
        try:
            match self._pc.connectionState:
                case "connecting":
                    self._publish("connecting")
                case "connected":
                    self._connected()
                case "failed" | "closed":
                    self._lost()
                case _:
                    pass
        except Exception:  # we are in the middle of the library's work, which an exception would leave half done
            log.exception("media %s broke", self.media)
            self._lost()

    def _connected(self) -> None:
        if self._dead or self._consent is not None:
            return
        self._path.start(self._agreed())
        self._consent = Consent(
            private.connection_of(self._transceiver),
            self._settings.consent,
            packets=lambda: self._path.stats().packets_received,
            present=lambda present: self._publish("connected" if present else "disconnected"),
            expired=self._expired,
        )
        self._consent_task = asyncio.create_task(self._consent.run(), name=f"consent {self.media}")
        self._consent_task.add_done_callback(_complain)
        self._publish("connected")

    def _expired(self) -> None:
        """RFC 7675 section 5.1: nothing more may be sent."""
        log.info("media %s: consent has expired", self.media)
        self._lost()
        _ = self._close_library()

    def _lost(self) -> None:
        if self._consent_task is not None:
            self._consent_task.cancel()
        self._publish("failed")

    def _publish(self, state: PeerState) -> None:
        if state != self._state and self._state != "failed":
            self._state = state
            self._report(PeerStateChanged(self.media, state))

    def _report(self, fact: MediaFact) -> None:
        if not self._dead:
            self._report_fact(fact)

    def _codecs(self) -> tuple[RtpCodec, ...]:
        return tuple(
            RtpCodec(codec.payloadType, codec.name, codec.clockRate)
            for codec in private.codecs(self._transceiver)
            if codec.payloadType is not None
        )

    def _agreed(self) -> AgreedAudio:
        assert self._local is not None, "connected without a local description"
        assert self._remote is not None, "connected without a remote description"
        codecs = self._codecs()
        spoken = {codec.payload_type for codec in codecs}
        # Each side may number them its own way; a clock rate that the far end leaves out is not agreed.
        theirs = {entry.payload_type: entry.clock_rate for entry in self._remote.telephone_events}
        ours = {number: rate for number, rate in self._local.telephone_events.items() if rate in theirs.values()}
        direction = self._transceiver.currentDirection
        return AgreedAudio(
            codecs=codecs,
            telephone_events={number: rate for number, rate in (ours | theirs).items() if number not in spoken},
            sends=direction in ("sendrecv", "sendonly"),
            receives=direction in ("sendrecv", "recvonly"),
        )

    # The end

    def close(self) -> "asyncio.Task[None]":
        """Silence this peer at once, and close it within `CLOSE_SECONDS`. Idempotent; the task never raises."""
        self._dead = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name=f"close media {self.media}")
        return self._closing

    async def _close(self) -> None:
        tasks = {task for task in (self._worker, self._gathered, self._consent_task) if task is not None}
        for task in tasks:
            task.cancel()
        await _finish(tasks, _STOP_SECONDS)
        stopping = asyncio.create_task(self._path.stop(), name=f"stop audio {self.media}")
        stopping.add_done_callback(_complain)
        await _finish({stopping}, _STOP_SECONDS)
        closing = {self._close_library()}
        if not await _finish(closing, _STOP_SECONDS):
            private.abandon_turn(private.connection_of(self._transceiver))
            if not await _finish(closing, CLOSE_SECONDS - 3 * _STOP_SECONDS):
                log.warning("media %s: not closed within %s s; abandoned", self.media, CLOSE_SECONDS)
                self._close_library().cancel()

    def _close_library(self) -> "asyncio.Task[None]":
        """In one task that nobody cancels: a second close of aiortc waits for the first, for ever if that was cut."""
        if self._library_close is None:
            self._library_close = asyncio.create_task(self._pc.close(), name=f"close aiortc {self.media}")
            self._library_close.add_done_callback(_complain)
        return self._library_close


class NoCandidateError(Exception):
    """Gathering found no way to be reached."""

    def __init__(self, relay_only: bool, failures: list[str]) -> None:
        kind = "relay candidate, and only relays may be used" if relay_only else "ICE candidate"
        super().__init__(f"no {kind} ({'; '.join(failures) or 'no server to ask' if relay_only else 'no network'})")


async def _finish(tasks: "set[asyncio.Task[None]]", timeout: float) -> bool:
    """Whether all ended in time. What they raised is no longer of interest: `_complain` has had its say."""
    done, pending = await asyncio.wait(tasks, timeout=timeout)
    for task in done:
        if not task.cancelled():
            task.exception()
    return not pending


def _complain(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s broke", task.get_name(), exc_info=error)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
