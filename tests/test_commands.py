"""A command is written once: the classes that repeat it are made by a tool, and are what it makes today."""

import re
import sys
from pathlib import Path

import pytest

from telnyx_core.session import COMMANDS, Session
from telnyx_core.testing.commands import Commands
from telnyx_drivers._services.journal import RecordedSession

TOOLS = Path(__file__).parent.parent / "docs" / "_tools"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(TOOLS)
    monkeypatch.delitem(sys.modules, "commands", raising=False)
    import commands

    return commands


def test_what_is_made_from_the_commands_is_of_this_code(commands: object) -> None:
    """If not: ``python docs/_tools/commands.py``."""
    assert len(commands.MADE) == 2  # type: ignore[attr-defined]
    assert commands.stale() == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("original", "change", "path"),
    [
        ("telnyx_drivers/_calls.py", ("def hold(self)", "def hold(self, softly: bool = True)"), "_sync_commands.py"),
        ("telnyx_drivers/_calls.py", ("Put the call on hold.", "Put the call aside."), "_sync_commands.py"),
        ("telnyx_drivers/_client.py", ("def subscribe(", "def subscribe_to("), "_sync_commands.py"),
        ("telnyx_core/session.py", ("def set_deaf(", "def set_dumb("), "testing/commands.py"),
        (
            "telnyx_core/session.py",
            ("def send_ai_item(self, item: JsonView", "def send_ai_item(self, item: Json"),
            "commands.py",
        ),
    ],
)
def test_a_changed_original_is_seen(
    commands: object, monkeypatch: pytest.MonkeyPatch, original: str, change: tuple[str, str], path: str
) -> None:
    tree = commands.tree  # type: ignore[attr-defined]

    def changed(each: str) -> object:
        if each != original:
            return tree(each)
        source = (TOOLS.parents[1] / each).read_text(encoding="utf-8")
        assert change[0] in source
        return commands.ast.parse(re.sub(re.escape(change[0]), change[1], source))  # type: ignore[attr-defined]

    monkeypatch.setattr(commands, "tree", changed)
    found = commands.stale()  # type: ignore[attr-defined]
    assert len(found) == 1
    assert found[0].endswith(path)


def test_what_is_recorded_and_what_the_kit_gives_are_the_commands_of_the_session() -> None:
    """Placing a call is the kit's own: a rig dials, a simulated client calls a number."""
    assert {"connect", "hold", "send_ai_item", "clear_reconnect_token"} < COMMANDS.keys()
    assert {name for name in vars(Commands) if not name.startswith("_")} == COMMANDS.keys() - {"new_call"}
    assert not COMMANDS.keys() & {"receive", "handle_timeout", "next_action", "next_timeout", "call"}
    assert all(getattr(RecordedSession, name) is not getattr(Session, name) for name in COMMANDS)
