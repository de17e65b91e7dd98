"""Where speech begins and ends in a stream of audio.

Speech is what has energy above a floor that adapts, and a spectrum that is no noise.
"""

from collections.abc import Sequence
from math import exp
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import Samples, silence

_BLOCKS_PER_SECOND: Final = 200
"""Edges are told to 5 ms."""
_TOGETHER: Final = 5
"""Frames of 20 ms that are looked at together: a numpy call costs as much for one as for five."""
_QUIETEST: Final = 20.0
_LOUDEST_FLOOR: Final = 60.0
"""Bounds of the floor in decibels above one unit of 16 bits, whose full scale is 90."""
_FLOOR_RISE: Final = 0.3
"""Decibels for each 100 ms: a floor follows a lorry that comes, and not a sentence."""
_ABOVE: Final = 12.0
_LEAST: Final = 38.0
"""Speech is so far above the floor, and -52 dB of full scale at least."""
_EDGE_ABOVE: Final = 7.0
_EDGE_LEAST: Final = 32.0
"""Its quiet beginnings and ends are so far above, next to what is speech."""
_ONSET_BLOCKS: Final = 12
_ONSET_LOUD: Final = 8
"""So many loud blocks among so many make speech: 40 ms of 60; a click is shorter."""
_LEAD_BLOCKS: Final = 60
"""A quiet beginning lasts 300 ms at most."""
_HANGOVER_BLOCKS: Final = 40
"""Speech has ended after 200 ms without any; pauses between syllables are shorter."""
_FLATTEST: Final = 0.42
"""Spectral flatness: 0.56 for white noise, below 0.3 for vowels."""

LATENESS: Final = (_HANGOVER_BLOCKS + _ONSET_BLOCKS) / _BLOCKS_PER_SECOND + 0.1
"""Seconds after which an edge is known at the latest."""


@frozen
class Edge:
    """Speech begins, or has ended, at a time in seconds."""

    speaking: bool
    at: float


class SpeechDetector:
    """Fed with frames of 20 ms and the time of each; tells where speech begins and ends, up to `LATENESS` later."""

    def __init__(self) -> None:
        self.speaking = False
        self._frames: list[Samples] = []
        self._times: list[float] = []
        self._rate = 0
        self._floor = _QUIETEST + 10
        self._levels: list[float] = []
        """Of blocks that were looked at already, as far as a beginning may reach back."""
        self._starts: list[float] = []
        self._before: Samples = silence(0)
        """Their samples."""
        self._end = 0.0
        self._quiet = 0
        """Blocks since the last one that belongs to speech."""

    def feed(self, samples: Samples, rate: int, time: float) -> Sequence[Edge] | None:
        """The next 20 ms, that began at ``time``; ``None`` while they are only collected."""
        known: Sequence[Edge] = ()
        if rate != self._rate:
            known = self.flush()
            self._rate, self._levels, self._starts, self._before = rate, [], [], silence(0)
        self._frames.append(samples)
        self._times.append(time)
        if len(self._frames) < _TOGETHER:
            return known or None
        return [*known, *self.flush()]

    def flush(self) -> Sequence[Edge]:
        """What is known once everything so far has been looked at."""
        if not self._frames:
            return ()
        samples, times = np.concatenate(self._frames), self._times
        self._frames, self._times = [], []
        size = self._rate // _BLOCKS_PER_SECOND
        levels = _levels(samples, size)
        in_frame = len(levels) // len(times)
        self._starts += [time + index / _BLOCKS_PER_SECOND for time in times for index in range(in_frame)]
        edges = self._look(levels, np.concatenate((self._before, samples)), size)
        self._follow_floor(levels)
        return edges

    def end(self) -> Sequence[Edge]:
        """The stream ends here."""
        edges = self.flush()
        if self.speaking:
            self.speaking = False
            edges = [*edges, Edge(False, self._end)]
        return edges

    def _look(self, levels: list[float], heard: Samples, size: int) -> list[Edge]:
        """Through blocks of ``size`` samples; ``heard`` begins with what was looked at before."""
        loud, part = max(self._floor + _ABOVE, _LEAST), max(self._floor + _EDGE_ABOVE, _EDGE_LEAST)
        first = len(self._levels)
        self._levels += levels
        edges: list[Edge] = []
        if self.speaking or max(levels) > loud:
            for index, level in enumerate(levels, first):
                if not self.speaking:
                    if level > loud and self._begins(index, loud, heard, size):
                        self.speaking, self._quiet, self._end = True, 0, self._edge(index, part, heard, size, -1)
                        start = self._edge(self._first(index, loud, part), part, heard, size, 0)
                        edges.append(Edge(True, start))
                elif level > part:
                    self._quiet = 0
                    if index + 1 == len(self._levels) or self._levels[index + 1] <= part:
                        self._end = self._edge(index, part, heard, size, -1)
                else:
                    self._quiet += 1
                    if self._quiet == _HANGOVER_BLOCKS:
                        self.speaking = False
                        edges.append(Edge(False, self._end))
        self._levels, self._starts = self._levels[-_LEAD_BLOCKS:], self._starts[-_LEAD_BLOCKS:]
        self._before = heard[-_LEAD_BLOCKS * size :]
        return edges

    def _begins(self, index: int, loud: float, heard: Samples, size: int) -> bool:
        """Enough of the latest blocks are loud, and together no noise."""
        start = max(index - _ONSET_BLOCKS + 1, 0)
        if sum(level > loud for level in self._levels[start : index + 1]) < _ONSET_LOUD:
            return False
        return _flatness(heard[start * size : (index + 1) * size]) < _FLATTEST

    def _first(self, index: int, loud: float, part: float) -> int:
        """The block with which the speech began that is sure at ``index``."""
        levels = self._levels
        first = next(at for at in range(max(index - _ONSET_BLOCKS + 1, 0), index + 1) if levels[at] > loud)
        while first > 0 and levels[first - 1] > part:
            first -= 1
        return first

    def _edge(self, index: int, part: float, heard: Samples, size: int, which: int) -> float:
        """The time of the first (0) or the last (-1) sample of a block that is louder than ``part``."""
        block = heard[index * size : (index + 1) * size]
        above = np.flatnonzero(np.abs(block.astype(np.float32)) > 10 ** (part / 20))
        return self._starts[index] + (int(above[which]) if above.size else 0) / self._rate

    def _follow_floor(self, levels: list[float]) -> None:
        means = [sum(levels[start : start + 4]) / 4 for start in range(0, len(levels) - 3, 4)]
        quietest = min(means, default=self._floor)
        floor = quietest if quietest < self._floor else min(self._floor + _FLOOR_RISE, quietest)
        self._floor = min(max(floor, _QUIETEST), _LOUDEST_FLOOR)


def _levels(samples: Samples, size: int) -> list[float]:
    """Of each block of ``size`` samples, in decibels."""
    blocks = samples[: samples.size // size * size].astype(np.float32).reshape(-1, size)
    blocks -= blocks.mean(axis=1, keepdims=True)
    levels: NDArray[np.float32] = 10 * np.log10(np.einsum("ij,ij->i", blocks, blocks) / size + 1e-2)
    found: list[float] = levels.tolist()
    return found


def _flatness(samples: Samples) -> float:
    """The geometric mean of the power spectrum by its arithmetic mean."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size))[1:]) ** 2 + 1e-6
    return exp(float(np.log(spectrum).mean())) / float(spectrum.mean())
