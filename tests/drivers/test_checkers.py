"""What a type checker tells an application before it runs: a handler that takes the wrong thing is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RIGHT = """
from telnyx_core.events import CallUpdated, Event, Ready
from telnyx_drivers.{loop} import TelnyxRTC

def ready(event: Ready) -> None: ...
def anything(event: Event) -> None: ...
def nothing() -> None: ...
async def later(event: Ready) -> None: ...
def updated(event: CallUpdated) -> None: ...

def program(client: TelnyxRTC) -> None:
    client.on("telnyx.ready", ready)
    client.on("telnyx.ready", anything)
    client.on("telnyx.ready", nothing)
    client.on("telnyx.ready", later)
    client.once(CallUpdated, updated)
"""
WRONG = (
    'client.on("telnyx.ready", updated)',
    'client.once("telnyx.ready", updated)',
    "client.on(CallUpdated, ready)",
    "client.on(CallUpdated, later)",
    'client.on("telnyx.error", ready)',
    'client.on("telnyx.ready")(updated)',
    'client.on("telnyx.raedy", nothing)',
    'client.on("telnyx.ready", 5)',
    'client.on("telnyx.ready", lambda one, two: None)',
    "client.on(int, nothing)",
)
CHECKERS = {
    "mypy": ("-m", "mypy", "--strict", "--no-error-summary", "--cache-dir"),
    "pyright": ("-m", "pyright", "--pythonpath", sys.executable),
}


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_wrong_handler_is_refused_and_a_right_one_is_not(checker: str, tmp_path: Path) -> None:
    pytest.importorskip(checker)
    wrong: set[tuple[str, int]] = set()
    for loop in ("asyncio", "trio", "sync"):
        text = RIGHT.format(loop=loop)
        first = text.count("\n") + 1
        path = tmp_path / f"on_{loop}.py"
        path.write_text(text + "".join(f"    {line}\n" for line in WRONG))
        wrong |= {(path.name, first + number) for number in range(len(WRONG))}
    cache = [str(tmp_path / "cache")] if checker == "mypy" else []
    said = subprocess.run(
        [sys.executable, *CHECKERS[checker], *cache, *map(str, sorted(tmp_path.glob("*.py")))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT), "HOME": str(Path.home())},
    )
    found = re.findall(r"(on_\w+\.py):(\d+)(?::\d+)?(?: -|:) error", said.stdout)
    assert {(name, int(line)) for name, line in found} == wrong, said.stdout + said.stderr
