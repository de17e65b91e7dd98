import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._webrtc.measure import dominant_frequency
from tests.audio.helpers import sine

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]


@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("target", RATES)
def test_a_tone_keeps_its_pitch_and_its_level_and_gains_no_noise(source: int, target: int) -> None:
    converter = Resampler(source, target)
    out = converter.process(sine(1_000, source, 0.5)).astype(np.float64)
    assert abs(out.size - target * 0.5) <= target // 25
    steady = out[target // 20 : target // 20 + target // 4]
    times = np.arange(steady.size) / target
    basis = np.stack([np.sin(2 * np.pi * 1_000 * times), np.cos(2 * np.pi * 1_000 * times)], axis=1)
    weights, residue, *_ = np.linalg.lstsq(basis, steady, rcond=None)
    assert np.hypot(*weights) == pytest.approx(10_000, rel=0.01)
    noise_db = 10 * np.log10(residue[0] / steady.size / (10_000**2 / 2))
    assert noise_db < -60
    assert dominant_frequency(steady, target) == pytest.approx(1_000, abs=1)


def test_what_the_slower_rate_cannot_carry_does_not_fold_back() -> None:
    out = Resampler(48_000, 8_000).process(sine(6_000, 48_000, 0.5))[400:]
    assert np.sqrt(np.mean(out.astype(np.float64) ** 2)) < 10_000 / np.sqrt(2) / 100


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RATES),
    st.sampled_from(RATES),
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_the_cuts_of_the_input_leave_no_trace(source: int, target: int, cuts: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-20_000, 20_000, sum(cuts)).astype(np.int16)
    whole_converter = Resampler(source, target)
    whole = np.concatenate((whole_converter.process(noise), whole_converter.flush()))
    converter, parts, start = Resampler(source, target), [], 0
    for cut in cuts:
        parts.append(converter.process(noise[start : start + cut]))
        start += cut
    parts.append(converter.flush())
    pieces = np.concatenate(parts)
    assert pieces.size == whole.size
    # The same sums in another order: the last bit may differ.
    assert np.abs(pieces.astype(int) - whole).max(initial=0) <= 1


@pytest.mark.parametrize(("source", "target"), [(8_000, 48_000), (48_000, 8_000), (44_100, 16_000)])
def test_twenty_milliseconds_in_are_twenty_milliseconds_out(source: int, target: int) -> None:
    converter = Resampler(source, target)
    for _ in range(5):
        assert converter.process(np.zeros(source // 50, dtype=np.int16)).size == target // 50


@pytest.mark.parametrize(("source", "target"), [(8_000, 48_000), (48_000, 8_000), (24_000, 16_000)])
def test_a_flush_brings_out_the_end_and_starts_afresh(source: int, target: int) -> None:
    converter = Resampler(source, target)
    first = np.concatenate((converter.process(sine(500, source, 0.1)), converter.flush()))
    assert first.size == pytest.approx(target * (0.1 + converter.delay), abs=max(2, target / source))
    # The sine ends near zero going up: its last quarter period must be there.
    tail = first[-int(target * (converter.delay + 0.0005)) :]
    assert np.abs(tail[: tail.size // 2]).max() > 1_000
    assert np.array_equal(
        converter.process(sine(500, source, 0.1)), Resampler(source, target).process(sine(500, source, 0.1))
    )
