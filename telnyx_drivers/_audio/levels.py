"""Audio levels at low cost: the numbers behind W3C ``audioLevel`` and ``totalAudioEnergy``."""

from math import sqrt
from threading import Lock
from typing import Final

import numpy as np
from attrs import frozen

from telnyx_drivers._audio.frames import Samples, silence

_FULL_SCALE: Final = 32_768.0
_TOGETHER: Final = 50
"""Pieces measured at once: fifty separate numpy calls cost as much as all other work on a frame."""


@frozen
class LevelTotals:
    """Running totals of one direction; the level over an interval is the root of the two differences' ratio."""

    energy: float = 0.0
    """Seconds times squared full-scale RMS (W3C ``totalAudioEnergy``)."""
    duration: float = 0.0
    """Seconds of audio (W3C ``totalSamplesDuration``)."""

    def level_since(self, earlier: "LevelTotals") -> float | None:
        """RMS between two snapshots, 0 to 1; ``None`` when no audio passed (STATS-031)."""
        seconds = self.duration - earlier.duration
        return sqrt(min(max(self.energy - earlier.energy, 0.0) / seconds, 1.0)) if seconds > 0 else None


class LevelMeter:
    """Measures one direction. Pieces are collected for a second and measured together, or when a value is asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pieces: list[Samples] = []
        self._rate = 0
        self._energy = 0.0
        self._duration = 0.0
        self._peak = 0.0
        self._last: Samples = silence(0)

    @property
    def totals(self) -> LevelTotals:
        self._measure()
        return LevelTotals(self._energy, self._duration)

    @property
    def level(self) -> float:
        """RMS of the last piece, 0 to 1."""
        last = self._last
        return sqrt(_sum_of_squares(last) / last.size) if last.size else 0.0

    @property
    def peak(self) -> float:
        """Magnitude of the largest sample so far, 0 to 1."""
        self._measure()
        return self._peak

    def add(self, samples: Samples, rate: int) -> None:
        """The next piece. It must not be changed afterwards."""
        self._duration += samples.size / rate
        self._last = samples
        if samples is silence(samples.size):
            return
        if rate != self._rate or len(self._pieces) >= _TOGETHER:
            self._measure()
            self._rate = rate
        self._pieces.append(samples)

    def _measure(self) -> None:
        with self._lock:
            pieces, self._pieces = self._pieces, []
            if pieces:
                whole = np.concatenate(pieces)
                self._energy += _sum_of_squares(whole) / self._rate
                self._peak = max(self._peak, int(whole.max()) / _FULL_SCALE, -int(whole.min()) / _FULL_SCALE)


def _sum_of_squares(samples: Samples) -> float:
    """Of samples in -1..1."""
    values = samples.astype(np.float32)
    return float(values @ values) / (_FULL_SCALE * _FULL_SCALE)
