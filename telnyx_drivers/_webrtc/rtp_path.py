"""The interface between a peer and what carries its audio in RTP: any `RtpPath` can drive any `AudioPort`.

The peer owns signalling, ICE and DTLS; the path owns packets, codecs, timing and statistics of one peer. `direct_rtp`
is the default; another one is passed to the engine as another `RtpPathFactory`.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from attrs import frozen

from telnyx_core.actions import DigitTone
from telnyx_drivers._webrtc.ports import AudioPort


@frozen
class RtpCodec:
    """One negotiated codec. ``clock_rate`` in hertz, as RTP counts: 8000 for G.722, whose audio has 16000."""

    payload_type: int
    name: str
    clock_rate: int


@frozen(kw_only=True)
class AgreedAudio:
    """What both descriptions say together."""

    codecs: tuple[RtpCodec, ...]
    """Any of these may be received; the first is sent."""
    telephone_events: Mapping[int, int]
    """Payload types of RFC 4733 events, with their clock rate in hertz."""
    sends: bool
    receives: bool
    silence_suppression: bool = False
    """What is silent need not be sent."""
    comfort_noise: bool = False
    """The far end takes a description of the silence instead (RFC 3389)."""


@frozen(kw_only=True)
class RtpStats:
    """Counters since the path was made; ``None`` is unknown. Times in seconds, bytes are payload."""

    packets_sent: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    bytes_received: int = 0
    packets_lost: int | None = None
    jitter: float | None = None
    round_trip: float | None = None
    """From the far end's receiver reports (RFC 3550 section 6.4.1)."""
    round_trip_total: float | None = None
    round_trip_count: int = 0
    """Of all those that were measured so."""
    header_bytes_sent: int | None = None
    header_bytes_received: int | None = None
    """Of RTP: headers with their extensions, and padding."""
    transport_packets_sent: int | None = None
    transport_bytes_sent: int | None = None
    transport_packets_received: int | None = None
    transport_bytes_received: int | None = None
    """RTP and RTCP, headers included, before encryption."""
    # What follows needs a jitter buffer of our own; names and meanings are W3C's, samples in units of the RTP clock
    # but for the three that count audio given out.
    packets_discarded: int | None = None
    packets_late: int | None = None
    """Of those discarded: came after their time."""
    fec_packets_received: int | None = None
    concealed_samples: int | None = None
    concealment_events: int | None = None
    samples_received: int | None = None
    inserted_samples: int | None = None
    removed_samples: int | None = None
    jitter_buffer_delay: float | None = None
    """Summed over all samples emitted; the mean is this by ``jitter_buffer_emitted_count``."""
    jitter_buffer_target_delay: float | None = None
    jitter_buffer_emitted_count: int | None = None
    remote_packets_lost: int | None = None
    remote_fraction_lost: float | None = None
    """0 to 1, over the far end's last interval."""
    remote_jitter: float | None = None
    remote_packets_sent: int | None = None
    remote_bytes_sent: int | None = None


OnData: TypeAlias = Callable[[bytes], None]


class Wire(Protocol):
    """What carries the packets of a path."""

    @property
    def open(self) -> bool: ...

    def send(self, packet: bytes) -> None: ...

    def send_rtcp(self, packet: bytes) -> None: ...

    def close(self) -> None: ...


@frozen(kw_only=True)
class RtpWiring:
    """What a path is given when its peer is built, before anything is negotiated."""

    ssrc: int
    cname: str
    """As the local description says."""
    wire: Callable[[OnData, OnData], Wire]
    """Makes what carries the packets, given what takes RTP and what takes RTCP, once keys are agreed."""
    port: AudioPort
    heard: Callable[[], None]
    """To be called once, when the first audio packet has arrived."""
    digit: Callable[[str, float], None]
    """To be called for each digit of the far end, with its duration in seconds (SRV-005)."""
    tap: Callable[[bytes, bool], None] | None = None
    """Wants every RTP and RTCP packet in the clear; true: it was sent."""


class RtpPath(Protocol):
    """All on the media loop."""

    def start(self, agreed: AgreedAudio) -> None:
        """Keys are agreed; the first packet may arrive as soon as this returns. Called at most once."""
        ...

    def send_digits(self, digits: str, tone: DigitTone) -> bool:
        """Queue ``0-9 * # A-D`` as RFC 4733 events; false when this path or the far end does not speak them."""
        ...

    @property
    def sending_digits(self) -> bool:
        """Some have not gone out yet."""
        ...

    def limit_bit_rate(self, bits_per_second: int) -> bool:
        """Spend at most so much on payloads (MEDIA-046); false before `start`, and where the codec has one rate."""
        ...

    def stats(self) -> RtpStats: ...

    async def stop(self) -> None:
        """End every task, whether or not the path was started. Called once, before the transport is closed."""
        ...


RtpPathFactory: TypeAlias = Callable[[RtpWiring], RtpPath]
