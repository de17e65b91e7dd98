"""Change a line of the code at random, many times, and see whether the tests of its room notice.

``python -m tests.mutants.sample [--count 60] [--seed 0] [--in WORD]`` prints a table and ends with status 1 where more
than one mutant in twenty survives. `cosmic-ray` knows what may be changed: comparisons, constants, conditions, loops.
A mutant is tried in a copy of the repository; what is printed of a survivor is enough to sow it again.
"""

import argparse
import ast
import difflib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.mutants.run import ROOT, run_tests

# Not among what the tests need, and untyped.
trees: Any = import_module("cosmic_ray.ast")
mutating: Any = import_module("cosmic_ray.mutating")
plugins: Any = import_module("cosmic_ray.plugins")

FIGURES = tuple(f"tests/quality/test_{name}.py" for name in ("call_report", "debug", "frames", "marks", "w3c"))
ROOMS = {
    "telnyx_core/gateway": ("tests/gateway", "tests/scenarios"),
    "telnyx_core": ("tests/core", "tests/scenarios", "tests/transcripts", *FIGURES),
    "telnyx_drivers/_audio": ("tests/audio", "tests/media"),
    "telnyx_drivers/_webrtc": ("tests/media", "tests/drivers"),
    "telnyx_drivers/_services": ("tests/drivers", "tests/quality"),
    "telnyx_drivers": ("tests/drivers",),
}
"""Which tests a file answers to: those of the first room that it is in."""
LEFT_OUT = ("telnyx_core/testing", "telnyx_drivers/_tools", "telnyx_drivers/adapters", "telnyx_drivers/diagnose")
KINDS = (
    *("ReplaceComparison", "ReplaceTrue", "ReplaceFalse", "ReplaceAndWithOr", "ReplaceOrWithAnd", "AddNot"),
    *("NumberReplacer", "ReplaceBreak", "ReplaceContinue", "ZeroIteration", "ReplaceUnary", "ReplaceBinary"),
)
MEANINGLESS = ("BitOr", "BitAnd", "BitXor", "_LShift", "_RShift", "_Pow", "_Is", "IsNot")
"""Between types, and comparisons by identity with what there is one of, they are other spellings of the same."""


@frozen
class Mutant:
    file: str
    text: str

    def story(self, before: str) -> str:
        lines = difflib.unified_diff(before.splitlines(), self.text.splitlines(), n=0, lineterm="")
        kept = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        return " ".join(line[0] + line[1:].strip() for line in kept)


def files(word: str) -> list[Path]:
    found = [path for package in ("telnyx_core", "telnyx_drivers") for path in sorted((ROOT / package).rglob("*.py"))]
    names = [path for path in found if not str(path.relative_to(ROOT)).startswith(LEFT_OUT)]
    return [path for path in names if word in str(path.relative_to(ROOT))]


def mutants(rng: random.Random, word: str) -> Iterator[Mutant]:
    """Without end, each file as likely as it is long."""
    paths = files(word)
    weights = [path.stat().st_size for path in paths]
    operators: list[str] = [name for name in plugins.operator_names() if any(kind in name for kind in KINDS)]
    operators = [name for name in operators if not any(part in name for part in MEANINGLESS)]
    seen: set[tuple[str, str]] = set()
    while True:
        (path,) = rng.choices(paths, weights)
        before = path.read_text(encoding="utf-8")
        places = _places(before, operators)
        if not places:
            continue
        name, place = rng.choice(places)
        text = mutating.mutate_code(before, plugins.get_operator(name)(), place)
        if text is not None and (str(path), text) not in seen and _means_something(text):
            seen.add((str(path), text))
            yield Mutant(str(path.relative_to(ROOT)), text)


def _places(text: str, operators: list[str]) -> list[tuple[str, int]]:
    nodes: list[Any] = [trees.get_ast(text)]
    for node in nodes:
        nodes += getattr(node, "children", [])
    found: list[tuple[str, int]] = []
    for name in operators:
        operator: Any = plugins.get_operator(name)()
        count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        found += [(name, place) for place in range(count)]
    return found


def _means_something(text: str) -> bool:
    """The star that separates keywords counts as a product there."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def noticed(mutant: Mutant, tree: Path) -> bool:
    path = tree / mutant.file
    before = path.read_text(encoding="utf-8")
    path.write_text(mutant.text, encoding="utf-8")
    tests = next(tests for room, tests in ROOMS.items() if mutant.file.startswith(f"{room}/"))
    try:
        return run_tests(tree, *tests, CI="true").returncode != 0
    except subprocess.TimeoutExpired:
        return True  # a mutant that hangs has been noticed
    finally:
        path.write_text(before, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in", dest="word", default="", help="only in files whose path contains this")
    given = parser.parse_args()
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        clutter = shutil.ignore_patterns("__pycache__", ".hypothesis", "node_modules", ".venv", ".git")
        shutil.copytree(ROOT, tree, ignore=clutter)
        found = mutants(random.Random(given.seed), given.word)
        print("| | file | change | noticed | seconds |\n| --- | --- | --- | --- | --- |")
        for number in range(1, given.count + 1):
            mutant = next(found)
            begun = time.monotonic()
            killed = noticed(mutant, tree)
            survivors += not killed
            story = mutant.story((ROOT / mutant.file).read_text(encoding="utf-8")).replace("|", "\\|")
            took = time.monotonic() - begun
            print(
                f"| {number} | {mutant.file} | `{story}` | {'yes' if killed else '**no**'} | {took:.0f} |", flush=True
            )
    return 1 if survivors > given.count / 20 else 0


if __name__ == "__main__":
    sys.exit(main())
