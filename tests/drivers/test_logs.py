"""``debug=True`` shows the log to somebody who has set up none, and leaves everybody else's set-up alone."""

import logging
import subprocess
import sys

import pytest

from telnyx_drivers import logs


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_nothing_is_said_unasked() -> None:
    run = python("import telnyx_drivers.asyncio as a, logging; logging.getLogger('telnyx_drivers.client').error('x')")
    assert (run.stdout, run.stderr) == ("", "")


def test_debug_goes_to_standard_error_once() -> None:
    run = python(
        "from telnyx_drivers.asyncio import TelnyxRTC\n"
        "from telnyx_drivers import logs\n"
        "for _ in range(2): TelnyxRTC(login_token='t', debug=True)\n"
        "logs.signalling.debug('hello')"
    )
    assert run.stdout == ""
    assert run.stderr.count("hello") == 1
    assert "telnyx_drivers.signalling" in run.stderr


def test_an_applications_own_handler_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = list(logs.ROOT.handlers)
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler()])
    level = logs.ROOT.level
    try:
        logs.enable_debug()
        assert logs.ROOT.handlers == handlers
    finally:
        logs.ROOT.setLevel(level)
