"""One peer connection: performs the core's media actions for one `MediaId`, one after the other.

Whatever a library raises becomes a fact. After `Peer.close` no fact of this peer is reported again, however
much of the library is still closing.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias, assert_never
from uuid import uuid4

from attrs import define, evolve

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    CreateAnswer,
    CreateOffer,
    DescriptionKind,
    DigitTone,
    OpenSource,
    PeerConfig,
)
from telnyx_core.facts import (
    CandidateError,
    CandidateFound,
    DigitHeard,
    DigitsRefused,
    DigitsSent,
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
    TransportLayer,
    TransportStateChanged,
)
from telnyx_core.ice import Candidate
from telnyx_core.ice.generation import MAX_REMOTE
from telnyx_core.ids import MediaId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import bit_rate, local_sdp, preferences, remote_sdp, sdp
from telnyx_drivers._webrtc.dtls import DtlsState
from telnyx_drivers._webrtc.ice import ServerFailure
from telnyx_drivers._webrtc.ice_transport import IceParameters, IceState
from telnyx_drivers._webrtc.local_sdp import LocalDescription, LocalEnd
from telnyx_drivers._webrtc.peer_transport import PeerTransport, complain, finish
from telnyx_drivers._webrtc.ports import AudioPort
from telnyx_drivers._webrtc.readings import read_peer
from telnyx_drivers._webrtc.remote_sdp import RemoteDescription
from telnyx_drivers._webrtc.rtp_path import AgreedAudio, RtpCodec, RtpPath, RtpWiring
from telnyx_drivers._webrtc.sdp import RtpMap
from telnyx_drivers._webrtc.settings import PeerSettings
from telnyx_drivers._webrtc.srtp import SrtpWire

log = logs.of_module(__name__)

Order: TypeAlias = OpenSource | CreateOffer | CreateAnswer | ApplyRemote | AddCandidate
OpenTheSource: TypeAlias = Callable[[OpenSource], Awaitable[MediaFact]]

CLOSE_SECONDS: Final = 5.0
"""The longest that closing a peer may take (MEDIA-513)."""
_STOP_SECONDS: Final = 1.0
"""Of those, one second each for a source that is being opened and for the path; the rest is for the transport."""
_PAUSES: Final = {"w": 0.5, "W": 1.0, ",": 2.0}
"""Seconds, between digits in the audio stream."""
_MOST_EARLY_CANDIDATES: Final = MAX_REMOTE
"""Remote candidates kept while there is no remote description yet (MEDIA-110)."""


class Peer:
    """Made, driven and closed on the running loop."""

    def __init__(
        self,
        media: MediaId,
        config: PeerConfig,
        settings: PeerSettings,
        *,
        ground: "PeerTransport | Peer",
        port: AudioPort,
        report: Callable[[MediaFact], None],
        open_source: OpenTheSource,
        tap: Callable[[bytes, bool], None] | None = None,
    ) -> None:
        """``ground`` belongs to this peer from now on; it was made for the servers and policy that ``config`` names.

        If it is another peer, that one's path is restarted: it changes hands, audio included, when a new pair works.
        """
        self.media = media
        self._config = config
        self._settings = settings
        self._report_fact = report
        self._open_source = open_source
        self._dead = False
        self._state: PeerState = "new"
        self._max_bit_rate = config.max_bit_rate
        self._remote: RemoteDescription | None = None
        self._remote_ended = False
        self._early_candidates: list[AddCandidate] = []
        self._local: LocalDescription | None = None
        self._agreed_codecs: tuple[RtpMap, ...] = ()
        """The one to send first; none before both descriptions are known."""
        self._gathered = False
        self._joined = False
        """Has been connected."""
        self._decided = asyncio.Event()
        """Set once connected, or failed for good: digits of a call that was just answered wait for it."""
        self._digits: asyncio.Queue[tuple[str, DigitTone]] = asyncio.Queue()
        self._dialling: asyncio.Task[None] | None = None
        self._trickling: asyncio.Task[None] | None = None
        self._changing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

        self._renews = renews = ground if isinstance(ground, Peer) else None
        """The peer whose path this one renews, until that is done."""
        self._ground: PeerTransport = ground._ground if isinstance(ground, Peer) else ground
        transport = self._ground
        self._preferred = preferences.preferred(config.preferred_codecs)
        self._owner: _Owner = _Owner(self) if renews is None else renews._owner
        self._version: int = 1 if renews is None else renews._version + 1
        if renews is not None:
            transport.renew()
            transport.on_renewed = self._renewed
        ice = transport.ice.local
        _, fingerprint = transport.dtls.certificate.fingerprint
        self._end: LocalEnd = LocalEnd(
            session_id=secrets.randbits(62) if renews is None else renews._end.session_id,
            ice_ufrag=ice.ufrag,
            ice_pwd=ice.pwd,
            fingerprint=fingerprint,
            ssrc=secrets.randbits(32) if renews is None else renews._end.ssrc,
            cname=str(uuid4()) if renews is None else renews._end.cname,
        )
        owner = self._owner
        self._wiring = RtpWiring(
            ssrc=self._end.ssrc,
            cname=self._end.cname,
            wire=lambda on_rtp, on_rtcp: SrtpWire(transport.ice, transport.dtls, on_rtp, on_rtcp),
            port=port,
            heard=lambda: owner.peer._report(MediaHeard(owner.peer.media)),
            digit=lambda digit, seconds: owner.peer._report(DigitHeard(owner.peer.media, digit, seconds)),
            tap=tap,
        )
        self._path: RtpPath = settings.rtp_path(self._wiring) if renews is None else renews._path
        if renews is None:
            transport.on_ice = lambda state: owner.peer._on_ice(state)
            transport.on_dtls = lambda state: owner.peer._on_dtls(state)
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        if config.prefetch:
            transport.begin()
        self._worker = asyncio.create_task(self._work(), name=f"media {media}")
        self._worker.add_done_callback(complain)

    def order(self, order: Order) -> None:
        self._orders.put_nowait(order)

    def send_digits(self, digits: str, tone: DigitTone) -> None:
        """In the audio stream, after those that are being sent (RFC 4733)."""
        self._digits.put_nowait((digits, tone))
        if self._dialling is None:
            self._dialling = asyncio.create_task(self._dial(), name=f"digits {self.media}")
            self._dialling.add_done_callback(complain)

    def set_max_bit_rate(self, bits_per_second: int | None) -> None:
        """Limit the encoder (MEDIA-046), unless another limit is lower; ``None``: no limit."""
        self._max_bit_rate = bits_per_second
        if self._joined:
            self._limit_bit_rate()

    @property
    def renewable(self) -> bool:
        """Another peer may renew its path in place."""
        return self._owner.peer is self and self._joined and not self._dead and self._ground.usable

    def reading(self) -> StatsSnapshot:
        """This peer's counters now, without the levels, which are its call's."""
        codec = next(iter(self._agreed_codecs), None)
        return read_peer(self._ground, codec, self._path.stats(), self._ground.ice.round_trip)

    def report_reading(self, take: Callable[[StatsSnapshot], StatsSnapshot]) -> None:
        """A reading for the core (STATS-010). It is not queued: an order that waits for a source would delay it."""
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
                    self._add_candidate(order)
                case _:
                    assert_never(order)

    async def _describe(self, kind: DescriptionKind) -> None:
        stage: Stage = "set_local"
        try:
            if self._config.renews is not None and self._renews is None:
                raise NegotiationError("the path that is to be renewed is gone")
            await self._gather()
            stage = "create_offer" if kind == "offer" else "create_answer"
            if self._local is not None:
                raise NegotiationError("this peer has been described already; a new negotiation takes a new peer")
            if (kind == "answer") != (self._remote is not None):
                raise NegotiationError(f"no {kind} is called for")
            self._local = self._description()
            self._agree()
        except Exception as error:  # noqa: BLE001  whatever the library raises is the owed fact
            self._report(NegotiationFailed(self.media, stage, _reason(error)))
            return
        if self._config.trickle:
            # Before the candidates: they go out after the description, and these are in it.
            self._report(LocalDescribed(self.media, self._local.sdp, complete=False))
            self._trickling = asyncio.create_task(self._trickle(), name=f"trickle {self.media}")
            self._trickling.add_done_callback(complain)
        else:
            self._tell_candidates(self._local.candidates)
            self._report(LocalDescribed(self.media, self._local.sdp, complete=True))
            self._start()
            self._pass_end()

    async def _gather(self) -> None:
        """Raises `NoCandidateError` when nothing was found."""
        self._tell_layer("gathering", "gathering")
        if self._config.trickle:
            await self._ground.hosts_known()
        else:
            await self._ground.worthwhile()
            self._gathered_all()

    def _gathered_all(self) -> None:
        """Raises `NoCandidateError`."""
        self._gathered = True
        self._tell_layer("gathering", "complete")
        for failure in self._ground.failures:
            self._report(CandidateError(self.media, failure.url, failure.code, failure.reason))
        if not self._ground.candidates:
            raise NoCandidateError(self._config.force_relay, self._ground.failures)

    async def _trickle(self) -> None:
        """Tell candidates as they are found (MEDIA-101), until no more can come or none is needed any more."""
        told: set[Candidate] = set()
        while True:
            more = self._ground.asking
            found = self._description().candidates
            self._tell_candidates(each for each in found if each not in told)
            told.update(found)
            self._start()
            if not more:
                break
            await self._ground.news()
        try:
            self._gathered_all()
        except NoCandidateError as error:
            self._report(NegotiationFailed(self.media, "set_local", str(error)))
            return
        self._local = self._description()
        self._report(LocalDescribed(self.media, self._local.sdp, complete=True))
        self._pass_end()

    def _tell_candidates(self, candidates: Iterable[Candidate]) -> None:
        assert self._local is not None, "described"
        index = 0 if self._remote is None else self._remote.audio_index
        for candidate in candidates:
            text, mid, url = str(candidate), self._local.mid, self._ground.ice.url_of(candidate)
            self._report(CandidateFound(self.media, text, sdp_mid=mid, sdp_m_line_index=index, url=url))

    def _description(self) -> LocalDescription:
        remote = self._remote if self._config.role == "answer" else None
        offered = self._preferred or sdp.CODECS
        return local_sdp.write(
            self._end,
            offered if remote is None else preferences.in_common(self._preferred, remote.codecs),
            self._ground.candidates,
            direction=preferences.direction(self._config),
            complete=self._gathered,
            version=self._version,
            style=local_sdp.Style(
                stereo=self._config.use_stereo,
                max_kbps=self._config.max_kbps,
                trickle=self._config.trickle,
                silence_suppression=self._settings.silence_suppression,
                reflexive_first=self._settings.reflexive_first,
            ),
            remote=remote,
        )

    async def _apply(self, order: ApplyRemote) -> None:
        try:
            if self._remote is not None:
                raise NegotiationError("a remote description has been applied already")
            if (order.kind == "answer") != (self._local is not None):
                raise NegotiationError(f"no {order.kind} is expected")
            remote = remote_sdp.parse_remote(order.sdp, order.kind)
            if self._renews is not None and not self._ground.keeps(remote.fingerprints):
                raise NegotiationError("the far end has another certificate than the path that is to be renewed")
            for each in remote.candidates:
                self._ground.ice.add_remote(each)
            self._remote = remote
            self._remote_ended = remote.candidates_complete or bool(remote.candidates and not self._config.trickle)
            self._agree()
        except Exception as error:  # noqa: BLE001  whatever the library raises is the owed fact
            self._report(RemoteRefused(self.media, _reason(error)))
            return
        self._report(RemoteApplied(self.media))
        self._start()
        early, self._early_candidates = self._early_candidates, []
        for candidate in early:
            self._add_candidate(candidate)
        self._pass_end()

    def _add_candidate(self, order: AddCandidate) -> None:
        """Add a remote candidate. A failure is not fatal; refused sections' candidates are ignored (MEDIA-110)."""
        if self._remote is None:
            if len(self._early_candidates) < _MOST_EARLY_CANDIDATES:
                self._early_candidates.append(order)
            return
        if not order.candidate.strip():
            self._remote_ended = True
            self._pass_end()
            return
        candidate = sdp.parse_candidate(order.candidate)
        if candidate is None or not self._remote.is_audio(order.sdp_mid, order.sdp_m_line_index):
            log.debug("media %s: remote candidate is of no use: %.120s", self.media, order.candidate)
            return
        if not self._ground.ice.add_remote(candidate):
            log.debug("media %s: remote candidate is one too many: %.120s", self.media, order.candidate)

    def _agree(self) -> None:
        """Once both descriptions are known: what is spoken. Raises `NegotiationError`."""
        if self._local is not None and self._remote is not None:
            self._agreed_codecs = preferences.in_common(self._preferred, self._remote.codecs)
            if self._renews is not None and self._agreed() != self._renews._agreed():
                if self._config.role == "offer":
                    raise NegotiationError("what is spoken is not what the path that is to be renewed speaks")
                # Another stream: in the one that there was, no other packet has the number that it would begin with.
                self._end = evolve(self._end, ssrc=secrets.randbits(32))
                self._wiring = evolve(self._wiring, ssrc=self._end.ssrc)
                self._local = self._description()

    def _start(self) -> None:
        """Begin the checks, as soon as there is a pair to check. Idempotent."""
        local, remote = self._local, self._remote
        if local is None or remote is None or not self._ground.candidates:
            return
        offers = self._config.role == "offer"
        credentials = IceParameters(remote.ice_ufrag, remote.ice_pwd, remote.ice_lite)
        if self._renews is not None:
            self._ground.start_again(credentials, controlling=offers or remote.ice_lite)
            return
        serves = remote.setup == "active" if offers else local.setup == "passive"
        self._ground.start(
            credentials,
            remote.fingerprints,
            controlling=offers or remote.ice_lite,
            role="server" if serves else "client",
        )

    async def _dial(self) -> None:
        while True:
            self._report(await self._send(*await self._digits.get()))

    async def _send(self, digits: str, tone: DigitTone) -> DigitsSent | DigitsRefused:
        await self._decided.wait()
        for piece in re.findall(r"[0-9*#A-Da-d]+|[,wW]", digits):
            if piece in _PAUSES:
                await asyncio.sleep(_PAUSES[piece])
            elif not self._path.send_digits(piece.upper(), tone):
                return DigitsRefused(self.media, "the far end takes no digits in the audio stream")
            while self._path.sending_digits:  # noqa: ASYNC110  packets follow the pacer's clock, which signals nothing
                await asyncio.sleep(0.02)
        return DigitsSent(self.media)

    def _pass_end(self) -> None:
        """From then on no news is to be expected."""
        if self._remote_ended and self._gathered:
            self._ground.ice.end_of_remote()

    # The path's news (MEDIA-500, MEDIA-501)

    def _on_ice(self, state: IceState) -> None:
        self._tell_layer("ice", state)
        match state:
            case "checking" if not self._joined:
                self._publish("connecting")
            case "disconnected" | "completed" if self._joined:
                self._publish("connected" if state == "completed" else "disconnected")
            case "failed" if self._joined:
                log.info("media %s: consent has expired (RFC 7675 section 5.1): nothing more may be sent", self.media)
                self._lost()
                _ = self._ground.close_path()
            case "failed" | "closed":
                self._lost()
            case _:
                pass

    def _on_dtls(self, state: DtlsState) -> None:
        self._tell_layer("dtls", state)
        if state == "connected":
            try:
                self._connected()
            except Exception:  # we are in the middle of the handshake, which an exception would leave half done
                log.exception("media %s broke", self.media)
                self._lost()
        elif state in ("failed", "closed"):
            self._lost()

    def _connected(self) -> None:
        if self._dead or self._joined:
            return
        self._joined = True
        self._path.start(self._agreed())
        self._limit_bit_rate()
        self._decided.set()
        self._ground.stop_asking()
        self._publish("connected")

    def _renewed(self) -> None:
        """A pair of the restarted session works: the path, with all that runs over it, is this peer's now."""
        renewed, self._renews, self._owner.peer = self._renews, None, self
        assert renewed is not None, "renewed once"
        self._joined = True
        if self._agreed() != renewed._agreed():
            self._changing = asyncio.create_task(self._change_path(), name=f"change audio {self.media}")
            self._changing.add_done_callback(complain)
        else:
            self._limit_bit_rate()
        self._decided.set()
        self._ground.stop_asking()
        self._tell_layer("ice", self._ground.ice.state)
        self._tell_layer("dtls", self._ground.dtls.state)
        self._publish("connected")

    async def _change_path(self) -> None:
        """The far end's offer numbers the codecs otherwise, or wants others."""
        former, self._path = self._path, self._settings.rtp_path(self._wiring)
        await former.stop()
        self._path.start(self._agreed())
        self._limit_bit_rate()

    def _limit_bit_rate(self) -> None:
        """To the least of what the application says now, what the call was placed with, and what the far end wants."""
        assert self._remote is not None, "connected without a remote description"
        kbps = self._config.max_kbps
        asked = (self._max_bit_rate, None if kbps is None else bit_rate.of_bandwidth(kbps), self._remote.max_bit_rate)
        least = min((rate for rate in asked if rate is not None), default=bit_rate.MOST)
        if not self._path.limit_bit_rate(least) and least < bit_rate.MOST:
            log.info("media %s: what is sent has one bit rate, which cannot be limited", self.media)

    def _lost(self) -> None:
        self._decided.set()
        self._publish("failed")

    def _publish(self, state: PeerState) -> None:
        if state != self._state and self._state != "failed":
            self._state = state
            self._report(PeerStateChanged(self.media, state))

    def _tell_layer(self, layer: TransportLayer, state: str) -> None:
        self._report(TransportStateChanged(self.media, layer, state))

    def _report(self, fact: MediaFact) -> None:
        if not self._dead:
            self._report_fact(fact)

    def _codecs(self, ours: LocalDescription, theirs: RemoteDescription) -> tuple[RtpCodec, ...]:
        """As the far end numbers them, which is how they are sent; then every other number that may come.

        It may number a codec in its own way, and is to be heard by the number that we offered: by both (RFC 3264
        section 5.1). Ours come last, and so count where the same number means two codecs.
        """
        agreed = [RtpCodec(each.payload_type, each.name, each.clock_rate) for each in self._agreed_codecs]
        names = {codec.name.lower(): codec for codec in agreed}
        described = (*sdp.rtp_maps(theirs.audio), *ours.rtp_maps)
        also = [
            evolve(names[each.name.lower()], payload_type=each.payload_type)
            for each in described
            if each.name.lower() in names and each.clock_rate == names[each.name.lower()].clock_rate
        ]
        return (*agreed, *(each for each in also if each not in agreed))

    def _agreed(self) -> AgreedAudio:
        assert self._local is not None, "connected without a local description"
        assert self._remote is not None, "connected without a remote description"
        codecs = self._codecs(self._local, self._remote)
        spoken = {codec.payload_type for codec in codecs}
        # Each side may number them its own way; a clock rate that the far end leaves out is not agreed.
        theirs = {entry.payload_type: entry.clock_rate for entry in self._remote.telephone_events}
        ours = {number: rate for number, rate in self._local.telephone_events.items() if rate in theirs.values()}
        direction = sdp.both(self._local.direction, sdp.REVERSED[self._remote.direction])
        noise = all(
            any(each.name.upper() == sdp.COMFORT_NOISE for each in maps)
            for maps in (self._local.rtp_maps, sdp.rtp_maps(self._remote.audio))
        )
        return AgreedAudio(
            codecs=codecs,
            silence_suppression=self._settings.silence_suppression,
            comfort_noise=noise,
            telephone_events={number: rate for number, rate in (ours | theirs).items() if number not in spoken},
            sends=direction in ("sendrecv", "sendonly"),
            receives=direction in ("sendrecv", "recvonly"),
        )

    # The end

    def close(self) -> "asyncio.Task[None]":
        """Silence this peer at once, and close it within `CLOSE_SECONDS`. Idempotent; the task never raises.

        A path that another peer has taken over, or that this one has not yet, is not closed.
        """
        if not self._dead and self._renews is not None and self._owner.peer is self._renews:
            self._ground.on_renewed = lambda: None
            self._ground.ice.abandon_restart()
        self._dead = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name=f"close media {self.media}")
        return self._closing

    async def _close(self) -> None:
        begun = (self._worker, self._dialling, self._trickling, self._changing)
        tasks = {task for task in begun if task is not None}
        for task in tasks:
            task.cancel()
        await finish(tasks, _STOP_SECONDS)
        if self._owner.peer is not self:
            return
        stopping = asyncio.create_task(self._path.stop(), name=f"stop audio {self.media}")
        stopping.add_done_callback(complain)
        await finish({stopping}, _STOP_SECONDS)
        await self._ground.close()


@define(eq=False)
class _Owner:
    """Of a path: what happens on it is told as this peer's."""

    peer: Peer


class NegotiationError(Exception):
    """An order that does not fit what has been negotiated so far."""


class NoCandidateError(Exception):
    """Gathering found no candidate at all."""

    def __init__(self, relay_only: bool, failures: Sequence[ServerFailure]) -> None:
        kind = "relay candidate, and only relays may be used" if relay_only else "ICE candidate"
        reasons = "; ".join(map(str, failures)) or ("no server to ask" if relay_only else "no network")
        super().__init__(f"no {kind} ({reasons})")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
