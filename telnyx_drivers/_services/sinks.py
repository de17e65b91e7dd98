"""Which call is heard through which audio sink."""

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
from attrs import define, field

from telnyx_core.events import CallInfo
from telnyx_core.ids import CallId
from telnyx_core.states import ESTABLISHED, LIVE, CallState
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.audio_devices import DEFAULT, Sink
from telnyx_drivers._audio.device_registry import AudioDevices
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._guard import isolated

if TYPE_CHECKING:
    from telnyx_drivers._audio.readers import AudioIn
    from telnyx_drivers._webrtc.call_audio import CallAudio

_AUDIBLE: Final = ESTABLISHED | {CallState.EARLY, CallState.ANSWERING}
_CLOSE_SECONDS: Final = 1.0
_OPEN_SECONDS: Final = 8.0
"""A device opens within one or two; what takes longer is taken for stuck."""
_DEVICE_TROUBLE: Final = (OSError, LookupError, MediaUnavailable)
"""What devices raise. The error event reports it; it is no fault of the application's code (MEDIA-409)."""

Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]]], object]


@define(eq=False)
class _Line:
    """A sink at work."""

    sink: Sink
    reader: "AudioIn"
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)


class CallSinks:
    """All calls of one client, on the client's loop."""

    def __init__(
        self,
        devices: AudioDevices,
        *,
        live: Callable[[CallId], bool],
        audio: "Callable[[CallId], CallAudio]",
        spawn: Spawn,
        broke: Callable[[CallId, Exception], None],
    ) -> None:
        """``audio`` raises `MediaUnavailable`; ``broke`` is told what costs a call its sink."""
        self._devices = devices
        self._live = live
        self._audio = audio
        self._spawn = spawn
        self._broke = broke
        self._chosen: dict[CallId, str] = {}
        self._lines: dict[CallId, _Line | None] = {}
        """``None``: its sink is being opened, could not be, or broke."""

    def choose(self, call: CallId, sink_id: str) -> None:
        """What a call that is placed is to be heard through."""
        self._chosen[call] = sink_id

    def note(self, call: CallInfo) -> None:
        """A call has changed: its sink is opened once there is something to hear."""
        if call.state not in LIVE:
            self._chosen.pop(call.id, None)
            self._lines.pop(call.id, None)
        elif call.state in _AUDIBLE and call.id not in self._lines:
            wanted = self._chosen.get(call.id)
            if wanted is not None or self._devices.has_sink(DEFAULT):
                self._lines[call.id] = None
                self._spawn(partial(self._begin, call.id, wanted or DEFAULT))

    async def switch(self, call: CallId, sink_id: str) -> bool:
        """Open another in the place of the one that there is; false: it could not be, and nothing has changed."""
        sink = await self._open(call, sink_id)
        if sink is None:
            return False
        old = self._lines.get(call)
        used = self._use(call, sink)
        if used and old is not None:
            old.scope.cancel()
        return used

    async def _begin(self, call: CallId, sink_id: str) -> None:
        sink = await self._open(call, sink_id)
        if sink is None:
            return
        if self._lines.get(call, sink) is None:
            self._use(call, sink)
        else:  # it has been given another meanwhile
            await _close(sink)

    async def _open(self, call: CallId, sink_id: str) -> Sink | None:
        """``None``, and that is told: it cannot be opened, or is no sink."""
        sink: Sink | None = None
        with isolated(f"the audio sink {sink_id!r}", expected=_DEVICE_TROUBLE) as opening:
            with anyio.fail_after(_OPEN_SECONDS):
                sink = await self._devices.open_sink(sink_id)
            missing = [name for name in ("rate", "write", "close") if not hasattr(sink, name)]
            if missing:
                raise TypeError(f"a sink has rate, write() and close(); {type(sink).__name__} has no {missing[0]}")
        if opening.fault is None:
            return sink
        if isinstance(opening.fault, TimeoutError):
            logs.client.error("the audio sink %r failed: it did not open within %g s", sink_id, _OPEN_SECONDS)
        self._broke(call, opening.fault)
        return None

    def _use(self, call: CallId, sink: Sink) -> bool:
        """False, and the sink is closed: the call has ended meanwhile, or cannot be heard in this way."""
        with isolated("an audio sink", expected=(MediaUnavailable, ValueError)) as using:
            if self._live(call):
                line = _Line(sink, self._audio(call).audio_in(sink.rate))
                self._lines[call] = line
                self._spawn(partial(self._run, call, line))
                return True
        if using.fault is not None:
            self._broke(call, using.fault)
        self._spawn(partial(_close, sink))
        return False

    async def _run(self, call: CallId, line: _Line) -> None:
        try:
            with isolated("an audio sink", expected=_DEVICE_TROUBLE) as running, line.scope:
                async for frame in line.reader:
                    written = line.sink.write(frame)
                    if isawaitable(written):
                        await written
            if running.fault is not None:
                if self._lines.get(call) is line:
                    self._lines[call] = None
                self._broke(call, running.fault)
        finally:
            line.reader.close()
            await _close(line.sink)


async def _close(sink: Sink) -> None:
    with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_SECONDS), isolated("an audio sink"):
        closed = sink.close()
        if isawaitable(closed):
            await closed
