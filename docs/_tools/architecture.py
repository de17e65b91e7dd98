"""Draws the rooms of both packages and what stands on what, from the imports in the code.

    python docs/_tools/architecture.py           writes docs/explanation/architecture.svg
    python docs/_tools/architecture.py --check   fails where the drawing, or the order of the rooms, is no longer true

A room is a package or a module in the root of one of the two packages. A room stands above everything that it imports;
an arrow that follows from two others is left out.
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from measure import arrows, room  # beside this file

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs" / "explanation" / "architecture.svg"
PACKAGES = {"telnyx_drivers": "#e8f0fe", "telnyx_core": "#e6f4ea"}
WIDTH, BOX, HEIGHT, GAP = 1240, 140, 34, 30

Rooms = Mapping[str, frozenset[str]]
"""Each room with those that it imports from."""


def rooms(package: str, root: Path = ROOT) -> Rooms:
    """The rooms of one package. The doors, which import everything by their nature, are among them."""
    found: dict[str, set[str]] = {}
    for source, target in arrows(root, package):
        one, other = room(source), room(target)
        found.setdefault(one, set())
        found.setdefault(other, set())
        if one != other and package not in (one, other):
            found[one].add(other)
    found.pop(package, None)
    return {name: frozenset(targets) for name, targets in found.items()}


def below(each: str, graph: Rooms, path: tuple[str, ...] = ()) -> frozenset[str]:
    """All that a room stands on; raises `ValueError` for rooms that stand on each other."""
    if each in path:
        raise ValueError("a circle of rooms: " + " -> ".join([*path[path.index(each) :], each]))
    return graph[each].union(*(below(target, graph, (*path, each)) for target in graph[each]))


def floors(graph: Rooms) -> list[list[str]]:
    """Rooms by height: the first stand on nothing."""
    height: dict[str, int] = {}

    def measure(each: str) -> int:
        if each not in height:
            height[each] = 1 + max((measure(target) for target in graph[each]), default=-1)
        return height[each]

    for each in graph:
        measure(each)
    return [sorted(each for each in graph if height[each] == floor) for floor in range(1 + max(height.values()))]


def direct(graph: Rooms) -> list[tuple[str, str]]:
    """Arrows that do not follow from others."""
    under = {each: below(each, graph) for each in graph}
    return sorted(
        (each, target)
        for each in graph
        for target in graph[each]
        if not any(target in under[other] for other in graph[each])
    )


def purpose(name: str, root: Path = ROOT) -> str:
    """The first sentence of a room's docstring."""
    path = root.joinpath(*name.split("."))
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")


def draw(packages: Iterable[str] = PACKAGES) -> str:
    parts: list[str] = []
    top = 20.0
    for package in packages:
        graph = rooms(package)
        stories = floors(graph)
        parts.append(f'<text x="20" y="{top + 14:.0f}" class="package">{package}</text>')
        top += 30
        places: dict[str, tuple[float, float]] = {}
        boxes: list[str] = []
        for story in reversed(stories):
            rows = [story[first : first + 8] for first in range(0, len(story), 8)]
            for row in rows:
                left = (WIDTH - len(row) * (BOX + 10)) / 2
                for number, name in enumerate(row):
                    x = left + number * (BOX + 10)
                    places[name] = (x + BOX / 2, top)
                    boxes.append(
                        f'<g><title>{escape(purpose(name))}</title><rect x="{x:.0f}" y="{top:.0f}" width="{BOX}" '
                        f'height="{HEIGHT}" rx="6" fill="{PACKAGES[package]}"/>'
                        f'<text x="{x + BOX / 2:.0f}" y="{top + 22:.0f}">{name.rpartition(".")[2]}</text></g>'
                    )
                top += HEIGHT + GAP
        parts += [
            f'<path d="M{places[one][0]:.0f} {places[one][1] + HEIGHT:.0f} L{places[other][0]:.0f} '
            f'{places[other][1]:.0f}"/>'
            for one, other in direct(graph)
        ]
        parts += boxes
        top += 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" role="img" '
        'aria-label="The rooms of both packages; each stands on those below it">\n'
        "<style>text{font:13px system-ui,sans-serif;text-anchor:middle;fill:#202124}"
        ".package{font-weight:600;font-size:15px;text-anchor:start}rect{stroke:#9aa0a6}path{stroke:#9aa0a6;fill:none}"
        "</style>\n"
        f'<rect width="{WIDTH}" height="{top:.0f}" fill="#fff" stroke="none"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    drawing = draw()
    if "--check" in sys.argv:
        if DRAWING.read_text(encoding="utf-8") != drawing:
            sys.exit(f"{DRAWING.relative_to(ROOT)} is not what the code says: run docs/_tools/architecture.py")
    else:
        DRAWING.write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
