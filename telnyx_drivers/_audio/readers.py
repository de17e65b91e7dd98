"""What an application hears: any number of readers, each at its own rate; none of them can delay the call."""

from collections import deque
from collections.abc import AsyncIterator
from threading import Lock
from typing import Self
from weakref import ref

import numpy as np

from telnyx_drivers._audio.frames import AudioFrame, Samples, check_rate, silence
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.wakeup import CallSoon, Wakeup

_BACKLOG_SECONDS = 1.0
"""How far behind a slow reader may be before the oldest frames are dropped (MEDIA-406)."""


class AudioIn(AsyncIterator[AudioFrame]):
    """Frames of one call's remote audio; ends with the call. One task reads it; open another one for a second task."""

    def __init__(self, sample_rate: int, channels: int, frame_ms: int, call_soon: CallSoon | None) -> None:
        check_rate(sample_rate)
        if channels not in (1, 2):
            raise ValueError(f"channels must be 1 or 2, not {channels}")
        if not 10 <= frame_ms <= 1_000 or sample_rate * frame_ms % 1_000:
            raise ValueError(f"{frame_ms} ms at {sample_rate} Hz: must be 10 to 1000 ms and whole samples")
        self.sample_rate, self.channels = sample_rate, channels
        self.dropped = 0
        """Frames lost because they were not read in time."""
        self._frame_samples = sample_rate * frame_ms // 1_000
        self._most = max(int(_BACKLOG_SECONDS * 1_000) // frame_ms, 2)
        self._rest: Samples = silence(0)
        self._pts = 0
        self._frames: deque[AudioFrame] = deque()
        self._lock = Lock()
        self._arrived = Wakeup(call_soon)
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioFrame:
        await self._arrived.wait_until(lambda: bool(self._frames) or self._closed)
        with self._lock:
            if self._frames:
                return self._frames.popleft()
        raise StopAsyncIteration

    @property
    def waiting(self) -> int:
        """Frames that can be read without waiting."""
        return len(self._frames)

    async def aclose(self) -> None:
        """Stop listening; unread frames are dropped."""
        self.close()
        self._frames.clear()

    def close(self) -> None:
        """No more frames; those waiting can still be read."""
        self._closed = True
        self._arrived.fire()

    @property
    def closed(self) -> bool:
        return self._closed

    def feed(self, samples: Samples) -> int:
        """Add the next samples at ``sample_rate``; returns how many frames were dropped for them. Media loop."""
        whole = np.concatenate((self._rest, samples)) if self._rest.size else samples
        size = self._frame_samples
        full, dropped = whole.size // size, 0
        with self._lock:
            for start in range(0, full * size, size):
                piece = whole[start : start + size]
                data = (piece if self.channels == 1 else np.repeat(piece, 2)).astype("<i2", copy=False).tobytes()
                if len(self._frames) >= self._most:
                    self._frames.popleft()
                    dropped += 1
                self._frames.append(AudioFrame(data, self.sample_rate, self.channels, self._pts))
                self._pts += size
        self._rest = whole[full * size :]
        self.dropped += dropped
        if full:
            self._arrived.fire()
        return dropped

    def skip(self, seconds: float) -> None:
        """Time passed without audio: ``pts`` advances by it, and a frame in progress gets silence. Media loop."""
        count = round(seconds * self.sample_rate)
        if self._rest.size:
            fill = min(self._frame_samples - self._rest.size, count)
            self.feed(silence(fill))
            count -= fill
        self._pts += count


class Listeners:
    """All readers of a call. Those of one rate share a converter; a reader that the application dropped is removed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._readers: tuple[ref[AudioIn], ...] = ()
        self._converters: dict[tuple[int, int], Resampler] = {}
        self.dropped = 0
        """Frames that readers lost, including those of readers that are gone."""

    def add(self, reader: AudioIn) -> None:
        with self._lock:
            self._readers = (*self._readers, ref(reader))

    def feed(self, samples: Samples, rate: int) -> None:
        if not self._readers:
            return
        converted: dict[int, Samples] = {rate: samples}
        for reference in self._readers:
            reader = reference()
            if reader is None or reader.closed:
                self._forget(reference)
                continue
            target = reader.sample_rate
            if target not in converted:
                converted[target] = self._converter(rate, target).process(samples)
            self.dropped += reader.feed(converted[target])
        if self._converters and len(self._converters) >= len(converted):
            self._converters = {k: v for k, v in self._converters.items() if k[0] == rate and k[1] in converted}

    def skip(self, seconds: float) -> None:
        """Time passed in which the process did not run, so nothing was received."""
        for reference in self._readers:
            if (reader := reference()) is not None:
                reader.skip(seconds)

    def close(self) -> None:
        for reference in self._readers:
            if (reader := reference()) is not None:
                reader.close()

    def _converter(self, source: int, target: int) -> Resampler:
        known = self._converters.get((source, target))
        if known is None:
            known = self._converters[source, target] = Resampler(source, target)
        return known

    def _forget(self, reference: "ref[AudioIn]") -> None:
        with self._lock:
            self._readers = tuple(kept for kept in self._readers if kept is not reference)
