"""Monitoring of one call's quality: when to read counters, what to report (quality.md sections 1, 3, 4.2, 5)."""

from random import Random
from typing import Final, Literal, Protocol

from telnyx_core._call_host import CallHost
from telnyx_core._quality.debug import DebugWatch
from telnyx_core._quality.establishment_marks import EstablishmentMarks, Mark
from telnyx_core._quality.summary import Summary, next_beat
from telnyx_core._reports.call_report import CallReport
from telnyx_core._reports.entries import StatsInterval
from telnyx_core._reports.log_book import Level, LogBook, LogEntry
from telnyx_core._reports.segment import Flush, ReportEndpoint, Segment
from telnyx_core._time.timers import Timer
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import Notify, PeerConfig, TakeStats, WriteDebug
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import Failure
from telnyx_core.events import CallInfo, Direction
from telnyx_core.facts import MediaFact
from telnyx_core.ids import CallId, MediaId
from telnyx_core.options import CallOptions
from telnyx_core.states import CallState
from telnyx_core.stats.interval import Interval
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.stats.timings import EstablishmentTimings, Mode

LAST_READING: Final = 0.5
"""Seconds for which an ending call waits for its last reading (STATS-013)."""

_OUTAGE: Final = (WarningCode.LOW_BYTES_RECEIVED, WarningCode.LOW_BYTES_SENT)
"""Warnings that audio is missing which the path should carry (MEDIA-212)."""


class Watched(Protocol):
    """A peer whose counters are read."""

    @property
    def media(self) -> MediaId: ...

    @property
    def config(self) -> PeerConfig: ...

    @property
    def path(self) -> MediaId:
        """The first peer of those that share its counters."""
        ...


class QualityWatch:
    """Reads nothing and tells nothing where both ``enableCallReports`` and ``debug`` are off (STATS-001)."""

    def __init__(self, call: CallId, direction: Direction, options: CallOptions, host: CallHost, rng: Random) -> None:
        client, now = host.options, host.now
        self._call = call
        self._options = options
        self._host = host
        self._created_at = self._read_at = now
        self._marks = EstablishmentMarks(direction, now)
        self._summary = (
            Summary(client.call_report_interval, now) if client.enable_call_reports or client.debug else None
        )
        self._report = (
            CallReport(now, client.call_report_flush_interval, LogBook(host.common_log))
            if client.enable_call_reports
            else None
        )
        self._debug = DebugWatch(call, host, rng) if client.debug else None
        self._media: MediaId | None = None
        self._path: MediaId | None = None
        self._mode: Mode = "non-trickle"
        self.had_peer = False
        self.goes_on = False
        """The server keeps the call for a later process, so the report from here is not the final one."""

    # What happens to the call.

    def mark(self, mark: Mark) -> None:
        self._marks.add(mark, self._host.now)

    def heard(self, method: str) -> None:
        """The server sent a message for this call."""
        self._marks.heard(method, self._host.now)

    def handle_fact(self, fact: MediaFact) -> None:
        """The media engine reported something about a peer of this call."""
        self._marks.handle_fact(fact, self._host.now)
        if self._debug is not None:
            self._debug.handle_fact(fact)

    def moved(self, before: CallState, state: CallState) -> None:
        self._log("info", f"{before.value} → {state.value}")
        if self._debug is not None:
            self._debug.note("callState", state.value)

    def warned(self, code: WarningCode) -> None:
        self._log("warn", f"{int(code)} {code.name}")
        if self._debug is not None:
            self._debug.note("warning", {"code": int(code), "name": code.name})

    def failed(self, code: ErrorCode, original: Failure | None) -> None:
        reason = "" if original is None else str(original)
        self._log("error", f"{int(code)} {code.name}: {reason}".rstrip(": "))
        if self._debug is not None:
            self._debug.note("error", {"code": int(code), "name": code.name, "reason": reason})

    def saw_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int) -> None:
        """A frame that names this call."""
        if self._report is not None:
            self._report.logs.frame(self._host.wall, direction, frame, size)
        self.debug_frame(direction, frame, size)

    def debug_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int) -> None:
        """A frame that names no call, for the debug file; the report's log has it already."""
        if self._debug is not None:
            self._debug.saw_frame(direction, frame, size)

    def peer_opened(self, media: MediaId, config: PeerConfig) -> None:
        """A peer is about to be ordered. With ``debug`` it is read from now on (STATS-005)."""
        self.had_peer = True
        self.mark(Mark.NEW_PEER)
        if self._debug is not None:
            self._debug.peer_opened(media, config)
            if self._summary is not None and not self._host.timers.is_set(Timer.STATS, self._call):
                self._read_later(self._summary, self._host.now)

    def peer_closing(self, media: MediaId) -> None:
        if self._debug is not None:
            self._debug.peer_closing(media)

    def unwritten_debug(self) -> tuple[WriteDebug, ...]:
        return () if self._debug is None else self._debug.unwritten()

    @property
    def timings(self) -> EstablishmentTimings:
        return self._marks.timings(self._mode)

    # Readings.

    def start(self, peer: Watched | None, now: float) -> None:
        """The call is active with this peer; again with another one after a re-attach."""
        summary = self._summary
        if summary is None or peer is None:
            return
        first = summary.active_at is None
        summary.start(now)
        if first and self._report is not None:
            self._report.flushed_at = now
        if peer.media != self._media:
            if self._media is None:
                self._mode = "trickle" if peer.config.trickle else "non-trickle"
            elif peer.path != self._path:
                summary.peer_changed()
            self._media, self._path, self._read_at = peer.media, peer.path, now
        if first or not self._host.timers.is_set(Timer.STATS, self._call):
            self._read_later(summary, now)

    def due(self, peer: Watched | None, now: float) -> None:
        """Time for a reading."""
        summary = self._summary
        assert summary is not None, "nothing is due without a summary"
        if peer is not None:
            if summary.active_at is not None and peer.media != self._media:
                self.start(peer, now)
            self._host.act(TakeStats(peer.media))
        self._read_later(summary, now)

    def ending(self, peer: Watched | None, now: float) -> bool:
        """The call ends: True where a last reading of this peer was ordered, which is to be kept for it (STATS-013)."""
        if self._summary is None:
            return False
        self._summary.ended_at = now
        if peer is None or peer.media != self._media:
            return False
        self._host.act(TakeStats(peer.media))
        self._host.timers.set(Timer.LAST_READING, now + LAST_READING, self._call)
        return True

    def held_changed(self) -> None:
        if self._summary is not None:
            self._summary.held_changed()

    @property
    def missing_media(self) -> bool:
        return self._summary is not None and self._summary.missing_media

    def taken(self, reading: StatsSnapshot, call: CallInfo, now: float, *, held: bool, watched: bool) -> bool:
        """A reading arrived. ``watched``: missing media is a fault now, and not the outage of a socket (SRV-008) or the
        renewal of a path. True: it has just been warned of.
        """
        summary, report, missing = self._summary, self._report, False
        if summary is None or summary.active_at is None:
            return False
        interval = summary.take(reading, now)
        self._collect(reading, interval, now, muted=call.muted)
        if report is not None:
            for code in summary.judge(reading, interval, now, held=held, muted=call.muted, watched=watched):
                summary.warned(code, now)
                self._host.warn(code, call=self._call)
                missing = missing or code in _OUTAGE
            if report.due(now):
                self._flush(call, now, Flush("buffer-limit"))
        frame = summary.frame(call, now, now + self._host.wall_offset, held=held)
        if frame is not None:
            self._host.act(Notify(frame))
        return missing

    def taken_last(self, reading: StatsSnapshot, now: float, *, muted: bool) -> None:
        """The reading that `ending` ordered. It counts, but causes no warning: the call is over."""
        if self._summary is not None:
            self._collect(reading, self._summary.take(reading, now), now, muted=muted)

    # Reports: at the end of the call, and before.

    def socket_lost(self, call: CallInfo, now: float) -> None:
        """Upload what there is so far: the process may end before the next socket (STATS-222, STATS-223)."""
        close = self._host.last_close
        if self._media is not None and close is not None:
            self._flush(call, now, Flush("socket-error" if close.error else "socket-close", close))

    def finish(self, call: CallInfo, now: float) -> None:
        """The one report of a call that had a peer, active or not (STATS-145)."""
        summary, self._summary = self._summary, None
        if summary is not None and self.had_peer:
            report = summary.report(
                call,
                now,
                self._host.wall_offset,
                call_report_id=self._host.call_report_id,
                establishment=self.timings,
                timeline=None if self._debug is None else self._debug.timeline(),
                final=not self.goes_on,
            )
            self._host.act(Notify(report))

    def upload(self, call: CallInfo, now: float) -> None:
        """The call is over and destroyed: the last part of its report goes (STATS-223, CALL-440)."""
        if self._report is not None and not self._report.empty:
            self._flush(call, now, Flush("page-unload") if self.goes_on else None)
        self._report = None

    def flush_now(self, call: CallInfo, now: float) -> None:
        """Upload what there is, because the application asked for it (STATS-222)."""
        if self._report is not None and not self._report.empty:
            self._flush(call, now, Flush("manual"))

    def unsent(self, call: CallInfo, now: float) -> Segment | None:
        """The part of the report that would be lost if the process died now (STATS-246)."""
        report, home = self._report, self._host.report_home
        if report is None or report.empty or home is None:
            return None
        return self._segment(call, now, home, Flush("page-unload"), *report.look())

    # Inside.

    def _log(self, level: Level, message: str) -> None:
        if self._report is not None:
            self._report.logs.note(self._host.wall, level, message)

    def _collect(self, reading: StatsSnapshot, interval: Interval | None, now: float, *, muted: bool) -> None:
        if self._report is not None:
            offset, started = self._host.wall_offset, self._read_at
            before = None if interval is None else interval.before
            self._report.add(StatsInterval(started + offset, now + offset, before, reading, muted))
        self._read_at = now

    def _flush(self, call: CallInfo, now: float, flush: Flush | None) -> None:
        """Order an upload. Without an endpoint the data is kept for a later one (STATS-244)."""
        report, home = self._report, self._host.report_home
        if report is None or home is None:
            return
        self._host.upload(self._segment(call, now, home, flush, *report.take(now)))

    def _segment(
        self,
        call: CallInfo,
        now: float,
        home: ReportEndpoint,
        flush: Flush | None,
        entries: tuple[StatsInterval, ...],
        logs: tuple[LogEntry, ...],
    ) -> Segment:
        offset = self._host.wall_offset
        return Segment(
            call=call,
            created_at=self._created_at + offset,
            at=now + offset,
            client=self._host.options,
            options=self._options,
            home=home,
            flush=flush,
            entries=entries,
            logs=logs,
            redactor=self._host.redactor,
        )

    def _read_later(self, summary: Summary, now: float) -> None:
        origin = self._created_at if summary.active_at is None else summary.active_at
        self._host.timers.set(Timer.STATS, next_beat(origin, summary.period, now), self._call)
