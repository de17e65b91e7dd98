"""Sow each of the bugs in a copy of the core and see whether the worlds find it: `python -m tests.mutants.run [word]`.

Prints a table and ends with status 1 if any bug was not found. ``word`` picks the bugs whose story contains it. Takes a
few minutes; nothing outside a temporary directory is changed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent
WORLDS = "tests/world/test_worlds.py"
LIMIT = 900.0


NOTHING = Mutant("nothing was sown: the worlds must pass", "call.py", "", "")


def sow(mutant: Mutant, tree: Path) -> None:
    path = tree / "telnyx_core" / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.story}: its text stands {text.count(mutant.old)} times in {path.name}"
    path.write_text(text.replace(mutant.old, mutant.new))


def found(mutant: Mutant, directory: Path) -> tuple[bool, str, float]:
    """Whether the worlds find it, what they say, and after how many seconds."""
    tree = directory / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    clutter = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for part in ("telnyx_core", "tests/world"):
        shutil.copytree(ROOT / part, tree / part, ignore=clutter)
    shutil.copy(ROOT / "pyproject.toml", tree)
    if mutant is not NOTHING:
        sow(mutant, tree)
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=short", WORLDS]
    begun = time.monotonic()
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    reasons = [line for line in run.stdout.splitlines() if line.startswith(("E  ", "FAILED"))]
    return run.returncode == 1, reasons[0][:110] if reasons else run.stdout[-110:], time.monotonic() - begun


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutant for mutant in MUTANTS if wanted in mutant.story]
    missed = 0
    with tempfile.TemporaryDirectory() as directory:
        sick, reason, _ = found(NOTHING, Path(directory))
        if sick:
            print(f"the worlds find a bug in the core as it is: {reason}")
            return 1
        for number, mutant in enumerate(chosen, 1):
            killed, reason, seconds = found(mutant, Path(directory))
            missed += not killed
            print(
                f"{number:3} {'found ' if killed else 'MISSED'} {seconds:6.1f} s  {mutant.story}\n      {reason}",
                flush=True,
            )
    print(f"{len(chosen) - missed} of {len(chosen)} bugs found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
