"""What the far end hears while the application blocks its loop, with and without ``media_thread``; and what that costs.

    python bench/blocked.py [--blocks 5] [--legs 10]

The application, in a process of its own, plays a tone from a file and blocks its loop once a second, by ``time.sleep``
or by computing. The far end, an embedded gateway here, looks at what it hears: milliseconds without the tone, for each
block, and the greatest step between two samples beside the greatest that the tone itself has. The cost is the CPU time
of the application's process for each of some legs that play and listen, in percent of a core.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.far_end import PASSWORD, ROOT, USER
from telnyx_core.options import Codec
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway

RATE, HERTZ, LEVEL = 8_000, 400, 10_000
PCMU = Codec("audio/PCMU", RATE)


def compute(seconds: float) -> None:
    """As an application does that does not leave the interpreter."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(100))


async def application(url: str, *, thread: bool, seconds: float, busy: bool, blocks: int, legs: int) -> None:
    """The child: prints the percentage of a core that a leg took."""
    from tests.audio.helpers import sine, write_wav

    with tempfile.TemporaryDirectory() as folder:
        tone = write_wav(Path(folder) / "tone.wav", sine(HERTZ, RATE, 60.0, LEVEL), RATE)
        async with TelnyxRTC(
            login=USER, password=PASSWORD, env=url, ice_servers=[], enable_call_reports=False, media_thread=thread
        ) as client:

            async def listen(call: object) -> None:
                async for _ in call.audio_in():  # type: ignore[attr-defined]
                    pass

            listeners = []
            for _ in range(legs):
                call = await client.new_call("silence", caller_number="1", preferred_codecs=[PCMU])
                await call.wait_for_state("active", timeout=20)
                await call.play(tone, loop=True)
                listeners.append(asyncio.create_task(listen(call)))
            await asyncio.sleep(2.0)
            print("begin", flush=True)
            wall, cpu = time.monotonic(), time.process_time()
            for _ in range(blocks):
                await asyncio.sleep(1.0 - seconds)
                if seconds:
                    (compute if busy else time.sleep)(seconds)
            await asyncio.sleep(0.5)
            print(100 * (time.process_time() - cpu) / (time.monotonic() - wall) / legs, flush=True)
            for each in listeners:
                each.cancel()


async def hear(*, thread: bool, seconds: float, busy: bool, blocks: int, legs: int = 1) -> tuple[float, float, float]:
    """Milliseconds without the tone for each block; the greatest step, 1 is the tone's own; percent of a core a leg."""
    from telnyx_core.gateway.events import CallAnswered

    async with Gateway(users={USER: PASSWORD}) as gateway:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--child",
            gateway.url,
            f"--seconds={seconds}",
            f"--blocks={blocks}",
            f"--legs={legs}",
            *(["--thread"] if thread else []),
            *(["--busy"] if busy else []),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert child.stdout is not None
        answered = await gateway.wait_for(CallAnswered, timeout=30)
        pieces: list[Samples] = []

        async def collect() -> None:
            async for frame in gateway.audio(answered.call).audio_in(sample_rate=RATE):
                pieces.append(frame.to_numpy())  # noqa: PERF401  it is looked at while it grows

        collecting = asyncio.create_task(collect())
        while (line := await child.stdout.readline()) != b"begin\n":
            assert line, "the application ended too early"
        pieces.clear()
        cpu = float(await child.stdout.readline())
        heard = np.concatenate(pieces).astype(int)
        await child.wait()
        collecting.cancel()
    slices = heard[: heard.size // 80 * 80].reshape(-1, 80)
    missing = float((np.sqrt((slices**2).mean(axis=1)) < LEVEL / 4).sum() * 10)
    natural = LEVEL * 2 * np.pi * HERTZ / RATE
    return missing / max(blocks, 1), float(np.abs(np.diff(heard)).max() / natural), cpu


async def table(blocks: int, legs: int) -> None:
    print(f"{'the loop is blocked':28}{'':14}{'missing ms':>12}{'step':>8}")
    for seconds in (0.0, 0.03, 0.1, 0.5):
        for busy in (False, True) if seconds else (False,):
            for thread in (False, True):
                missing, step, _ = await hear(thread=thread, seconds=seconds, busy=busy, blocks=blocks)
                name = f"{1000 * seconds:.0f} ms, {'computing' if busy else 'sleeping'}" if seconds else "never"
                print(f"{name:28}{'media thread' if thread else 'one loop':14}{missing:12.0f}{step:8.1f}", flush=True)
    for thread in (False, True, False, True):
        _, _, cpu = await hear(thread=thread, seconds=0.0, busy=False, blocks=10, legs=legs)
        print(f"{legs} legs, {'media thread' if thread else 'one loop'}: {cpu:.2f} % of a core each", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--legs", type=int, default=10)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--thread", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--busy", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        asyncio.run(
            application(
                given.child,
                thread=given.thread,
                seconds=given.seconds,
                busy=given.busy,
                blocks=given.blocks,
                legs=given.legs,
            )
        )
    else:
        asyncio.run(table(given.blocks, given.legs))
