"""Fifty calls that are treated roughly for ten minutes: does anything leak, does anything drift?

``python bench/legs_soak.py [LEGS] [SECONDS] [--stalls EVERY] [--codec PCMU]``. Every call is held, muted, interrupted
in the middle of a sentence and dialled in, at random, and hears itself: the gateway, in a process of its own, answers
with an echo. Both ends are real peers with real sockets. The second table is each call's audio beside the wall clock,
at its worst.

With ``--stalls 15`` the client's loop is blocked as well, every 15 s or so, for 0.2 to 3 s, and every call is recorded:
it must be heard again within a second after each stall, and its recording must be as long as the call.
"""

import argparse
import asyncio
import gc
import random
import sys
import tempfile
import time
import wave
from collections import Counter
from pathlib import Path

import numpy as np
from attrs import define, field, frozen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.rig import CODECS, voice
from bench.soak import STEP, Look, Looks, differences, gateway
from telnyx_core.options import Codec
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.recorder import Recording
from telnyx_drivers.asyncio import CallFailed, CallHandle, TelnyxRTC, Tone

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
STALL = (0.2, 3.0)
"""Seconds, at random."""
SOON = 1.0
"""Seconds after a stall in which a call must be heard."""
LOUD = 1_000
"""Peak of a frame: less than the tone that all calls send has, and more than anything that is made up for long."""
RECORDED = 8_000
"""Samples per second."""
NEAR = 0.1
"""Seconds by which a recording may differ from the wall clock."""


@define(eq=False)
class Ear:
    """A tap: when a call heard its own echo last."""

    ended: bool = False
    loud_at: float = 0.0
    silenced: bool = False
    """It is held or muted: there is nothing to be heard."""
    silences: int = 0

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        pass

    def heard(self, samples: Samples, rate: int, at: int) -> None:
        if np.abs(samples.astype(int)).max(initial=0) > LOUD:
            self.loud_at = time.monotonic()

    def close(self) -> None:
        self.ended = True

    def silence(self, silenced: bool) -> None:
        self.silenced = silenced
        self.silences += silenced


@define
class Stalls:
    """What came of blocking the loop."""

    lengths: list[float]
    waits: list[float]
    """Seconds from the end of a stall until a call was heard, one for each call and stall."""
    deaf: list[int] = field(factory=list[int])
    """Calls that were not heard soon after each."""

    async def throw(self, ears: list[Ear], every: float, until: float) -> None:
        rng = random.Random(7)
        while (pause := rng.uniform(0.5, 1.5) * every) + time.monotonic() + STALL[1] + SOON < until:
            await asyncio.sleep(pause)
            watched = {ear: ear.silences for ear in ears if not ear.silenced}
            self.lengths.append(rng.uniform(*STALL))
            time.sleep(self.lengths[-1])  # noqa: ASYNC251  that is the point
            over = time.monotonic()
            while watched and time.monotonic() < over + SOON:
                await asyncio.sleep(0.02)
                for ear, silences in tuple(watched.items()):
                    if ear.silences != silences:
                        del watched[ear]
                    elif ear.loud_at > over:
                        self.waits.append(ear.loud_at - over)
                        del watched[ear]
            self.deaf.append(len(watched))

    def say(self) -> None:
        print(
            f"\n{len(self.lengths)} stalls, {sum(self.lengths):.0f} s in all; {len(self.waits)} times a call was",
            end=" ",
        )
        print(f"heard again, after {np.median(self.waits or [0.0]):.2f} s (p50),", end=" ")
        print(f"{max(self.waits, default=0.0):.2f} s (most);", end=" ")
        print(f"{sum(self.deaf)} times not within {SOON:.0f} s")
        worst = [(length, deaf) for length, deaf in zip(self.lengths, self.deaf, strict=True) if deaf]
        if worst:
            print("after stalls of", ", ".join(f"{length:.1f} s: {deaf}" for length, deaf in worst))


@frozen
class Reading:
    """How much audio a call has sent and heard, in frames, with those whose time passed while the loop was blocked, and
    when that was.
    """

    at: float
    sent: int
    heard: int


def read(call: CallHandle) -> Reading:
    counts = call.audio.counts
    return Reading(time.monotonic(), counts.sent + counts.sent_missed, counts.heard + counts.heard_missed)


def drift(first: Reading, last: Reading) -> tuple[float, float]:
    """Of what was sent, and of what was heard, as a part of the time; negative: too little."""
    wall = last.at - first.at
    return (last.sent - first.sent) * FRAME / wall - 1, (last.heard - first.heard) * FRAME / wall - 1


async def treat(call: CallHandle, ear: Ear, rng: random.Random, until: float, done: Counter[str]) -> None:
    """One thing after the other, and leave it neither held nor muted."""
    speech = np.tile(voice(16_000), 2)
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.2, 3))
        what = rng.choice(("hold", "mute", "clear", "dtmf in the stream", "dtmf by message"))
        match what:
            case "hold":
                ear.silence(True)
                held = await call.hold()
                await asyncio.sleep(rng.uniform(0.2, 3))
                assert held, "the gateway holds"
                assert await call.unhold(), "and goes on"
                ear.silence(False)
            case "mute":
                ear.silence(True)
                call.mute()
                await asyncio.sleep(rng.uniform(0.2, 3))
                call.unmute()
                ear.silence(False)
            case "clear":
                call.audio_out.write_nowait(speech, 16_000)
                await asyncio.sleep(rng.uniform(0.1, 2))
                call.audio_out.clear()
            case _:
                digits = "".join(rng.choices(DIGITS, k=rng.randint(1, 4)))
                try:
                    await call.dtmf(digits, via="rtp" if what == "dtmf in the stream" else "info")
                except CallFailed as error:
                    what = f"failed: {error}"
        done[what] += 1


@frozen
class Recorded:
    """A recording begins while its caller waits for it: on a busy loop that is some time."""

    recording: Recording
    asked: float
    had: float


async def record(calls: list[CallHandle], folder: Path) -> list[Recorded]:
    made: list[Recorded] = []
    for number, call in enumerate(calls):
        asked = time.monotonic()
        recording = await call.record(folder / f"{number}.wav", sample_rate=RECORDED)
        made.append(Recorded(recording, asked, time.monotonic()))
    return made


async def differing(recordings: list[Recorded]) -> list[float]:
    """Seconds by which each is longer than it can be, or (negative) shorter than it must be."""
    found: list[float] = []
    for each in recordings:
        await asyncio.sleep(2 * FRAME)  # as above
        ended = time.monotonic()
        await each.recording.stop()
        with wave.open(str(each.recording.path), "rb") as file:
            length = file.getnframes() / RECORDED
        found.append(max(length - (ended - each.asked), 0.0) or min(length - (ended - each.had), 0.0))
        each.recording.path.unlink()
    return found


async def main(legs: int, seconds: float, every: float, codecs: list[Codec], folder: Path) -> bool:
    looks, done, begun = Looks(), Counter[str](), time.monotonic()
    async with gateway() as (url, password), TelnyxRTC(login="soak", password=password, env=url) as client:
        await asyncio.sleep(1)
        before = looks.take()
        calls = [await client.new_call("echo", preferred_codecs=codecs) for _ in range(legs)]
        for call in calls:
            await call.wait_for_state("active", timeout=30)
        await asyncio.sleep(WARM_UP)
        gc.collect()
        looks.all.clear()
        first = looks.take()
        await asyncio.sleep(2 * FRAME)  # what is due comes first: the look has held up the loop
        readings = [read(call) for call in calls]
        until = first.at + seconds
        ears, stalls, recordings = [Ear() for _ in calls], Stalls([], []), list[Recorded]()
        treating = [
            asyncio.create_task(treat(call, ear, random.Random(n), until, done))
            for n, (call, ear) in enumerate(zip(calls, ears, strict=True))
        ]
        if every:
            for call, ear in zip(calls, ears, strict=True):
                call.audio.add_tap(ear)
                call.audio.add_voice(Tone(400, level=0.15))
            recordings = await record(calls, folder)
            treating.append(asyncio.create_task(stalls.throw(ears, every, until)))
        while (now := time.monotonic()) < until:
            await asyncio.sleep(min(STEP, until - now))
            looks.take()
        await asyncio.gather(*treating)
        del treating
        await asyncio.sleep(1)
        gc.collect()
        last = looks.take()
        await asyncio.sleep(2 * FRAME)  # as above
        drifts = [drift(early, read(call)) for early, call in zip(readings, calls, strict=True) if call.live]
        longer = await differing(recordings)
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
        worst = max((each[column] for each in drifts), key=abs, default=0.0)
        print(f"{name:6} {100 * worst:+.3f} % of the wall clock, the worst call; allowed {100 * ALLOWED:.1f} %")
    assert time.monotonic() - begun > seconds
    wrong: list[str] = []
    if len(drifts) < legs:
        wrong.append("a call has ended by itself")
    if max((abs(each) for both in drifts for each in both), default=0.0) > ALLOWED:
        wrong.append("audio is not as long as the call")
    if every:
        stalls.say()
        worst = max(longer, key=abs)
        print(f"recordings {1000 * worst:+.0f} ms of the wall clock, the worst of {len(longer)}; ", end="")
        print(f"allowed {1000 * NEAR:.0f} ms")
        if any(stalls.deaf) or not stalls.waits:
            wrong.append("a call was not heard soon after a stall")
        if abs(worst) > NEAR:
            wrong.append("a recording is not as long as its call")
    print(f"WRONG: {'; '.join(wrong)}" if wrong else "all is as it must be")
    return not wrong


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("legs", type=int, nargs="?", default=50)
    parser.add_argument("seconds", type=float, nargs="?", default=600.0)
    parser.add_argument("--stalls", type=float, default=0.0, help="seconds between two stalls (default: none)")
    parser.add_argument("--codec", choices=[*CODECS], help="instead of the one that both ends prefer")
    given = parser.parse_args()
    codecs = [CODECS[given.codec]] if given.codec else []
    with tempfile.TemporaryDirectory() as made:
        sys.exit(0 if asyncio.run(main(given.legs, given.seconds, given.stalls, codecs, Path(made))) else 1)
