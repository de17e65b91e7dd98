"""A story as one HTML page that needs nothing else: no server, no network, no second file."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from math import isfinite, log10
from statistics import median
from typing import Final, cast

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from telnyx_core._version import VERSION
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.catalogue import ERRORS, WARNINGS
from telnyx_core.stats.mos import quality
from telnyx_drivers._tools.report.call_timeline import (
    CallTimeline,
    Message,
    Note,
    Sample,
    Step,
    Story,
    Totals,
    responses,
)
from telnyx_drivers._tools.report.lanes import LaneRow, lanes, window
from telnyx_drivers._tools.report.verdict import Verdict, verdict_of
from telnyx_drivers._tools.report.waveform import Outline

MOST_ROWS: Final = 3_000
"""Rows of the ladder: a page with more is slow to open, and too long to read."""

_DATE: Final = "%d %B %Y, %H:%M:%S UTC"
_CHARTS: Final[tuple[tuple[str, str, str, tuple[tuple[str, str], ...], float | None], ...]] = (
    ("mos", "MOS", "", (("mos", "MOS, each second"),), 3.5),
    ("loss", "Packet loss", "%", (("loss", "lost"), ("concealed", "concealed")), 1.0),
    ("rtt", "Delay", "ms", (("rtt", "round trip"), ("delay", "jitter buffer")), 400.0),
    ("jitter", "Jitter", "ms", (("jitter", "jitter"),), 30.0),
    ("levels", "Level", "dBFS", (("said", "said"), ("heard", "heard")), None),
    ("rates", "Bit rate", "kbit/s", (("sent", "sent"), ("received", "received")), None),
)
"""Name, title, unit, series with their labels, and from where on the core warns."""


@frozen
class Tile:
    """One of the large figures."""

    label: str
    value: str
    note: str
    tone: str


@frozen
class Bar:
    """One step of the establishment; places in percent of the whole."""

    label: str
    at: float
    left: float
    width: float


@frozen
class Pip:
    """A note on the line of time; percent."""

    left: float
    level: str
    title: str


@frozen
class Advice:
    """What the catalogue knows about a warning or an error."""

    message: str
    causes: tuple[str, ...]
    solutions: tuple[str, ...]


@frozen
class CallView:
    call: CallTimeline
    verdict: Verdict | None
    """Why it was never answered."""
    notes: tuple[tuple[Note, Advice | None], ...]
    title: str
    began: str
    lasted: str
    tiles: tuple[Tile, ...]
    lanes: tuple[LaneRow, ...]
    pips: tuple[Pip, ...]
    bars: tuple[Bar, ...]
    establishment: str
    waited: str
    """The median of what the far end waited for an answer."""
    charts: tuple[tuple[str, str], ...]
    """Name and title of those that have something to show."""


def render(story: Story, *, outline: Outline | None = None, sound: str = "", hidden: bool = True) -> str:
    """The page. ``hidden``: people have been taken out of the story, so that there is no switch to hide them.

    ``sound`` is the recording as a ``data:`` URL. It is taken to begin when the first call became active.
    """
    calls = tuple(_view(call) for call in story.calls)
    begin = min((call.started_at for call in story.calls if call.started_at is not None), default=0.0)
    data: JsonObject = {"calls": [_data(view) for view in calls]}
    if outline is not None:
        data["wave"] = {
            "seconds": outline.seconds,
            "channels": [[list(high), list(low)] for high, low in outline.channels],
        }
    return template("report.html.j2").render(
        story=story,
        calls=calls,
        begin=_begin(story, begin),
        rows=story.messages[:MOST_ROWS],
        left_out=max(0, len(story.messages) - MOST_ROWS),
        outline=outline,
        sound=sound,
        hidden=hidden,
        version=VERSION,
        data=data,
        styles=[static(name) for name in ("uPlot.min.css", "report.css")],
        scripts=[static(name) for name in ("uPlot.iife.min.js", "report.js")],
    )


def template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("telnyx_drivers._tools.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    filters = cast("dict[str, Callable[..., object]]", environment.filters)
    filters |= {
        "milliseconds": _milliseconds,
        "clock": clock,
        "seconds": _seconds,
        "pretty": _pretty,
        "breakable": _breakable,
    }
    return environment


def static(name: str) -> Markup:
    """A file of our own, as it stands."""
    return Markup(files("telnyx_drivers._tools.report").joinpath("static", name).read_text(encoding="utf-8"))  # noqa: S704


def _begin(story: Story, begin: float) -> float:
    """What the times of the ladder count from."""
    return min([begin or float("inf"), *(message.at for message in story.messages[:1])])


def _view(call: CallTimeline) -> CallView:
    first, last = window(call)
    steps = call.steps or tuple(_steps(call))
    charts = tuple(
        (name, f"{title} ({unit})" if unit else title)
        for name, title, unit, series, _ in _CHARTS
        if any(getattr(sample, member) is not None for sample in call.samples for member, _ in series)
    )
    return CallView(
        call=call,
        verdict=verdict_of(call),
        notes=tuple((note, _advice(note.code)) for note in call.notes),
        title=call.remote_number or call.id,
        began=began(call),
        lasted=lasted(call),
        tiles=_tiles(call) if call.active_at is not None or call.samples else (),
        lanes=lanes(call, first, last),
        pips=tuple(
            Pip(
                min(100.0, max(0.0, 100 * (note.at - first) / (last - first))),
                note.level,
                f"{clock(note.at, first)} {note.code or ''} {note.name}",
            )
            for note in call.notes
        ),
        bars=_bars(steps),
        establishment=f"{steps[-1].from_start:,.0f} ms" if steps else "",
        charts=charts,
        waited=_milliseconds(median(waited)) if (waited := responses(call.turns)) else "",
    )


def _advice(code: int | None) -> Advice | None:
    entry = next((each for codes in (ERRORS, WARNINGS) for known, each in codes.items() if int(known) == code), None)
    return None if entry is None else Advice(entry.description, entry.causes, entry.solutions)


def began(call: CallTimeline) -> str:
    try:
        return "" if call.started_at is None else f"{datetime.fromtimestamp(call.started_at, UTC):{_DATE}}".lstrip("0")
    except (ValueError, OverflowError, OSError):
        return ""  # a clock that told no time


def lasted(call: CallTimeline) -> str:
    if call.active_at is None:
        return "never answered"
    if call.ended_at is None:
        return "not ended"
    minutes, seconds = divmod(max(0.0, call.ended_at - call.active_at), 60)
    return f"{minutes:.0f} min {seconds:02.0f} s" if minutes else f"{seconds:.1f} s"


def _tiles(call: CallTimeline) -> tuple[Tile, ...]:
    totals = totals_of(call)
    word = quality(totals.mos) or "unknown"
    warnings = sum(note.level == "warning" for note in call.notes)
    errors = sum(note.level == "error" for note in call.notes)
    return (
        Tile(
            "MOS",
            "–" if totals.mos is None else f"{totals.mos:.2f}",
            word if totals.least_mos is None else f"{word}, lowest {totals.least_mos:.2f}",
            _tone(word),
        ),
        Tile("Round trip", _figure(totals.rtt, "ms"), _most(totals.most_rtt, "ms"), ""),
        Tile("Jitter", _figure(totals.jitter, "ms"), _most(totals.most_jitter, "ms"), ""),
        Tile("Packet loss", _figure(totals.loss, "%"), _most(totals.most_loss, "%"), ""),
        Tile(
            "Warnings",
            str(warnings),
            f"and {errors} error{'s' * (errors != 1)}" if errors else "no errors",
            "bad" if errors else "fair" if warnings else "good",
        ),
    )


def totals_of(call: CallTimeline) -> Totals:
    """As reported; without a final report means and extremes of what was measured each second."""
    if call.totals is not None:
        return call.totals
    mos, rtt, jitter, loss = (_values(call, member) for member in ("mos", "rtt", "jitter", "loss"))
    return Totals(
        mos=_mean(mos),
        least_mos=min(mos, default=None),
        rtt=_mean(rtt),
        most_rtt=max(rtt, default=None),
        jitter=_mean(jitter),
        most_jitter=max(jitter, default=None),
        loss=_mean(loss),
        most_loss=max(loss, default=None),
    )


def _tone(word: str) -> str:
    return {"excellent": "good", "good": "good", "fair": "fair", "poor": "bad", "bad": "bad"}.get(word, "")


def _values(call: CallTimeline, member: str) -> list[float]:
    return [value for sample in call.samples if (value := getattr(sample, member)) is not None]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    places = 2 if unit == "%" else 1 if value < 10 else 0
    return f"{value:,.{places}f} {unit}"


def _most(value: float | None, unit: str) -> str:
    return "not measured" if value is None else f"peak {_figure(value, unit)}"


def _steps(call: CallTimeline) -> list[Step]:
    """Without timings of the establishment: what the layers reported."""
    begin = call.started_at
    if begin is None or call.active_at is None:
        return []
    reached: dict[str, float] = {}
    names = {
        ("gathering", "complete"): "ICE candidates gathered",
        ("ice", "connected"): "ICE connected",
        ("ice", "completed"): "ICE connected",
        ("dtls", "connected"): "DTLS connected",
        ("call", "ringing"): "Ringing",
        ("call", "active"): "Active",
    }
    for change in sorted(call.changes, key=lambda each: each.at):
        if (label := names.get((change.lane, change.state))) is not None:
            reached.setdefault(label, change.at)
    steps: list[Step] = []
    before = begin
    for label, at in reached.items():
        steps.append(Step(label, 1000 * (at - begin), 1000 * (at - before)))
        before = at
    return steps


def _bars(steps: tuple[Step, ...]) -> tuple[Bar, ...]:
    whole = max((step.from_start for step in steps), default=0.0) or 1.0
    return tuple(
        Bar(step.label, step.from_start, 100 * max(0.0, step.from_start - step.delta) / whole, 100 * step.delta / whole)
        for step in steps
    )


def _data(view: CallView) -> JsonObject:
    """What the charts are drawn from; times are seconds since the call began."""
    call = view.call
    begin, end = window(call)
    shown = {name for name, _ in view.charts}
    charts: list[Json] = [
        {
            "name": name,
            "unit": unit,
            "threshold": threshold,
            "labels": [label for _, label in series],
            "values": [[_rounded(sample, member) for sample in call.samples] for member, _ in series],
        }
        for name, _, unit, series, threshold in _CHARTS
        if name in shown
    ]
    return {
        "begin": begin,
        "length": end - begin,
        "active": 0.0 if call.active_at is None else round(call.active_at - begin, 3),
        "times": [round(sample.at - begin, 3) for sample in call.samples],
        "charts": charts,
        "notes": [
            {"at": round(note.at - begin, 3), "level": note.level, "text": f"{note.code or ''} {note.name}".strip()}
            for note in call.notes
        ],
        "bands": [
            {"from": band.begin, "to": band.end, "state": band.state}
            for row in view.lanes
            if row.name == "call"
            for band in row.spans(begin, end)
            if band.state in ("recovering", "held")
        ],
    }


def _rounded(sample: Sample, member: str) -> Json:
    value: float | None = getattr(sample, member)
    if value is None or not isfinite(value):
        return None
    return round(_decibels(value) if member in ("said", "heard") else value, 3)


def _decibels(level: float) -> float:
    """Of full scale; silence is the bottom of the chart."""
    return max(-60.0, 20 * log10(level)) if level > 0 else -60.0


def clock(at: float, begin: float) -> str:
    """``1:02.345`` since the beginning."""
    minutes, seconds = divmod(max(0.0, at - begin), 60)
    return f"{minutes:.0f}:{seconds:06.3f}"


def _milliseconds(value: float | None) -> str:
    return f"{1000 * value:,.0f} ms" if value else ""


def _seconds(value: float) -> str:
    return f"{value:,.1f}"


def _breakable(text: str) -> Markup:
    """A long name may be broken between its words."""
    return escape(text).replace("_", Markup("_<wbr>"))


def _pretty(message: Message) -> str:
    try:
        return json.dumps(json.loads(message.detail), indent=2, ensure_ascii=False).replace("\\r\\n", "\n    ")
    except ValueError:
        return message.detail
