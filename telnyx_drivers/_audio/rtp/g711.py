"""ITU-T G.711, both laws, as tables: one look-up encodes or decodes a packet."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, silence
from telnyx_drivers._audio.pcm import ALAW, BIAS, ULAW

_CLIP: Final = 32_635


def _encode_ulaw() -> NDArray[np.uint8]:
    """Indexed by the sample taken as an unsigned number."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample), _CLIP) + BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    table: NDArray[np.uint8] = (~(np.where(sample < 0, 0x80, 0) | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)
    return table


def _encode_alaw() -> NDArray[np.uint8]:
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    # G.711 counts a negative sample's magnitude from -1, so that -1 and 0 fall on either side of zero.
    magnitude = np.where(sample < 0, -sample - 1, sample)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    mantissa = (magnitude >> np.maximum(segment + 3, 4)) & 0x0F
    table: NDArray[np.uint8] = ((np.where(sample < 0, 0, 0x80) | segment << 4 | mantissa) ^ 0x55).astype(np.uint8)
    return table


class G711:
    """Encoder and decoder in one: it has no memory. Implements `Encoder` and `Decoder`."""

    sample_rate = 8_000
    clock_rate = 8_000
    memoryless = True

    def __init__(self, encode: NDArray[np.uint8], decode: Samples) -> None:
        self._encode = encode
        self._decode = decode
        self._silent_samples = silence(self.sample_rate // FRAMES_PER_SECOND)
        self._silent_payload = encode[self._silent_samples.view(np.uint16)].tobytes()

    def encode(self, samples: Samples) -> bytes:
        if samples is self._silent_samples:
            return self._silent_payload
        return self._encode.take(samples.view(np.uint16)).tobytes()

    def expect_loss(self, fraction: float) -> None:
        """Nothing in G.711 can prepare for loss."""

    def suppress_silence(self) -> bool:
        return False

    def limit(self, bits_per_second: int) -> bool:
        return False

    def decode(self, payload: bytes) -> Samples:
        return self._decode.take(np.frombuffer(payload, np.uint8))

    def describe(self, payload: bytes) -> tuple[int, bool, bool]:
        return len(payload), False, False

    def decode_repair(self, payload: bytes, samples: int) -> Samples | None:
        return None

    def conceal(self, samples: int) -> Samples | None:
        return None

    def reset(self) -> None:
        """There is nothing to forget."""


PCMU: Final = G711(_encode_ulaw(), ULAW)
PCMA: Final = G711(_encode_alaw(), ALAW)
