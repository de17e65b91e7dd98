"""Encodings of samples, in files and from speech services, and their conversion to PCM16."""

from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

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


BIAS: Final = 0x84
"""What mu-law adds to every magnitude."""


def _decode_ulaw() -> NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + BIAS << ((code & 0x70) >> 4)) - BIAS
    table: NDArray[np.int16] = np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)
    return table


def _decode_alaw() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    table: NDArray[np.int16] = np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)
    return table


ULAW: Final = _decode_ulaw()
ALAW: Final = _decode_alaw()
"""Samples by their code in G.711."""


def to_int16(values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.int16]:
    """Rounded and saturated; NaN becomes silence."""
    # numpy's functions for both are written in Python, and cost more than all the rest of a hole in the audio.
    whole = np.minimum(np.maximum(np.rint(values), -32_768), 32_767)
    absent = np.isnan(whole)
    if absent.any():
        whole[absent] = 0
    samples: NDArray[np.int16] = whole.astype(np.int16)
    return samples


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
            return (ULAW if encoding == "ulaw" else ALAW).take(np.frombuffer(data, np.uint8)).astype("<i2").tobytes()
