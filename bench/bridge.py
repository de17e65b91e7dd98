"""What it costs that media runs in a thread of its own, on trio and for the asking: latency per audio frame.

    python bench/bridge.py [--seconds 10] [--rounds 3] [--busy 0]

A real call to a gateway in another process. Two waits are timed for every frame of 20 ms: from the moment at which the
media side hands heard audio over until the application's ``async for`` has it, and from the moment at which the media
side makes room by taking a frame to send until the application's ``await write()`` goes on. The loops take turns, so
that both meet the same machine. ``--busy`` has the application compute for so many milliseconds between frames.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median, quantiles

import anyio
import numpy as np
from attrs import define, field

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.far_end import PASSWORD, USER, FarEnd
from bench.recovery import client_of
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._webrtc.call_audio import CallAudio

RATE = 48_000
FRAME = np.zeros(RATE // 50, np.int16)


@define
class Found:
    """Seconds."""

    heard: list[float] = field(factory=list[float])
    said: list[float] = field(factory=list[float])


@define
class Stamps:
    """When the media side did what the application waits for."""

    pushed: float = 0.0
    pulled: float = 0.0


STAMPS = Stamps()


def watch_media() -> None:
    push, pull = CallAudio.push, CallAudio.pull

    def pushed(self: CallAudio, samples: Samples, rate: int, due: float | None = None) -> None:
        STAMPS.pushed = time.perf_counter()
        push(self, samples, rate, due)

    def pulled(self: CallAudio, rate: int, due: float | None = None) -> Samples:
        STAMPS.pulled = time.perf_counter()
        return pull(self, rate, due)

    CallAudio.push, CallAudio.pull = pushed, pulled  # type: ignore[method-assign]


def compute(milliseconds: float) -> None:
    until = time.perf_counter() + milliseconds / 1_000
    while time.perf_counter() < until:
        pass


async def measure(loop: str, url: str, seconds: float, busy: float, *, thread: bool | None) -> Found:
    found = Found()
    async with client_of(loop)(
        login=USER, password=PASSWORD, env=url, ice_servers=[], enable_call_reports=False, media_thread=thread
    ) as client:
        call = await client.new_call("echo", caller_number="1")
        await call.wait_for_state("active", timeout=20)

        async def hear() -> None:
            async for _ in call.audio_in(sample_rate=RATE):
                found.heard.append(time.perf_counter() - STAMPS.pushed)
                compute(busy)

        async def say() -> None:
            while True:
                before = time.perf_counter()
                await call.audio_out.write(FRAME, sample_rate=RATE)
                now = time.perf_counter()
                if now - before > 0.005:  # it had to wait for room
                    found.said.append(now - STAMPS.pulled)

        with anyio.move_on_after(seconds + 1.0):
            async with anyio.create_task_group() as group:
                group.start_soon(hear)
                group.start_soon(say)
        await call.hangup()
    # The first second fills buffers.
    return Found(found.heard[50:], found.said[50:])


def row(name: str, seconds: list[float]) -> str:
    us = [1e6 * each for each in seconds]
    return f"{name:30}{median(us):10.0f}{quantiles(us, n=100)[98]:10.0f}{max(us):10.0f}{len(us):9}"


def main(seconds: float, rounds: int, busy: float) -> None:
    watch_media()
    all_found = {"asyncio": Found(), "asyncio, media thread": Found(), "trio": Found()}
    with FarEnd() as far:
        for _ in range(rounds):
            for name, sum_ in all_found.items():
                loop, _, thread = name.partition(",")

                async def run(loop: str = loop, thread: bool | None = bool(thread) or None) -> Found:
                    return await measure(loop, far.url, seconds, busy, thread=thread)

                found = anyio.run(run, backend=loop)
                sum_.heard += found.heard
                sum_.said += found.said
    print(f"{'microseconds per frame':30}{'median':>10}{'p99':>10}{'most':>10}{'frames':>9}")
    for what in ("heard", "said"):
        for loop, found in all_found.items():
            print(row(f"{what}, {loop}", getattr(found, what)))
        own, *bridged = all_found
        for name in bridged:
            here, there = getattr(all_found[own], what), getattr(all_found[name], what)
            added = median(there) - median(here)
            tail = quantiles(there, n=100)[98] - quantiles(here, n=100)[98]
            print(
                f"{what}, {name}: adds {1e6 * added:.0f} us in the median, {1e6 * tail:.0f} us at the 99th percentile"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each loop and round (default: 10)")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each loop has (default: 3)")
    parser.add_argument("--busy", type=float, default=0.0, help="ms of computing between frames (default: 0)")
    given = parser.parse_args()
    main(given.seconds, given.rounds, given.busy)
