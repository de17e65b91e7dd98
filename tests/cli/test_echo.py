"""The demo's figures come from samples: recordings made to order must give the figures that they were made with."""

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from telnyx_drivers._assets import HELLO
from telnyx_drivers.diagnose.echo import audible_seconds, measure_echo, read_wav

RATE = 16_000
Samples = NDArray[np.int16]


@pytest.fixture(scope="module")
def sentence() -> Samples:
    with HELLO.open("rb") as stream:
        rate, samples = read_wav(stream)
    assert rate == RATE
    return samples[:, 0]


def write(path: Path, *channels: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.column_stack(channels).astype("<i2").tobytes())
    return path


def later(samples: Samples, seconds: float, total: float = 7.0) -> Samples:
    track = np.zeros(int(total * RATE), np.int16)
    start = int(seconds * RATE)
    track[start : start + samples.size] = samples
    return track


def test_the_shipped_sentence_is_what_the_demo_promises(sentence: Samples) -> None:
    assert 3.5 < sentence.size / RATE < 5
    assert 3.5 < audible_seconds(sentence, RATE) < 5
    assert 8_000 < np.abs(sentence).max() < 32_767
    with HELLO.open("rb") as stream:
        assert len(stream.read()) < 150_000


def test_a_perfect_echo(tmp_path: Path, sentence: Samples) -> None:
    echo = measure_echo(sentence, write(tmp_path / "call.wav", later(sentence, 0.3), later(sentence, 0.46)))
    assert echo.delay == pytest.approx(0.16, abs=1e-4)
    assert echo.correlation > 0.999
    assert echo.seconds == pytest.approx(audible_seconds(sentence, RATE), abs=0.021)


def test_a_quiet_noisy_echo_is_a_little_less_alike(tmp_path: Path, sentence: Samples) -> None:
    noise = np.random.default_rng(1).normal(0, 60, 7 * RATE)
    heard = (later(sentence, 0.5) * 0.3 + noise).astype(np.int16)
    echo = measure_echo(sentence, write(tmp_path / "call.wav", later(sentence, 0.3), heard))
    assert echo.delay == pytest.approx(0.2, abs=1e-3)
    assert 0.95 < echo.correlation < 0.999


def test_half_an_echo_does_not_pass(tmp_path: Path, sentence: Samples) -> None:
    heard = later(sentence, 0.4)
    heard[int(2.6 * RATE) :] = 0
    echo = measure_echo(sentence, write(tmp_path / "call.wav", later(sentence, 0.3), heard))
    assert echo.correlation < 0.85
    assert echo.seconds < 2.5


def test_somebody_elses_voice_is_no_echo(tmp_path: Path, sentence: Samples) -> None:
    echo = measure_echo(sentence, write(tmp_path / "call.wav", later(sentence, 0.3), later(sentence[::-1], 0.4)))
    assert abs(echo.correlation) < 0.5


def test_silence_is_no_echo(tmp_path: Path, sentence: Samples) -> None:
    silent = np.zeros(7 * RATE, np.int16)
    echo = measure_echo(sentence, write(tmp_path / "call.wav", later(sentence, 0.3), silent))
    assert echo.correlation == 0.0
    assert echo.seconds == 0.0


def test_a_recording_of_another_kind_is_refused(tmp_path: Path, sentence: Samples) -> None:
    with pytest.raises(ValueError, match="not stereo"):
        measure_echo(sentence, write(tmp_path / "call.wav", sentence))


def test_audible_seconds_of_nothing() -> None:
    assert audible_seconds(np.zeros(0, np.int16), RATE) == 0.0
