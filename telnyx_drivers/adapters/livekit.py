"""A call as audio input and output of a livekit-agents session, without a room (``livekit-agents`` 1.8, extra
``livekit``).

.. code-block:: python

    session = AgentSession(stt=..., llm=..., tts=...)
    session.on("dtmf_received", lambda digit: ...)
    await run_session(session, agent, call)

or by hand:

.. code-block:: python

    session.input.audio = CallAudioInput(call)
    session.output.audio = CallAudioOutput(call)
    await session.start(agent)
    await call.wait_ended()
    await session.aclose()
"""

# The framework annotates itself in part only, and need not be installed; then its name leads pyright to this file.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportUnknownVariableType=false
# pyright: reportAttributeAccessIssue=false

import asyncio
import time
from typing import Any, Final, cast

from telnyx_core.events import DigitReceived
from telnyx_drivers._audio.writer import QueueFull
from telnyx_drivers._calls import CallHandle

try:
    from livekit import rtc
    from livekit.agents import Agent, AgentSession
    from livekit.agents.voice import io
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.name} is missing: pip install 'telnyx-rtc[livekit]'", name=error.name, path=error.path
    ) from error

RATE: Final = 24_000
"""Hz, both ways: the default of livekit-agents itself."""


class CallAudioInput(io.AudioInput):
    """The far end's audio from now on, in frames of 20 ms; ends with the call.

    Raises ``ValueError`` for an impossible rate.
    """

    def __init__(self, call: CallHandle, *, sample_rate: int = RATE) -> None:
        super().__init__(label=f"call {call.id}")
        self._reader = call.audio_in(sample_rate)

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await anext(self._reader)
        return rtc.AudioFrame(frame.data, frame.sample_rate, frame.channels, frame.samples)


class CallAudioOutput(io.AudioOutput):
    """The agent's audio. A segment is reported as finished when its last sample has been sent, or it was interrupted.

    ``playback_position`` is the part that the call has sent, in seconds, without pauses.
    """

    def __init__(self, call: CallHandle, *, sample_rate: int = RATE) -> None:
        super().__init__(
            label=f"call {call.id}",
            capabilities=io.AudioOutputCapabilities(pause=True),
            sample_rate=sample_rate,
        )
        self._out = call.audio_out
        self._began: float | None = None
        """`AudioOut.sent_duration` when the present segment began; ``None`` between segments."""
        self._cut = False
        self._finishing: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if self._finishing is not None:
            await asyncio.shield(self._finishing)
        await super().capture_frame(frame)
        if self._began is None:
            self._began, self._cut = self._out.sent_duration, False
            self.on_playback_started(created_at=time.time())
        data = bytes(frame.data)
        try:
            self._out.write_nowait(data, frame.sample_rate, frame.num_channels)
        except QueueFull:
            await self._out.write(data, frame.sample_rate, frame.num_channels)

    def flush(self) -> None:
        super().flush()
        if self._began is not None and self._finishing is None:
            self._finishing = asyncio.create_task(self._finish(self._began))

    def clear_buffer(self) -> None:
        if self._began is not None:
            self._cut = True
            self._out.clear()

    def pause(self) -> None:
        super().pause()
        self._out.pause()

    def resume(self) -> None:
        super().resume()
        self._out.resume()

    async def _finish(self, began: float) -> None:
        await self._out.drain()
        self._began = self._finishing = None
        # An ended call sends nothing more, whichever end ended it.
        self.on_playback_finished(
            playback_position=self._out.sent_duration - began, interrupted=self._cut or self._out.ended
        )


async def run_session(session: AgentSession[Any], agent: Agent, call: CallHandle, *, sample_rate: int = RATE) -> None:
    """Let an agent have a call until either ends; the session is closed then, and the call is hung up.

    Keys that the far end presses are events ``"dtmf_received"`` of the session, with the digit. When the session ends
    first, its last words are heard before the hang-up. Raises what ``session.start`` raises.
    """
    over = asyncio.Event()
    emitter = cast("rtc.EventEmitter[str]", session)  # whose own events are all that its annotation knows

    def closed(_: object) -> None:
        over.set()

    session.on("close", closed)
    session.input.audio = CallAudioInput(call, sample_rate=sample_rate)
    session.output.audio = CallAudioOutput(call, sample_rate=sample_rate)

    async def watch() -> None:
        async for event in call.events():
            if isinstance(event, DigitReceived):
                emitter.emit("dtmf_received", event.digit)
        over.set()

    watching = asyncio.create_task(watch())
    try:
        await session.start(agent)
        await over.wait()
    finally:
        watching.cancel()
        await session.aclose()
        await call.hangup(drain=True)
