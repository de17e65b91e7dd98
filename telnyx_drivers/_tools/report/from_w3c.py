"""Readings from W3C statistics objects, of this project or of a browser."""

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.stats.snapshot import CandidateStats, CodecStats, PairStats, StatsSnapshot
from telnyx_drivers._tools.report.json_reading import number, obj, text, whole


def reading(
    *,
    inbound: JsonObject,
    outbound: JsonObject,
    remote_inbound: JsonObject,
    pair: JsonObject,
    said: float | None = None,
) -> StatsSnapshot:
    """``pair`` has its ends in it, as ``local`` and ``remote``. ``said`` is the level of the source, 0 to 1."""
    rtt, source = number(pair, "currentRoundTripTime"), "candidate-pair.currentRoundTripTime"
    if rtt is None:
        rtt, source = number(remote_inbound, "roundTripTime"), "remote-inbound-rtp.roundTripTime"
    return StatsSnapshot(
        packets_sent=whole(outbound, "packetsSent"),
        bytes_sent=whole(outbound, "bytesSent"),
        packets_received=whole(inbound, "packetsReceived"),
        bytes_received=whole(inbound, "bytesReceived"),
        packets_lost=whole(inbound, "packetsLost"),
        packets_discarded=whole(inbound, "packetsDiscarded"),
        jitter=number(inbound, "jitter"),
        total_samples_received=whole(inbound, "totalSamplesReceived"),
        concealed_samples=whole(inbound, "concealedSamples"),
        concealment_events=whole(inbound, "concealmentEvents"),
        jitter_buffer_delay=number(inbound, "jitterBufferDelay"),
        jitter_buffer_emitted_count=whole(inbound, "jitterBufferEmittedCount"),
        remote_packets_lost=whole(remote_inbound, "packetsLost"),
        remote_jitter=number(remote_inbound, "jitter"),
        remote_fraction_lost=number(remote_inbound, "fractionLost"),
        round_trip_time=rtt,
        round_trip_time_source=None if rtt is None else source,
        local_level=number(outbound, "audioLevel") if said is None else said,
        remote_level=number(inbound, "audioLevel"),
        codec=_codec(inbound),
        pair=_pair(pair),
    )


def _codec(entry: JsonObject) -> CodecStats | None:
    rate = whole(entry, "clockRate")
    mime = text(entry, "mimeType")
    return CodecStats(mime_type=mime, clock_rate=rate) if rate and mime else None


def _pair(pair: JsonObject) -> PairStats | None:
    local, remote = (_end(obj(pair, name)) for name in ("local", "remote"))
    if local is None or remote is None:
        return None
    sent, answered = (whole(pair, name) for name in ("requestsSent", "responsesReceived"))
    return PairStats(id=text(pair, "id"), local=local, remote=remote, requests_sent=sent, responses_received=answered)


def _end(entry: JsonObject) -> CandidateStats | None:
    address, kind = text(entry, "address") or text(entry, "ip"), text(entry, "candidateType")
    if not kind:
        return None
    return CandidateStats(
        address=address,
        port=whole(entry, "port") or 0,
        candidate_type=kind,
        protocol=text(entry, "protocol") or "udp",
        relay_protocol=text(entry, "relayProtocol") or None,
        network_type=text(entry, "networkType") or None,
    )
