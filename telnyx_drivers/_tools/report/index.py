"""Many calls on one page: a row each, filters, and how the figures are spread."""

from os.path import relpath
from pathlib import Path
from typing import Final
from urllib.parse import quote

from attrs import asdict, frozen

from telnyx_core._version import VERSION
from telnyx_drivers._tools.report.call_timeline import CallTimeline, Story
from telnyx_drivers._tools.report.page import began, lasted, static, template, totals_of
from telnyx_drivers._tools.report.verdict import verdict_of

MOST_FILES: Final = 2_000
"""A page with more rows is slow to open, and reading them takes minutes."""
_PASSED_OVER: Final = frozenset({".html", ".wav", ".pcap", ".png", ".mp3", ".zip"})


@frozen
class Row:
    id: str
    link: str
    began: str
    started_at: float
    direction: str
    number: str
    outcome: str
    """``answered``, or why not."""
    answered: bool
    lasted: str
    setup: float | None
    """Milliseconds, as ``rtt`` and ``jitter``."""
    mos: float | None
    rtt: float | None
    jitter: float | None
    loss: float | None
    """Percent."""
    warnings: int
    errors: int


FIGURES: Final = (
    ("setup", "Set up in", "ms", 0),
    ("mos", "MOS", "", 2),
    ("rtt", "Round trip", "ms", 0),
    ("jitter", "Jitter", "ms", 1),
    ("loss", "Packet loss", "%", 2),
)
"""Member of `Row`, title, unit, decimal places."""


def candidates(folder: Path) -> list[Path]:
    """What may tell of a call, oldest name first."""
    return sorted(each for each in folder.iterdir() if each.is_file() and each.suffix.lower() not in _PASSED_OVER)


def rows_of(story: Story, page: Path, seen_from: Path, *, hidden: bool) -> list[Row]:
    """``hidden``: its numbers are stand-ins, which another file uses for other people, so that they say nothing."""
    link = quote(Path(relpath(page, seen_from)).as_posix())
    return [_row(call, link, hidden=hidden) for call in story.calls]


def _row(call: CallTimeline, link: str, *, hidden: bool) -> Row:
    verdict = verdict_of(call)
    totals = totals_of(call)
    placed, active = call.started_at, call.active_at
    return Row(
        id=call.id,
        link=link,
        began=began(call),
        started_at=placed or 0.0,
        direction=call.direction or "",
        number="" if hidden else call.remote_number,
        outcome="answered" if verdict is None else verdict.title.lower(),
        answered=verdict is None,
        lasted="" if active is None else lasted(call),
        setup=None if placed is None or active is None else 1000 * (active - placed),
        mos=totals.mos,
        rtt=totals.rtt,
        jitter=totals.jitter,
        loss=totals.loss,
        warnings=sum(note.level == "warning" for note in call.notes),
        errors=sum(note.level == "error" for note in call.notes),
    )


def render_index(title: str, rows: list[Row], *, hidden: bool) -> str:
    newest = sorted(rows, key=lambda row: row.started_at, reverse=True)
    return template("index.html.j2").render(
        title=title,
        rows=newest,
        figures=FIGURES,
        outcomes=sorted({row.outcome for row in rows}),
        hidden=hidden,
        version=VERSION,
        data=[asdict(row) for row in newest],
        styles=[static("report.css")],
        scripts=[static("index.js")],
    )
