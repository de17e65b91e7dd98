"""A stream of samples, cut into windows that overlap."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 8_000
"""Samples per second of what is looked at."""
HOP: Final = 80
"""Samples between two windows, 10 ms."""


class Windows:
    """Fed with audio at `RATE`; gives windows of ``size`` samples, each `HOP` after the one before."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Those that are complete now, one a row; ``None``: none is."""
        whole = np.concatenate((self._rest, samples))
        count = (whole.size - self._size) // HOP + 1
        if count <= 0:
            self._rest = whole
            return None
        self._rest = whole[count * HOP :]
        return whole[_places(count, self._size)]


@lru_cache(maxsize=32)
def _places(count: int, size: int) -> NDArray[np.intp]:
    """Where the samples of so many windows are; cheaper than views, which numpy makes slowly."""
    return np.arange(count)[:, None] * HOP + np.arange(size)
