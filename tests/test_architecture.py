"""The drawing of the architecture is what the code says, and the rooms have an order."""

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "docs" / "_tools"


@pytest.fixture
def architecture(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(TOOLS)
    monkeypatch.delitem(sys.modules, "architecture", raising=False)
    import architecture

    return architecture


@pytest.mark.parametrize("package", ["telnyx_core", "telnyx_drivers"])
def test_no_room_stands_on_one_above_it(architecture: object, package: str) -> None:
    graph = architecture.rooms(package)  # type: ignore[attr-defined]
    assert len(graph) > 15
    for each in graph:
        assert each not in architecture.below(each, graph)  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", ["telnyx_core", "telnyx_drivers"])
def test_no_module_stands_on_itself(architecture: object, package: str) -> None:
    """Late imports and those for types alone count, too: a circle is two halves of one idea."""
    edges = architecture.arrows(architecture.ROOT, package)  # type: ignore[attr-defined]
    assert len(edges) > 100
    assert sys.modules["measure"].circles(edges) == set()
    one, other = sorted(edges)[0]
    assert sys.modules["measure"].circles(edges | {(other, one)}) >= {one, other}


def test_a_circle_of_rooms_is_seen(architecture: object) -> None:
    graph = {"one": frozenset({"two"}), "two": frozenset({"three"}), "three": frozenset({"one"})}
    with pytest.raises(ValueError, match="one -> two -> three -> one"):
        architecture.below("one", graph)  # type: ignore[attr-defined]


def test_the_drawing_is_of_this_code(architecture: object) -> None:
    """If not: ``python docs/_tools/architecture.py``."""
    assert architecture.DRAWING.read_text(encoding="utf-8") == architecture.draw()  # type: ignore[attr-defined]
