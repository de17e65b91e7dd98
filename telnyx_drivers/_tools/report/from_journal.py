"""A journal as a story: it is played again, so that the core itself tells what happened."""

from collections.abc import Iterator

from attrs import define, evolve, field

from telnyx_core.actions import Action, Notify, OpenPeer
from telnyx_core.events import CallInfo, CallUpdated, ErrorRaised, Event, StatsReport, WarningRaised
from telnyx_core.facts import (
    CandidateFound,
    Fact,
    PeerStateChanged,
    SocketClosed,
    SocketOpened,
    StatsTaken,
    TransportStateChanged,
)
from telnyx_core.ids import CallId, MediaId
from telnyx_core.journal.record import fact_from_record
from telnyx_core.journal.recorded_session import Entry, Replay
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._tools.cli.ladder import all_rungs
from telnyx_drivers._tools.report.call_timeline import CallTimeline, Change, Message, Note, Path, Sample, Step, Story
from telnyx_drivers._tools.report.call_timeline import Fact as Row
from telnyx_drivers._tools.report.facts import cause_text, report_facts, report_totals
from telnyx_drivers._tools.report.fold import folded
from telnyx_drivers._tools.report.json_reading import number
from telnyx_drivers._tools.report.paths import path
from telnyx_drivers._tools.report.samples import SHORTEST, sample

_OVER = ("hangup", "destroy", "purge")


@define
class _Call:
    """One call's, while the journal is played."""

    info: CallInfo
    started_at: float
    active_at: float | None = None
    ended_at: float | None = None
    report: StatsReport | None = None
    samples: list[Sample] = field(factory=list[Sample])
    changes: list[Change] = field(factory=list[Change])
    notes: list[Note] = field(factory=list[Note])
    paths: list[Path] = field(factory=list[Path])
    candidates: list[str] = field(factory=list[str])

    def story(self) -> CallTimeline:
        info, report = self.info, self.report
        own, other = info.caller_number, info.remote_caller_number
        steps: tuple[Step, ...] = ()
        if report is not None and report.establishment is not None:
            steps = tuple(Step(step.label, step.from_start, step.delta) for step in report.establishment.steps)
        return CallTimeline(
            id=info.id,
            direction=info.direction,
            local_number=own,
            remote_number=info.destination_number if info.direction == "outbound" else other,
            started_at=self.started_at,
            active_at=self.active_at,
            ended_at=self.ended_at,
            cause=None if info.ended is None else info.ended.cause,
            ended_by="" if info.ended is None else cause_text(info.ended),
            recovered=any(change.state == "recovering" for change in self.changes),
            totals=None if report is None else report_totals(report),
            facts=_facts(info, report),
            samples=tuple(self.samples),
            changes=tuple(self.changes),
            notes=tuple(self.notes),
            steps=steps,
            paths=tuple(self.paths),
            candidates=tuple(self.candidates),
        )


class _Player:
    def __init__(self, started: float) -> None:
        self.calls: dict[CallId, _Call] = {}
        self.sockets: list[Change] = []
        self._wall = started
        self._offset: float | None = None
        self._owners: dict[MediaId, CallId] = {}
        self._readings: dict[MediaId, tuple[float, StatsSnapshot]] = {}

    def wall(self, now: float | None) -> float:
        """Epoch seconds; the journal's own start until a socket has told more."""
        if now is not None:
            if self._offset is None:
                self._offset = self._wall - now
            self._wall = now + self._offset
        return self._wall

    def entry(self, entry: Entry, actions: list[Action]) -> None:
        at = self.wall(entry.now)
        record = entry.given.get("fact")
        if isinstance(record, dict):
            self._told(fact_from_record(record), at)
        for action in actions:
            match action:
                case OpenPeer(media, call):
                    self._owners[media] = call
                case Notify(event):
                    self._heard(event, at)
                case _:
                    pass

    def _told(self, fact: Fact, at: float) -> None:
        match fact:
            case SocketOpened(socket, wall):
                self.sockets.append(Change(at, "socket", "open", str(socket)))
                if abs(wall - at) < 60:
                    return
                assert self._offset is not None, "an entry with a fact has a time"
                self._offset += wall - at  # the journal was made on a clock that was set in between
            case SocketClosed(socket, code):
                self.sockets.append(Change(at, "socket", f"closed {code}", str(socket)))
            case CandidateFound(media, candidate):
                if (call := self._owner(media)) is not None:
                    call.candidates.append(candidate)
            case PeerStateChanged(media, state):
                if (call := self._owner(media)) is not None:
                    call.changes.append(Change(at, "peer", state, str(media)))
            case TransportStateChanged(media, layer, state):
                if (call := self._owner(media)) is not None and layer != "signaling":
                    call.changes.append(Change(at, layer, state, str(media)))
            case StatsTaken(media, reading):
                if (call := self._owner(media)) is not None:
                    self._read(call, media, reading, at)
            case _:
                pass

    def _owner(self, media: MediaId) -> _Call | None:
        return self.calls.get(self._owners.get(media, CallId("")))

    def _read(self, call: _Call, media: MediaId, reading: StatsSnapshot, at: float) -> None:
        before = self._readings.get(media)
        self._readings[media] = (at, reading)
        if before is None:
            call.samples.append(sample(at, None, reading, 0.0))
        elif at - before[0] > SHORTEST:
            call.samples.append(sample(at, before[1], reading, at - before[0]))
        found = path(at, reading)
        if found is not None and (not call.paths or evolve(call.paths[-1], at=at) != found):
            call.paths.append(found)

    def _heard(self, event: Event, at: float) -> None:
        match event:
            case CallUpdated(info):
                self._updated(info, at)
            case WarningRaised(warning=warning, call=ident):
                for call in self._concerned(ident):
                    call.notes.append(Note(at, "warning", warning.code, warning.name))
            case ErrorRaised(error=error, call=ident):
                for call in self._concerned(ident):
                    said = "" if error.original is None else str(error.original)
                    call.notes.append(Note(at, "error", error.code, error.name, said))
            case StatsReport(call=ident) if ident in self.calls:
                self.calls[ident].report = event
            case _:
                pass

    def _updated(self, info: CallInfo, at: float) -> None:
        call = self.calls.get(info.id)
        if call is None:
            call = self.calls[info.id] = _Call(info, at)
        elif info.state.value == call.info.state.value and call.changes:
            call.info = info
            return
        call.info = info
        call.changes.append(Change(at, "call", info.state.value))
        if info.answered and call.active_at is None:
            call.active_at = at
        if info.state.value in _OVER and call.ended_at is None:
            call.ended_at = at

    def _concerned(self, ident: CallId | None) -> Iterator[_Call]:
        """The calls that an event is about; an event of the session is about every call that is not over."""
        if ident is not None:
            if (call := self.calls.get(ident)) is not None:
                yield call
        else:
            yield from (call for call in self.calls.values() if call.ended_at is None)


def read_journal(replay: Replay) -> Story:
    """Raises `ValueError` for a journal without what is needed to play it."""
    started = number(replay.header, "started") or 0.0
    player = _Player(started)
    remarks: list[str] = []
    replay.session()  # raises for a first line that is none
    try:
        for entry, actions in replay.play():
            player.entry(entry, actions)
    except Exception as error:  # noqa: BLE001  # a session may trust its driver, and a journal may say anything
        reason = str(error) or type(error).__name__
        remarks.append(
            f"This version acts otherwise than the one that kept the journal, which ends early here: {reason}"
        )
    version = replay.header.get("version")
    messages = tuple(_messages(replay, started))
    calls = tuple(
        evolve(call.story(), changes=(*call.changes, *_during(player.sockets, call))) for call in player.calls.values()
    )
    return Story(
        source="journal",
        made_by=f"telnyx-rtc {version}",
        calls=calls,
        messages=messages,
        remarks=tuple(remarks),
    )


def _messages(replay: Replay, started: float) -> Iterator[Message]:
    yield from folded(
        Message(started + rung.time, rung.side, rung.label, rung.outward, rung.bad, detail=rung.detail)
        for rung in all_rungs(replay.entries)
    )


def _during(sockets: list[Change], call: _Call) -> tuple[Change, ...]:
    """What the socket was when the call began, and what became of it until the call had ended."""
    before = [change for change in sockets if change.at <= call.started_at][-1:]
    end = call.ended_at
    after = [change for change in sockets if change.at > call.started_at and (end is None or change.at <= end)]
    return (*before, *after)


def _facts(info: CallInfo, report: StatsReport | None) -> tuple[Row, ...]:
    rows = [
        Row("Telnyx session", info.telnyx_session_id or ""),
        Row("Telnyx leg", info.telnyx_leg_id or ""),
        Row("Call control", info.telnyx_call_control_id or ""),
        Row("Node", info.node),
    ]
    if report is not None:
        rows += report_facts(report)
    return tuple(row for row in rows if row.value)
