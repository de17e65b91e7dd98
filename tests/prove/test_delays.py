"""The echo of a long call, made with a clock of its own."""

import wave
from pathlib import Path

import numpy as np
import pytest

from telnyx_drivers._tools.prove.delays import delays_of

RATE = 16_000


def recording(path: Path, *, seconds: int, delay: float, ppm: float, likeness: float = 1.0) -> Path:
    """Left noise as deep as a voice, right the same, so much later, by a clock that is so much slower."""
    rng = np.random.default_rng(1)
    said = np.convolve(rng.normal(0, 12_000, seconds * RATE), np.ones(16) / 16, "same")
    times = (np.arange(said.size) / RATE - delay) / (1 + ppm / 1e6)
    heard = np.interp(times, np.arange(said.size) / RATE, said, left=0.0)
    heard = likeness * heard + (1 - likeness) * np.convolve(rng.normal(0, 12_000, said.size), np.ones(16) / 16, "same")
    both = np.stack([said, heard], axis=1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(both.tobytes())
    return path


@pytest.mark.parametrize("ppm", [0.0, 200.0, -80.0])
def test_two_clocks_that_differ_show_as_a_rate(tmp_path: Path, ppm: float) -> None:
    drift = delays_of(recording(tmp_path / "call.wav", seconds=40, delay=0.12, ppm=ppm))
    assert drift is not None
    assert 1e6 * drift.rate == pytest.approx(ppm, abs=10)
    assert drift.delays[0].seconds == pytest.approx(0.12, abs=0.001)
    assert drift.spread == pytest.approx(abs(ppm) * 30e-6, abs=0.001)


def test_what_is_no_echo_has_no_drift(tmp_path: Path) -> None:
    assert delays_of(recording(tmp_path / "call.wav", seconds=30, delay=0.1, ppm=0, likeness=0.0)) is None
