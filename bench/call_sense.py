"""How right `call.sense` is: a confusion table, the position of beeps, digits in speech and under loss, and its cost.

    python bench/call_sense.py [--each 24] [--speech 30]

The corpus is made by program (tests/audio/sense_corpus.py): tones of twelve countries, voices of espeak-ng in five
languages, machines with a beep, music, faxes, noise, three codecs, 0, 1 and 5 % of the packets lost.
"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.in_band_digits import Digit
from telnyx_drivers._audio.sense import Sensed, Sensor
from tests.audio.sense_corpus import KEYS, LONG, RATE, SHORT, silence, sounds, spoken, through, tone

KINDS = ("human", "machine", "beep", "busy", "ringback", "sit", "fax", "music", "silence")


def sensed(samples: Samples) -> tuple[list[Sensed], list[Digit], float]:
    """And how many seconds after its beginning the first thing was known, of a beep after its end."""
    sensor, told, digits, late = Sensor(), list[Sensed](), list[Digit](), 0.0
    for start in range(0, samples.size, 800):
        news, keys = sensor.feed(samples[start : start + 800].astype(np.float32))
        if news and not told:
            late = (start + 800) / RATE - (news[0].until or news[0].at)
        told += news
        digits += keys
    return told, digits, late


def confusion(each: int, seed: int, show: bool) -> None:
    table: Counter[tuple[str, str]] = Counter()
    errors: list[float] = []
    beeps = 0
    latest: dict[str, float] = {}
    for sound in sounds(each, seed):
        told, _, late = sensed(sound.samples)
        latest[sound.kind] = max(latest.get(sound.kind, 0.0), late)
        first = next((event.kind for event in told if event.kind != "silence" or sound.kind == "silence"), "nothing")
        table[sound.kind, first] += 1
        if first != sound.kind and show:
            print(f"    {sound.kind}: {sound.name}: {[(e.kind, round(e.at, 2)) for e in told]}")
        if sound.beep is not None:
            beeps += 1
            found = [event for event in told if event.kind == "beep"]
            near = [abs((event.until or 0) - sound.beep[1]) for event in found]
            table["beep", "beep" if len(near) == 1 else "nothing" if not near else "several"] += 1
            errors += near[:1]
            if len(near) != 1 and show:
                print(f"    beep: {sound.name} {sound.beep}: {[(e.kind, round(e.at, 2), e.until) for e in told]}")
    columns = [*KINDS, "several", "nothing"]
    print("| sound \\ heard as | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for kind in KINDS:
        print(f"| {kind} | " + " | ".join(str(table[kind, column] or "") for column in columns) + " |")
    right = sum(count for (kind, found), count in table.items() if kind == found)
    print(f"right: {right} of {sum(table.values())}, {100 * right / sum(table.values()):.1f} %")
    if errors:
        print(f"end of the beep: median {1_000 * np.median(errors):.0f} ms off, {1_000 * max(errors):.0f} ms at most")
    print(
        "known after its beginning, in seconds at the latest: " + ", ".join(f"{k} {v:.1f}" for k, v in latest.items())
    )


def talk_off(minutes: float) -> None:
    rng, digits, seconds = random.Random(2), list[Digit](), 0.0
    beeps = 0
    while seconds < minutes * 60:
        texts = rng.choice((SHORT, LONG))
        language = rng.choice(list(texts))
        variant = rng.choice(("", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4", "+f5"))
        speed, pitch = rng.choice((140, 160, 180)), rng.choice((20, 35, 50, 65, 80))
        said = spoken(rng.choice(texts[language]), language + variant, speed, pitch)
        seconds += said.size / RATE
        told, found, _ = sensed(through(np.concatenate((said, silence(0.5))), "PCMU", 0, rng))
        digits += found
        beeps += sum(event.kind == "beep" for event in told)
    heard = "".join(digit.digit for digit in digits)
    print(f"heard in {seconds / 60:.0f} min of speech: {len(heard)} digits {heard}, {beeps} beeps")


def under_loss(rounds: int) -> None:
    rng, right, whole = random.Random(3), 0, 0
    for index in range(rounds):
        parts = [silence(0.2)]
        for key in KEYS:
            parts += [tone(KEYS[key], 0.1, rng.uniform(4_000, 12_000)), silence(0.1)]
        samples = through(np.concatenate(parts), ("PCMU", "PCMA", "opus")[index % 3], 0.05, rng, 10)
        found = "".join(digit.digit for digit in sensed(samples)[1])
        right += found == "".join(KEYS)
        whole += 1
        if found != "".join(KEYS):
            print(f"    {found}")
    print(f"all 16 digits of 100 ms at 5 % loss: {right} of {whole} times")


def cost() -> None:
    speech = np.tile(spoken(LONG["en-us"][0], "en-us", 165, 50), 4)[: RATE * 20].astype(np.float32)
    sensor, began = Sensor(), time.process_time()
    for start in range(0, speech.size, 800):
        sensor.feed(speech[start : start + 800])
    print(f"cost: {100 * (time.process_time() - began) / 20:.2f} % of a core for a call that talks all the time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=24, help="sounds of each kind (default: 24)")
    parser.add_argument("--speech", type=float, default=30, help="minutes of speech (default: 30)")
    parser.add_argument("--rounds", type=int, default=12, help="of sixteen digits (default: 12)")
    parser.add_argument("--seed", type=int, default=7, help="of the corpus")
    parser.add_argument("--show", action="store_true", help="what went wrong")
    given = parser.parse_args()
    confusion(given.each, given.seed, given.show)
    under_loss(given.rounds)
    talk_off(given.speech)
    cost()
