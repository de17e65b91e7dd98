"""Measuring audio: whether what was heard is what was played, how much later it came, and at which pitch.

Samples are one-dimensional arrays of any real type; only the shape of the signal matters, never its level. Rates are in
samples per second, times in seconds, frequencies in hertz.
"""

from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

_STEPS = 16
"""Positions looked at between two samples."""
_ALIKE = 0.7
"""Correlation from which on a piece's own lag means something."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signal = NDArray[np.int16] | NDArray[np.float32] | NDArray[np.float64]


def dominant_frequency(samples: "Signal", rate: int) -> float:
    """The strongest frequency of a signal, in hertz; ``0.0`` for silence.

    The peak of the windowed spectrum is refined between its bins by a parabola through the logarithms of the peak and
    its neighbours, so the error stays far below the bin width ``rate / len(samples)``.

    Raises `ValueError` for fewer than 8 samples.
    """
    signal = _centred(samples)
    if signal.size < 8:
        raise ValueError(f"a frequency needs at least 8 samples, not {signal.size}")
    magnitudes = np.abs(np.fft.rfft(signal * np.hanning(signal.size)))
    if not magnitudes.any():
        return 0.0
    peak = int(np.argmax(magnitudes))
    offset = 0.0
    if 0 < peak < magnitudes.size - 1:
        left, middle, right = (float(np.log(max(float(magnitudes[peak + i]), 1e-300))) for i in (-1, 0, 1))
        curvature = left - 2 * middle + right
        if curvature < 0:
            offset = 0.5 * (left - right) / curvature
    return (peak + offset) * rate / signal.size


def correlate(played: "Signal", heard: "Signal", rate: int) -> tuple[float, float]:
    """Where in ``heard`` the signal ``played`` stands, and how alike the two are there: ``(lag, correlation)``.

    ``lag`` is in seconds, to a sixteenth of a sample, because converters delay by parts of one: how long after the
    start of ``heard`` the start of ``played`` is found; negative when ``heard`` begins in the middle of it.
    ``correlation`` is Pearson's coefficient of ``played`` and the part of ``heard`` beside it where it is greatest: 1
    for a copy at any level, near 0 for unrelated sound or silence. What ``heard`` lacks of ``played`` counts as silence
    and so lowers the correlation.

    Raises `ValueError` when either signal is empty.
    """
    wanted, given = _centred(played), _centred(heard)
    if not wanted.size or not given.size:
        raise ValueError("nothing to correlate: a signal is empty")
    energy = float(np.dot(wanted, wanted))
    if energy == 0.0 or not given.any():
        return 0.0, 0.0
    size = wanted.size + given.size - 1
    padded = 1 << (size - 1).bit_length()
    spectrum = np.fft.rfft(given, padded) * np.conj(np.fft.rfft(wanted, padded))
    products = np.fft.irfft(spectrum, padded)
    # The product at index i of a circular correlation belongs to lag i, and the one at index -i to lag -i.
    lags = np.arange(-(wanted.size - 1), given.size)
    products = products[lags % padded]
    spread = _spread(given, wanted.size, lags)
    # Where there is next to no sound, rounding errors must not look like a match: hence the floor.
    floor = 1e-6 * float(spread.max())
    likeness = products / np.sqrt(energy * np.maximum(spread, floor))
    best = int(np.argmax(likeness))
    # Half a sample beside the peak, a copy would look like a duller one: look again between the samples.
    fractions = np.arange(-_STEPS, _STEPS + 1) / _STEPS
    products = np.array([_between(spectrum, padded, lags[best] + fraction) for fraction in fractions])
    between = products / np.sqrt(energy * max(float(spread[best]), floor))
    nearest = int(np.argmax(between))
    lag = float(lags[best] + fractions[nearest])
    return lag / rate, float(np.clip(between[nearest], -1.0, 1.0))


@frozen
class Match:
    """How a long signal came through a network."""

    lag: float
    """Seconds, as `correlate` finds it for the whole."""
    correlation: float
    """The mean over the pieces, each weighted by its energy."""
    drift: float
    """Seconds between the earliest and the latest piece: how far a jitter buffer moved in the middle."""


def match(played: "Signal", heard: "Signal", rate: int, *, piece: float = 0.5, reach: float = 0.2) -> Match:
    """As `correlate`, but piece by piece, each at its own best lag within ``reach`` seconds of the whole's.

    A jitter buffer stretches or shortens time by a few packets when it must. For a listener nothing is lost then, but
    beside one fixed lag, everything after it would look like another sound.

    Raises `ValueError` when either signal is empty.
    """
    wanted, given = _centred(played), _centred(heard)
    lag, _ = correlate(wanted, given, rate)
    beyond = round(reach * rate)
    pieces = np.array_split(wanted, max(round(wanted.size / (piece * rate)), 1))
    # Silence around it, so that every window is whole.
    first = round(lag * rate) + wanted.size
    padded = np.concatenate((np.zeros(wanted.size), given, np.zeros(2 * (wanted.size + beyond))))
    energies: list[float] = []
    likenesses: list[float] = []
    lags: list[float] = []
    for sound in pieces:
        window = padded[max(first - beyond, 0) : first + sound.size + beyond]
        found, likeness = correlate(sound, window, rate)
        first += sound.size
        energies.append(float(np.dot(sound - sound.mean(), sound - sound.mean())))
        likenesses.append(likeness)
        if likeness > _ALIKE:
            lags.append(found)
    total = sum(energies)
    mean = float(np.dot(energies, likenesses)) / total if total else 0.0
    return Match(lag, mean, max(lags) - min(lags) if lags else 0.0)


def _centred(samples: "Signal") -> "NDArray[np.float64]":
    """As floats without their mean: a constant offset is inaudible, and would look like likeness."""
    signal = np.asarray(samples, dtype=np.float64)
    if signal.ndim != 1:
        raise ValueError(f"one channel of samples is needed, not an array of shape {signal.shape}")
    return signal - signal.mean() if signal.size else signal


def _between(spectrum: "NDArray[np.complex128]", size: int, position: float) -> float:
    """What ``irfft(spectrum, size)`` has at a position between its samples, band limited."""
    turned = (np.exp(2j * np.pi * position / size * np.arange(spectrum.size)) * spectrum).real
    # All but the first and the last stand for a pair of conjugates.
    return float(2 * turned.sum() - turned[0] - turned[-1]) / size


def _spread(given: "NDArray[np.float64]", length: int, lags: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """The sum of squares about the mean of the ``length`` samples of ``given`` from each lag on, silence outside."""
    start, end = np.clip(lags, 0, given.size), np.clip(lags + length, 0, given.size)
    sums = np.concatenate(([0.0], np.cumsum(given)))
    squares = np.concatenate(([0.0], np.cumsum(given * given)))
    return squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / length
