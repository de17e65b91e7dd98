"""What can encode and decode a leg's audio, by the names that SDP uses."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.rtp.g711 import PCMA, PCMU
from telnyx_drivers._audio.rtp.g722 import G722Decoder, G722Encoder
from telnyx_drivers._audio.rtp.libopus import OpusSettings
from telnyx_drivers._audio.rtp.opus import opus_decoder, opus_encoder


class Encoder(Protocol):
    @property
    def sample_rate(self) -> int:
        """Sample rate of the audio, in hertz."""
        ...

    @property
    def clock_rate(self) -> int:
        """Clock rate of RTP timestamps, in hertz; G.722's differs from its sample rate (RFC 3551 section 4.5.2)."""
        ...

    def encode(self, samples: Samples) -> bytes:
        """One payload for 20 ms of mono audio at ``sample_rate``."""
        ...

    def expect_loss(self, fraction: float) -> None:
        """The far end reports this share of packets lost: protect against it, if the codec can."""
        ...

    def suppress_silence(self) -> bool:
        """Make almost no payload for silence from now on (DTX); false for a codec that cannot."""
        ...

    def limit(self, bits_per_second: int) -> bool:
        """Use at most so much for payloads from now on (MEDIA-046); false for a codec of one rate."""
        ...


class Decoder(Protocol):
    @property
    def sample_rate(self) -> int: ...

    @property
    def clock_rate(self) -> int: ...

    @property
    def memoryless(self) -> bool:
        """A payload may be decoded before its turn, or twice: it means the same at any time."""
        ...

    def decode(self, payload: bytes) -> Samples:
        """Mono audio at ``sample_rate``; none at all for a payload that is broken."""
        ...

    def describe(self, payload: bytes) -> tuple[int, bool, bool]:
        """What the payload says without being decoded.

        Its length in clock units, 0 when it is broken; whether the sender says with it that it will send nothing for a
        while (DTX); whether it carries a copy of the frame before it.
        """
        ...

    def decode_repair(self, payload: bytes, samples: int) -> Samples | None:
        """The previous frame, decoded from the copy; ``None`` when there is no usable copy."""
        ...

    def conceal(self, samples: int) -> Samples | None:
        """The codec's own guess at a lost frame; ``None`` when it has none."""
        ...

    def reset(self) -> None:
        """The next payload is from another encoder: forget the former state."""
        ...


_ENCODERS: Final[Mapping[str, Callable[[OpusSettings], Encoder]]] = {
    "pcmu": lambda _: PCMU,
    "pcma": lambda _: PCMA,
    "g722": lambda _: G722Encoder(),
    "opus": opus_encoder,
}
_DECODERS: Final[Mapping[str, Callable[[], Decoder]]] = {
    "pcmu": lambda: PCMU,
    "pcma": lambda: PCMA,
    "g722": G722Decoder,
    "opus": opus_decoder,
}


def make_encoder(name: str, opus: OpusSettings | None = None) -> Encoder | None:
    """A new encoder; ``None`` for a codec that is not known here."""
    factory = _ENCODERS.get(name.lower())
    return None if factory is None else factory(opus or OpusSettings())


def make_decoder(name: str) -> Decoder | None:
    factory = _DECODERS.get(name.lower())
    return None if factory is None else factory()
