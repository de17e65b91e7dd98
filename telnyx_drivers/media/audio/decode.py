"""Audio files as a sequence of short mono pieces: WAV by the standard library, everything else by PyAV."""

import wave
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from telnyx_drivers.media.audio.frames import Samples, check_rate, to_mono

PIECE_SECONDS: Final = 0.25


class Decoder(Protocol):
    """A file being read, from one thread at a time."""

    def read(self) -> tuple[Samples, int] | None:
        """The next piece and its rate; ``None`` at the end."""
        ...

    def rewind(self) -> None: ...

    def close(self) -> None: ...


def open_decoder(path: Path) -> Decoder:
    """Open an audio file. Raises ``OSError``, or ``ValueError`` when it holds no audio that can be decoded."""
    try:
        return WavDecoder(path)
    except (wave.Error, EOFError):
        # Loaded only for the files that need it.
        from telnyx_drivers.media.audio.decode_av import AvDecoder

        return AvDecoder(path)


class WavDecoder:
    """Plain PCM WAV of 8, 16, 24 or 32 bits. Raises ``wave.Error`` for any other file."""

    def __init__(self, path: Path) -> None:
        # The standard library leaves a file open that it cannot read, unless it is ours.
        self._file = path.open("rb")
        try:
            self._wave = wave.open(self._file, "rb")  # noqa: SIM115  closed by `close`
            self._rate = check_rate(self._wave.getframerate())
        except BaseException:
            self._file.close()
            raise
        self._channels = self._wave.getnchannels()

    def read(self) -> tuple[Samples, int] | None:
        data = self._wave.readframes(int(self._rate * PIECE_SECONDS))
        width = self._wave.getsampwidth()
        data = data[: len(data) - len(data) % (width * self._channels)]
        return to_mono(_to_pcm16(data, width), self._rate, self._channels) if data else None

    def rewind(self) -> None:
        self._wave.rewind()

    def close(self) -> None:
        self._wave.close()
        self._file.close()


def _to_pcm16(data: bytes, width: int) -> bytes:
    """Little-endian WAV samples of ``width`` bytes as PCM16; WAV has 8 bits unsigned, all others signed."""
    if width == 2:
        return data
    if width == 1:
        return ((np.frombuffer(data, dtype=np.uint8).astype(np.int16) - 128) << 8).astype("<i2").tobytes()
    raw: NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
    return np.ascontiguousarray(raw[:, -2:]).tobytes()
