"""A buffer between two clocks that differ slightly: a device's and a call's."""

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples
from telnyx_drivers._audio.sample_queue import SampleQueue

_BEAT = 1 / FRAMES_PER_SECOND


class DriftBuffer:
    """Put by one thread, taken 20 ms at a time by another; neither waits.

    Output begins once ``aim`` seconds are held, and begins again in the same way after an underrun. When more than
    ``most`` seconds wait, it drops down to ``aim``: a needless delay is worse than a gap. All times are in seconds.
    """

    def __init__(self, *, aim: float = 0.04, most: float = 0.12) -> None:
        self._queue = SampleQueue()
        self._aim, self._most = aim, most
        self._flowing = False
        self.underruns = 0
        """Times that it was empty when audio was needed."""
        self.overruns = 0
        """Times that it dropped audio."""

    @property
    def duration(self) -> float:
        """Seconds waiting."""
        return self._queue.duration

    def put(self, samples: Samples, rate: int) -> None:
        """Add ``samples``, which the buffer keeps. While they are not taken, what does not fit is lost."""
        if self._queue.duration < 2 * self._most:
            self._queue.put(samples, rate)

    def take(self, rate: int) -> Samples | None:
        """The next 20 ms at ``rate``; ``None`` when there is nothing to give."""
        if self._queue.duration > self._most:
            self.overruns += 1
            while self._queue.duration > self._aim:
                self._queue.take(rate)
        if not self._flowing:
            self._flowing = self._queue.duration > self._aim - _BEAT / 2
        elif self._queue.duration < _BEAT / 2:
            self._flowing = False
            self.underruns += 1
        return self._queue.take(rate) if self._flowing else None

    def clear(self) -> None:
        self._queue.clear()
        self._flowing = False
