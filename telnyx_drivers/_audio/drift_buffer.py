"""Audio between two clocks that almost agree: a device's and a call's."""

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples
from telnyx_drivers._audio.sample_queue import SampleQueue

_BEAT = 1 / FRAMES_PER_SECOND


class DriftBuffer:
    """Put by one thread, taken 20 ms at a time by another; neither waits.

    It starts to give once ``aim`` seconds are there, starts again when it ran dry, and when more than ``most`` seconds
    wait it throws away down to ``aim``: a delay that nobody asked for is worse than a gap. All in seconds.
    """

    def __init__(self, *, aim: float = 0.04, most: float = 0.12) -> None:
        self._queue = SampleQueue()
        self._aim, self._most = aim, most
        self._flowing = False
        self.underruns = 0
        """Times that it ran dry."""
        self.overruns = 0
        """Times that it threw away."""

    @property
    def duration(self) -> float:
        """Seconds waiting."""
        return self._queue.duration

    def put(self, samples: Samples, rate: int) -> None:
        """``samples`` stay with the buffer. While nobody takes, what does not fit any more is lost."""
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
