"""The page on the agent by itself: its program runs as it is printed."""

import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "ice-agent.md"


@pytest.mark.net
def test_two_agents_meet_over_udp() -> None:
    program = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("b'\\x80hello' by candidate:")
