"""The example without a network is itself a test: run it as a reader would."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "embedding" / "test_without_network.py"


def test_the_example_passes() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=EXAMPLE.parent)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_page_says_what_runs() -> None:
    page = (EXAMPLE.parents[2] / "docs" / "how-to" / "test-your-app.md").read_text(encoding="utf-8")
    source = page.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(compile(source, "test-your-app.md", "exec"), names)
    story = names["test_a_call_survives_its_socket"]
    assert callable(story)
    story()
