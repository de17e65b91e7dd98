"""Repetition in a waveform, used to fill a gap, to take time out, and to put time in."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.pcm import to_int16

_SEARCH_RATE: Final = 8_000
"""Likeness is looked for at this rate: pitch needs no more."""
_SHORTEST: Final = 20
_LONGEST: Final = 120
"""Periods of 2.5 to 15 ms, in samples at the search rate: voices from 67 to 400 Hz."""
_TEMPLATE: Final = 80
_FEWEST: Final = 120
"""Samples at the search rate in which a period may be looked for; up to `_TEMPLATE` and `_LONGEST` are looked at."""
_LOOP_SECONDS: Final = 0.006
_SEAM_SECONDS: Final = 0.0025
"""One period, and short seams: with 10 % of speech lost that is 0.2 of PESQ better than 15 and 5 ms."""
_BLEND_SECONDS: Final = 0.005
_HOLD_SECONDS: Final = 0.02
_FADE_SECONDS: Final = 0.08
_HISTORY_SECONDS: Final = 0.05
_QUIET: Final = 200
"""RMS below which a change cannot be heard (-44 dB)."""
_ALIKE: Final = 0.4
"""With less correlation than this, removing a period from speech can be heard."""


class Concealer:
    """Fills holes in one stream by repeating its last pitch periods, fading to silence within 0.1 s.

    Where it is known already what follows a hole, its last piece leads over to that.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._blend = int(rate * _SEAM_SECONDS)
        self._recent: list[Samples] = []
        self._recent_size = 0
        self._loop: _Loop | None = None
        self._made = 0

    @property
    def active(self) -> bool:
        """True while a hole is being filled."""
        return self._loop is not None

    def good(self, samples: Samples) -> Samples:
        """Audio that arrived: remembered, and blended with the concealment before it."""
        if self._loop is not None and samples.size:
            samples = self._lead_over(samples)
            self._loop = None
        self._remember(samples)
        return samples

    def conceal(self, count: int) -> Samples:
        """The next ``count`` samples of a hole."""
        if self._loop is None:
            history = np.concatenate(self._recent) if self._recent else np.zeros(0, dtype=np.int16)
            self._loop, self._made = _Loop(history, self._rate), 0
        made, self._made = self._made, self._made + count
        if made >= self._rate * (_HOLD_SECONDS + _FADE_SECONDS):
            return silence(count)
        times = np.arange(made, self._made)
        return to_int16(self._loop.at(times) * _fading(times, self._rate))

    def lead_to(self, count: int, following: Samples) -> Samples:
        """The last ``count`` samples of a hole; `good` is given ``following`` next.

        Both ends of the hole are known: what was heard before it is continued, what comes after it is continued
        backwards, and one fades into the other.
        """
        forwards = self.conceal(count)
        known = following[: int(self._rate * _HISTORY_SECONDS)]
        backwards = _Loop(known[::-1], self._rate).at(np.arange(count))[::-1]
        led = to_int16(forwards + (backwards - forwards) * _rising(count))
        self._loop = None
        self._remember(led)
        return led

    def _remember(self, samples: Samples) -> None:
        self._recent.append(samples)
        self._recent_size += samples.size
        while self._recent_size - self._recent[0].size >= self._rate * _HISTORY_SECONDS:
            self._recent_size -= self._recent.pop(0).size

    def _lead_over(self, samples: Samples) -> Samples:
        count = min(self._blend, samples.size)
        made_up = self.conceal(count)
        rising = _rising(count)
        head = made_up * (1 - rising) + samples[:count] * rising
        return np.concatenate((to_int16(head), samples[count:]))


class _Loop:
    """A waveform continued by its last periods."""

    def __init__(self, history: Samples, rate: int) -> None:
        self._blend = blend = int(rate * _SEAM_SECONDS)
        self._offset = 0.0
        period = repetition(history, rate)
        if period is None:
            self._samples = silence(rate // 50)
            return
        length = period * max(round(rate * _LOOP_SECONDS / period), 1)
        self._samples = history[-length:]
        before = history[-length - blend : -length]
        if before.size == blend:
            # Its end must lead into its beginning, as what stood before the beginning did.
            rising = _rising(blend)
            tail = self._samples[-blend:] * (1 - rising) + before * rising
            self._samples = np.concatenate((self._samples[:-blend], to_int16(tail)))
            self._offset = float(history[-1]) - float(before[-1])

    def at(self, times: NDArray[np.int64]) -> NDArray[np.float32]:
        """What is heard so many samples after the history."""
        filled = self._samples.take(times, mode="wrap").astype(np.float32)
        if times.size and times[0] < self._blend:
            # Meets the last real sample where it was, and lets go of it within the blend.
            filled += self._offset * np.maximum(1 - (times + 1) / self._blend, 0)
        return filled


class Fader:
    """For a codec that conceals by itself and may do so without end: the same fade-out, and the blend back."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._made = 0

    def down(self, samples: Samples) -> Samples:
        """The codec's own concealment of the next piece of a gap."""
        made, self._made = self._made, self._made + samples.size
        return to_int16(samples.astype(np.float32) * _fading(np.arange(made, self._made), self._rate))

    def up(self, samples: Samples) -> Samples:
        """Audio that arrived."""
        if not self._made or not samples.size:
            return samples
        reached, self._made = float(_fading(np.array([self._made]), self._rate)[0]), 0
        gain = np.minimum(reached + np.arange(samples.size) / (self._rate * _BLEND_SECONDS), 1)
        return to_int16(samples.astype(np.float32) * gain)


def _fading(times: NDArray[np.int64], rate: int) -> NDArray[np.float64]:
    """The gain at ``times``, in samples since a hole began."""
    return np.minimum(np.maximum(1 - (times / rate - _HOLD_SECONDS) / _FADE_SECONDS, 0), 1)


def repetition(history: Samples, rate: int) -> int | None:
    """The period in samples that best continues ``history``; ``None`` for silence or too little of it."""
    step = rate // _SEARCH_RATE
    sparse = history[::-1][::step][::-1][-(_TEMPLATE + _LONGEST) :].astype(np.float32)
    if sparse.size < _FEWEST or not sparse.any():
        return None
    template = sparse.size * _TEMPLATE // (_TEMPLATE + _LONGEST)
    longest = sparse.size - template
    # The window that starts at index i ends so many samples before the end as the longest period has more than i.
    earlier = sparse[:-_SHORTEST]
    energy = np.correlate(earlier * earlier, _ones(template), "valid")
    likeness = np.correlate(earlier, sparse[-template:], "valid") / np.sqrt(energy + 1.0)
    return (longest - int(np.argmax(likeness))) * step


def shorten(samples: Samples, rate: int, most: int | None = None, *, even_if_heard: bool = False) -> Samples:
    """The same with one period of up to ``most`` samples less, where that will not be heard; else unchanged."""
    lag = _movable(samples, rate, samples.size if most is None else most, even_if_heard=even_if_heard)
    if lag is None:
        return samples
    blend = int(rate * _BLEND_SECONDS)
    return np.concatenate((_cross(samples[:blend], samples[lag : lag + blend]), samples[lag + blend :]))


def lengthen(samples: Samples, rate: int) -> Samples:
    """The same with one period more, where that will not be heard; else unchanged."""
    lag = _movable(samples, rate, samples.size)
    if lag is None:
        return samples
    blend = int(rate * _BLEND_SECONDS)
    return np.concatenate((samples[:lag], _cross(samples[lag : lag + blend], samples[:blend]), samples[blend:]))


def is_quiet(samples: Samples) -> bool:
    values = samples.astype(np.float32)
    return float(values @ values) < _QUIET * _QUIET * samples.size


def _movable(samples: Samples, rate: int, most: int, *, even_if_heard: bool = False) -> int | None:
    """By how many samples the frame can be shifted against itself: at most 10 ms."""
    step = rate // _SEARCH_RATE
    sparse = samples[::step].astype(np.float32)
    window = int(_SEARCH_RATE * _BLEND_SECONDS)
    longest = min(sparse.size - window, int(_SEARCH_RATE * 0.01))
    if longest > 0 and most > 0 and is_quiet(samples):
        return min(longest * step, most)
    longest = min(longest, most // step)
    if longest < _SHORTEST:
        return None
    # When it must be, as much as possible.
    shortest = max(longest // 2, _SHORTEST) if even_if_heard else _SHORTEST
    moved, head = sparse[shortest : longest + window], sparse[:window]
    energy = np.correlate(moved * moved, _ones(window), "valid") * float(head @ head)
    likeness = np.correlate(moved, head, "valid") / np.sqrt(energy + 1.0)
    best = int(np.argmax(likeness))
    return (best + shortest) * step if likeness[best] >= _ALIKE or even_if_heard else None


def _cross(fading: Samples, rising: Samples) -> Samples:
    weight = _rising(fading.size)
    # Between two samples that are 16 bits wide: nothing to saturate.
    crossed: Samples = np.rint(fading + (rising.astype(np.float32) - fading) * weight).astype(np.int16)
    return crossed


@cache
def _rising(count: int) -> NDArray[np.float32]:
    return np.linspace(0, 1, count, dtype=np.float32)


@cache
def _ones(count: int) -> NDArray[np.float32]:
    return np.ones(count, dtype=np.float32)
