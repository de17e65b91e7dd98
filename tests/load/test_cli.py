"""The command `load`: what it refuses, and a small load on a gateway of its own."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.load import is_local


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("ws://127.0.0.1:9", True),
        ("ws://[::1]:9", True),
        ("ws://localhost", True),
        ("wss://gateway.localhost.", True),
        ("wss://rtc.telnyx.com", False),
        ("ws://192.168.1.1", False),
        ("ws://localhost.example.com", False),
        ("ws://127.0.0.1.example.com", False),
        ("ws://127.0.0.1@rtc.telnyx.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loaded_unasked(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_another_machine_is_refused() -> None:
    done = CliRunner().invoke(app, ["load", "--url", "wss://gateway.example", "--json"])
    assert done.exit_code == 2
    assert "--i-may" in json.loads(done.stdout.splitlines()[-1])["error"]["message"]


def test_a_scenario_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wait 1\nsing\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["load", "--scenario", str(tmp_path / "wrong"), "--json"])
    assert done.exit_code == 2
    assert "line 2" in json.loads(done.stdout.splitlines()[-1])["error"]["message"]


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_a_small_load_on_a_gateway_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "scenario").write_text("wait 0.3\ndigits 1\nhangup\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "telnyx_drivers",
        "load",
        "--cps",
        "3",
        "--duration",
        "1",
        "--json",
        "--metrics",
        "0",
    ]
    files = ["--scenario", "scenario", "--html", "load.html", "--csv", "load.csv"]
    done = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["ok"], told["calls"], told["failures"]) == (True, 3, {})
    assert set(told["setup_ms"]) == {"p50", "p90", "p95", "p99", "max"}
    assert urlsplit(told["metrics"]).hostname == "127.0.0.1"
    assert len((tmp_path / "load.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert "echo: 3 calls" in (tmp_path / "load.html").read_text(encoding="utf-8")
