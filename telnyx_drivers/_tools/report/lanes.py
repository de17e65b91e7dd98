"""The states of a call and of what carries it, as bars on one line of time."""

from typing import Final

from attrs import frozen

from telnyx_drivers._tools.report.call_timeline import CallTimeline, Change, Lane

_TITLES: Final[tuple[tuple[Lane, str], ...]] = (
    ("call", "Call"),
    ("peer", "Connection"),
    ("ice", "ICE"),
    ("dtls", "DTLS"),
    ("socket", "Signalling"),
)
_TONES: Final = {
    "active": "good",
    "connected": "good",
    "completed": "good",
    "open": "good",
    "held": "calm",
    "ringing": "calm",
    "early": "calm",
    "trying": "calm",
    "requesting": "calm",
    "answering": "calm",
    "connecting": "calm",
    "checking": "calm",
    "new": "calm",
    "recovering": "fair",
    "disconnected": "fair",
    "failed": "bad",
}


@frozen
class Span:
    """Seconds since the beginning of the page's window."""

    begin: float
    end: float
    state: str


@frozen
class Block:
    """One bar; percent of the window."""

    left: float
    width: float
    state: str
    tone: str


@frozen
class LaneRow:
    name: Lane
    title: str
    changes: tuple[Change, ...]
    blocks: tuple[Block, ...]

    def spans(self, begin: float, end: float) -> tuple[Span, ...]:
        return _spans(self.changes, begin, end)


def window(call: CallTimeline) -> tuple[float, float]:
    """From the beginning of the call to its end, or to the last that is known of it."""
    known = [sample.at for sample in call.samples] + [change.at for change in call.changes]
    begin = min(known, default=0.0) if call.started_at is None else call.started_at
    end = max(known, default=begin) if call.ended_at is None else call.ended_at
    return begin, max(end, begin + 0.001)


def lanes(call: CallTimeline, begin: float, end: float) -> tuple[LaneRow, ...]:
    """Those that say anything."""
    rows: list[LaneRow] = []
    for name, title in _TITLES:
        changes = tuple(sorted((each for each in call.changes if each.lane == name), key=lambda each: each.at))
        if changes:
            length = end - begin
            blocks = tuple(
                Block(100 * span.begin / length, 100 * (span.end - span.begin) / length, span.state, tone(span.state))
                for span in _spans(changes, begin, end)
            )
            rows.append(LaneRow(name, title, changes, blocks))
    return tuple(rows)


def tone(state: str) -> str:
    return _TONES.get(state, "bad" if state.startswith("closed") else "none")


def _spans(changes: tuple[Change, ...], begin: float, end: float) -> tuple[Span, ...]:
    """From each change to the next; with several peers, or sockets, the newest news counts."""
    spans: list[Span] = []
    for index, change in enumerate(changes):
        until = changes[index + 1].at if index + 1 < len(changes) else end
        first, last = max(change.at, begin), min(until, end)
        if last > first:
            spans.append(Span(first - begin, last - begin, change.state))
    return tuple(spans)
