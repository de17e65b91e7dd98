"""Answer every call with a pipecat pipeline that says back each sentence it hears. Ctrl-C or SIGTERM ends it.

    pip install 'telnyx-rtc[pipecat]'
    python pipecat_bot.py

`Parrot` stands where speech recognition, a language model and speech synthesis would. It can be interrupted by
speaking, and a # ends the call.
"""

import asyncio
import contextlib

import numpy as np
from first_call import client_from_environment
from pipecat.frames.frames import (
    EndWorkerFrame,
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from telnyx_drivers.adapters.pipecat import CallTransport
from telnyx_drivers.asyncio import CallHandle

LOUD = 300  # of 32768, on average over a frame
PAUSE = 30  # frames of 20 ms that end a sentence


class Parrot(FrameProcessor):
    def __init__(self) -> None:
        super().__init__()
        self._sentence: list[bytes] = []
        self._silent = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._hear(frame)
        elif isinstance(frame, InputDTMFFrame) and frame.button.value == "#":
            await self.push_frame(EndWorkerFrame())
        else:
            await self.push_frame(frame, direction)

    async def _hear(self, frame: InputAudioRawFrame) -> None:
        loud = np.abs(np.frombuffer(frame.audio, "<i2").astype(int)).mean() > LOUD
        if loud and not self._sentence:
            await self.push_frame(InterruptionFrame())
        if loud or self._sentence:
            self._sentence.append(frame.audio)
            self._silent = 0 if loud else self._silent + 1
        if self._silent == PAUSE:
            await self.push_frame(OutputAudioRawFrame(b"".join(self._sentence), frame.sample_rate, frame.num_channels))
            self._sentence.clear()
            self._silent = 0


async def converse(call: CallHandle) -> None:
    print(f"{call.info.remote_caller_number} calls")
    await call.answer()
    transport = CallTransport(call)
    worker = PipelineWorker(Pipeline([transport.input(), Parrot(), transport.output()]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    print(f"{call.info.remote_caller_number}: {call.ended.cause if call.ended else 'still there'}")


async def main() -> None:
    async with client_from_environment() as client:
        await client.serve(converse)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
