"""The directive ``state-table`` draws a table of `telnyx_core.states`, so that the page cannot differ from the code."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from telnyx_core.states import CALL, SESSION

TABLES: Mapping[str, Mapping[Any, Mapping[Any, Enum]]] = {"session": SESSION, "call": CALL}


class StateTable(SphinxDirective):
    """One row for each legal move: the state, what is given, the next state."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        group = nodes.tgroup(cols=3)
        group += [nodes.colspec(colwidth=width) for width in (2, 4, 2)]
        head, body = nodes.thead(), nodes.tbody()
        head += _row("in", "given", "becomes")
        for state, moves in TABLES[self.arguments[0]].items():
            label = state.value
            for given, following in moves.items():
                body += _row(label, given.value, following.value)
                label = ""
            if not moves:
                body += _row(label, "", "")
        group += [head, body]
        return [nodes.table("", group)]


def _row(*cells: str) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph("", cell))
    return row


def setup(app: Sphinx) -> dict[str, object]:
    app.add_directive("state-table", StateTable)
    return {"parallel_read_safe": True}
