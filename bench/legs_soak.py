"""Fifty calls that are treated roughly for ten minutes: does anything leak, does anything drift?

``python bench/legs_soak.py [LEGS] [SECONDS]``. Every call is held, muted, interrupted in the middle of a sentence and
dialled in, at random, and hears itself: the gateway, in a process of its own, answers with an echo. Both ends are real
peers with real sockets. The second table is each call's audio beside the wall clock, at its worst.
"""

import asyncio
import gc
import random
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from attrs import frozen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.rig import voice
from bench.soak import STEP, Look, Looks, differences, gateway
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.calls import CallHandle

WARM_UP = 15.0
"""Seconds before the first look: buffers fill, caches warm up."""
COOL_DOWN = 8.0
"""Seconds after the last call has ended: the last parts of all call reports leave."""
SETTLED = 240.0
"""Seconds after which memory must be flat: readings pile up until the first part of all call reports leaves, after
three minutes, with an HTTP client that is loaded for it."""
FRAME = 0.02
ALLOWED = 0.001
"""Of drift, as a part of the time."""
DIGITS = "0123456789*#"


@frozen
class Reading:
    """How much audio a call has sent and heard, in frames, and when that was."""

    at: float
    sent: int
    heard: int


def read(call: CallHandle) -> Reading:
    counts = call.audio.counts
    return Reading(time.monotonic(), counts.sent, counts.heard)


def drift(first: Reading, last: Reading) -> tuple[float, float]:
    """Of what was sent, and of what was heard, as a part of the time; negative: too little."""
    wall = last.at - first.at
    return (last.sent - first.sent) * FRAME / wall - 1, (last.heard - first.heard) * FRAME / wall - 1


async def treat(call: CallHandle, dice: random.Random, until: float, done: Counter[str]) -> None:
    """One thing after the other, and leave it neither held nor muted."""
    speech = np.tile(voice(16_000), 2)
    while time.monotonic() < until:
        await asyncio.sleep(dice.uniform(0.2, 3))
        what = dice.choice(("hold", "mute", "clear", "dtmf in the stream", "dtmf by message"))
        match what:
            case "hold":
                held = await call.hold()
                await asyncio.sleep(dice.uniform(0.2, 3))
                assert held, "the gateway holds"
                assert await call.unhold(), "and goes on"
            case "mute":
                call.mute()
                await asyncio.sleep(dice.uniform(0.2, 3))
                call.unmute()
            case "clear":
                call.audio_out.write_nowait(speech, 16_000)
                await asyncio.sleep(dice.uniform(0.1, 2))
                call.audio_out.clear()
            case _:
                digits = "".join(dice.choices(DIGITS, k=dice.randint(1, 4)))
                await call.dtmf(digits, via="rtp" if what == "dtmf in the stream" else "info")
        done[what] += 1


async def main(legs: int, seconds: float) -> None:
    looks, done, begun = Looks(), Counter[str](), time.monotonic()
    async with gateway() as (url, password), TelnyxRTC(login="soak", password=password, env=url) as client:
        await asyncio.sleep(1)
        before = looks.take()
        calls = [await client.new_call("echo") for _ in range(legs)]
        for call in calls:
            await call.wait_for_state("active", timeout=30)
        await asyncio.sleep(WARM_UP)
        gc.collect()
        looks.all.clear()
        first, readings = looks.take(), [read(call) for call in calls]
        until = first.at + seconds
        treating = [asyncio.create_task(treat(call, random.Random(n), until, done)) for n, call in enumerate(calls)]
        while (now := time.monotonic()) < until:
            await asyncio.sleep(min(STEP, until - now))
            looks.take()
        await asyncio.gather(*treating)
        del treating
        await asyncio.sleep(1)
        gc.collect()
        last = looks.take()
        drifts = [drift(early, read(call)) for early, call in zip(readings, calls, strict=True) if call.live]
        for call in calls:
            await call.hangup()
        calls.clear()
        await asyncio.sleep(COOL_DOWN)
        gc.collect()
        after = looks.take()
    say(looks, (before, first, last, after))
    print(f"\n{len(drifts)} of {legs} calls alive after {last.at - first.at:.0f} s; ", end="")
    print(", ".join(f"{count} x {what}" for what, count in sorted(done.items())))
    for name, column in (("sent", 0), ("heard", 1)):
        worst = max((each[column] for each in drifts), key=abs)
        print(f"{name:6} {100 * worst:+.3f} % of the wall clock, the worst call; allowed {100 * ALLOWED:.1f} %")
    assert time.monotonic() - begun > seconds


def say(looks: Looks, four: tuple[Look, Look, Look, Look]) -> None:
    before, first, last, after = four
    print(f"{'':14}{'no call':>10}{'first':>10}{'last':>10}{'all ended':>12}")
    rows = {
        "memory, MB": [f"{look.memory:.1f}" for look in four],
        "handles": [str(look.handles) for look in four],
        "tasks": [str(look.tasks.total()) for look in four],
        "threads": [str(look.threads) for look in four],
    }
    for name, values in rows.items():
        print(
            f"{name:14}" + "".join(f"{value:>{width}}" for value, width in zip(values, (10, 10, 10, 12), strict=True))
        )
    print("memory by minute", ", ".join(f"{look.memory:.0f}" for look in looks.all[:-2:30]), "MB;", end=" ")
    settled = [look for look in looks.all[:-2] if look.at - first.at > SETTLED]
    print(f"{Looks(settled).slope():+.1f} MB an hour once settled" if len(settled) > 2 else "too short for a slope")
    print(f"processor {100 * (last.cpu - first.cpu) / (last.at - first.at):.1f} % of a core")
    print(f"tasks, first to last: {differences(first.tasks, last.tasks)}")
    print(f"tasks, first to most ({looks.busiest.tasks.total()}): {differences(first.tasks, looks.busiest.tasks)}")
    print(f"tasks, no call to all ended: {differences(before.tasks, after.tasks)}")


if __name__ == "__main__":
    arguments = sys.argv[1:] + ["50", "600"][len(sys.argv) - 1 :]
    asyncio.run(main(int(arguments[0]), float(arguments[1])))
