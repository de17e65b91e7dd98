"""A peer's counters as the core reads them (quality.md section 2): under the W3C's names."""

from attrs import evolve, field, frozen

from telnyx_core.stats.snapshot import CodecStats, StatsSnapshot
from telnyx_drivers._audio.levels import LevelTotals
from telnyx_drivers._webrtc.call_audio import AudioCounts, CallAudio
from telnyx_drivers._webrtc.peer_transport import PeerTransport
from telnyx_drivers._webrtc.rtp_path import RtpStats
from telnyx_drivers._webrtc.sdp import RtpMap

PAIR_ROUND_TRIP = "candidate-pair.currentRoundTripTime"
REPORTED_ROUND_TRIP = "remote-inbound-rtp.roundTripTime"


def read_peer(
    transport: PeerTransport, codec: RtpMap | None, rtp: RtpStats, pair_round_trip: float | None
) -> StatsSnapshot:
    """All but the levels.

    ``codec`` is what is sent, once it is negotiated; ``pair_round_trip`` is seconds, from STUN on the pair in use
    (STATS-033).
    """
    round_trip, source = pair_round_trip, PAIR_ROUND_TRIP
    if round_trip is None:
        round_trip, source = rtp.round_trip, REPORTED_ROUND_TRIP
    return StatsSnapshot(
        packets_sent=rtp.packets_sent,
        bytes_sent=rtp.bytes_sent,
        packets_received=rtp.packets_received,
        bytes_received=rtp.bytes_received,
        packets_lost=rtp.packets_lost,
        packets_discarded=rtp.packets_discarded,
        jitter=rtp.jitter,
        total_samples_received=rtp.samples_received,
        concealed_samples=rtp.concealed_samples,
        concealment_events=rtp.concealment_events,
        jitter_buffer_delay=rtp.jitter_buffer_delay,
        jitter_buffer_emitted_count=rtp.jitter_buffer_emitted_count,
        jitter_buffer_target_delay=rtp.jitter_buffer_target_delay,
        inserted_samples=rtp.inserted_samples,
        removed_samples=rtp.removed_samples,
        fec_packets_received=rtp.fec_packets_received,
        remote_packets_sent=rtp.remote_packets_sent,
        remote_bytes_sent=rtp.remote_bytes_sent,
        remote_packets_lost=rtp.remote_packets_lost,
        remote_jitter=rtp.remote_jitter,
        remote_fraction_lost=rtp.remote_fraction_lost,
        remote_round_trip_time=rtp.round_trip,
        remote_round_trip_total=rtp.round_trip_total,
        remote_round_trip_count=rtp.round_trip_count or None,
        round_trip_time=round_trip,
        round_trip_time_source=None if round_trip is None else source,
        header_bytes_sent=rtp.header_bytes_sent,
        header_bytes_received=rtp.header_bytes_received,
        transport_packets_sent=rtp.transport_packets_sent,
        transport_bytes_sent=rtp.transport_bytes_sent,
        transport_packets_received=rtp.transport_packets_received,
        transport_bytes_received=rtp.transport_bytes_received,
        codec=None if codec is None else _codec(codec),
        pair=transport.ice.pair,
        ice_state=transport.ice.state,
        dtls_state=transport.dtls.state,
        srtp_cipher=transport.dtls.srtp_profile,
        tls_version=transport.dtls.tls_version,
    )


@frozen
class Levels:
    """How loud a call was between one reading and the next. Keep the last one to take the next from it."""

    sent: LevelTotals = field(factory=LevelTotals)
    heard: LevelTotals = field(factory=LevelTotals)
    counts: AudioCounts = field(factory=AudioCounts)

    def add_to(self, reading: StatsSnapshot, audio: CallAudio) -> tuple[StatsSnapshot, "Levels"]:
        """The reading with the levels since this one (STATS-031), and what the next is measured from."""
        now = Levels(audio.sent_level.totals, audio.heard_level.totals, audio.counts)
        silent = now.counts.sent - self.counts.sent == now.counts.sent_silent - self.counts.sent_silent
        complete = evolve(
            reading,
            local_level=now.sent.level_since(self.sent),
            remote_level=now.heard.level_since(self.heard),
            local_energy=now.sent.energy,
            local_duration=now.sent.duration,
            remote_energy=now.heard.energy,
            remote_duration=now.heard.duration,
            intentionally_silent=silent,
        )
        return complete, now


def _codec(codec: RtpMap) -> CodecStats:
    return CodecStats(
        mime_type=f"audio/{codec.name}",
        clock_rate=codec.clock_rate,
        payload_type=codec.payload_type,
        channels=codec.channels,
    )
