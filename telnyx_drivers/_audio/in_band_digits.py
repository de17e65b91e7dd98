"""Digits in the audio itself (DTMF, ITU-T Q.23), found by the Goertzel sums of their eight frequencies (after Q.24)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from telnyx_drivers._audio.windows import HOP, RATE, Windows

_LOW: Final = (697, 770, 852, 941)
_HIGH: Final = (1_209, 1_336, 1_477, 1_633)
_KEYS: Final = ("123A", "456B", "789C", "*0#D")
_WINDOW: Final = 200
"""Samples, 25 ms: long enough to tell 697 from 770 Hz, short enough for a digit of 40 ms."""
_QUIETEST: Final = 30.0**2
"""Mean square of the quietest digit, -60 dB of full scale."""
_PURE: Final = 0.6
"""The least share of the energy that both frequencies have; speech has it for single moments."""
_TWIST: Final = 10.0
"""One of the two may be so many times stronger than the other: 10 dB, in either way."""
_ALONE: Final = 4.0
"""Each is so many times stronger than every other one of its four (6 dB)."""
_HITS: Final = 2
"""Looks that must agree: 35 ms of tone, which is enough of a digit when packets are lost."""
_MISSES: Final = 4
"""Looks without it that end a digit; fewer are a packet that was lost."""


@frozen
class Digit:
    """One of ``0-9 * # A-D``. Seconds since the first sample."""

    digit: str
    at: float
    duration: float


def _sums() -> NDArray[np.float32]:
    """As a matrix: a window times it has the Goertzel sum of each frequency, its real and its imaginary part."""
    angles = 2 * np.pi * np.outer(np.arange(_WINDOW), (*_LOW, *_HIGH)) / RATE
    both = np.hstack((np.cos(angles), np.sin(angles)))
    return both.astype(np.float32)


_MATRIX: Final = _sums()


class InBandDigits:
    """Fed with audio at `RATE`; gives each digit once it has ended."""

    def __init__(self) -> None:
        self._windows = Windows(_WINDOW)
        self._looks = 0
        self._digit = ""
        self._since = 0
        self._last = 0
        self._hits = self._misses = 0

    def feed(self, samples: NDArray[np.float32]) -> Sequence[Digit]:
        windows = self._windows.feed(samples)
        if windows is None:
            return ()
        total = np.einsum("ij,ij->i", windows, windows)
        if not self._digit and float(total.max()) < _QUIETEST * _WINDOW:
            self._looks += len(windows)
            return ()
        sums = windows @ _MATRIX
        powers = (sums[:, :8] ** 2 + sums[:, 8:] ** 2).astype(np.float32, copy=False) * np.float32(2 / _WINDOW)
        found: list[Digit] = []
        for key in self._keys(powers, total):
            ended = self._look(key)
            if ended is not None:
                found.append(ended)
        return found

    def _keys(self, powers: NDArray[np.float32], total: NDArray[np.float32]) -> list[str]:
        """The digit of each window, or nothing."""
        low, high = powers[:, :4], powers[:, 4:]
        ordered_low, ordered_high = np.sort(low, axis=1), np.sort(high, axis=1)
        row, column = ordered_low[:, 3], ordered_high[:, 3]
        good = (
            (total > _QUIETEST * _WINDOW)
            & (row + column > _PURE * total)
            & (row < _TWIST * column)
            & (column < _TWIST * row)
            & (row > _ALONE * ordered_low[:, 2])
            & (column > _ALONE * ordered_high[:, 2])
        )
        if not good.any():
            return [""] * len(good)
        rows, columns = low.argmax(axis=1).tolist(), high.argmax(axis=1).tolist()
        return [_KEYS[rows[at]][columns[at]] if good[at] else "" for at in range(len(good))]

    def _look(self, key: str) -> Digit | None:
        self._looks += 1
        if key and key == self._digit:
            self._hits += 1
            self._misses = 0
            self._last = self._looks
            return None
        ended = None
        if self._digit:
            self._misses += 1
            if key and self._hits < _HITS:
                self._digit = ""
            elif self._misses >= _MISSES:
                ended = self._end()
        if key and not self._digit:
            self._digit, self._since, self._last = key, self._looks, self._looks
            self._hits, self._misses = 1, 0
        return ended

    def _end(self) -> Digit | None:
        """The present one is over; too short a one was none."""
        digit, self._digit = self._digit, ""
        if self._hits < _HITS:
            return None
        hop, window = HOP / RATE, _WINDOW / RATE
        return Digit(digit, (self._since - 1) * hop, (self._last - self._since) * hop + window)
