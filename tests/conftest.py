"""With several processes (``-n``): what runs in real time stays in one of them, one after another, and goes first; all
other modules run beside it and give way to it.
"""

import contextlib
import functools
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling
    from xdist.workermanage import WorkerController

ROOT = Path(__file__).parent.parent
_REAL_TIME = re.compile(r"pytest\.mark\.(media|net|interop)\b")


@functools.cache
def in_real_time(path: str) -> bool:
    """Whether a module's tests open sockets or carry media: a neighbour may disturb them, and they a neighbour."""
    return bool(_REAL_TIME.search((ROOT / path).read_text()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadScopeScheduling":
    from xdist.scheduler import LoadScopeScheduling

    class OneInRealTime(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            if in_real_time(path):
                return "real time"
            # One process has to see all of the core's tests: the last of them asks what they have travelled.
            return "core" if path.startswith("tests/core/") else path

    config.option.loadscopereorder = False  # by the number of tests, which says little of their time
    return OneInRealTime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, or one process would wait for the other at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _order(item.nodeid.partition("::")[0]))


def _order(path: str) -> int:
    return 0 if in_real_time(path) else 1 if path.startswith(("tests/world/", "tests/transcripts/")) else 2


SAID: list[str] = []
"""What the processes have to tell at the end."""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController", error: object) -> None:
    SAID.extend(getattr(node, "workeroutput", {}).get("said", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SAID:
        terminalreporter.write_line(line)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and sys.platform != "win32":
        # The way back is the superuser's alone; whoever is not has done all that runs in real time by then.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, 0 if in_real_time(item.nodeid.partition("::")[0]) else 10)
