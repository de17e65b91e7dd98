"""What strangers wrote must not reach a terminal as anything but text, nor cost a script its document."""

import io
import json
import sys

import pytest
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from telnyx_drivers._tools.cli.output import Output, Terminal, clean, visible

EVIL = "\x1b]0;pwned\x1b\\\x1b[2J\x1b]52;c;cHduZWQ=\x07\x9b31m\u202eevil\x00\x08\rX\ud83d"
CONTROLS = ("\x1b]0;", "\x1b[2J", "\x1b]52", "\x07", "\x9b", "\u202e", "\x00", "\x08", "\r", "\ud83d")


def printed(thing: object) -> str:
    file = io.StringIO()
    Terminal(file=file, force_terminal=True, width=200).print(thing)
    return file.getvalue()


@pytest.mark.parametrize("way", ["markup", "text", "table", "panel"])
def test_no_control_of_a_strangers_reaches_the_terminal(way: str) -> None:
    table = Table(EVIL)
    table.add_row(EVIL, style="red")
    things = {"markup": EVIL, "text": Text(EVIL, style="bold red"), "table": table, "panel": Panel(EVIL, title=EVIL)}
    shown = printed(things[way])
    assert "pwned" in shown
    assert [control for control in CONTROLS if control in shown] == []


def test_our_own_colours_do() -> None:
    assert "\x1b[1;31mbad\x1b[0m" in printed(Text("bad", style="bold red"))


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_replaced_one_by_one(control: str) -> None:
    assert visible(f"a{control[:1]}b\nc") == "a\N{REPLACEMENT CHARACTER}b\nc"
    assert clean(f"a{control[:1]}b\nc") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_no_code_page_costs_the_document(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    output = Output(json=True)
    output.done("李雷 \ud83d")
    output.emit({"ok": True, "caller": "李雷 \ud83d"})
    out.flush()
    assert json.loads(out.buffer.getvalue()) == {"ok": True, "caller": "李雷 \ud83d"}  # type: ignore[attr-defined]
