"""Filling holes, taking time out and putting it in, without a click and without changing the pitch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp.comfort_noise import ComfortNoise
from telnyx_drivers._audio.rtp.waveform import Concealer, is_quiet, lengthen, repetition, shorten
from telnyx_drivers._webrtc.measure import dominant_frequency
from tests.audio.helpers import sine


def steepest(samples: Samples) -> int:
    return int(np.abs(np.diff(samples.astype(int))).max())


def conceal_every(samples: Samples, rate: int, every: int) -> Samples:
    """``samples`` with every so-many-th 20 ms lost and filled."""
    concealer, size = Concealer(rate), rate // 50
    parts = []
    for number, start in enumerate(range(0, samples.size, size)):
        lost = number % every == every - 1
        parts.append(concealer.conceal(size) if lost else concealer.good(samples[start : start + size]))
    return np.concatenate(parts)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("frequency", [150.0, 217.3, 330.0])
def test_a_lost_frame_of_a_voice_is_hardly_to_be_heard(rate: int, frequency: float) -> None:
    tone = sine(frequency, rate, 2.0)
    heard = conceal_every(tone, rate, 10)
    assert heard.size == tone.size
    assert dominant_frequency(heard, rate) == pytest.approx(frequency, abs=1)
    assert steepest(heard) < 1.6 * steepest(tone)
    error = heard.astype(float) - tone
    assert np.sqrt(np.mean(error**2)) < 0.15 * np.sqrt(np.mean(tone.astype(float) ** 2))


def test_a_long_hole_fades_to_silence_within_a_tenth_of_a_second_and_comes_back_without_a_click() -> None:
    concealer = Concealer(8_000)
    tone = sine(200, 8_000, 1.0)
    for start in range(0, 1_600, 160):
        concealer.good(tone[start : start + 160])
    filled = np.concatenate([concealer.conceal(160) for _ in range(8)])
    assert np.abs(filled[:160]).max() > 9_000
    assert not filled[800:].any()
    back = concealer.good(tone[2_000:2_160])
    assert not concealer.active
    assert abs(int(back[0])) < 500
    assert np.array_equal(back[60:], tone[2_060:2_160])
    assert steepest(np.concatenate((tone[:1_600], filled, back))) < 2 * steepest(tone)


def test_a_hole_at_the_very_beginning_is_silence() -> None:
    concealer = Concealer(8_000)
    assert not concealer.conceal(160).any()
    assert concealer.good(np.full(160, 5, dtype=np.int16))[-1] == 5


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("level", [0.0, 0.2, 4.0])
def test_a_hole_leads_over_to_what_is_known_to_follow(rate: int, level: float) -> None:
    """A voice that changes while it is not heard, or only begins there."""
    size = rate // 50
    tone = sine(217.3, rate, 0.22, 8_000).astype(float)
    tone[: 5 * size] *= level
    before, missing, after = np.split(tone.astype(np.int16), [5 * size, 6 * size])
    led, alone = Concealer(rate), Concealer(rate)
    for concealer in (led, alone):
        for start in range(0, before.size, size):
            concealer.good(before[start : start + size])
    made, guessed = led.lead_to(size, after[:size]), alone.conceal(size)
    assert made.size == size

    def wrong(filled: Samples) -> float:
        second_half = slice(size // 2, size)
        return float(np.abs(filled[second_half].astype(float) - missing[second_half]).mean())

    assert wrong(made) < 0.5 * wrong(guessed)
    assert not led.active
    heard = np.concatenate((before, made, led.good(after)))
    assert np.array_equal(heard[6 * size :], after), "what follows is heard as it is"
    assert steepest(heard) < 1.6 * steepest(tone.astype(np.int16))


@pytest.mark.parametrize("size", [0, 10, 80, 120, 480])
def test_what_follows_a_hole_may_be_of_any_length(size: int) -> None:
    concealer, tone = Concealer(8_000), sine(200, 8_000, 1.0)
    concealer.good(tone[:800])
    assert concealer.lead_to(160, tone[960 : 960 + size]).size == 160


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([8_000, 16_000, 48_000]),
    st.lists(st.tuples(st.sampled_from(["good", "lost", "led"]), st.integers(0, 400)), max_size=40),
    st.integers(0, 2**32 - 1),
)
def test_any_pattern_of_holes_keeps_the_length(rate: int, pieces: list[tuple[str, int]], seed: int) -> None:
    rng, concealer = np.random.default_rng(seed), Concealer(rate)
    for kind, count in pieces:
        piece = rng.integers(-32_768, 32_768, count).astype(np.int16)
        match kind:
            case "good":
                made = concealer.good(piece)
            case "lost":
                made = concealer.conceal(count)
            case _:
                made = concealer.lead_to(count, piece)
        assert made.size == count


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("change", [shorten, lengthen])
def test_time_changes_by_whole_periods_and_the_pitch_not_at_all(rate: int, change: type) -> None:
    tone = sine(250, rate, 4.0)
    size, period = rate // 50, rate // 250
    changed = np.concatenate([change(tone[at : at + size], rate) for at in range(0, tone.size, size)])
    frames = tone.size // size
    assert abs(changed.size - tone.size) == pytest.approx(frames * period, rel=2.1)
    assert abs(changed.size - tone.size) >= frames * period
    assert (changed.size < tone.size) == (change is shorten)
    assert dominant_frequency(changed, rate) == pytest.approx(250, abs=1)
    assert steepest(changed) < 1.6 * steepest(tone)


def test_what_has_no_period_is_left_alone_unless_it_is_quiet() -> None:
    noise = np.random.default_rng(5).integers(-20_000, 20_000, 160).astype(np.int16)
    assert shorten(noise, 8_000) is noise
    assert lengthen(noise, 8_000) is noise
    hush = (noise // 200).astype(np.int16)
    assert is_quiet(hush)
    assert shorten(hush, 8_000).size == 80
    assert lengthen(hush, 8_000).size == 240
    assert shorten(noise[:40], 8_000).size == 40


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("most", [1, 7, 24, 60])
def test_what_is_quiet_is_made_shorter_by_just_as_much_as_it_may(rate: int, most: int) -> None:
    quiet = np.random.default_rng(1).integers(-100, 100, rate // 50).astype(np.int16)
    assert shorten(quiet, rate, most).size == quiet.size - most


def test_the_period_of_a_tone_is_found_and_silence_has_none() -> None:
    for frequency in (100, 125, 200, 400):
        period = repetition(sine(frequency, 8_000, 0.05), 8_000)
        assert period is not None
        assert (period * frequency / 8_000) % 1 in (pytest.approx(0, abs=0.06), pytest.approx(1, abs=0.06))
    assert repetition(np.zeros(400, dtype=np.int16), 8_000) is None
    assert repetition(sine(200, 8_000, 0.01), 8_000) is None


def test_comfort_noise_has_the_level_it_was_told() -> None:
    noise = ComfortNoise(np.random.default_rng(1))
    assert not noise.make(160).any()
    for level in (30, 50, 70):
        noise.describe(bytes([level]))
        made = noise.make(80_000).astype(float)
        assert 20 * np.log10(np.sqrt(np.mean(made**2)) / 32_768) == pytest.approx(-level, abs=0.3)


def test_comfort_noise_has_the_colour_it_was_told() -> None:
    noise = ComfortNoise(np.random.default_rng(1))
    # One reflection coefficient below zero: 1 / (1 - 0.9 z^-1), a low rumble.
    noise.describe(bytes([30, 127 - 115]))
    spectrum = np.abs(np.fft.rfft(noise.make(80_000).astype(float))) ** 2
    assert spectrum[: spectrum.size // 4].sum() > 10 * spectrum[-spectrum.size // 4 :].sum()


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_no_description_of_noise_breaks_it(payload: bytes) -> None:
    noise = ComfortNoise(np.random.default_rng(1))
    noise.describe(payload)
    made = noise.make(160)
    assert made.size == 160
    if payload and payload[0] & 0x7F >= 20:
        assert np.sqrt(np.mean(made.astype(float) ** 2)) < 32_768 * 0.5
