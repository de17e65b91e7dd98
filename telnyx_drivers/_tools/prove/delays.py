"""The change of an echo's delay over a long call: two clocks that differ, or a buffer that fills."""

from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from attrs import frozen

from telnyx_drivers._webrtc.measure import correlate
from telnyx_drivers.diagnose.echo import AUDIBLE, read_wav

EVERY: Final = 5.0
"""Seconds from one measurement to the next."""
PIECE: Final = 1.0
"""Seconds of what was said that are looked for in what was heard: so few that two clocks hardly part meanwhile."""
LONGEST: Final = 2.0
"""Seconds of delay that are looked at."""
ALIKE: Final = 0.6
"""Correlation from which on a piece was found."""


@frozen
class Delay:
    at: float
    seconds: float


@frozen
class Drift:
    """Delays of an echo over time, in seconds.

    ``rate`` is by how much they grow in a second: the median of all pairs' slopes, which a few jumps of a jitter buffer
    do not move.
    """

    delays: tuple[Delay, ...]
    rate: float

    @property
    def spread(self) -> float:
        values = [delay.seconds for delay in self.delays]
        return max(values) - min(values)


def delays_of(recording: Path) -> Drift | None:
    """Of a stereo recording, left what was said. ``None`` when fewer than three pieces came back.

    Raises `ValueError` for a recording that is not stereo.
    """
    rate, channels = read_wav(recording)
    if channels.shape[1] != 2:
        raise ValueError(f"{recording} is not stereo")
    said, heard = channels[:, 0], channels[:, 1]
    size, reach = round(PIECE * rate), round((PIECE + LONGEST) * rate)
    found: list[Delay] = []
    for start in range(0, said.size - reach, round(EVERY * rate)):
        piece = said[start : start + size]
        if float(np.sqrt(np.mean((piece / 32_768.0) ** 2))) > AUDIBLE:
            lag, likeness = correlate(piece, heard[start : start + reach], rate)
            if likeness > ALIKE:
                found.append(Delay(start / rate, lag))
    if len(found) < 3:
        return None
    slopes = [(b.seconds - a.seconds) / (b.at - a.at) for a, b in combinations(found, 2)]
    return Drift(tuple(found), median(slopes))
