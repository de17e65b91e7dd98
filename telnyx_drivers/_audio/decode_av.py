"""Audio by FFmpeg: everything that is not plain WAV."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Iterator
from typing import Final, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import EOFError as AvEndOfFile
from av.error import FFmpegError

from telnyx_drivers._audio.frames import Samples, check_rate
from telnyx_drivers._audio.inputs import PIECE_SECONDS, Reader

_FALLBACK_RATE: Final = 48_000
"""For files with a rate that is not supported here, such as 22 254 Hz."""
_MOST_DAMAGE: Final = 2_000
"""Damaged pieces in a row, about a minute of sound, after which no more of the file is looked at."""
_MOST_BROKEN: Final = 16
"""Times in a row that the next piece cannot be found."""

_Packet: TypeAlias = "av.Packet[AudioStream]"
_Kind: TypeAlias = tuple[str, str, int]
"""What a converter is made for: sample format, layout and rate."""


class _Forwards:
    """What FFmpeg needs of a file, after the part of it that was read to find out what it is."""

    def __init__(self, reader: Reader, head: bytes, name: str) -> None:
        self.name = name
        self._reader = reader
        self._head = head

    def read(self, size: int) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._reader.read(size)


class _Anywhere:
    """FFmpeg probes broken files beyond their start, and expects to be told so by a number."""

    def __init__(self, reader: Reader, name: str) -> None:
        self.name = name
        self.read = reader.read
        self._seek = reader.seek

    def tell(self) -> int:
        return self._seek(0, 1)

    def seek(self, offset: int, whence: int) -> int:
        try:
            return self._seek(offset, whence)
        except (OSError, ValueError):
            return -1


class AvDecoder:
    """Decodes whatever FFmpeg can, from these bytes alone: other files or URLs that they name are not opened.

    Damaged pieces are skipped, and bytes that end too early end the audio, as in a player. Raises ``FFmpegError``, and
    ``ValueError`` when there is no audio.
    """

    def __init__(self, reader: Reader, head: bytes, name: str) -> None:
        """``head`` is what has been read of a reader that only goes forwards.

        The ending of ``name`` tells the format where damage hides it.
        """
        file = _Anywhere(reader, name) if reader.seekable() else _Forwards(reader, head, name)
        self._container = av.open(file, mode="r", options={"protocol_whitelist": "none"})
        try:
            if not self._container.streams.audio:
                raise ValueError("it has no audio")
            self._stream = self._container.streams.audio[0]
            self._rate = _usable(self._stream.rate)
            self._resampler: av.AudioResampler | None = None
            self._kind: _Kind | None = None
            self._pieces = self._decode()
        except BaseException:
            self._container.close()
            raise

    def read(self) -> tuple[Samples, int] | None:
        parts: list[Samples] = []
        size = 0
        while size < self._rate * PIECE_SECONDS and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            size += piece.size
        return (np.concatenate(parts), self._rate) if size else None

    def close(self) -> None:
        self._container.close()

    def _decode(self) -> Iterator[Samples]:
        damaged = 0
        for packet in self._packets():
            try:
                frames = self._stream.codec_context.decode(packet)
            except AvEndOfFile:
                break
            except FFmpegError:
                damaged += 1
                if damaged >= _MOST_DAMAGE:
                    raise
                continue
            for frame in frames:
                damaged = 0
                yield from self._convert(frame)
        yield from self._flush()

    def _packets(self) -> "Iterator[_Packet | None]":
        """All packets, and at last ``None``, for what the codec still has."""
        packets = self._container.demux(self._stream)
        broken = 0
        while broken < _MOST_BROKEN:
            try:
                packet = next(packets)
            except (StopIteration, AvEndOfFile):
                break
            except FFmpegError:
                # Some formats find their way again; a file that was cut off is at its end.
                broken += 1
                packets = self._container.demux(self._stream)
                continue
            broken = 0
            if packet.size:
                yield packet
        yield None

    def _convert(self, frame: av.AudioFrame) -> Iterator[Samples]:
        """Files change their rate and channels in the middle; a converter cannot."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self._flush()
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=self._rate)
            self._kind = kind
        assert self._resampler is not None, "made for the first kind at the latest"
        frame.pts = None  # damaged files count wrongly, and nothing here goes by it
        for whole in self._resampler.resample(frame):
            yield _samples(whole)

    def _flush(self) -> Iterator[Samples]:
        if self._resampler is not None:
            for whole in self._resampler.resample(None):
                yield _samples(whole)
        self._resampler = self._kind = None


def _samples(frame: av.AudioFrame) -> Samples:
    return frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)


def _usable(rate: int) -> int:
    try:
        return check_rate(rate)
    except (TypeError, ValueError):
        return _FALLBACK_RATE
