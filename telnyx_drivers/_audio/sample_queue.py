"""A queue of audio at mixed rates, taken out 20 ms at a time at whatever rate the wire has."""

from collections import deque
from threading import Lock

import numpy as np

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, silence
from telnyx_drivers._audio.resampler import Resampler


class SampleQueue:
    """First in, first out; put and clear from any thread, taken by the media loop. The producer bounds its length."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._chunks: deque[tuple[Samples, int]] = deque()
        self._duration = 0.0
        self._taken = 0.0
        self._resampler: Resampler | None = None
        self._ready: Samples = silence(0)
        self._ready_rate = 0

    @property
    def duration(self) -> float:
        """Seconds waiting."""
        return max(self._duration, 0.0)

    @property
    def empty(self) -> bool:
        """True when `take` has nothing left, not even a converter's tail."""
        return not self._chunks and not self._ready.size and self._resampler is None

    @property
    def taken(self) -> float:
        """Seconds that have left through `take`."""
        return self._taken

    def put(self, samples: Samples, rate: int) -> None:
        if samples.size:
            with self._lock:
                self._chunks.append((samples, rate))
                self._duration += samples.size / rate

    def clear(self) -> float:
        """Forget everything; returns how many seconds that was."""
        with self._lock:
            dropped = self.duration
            self._chunks.clear()
            self._reset()
            return dropped

    def take(self, rate: int, *, last: bool = True) -> Samples | None:
        """The next 20 ms at ``rate``; the last piece is filled up with silence, and after it comes ``None``.

        With ``last`` false more is to come: what is less than 20 ms waits for it.
        """
        with self._lock:
            if self.empty:
                return None
            need = rate // FRAMES_PER_SECOND
            if self._ready_rate != rate:
                self._ready, self._ready_rate = silence(0), rate
            if self._chunks and not self._ready.size and self._resampler is None:
                head, head_rate = self._chunks[0]
                if head_rate == rate and head.size >= need:
                    return self._cut(need)
            return self._gather(need, rate, last)

    def _cut(self, count: int) -> Samples:
        """Up to ``count`` samples off the first chunk, not copied."""
        head, rate = self._chunks[0]
        if head.size <= count:
            self._chunks.popleft()
            piece = head
        else:
            piece = head[:count]
            self._chunks[0] = (head[count:], rate)
        self._account(piece.size / rate)
        return piece

    def _account(self, seconds: float) -> None:
        self._taken += seconds
        self._duration -= seconds
        if not self._chunks:
            self._duration = 0.0

    def _gather(self, need: int, rate: int, last: bool) -> Samples | None:
        parts, have = [self._ready], self._ready.size
        while have < need and (self._chunks or (last and self._resampler is not None)):
            part = self._convert(need - have, rate)
            parts.append(part)
            have += part.size
        joined = np.concatenate(parts)
        if joined.size < need and not last:
            self._ready = joined
            return None
        self._ready = joined[need:]
        if joined.size < need:
            return np.concatenate((joined, silence(need - joined.size)))
        return joined[:need]

    def _convert(self, want: int, rate: int) -> Samples:
        """Some samples at ``rate``: about ``want``, or none yet while the converter fills."""
        resampler = self._resampler
        head_rate = self._chunks[0][1] if self._chunks else 0
        if resampler is not None and (resampler.source != head_rate or resampler.target != rate):
            self._resampler = None
            return resampler.flush() if resampler.target == rate else silence(0)
        if head_rate == rate:
            return self._cut(want)
        if resampler is None:
            resampler = self._resampler = Resampler(head_rate, rate)
        return resampler.process(self._cut(-(-want * head_rate // rate)))

    def _reset(self) -> None:
        self._duration = 0.0
        self._resampler = None
        self._ready = silence(0)
