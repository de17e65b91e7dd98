"""The screen: a table of the calls, what was told last, and what the keys do."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_drivers._tools.cli.meters import bar
from telnyx_drivers._tools.cli.output import visible
from telnyx_drivers._tools.watch.keys import HELP, HELP_DIAL, Keys, calls_of

_COLOURS = {"active": "green", "held": "yellow", "ringing": "cyan", "early": "cyan", "recovering": "red"}


def screen(snapshot: JsonView, keys: Keys, said: str) -> RenderableType:
    """Of a `Desk`'s snapshot. What comes from elsewhere is shown without its control characters."""
    calls = calls_of(snapshot)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for head in (" ", "far end", "state", "time", "sent", "heard", "MOS", "loss", "jitter", ""):
        table.add_column(head, no_wrap=True)
    for row, call in enumerate(calls):
        table.add_row(*_cells(call, chosen=row == keys.chosen))
    shown: RenderableType = table if calls else Text("No calls.", style="dim")
    parts: list[RenderableType] = [
        Panel(shown, title=Text(f"telnyx-rtc: {visible(str(snapshot.get('state')))}"), title_align="left")
    ]
    remarks = snapshot.get("remarks")
    if isinstance(remarks, list) and remarks:
        parts += [Text(visible(str(each)), style="yellow", overflow="ellipsis", no_wrap=True) for each in remarks]
    if keys.number is not None:
        parts.append(Text(f"Dial: {visible(keys.number)}▏", style="bold"))
    parts += [Text(visible(said)), Text(HELP_DIAL if keys.dials else HELP, style="dim")]
    return Group(*parts)


def _cells(call: JsonObject, *, chosen: bool) -> tuple[Text, ...]:
    state = visible(str(call.get("state")))
    arrow = "→" if call.get("direction") == "outbound" else "←"
    return (
        Text("▶" if chosen else " "),
        Text(f"{arrow} {visible(str(call.get('far_end')))[:24]}", style="bold" if chosen else ""),
        Text(state, style=_COLOURS.get(state, "")),
        Text(_time(call.get("seconds"))),
        Text(_bar(call.get("sent")), style="cyan"),
        Text(_bar(call.get("heard")), style="green"),
        Text(_figure(call.get("mos"), ".2f")),
        Text(_figure(call.get("loss"), ".1f", " %")),
        Text(_figure(call.get("jitter"), ".0f", " ms")),
        Text("muted" if call.get("muted") is True else ""),
    )


def _figure(value: Json, form: str, unit: str = "") -> str:
    return f"{value:{form}}{unit}" if isinstance(value, int | float) else "-"


def _time(value: Json) -> str:
    if not isinstance(value, int | float):
        return "-"
    return f"{int(value) // 60}:{int(value) % 60:02}"


def _bar(value: Json) -> str:
    return bar(value) * 4 if isinstance(value, int | float) else ""
