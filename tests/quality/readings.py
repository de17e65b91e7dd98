"""Readings of peers, healthy unless a test says otherwise."""

from collections.abc import Callable

from telnyx_core.stats.snapshot import CandidateStats, CodecStats, PairStats, StatsSnapshot

PAIR = PairStats(
    id="a:b:20000",
    local=CandidateStats(address="192.0.2.1", port=40000, candidate_type="srflx"),
    remote=CandidateStats(address="198.51.100.2", port=20000, candidate_type="host"),
    requests_sent=9,
    responses_received=8,
)
OPUS = CodecStats(mime_type="audio/opus", clock_rate=48000, payload_type=111, channels=2)


def healthy(seconds: float, **changes: object) -> StatsSnapshot:
    """What a peer has counted after so many seconds: 50 packets of 160 bytes a second each way."""
    packets = round(50 * seconds)
    figures: dict[str, object] = {
        "packets_sent": packets,
        "bytes_sent": 160 * packets,
        "packets_received": packets,
        "bytes_received": 160 * packets,
        "packets_lost": 0,
        "jitter": 0.005,
        "round_trip_time": 0.04,
        "round_trip_time_source": "candidate-pair.currentRoundTripTime",
        "remote_packets_lost": 0,
        "remote_fraction_lost": 0.0,
        "remote_jitter": 0.003,
        "local_level": 0.1,
        "remote_level": 0.2,
        "codec": OPUS,
        "pair": PAIR,
        "ice_state": "completed",
        "dtls_state": "connected",
    }
    return StatsSnapshot(**{**figures, **changes})  # type: ignore[arg-type]


def since(start: float, **changes: object) -> Callable[[float], StatsSnapshot]:
    """A peer that began to count at ``start``."""
    return lambda now: healthy(now - start, **changes)
