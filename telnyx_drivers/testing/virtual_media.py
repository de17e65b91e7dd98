"""Media on a virtual clock: negotiation and path by the simulation of `telnyx_core.testing`, and real samples."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from attrs import evolve

from telnyx_core.actions import EngineAction, OpenPeer, PrepareMedia, SendDigits, SetDeaf, SetMuted, StartTone, StopTone
from telnyx_core.facts import DigitHeard, PeerState
from telnyx_core.ids import CallId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.media import MediaModel, SimEngine, SimPeer
from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio
from telnyx_drivers._webrtc.ports import Report
from telnyx_drivers.testing.virtual_loop import LoopClock, at_once

RATE: Final = 16_000
"""Samples per second, as with G.722."""
_BEAT: Final = 0.02
_KEY: Final = 0.15
"""Seconds from one digit in the audio to the next."""

AudioBroke: TypeAlias = Callable[[CallId, AudioFault], None]


class VirtualMedia(MediaModel):
    """The paths between the engines of one world. ``lose`` is asked for each packet whether it is lost."""

    def __init__(self, clock: LoopClock, lose: Callable[[], bool]) -> None:
        super().__init__(clock)
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._lose = lose
        self._lost: dict[str, int] = {}
        self._connected: list[tuple[SimPeer, SimPeer]] = []
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def time(self) -> float:
        """Seconds, of the loop."""
        return self._loop.time()

    def catch_up(self) -> None:
        """Before anything that looks at the simulation's own clock."""
        self._clock.catch_up()

    def read(self, peer: SimPeer) -> StatsSnapshot:
        self.catch_up()
        reading, lost = super().read(peer), self._lost.get(peer.ufrag, 0)
        arrived = max((reading.packets_received or 0) - lost, 0)
        return evolve(reading, packets_received=arrived, packets_lost=lost)

    def carry(self, peer: SimPeer) -> None:
        """Audio flows at this peer, if it is connected to another one, until either is closed."""
        other = self.partner(peer)
        if other is not None and all(peer not in pair for pair in self._connected):
            self._connected.append((peer, other))
            if self._timer is None:
                self._next = self._loop.time()
                self._beat()

    def _beat(self) -> None:
        self._connected = [pair for pair in self._connected if not any(end.closed for end in pair)]
        for one, other in self._connected:
            self._pass(one, other)
            self._pass(other, one)
        if not self._connected:
            self._timer = None
            return
        self._next += _BEAT
        self._timer = self._loop.call_at(self._next, self._beat)

    def _pass(self, one: SimPeer, other: SimPeer) -> None:
        sender, receiver = one.engine, other.engine
        assert isinstance(sender, VirtualEngine), "all engines of this world are"
        assert isinstance(receiver, VirtualEngine), "all engines of this world are"
        if sender.peer_in_use(one.call) is not one:
            return
        samples = sender.audio(one.call).pull(RATE, self._next)
        if self._lose() or not self.passes(one, other):
            self._lost[other.ufrag] = self._lost.get(other.ufrag, 0) + 1
        elif self.is_heard(one) and receiver.peer_in_use(other.call) is other:
            receiver.audio(other.call).push(samples, RATE, self._next)


class VirtualEngine(SimEngine):
    """Implements `MediaEngine`: one end of `VirtualMedia`."""

    def __init__(self, media: VirtualMedia, report: Report, audio_broke: AudioBroke) -> None:
        super().__init__(media, report, fed=False)
        self._media = media
        self._audio_broke = audio_broke
        self._audios: dict[CallId, CallAudio] = {}

    def perform(self, action: EngineAction) -> None:
        if isinstance(action, PrepareMedia | StartTone | StopTone):
            return
        self._media.catch_up()
        match action:
            case SetMuted(media, muted) if (peer := self.peers.get(media)) is not None:
                self.audio(peer.call).set_muted(muted)
            case SetDeaf(media, deaf) if (peer := self.peers.get(media)) is not None:
                self.audio(peer.call).set_deaf(deaf)
            case SendDigits(media, digits) if (peer := self.peers.get(media)) is not None:
                self._send_digits(peer, digits)
            case OpenPeer(config=config, call=call):
                self.audio(call).set_muted(config.muted)
                self.audio(call).set_deaf(config.deaf)
            case _:
                pass
        super().perform(action)

    def _send_digits(self, peer: SimPeer, digits: str) -> None:
        other = self._media.partner(peer)
        if other is not None:
            for place, digit in enumerate(digits):
                other.engine.report(other, DigitHeard(other.media, digit, 0.1), _KEY * (place + 1))

    def change(self, peer: SimPeer, state: PeerState) -> None:
        super().change(peer, state)
        if state == "connected":
            self._media.carry(peer)

    def audio(self, call: CallId) -> CallAudio:
        if call not in self._audios:
            audio = CallAudio(background=at_once, clock=self._media.time, report=partial(self._audio_broke, call))
            audio.reading = lambda: None if (peer := self.peer_in_use(call)) is None else self._media.read(peer)
            self._audios[call] = audio
        return self._audios[call]

    def release(self, call: CallId) -> None:
        super().release(call)
        if (audio := self._audios.pop(call, None)) is not None:
            audio.close()

    async def aclose(self) -> None:
        self._media.catch_up()
        self.vanish()
        for call in list(self._audios):
            self.release(call)
