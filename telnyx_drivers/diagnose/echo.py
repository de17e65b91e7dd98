"""The quality of an echo, measured in the recording of the call."""

import wave
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from attrs import frozen

from telnyx_drivers._webrtc.measure import correlate, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUDIBLE: Final = 0.003
"""RMS of full scale, -50 dB: speech is far above, the noise of codecs far below."""


@frozen
class Echo:
    seconds: float
    """From the first to the last audible piece of 20 ms of what was heard."""
    delay: float
    """Seconds from a sound's leaving to its coming back."""
    correlation: float
    """How like the played sentence what was heard is, up to 1 (`measure.match`)."""
    drift: float
    """Seconds by which the delay changed in the middle of it."""


def measure_echo(played: "NDArray[np.int16]", recording: Path) -> Echo:
    """Compare what was played with a recording of the call: stereo, left what was sent, right what was heard.

    ``played`` is mono at the recording's rate. Both channels are matched against it, so the delay is free of the time
    that passed before it was played. Raises `ValueError` when the recording is empty or not stereo.
    """
    rate, channels = read_wav(recording)
    if channels.shape[1] != 2:
        raise ValueError(f"{recording} is not stereo")
    sent, heard = channels[:, 0], channels[:, 1]
    left, _ = correlate(played, sent, rate)
    came = match(played, heard, rate)
    return Echo(audible_seconds(heard, rate), came.lag - left, came.correlation, came.drift)


def audible_seconds(samples: "NDArray[np.int16]", rate: int) -> float:
    """From the first to the last piece of 20 ms above `AUDIBLE`; ``0.0`` when there is none."""
    size = rate // 50
    pieces = samples[: samples.size // size * size].reshape(-1, size).astype(np.float64) / 32_768
    (loud,) = np.nonzero(np.sqrt(np.mean(pieces * pieces, axis=1)) > AUDIBLE) if pieces.size else (np.zeros(0),)
    return float(loud[-1] - loud[0] + 1) / 50 if loud.size else 0.0


def read_wav(source: Path | BinaryIO) -> "tuple[int, NDArray[np.int16]]":
    """The rate of a 16-bit WAV file and its samples, one column for each channel."""
    with wave.open(str(source) if isinstance(source, Path) else source, "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError("the WAV file has samples of another size than 16 bit")
        data = file.readframes(file.getnframes())
        samples = np.frombuffer(data, "<i2").astype(np.int16, copy=False)
        return file.getframerate(), samples.reshape(-1, file.getnchannels())
