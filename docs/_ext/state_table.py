"""The directives that draw the tables of the code, so that the page cannot differ from it.

``state-table`` draws a table of `telnyx_core.states`, ``command-table`` the rules of `telnyx_core.session.COMMANDS`.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from telnyx_core.session import COMMANDS
from telnyx_core.states import CALL, LIVE, SESSION, CallState

TABLES: Mapping[str, Mapping[Any, Mapping[Any, Enum]]] = {"session": SESSION, "call": CALL}


class StateTable(SphinxDirective):
    """One row for each legal move: the state, what is given, the next state."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        rows: list[tuple[str, str, str]] = []
        for state, moves in TABLES[self.arguments[0]].items():
            label = state.value
            for given, following in moves.items():
                rows.append((label, given.value, following.value))
                label = ""
            if not moves:
                rows.append((label, "", ""))
        return [_table(("in", "given", "becomes"), rows)]


class CommandTable(SphinxDirective):
    """One row for each command: the states of its call, and whether the session has to be registered."""

    def run(self) -> list[nodes.Node]:
        rows = [
            (name, states(rule.states), "yes" if rule.registered else "no") for name, rule in sorted(COMMANDS.items())
        ]
        return [_table(("command", "state of the call", "registered"), rows)]


def states(possible: frozenset[CallState]) -> str:
    named = {frozenset(CallState): "any", LIVE: "any but those of an ended call"}
    return named.get(possible) or ", ".join(state.value for state in CallState if state in possible)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> nodes.Node:
    group = nodes.tgroup(cols=3)
    group += [nodes.colspec(colwidth=width) for width in (2, 4, 2)]
    head, body = nodes.thead(), nodes.tbody()
    head += _row(*titles)
    body += [_row(*row) for row in rows]
    group += [head, body]
    return nodes.table("", group)


def _row(*cells: str) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph("", cell))
    return row


def setup(app: Sphinx) -> dict[str, object]:
    app.add_directive("state-table", StateTable)
    app.add_directive("command-table", CommandTable)
    return {"parallel_read_safe": True}
