"""Recording a call into a WAV file: left what was sent, right what was heard, on one clock."""

import os
import wave
from collections import deque
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final, Literal, TypeAlias

import numpy as np

from telnyx_drivers.media.audio.frames import Samples, check_rate, silence
from telnyx_drivers.media.audio.resampler import Resampler
from telnyx_drivers.media.audio.sources import Background, OnFault
from telnyx_drivers.media.audio.wakeup import CallSoon, Wakeup

Channels: TypeAlias = Literal["both", "received"]

_BLOCK_SECONDS: Final = 1
_MOST_BLOCKS: Final = 10
"""Blocks that may wait for a slow disk; then whole blocks are lost and counted, never memory."""
_MOST_BYTES: Final = 2**32 - 2**20
"""A WAV file cannot say that it is longer."""
_SLACK_SECONDS: Final = 0.2
"""How far the two directions may drift apart before the later one is cut to fit."""


class Recording:
    """A recording in progress. The file is whole after every second, private to its owner (mode 0600)."""

    def __init__(
        self,
        path: Path,
        *,
        sample_rate: int,
        channels: Channels,
        background: Background,
        call_soon: CallSoon | None,
        on_fault: OnFault,
        on_gap: OnFault,
    ) -> None:
        """``on_fault`` is told what breaks it off, ``on_gap`` each time that the disk begins to be too slow."""
        self.path = path
        self.sample_rate = check_rate(sample_rate)
        self.error: Exception | None = None
        """Why it broke off, if it did: the call goes on without it."""
        self.lost_seconds = 0
        """Whole seconds that the disk was too slow for."""
        self._channels = channels
        self._background = background
        self._on_fault = on_fault
        self._on_gap = on_gap
        self._finished = Wakeup(call_soon)
        self._file = create_private(path)
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115  closed by `_finish`
        self._wave.setnchannels(1 if channels == "received" else 2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(self.sample_rate)
        self._written = 0
        self._sent = _Track(self.sample_rate)
        self._heard = _Track(self.sample_rate)
        self._ticked = False
        self._block: list[Samples] = []
        self._block_size = 0
        self._lock = Lock()
        self._pending: deque[bytes] = deque()
        self._writing = False
        self._behind = False
        """Blocks have been lost since everything was written last."""
        self._stopping = False
        self._closed = False

    @property
    def ended(self) -> bool:
        """True once the file is closed."""
        return self._closed

    async def stop(self) -> None:
        """Stop, and wait until the file is complete. Idempotent. Raises what broke the recording off."""
        self.close()
        await self._finished.wait_until(lambda: self._closed)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Stop; the file is completed in the background. Idempotent, any thread."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            gap = self._hand_over()
        self._go_on(gap)

    def sent(self, samples: Samples, rate: int) -> None:
        """20 ms that were sent: the clock of the recording. Media loop."""
        if self._stopping:
            return
        self._ticked = True
        self._sent.put(samples, rate)
        self._emit(self._sent.size)

    def heard(self, samples: Samples, rate: int) -> None:
        """A piece that was heard. Media loop."""
        if self._stopping:
            return
        self._heard.put(samples, rate)
        surplus = self._heard.size - int(_SLACK_SECONDS * self.sample_rate)
        if surplus > 0:
            if self._ticked:
                self._heard.take(surplus)
                self._ticked = False
            else:
                self._emit(surplus)

    def _emit(self, count: int) -> None:
        left, right = self._sent.take(count), self._heard.take(count)
        self._block.append(right if self._channels == "received" else np.column_stack((left, right)).reshape(-1))
        self._block_size += count
        if self._block_size >= self.sample_rate * _BLOCK_SECONDS:
            with self._lock:
                gap = self._hand_over()
            self._go_on(gap)

    def _go_on(self, gap: bool) -> None:
        if gap:  # not under the lock: the application may be told at once
            self._on_gap(OSError(f"{self.path.name} is written more slowly than audio comes"))
        self._write_soon()

    def _hand_over(self) -> bool:
        """True: the block is lost, and it is the first since everything was written."""
        gap = False
        if self._block:
            block, self._block, self._block_size = self._block, [], 0
            if len(self._pending) >= _MOST_BLOCKS:
                self.lost_seconds += _BLOCK_SECONDS
                gap, self._behind = not self._behind, True
            else:
                self._pending.append(np.concatenate(block).astype("<i2", copy=False).tobytes())
        return gap

    def _write_soon(self) -> None:
        with self._lock:
            if self._writing or self._closed:
                return
            self._writing = True
        self._background(self._write)

    def _write(self) -> None:
        """Background: write what is pending, one job at a time."""
        while (data := self._next_block()) is not None:
            self._write_block(data)
        if self._stopping:
            self._finish()

    def _next_block(self) -> bytes | None:
        with self._lock:
            if self._pending:
                return self._pending.popleft()
            self._writing = self._behind = False
            return None

    def _write_block(self, data: bytes) -> None:
        if self.error is not None:
            return
        try:
            if self._written + len(data) > _MOST_BYTES:
                raise OSError(f"{self.path.name} has reached the length that a WAV file can have")
            self._wave.writeframes(data)
            self._written += len(data)
        except (OSError, wave.Error) as error:
            self.error = error
            self._stopping = True
            self._on_fault(error)

    def _finish(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for file in (self._wave, self._file):
            try:
                file.close()
            except OSError as error:
                self.error = self.error or error
        self._finished.fire()


class _Track:
    """One direction at the recording's rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler: Resampler | None = None
        self._samples: Samples = silence(0)

    @property
    def size(self) -> int:
        return self._samples.size

    def put(self, samples: Samples, rate: int) -> None:
        if self._resampler is None or self._resampler.source != rate:
            self._resampler = Resampler(rate, self._rate)
        converted = self._resampler.process(samples)
        self._samples = np.concatenate((self._samples, converted)) if self._samples.size else converted

    def take(self, count: int) -> Samples:
        """``count`` samples, filled up with silence."""
        piece, self._samples = self._samples[:count], self._samples[count:]
        return piece if piece.size == count else np.concatenate((piece, silence(count - piece.size)))


def create_private(path: Path) -> BinaryIO:
    """A file for its owner alone, empty. Raises ``OSError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if hasattr(os, "fchmod"):
            # The file may have been there before, readable for others.
            os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        raise
