"""A call as a transport of pipecat (``pipecat-ai`` 1.14 and later; extra ``pipecat``).

.. code-block:: python

    transport = CallTransport(call)
    worker = PipelineWorker(Pipeline([transport.input(), stt, llm, tts, transport.output()]))

An interruption drops the call's queue; at most 40 ms of it are still sent. ``EndFrame`` lets the rest
be heard and hangs up, ``CancelFrame`` hangs up at once. The far end's hang-up ends the pipeline.

A bot that is written for pipecat's runner, ``async def bot(runner_args)``, answers calls with `serve_bot`.
"""

# The framework annotates itself in part only, and need not be installed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportUnknownVariableType=false

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from telnyx_core.errors import InvalidCallState, LocalProtocolError
from telnyx_core.events import DigitReceived, Event
from telnyx_drivers._arguments import LONGEST_WAIT
from telnyx_drivers._audio.readers import AudioIn
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._client import Client
from telnyx_drivers._emitter import EventStream
from telnyx_drivers._exceptions import TelnyxClientError

try:
    from pipecat.audio.dtmf.types import KeypadEntry
    from pipecat.frames.frames import (
        CancelFrame,
        ClientConnectedFrame,
        EndFrame,
        EndWorkerFrame,
        Frame,
        InputAudioRawFrame,
        InputDTMFFrame,
        InterruptionFrame,
        OutputAudioRawFrame,
        OutputDTMFFrame,
        OutputDTMFUrgentFrame,
        StartFrame,
    )
    from pipecat.processors.frame_processor import FrameDirection
    from pipecat.runner.types import RunnerArguments, TelnyxCallData
    from pipecat.transports.base_input import BaseInputTransport
    from pipecat.transports.base_output import BaseOutputTransport
    from pipecat.transports.base_transport import BaseTransport, TransportParams
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.name} is missing: pip install 'telnyx-rtc[pipecat]'", name=error.name, path=error.path
    ) from error

_KEYS: Final = frozenset(KeypadEntry)
"""Twelve of them: pipecat has no name for the keys A to D."""

_WRITE_LIMIT: Final = "audio_out_write_timeout_secs"


class CallTransport(BaseTransport):
    """Give it a call that is active, or will be; audio flows from then on. One transport serves one pipeline.

    ``params`` default to audio in and out at the pipeline's own rates; a write to a call that rings is not limited to
    pipecat's ten seconds unless they say so. With ``hang_up`` false the call outlives the
    pipeline: queued audio is still drained, and the application keeps the call. Raises `InvalidCallState` for
    a call that has ended.

    Event handlers: ``on_client_connected(transport, call)`` once the call is active,
    ``on_dtmf_event(transport, digit)`` for each key that the far end presses, and
    ``on_client_disconnected(transport, call)`` when the call has ended before the pipeline did.
    """

    def __init__(self, call: CallHandle, params: TransportParams | None = None, *, hang_up: bool = True) -> None:
        if not call.live:
            raise InvalidCallState(f"the call has ended: it is {call.state.value}")
        super().__init__()
        # No silence at the end: the draining hang-up lets the last words be heard.
        ours = TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0)
        chosen = ours if params is None else params
        if _WRITE_LIMIT not in chosen.model_fields_set:
            # A call that rings takes no audio yet, however long. A write ends with the call at the latest, so pipecat
            # need not conclude from its length that the far end is gone: it would never write again.
            chosen = chosen.model_copy(update={_WRITE_LIMIT: LONGEST_WAIT})
        self._call: Final = call
        self._input = CallInput(call, chosen, self._tell)
        self._output = CallOutput(call, chosen, hang_up=hang_up)
        self._register_event_handler("on_client_connected")
        self._register_event_handler("on_dtmf_event")
        self._register_event_handler("on_client_disconnected")

    def input(self) -> "CallInput":
        return self._input

    def output(self) -> "CallOutput":
        return self._output

    async def _tell(self, event: str, digit: str | None = None) -> None:
        await self._call_event_handler(event, self._call if digit is None else digit)


class CallInput(BaseInputTransport):
    """The far end's audio and digits as frames; its hang-up ends the pipeline."""

    def __init__(self, call: CallHandle, params: TransportParams, tell: Callable[..., Awaitable[None]]) -> None:
        super().__init__(params)
        self._call = call
        self._tell = tell
        self._listening: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        if self._watching is None:
            await self.set_transport_ready(frame)
            if self._params.audio_in_stream_on_start:
                await self._start_audio_in_streaming()
            noting = self._noting = self.create_task(self._note_digits(self._call.events()))
            self._watching = self.create_task(self._watch(noting))

    async def stop(self, frame: EndFrame) -> None:
        await self._let_go()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._let_go()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        await self._let_go()
        await super().cleanup()

    async def _start_audio_in_streaming(self) -> None:
        if self._params.audio_in_enabled and self._listening is None:
            reader = self._call.audio_in(self.sample_rate, self._params.audio_in_channels)
            self._listening = self.create_task(self._listen(reader))

    async def _listen(self, reader: AudioIn) -> None:
        async for frame in reader:
            await self.push_audio_frame(
                InputAudioRawFrame(audio=frame.data, sample_rate=frame.sample_rate, num_channels=frame.channels)
            )

    async def _note_digits(self, events: EventStream[Event]) -> None:
        with suppress(TelnyxClientError):  # a failed client ends the call, and reports why
            async for event in events:
                if isinstance(event, DigitReceived):
                    await self._tell("on_dtmf_event", event.digit)
                    if event.digit in _KEYS:
                        await self.push_frame(InputDTMFFrame(button=KeypadEntry(event.digit)))

    async def _watch(self, noting: asyncio.Task[None]) -> None:
        with suppress(TelnyxClientError):
            await self._call.wait_for_state("active")
            await self.push_frame(ClientConnectedFrame())
            await self._tell("on_client_connected")
            await self._call.wait_ended()
        await asyncio.wait([noting])  # a digit that was pressed last counts as well
        await self._tell("on_client_disconnected")
        await self.push_frame(EndWorkerFrame(reason=self._call.ended))

    async def _let_go(self) -> None:
        for task in (self._watching, self._noting, self._listening):
            if task is not None:
                await self.cancel_task(task)
        self._watching = self._noting = self._listening = None


class CallOutput(BaseOutputTransport):
    """The bot's audio and digits, sent at the pace of the call."""

    def __init__(self, call: CallHandle, params: TransportParams, *, hang_up: bool) -> None:
        super().__init__(params)
        self._call = call
        self._out = call.audio_out
        self._hang_up = hang_up
        self._protected = 0.0
        """`AudioOut.sent_duration` at which the last audio that no interruption may drop has been sent."""
        self._interrupted = -1
        """Pipecat numbers its frames: those up to this one were made before the last interruption."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        if frame.interruptible and frame.id <= self._interrupted:
            return False  # it was on its way here while the rest was dropped
        written = await self._out.write(frame.audio, frame.sample_rate, frame.num_channels)
        if written and not frame.interruptible:
            self._protected = self._out.sent_duration + self._out.queued_duration
        if not written and not self._call.live:
            # Writing to an ended call does not wait: without this pause for other tasks a mixer would loop without end.
            await asyncio.sleep(0)
        return written

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame) and self._out.sent_duration >= self._protected:
            self._interrupted = Frame().id
            self._out.clear()

    async def stop(self, frame: EndFrame) -> None:
        await super().stop(frame)
        if self._hang_up:
            await self._call.hangup(drain=True)
        else:
            await self._out.drain()

    async def cancel(self, frame: CancelFrame) -> None:
        await super().cancel(frame)
        if self._hang_up:
            await self._call.hangup()
        else:
            self._out.clear()

    def _supports_native_dtmf(self) -> bool:
        return True

    async def _write_dtmf_native(self, frame: OutputDTMFFrame | OutputDTMFUrgentFrame) -> None:
        digits = "".join(button.value for button in frame.buttons or ())
        try:
            await self._call.dtmf(digits)
        except (TelnyxClientError, LocalProtocolError) as error:
            # Raised, it would end pipecat's audio task, and with it the bot's voice.
            await self.push_error(f"the digits {digits} were not sent", exception=error)


@dataclass
class CallRunnerArguments(RunnerArguments):
    """What a bot of pipecat's runner is given for a call: ``CallTransport(runner_args.call)`` is its transport.

    ``call_data`` has the numbers and ids as of pipecat's other telephony, and ``body`` the ``X-`` headers of the call.
    """

    call: CallHandle


def runner_arguments(call: CallHandle) -> CallRunnerArguments:
    """A call in the words of pipecat's runner, for a bot or for the context of its model."""
    info = call.info
    inbound = info.direction == "inbound"
    data = TelnyxCallData.model_validate(
        {
            "call_id": info.telnyx_call_control_id or info.id,
            "from": info.remote_caller_number if inbound else info.caller_number,
            "to": info.caller_number if inbound else info.destination_number,
            "body": {header.name: header.value for header in info.custom_headers},
        }
    )
    return CallRunnerArguments(call=call, call_data=data, body=dict(data.body), session_id=info.id)


async def serve_bot(
    client: Client, bot: Callable[[CallRunnerArguments], Awaitable[object]], *, limit: int | None = None
) -> None:
    """Answer every call with a bot of pipecat's runner, until the client is disconnected; see `TelnyxRTC.serve`."""

    async def converse(call: CallHandle) -> None:
        await call.answer()
        await bot(runner_arguments(call))

    await client.serve(converse, limit=limit)
