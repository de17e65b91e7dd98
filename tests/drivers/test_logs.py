"""Errors are seen where no logging is set up; ``debug=True`` shows everything of one client, and only its."""

import logging
import subprocess
import sys

import pytest

from telnyx_drivers import _logs as logs


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_nothing_but_errors_is_said_unasked() -> None:
    run = python(
        "from telnyx_drivers import _logs as logs\n"
        "logs.client.warning('quiet')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: logs.client.exception('loud')"
    )
    assert run.stdout == ""
    assert "quiet" not in run.stderr
    assert "loud" in run.stderr
    assert "ZeroDivisionError" in run.stderr


@pytest.mark.parametrize(
    "set_up",
    [
        "logging.getLogger('telnyx_drivers').addHandler(logging.NullHandler())",
        "logging.basicConfig(filename='/dev/null')",
    ],
)
def test_an_applications_own_handler_is_enough(set_up: str) -> None:
    run = python(f"import logging\nfrom telnyx_drivers import _logs as logs\n{set_up}\nlogs.client.error('once')")
    assert (run.stdout, run.stderr) == ("", "")


def test_debug_goes_to_standard_error_once() -> None:
    run = python(
        "from telnyx_drivers import _logs as logs\n"
        "with logs.of_client(True), logs.of_client(True): logs.signalling.debug('hello')\n"
        "with logs.of_client(True), logs.of_client(False): logs.signalling.debug('of another')\n"
        "logs.signalling.debug('later')"
    )
    assert run.stdout == ""
    assert run.stderr.count("hello") == 1
    assert "another" not in run.stderr
    assert "later" not in run.stderr
    assert "telnyx_drivers.signalling" in run.stderr


def test_debug_leaves_levels_alone_and_obeys_disable(caplog: pytest.LogCaptureFixture) -> None:
    with logs.of_client(True):
        logs.signalling.debug("asked for")
        logging.disable(logging.CRITICAL)
        try:
            logs.signalling.debug("switched off")
        finally:
            logging.disable(logging.NOTSET)
    assert [record.getMessage() for record in caplog.records] == ["asked for"]
    assert logs.ROOT.level == logging.NOTSET
