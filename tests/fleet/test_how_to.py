"""The page about fleets says what is true: its program runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "fleet.md"


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_the_program_runs(tmp_path: Path) -> None:
    program = next(re.finditer(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))[1]
    (tmp_path / "page.py").write_text(program, "utf-8")
    command = [sys.executable, "-W", "error", "page.py"]
    run = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert sorted(lines[:4]) == [f"lead-{number} is answered" for number in range(4)]
    assert [line.split()[1:3] for line in lines[4:]] == [["completed", "NORMAL_CLEARING"]] * 4
