"""Audio as speech services send it: bytes of one stream cut anywhere, in several encodings, also as base64."""

import numpy as np

from telnyx_drivers._audio.frames import AudioFrame, Pcm, Samples, check_channels, check_rate, from_base64, to_mono
from telnyx_drivers._audio.pcm import WIDTHS, Encoding
from telnyx_drivers._audio.wav import NotPlainWav, PcmFormat, WavStream, begins_wav


class ChunkDecoder:
    """Turns the chunks of one stream into frames: what does not complete a sample waits for the next chunk.

    A WAV header at the beginning of a chunk is read, and counts for what follows: more than what is given here. ::

        chunks = ChunkDecoder(44_100, encoding="float32")
        async for message in service:
            for frame in chunks.frames(message["data"]):  # bytes, or text in base64
                yield frame

    Raises ``ValueError`` for an impossible rate, number of channels or encoding.
    """

    def __init__(self, sample_rate: int, channels: int = 1, encoding: Encoding = "pcm16") -> None:
        if encoding not in WIDTHS:
            raise ValueError(f"encoding {encoding!r}: must be one of {', '.join(WIDTHS)}")
        self.given = PcmFormat(encoding, check_rate(sample_rate), check_channels(channels))
        self._rest = b""
        """Less than a sample of each channel, or what may become a WAV header."""
        self._wav: WavStream | None = None

    def frames(self, chunk: bytes | bytearray | memoryview | str) -> list[AudioFrame]:
        """The frames, mono, that this chunk completes; none while it is too short for one.

        A text is base64. Raises ``ValueError`` for one that is not, and for a WAV stream in an encoding of its own.
        """
        data = from_base64(chunk) if isinstance(chunk, str) else bytes(chunk)
        return [AudioFrame(samples.astype("<i2").tobytes(), rate) for samples, rate in self.feed(data)]

    def feed(self, data: bytes) -> list[tuple[Samples, int]]:
        """As `frames`: mono samples with their rate."""
        if begins_wav(data) and self._wav is not None:
            self._wav = WavStream()  # the next of several, one for each sentence
        elif self._wav is None:
            data = self._rest + data
            begins = begins_wav(data)
            self._rest = data if begins is None else b""
            if begins is None:
                return []
            if begins:
                self._wav = WavStream()
        if self._wav is not None:
            try:
                return [(form.to_mono(sound), form.sample_rate) for form, sound in self._wav.feed(data)]
            except NotPlainWav as error:
                raise ValueError(f"the stream is WAV of a kind that cannot be read in pieces: {error}") from error
        cut = len(data) - len(data) % self.given.frame_bytes
        self._rest = data[cut:]
        return [(self.given.to_mono(data[:cut]), self.given.sample_rate)] if cut else []

    def forget_rest(self) -> None:
        """Drop bytes that do not complete a sample. A WAV stream stays open: the next header ends it."""
        if self._wav is None:
            self._rest = b""


def length_of(pcm: Pcm, sample_rate: int | None, channels: int) -> float:
    """Duration in seconds, counted as PCM16; 0 for what is no audio. Raises as `check_rate` and `check_channels`."""
    if isinstance(pcm, AudioFrame):
        return length_of(pcm.data, pcm.sample_rate, pcm.channels)
    if sample_rate is None or not isinstance(pcm, (bytes, bytearray, memoryview, np.ndarray)):  # pyright: ignore[reportUnnecessaryIsInstance]
        return 0.0  # it will be refused
    samples = check_rate(sample_rate) * check_channels(channels)
    if isinstance(pcm, np.ndarray):
        return len(pcm) / (samples if pcm.ndim == 1 else sample_rate)
    return len(pcm) / (2 * samples)


class Intake:
    """Converts what an application writes into mono samples. Bytes of one format in a row are one stream."""

    def __init__(self) -> None:
        self._chunks: ChunkDecoder | None = None

    def take(self, pcm: Pcm, sample_rate: int | None, channels: int) -> list[tuple[Samples, int]]:
        """Raises ``TypeError`` and ``ValueError``."""
        if isinstance(pcm, AudioFrame):
            if sample_rate is not None and sample_rate != pcm.sample_rate:
                raise ValueError(f"the frame says {pcm.sample_rate} Hz, the caller says {sample_rate} Hz")
            return self.take(pcm.data, pcm.sample_rate, pcm.channels)
        if not isinstance(pcm, (bytes, bytearray, memoryview)):
            return [to_mono(pcm, sample_rate, channels)]
        if sample_rate is None:
            raise TypeError("raw PCM needs its sample_rate")
        known = self._chunks
        if known is None or (known.given.sample_rate, known.given.channels) != (sample_rate, channels):
            self._chunks = known = ChunkDecoder(sample_rate, channels)
        return known.feed(bytes(pcm))

    def pause(self) -> None:
        """A long pause: what follows may be another stream, so half a sample is dropped."""
        if self._chunks is not None:
            self._chunks.forget_rest()

    def end(self) -> None:
        """The stream has ended; what follows begins a new one at a sample boundary."""
        self._chunks = None
