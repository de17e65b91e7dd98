"""What answers a call, by its sound, and digits in the audio itself (issue 15, item 6)."""

import random
from functools import cache

import anyio
import numpy as np
import pytest

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.in_band_digits import Digit
from telnyx_drivers._audio.sense import Sensed, Sensor
from telnyx_drivers._webrtc.call_audio import CallAudio
from tests.audio.helpers import call_audio, settle
from tests.audio.sense_corpus import KEYS, LONG, RATE, Sound, silence, sounds, spoken, through, tone

pytestmark = pytest.mark.anyio

KINDS = ("human", "machine", "busy", "ringback", "sit", "fax", "music", "silence")


@cache
def corpus() -> tuple[Sound, ...]:
    """Two of each kind, in that order."""
    return tuple(sounds(2, seed=11, codecs=("PCMU",)))


def first_of(kind: str) -> Sound:
    return corpus()[2 * KINDS.index(kind)]


def sensed(samples: Samples, piece: int = 800) -> tuple[list[Sensed], list[Digit]]:
    sensor, told, digits = Sensor(), list[Sensed](), list[Digit]()
    for start in range(0, samples.size, piece):
        news, keys = sensor.feed(samples[start : start + piece].astype(np.float32))
        told += news
        digits += keys
    return told, digits


@pytest.mark.parametrize("index", range(2 * len(KINDS)))
def test_each_sound_is_heard_as_what_it_is(index: int) -> None:
    sound = corpus()[index]
    assert sound.kind == KINDS[index // 2]
    told, digits = sensed(sound.samples)
    kinds = [each.kind for each in told if each.kind != "silence" or sound.kind == "silence"]
    assert kinds == [sound.kind, *(["beep"] if sound.beep else [])], sound.name
    assert digits == []
    if sound.beep is not None:
        beep = next(each for each in told if each.kind == "beep")
        assert (beep.at, beep.until) == pytest.approx(sound.beep, abs=0.06)


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_all_sixteen_digits_are_heard_where_packets_are_lost(codec: str) -> None:
    parts = [silence(0.2)]
    for frequencies in KEYS.values():
        parts += [tone(frequencies, 0.1, 8_000), silence(0.1)]
    _, digits = sensed(through(np.concatenate(parts), codec, 0.05, random.Random(8), 10))
    assert "".join(digit.digit for digit in digits) == "".join(KEYS)
    assert [digit.duration for digit in digits] == pytest.approx([0.1] * 16, abs=0.05)


def test_the_same_digit_twice_is_two_and_a_held_one_is_one() -> None:
    five = KEYS["5"]
    parts = [silence(0.1), tone(five, 0.08, 8_000), silence(0.06), tone(five, 0.08, 8_000), silence(0.3)]
    held = [tone(five, 2, 8_000), silence(0.2)]
    _, digits = sensed(through(np.concatenate([*parts, *held]), "PCMU", 0, random.Random(1)))
    assert [digit.digit for digit in digits] == ["5", "5", "5"]
    assert digits[2].duration == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize("frequencies", [(697,), (1_209,), (697, 770), (440, 480), (697, 1_400), (740, 1_209)])
def test_what_is_no_pair_of_a_row_and_a_column_is_no_digit(frequencies: tuple[int, ...]) -> None:
    _, digits = sensed(
        through(np.concatenate((tone(frequencies, 0.5, 8_000), silence(0.2))), "PCMU", 0, random.Random(1))
    )
    assert digits == []


def test_what_is_said_is_no_digit() -> None:
    """Half an hour of it is heard by bench/call_sense.py."""
    rng = random.Random(4)
    for index, language in enumerate(LONG):
        said = spoken(LONG[language][0], language, 165, 30 + 10 * index)
        told, digits = sensed(through(np.concatenate((said, silence(0.5))), "PCMU", 0, rng))
        assert digits == []
        assert "beep" not in [each.kind for each in told]


def test_it_does_not_matter_how_the_audio_is_cut() -> None:
    machine = first_of("machine")
    kinds = [[each.kind for each in sensed(machine.samples, piece)[0]] for piece in (160, 800, 801, 4_000)]
    assert kinds[0] == kinds[1] == kinds[2] == kinds[3]


def hear(audio: CallAudio, samples: Samples, at: float) -> None:
    for index in range(samples.size // 160):
        audio.push(samples[index * 160 : (index + 1) * 160], 8_000, at + index / 50)


async def test_a_call_tells_what_it_hears_as_it_hears_it_and_ends() -> None:
    audio, digits, seen = call_audio(), list[Digit](), list[Sensed]()
    sense = audio.sense(digits.append)
    assert audio.sense(digits.append) is sense
    machine = first_of("machine")
    assert machine.beep is not None

    async def follow() -> None:
        async for each in sense:
            seen.append(each)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        await settle()
        hear(audio, machine.samples, 50.0)
        await settle()
        assert [each.kind for each in seen if each.kind != "silence"] == ["machine", "beep"]
        key = through(np.concatenate((tone(KEYS["7"], 0.1, 8_000), silence(0.3))), "PCMU", 0, random.Random(1))
        hear(audio, key, 50.0 + machine.samples.size / RATE)
        await settle()
        assert [digit.digit for digit in digits] == ["7"]
        audio.close()
    beep = next(each for each in seen if each.kind == "beep")
    assert (beep.at, beep.until) == pytest.approx(machine.beep, abs=0.06)
    assert sense.so_far == tuple(seen)


async def test_time_that_the_process_did_not_run_is_counted() -> None:
    audio = call_audio()
    sense = audio.sense(lambda digit: None)
    hear(audio, np.zeros(8_000, dtype=np.int16), 50.0)
    busy = first_of("busy")
    hear(audio, busy.samples, 61.0)
    (event,) = [each for each in sense.so_far if each.kind == "busy"]
    alone = next(each for each in sensed(busy.samples)[0] if each.kind == "busy")
    assert event.at == pytest.approx(11 + alone.at, abs=0.1)


def test_a_call_that_is_not_asked_listens_to_nothing() -> None:
    audio = call_audio()
    audio.push(np.zeros(160, dtype=np.int16), 8_000)
    assert vars(audio)["_taps"] == ()
