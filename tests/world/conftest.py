"""How long the worlds run.

``WORLD=nightly`` is for the night: ten thousand examples, found by chance. Otherwise a few hundred, the same every
time; ``WORLD=shrink`` runs those and makes a failure small, which may take minutes.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings

MODE = os.environ.get("WORLD", "")
NIGHTLY = MODE == "nightly"
COUNTED: Counter[str] = Counter()

_CALM = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
_FIXED = settings(_CALM, max_examples=300, stateful_step_count=60, derandomize=True, database=None)
SETTINGS = {
    "nightly": settings(_CALM, max_examples=10_000, stateful_step_count=80),
    "shrink": _FIXED,
}.get(MODE, settings(_FIXED, phases=[Phase.generate]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, number in sorted(COUNTED.items()):
        terminalreporter.write_line(f"world: {number:>9,} {name}")
