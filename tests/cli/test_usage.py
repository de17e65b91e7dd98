"""Mistakes on the command line: nothing is tried, and both readers are told what is wrong."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.catalogue import ERRORS, WARNINGS, ErrorCode, WarningCode
from telnyx_drivers._tools import cli
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command line in an environment with nothing of Telnyx in it; nothing could be reached if it were tried."""
    for name in [name for name in os.environ if name.startswith("TELNYX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TELNYX_RTC_URL", "ws://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def document(result: Result) -> JsonObject:
    loaded: JsonObject = json.loads(result.stdout.splitlines()[-1])
    return loaded


FILES = {
    "nonsense": b"hello\n",
    "headless": b'{"journal":1}\n',
    "dice": b'{"journal":1,"options":{},"seed":"zz"}\n',
    "binary": b"\xff\xfe\0",
}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["call", "echo"], "No credentials"),
        (["call", "echo", "--header", "x"], "'Name: value'"),
        (["call", "echo", "--dtmf", "z"], "--dtmf"),
        (["call", "echo", "--play", "missing.wav"], "missing.wav"),
        (["call", "echo", "--record", "missing/out.wav"], "no folder"),
        (["call", "echo", "--credentials-file", "missing"], "cannot be read"),
        (["listen"], "No credentials"),
        (["listen", "--record-dir", "missing"], "no such folder"),
        (["gateway"], "--user"),
        (["gateway", "--users-file", "missing"], "cannot be read"),
        (["demo", "--record", "missing/out.wav"], "no folder"),
        (["report", "nonsense"], "cannot be read"),
        (["replay", "nonsense"], "is no journal"),
        (["replay", "headless"], "is no journal"),
        (["replay", "dice"], "is no journal"),
        (["replay", "binary"], "is no journal"),
        (["explain", "HIGH_RATES"], "HIGH_RATES is no code or name"),
    ],
)
def test_what_cannot_work_is_a_usage_error(run: Run, arguments: Sequence[str], said: str, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    refused_for_both_readers(run, arguments, said)


@pytest.mark.parametrize("code", [*ErrorCode, *WarningCode])
def test_every_error_and_warning_is_explained_by_its_code_and_its_name(run: Run, code: ErrorCode | WarningCode) -> None:
    entry = ERRORS[code] if isinstance(code, ErrorCode) else WARNINGS[code]
    told = document(run("explain", str(int(code)), "--json"))
    assert (told["ok"], told["code"], told["name"]) == (True, int(code), code.name)
    assert told["solutions"] == [*entry.solutions]
    shown = " ".join(run("explain", code.name.lower()).stdout.split())
    assert all(" ".join(text.split()) in shown for text in (entry.message, entry.description, *entry.solutions))


@pytest.mark.parametrize("arguments", [["call", "echo"], ["listen"], ["diagnose"]])
def test_an_address_that_is_none_is_a_usage_error(
    run: Run, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_SIP_USERNAME", "alice")
    monkeypatch.setenv("TELNYX_SIP_PASSWORD", "secret")
    refused_for_both_readers(run, [*arguments, "--url", "http://x"], "neither ws nor wss")


def refused_for_both_readers(run: Run, arguments: Sequence[str], said: str) -> None:
    for_people = run(*arguments)
    assert for_people.exit_code == Exit.USAGE
    assert for_people.stdout == ""
    assert said in for_people.stderr

    for_scripts = run(*arguments, "--json")
    told = document(for_scripts)
    assert for_scripts.exit_code == Exit.USAGE
    assert (told["ok"], told["status"]) == (False, "usage")
    assert said in json.dumps(told["error"])
    assert len(for_scripts.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["call"], ["call", "echo", "--duration", "0"], ["call", "echo", "--codec", "mp3"]]
)
def test_what_the_parser_refuses_has_the_same_status(run: Run, arguments: Sequence[str]) -> None:
    assert run(*arguments).exit_code == Exit.USAGE


def test_no_option_takes_a_secret(run: Run) -> None:
    for command in ("demo", "call", "listen", "gateway"):
        described = run(command, "--help").stdout
        options = {word.strip("│ ,") for word in described.split() if word.startswith("--")}
        assert not {"--password", "--token", "--login-token", "--secret"} & options
        assert "--json" in options


def test_a_missing_extra_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == Exit.USAGE
    assert "pip install 'telnyx-rtc[media,cli]'" in capsys.readouterr().err


WITHOUT_MEDIA = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"aioice", "OpenSSL", "pylibsrtp", "av", "numpy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from telnyx_drivers._tools.cli import main
main()
"""


def test_a_missing_media_extra_is_named_with_its_cure(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_MEDIA, "demo", "--json"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert run.returncode == Exit.USAGE, run.stderr
    assert "pip install 'telnyx-rtc[media,cli]'" in run.stderr
    assert json.loads(run.stdout.splitlines()[-1])["error"]["type"] == "MediaUnavailable"


def test_python_m_is_the_same_program() -> None:
    run = subprocess.run([sys.executable, "-m", "telnyx_drivers", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in run.stdout


def test_the_version_is_the_packages_own(run: Run) -> None:
    assert run("--version").stdout == f"telnyx-rtc {importlib.metadata.version('telnyx-rtc')}\n"
