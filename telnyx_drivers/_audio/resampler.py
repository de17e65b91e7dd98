"""A streaming sample-rate converter without seams: cut the input as you like, the output is the same.

Polyphase FIR, windowed sinc. With the ratio reduced to L/M, every M input samples make L output samples, so a run of
such groups is one matrix product: rows are overlapping windows of the input, columns the L phases of the filter.
"""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.pcm import to_int16

_TAPS: Final = 24
"""Filter length in samples of the slower rate; half of it is the delay (1.5 ms at 8 kHz)."""
_CUTOFF: Final = 0.46
"""Of the slower rate: the middle of the transition band, so that what folds back is already faint."""
_KAISER_BETA: Final = 5.65
"""Stop band about 60 dB down, under the noise of G.711."""


@lru_cache(maxsize=64)
def _bank(up: int, down: int) -> NDArray[np.float32]:
    """The filter as a matrix of ``(window, up)``: column p weighs a window of input into output p of a group."""
    stretch = max(1.0, down / up)
    per_phase = int(np.ceil(_TAPS * stretch))
    length = per_phase * up
    middle = (length - 1) / 2
    cutoff = _CUTOFF / (up * stretch)
    prototype = 2 * cutoff * np.sinc(2 * cutoff * (np.arange(length) - middle)) * np.kaiser(length, _KAISER_BETA) * up
    window = per_phase + (up - 1) * down // up
    bank = np.zeros((window, up), dtype=np.float32)
    for output in range(up):
        start, phase = divmod(output * down, up)
        taps = prototype[phase::up][::-1]
        bank[start : start + per_phase, output] = taps / taps.sum()
    return bank


class Resampler:
    """Converts one mono stream from one rate to another; holds what it needs from one call to the next."""

    def __init__(self, source: int, target: int) -> None:
        common = gcd(source, target)
        self.source, self.target = source, target
        self._up, self._down = target // common, source // common
        self._bank = _bank(self._up, self._down)
        self._past = int(np.ceil(_TAPS * max(1.0, self._down / self._up))) - 1
        self._held: NDArray[np.float32] = np.zeros(self._past, dtype=np.float32)

    @property
    def delay(self) -> float:
        """Seconds by which the output lags behind the input."""
        return self._past / 2 / self.source

    def process(self, samples: Samples) -> Samples:
        """Convert the next samples. In the long run ``len * target / source`` come out; a remainder is kept."""
        if self._up == self._down:
            return samples
        held = np.concatenate((self._held, samples.astype(np.float32)))
        groups = (held.size - self._past) // self._down
        if groups == 0:
            self._held = held
            return samples[:0]
        window = self._bank.shape[0]
        step = held.strides[0]
        rows = as_strided(held, shape=(groups, window), strides=(self._down * step, step), writeable=False)
        self._held = held[groups * self._down :].copy()
        return to_int16((rows @ self._bank).reshape(-1))

    def flush(self) -> Samples:
        """What is still inside; afterwards the converter is as new."""
        if self._up == self._down:
            return np.zeros(0, dtype=np.int16)
        inside = self._held.size - self._past
        need = inside + (self._past + 1) // 2
        groups = -(-need // self._down)
        out = self.process(np.zeros(groups * self._down - inside, dtype=np.int16))
        self._held = np.zeros(self._past, dtype=np.float32)
        return out[: -(-need * self._up // self._down)]
