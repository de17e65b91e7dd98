"""Frames and reports as JSON, under the names that the documents give them (quality.md section 3)."""

from datetime import UTC, datetime

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import StatsFrame, StatsReport


def iso(wall: float) -> str:
    """Epoch seconds as ISO 8601 in UTC with milliseconds; a time outside the calendar gives the epoch."""
    try:
        moment = datetime.fromtimestamp(wall, UTC)
    except (OverflowError, OSError, ValueError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def frame_record(frame: StatsFrame) -> JsonObject:
    """A frame under its published names (STATS-100 to STATS-110)."""
    return {
        "callId": frame.call,
        "timestamp": round(frame.timestamp * 1000),
        "rtt": frame.rtt,
        "jitter": frame.jitter,
        "packetLoss": frame.packet_loss,
        "packetsSent": frame.packets_sent,
        "packetsReceived": frame.packets_received,
        "packetsLost": frame.packets_lost,
        "bytesSent": frame.bytes_sent,
        "bytesReceived": frame.bytes_received,
        "audioLevel": frame.audio_level,
        "localAudioLevel": frame.local_audio_level,
        "mos": frame.mos,
        "quality": frame.quality,
        "inboundAudio": frame.inbound_audio,
        "outboundAudio": frame.outbound_audio,
        "remoteInboundAudio": frame.remote_inbound_audio,
        "remoteOutboundAudio": frame.remote_outbound_audio,
        "held": frame.held,
        "muted": frame.muted,
    }


def report_record(report: StatsReport) -> JsonObject:
    """A report under its published names (STATS-130 to STATS-142)."""
    ended = report.ended
    record: JsonObject = {
        "callId": report.call,
        "direction": report.direction,
        "recoveredCallId": report.recovered_call_id,
        "duration": report.duration,
        "avgRtt": report.average_rtt,
        "maxRtt": report.greatest_rtt,
        "minRtt": report.least_rtt,
        "avgJitter": report.average_jitter,
        "maxJitter": report.greatest_jitter,
        "avgPacketLoss": report.average_packet_loss,
        "maxPacketLoss": report.greatest_packet_loss,
        "avgMos": report.average_mos,
        "minMos": report.least_mos,
        "quality": report.quality,
        "packetsSent": report.packets_sent,
        "packetsReceived": report.packets_received,
        "packetsLost": report.packets_lost,
        "bytesSent": report.bytes_sent,
        "bytesReceived": report.bytes_received,
        "cause": None if ended is None else ended.cause,
        "causeCode": None if ended is None else ended.cause_code,
        "sipCode": None if ended is None else ended.sip_code,
        "sipReason": None if ended is None else ended.sip_reason,
        "startTimestamp": iso(report.started_at),
        "endTimestamp": iso(report.ended_at),
        "telnyxSessionId": report.telnyx_session_id,
        "telnyxLegId": report.telnyx_leg_id,
        "callReportId": report.call_report_id,
        "warnings": [
            {
                "code": warning.code,
                "name": warning.name,
                "count": warning.count,
                "firstAt": iso(warning.first_at),
                "lastAt": iso(warning.last_at),
            }
            for warning in report.warnings
        ],
        "establishmentTimings": None if report.establishment is None else report.establishment.record(),
        "final": report.final,
    }
    if report.timeline is not None:
        record["timeline"] = list(report.timeline)
    return record
