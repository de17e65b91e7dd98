"""One reading of a peer's counters, as the media engine delivers it. W3C names (webrtc-stats), ``None`` for unknown."""

from math import isfinite

from attrs import field, frozen


def _finite(value: float | None) -> float | None:
    """STATS-036: what is no number is unknown."""
    return value if value is not None and isfinite(value) else None


@frozen(kw_only=True)
class CodecStats:
    mime_type: str
    clock_rate: int
    payload_type: int | None = None
    channels: int | None = None
    sdp_fmtp_line: str | None = None


@frozen(kw_only=True)
class CandidateStats:
    address: str = field(repr=False)
    port: int
    candidate_type: str
    protocol: str = "udp"
    relay_protocol: str | None = None
    network_type: str | None = None
    """``vpn`` where the interface says so; otherwise unknown."""


@frozen(kw_only=True)
class PairStats:
    """The candidate pair in use."""

    id: str
    state: str = "succeeded"
    local: CandidateStats
    remote: CandidateStats
    requests_sent: int | None = None
    """STUN checks on this pair, those for consent included (RFC 7675)."""
    responses_received: int | None = None
    """Answers to them."""


@frozen(kw_only=True)
class StatsSnapshot:
    """Counters are cumulative for the peer; levels are means over the time since the previous reading."""

    packets_sent: int | None = None
    bytes_sent: int | None = None
    """RTP payload."""
    packets_received: int | None = None
    bytes_received: int | None = None
    packets_lost: int | None = None
    packets_discarded: int | None = None
    jitter: float | None = field(default=None, converter=_finite)
    """Inbound, in seconds."""
    total_samples_received: int | None = None
    concealed_samples: int | None = None
    concealment_events: int | None = None
    jitter_buffer_delay: float | None = field(default=None, converter=_finite)
    """Seconds, summed over emitted samples."""
    jitter_buffer_emitted_count: int | None = None
    jitter_buffer_target_delay: float | None = field(default=None, converter=_finite)
    """Seconds, summed likewise."""
    inserted_samples: int | None = None
    removed_samples: int | None = None
    """To change the delay (W3C ``insertedSamplesForDeceleration``, ``removedSamplesForAcceleration``)."""
    fec_packets_received: int | None = None

    remote_packets_sent: int | None = None
    remote_bytes_sent: int | None = None
    """What the far end says it has sent."""
    remote_packets_lost: int | None = None
    """What the far end says it lost of ours."""
    remote_jitter: float | None = field(default=None, converter=_finite)
    """Seconds."""
    remote_fraction_lost: float | None = field(default=None, converter=_finite)
    """0 to 1."""
    remote_round_trip_time: float | None = field(default=None, converter=_finite)
    remote_round_trip_total: float | None = field(default=None, converter=_finite)
    """Seconds: the newest, and all of them together, that the far end's reports gave."""
    remote_round_trip_count: int | None = None
    round_trip_time: float | None = field(default=None, converter=_finite)
    """Seconds."""
    round_trip_time_source: str | None = None
    """Which W3C member it stands for."""

    local_level: float | None = field(default=None, converter=_finite)
    """0 to 1, of what is sent, before mute."""
    remote_level: float | None = field(default=None, converter=_finite)
    """0 to 1, of what is heard."""
    local_energy: float | None = field(default=None, converter=_finite)
    local_duration: float | None = field(default=None, converter=_finite)
    remote_energy: float | None = field(default=None, converter=_finite)
    remote_duration: float | None = field(default=None, converter=_finite)
    """W3C ``totalAudioEnergy`` and ``totalSamplesDuration`` in seconds, of the call: they outlive its peers."""
    intentionally_silent: bool = False
    """The source says that it has nothing to say."""

    header_bytes_sent: int | None = None
    header_bytes_received: int | None = None
    """Of RTP: headers with their extensions, and padding."""
    transport_packets_sent: int | None = None
    transport_bytes_sent: int | None = None
    transport_packets_received: int | None = None
    transport_bytes_received: int | None = None
    """RTP and RTCP of this peer, headers included."""

    codec: CodecStats | None = None
    pair: PairStats | None = None
    ice_state: str | None = None
    dtls_state: str | None = None
    srtp_cipher: str | None = None
    tls_version: str | None = None
