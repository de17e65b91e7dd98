"""Audio files by FFmpeg: everything that is not plain WAV."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.error import FFmpegError

from telnyx_drivers.media.audio.decode import PIECE_SECONDS
from telnyx_drivers.media.audio.frames import Samples, check_rate


class _Reader:
    """FFmpeg probes broken files beyond their start, and expects to be told so by a number."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.tell = file.tell
        self._seek = file.seek

    def seek(self, offset: int, whence: int) -> int:
        try:
            return self._seek(offset, whence)
        except (OSError, ValueError):
            return -1


class AvDecoder:
    """Whatever FFmpeg can decode, from one local file: other files or addresses that it names are not followed."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._file = path.open("rb")
        try:
            self._container = av.open(_Reader(self._file), mode="r", options={"protocol_whitelist": "none"})
            if not self._container.streams.audio:
                raise ValueError(f"{path.name} has no audio")
            self._rate = check_rate(self._container.streams.audio[0].rate)
            self._pieces = self._decode()
        except FFmpegError as error:
            self._file.close()
            raise self._broken(error) from error
        except BaseException:
            self._file.close()
            raise

    def read(self) -> tuple[Samples, int] | None:
        parts: list[Samples] = []
        size = 0
        try:
            while size < self._rate * PIECE_SECONDS:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                parts.append(piece)
                size += piece.size
        except FFmpegError as error:
            raise self._broken(error) from error
        return (np.concatenate(parts), self._rate) if parts else None

    def rewind(self) -> None:
        self._container.seek(0)
        self._pieces = self._decode()

    def close(self) -> None:
        self._container.close()
        self._file.close()

    def _decode(self) -> Iterator[Samples]:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=self._rate)
        for frame in self._container.decode(audio=0):
            for whole in resampler.resample(frame):
                samples: Samples = whole.to_ndarray().reshape(-1).astype(np.int16)
                yield samples

    def _broken(self, error: FFmpegError) -> ValueError:
        return ValueError(f"{self._name} cannot be decoded: {error.strerror}")
