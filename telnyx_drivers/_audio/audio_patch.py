"""Audio received in one call as input of another call."""

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.sample_queue import SampleQueue

_MOST_SECONDS = 0.06
"""Seconds. More than this is needless delay: drop it and start again."""


class AudioPatch:
    """Written with what one call receives, read as an `AudioInput` by the other."""

    error: None = None

    def __init__(self) -> None:
        self._queue = SampleQueue()
        self._closed = False

    @property
    def ended(self) -> bool:
        return self._closed

    def feed(self, samples: Samples, rate: int) -> None:
        if self._queue.duration > _MOST_SECONDS:
            self._queue.clear()
        self._queue.put(samples, rate)

    def read(self, rate: int) -> Samples | None:
        return self._queue.take(rate)

    def close(self) -> None:
        self._closed = True
        self._queue.clear()
