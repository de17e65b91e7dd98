"""Every edge of every table is walked by the stories and the worlds: who stays at the door passes every test."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from telnyx_core import states
from tests.world.alone import Alone
from tests.world.conftest import SETTINGS
from tests.world.edges import walking
from tests.world.together import Together

STORIES = sorted((Path(__file__).parent.parent / "scenarios").glob("test_*.py"))
SHORT = settings(SETTINGS, max_examples=100, phases=[Phase.generate])


def stories() -> Iterator[Callable[[], None]]:
    """Every test of the scenarios, once for each of its parameters."""
    for path in STORIES:
        module = importlib.import_module(f"tests.scenarios.{path.stem}")
        for name, story in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_"):
                yield from told(story)


def told(story: Callable[..., None]) -> Iterator[Callable[[], None]]:
    choices: list[list[dict[str, object]]] = []
    for mark in getattr(story, "pytestmark", []):
        names = mark.args[0] if isinstance(mark.args[0], tuple) else (mark.args[0],)
        rows = [row if isinstance(mark.args[0], tuple) else (row,) for row in mark.args[1]]
        choices.append([dict(zip(names, row, strict=True)) for row in rows])
    for given in product(*choices):
        keywords = {name: value for part in given for name, value in part.items()}
        yield lambda keywords=keywords: story(**keywords)  # type: ignore[misc]


def test_every_edge_is_walked() -> None:
    """Architecture; anchors 9.4: measure which states and edges were visited, and fail if any was not."""
    with walking() as (session, call):
        for story in stories():
            story()
        by_stories = len(session.walked) + len(call.walked)
        for world in (Alone, Together):
            run_state_machine_as_test(world, settings=SHORT)
    print(
        f"edges: {by_stories} by stories, {len(session.walked) + len(call.walked)} of {len(session.edges | call.edges)}"
    )
    assert session.missed() == []
    assert call.missed() == []


def test_the_count_can_fail() -> None:
    with walking() as (session, call):
        states.move_session(states.SessionState.IDLE, states.SessionInput.CONNECT)
    assert len(session.missed()) == len(session.edges) - 1
    assert len(call.missed()) == len(call.edges)
    assert isinstance(states.SESSION, dict)


@pytest.mark.parametrize("table", [states.SESSION, states.CALL], ids=["session", "call"])
def test_every_state_can_be_reached(table: dict[object, dict[object, object]]) -> None:
    first = next(iter(table))
    reached, new = {first}, [first]
    while new:
        for following in table[new.pop()].values():
            if following not in reached:
                reached.add(following)
                new.append(following)
    assert reached == set(table)
