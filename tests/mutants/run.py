"""Sow each of the bugs in a copy of the core and see whether the worlds find it.

``python -m tests.mutants.run [WORD ...]`` prints a table and ends with status 1 if any bug was not found. A word picks
the bugs whose story contains it, ``4-7`` picks by number. Without either, the core as it is goes first: it must pass.
All of them take some minutes; nothing outside a temporary directory is changed. README.md has the last result.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent
WORLDS = "tests/world/test_worlds.py::test_world"
LIMIT = 900.0


NOTHING = Mutant("nothing was sown: the worlds must pass", "call.py", "", "")


def sow(mutant: Mutant, tree: Path) -> None:
    path = tree / "telnyx_core" / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.story}: its text stands {text.count(mutant.old)} times in {path.name}"
    path.write_text(text.replace(mutant.old, mutant.new))


def copy_with(mutant: Mutant, directory: Path, tests: str) -> Path:
    """A copy of the core and of these tests, with the bug in it."""
    tree = directory / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    clutter = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for part in ("telnyx_core", tests):
        shutil.copytree(ROOT / part, tree / part, ignore=clutter)
    shutil.copy(ROOT / "pyproject.toml", tree)
    if mutant is not NOTHING:
        sow(mutant, tree)
    return tree


def run_tests(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Until the first failure, with the packages of this tree."""
    variables = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=tree, env=variables, stdout=subprocess.PIPE, text=True, timeout=LIMIT)


def found(mutant: Mutant, directory: Path) -> tuple[bool, str, float]:
    """Whether the worlds find it, which of them and by what promise, and after how many seconds."""
    tree = copy_with(mutant, directory, "tests/world")
    begun = time.monotonic()
    try:
        # In one process, one world after the other: which of them finds it first is told.
        run = run_tests(tree, "--tb=short", WORLDS)
    except subprocess.TimeoutExpired:
        return False, f"no verdict after {LIMIT:g} s", LIMIT
    return run.returncode == 1, why(run.stdout), time.monotonic() - begun


def why(said: str) -> str:
    """What pytest said, in a line: the world, the promise that was broken, and how."""
    world = re.search(r"^_+ test_world\[(\w+)-", said, re.MULTILINE)
    places = re.findall(r"^(?:\S*/)?(\w+)\.py:\d+: in (\w+)$", said, re.MULTILINE)
    reason = re.search(r"^E   (?:\s*\|)?\s*(.+)", said, re.MULTILINE)
    where = next((name for file, name in reversed(places) if file in ("alone", "together", "inside")), "?")
    if world is None or reason is None:
        return said[-110:].strip()
    told = re.sub(r"[0-9a-f]{8}-[-0-9a-f]{27}", "X", reason[1].removeprefix("telnyx_core.testing.contract."))
    return f"{world[1]}, `{where}`: {told[:100]}"


def chosen(words: list[str]) -> list[tuple[int, Mutant]]:
    numbered = list(enumerate(MUTANTS, 1))
    if not words:
        return [(0, NOTHING), *numbered]
    return [(number, mutant) for number, mutant in numbered if any(picks(word, number, mutant) for word in words)]


def picks(word: str, number: int, mutant: Mutant) -> bool:
    first, _, last = word.partition("-")
    if first.isdigit():
        return int(first) <= number <= int(last or first)
    return word in mutant.story


def main() -> int:
    wrong = 0
    print("| bug | found | by | seconds |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as directory:
        for number, mutant in chosen(sys.argv[1:]):
            killed, reason, seconds = found(mutant, Path(directory))
            wrong += killed is (mutant is NOTHING)
            by = reason if killed else ""
            print(f"| {number}. {mutant.story} | {'yes' if killed else 'no'} | {by} | {seconds:.0f} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
