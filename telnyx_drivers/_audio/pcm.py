"""Encodings of samples, in files and from speech services, and their conversion to mono PCM16."""

from typing import Final, Literal, TypeAlias

import numpy as np
from attrs import frozen

from telnyx_drivers._audio.frames import Samples, to_int16, to_mono

Encoding: TypeAlias = Literal["pcm16", "float32", "ulaw", "alaw", "pcm8", "pcm24", "pcm32", "float64"]
"""Little-endian; ``pcm8`` is unsigned, as in WAV files, floats are in -1..1, ``ulaw`` and ``alaw`` are ITU-T G.711."""

WIDTHS: Final[dict[Encoding, int]] = {
    "pcm16": 2,
    "float32": 4,
    "ulaw": 1,
    "alaw": 1,
    "pcm8": 1,
    "pcm24": 3,
    "pcm32": 4,
    "float64": 8,
}
"""Bytes of one sample."""


@frozen
class PcmFormat:
    """The format of raw audio bytes; several channels are interleaved."""

    encoding: Encoding
    sample_rate: int
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Of one sample of every channel: what can be decoded at the least."""
        return WIDTHS[self.encoding] * self.channels

    def to_mono(self, data: bytes) -> Samples:
        """The samples of ``data``, which holds whole frames."""
        return to_mono(to_pcm16(data, self.encoding), self.sample_rate, self.channels)[0]


def to_pcm16(data: bytes, encoding: Encoding) -> bytes:
    """``data``, whole samples of an encoding, as little-endian PCM16."""
    match encoding:
        case "pcm16":
            return data
        case "pcm8":
            return ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8).astype("<i2").tobytes()
        case "pcm24" | "pcm32":
            return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(-1, WIDTHS[encoding])[:, -2:]).tobytes()
        case "float32" | "float64":
            values = np.frombuffer(data, "<f4" if encoding == "float32" else "<f8")
            with np.errstate(over="ignore"):  # what is beyond every number saturates like what is beyond 1
                return to_int16(values.astype(np.float32) * np.float32(32_767)).astype("<i2").tobytes()
        case "ulaw" | "alaw":
            # Not at the top: the tables are made by a module that needs this package.
            from telnyx_drivers._audio.rtp.g711 import PCMA, PCMU

            return (PCMU if encoding == "ulaw" else PCMA).decode(data).astype("<i2").tobytes()
