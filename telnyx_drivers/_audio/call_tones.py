"""Steady tones in received audio: where each begins and ends, and its frequency."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import define, frozen
from numpy.typing import NDArray

from telnyx_drivers._audio.windows import HOP, RATE, Windows

_WINDOW: Final = 320
"""Samples, 40 ms."""
_SIZE: Final = 512
_HERTZ: Final = RATE / _SIZE
_AROUND: Final = 5
"""Bins on each side of a peak that belong to it, with this window."""
_QUIETEST: Final = 45.0**2
"""Mean square below which nothing is looked for: -57 dB of full scale."""
_PURE: Final = 0.88
"""The least share of the energy that the two strongest peaks have."""
_MOVES: Final = 22.0
"""Hertz by which the middle of a tone may seem to move: two that are close together beat."""
_MISSES: Final = 3
"""Looks without it that end a tone; fewer are a packet that was lost."""
_SHORTEST: Final = 6
"""Looks."""
_WIDE: Final = 35.0
"""Hertz; a tone of one frequency is not spread so far."""
WINDOW_SECONDS: Final = _WINDOW / RATE


@frozen
class Looks:
    """What a number of windows have, each 10 ms after the one before."""

    levels: NDArray[np.float32]
    """Mean squares."""
    peaks: NDArray[np.float64]
    """The strongest frequency, in hertz."""
    pure: NDArray[np.bool_]


@define
class CallTone:
    """Times in seconds since the first sample, frequencies in hertz."""

    start: float
    end: float
    middle: float
    """The mean of its frequencies, weighted by their energy."""
    spread: float
    """How far they lie from that."""
    looks: int = 1

    @property
    def duration(self) -> float:
        return self.end - self.start

    @property
    def single(self) -> bool:
        return self.spread < _WIDE


class CallTones:
    """Fed with audio at `RATE`. ``present`` is the tone that sounds now, long enough to be one."""

    def __init__(self) -> None:
        self._windows = Windows(_WINDOW)
        self._looks = 0
        self._tone: CallTone | None = None
        self._misses = 0

    @property
    def present(self) -> CallTone | None:
        return self._tone if self._tone is not None and self._tone.looks >= _SHORTEST else None

    def feed(self, samples: NDArray[np.float32]) -> tuple[Sequence[CallTone], Looks | None]:
        """The tones that have ended, and what was seen."""
        windows = self._windows.feed(samples)
        if windows is None:
            return (), None
        count = len(windows)
        levels = np.einsum("ij,ij->i", windows, windows) / _WINDOW
        if self._tone is None and float(levels.max()) < _QUIETEST:
            self._looks += count
            return (), Looks(levels, np.zeros(count), np.zeros(count, dtype=bool))
        spectra = np.abs(np.fft.rfft(windows * _HANN, _SIZE)) ** 2
        spectra[:, :5] = 0  # below 80 Hz there is hum
        share, peaks, middles, spreads = _peaks(spectra)
        pure = (share > _PURE) & (levels > _QUIETEST)
        ended: list[CallTone] = []
        for index in range(count):
            time = self._looks * HOP / RATE
            self._looks += 1
            if (over := self._look(time, bool(pure[index]), float(middles[index]), float(spreads[index]))) is not None:
                ended.append(over)
        return ended, Looks(levels, peaks, pure)

    def _look(self, time: float, pure: bool, middle: float, spread: float) -> CallTone | None:
        """One window that begins at ``time``. A tone is pure from when it fills about half of the window."""
        tone = self._tone
        if tone is not None and pure and abs(middle - tone.middle) <= _MOVES:
            weight = 1 / min(tone.looks + 1, 20)
            tone.middle += (middle - tone.middle) * weight
            tone.spread += (spread - tone.spread) * weight
            tone.end = time + WINDOW_SECONDS * 0.6
            tone.looks += 1
            self._misses = 0
            return None
        over = None
        if tone is not None:
            self._misses += 1
            if self._misses >= _MISSES or (tone.looks < _SHORTEST and pure):
                over = tone if tone.looks >= _SHORTEST else None
                self._tone = tone = None
        if tone is None and pure:
            start = time + WINDOW_SECONDS * 0.4
            self._tone, self._misses = CallTone(start, start, middle, spread), 0
        return over


_HANN: Final = np.hanning(_WINDOW).astype(np.float32)


def _peaks(spectra: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """The share of the two strongest peaks of each spectrum, the strongest frequency, their middle and their spread."""
    rows = np.arange(len(spectra))[:, None]
    bins = np.arange(-_AROUND, _AROUND + 1)
    first = np.clip(spectra.argmax(axis=1), _AROUND, spectra.shape[1] - _AROUND - 1)
    around = first[:, None] + bins
    one = spectra[rows, around].astype(np.float64)
    total = spectra.sum(axis=1, dtype=np.float64) + 1e-9
    rest = spectra.copy()
    rest[rows, around] = 0
    second = np.clip(rest.argmax(axis=1), _AROUND, spectra.shape[1] - _AROUND - 1)
    beside = second[:, None] + bins
    two = rest[rows, beside].astype(np.float64)
    two[two.sum(axis=1) < 0.05 * one.sum(axis=1)] = 0  # only the skirt of the first
    weights = np.hstack((one, two))
    hertz = np.hstack((around, beside)) * _HERTZ
    sums = weights.sum(axis=1) + 1e-9
    middles = (weights * hertz).sum(axis=1) / sums
    spreads = np.sqrt((weights * (hertz - middles[:, None]) ** 2).sum(axis=1) / sums)
    share = sums / total
    strongest = (one * around * _HERTZ).sum(axis=1) / (one.sum(axis=1) + 1e-9)
    return share, strongest, middles, spreads
