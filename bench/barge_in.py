"""Barge-in: from the moment at which an interruption is decided to the first silent packet on the wire.

    python bench/barge_in.py [--codec PCMU] [--interruptions 100] [--through pipecat]

Seconds of a tone are waiting each time, as after a speech service that is faster than real time. Decided is: with our
own API, when `clear` is called; with pipecat, when the bot pushes an ``InterruptionFrame`` into a running pipeline;
with livekit-agents, when ``clear_buffer`` of a session's output is called. Goal: p50 25 ms, p99 40 ms.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.latency import Echo
from bench.rig import CODECS
from telnyx_drivers._audio.rtp.codecs import make_decoder
from telnyx_drivers._audio.rtp.packet import parse
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.peer import Peer
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC
from telnyx_drivers.gateway import Gateway

RATE = 8_000
TONE = np.rint(16_000 * np.sin(2 * np.pi * 800 * np.arange(RATE) / RATE)).astype(np.int16)
SILENT = 300
"""A peak below this is silence, also through a codec that fades."""


class Wire:
    """The packets that a peer sends: when, and how loud."""

    def __init__(self, peer: Peer, audio: CallAudio, codec: str) -> None:
        self.sent: list[tuple[float, int]] = []
        decoder = make_decoder(codec)
        assert decoder is not None

        def packet(data: bytes, out: bool) -> None:
            found = parse(data) if out and not 192 <= data[1] <= 223 else None
            if found is not None:
                self.sent.append((time.perf_counter(), int(np.abs(decoder.decode(found.payload)).max())))
            tapped(data, out)

        tapped = audio.packet
        peer._path._leg._tap = packet

    def silent_after(self, decided: float) -> float:
        """Seconds to the first silent packet."""
        return next(at for at, peak in self.sent if at > decided and peak < SILENT) - decided


async def measure(
    wire: Wire, interruptions: int, say: Callable[[], Awaitable[object]], interrupt: Callable[[], Awaitable[object]]
) -> list[float]:
    rng, took = random.Random(1), list[float]()
    for _ in range(interruptions):
        await say()
        await asyncio.sleep(0.3 + rng.uniform(0, 0.02))
        decided = time.perf_counter()
        await interrupt()
        await asyncio.sleep(0.2)
        took.append(wire.silent_after(decided))
        wire.sent.clear()
    return took


async def our_own(codec: str, interruptions: int) -> list[float]:
    line = Echo("direct", codec)
    await line.start()
    audio = line.caller.audio
    ((peer, _),) = line.caller.engine._peers.values()

    async def say() -> None:
        for _ in range(3):
            audio.audio_out.write_nowait(TONE, RATE)

    async def interrupt() -> None:
        audio.audio_out.clear()

    took = await measure(Wire(peer, audio, codec), interruptions, say, interrupt)
    await line.stop()
    return took


@asynccontextmanager
async def a_call(codec: str) -> AsyncIterator[tuple[CallHandle, Wire]]:
    """To the embedded gateway, which hears it and says nothing."""
    async with (
        Gateway(users={"alice": "secret"}) as gateway,
        TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[]) as client,
    ):
        call = await client.new_call("silence", preferred_codecs=[CODECS[codec]])
        await call.wait_for_state("active", timeout=10)
        ((peer, _),) = client._driver.engine()._peers.values()  # type: ignore[attr-defined]
        while peer._path._leg is None:  # noqa: ASYNC110  nobody tells when the keys are agreed
            await asyncio.sleep(0.01)
        yield call, Wire(peer, call.audio, codec)


async def with_pipecat(codec: str, interruptions: int) -> list[float]:
    from pipecat.frames.frames import EndFrame, Frame, InterruptionFrame, OutputAudioRawFrame, StartFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineWorker
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
    from pipecat.workers.runner import WorkerRunner

    from telnyx_drivers.adapters.pipecat import CallTransport

    class Bot(FrameProcessor):
        """Stands where the models would."""

        def __init__(self) -> None:
            super().__init__()
            self.started = asyncio.Event()

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            await self.push_frame(frame, direction)
            if isinstance(frame, StartFrame):
                self.started.set()

    async with a_call(codec) as (call, wire):
        bot, transport = Bot(), CallTransport(call)
        worker = PipelineWorker(Pipeline([transport.input(), bot, transport.output()]), idle_timeout_secs=None)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        await bot.started.wait()

        async def say() -> None:
            for piece in np.array_split(np.tile(TONE, 3), 30):  # 100 ms each, as speech services send
                await bot.push_frame(OutputAudioRawFrame(piece.tobytes(), RATE, 1))

        took = await measure(wire, interruptions, say, lambda: bot.push_frame(InterruptionFrame()))
        await worker.queue_frame(EndFrame())
        await running
        return took


async def with_livekit(codec: str, interruptions: int) -> list[float]:
    from livekit import rtc

    from telnyx_drivers.adapters.livekit import CallAudioOutput

    async with a_call(codec) as (call, wire):
        output = CallAudioOutput(call, sample_rate=RATE)

        async def say() -> None:
            for piece in np.array_split(np.tile(TONE, 3), 30):
                await output.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, piece.size))
            output.flush()

        async def interrupt() -> None:
            output.clear_buffer()

        return await measure(wire, interruptions, say, interrupt)


WAYS = {"own": our_own, "pipecat": with_pipecat, "livekit": with_livekit}


def main(way: str, codec: str, interruptions: int) -> None:
    took = asyncio.run(WAYS[way](codec, interruptions))
    p50, p99 = (1_000 * np.percentile(took, each) for each in (50, 99))
    print(f"{way}, {codec}: decided to silence on the wire, {interruptions} times: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", choices=sorted(CODECS), action="append", help="default: both")
    parser.add_argument("--through", choices=WAYS, action="append", help="default: all; the frameworks' extras")
    parser.add_argument("--interruptions", type=int, default=100)
    given = parser.parse_args()
    for way in given.through or WAYS:
        for name in given.codec or sorted(CODECS):
            main(way, name, given.interruptions)
