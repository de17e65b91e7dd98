"""The example without a network is itself a test: run it as a reader would."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "embedding" / "test_without_network.py"


def test_the_example_passes() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=EXAMPLE.parent)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_page_says_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    root = EXAMPLE.parents[2]
    monkeypatch.chdir(root)
    page = (root / "docs" / "how-to" / "test-your-app.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in page.split("```python\n")[1:]:
        exec(compile(block.split("```")[0], "test-your-app.md", "exec"), names)
    stories = [story for name, story in names.items() if name.startswith("test_") and callable(story)]
    assert len(stories) == 2
    for story in stories:
        story()
