"""The media engine on aiortc: performs the core's media actions, reports media facts (media.md section 1)."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import assert_never

from attrs import evolve

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    EngineAction,
    OpenPeer,
    OpenSource,
    PrepareMedia,
    SendDigits,
    SetDeaf,
    SetMaxBitRate,
    SetMuted,
    StartTone,
    StopTone,
    TakeStats,
    ToneAction,
    UseMedia,
)
from telnyx_core.ids import CallId, MediaId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._audio.rtp.libopus import OpusSettings as OpusSettings
from telnyx_drivers._audio.source_registry import SourceFactory
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.call_media import CallMedia
from telnyx_drivers._webrtc.direct_rtp import direct_rtp_path
from telnyx_drivers._webrtc.peer import CLOSE_SECONDS, Peer
from telnyx_drivers._webrtc.peer_transport import PeerTransport
from telnyx_drivers._webrtc.ports import EngineFactory, EngineSetup, Report
from telnyx_drivers._webrtc.settings import PeerSettings
from telnyx_drivers._webrtc.settings import settings_for as settings_for
from telnyx_drivers._webrtc.transport_pool import TransportPool


class AiortcEngine:
    """Implements `MediaEngine`. Everything runs on one asyncio loop: the one that calls `perform`.

    ``report`` is called there, once for each fact, never from inside `perform`. ``source_factories`` may change: what
    a call asks for is looked up then. ``call_audio`` makes the audio of a call; ``tones`` performs the tone actions,
    which have nothing to do with peers.
    """

    def __init__(
        self,
        report: Report,
        *,
        source_factories: Mapping[str, SourceFactory] | None = None,
        settings: PeerSettings | None = None,
        call_audio: Callable[[CallId], CallAudio] | None = None,
        tones: Callable[[ToneAction], None] | None = None,
    ) -> None:
        self._report = report
        self._given: Mapping[str, SourceFactory] = {} if source_factories is None else source_factories
        self._factories: dict[str, SourceFactory] = {}
        self._settings = settings or PeerSettings()
        self._call_audio = call_audio or _silent_audio
        self._tones = tones
        self._calls: dict[CallId, CallMedia] = {}
        self._peers: dict[MediaId, tuple[Peer, CallMedia]] = {}
        self._standby = TransportPool(self._settings, self._see_out)
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def perform(self, action: EngineAction) -> None:
        match action:
            case OpenPeer():
                self._open(action)
            case ClosePeer(media):
                self._close(media)
            case OpenSource() | CreateOffer() | CreateAnswer() | ApplyRemote() | AddCandidate():
                if (found := self._peers.get(action.media)) is not None:
                    found[0].order(action)
            case TakeStats(media):
                if (found := self._peers.get(media)) is not None:
                    peer, call = found
                    asyncio.get_running_loop().call_soon(peer.report_reading, call.with_levels)
            case SendDigits(media, digits, tone):
                if (found := self._peers.get(media)) is not None:
                    found[0].send_digits(digits, tone)
            case UseMedia(media):
                if (found := self._peers.get(media)) is not None:
                    found[1].used = media
            case SetMuted(media, muted):
                if (found := self._peers.get(media)) is not None:
                    found[1].audio.set_muted(muted)
            case SetDeaf(media, deaf):
                if (found := self._peers.get(media)) is not None:
                    found[1].audio.set_deaf(deaf)
            case SetMaxBitRate(media, bits_per_second):
                if (found := self._peers.get(media)) is not None:
                    found[0].set_max_bit_rate(bits_per_second)
            case PrepareMedia():
                if not self._closed:
                    self._standby.prepare(action)
            case StartTone() | StopTone():
                if self._tones is not None:
                    self._tones(action)
            case _:
                assert_never(action)

    def audio(self, call: CallId) -> CallAudio:
        return self._call(call).audio

    def release(self, call: CallId) -> None:
        if (media := self._calls.pop(call, None)) is not None:
            media.audio.close()

    def register_source(self, source_id: str, factory: SourceFactory) -> None:
        """From now on calls may open this source; replaces an earlier one of the same name."""
        self._factories[source_id] = factory

    def snapshot(self, media: MediaId) -> StatsSnapshot | None:
        """The peer's counters now, without levels, which are counted from one `TakeStats` to the next."""
        found = self._peers.get(media)
        return None if found is None else found[0].reading()

    async def aclose(self) -> None:
        self._closed = True
        self._standby.stop()
        for media in list(self._peers):
            self._close(media)
        for call in list(self._calls):
            self.release(call)
        await _see_through(self._closing, CLOSE_SECONDS + 0.5)

    def _call(self, call: CallId) -> CallMedia:
        if call not in self._calls:
            media = self._calls[call] = CallMedia(self._call_audio(call))
            media.audio.reading = lambda: None if media.used is None else self.snapshot(media.used)
        return self._calls[call]

    def _open(self, action: OpenPeer) -> None:
        if self._closed:
            return
        assert action.media not in self._peers, f"media {action.media} is open already"
        config = action.config
        call = self._call(action.call)
        call.audio.set_muted(config.muted)
        call.audio.set_deaf(config.deaf)
        renewed = None if config.renews is None else self._peers.get(config.renews)
        ground: PeerTransport | Peer | None = self._standby.take(config) if renewed is None else None
        if renewed is not None and renewed[0].renewable:
            ground = renewed[0]
        if ground is None:
            ground = PeerTransport(config.ice_servers, self._settings, relay_only=config.force_relay)
        peer = Peer(
            action.media,
            config,
            self._settings,
            ground=ground,
            port=call.join(action.media, ground.media if isinstance(ground, Peer) else None),
            report=self._report,
            open_source=lambda order: call.open_source(order, {**self._given, **self._factories}),
            tap=call.audio.packet,
        )
        self._peers[action.media] = peer, call

    def _close(self, media: MediaId) -> None:
        found = self._peers.pop(media, None)
        if found is not None:
            peer, call = found
            self._see_out(peer.close())
            call.leave(media)

    def _see_out(self, closing: "asyncio.Task[None]") -> None:
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def engine_with(*, opus: OpusSettings | None = None, silence_suppression: bool = False) -> EngineFactory:
    """The default engine with other settings, for the client's ``engine``.

    ::

        from telnyx_drivers.asyncio import OpusSettings, TelnyxRTC, engine_with

        TelnyxRTC(..., engine=engine_with(opus=OpusSettings(complexity=9, full_band=True)))

    ``silence_suppression``: leave out what is silent, by Opus's own means (DTX) and otherwise with comfort noise (RFC
    3389) where the far end takes it, and ask the far end for the same.
    """
    opus = opus or OpusSettings()

    def make(setup: EngineSetup) -> AiortcEngine:
        return AiortcEngine(
            setup.report,
            source_factories=setup.sources,
            settings=evolve(
                settings_for(setup.url, setup.tls),
                rtp_path=partial(direct_rtp_path, opus=opus),
                silence_suppression=silence_suppression,
            ),
            call_audio=setup.call_audio,
        )

    return make


def _silent_audio(call: CallId) -> CallAudio:
    return CallAudio()


async def _see_through(tasks: "set[asyncio.Task[None]]", timeout: float) -> None:
    """Wait for tasks that have their own time limit, also while being cancelled; then let the cancellation through."""
    if not tasks:
        return
    # Of a copy: each leaves the set as it ends, which may be before the waiting begins.
    waiting = asyncio.create_task(asyncio.wait(list(tasks), timeout=timeout))
    cancelled = False
    while not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
