"""Watches which edges of the state tables the tests of this directory travel, so that `test_edges` can ask for all."""

import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from telnyx_core import states

HERE = Path(__file__).parent
LAST = "test_every_edge_was_travelled"

Edge = tuple[Enum, Enum]


@pytest.fixture(scope="session", autouse=True)
def travelled() -> Iterator[set[Edge]]:
    """The edges that sessions and calls have taken so far, in any test of this directory."""
    edges: set[Edge] = set()
    originals = (states.move_session, states.move_call)

    def watched(move: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def moved(state: Enum, given: Enum) -> Enum:
            following = move(state, given)
            edges.add((state, given))
            return following

        return moved

    # Wherever the machines have imported them to: the tests that call them by hand are to count for nothing.
    replaced = [
        (module, name, value)
        for key, module in list(sys.modules.items())
        if key.startswith("telnyx_core.") and module is not states
        for name, value in vars(module).items()
        if value in originals
    ]
    assert len(replaced) >= 2, "the machines move by these functions"
    for module, name, value in replaced:
        setattr(module, name, watched(value))
    yield edges
    for module, name, value in replaced:
        setattr(module, name, value)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The question about all edges comes last of this directory, and only when the whole of it was asked for."""
    mine = [item for item in items if HERE in item.path.parents]
    last = next((item for item in mine if item.name == LAST), None)
    if last is None:
        return
    items.remove(last)
    items.insert(max((items.index(item) for item in mine if item is not last), default=-1) + 1, last)
    whole = {path.name for path in HERE.glob("test_*.py")} <= {item.path.name for item in mine}
    option = config.option
    chosen = any("::" in argument for argument in config.args) or option.keyword or option.markexpr
    if not whole or chosen or getattr(option, "lf", False):
        last.add_marker(pytest.mark.skip(reason="asks about the whole of tests/core"))
