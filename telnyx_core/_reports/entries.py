"""One second of a call in its report (STATS-200 to STATS-212): absent rather than null, averages to four places."""

from math import isfinite
from typing import Final

from attrs import frozen

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.utc import iso
from telnyx_core.stats import w3c
from telnyx_core.stats.interval import bitrate
from telnyx_core.stats.snapshot import StatsSnapshot

_WRITABLE: Final = ("connected", "completed")
"""The states of ICE in which the far end's consent is fresh (RFC 7675)."""
_PLACES: Final = 4  # decimals of an average (STATS-035)


@frozen
class StatsInterval:
    """The readings at the end and, if it is of the same peer, at the beginning of an interval. Epoch seconds."""

    started: float
    ended: float
    before: StatsSnapshot | None
    after: StatsSnapshot
    muted: bool

    def record(self) -> JsonObject:
        entry: JsonObject = {
            "intervalStartUtc": iso(self.started),
            "intervalEndUtc": iso(self.ended),
            "audio": _known(outbound=_outbound(self), inbound=_inbound(self)),
        }
        reading = self.after
        entry |= _known(
            connection=_connection(reading),
            ice=_ice(reading),
            transport=_known(
                iceState=reading.ice_state,
                dtlsState=reading.dtls_state,
                srtpCipher=reading.srtp_cipher,
                tlsVersion=reading.tls_version,
                selectedCandidatePairId=None if reading.pair is None else reading.pair.id,
            ),
            remoteRtcp=_known(inbound=_remote_inbound(reading), outbound=_remote_outbound(reading)),
        )
        return entry


def _outbound(taken: StatsInterval) -> JsonObject:
    reading = taken.after
    return _known(
        packetsSent=reading.packets_sent,
        bytesSent=reading.bytes_sent,
        audioLevelAvg=_average(reading.local_level),
        bitrateAvg=_average(_rate(taken, "bytes_sent")),
        localTrack=_track(taken),
        mediaSource=_known(
            id=w3c.SOURCE if reading.local_duration is not None else None,
            audioLevel=reading.local_level if reading.local_duration is not None else None,
            totalAudioEnergy=reading.local_energy,
            totalSamplesDuration=reading.local_duration,
        ),
        retransmittedPacketsSent=0 if reading.packets_sent is not None else None,
        retransmittedBytesSent=0 if reading.bytes_sent is not None else None,
        headerBytesSent=reading.header_bytes_sent,
        active=True if reading.packets_sent is not None else None,
        codec=_codec(reading),
    )


def _track(taken: StatsInterval) -> JsonObject:
    """The audio track. Audio is sent as it is given: one channel, at the codec's rate, without processing."""
    track: JsonObject = {"id": w3c.SOURCE, "enabled": not taken.muted, "muted": False, "readyState": "live"}
    codec = taken.after.codec
    if codec is not None:
        track["settings"] = {
            "channelCount": 1,
            # RFC 3551 section 4.5.2: G.722 is sampled at 16 kHz, whatever its clock says.
            "sampleRate": 16_000 if codec.mime_type.lower() == "audio/g722" else codec.clock_rate,
            "sampleSize": 16,
            "echoCancellation": False,
            "noiseSuppression": False,
            "autoGainControl": False,
        }
    return track


def _inbound(taken: StatsInterval) -> JsonObject:
    reading = taken.after
    return _known(
        packetsReceived=reading.packets_received,
        bytesReceived=reading.bytes_received,
        packetsLost=reading.packets_lost,
        packetsDiscarded=reading.packets_discarded,
        nackCount=0 if reading.packets_received is not None else None,
        headerBytesReceived=reading.header_bytes_received,
        jitterBufferDelay=reading.jitter_buffer_delay,
        jitterBufferEmittedCount=reading.jitter_buffer_emitted_count,
        jitterBufferTargetDelay=reading.jitter_buffer_target_delay,
        totalSamplesReceived=reading.total_samples_received,
        concealedSamples=reading.concealed_samples,
        concealmentEvents=reading.concealment_events,
        fecPacketsReceived=reading.fec_packets_received,
        audioLevelAvg=_average(reading.remote_level),
        jitterAvg=_average(None if reading.jitter is None else reading.jitter * 1000),
        bitrateAvg=_average(_rate(taken, "bytes_received")),
        totalAudioEnergy=reading.remote_energy,
        totalSamplesDuration=reading.remote_duration,
        codec=_codec(reading),
    )


def _connection(reading: StatsSnapshot) -> JsonObject:
    return _known(
        roundTripTimeAvg=_average(reading.round_trip_time),
        currentRoundTripTime=reading.round_trip_time,
        roundTripTimeSource=reading.round_trip_time_source,
        packetsSent=reading.transport_packets_sent,
        packetsReceived=reading.transport_packets_received,
        bytesSent=reading.transport_bytes_sent,
        bytesReceived=reading.transport_bytes_received,
    )


def _ice(reading: StatsSnapshot) -> JsonObject:
    pair = reading.pair
    if pair is None:
        return {}
    entry = dict(w3c.candidate_pair(reading) or {})
    for name in ("type", "transportId"):
        entry.pop(name, None)
    if reading.ice_state is not None:
        entry["writable"] = reading.ice_state in _WRITABLE
    for name, end, ident in (
        ("local", pair.local, w3c.local_id(pair.id)),
        ("remote", pair.remote, w3c.remote_id(pair.id)),
    ):
        candidate = w3c.candidate(end, ident, "")
        for extra in ("type", "transportId", "ip"):
            candidate.pop(extra, None)
        entry[name] = candidate
    return entry


def _remote_inbound(reading: StatsSnapshot) -> JsonObject:
    reported = w3c.remote_inbound_rtp(reading) or {}
    total, count = reading.remote_round_trip_total, reading.remote_round_trip_count
    return _known(
        packetsLost=reading.remote_packets_lost,
        fractionLost=reading.remote_fraction_lost,
        jitter=_average(None if reading.remote_jitter is None else reading.remote_jitter * 1000),
        roundTripTime=reported.get("roundTripTime"),
        totalRoundTripTime=total,
        roundTripTimeMeasurements=count,
        roundTripTimeAvg=_average(total / count) if total is not None and count else None,
    )


def _remote_outbound(reading: StatsSnapshot) -> JsonObject:
    return _known(packetsSent=reading.remote_packets_sent, bytesSent=reading.remote_bytes_sent)


def _codec(reading: StatsSnapshot) -> JsonObject:
    codec = reading.codec
    if codec is None:
        return {}
    return _known(
        mimeType=codec.mime_type,
        clockRate=codec.clock_rate,
        channels=codec.channels,
        payloadType=codec.payload_type,
        sdpFmtpLine=codec.sdp_fmtp_line,
        codecId=w3c.CODEC,
    )


def _rate(taken: StatsInterval, counter: str) -> float | None:
    before: int | None = None if taken.before is None else getattr(taken.before, counter)
    after: int | None = getattr(taken.after, counter)
    return bitrate(before, after, taken.ended - taken.started)


def _average(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, _PLACES)


def _known(**members: Json) -> JsonObject:
    """The known members: no nulls, no empty objects, no NaN or infinity (STATS-036)."""
    return {
        name: value
        for name, value in members.items()
        if value is not None and value != {} and not (isinstance(value, float) and not isfinite(value))
    }
