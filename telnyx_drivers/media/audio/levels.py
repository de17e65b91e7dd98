"""How loud it is, cheaply: the numbers behind W3C ``audioLevel`` and ``totalAudioEnergy``."""

from math import sqrt

import numpy as np
from attrs import frozen

from telnyx_drivers.media.audio.frames import Samples, silence

_FULL_SCALE = 32_768.0


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
    """Fed with every piece of one direction."""

    def __init__(self) -> None:
        self._energy = 0.0
        self._duration = 0.0
        self.level = 0.0
        """RMS of the last piece, 0 to 1."""
        self.peak = 0.0
        """Largest RMS of any piece so far, 0 to 1."""

    @property
    def totals(self) -> LevelTotals:
        return LevelTotals(self._energy, self._duration)

    def add(self, samples: Samples, rate: int) -> None:
        seconds = samples.size / rate
        self._duration += seconds
        if samples.size == 0 or samples is silence(samples.size):
            self.level = 0.0
            return
        values = samples.astype(np.float32)
        mean_square = float(values @ values) / (samples.size * _FULL_SCALE * _FULL_SCALE)
        self._energy += mean_square * seconds
        self.level = sqrt(mean_square)
        self.peak = max(self.peak, self.level)
