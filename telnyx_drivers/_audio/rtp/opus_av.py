"""Opus through FFmpeg, whose interface offers neither the codec's concealment nor its forward error correction."""

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp import opus_payload
from telnyx_drivers._audio.rtp.av_codec import AvDecoder, AvEncoder
from telnyx_drivers._audio.rtp.libopus import BIT_RATE, OpusSettings


class AvOpusEncoder:
    """Implements `Encoder`."""

    clock_rate = opus_payload.CLOCK_RATE

    def __init__(self, settings: OpusSettings) -> None:
        self.sample_rate = settings.sample_rate
        options = {"application": "voip", "compression_level": str(settings.complexity)}
        self.encode = AvEncoder("libopus", self.sample_rate, bit_rate=BIT_RATE, options=options).encode

    def expect_loss(self, fraction: float) -> None:
        """FFmpeg takes this only when the encoder is opened."""

    def suppress_silence(self) -> bool:
        return False

    def limit(self, bits_per_second: int) -> bool:
        return False


class AvOpusDecoder:
    """Implements `Decoder`."""

    sample_rate = opus_payload.CLOCK_RATE
    clock_rate = opus_payload.CLOCK_RATE
    memoryless = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.decode = AvDecoder("libopus", self.sample_rate).decode

    def describe(self, payload: bytes) -> tuple[int, bool, bool]:
        return opus_payload.duration(payload), opus_payload.pauses(payload), False

    def decode_repair(self, payload: bytes, samples: int) -> Samples | None:
        return None

    def conceal(self, samples: int) -> Samples | None:
        return None
