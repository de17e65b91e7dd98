"""The final report of a call as the application heard it (quality.md 3.2), written down as JSON."""

from attrs import evolve

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_drivers._tools.report.call_timeline import CallTimeline, Fact, Note, Step, Story, Totals
from telnyx_drivers._tools.report.facts import counted, spread
from telnyx_drivers._tools.report.facts import number as shown
from telnyx_drivers._tools.report.from_debug import read_debug
from telnyx_drivers._tools.report.json_reading import items, moment, number, obj, text, whole


def is_stats_report(value: Json) -> bool:
    return isinstance(value, dict) and "callId" in value and "avgMos" in value and "startTimestamp" in value


def read_stats_report(report: JsonObject) -> Story:
    timeline = items(report, "timeline")
    told = read_debug(timeline).calls[0] if timeline else CallTimeline(id="")
    started, ended = moment(report, "startTimestamp"), moment(report, "endTimestamp")
    duration = number(report, "duration")
    active = told.active_at
    if active is None and ended is not None and duration:
        active = ended - duration
    call = evolve(
        told,
        id=text(report, "callId"),
        direction=text(report, "direction") or None,
        started_at=started,
        active_at=active,
        ended_at=ended,
        cause=text(report, "cause") or None,
        ended_by=_ended_by(report),
        recovered=bool(text(report, "recoveredCallId")),
        totals=Totals(
            mos=number(report, "avgMos"),
            least_mos=number(report, "minMos"),
            rtt=number(report, "avgRtt"),
            most_rtt=number(report, "maxRtt"),
            jitter=number(report, "avgJitter"),
            most_jitter=number(report, "maxJitter"),
            loss=number(report, "avgPacketLoss"),
            most_loss=number(report, "maxPacketLoss"),
        ),
        facts=(*_facts(report), *told.facts),
        notes=told.notes or tuple(_notes(report)),
        steps=tuple(
            Step(text(step, "label"), number(step, "fromStart") or 0.0, number(step, "delta") or 0.0)
            for step in items(obj(report, "establishmentTimings"), "steps")
        ),
    )
    remark = (
        () if timeline else ("A final report has totals only; charts need a journal, a debug file or a call report.",)
    )
    messages = read_debug(timeline).messages if timeline else ()
    return Story(source="stats report", made_by="telnyx-rtc", calls=(call,), messages=messages, remarks=remark)


def _notes(report: JsonObject) -> list[Note]:
    notes: list[Note] = []
    for warning in items(report, "warnings"):
        for name in ("firstAt", "lastAt"):
            at = moment(warning, name)
            if at is not None and (name == "firstAt" or (whole(warning, "count") or 0) > 1):
                notes.append(Note(at, "warning", whole(warning, "code"), text(warning, "name")))
    return notes


def _ended_by(report: JsonObject) -> str:
    cause, code = text(report, "cause"), text(report, "causeCode")
    sip, reason = text(report, "sipCode"), text(report, "sipReason")
    return (f"{cause} ({code})" if cause else "") + (f", SIP {sip} {reason}".rstrip() if cause and sip else "")


def _facts(report: JsonObject) -> tuple[Fact, ...]:
    rows = (
        Fact("Duration", shown(number(report, "duration"), "s", 1)),
        Fact("Round trip", spread(number(report, "avgRtt"), number(report, "minRtt"), number(report, "maxRtt"), "ms")),
        Fact("Jitter", spread(number(report, "avgJitter"), None, number(report, "maxJitter"), "ms")),
        Fact("Packet loss", spread(number(report, "avgPacketLoss"), None, number(report, "maxPacketLoss"), "%", 2)),
        Fact("MOS", spread(number(report, "avgMos"), number(report, "minMos"), None, "", 2)),
        Fact("Sent", counted(whole(report, "packetsSent"), whole(report, "bytesSent"))),
        Fact("Received", counted(whole(report, "packetsReceived"), whole(report, "bytesReceived"))),
        Fact("Ended by", _ended_by(report)),
        Fact("Telnyx session", text(report, "telnyxSessionId")),
        Fact("Telnyx leg", text(report, "telnyxLegId")),
        Fact("Call report", text(report, "callReportId")),
    )
    return tuple(row for row in rows if row.value)
