"""ITU-T G.722: 16 kHz audio in 64 kbit/s, which RTP counts as if it were 8 kHz (RFC 3551 section 4.5.2)."""

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp.av_codec import AvDecoder, AvEncoder


class G722Encoder:
    """Implements `Encoder`."""

    sample_rate = 16_000
    clock_rate = 8_000

    def __init__(self) -> None:
        self.encode = AvEncoder("g722", self.sample_rate, options={}).encode

    def expect_loss(self, fraction: float) -> None:
        """Nothing in G.722 can prepare for loss."""

    def suppress_silence(self) -> bool:
        return False

    def limit(self, bits_per_second: int) -> bool:
        return False


class G722Decoder:
    """Implements `Decoder`."""

    sample_rate = 16_000
    clock_rate = 8_000
    memoryless = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.decode = AvDecoder("g722", self.sample_rate).decode

    def describe(self, payload: bytes) -> tuple[int, bool, bool]:
        return len(payload), False, False

    def decode_repair(self, payload: bytes, samples: int) -> Samples | None:
        return None

    def conceal(self, samples: int) -> Samples | None:
        return None
