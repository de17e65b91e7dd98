"""Pure tones, optionally with a cadence: test signals, ringback, busy. And noise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, silence
from telnyx_drivers._audio.pcm import to_int16


class Tone:
    """One or more sine waves; an `AudioInput`, for instance for `CallHandle.play`.

    The frequencies are in hertz, above 0 and below 4000; ``level`` is the peak of each wave, above 0 and at most 1.
    ``cadence`` is seconds on, seconds off, and so on, repeated. ``duration`` is in seconds, ``None`` for no end. The
    phase continues through pauses, frames and rate changes. Raises ``ValueError`` for other frequencies,
    levels or cadences. ::

        await call.play(Tone(440, 480, cadence=(2, 4)))  # North American ringback
    """

    error: None = None

    def __init__(
        self,
        *frequencies: float,
        level: float = 0.3,
        duration: float | None = None,
        cadence: Sequence[float] = (),
    ) -> None:
        if not frequencies or not all(0 < each < 4_000 for each in frequencies):
            raise ValueError(f"frequencies must lie between 0 and 4000 Hz: {frequencies}")
        if not 0 < level <= 1:
            raise ValueError(f"level must be above 0 and at most 1, not {level}")
        if cadence and (len(cadence) % 2 or min(cadence) <= 0):
            raise ValueError("a cadence is pairs of seconds on and seconds off, all above 0")
        self._frequencies = np.array(frequencies)[:, None]
        self._level = level
        self._duration = duration
        self._edges = np.cumsum(cadence)
        self._elapsed = 0
        """Frames so far: an integer, so that the phase stays exact on a call of any length."""
        self._closed = False

    @property
    def ended(self) -> bool:
        """True once its duration is over."""
        over = self._duration is not None and self._elapsed / FRAMES_PER_SECOND >= self._duration
        return self._closed or over

    def read(self, rate: int) -> Samples | None:
        if self.ended:
            return None
        count = rate // FRAMES_PER_SECOND
        start = self._elapsed / FRAMES_PER_SECOND
        self._elapsed += 1
        gain = self._gain(start + np.arange(count) / rate)
        if not gain.any():
            return silence(count)
        # A whole number of cycles makes no difference; dropping it keeps the argument of the sine small.
        turns = (self._frequencies * start) % 1.0 + self._frequencies * np.arange(count) / rate
        wave = np.sin(2 * np.pi * turns).sum(axis=0) * (self._level * 32_767)
        samples: Samples = np.rint(np.clip(wave * gain, -32_768, 32_767)).astype(np.int16)
        return samples

    def close(self) -> None:
        self._closed = True

    def _gain(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """1 where the tone sounds, 0 where it does not."""
        gain = np.ones_like(times)
        if self._edges.size:
            # Times within a rounding error of an edge belong behind it.
            gain[np.searchsorted(self._edges, times % self._edges[-1] + 1e-9, side="right") % 2 == 1] = 0
        if self._duration is not None:
            gain[times >= self._duration] = 0
        return gain


class Noise:
    """White noise without end; an `AudioInput`, for instance comfort noise for `AudioOut.filler`.

    ``level`` is its effective value, above 0 and at most 1; the default is -60 dB of full scale. Raises ``ValueError``
    for other levels.
    """

    error: None = None

    def __init__(self, level: float = 0.001) -> None:
        if not 0 < level <= 1:
            raise ValueError(f"level must be above 0 and at most 1, not {level}")
        self._level = level * 32_767
        self._random = np.random.default_rng()
        self.ended = False

    def read(self, rate: int) -> Samples:
        return to_int16(self._random.standard_normal(rate // FRAMES_PER_SECOND) * self._level)

    def close(self) -> None:
        self.ended = True
