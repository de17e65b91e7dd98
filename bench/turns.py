"""The error of `call.turns` against a scripted caller.

    python bench/turns.py [--codec PCMU] [--exchanges 12] [--noise -55]

A caller and a bot talk over a loopback, both with our media. The caller says a sentence, the bot answers after a time
that varies, and every fourth answer is interrupted. What the caller really lived is taken from its own two streams,
sample by sample: when it sent the last sample of its sentence, when the first sample of the answer left its jitter
buffer, and when the bot fell silent in its ear. The bot's figures must be the same. Goal: at most 20 ms.
"""

import argparse
import asyncio
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.latency import Echo
from bench.rig import CODECS, voice
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.timeline import Timeline
from telnyx_drivers._audio.turns import Turn

RATE = 16_000
LOUD = 330
"""An amplitude of -40 dB of full scale: what a person calls the beginning and the end of a sentence."""
BREAK = 0.35
"""Seconds of silence that end a sentence, in the caller's own account."""


class Account:
    """What one end really said and heard: the times of loud samples, in seconds of the loop's clock."""

    ended = False

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.said: list[list[float]] = []
        self.listened: list[list[float]] = []

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        self._note(self.said, samples, rate, self._timeline.sent.exact)

    def heard(self, samples: Samples, rate: int, at: int) -> None:
        self._note(self.listened, samples, rate, self._timeline.heard.exact)

    def _note(self, spans: list[list[float]], samples: Samples, rate: int, exact: float) -> None:
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
        if loud.size:
            assert self._timeline.origin is not None
            time = self._timeline.origin + exact
            first, last = time + int(loud[0]) / rate, time + int(loud[-1]) / rate
            if spans and first - spans[-1][1] < BREAK:
                spans[-1][1] = last
            else:
                spans.append([first, last])

    def close(self) -> None:
        pass


def sentence(rng: random.Random, seconds: float) -> Samples:
    """A piece of speech with a sudden end and beginning, as between two words."""
    whole = voice(RATE)
    loud = np.flatnonzero(np.abs(whole.astype(np.int32)) > 2_000)
    start = int(loud[rng.randrange(loud.size // 2)])
    piece = whole[start : start + int(seconds * RATE)].copy()
    loud = np.flatnonzero(np.abs(piece.astype(np.int32)) > LOUD)
    return piece[: int(loud[-1]) + 1]


async def talk(codec: str, exchanges: int, noise: float | None) -> tuple[list[float], list[float], int]:
    line, rng = Echo("direct", codec), random.Random(4)
    await line.start()
    caller, bot = line.caller.audio, line.callee.audio
    line.callee.audio._couplings = ()  # no echo: a bot
    account = Account(caller._timeline)
    caller.add_tap(account)
    turns = bot.turns
    if noise is not None:
        level = 32_767 * 10 ** (noise / 20)
        hiss = np.rint(np.random.default_rng(1).normal(0, level, RATE)).astype(np.int16)

        class Room:
            error, ended = None, False

            def read(self, rate: int) -> Samples:
                return hiss[: rate // 50] if rate == RATE else np.resize(hiss, rate // 50)

            def close(self) -> None:
                pass

        caller.add_voice(Room())
    await asyncio.sleep(1)
    for exchange in range(exchanges):
        caller.audio_out.write_nowait(sentence(rng, 1.2), RATE)
        await caller.audio_out.drain()
        await asyncio.sleep(rng.uniform(0.4, 1.2))
        bot.audio_out.write_nowait(sentence(rng, 1.6), RATE)
        if exchange % 4 == 3:
            await asyncio.sleep(0.7)
            caller.audio_out.write_nowait(sentence(rng, 0.9), RATE)
            await asyncio.sleep(rng.uniform(0.2, 0.4))
            bot.audio_out.clear()
        await bot.audio_out.drain()
        await caller.audio_out.drain()
        await asyncio.sleep(1.2)
    origin, found = bot._timeline.origin, turns.so_far
    await line.stop()
    assert origin is not None
    return compare(account, found, origin)


def compare(account: Account, turns: tuple[Turn, ...], origin: float) -> tuple[list[float], list[float], int]:
    """The errors of responses and of barge-ins in seconds, and how many were not found."""
    responses: list[float] = []
    barge_ins: list[float] = []
    missed = 0
    for first, last in account.listened:
        before = [said for said in account.said if said[1] < first]
        if before and first - before[-1][1] < 2:
            near = [t for t in turns if t.who == "local" and abs(t.start + origin - first) < 0.3 and t.response]
            missed += not near
            responses += [turn.response - (first - before[-1][1]) for turn in near[:1] if turn.response is not None]
        for said in account.said:
            if first < said[0] < last:
                near = [t for t in turns if t.who == "remote" and abs(t.start + origin - said[0]) < 0.3 and t.barge_in]
                missed += not near
                barge_ins += [turn.barge_in - (last - said[0]) for turn in near[:1] if turn.barge_in is not None]
    return responses, barge_ins, missed


def show(name: str, errors: list[float]) -> None:
    values = 1_000 * np.array(errors)
    print(
        f"  {name:9} {values.size:3} measured, error in ms: median {np.median(values):+.1f}, "
        f"mean of the magnitude {np.abs(values).mean():.1f}, worst {np.abs(values).max():.1f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", choices=sorted(CODECS), action="append", help="default: both")
    parser.add_argument("--exchanges", type=int, default=12)
    parser.add_argument("--noise", type=float, default=None, help="of the caller's room, dB of full scale")
    given = parser.parse_args()
    for name in given.codec or sorted(CODECS):
        responses, barge_ins, missed = asyncio.run(talk(name, given.exchanges, given.noise))
        print(f"{name}: {missed} not found", flush=True)
        show("response", responses)
        if barge_ins:
            show("barge-in", barge_ins)
