"""Recording a call into a WAV file: left what was sent, right what was heard, on one clock."""

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from telnyx_drivers._audio.background_file import BackgroundFile
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, check_rate, silence
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.sources import Background, OnFault
from telnyx_drivers._audio.wakeup import CallSoon

Channels: TypeAlias = Literal["both", "received"]

_BLOCK_SECONDS: Final = 1
_MOST_BLOCKS: Final = 10
"""Blocks that may wait for a slow disk; then whole blocks are lost and counted, never memory."""
_MOST_BYTES: Final = 2**32 - 2**20
"""A WAV file cannot say that it is longer."""
_SLACK: Final = 10
"""Frames that one direction may be behind before silence is put in its place."""
_ON_TIME: Final = 2
"""Frames between the clock and the audio at either end of a recording, while the program runs."""


class Recording(BackgroundFile):
    """A WAV recording in progress. The file on disk is complete after every second."""

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
        next_frame: Callable[[], int | None] = lambda: None,
    ) -> None:
        """As `BackgroundFile`; ``next_frame`` tells which frame of the call is due next."""
        self.sample_rate = check_rate(sample_rate)
        super().__init__(
            path,
            most_blocks=_MOST_BLOCKS,
            most_bytes=_MOST_BYTES,
            background=background,
            call_soon=call_soon,
            on_fault=on_fault,
            on_gap=on_gap,
        )
        self._channels = channels
        self._frame_bytes = 2 if channels == "received" else 4
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115  closed by `_close_file`
        self._wave.setnchannels(1 if channels == "received" else 2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(self.sample_rate)
        self._sent = _Track(self.sample_rate)
        self._heard = _Track(self.sample_rate)
        self._next_frame = next_frame
        self._start: int | None = None
        """Number of the call's frame with which the file begins."""
        self._made_at = next_frame()
        self._gap_seconds = 0.0
        self._block: list[Samples] = []
        self._block_size = 0

    @property
    def lost_seconds(self) -> float:
        """Seconds of silence in the file because the disk was too slow, or because the program did not run."""
        return self.lost_blocks * _BLOCK_SECONDS + self._gap_seconds

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        """Add 20 ms that were sent, as frame ``at`` of the call. Media loop."""
        self._put(self._sent, samples, rate, at)

    def heard(self, samples: Samples, rate: int, at: int) -> None:
        """Add 20 ms that were received. Media loop."""
        self._put(self._heard, samples, rate, at)

    def _put(self, track: "_Track", samples: Samples, rate: int, at: int) -> None:
        if self._stopping:
            return
        if self._start is None:
            self._start = self._begin(at)
        frame = at - self._start
        if frame < track.next:
            return  # It came too late: silence is in its place.
        gap = frame - track.next
        if gap > 2 * _SLACK:
            self._fill(frame)
        elif gap:
            track.put_silence(gap)
            self._gap_seconds += gap / FRAMES_PER_SECOND if track is self._sent else 0
        track.put(samples, rate)
        behind = track.next - _SLACK
        for other in (self._sent, self._heard):
            if other.next < behind:
                other.put_silence(behind - other.next)
        self._emit(min(self._sent.size, self._heard.size))

    def _begin(self, at: int) -> int:
        """The frame with which the file begins: the program may have stood still since the recording was asked for."""
        made_at, now = self._made_at, self._next_frame()
        if made_at is None or now is None or at - made_at <= _ON_TIME:
            return at
        if abs(now - at) > FRAMES_PER_SECOND:
            # A loop with a clock of its own, which was not suspended with the machine: nothing is known.
            self._next_frame = lambda: None
            return at
        return made_at

    def _fill(self, frame: int) -> None:
        """Nothing ran: fill both directions up to a frame of the call. Hours of it are one number, not samples."""
        size = self.sample_rate // FRAMES_PER_SECOND
        there = max(self._sent.next, self._heard.next)
        self._level(there)
        gap, self._sent.next, self._heard.next = frame - there, frame, frame
        if gap <= 0:
            return
        self._gap_seconds += gap / FRAMES_PER_SECOND
        self._block_ready()
        with self._lock:
            self._leave_gap(gap * size)

    def _level(self, frame: int) -> None:
        """Fill the direction that is a frame behind, and pass on what both have."""
        for track in (self._sent, self._heard):
            track.put_silence(max(frame - track.next, 0))
        count = max(self._sent.size, self._heard.size)
        self._emit(count)

    def _emit(self, count: int) -> None:
        if count <= 0:
            return
        left, right = self._sent.take(count), self._heard.take(count)
        self._block.append(right if self._channels == "received" else np.column_stack((left, right)).reshape(-1))
        self._block_size += count
        if self._block_size >= self.sample_rate * _BLOCK_SECONDS and not self._stopping:
            self._block_ready()

    def _take_block(self) -> bytes:
        if self._stopping:
            self._level(max(self._sent.next, self._heard.next))
        block, self._block, self._block_size = self._block, [], 0
        return np.concatenate(block).astype("<i2", copy=False).tobytes() if block else b""

    def _write_block(self, block: bytes) -> None:
        self._wave.writeframes(block)

    def _gap_of(self, block: bytes) -> int:
        return len(block) // self._frame_bytes

    def _gap_at_end(self) -> int:
        """The program may have stood still until the recording was stopped."""
        now, start = self._next_frame(), self._made_at if self._start is None else self._start
        gap = 0 if now is None or start is None else now - start - max(self._sent.next, self._heard.next)
        if gap <= _ON_TIME:
            return 0
        self._gap_seconds += gap / FRAMES_PER_SECOND
        return gap * self.sample_rate // FRAMES_PER_SECOND

    def _write_gap(self, length: int) -> int:
        written = 0
        while length > 0:
            piece = bytes(min(length, self.sample_rate) * self._frame_bytes)
            self._require_room(written + len(piece))
            self._wave.writeframes(piece)
            written += len(piece)
            length -= self.sample_rate
        return written

    def _close_file(self) -> None:
        try:
            self._wave.close()
        finally:
            self._file.close()


class _Track:
    """One direction at the recording's rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler: Resampler | None = None
        self._samples: Samples = silence(0)
        self.next = 0
        """Frames of 20 ms so far."""

    @property
    def size(self) -> int:
        return self._samples.size

    def put(self, samples: Samples, rate: int) -> None:
        """20 ms."""
        if self._resampler is None or self._resampler.source != rate:
            self._resampler = Resampler(rate, self._rate)
        self._append(self._resampler.process(samples), 1)

    def put_silence(self, frames: int) -> None:
        if frames:
            self._append(silence(frames * self._rate // FRAMES_PER_SECOND), frames)

    def _append(self, samples: Samples, frames: int) -> None:
        self.next += frames
        self._samples = np.concatenate((self._samples, samples)) if self._samples.size else samples

    def take(self, count: int) -> Samples:
        """``count`` samples, filled up with silence."""
        piece, self._samples = self._samples[:count], self._samples[count:]
        return piece if piece.size == count else np.concatenate((piece, silence(count - piece.size)))
