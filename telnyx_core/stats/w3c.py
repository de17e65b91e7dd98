"""A reading as a W3C statistics report (webrtc-stats): a list of objects with stable ids, unknown members absent.

Times are seconds and counters cumulative, as the W3C has them; ``timestamp`` is epoch milliseconds. A member
that this project can only estimate is not there at all.
"""

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.stats.snapshot import CandidateStats, StatsSnapshot

INBOUND = "inbound-audio"
OUTBOUND = "outbound-audio"
REMOTE_INBOUND = "remote-inbound-audio"
REMOTE_OUTBOUND = "remote-outbound-audio"
SOURCE = "audio-source"
TRANSPORT = "transport"
CODEC = "codec"


def rtc_stats(reading: StatsSnapshot, timestamp: float) -> tuple[JsonObject, ...]:
    """All the objects of one reading, with ``timestamp`` in epoch milliseconds."""
    pair = reading.pair
    objects = [
        outbound_rtp(reading),
        inbound_rtp(reading),
        remote_inbound_rtp(reading),
        remote_outbound_rtp(reading),
        _media_source(reading),
        _codec(reading),
        _transport(reading),
    ]
    if pair is not None:
        objects += [
            candidate_pair(reading),
            candidate(pair.local, local_id(pair.id), "local-candidate"),
            candidate(pair.remote, remote_id(pair.id), "remote-candidate"),
        ]
    return tuple({**entry, "timestamp": timestamp} for entry in objects if entry is not None)


def outbound_rtp(reading: StatsSnapshot) -> JsonObject | None:
    """What we send; ``None`` when nothing of it is known."""
    return _object(
        OUTBOUND,
        "outbound-rtp",
        {"kind": "audio", "remoteId": REMOTE_INBOUND, "mediaSourceId": SOURCE, "codecId": _codec_id(reading)},
        packetsSent=reading.packets_sent,
        bytesSent=reading.bytes_sent,
        headerBytesSent=reading.header_bytes_sent,
    )


def inbound_rtp(reading: StatsSnapshot) -> JsonObject | None:
    """What we receive."""
    return _object(
        INBOUND,
        "inbound-rtp",
        {"kind": "audio", "remoteId": REMOTE_OUTBOUND, "codecId": _codec_id(reading)},
        packetsReceived=reading.packets_received,
        bytesReceived=reading.bytes_received,
        headerBytesReceived=reading.header_bytes_received,
        packetsLost=reading.packets_lost,
        packetsDiscarded=reading.packets_discarded,
        jitter=reading.jitter,
        totalSamplesReceived=reading.total_samples_received,
        concealedSamples=reading.concealed_samples,
        concealmentEvents=reading.concealment_events,
        insertedSamplesForDeceleration=reading.inserted_samples,
        removedSamplesForAcceleration=reading.removed_samples,
        jitterBufferDelay=reading.jitter_buffer_delay,
        jitterBufferTargetDelay=reading.jitter_buffer_target_delay,
        jitterBufferEmittedCount=reading.jitter_buffer_emitted_count,
        fecPacketsReceived=reading.fec_packets_received,
        audioLevel=reading.remote_level,
        totalAudioEnergy=reading.remote_energy,
        totalSamplesDuration=reading.remote_duration,
    )


def remote_inbound_rtp(reading: StatsSnapshot) -> JsonObject | None:
    """What the far end says of our stream."""
    rtt = reading.remote_round_trip_time
    if rtt is None and reading.round_trip_time_source == "remote-inbound-rtp.roundTripTime":
        rtt = reading.round_trip_time
    return _object(
        REMOTE_INBOUND,
        "remote-inbound-rtp",
        {"kind": "audio", "localId": OUTBOUND, "codecId": _codec_id(reading)},
        packetsLost=reading.remote_packets_lost,
        fractionLost=reading.remote_fraction_lost,
        jitter=reading.remote_jitter,
        roundTripTime=rtt,
        totalRoundTripTime=reading.remote_round_trip_total,
        roundTripTimeMeasurements=reading.remote_round_trip_count,
    )


def remote_outbound_rtp(reading: StatsSnapshot) -> JsonObject | None:
    """What the far end says that it sends."""
    return _object(
        REMOTE_OUTBOUND,
        "remote-outbound-rtp",
        {"kind": "audio", "localId": INBOUND, "codecId": _codec_id(reading)},
        packetsSent=reading.remote_packets_sent,
        bytesSent=reading.remote_bytes_sent,
    )


def candidate_pair(reading: StatsSnapshot) -> JsonObject | None:
    """The pair in use."""
    pair = reading.pair
    if pair is None:
        return None
    rtt = reading.round_trip_time if reading.round_trip_time_source != "remote-inbound-rtp.roundTripTime" else None
    return _object(
        pair.id,
        "candidate-pair",
        {
            "transportId": TRANSPORT,
            "localCandidateId": local_id(pair.id),
            "remoteCandidateId": remote_id(pair.id),
            "state": pair.state,
            "nominated": True,
        },
        state=pair.state,
        currentRoundTripTime=rtt,
        requestsSent=pair.requests_sent,
        responsesReceived=pair.responses_received,
    )


def candidate(stats: CandidateStats, ident: str, kind: str) -> JsonObject:
    """One end of the pair."""
    entry: dict[str, Json] = {
        "id": ident,
        "type": kind,
        "transportId": TRANSPORT,
        "address": stats.address,
        "ip": stats.address,
        "port": stats.port,
        "protocol": stats.protocol,
        "candidateType": stats.candidate_type,
        "relayProtocol": stats.relay_protocol,
        "networkType": stats.network_type,
    }
    return {name: value for name, value in entry.items() if value is not None}


def local_id(pair: str) -> str:
    return f"local:{pair}"


def remote_id(pair: str) -> str:
    return f"remote:{pair}"


def _media_source(reading: StatsSnapshot) -> JsonObject | None:
    return _object(
        SOURCE,
        "media-source",
        {"kind": "audio", "trackIdentifier": SOURCE},
        audioLevel=reading.local_level,
        totalAudioEnergy=reading.local_energy,
        totalSamplesDuration=reading.local_duration,
    )


def _codec(reading: StatsSnapshot) -> JsonObject | None:
    codec = reading.codec
    if codec is None:
        return None
    return _object(
        CODEC,
        "codec",
        {"transportId": TRANSPORT},
        mimeType=codec.mime_type,
        clockRate=codec.clock_rate,
        payloadType=codec.payload_type,
        channels=codec.channels,
        sdpFmtpLine=codec.sdp_fmtp_line,
    )


def _transport(reading: StatsSnapshot) -> JsonObject | None:
    return _object(
        TRANSPORT,
        "transport",
        {} if reading.pair is None else {"selectedCandidatePairId": reading.pair.id},
        packetsSent=reading.transport_packets_sent,
        bytesSent=reading.transport_bytes_sent,
        packetsReceived=reading.transport_packets_received,
        bytesReceived=reading.transport_bytes_received,
        iceState=reading.ice_state,
        dtlsState=reading.dtls_state,
        srtpCipher=reading.srtp_cipher,
        tlsVersion=reading.tls_version,
    )


def _codec_id(reading: StatsSnapshot) -> Json:
    return None if reading.codec is None else CODEC


def _object(ident: str, kind: str, links: JsonObject, **members: Json) -> JsonObject | None:
    """``None`` unless at least one of the members is known."""
    known = {name: value for name, value in members.items() if value is not None}
    if not known:
        return None
    return {"id": ident, "type": kind, **{name: value for name, value in links.items() if value is not None}, **known}
