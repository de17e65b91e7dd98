"""A part of a call's report, and how it is written for the platform (STATS-224, STATS-227, STATS-230 to STATS-236).

A segment holds the raw readings; the driver formats it when it sends it, so that the core does not have to wait.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from attrs import field, frozen

from telnyx_core._reports.client_summary import client_summary
from telnyx_core._reports.entries import StatsInterval
from telnyx_core._reports.log_book import LogEntry
from telnyx_core._version import VERSION
from telnyx_core._wire.json_types import JsonObject
from telnyx_core._wire.redaction import PLAIN, Redactor
from telnyx_core._wire.utc import iso
from telnyx_core.events import CallInfo
from telnyx_core.facts import SocketClosed
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions

FlushReason: TypeAlias = Literal["buffer-limit", "manual", "socket-close", "socket-error", "page-unload"]
"""STATS-222: ``manual``, the application asked; ``page-unload``, the process goes and the call does not end by it."""

MAX_BODY: Final = 1_900_000
"""Bytes; the platform refuses two million (STATS-227)."""

_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F)))
_NUMBERING: Final = 100
"""Bytes for what tells one part from another."""

_CLOSE_NAMES: Final = {  # the close codes of RFC 6455 that reports name (SIG-278)
    1000: "NORMAL_CLOSURE",
    1001: "GOING_AWAY",
    1002: "PROTOCOL_ERROR",
    1003: "UNSUPPORTED_DATA",
    1005: "NO_STATUS_RECEIVED",
    1006: "ABNORMAL_CLOSURE",
    1007: "INVALID_FRAME_PAYLOAD",
    1008: "POLICY_VIOLATION",
    1009: "MESSAGE_TOO_BIG",
    1011: "INTERNAL_ERROR",
}


@frozen
class ReportEndpoint:
    """Where the reports of a session are uploaded, and with which ids (STATS-240, STATS-241)."""

    url: str
    host: str
    call_report_id: str
    voice_sdk_id: str | None = field(repr=False)
    region: str | None = None
    dc: str | None = None

    def headers(self, call: CallId) -> dict[str, str]:
        """The HTTP headers. An id may be any text, a header may not: other than visible ASCII is percent-encoded."""
        ids = {"x-call-report-id": self.call_report_id, "x-call-id": call}
        if self.voice_sdk_id is not None:
            ids["x-voice-sdk-id"] = self.voice_sdk_id
        encoded = {name: quote(ident, safe=_VISIBLE, errors="replace") for name, ident in ids.items()}
        return {"content-type": "application/json", **encoded}


@frozen
class Flush:
    """Why a part is sent before the end. ``close`` says how the socket was closed, if that is the reason."""

    type: FlushReason
    close: SocketClosed | None = None

    def record(self) -> JsonObject:
        reason: JsonObject = {"type": self.type}
        close = self.close
        if close is not None:
            reason["socketClose"] = {
                "code": close.code,
                "codeName": _CLOSE_NAMES.get(close.code, ""),
                "reason": close.reason,
                "wasClean": close.clean,
                "error": close.error,
            }
        return reason


@frozen
class Line:
    """One element of one of the two lists of a report, as JSON in ASCII."""

    where: Literal["stats", "logs"]
    text: str = field(repr=False)


@frozen(kw_only=True)
class Segment:
    """One part of a report. ``flush`` is ``None`` for the last part. Times are epoch seconds."""

    call: CallInfo
    created_at: float
    at: float
    """Now, or the end of the call."""
    client: ClientOptions = field(repr=False)
    options: CallOptions = field(repr=False)
    home: ReportEndpoint
    flush: Flush | None
    entries: tuple[StatsInterval, ...] = field(repr=False)
    logs: tuple[LogEntry, ...] = field(repr=False)
    redactor: Redactor = field(default=PLAIN, repr=False, eq=False)
    """Removes the client's secrets: a server may quote them in the reason of a close, or in a name."""

    @property
    def url(self) -> str:
        return self.home.url

    @property
    def final(self) -> bool:
        """The call is over."""
        return self.flush is None

    @property
    def last(self) -> bool:
        """This process will send no further part for the call."""
        return self.flush is None or self.flush.type == "page-unload"

    def lines(self) -> Iterator[Line]:
        """Every entry and log entry as JSON, one at a time: formatting hundreds at once would interrupt the audio."""
        for entry in self.entries:
            yield Line("stats", _compact(entry.record()))
        for log in self.logs:
            yield Line("logs", _compact(log.record(self.redactor)))

    def bodies(self, number: int, lines: Sequence[Line], limit: int = MAX_BODY) -> tuple[bytes, ...]:
        """The segment as JSON; in several parts, numbered on from ``number``, where it is too large for one.

        One entry is never cut in two: a part may be larger than ``limit`` bytes for the sake of it.
        """
        parts = list(_parts(lines, limit - len(self._body(number, (), ())) - _NUMBERING))
        last = number + len(parts) - 1
        return tuple(self._body(index, *part, more=index < last) for index, part in enumerate(parts, number))

    def _body(self, number: int, stats: tuple[str, ...], logs: tuple[str, ...], *, more: bool = False) -> bytes:
        head: JsonObject = {"summary": self.redactor.value(self._summary())}
        tail: JsonObject = {}
        if number or more or not self.final:
            tail["segment"] = number
        flush = Flush("buffer-limit") if more else self.flush
        if flush is not None:
            tail["flushReason"] = self.redactor.value(flush.record())
        lists = f',"stats":[{",".join(stats)}]' + (f',"logs":[{",".join(logs)}]' if logs else "")
        ending = "," + _compact(tail)[1:] if tail else "}"
        return (_compact(head)[:-1] + lists + ending).encode()

    def _summary(self) -> JsonObject:
        call, home = self.call, self.home
        summary: JsonObject = {
            "callId": call.id,
            "destinationNumber": call.destination_number,
            "callerNumber": call.caller_number,
            "direction": call.direction,
            "state": call.state.value,
            "durationSeconds": round(max(0.0, self.at - self.created_at), 3),
            "telnyxSessionId": call.telnyx_session_id,
            "telnyxLegId": call.telnyx_leg_id,
            "sdkVersion": VERSION,
            "startTimestamp": iso(self.created_at),
            "endTimestamp": iso(self.at),
            "clientSummary": client_summary(self.client, self.options, home.host, home.region, home.dc),
        }
        return {name: value for name, value in summary.items() if value is not None}


def _parts(lines: Iterable[Line], room: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """As many lines to a part as fit."""
    stats: list[str] = []
    logs: list[str] = []
    used = 0
    for line in lines:
        size = len(line.text) + 1  # all of it is ASCII
        if used and used + size > room:
            yield tuple(stats), tuple(logs)
            stats.clear()
            logs.clear()
            used = 0
        (stats if line.where == "stats" else logs).append(line.text)
        used += size
    yield tuple(stats), tuple(logs)


def _compact(value: JsonObject) -> str:
    return json.dumps(value, separators=(",", ":"))
