"""Recording a call into a WAV file: left what was sent, right what was heard, on one clock."""

import wave
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from telnyx_drivers.media.audio.background_file import BackgroundFile
from telnyx_drivers.media.audio.frames import Samples, check_rate, silence
from telnyx_drivers.media.audio.resampler import Resampler
from telnyx_drivers.media.audio.sources import Background, OnFault
from telnyx_drivers.media.audio.wakeup import CallSoon

Channels: TypeAlias = Literal["both", "received"]

_BLOCK_SECONDS: Final = 1
_MOST_BLOCKS: Final = 10
"""Blocks that may wait for a slow disk; then whole blocks are lost and counted, never memory."""
_MOST_BYTES: Final = 2**32 - 2**20
"""A WAV file cannot say that it is longer."""
_SLACK_SECONDS: Final = 0.2
"""How far the two directions may drift apart before the later one is cut to fit."""


class Recording(BackgroundFile):
    """A recording in progress. The file is whole after every second."""

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
        """As `BackgroundFile`."""
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
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115  closed by `_close_file`
        self._wave.setnchannels(1 if channels == "received" else 2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(self.sample_rate)
        self._sent = _Track(self.sample_rate)
        self._heard = _Track(self.sample_rate)
        self._ticked = False
        self._block: list[Samples] = []
        self._block_size = 0

    @property
    def lost_seconds(self) -> int:
        """Whole seconds that the disk was too slow for."""
        return self.lost_blocks * _BLOCK_SECONDS

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
            self._block_ready()

    def _take_block(self) -> bytes:
        block, self._block, self._block_size = self._block, [], 0
        return np.concatenate(block).astype("<i2", copy=False).tobytes() if block else b""

    def _write_block(self, block: bytes) -> None:
        self._wave.writeframes(block)

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
