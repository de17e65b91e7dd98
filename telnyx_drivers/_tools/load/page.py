"""The report of a load: one HTML page that needs no other file."""

from collections.abc import Sequence
from html import escape

from telnyx_drivers._tools.load.find import Trial
from telnyx_drivers._tools.load.outcome import Summary, percentiles

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.25rem .6rem;text-align:right}"
    "td:first-child,th:first-child{text-align:left}svg{width:100%;height:12rem;background:#f6f8fa}"
    ".bad{fill:#c5221f}.good{fill:#188038}"
)


def page(title: str, summary: Summary, trials: Sequence[Trial] = ()) -> str:
    """Of one load; with ``trials``, of a search for the largest."""
    share = summary.bad_share
    rows = [
        ("Calls", str(len(summary.outcomes))),
        ("At the same time, at most", str(summary.greatest)),
        ("Not placed, because of that limit", str(summary.held_back)),
        ("Bad frames", "unknown" if share is None else f"{100 * share:.3f} %"),
    ]
    setup = percentiles([1_000 * each.setup for each in summary.outcomes if each.setup is not None])
    rows += [(f"Setup, {name}", f"{value:.0f} ms") for name, value in setup.items()]
    scores = [each.mos for each in summary.outcomes if each.mos is not None]
    if scores:
        rows.append(("Quality (MOS), mean and least", f"{sum(scores) / len(scores):.2f}, {min(scores):.2f}"))
    parts = [f"<h1>{escape(title)}</h1>", _table(("", ""), rows)]
    if summary.failures:
        found = [(why, str(count)) for why, count in summary.failures.items()]
        parts += ["<h2>Failures</h2>", _table(("why", "calls"), found)]
    if trials:
        tried = [
            (str(each.calls), "unknown" if (bad := each.summary.bad_share) is None else f"{100 * bad:.3f} %",
             str(sum(each.summary.failures.values())))
            for each in trials
        ]  # fmt: skip
        parts += ["<h2>Trials</h2>", _table(("calls at once", "bad frames", "failed"), tried)]
    parts += ["<h2>Setup of each call</h2>", _dots(summary)]
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}\n{body}\n</html>\n'


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(each)}</th>" for each in heads) + "</tr>"] if any(heads) else []
    lines += ["<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows]
    return "<table>" + "".join(lines) + "</table>"


def _dots(summary: Summary) -> str:
    """A dot for each call: when it began, and how long its setup took; at the top and red where it failed."""
    last = max((each.began for each in summary.outcomes), default=0.0) or 1.0
    longest = max((each.setup or 0.0 for each in summary.outcomes), default=0.0) or 1.0
    dots: list[str] = []
    for each in summary.outcomes:
        height = 5.0 if each.setup is None else 95 - 90 * each.setup / longest
        kind = "good" if each.failure is None else "bad"
        dots.append(f'<circle cx="{5 + 990 * each.began / last:.1f}" cy="{height:.1f}" r="2" class="{kind}"/>')
    label = f"Up to {1_000 * longest:.0f} ms, over {last:.0f} s"
    return f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img">{"".join(dots)}</svg><p>{label}</p>'
