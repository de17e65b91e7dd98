"""How long the worlds run, and what is told of it at the end.

Some hundred examples, the same every time; ``WORLD=nightly`` is for the night: ten thousand examples of 80 steps, in
slices, each with a seed of its own, so that any of them can be run again by itself (``SLICES=31``, ``SLICES=4-9``).
With ``WORLD=shrink`` or ``WORLD=nightly,shrink`` a failure is made small, which may take minutes.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.world.edges import Walk

MODE = os.environ.get("WORLD", "").split(",")
NIGHTLY = "nightly" in MODE
EXAMPLES = {"alone": 250, "together": 250} if NIGHTLY else {"alone": 800, "together": 600}
"""Of one slice."""


def _slices() -> range:
    first, _, last = os.environ.get("SLICES", "0-19" if NIGHTLY else "0").partition("-")
    return range(int(first), int(last or first) + 1)


SLICES = _slices()
COUNTED: Counter[str] = Counter()
WALK = Walk()
REPORT: list[str] = []

SETTINGS = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    stateful_step_count=80 if NIGHTLY else 60,
    database=None,
    phases=[Phase.generate, Phase.shrink] if "shrink" in MODE else [Phase.generate],
)


def _said() -> list[str]:
    totals = [f"{number:,} {name}" for name, number in sorted(COUNTED.items())]
    return [f"world: {line}" for line in [*REPORT, *totals, *([str(WALK)] if COUNTED else [])]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # in a process of several, whose terminal nobody reads
        session.config.workeroutput["said"] = _said()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _said():
        terminalreporter.write_line(line)
