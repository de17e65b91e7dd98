"""The measurements that every other audio test leans on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from telnyx_drivers._webrtc.measure import Match, correlate, dominant_frequency, match

RATE = 16_000


def tone(frequency: float, seconds: float = 0.5, rate: int = RATE) -> NDArray[np.float64]:
    return 8000 * np.sin(2 * math.pi * frequency * np.arange(int(seconds * rate)) / rate)


def noise(count: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 3000, count)


@given(st.floats(60, 7900), st.sampled_from([8_000, 16_000, 48_000]))
def test_a_tone_is_measured_far_finer_than_a_bin(frequency: float, rate: int) -> None:
    if frequency < 0.49 * rate:
        assert dominant_frequency(tone(frequency, 0.25, rate), rate) == pytest.approx(frequency, abs=0.5)


def test_the_louder_of_two_tones_is_named() -> None:
    assert dominant_frequency(tone(440) + 0.3 * tone(1000), RATE) == pytest.approx(440, abs=0.5)


def test_integer_samples_and_a_constant_offset_do_not_matter() -> None:
    assert dominant_frequency((tone(700) + 9000).astype(np.int16), RATE) == pytest.approx(700, abs=0.5)


def test_silence_has_no_frequency() -> None:
    assert dominant_frequency(np.zeros(1000, np.int16), RATE) == 0.0
    assert dominant_frequency(np.full(1000, 77, np.int16), RATE) == 0.0


@pytest.mark.parametrize("lag", [0, 1, 160, 7777])
def test_a_copy_is_found_at_its_lag_whatever_its_level(lag: int) -> None:
    played = noise(8000)
    heard = np.concatenate((np.zeros(lag), 0.05 * played, np.zeros(500)))
    seconds, likeness = correlate(played, heard, RATE)
    assert round(seconds * RATE) == lag
    assert likeness > 0.999


@pytest.mark.parametrize("fraction", [0.25, 0.5, -0.375])
def test_a_delay_by_part_of_a_sample_costs_nothing(fraction: float) -> None:
    """As every resampler makes it; at whole samples only, half a sample would cost a seventh of white noise."""
    spectrum = np.fft.rfft(noise(16_384))
    spectrum[int(0.9 * spectrum.size) :] = 0
    played = np.fft.irfft(spectrum)
    delayed = np.fft.irfft(spectrum * np.exp(-2j * math.pi * np.arange(spectrum.size) / 16_384 * (100 + fraction)))
    seconds, likeness = correlate(played[:15_000], delayed, RATE)
    assert seconds * RATE == pytest.approx(100 + fraction, abs=1e-6)
    assert likeness > 0.999


def test_a_copy_is_found_beside_louder_sound() -> None:
    played = noise(8000)
    heard = np.concatenate((20 * noise(9000, seed=2), played))
    seconds, likeness = correlate(played, heard, RATE)
    assert round(seconds * RATE) == 9000
    assert likeness > 0.999


def test_a_lost_beginning_is_a_negative_lag_and_costs_likeness() -> None:
    played = noise(8000)
    seconds, likeness = correlate(played, played[2000:], RATE)
    assert round(seconds * RATE) == -2000
    assert likeness == pytest.approx(math.sqrt(0.75), abs=0.02)


def test_noise_over_a_copy_lowers_the_likeness_by_the_known_amount() -> None:
    played = noise(20_000)
    _, likeness = correlate(played, played + noise(20_000, seed=2), RATE)
    assert likeness == pytest.approx(math.sqrt(0.5), abs=0.02)


def test_unrelated_sound_is_not_alike() -> None:
    assert abs(correlate(noise(8000), noise(30_000, seed=2), RATE)[1]) < 0.1


def test_silence_is_like_nothing() -> None:
    silence = np.zeros(8000, np.int16)
    assert correlate(noise(8000), silence, RATE) == (0.0, 0.0)
    assert correlate(silence, noise(8000), RATE) == (0.0, 0.0)


def test_a_whisper_of_rounding_noise_is_not_a_match() -> None:
    """A stretch that is silent but for rounding errors must not win because both sides of its ratio are tiny."""
    played = noise(100)
    heard = np.concatenate((1e-9 * played, noise(4000, seed=3)))
    assert abs(correlate(played, heard, RATE)[1]) < 0.6


def test_a_slip_in_the_middle_costs_the_whole_and_hardly_a_piece() -> None:
    """What a jitter buffer does that runs dry once: 20 ms of silence, and everything after it later."""
    played = noise(4 * RATE)
    heard = np.concatenate((np.zeros(1000), played[: 2 * RATE], np.zeros(320), played[2 * RATE :]))
    assert correlate(played, heard, RATE)[1] < 0.75
    found = match(played, heard, RATE)
    assert found.correlation > 0.98
    assert found.drift == pytest.approx(0.02, abs=1e-4)


def test_a_straight_copy_matches_as_it_correlates() -> None:
    played = noise(3 * RATE)
    heard = np.concatenate((np.zeros(777), played + noise(3 * RATE, seed=2)))
    lag, likeness = correlate(played, heard, RATE)
    found = match(played, heard, RATE)
    assert found.lag == lag
    assert found.correlation == pytest.approx(likeness, abs=0.01)
    assert found.drift < 1e-3


def test_a_match_lacks_what_is_missing() -> None:
    played = noise(4 * RATE)
    assert match(played, played[: 2 * RATE], RATE).correlation == pytest.approx(0.5, abs=0.02)
    assert match(played, played[2 * RATE :], RATE).correlation == pytest.approx(0.5, abs=0.02)
    assert match(played, np.zeros(100), RATE) == Match(0.0, 0.0, 0.0)
    assert abs(match(played, noise(5 * RATE, seed=3), RATE).correlation) < 0.1


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        correlate(np.zeros(0), noise(10), RATE)
    with pytest.raises(ValueError, match="at least 8"):
        dominant_frequency(noise(7), RATE)
    with pytest.raises(ValueError, match="one channel"):
        correlate(np.zeros((2, 10)), noise(10), RATE)
