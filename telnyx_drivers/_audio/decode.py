"""Audio files and streams as a sequence of short mono pieces: plain WAV here, everything else by PyAV."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.inputs import PIECE_SECONDS, FileInput, Input, Reader
from telnyx_drivers._audio.wav import NotPlainWav, PcmFormat, WavStream
from telnyx_drivers._exceptions import UnplayableAudio

T = TypeVar("T")

_SNIFF: Final = 4_096
"""Bytes to read at once before anything is known."""


class Decoder(Protocol):
    """Audio being read, from one thread at a time."""

    def read(self) -> tuple[Samples, int] | None:
        """The next piece and its rate; ``None`` at the end."""
        ...

    def rewind(self) -> None: ...

    def close(self) -> None: ...


class _Begun(Protocol):
    def read(self) -> tuple[Samples, int] | None: ...

    def close(self) -> None: ...


def open_decoder(source: Path | Input) -> Decoder:
    """Open audio, and read the first of it.

    Raises ``OSError`` when it cannot be opened, `UnplayableAudio` when it holds no audio that can be decoded.
    """
    return _Decoder(FileInput(source) if isinstance(source, Path) else source)


class _Decoder:
    """A decoder. Every error of reading or decoding becomes an `UnplayableAudio` that names the source."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._reader = source.open()
        try:
            self._begun: _Begun = self._guarded(self._begin)
            self._first = self._guarded(self._begun.read)
            if self._first is None:
                raise UnplayableAudio(source.name, "it holds no audio")
        except BaseException:
            self._reader.close()
            raise

    def read(self) -> tuple[Samples, int] | None:
        if (first := self._first) is not None:
            self._first = None
            return first
        return self._guarded(self._begun.read)

    def rewind(self) -> None:
        self._first = None
        self._begun.close()
        if self._reader.seekable():
            self._reader.seek(0)
        else:
            self._reader.close()
            self._reader = self._source.open()
        self._begun = self._guarded(self._begin)

    def close(self) -> None:
        self._begun.close()
        self._reader.close()

    def _begin(self) -> _Begun:
        reader, head, wav = self._reader, b"", WavStream()
        try:
            while wav.format is None and (data := reader.read(_SNIFF)):
                head += data
                if sound := wav.feed(data):
                    return _WavDecoder(reader, wav, sound)
        except NotPlainWav:
            pass
        if wav.format is not None:
            return _WavDecoder(reader, wav, [])
        # Loaded only for the files that need it.
        from telnyx_drivers._audio.decode_av import AvDecoder

        if reader.seekable():
            reader.seek(0)
            head = b""
        return AvDecoder(reader, head, self._source.name)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except UnplayableAudio:
            raise
        except Exception as error:
            # Any exception: damaged files trigger every fault of a decoder.
            raise UnplayableAudio(self._source.name, _reason(error)) from error


class _WavDecoder:
    """Plain WAV: what `WavStream` reads out of it."""

    def __init__(self, reader: Reader, wav: WavStream, sound: list[tuple[PcmFormat, bytes]]) -> None:
        self._reader = reader
        self._wav = wav
        self._sound = deque(sound)

    def read(self) -> tuple[Samples, int] | None:
        while not self._sound:
            known = self._wav.format
            size = _SNIFF if known is None else int(known.sample_rate * PIECE_SECONDS) * known.frame_bytes
            data = self._reader.read(size)
            if not data:
                return None
            self._sound += self._wav.feed(data)
        form, piece = self._sound.popleft()
        return form.to_mono(piece), form.sample_rate

    def close(self) -> None:
        """Nothing to do: the opener of the reader closes it."""


def _reason(error: Exception) -> str:
    """The text of an error: FFmpeg's say more in ``strerror``, and some have no text."""
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
