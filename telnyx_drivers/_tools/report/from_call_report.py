"""A call report as it was uploaded, ours or the reference SDK's, in one or more segments (quality.md 4.1 to 4.3)."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, cast

from attrs import evolve

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import redact
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.stats.mos import mos
from telnyx_drivers._tools.cli.ladder import frame_label
from telnyx_drivers._tools.report.call_timeline import (
    CallTimeline,
    Change,
    End,
    Fact,
    Message,
    Note,
    Path,
    Sample,
    Story,
)
from telnyx_drivers._tools.report.fold import folded
from telnyx_drivers._tools.report.json_reading import items, moment, number, obj, text, whole

_CODE: Final = re.compile(r"\b(3[1-6]\d{3}|4[0-9]\d{3})\b")
_NAMES: Final = {int(code): code.name for kind in (ErrorCode, WarningCode) for code in kind}
_MOVED: Final = re.compile(r"^\w+ → (\w+)$")


def is_call_report(value: Json) -> bool:
    return isinstance(value, dict) and isinstance(value.get("summary"), dict) and "stats" in value


def read_call_report(segments: Sequence[JsonObject]) -> Story:
    """Segments of one call, in any order. Raises `ValueError` where they are of several."""
    calls = {text(segment, "summary", "callId") for segment in segments}
    if len(calls) != 1:
        raise ValueError(f"segments of {len(calls)} calls")
    ordered = sorted(segments, key=lambda segment: whole(segment, "segment") or 0)
    summary = obj(ordered[-1], "summary")
    entries = [entry for segment in ordered for entry in items(segment, "stats")]
    logs = [entry for segment in ordered for entry in items(segment, "logs")]
    started, ended = moment(summary, "startTimestamp"), moment(summary, "endTimestamp")
    states = [change for change in map(_state, logs) if change is not None]
    active = min((change.at for change in states if change.state == "active"), default=None)
    if active is None and entries:
        active = moment(entries[0], "intervalStartUtc")
    call = CallTimeline(
        id=text(summary, "callId"),
        direction=text(summary, "direction") or None,
        local_number=text(summary, "callerNumber"),
        remote_number=text(summary, "destinationNumber"),
        started_at=started,
        active_at=active,
        ended_at=ended,
        recovered=any(change.state == "recovering" for change in states),
        facts=_facts(summary),
        samples=tuple(_samples(entries)),
        changes=(*states, *_layers(entries)),
        notes=tuple(_notes(logs)),
        paths=tuple(_paths(entries)),
    )
    version = text(summary, "sdkVersion")
    return Story(
        source="call report",
        made_by=f"SDK {version}" if version else "",
        calls=(call,),
        messages=tuple(folded(_messages(logs))),
    )


def _samples(entries: list[JsonObject]) -> Iterator[Sample]:
    before: JsonObject = {}
    for entry in entries:
        at = moment(entry, "intervalEndUtc")
        if at is None:
            continue
        inbound, outbound = obj(entry, "audio", "inbound"), obj(entry, "audio", "outbound")
        rtt, jitter = number(entry, "connection", "roundTripTimeAvg"), number(inbound, "jitterAvg")
        received, lost = (_growth(before, inbound, name) for name in ("packetsReceived", "packetsLost"))
        loss = None if received is None or lost is None or received + lost <= 0 else 100 * lost / (received + lost)
        delayed, emitted = (
            _growth(before, inbound, name) for name in ("jitterBufferDelay", "jitterBufferEmittedCount")
        )
        concealed, heard = (_growth(before, inbound, name) for name in ("concealedSamples", "totalSamplesReceived"))
        known = rtt is not None or jitter is not None
        yield Sample(
            at=at,
            rtt=None if rtt is None else 1000 * rtt,
            jitter=jitter,
            loss=loss,
            mos=mos(jitter or 0, 1000 * (rtt or 0), loss or 0) if known else None,
            heard=number(inbound, "audioLevelAvg"),
            said=number(outbound, "audioLevelAvg"),
            received=_kilo(number(inbound, "bitrateAvg")),
            sent=_kilo(number(outbound, "bitrateAvg")),
            concealed=None if concealed is None or not heard else min(100.0, 100 * concealed / heard),
            delay=None if delayed is None or not emitted else 1000 * delayed / emitted,
        )
        before = inbound


def _growth(before: JsonObject, after: JsonObject, name: str) -> float | None:
    earlier, later = number(before, name), number(after, name)
    return None if earlier is None or later is None or later < earlier else later - earlier


def _kilo(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _layers(entries: list[JsonObject]) -> Iterator[Change]:
    """What the transport said, where that changed from one second to the next."""
    seen: dict[str, str] = {}
    for entry in entries:
        at = moment(entry, "intervalEndUtc")
        for lane, name in (("ice", "iceState"), ("dtls", "dtlsState")):
            state = text(entry, "transport", name)
            if at is not None and state and seen.get(lane) != state:
                seen[lane] = state
                yield Change(at, "ice" if lane == "ice" else "dtls", state)


def _paths(entries: list[JsonObject]) -> Iterator[Path]:
    last: Path | None = None
    for entry in entries:
        at, ice = moment(entry, "intervalEndUtc"), obj(entry, "ice")
        local, remote = (_end(obj(ice, name)) for name in ("local", "remote"))
        if at is None or local is None or remote is None:
            continue
        found = Path(at, local, remote)
        if last is None or evolve(last, at=at) != found:
            yield found
            last = found


def _end(entry: JsonObject) -> End | None:
    kind = text(entry, "candidateType")
    if not kind:
        return None
    return End(
        text(entry, "address"),
        whole(entry, "port"),
        kind,
        text(entry, "protocol"),
        text(entry, "networkType") or None,
        text(entry, "relayProtocol") or None,
    )


def _state(entry: JsonObject) -> Change | None:
    at, moved = moment(entry, "timestamp"), _MOVED.match(text(entry, "message"))
    return None if at is None or moved is None else Change(at, "call", moved[1])


def _notes(logs: list[JsonObject]) -> Iterator[Note]:
    for entry in logs:
        at, level = moment(entry, "timestamp"), text(entry, "level")
        if at is None or level not in ("warn", "error"):
            continue
        message = text(entry, "message")
        code = _CODE.search(message + json.dumps(entry.get("context") or ""))
        number_found = None if code is None else int(code[1])
        name = _NAMES.get(number_found or 0) or message[:80]
        yield Note(at, "warning" if level == "warn" else "error", number_found, name)


def _messages(logs: list[JsonObject]) -> Iterator[Message]:
    for entry in logs:
        at, message = moment(entry, "timestamp"), text(entry, "message")
        if at is None:
            continue
        direction = next((word for word in ("SEND", "RECV") if message.lstrip().startswith(word)), None)
        frame = _frame(entry) if direction is not None else None
        if frame is not None:
            detail = json.dumps(frame)
            label, bad = frame_label(detail)
            yield Message(at, "server", label, direction == "SEND", bad, detail=detail)
        elif text(entry, "level") in ("warn", "error"):
            yield Message(at, "self", message[:120], True, text(entry, "level") == "error")
        elif moved := _MOVED.match(message):
            yield Message(at, "app", moved[1], True)


def _frame(entry: JsonObject) -> JsonObject | None:
    """The frame of a SEND or RECV entry: its context, or JSON within its message."""
    context = entry.get("context")
    if isinstance(context, dict) and ("jsonrpc" in context or "method" in context):
        return context
    message = text(entry, "message")
    start = message.find("{")
    if start < 0:
        return None
    try:
        frame = cast("Json", json.loads(message[start:]))
    except (ValueError, RecursionError):
        return None
    return cast("JsonObject", redact(frame)) if isinstance(frame, dict) else None


def _facts(summary: JsonObject) -> tuple[Fact, ...]:
    client = obj(summary, "clientSummary")
    connection, media = obj(client, "connection"), obj(client, "media")
    duration = number(summary, "durationSeconds")
    rows = (
        Fact("Duration", "" if duration is None else f"{duration:,.1f} s"),
        Fact("State", text(summary, "state")),
        Fact("Telnyx session", text(summary, "telnyxSessionId")),
        Fact("Telnyx leg", text(summary, "telnyxLegId")),
        Fact("Login", text(client, "authentication", "type")),
        Fact("Server", text(connection, "host")),
        Fact("Region", " ".join(filter(None, (text(connection, "region"), text(connection, "dc"))))),
        Fact("Keeps media over a lost socket", text(connection, "keepConnectionAliveOnSocketClose")),
        Fact("Trickle", text(media, "trickleIce")),
        Fact("Relays only", text(media, "forceRelayCandidate")),
        Fact("ICE servers", ", ".join(text(server, "urls") or _first(server) for server in items(media, "iceServers"))),
    )
    return tuple(row for row in rows if row.value)


def _first(server: JsonObject) -> str:
    urls = server.get("urls")
    return str(urls[0]) if isinstance(urls, list) and urls else ""
