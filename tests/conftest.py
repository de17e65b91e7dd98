"""The whole suite in two or three processes: what is judged in real time in one, a test at a time; the rest beside.

A run of less than the whole suite stays in one process, as debuggers like it.
"""

import os
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
REAL_TIME = ("media", "net", "interop")
"""Marks of tests with sockets and sound: beside each other they would be each other's noise."""
TOGETHER = ("world", "core")
"""Folders whose last test looks at what all the others have walked."""
ORDER = ("real time", *TOGETHER)
WORLDS: list[str] = []
"""What the process with the worlds has to say in the end."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    whole = [Path(argument).resolve() for argument in config.args] == [TESTS]
    return min(3, max(2, (os.cpu_count() or 2) - 1)) if whole and not config.getoption("usepdb") else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if any(item.get_closest_marker(mark) for mark in REAL_TIME):
            item.add_marker(pytest.mark.xdist_group(ORDER[0]))
        elif folder in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(folder))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """The longest first, so that no process waits for the other in the end."""
    marker = item.get_closest_marker("xdist_group")
    return ORDER.index(marker.args[0]) if marker is not None else len(ORDER)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    WORLDS.extend(getattr(node, "workeroutput", {}).get("worlds", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in WORLDS:
        terminalreporter.write_line(f"world: {line}")
