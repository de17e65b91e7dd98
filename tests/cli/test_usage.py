"""Mistakes on the command line: nothing is tried, and both readers are told what is wrong."""

import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.catalogue import ERRORS, WARNINGS, ErrorCode, WarningCode
from telnyx_core.options import ClientOptions, IceServer
from telnyx_drivers import _logs as logs
from telnyx_drivers._tools import cli
from telnyx_drivers._tools.cli import account, extras
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.examples import USAGES
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers.asyncio import TelnyxRTC

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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("call --json", "DEST"),
        ("call echo --duration 0 --json", "--duration"),
        ("call echo --json --codec mp3", "mp3"),
        ("report missing --json", "missing"),
        ("--json", "--json"),
        ("--profile nowhere call echo --json", "nowhere.env"),
        ("--profile ../x call echo --json", "no name of a profile"),
    ],
)
def test_a_script_has_its_document_where_the_parser_refuses(
    line: str, said: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["telnyx-rtc", *line.split()])
    with pytest.raises(SystemExit) as left:
        cli.main()
    written = capsys.readouterr()
    (only,) = written.out.splitlines()
    told = json.loads(only)
    assert (left.value.code, told["ok"], told["status"]) == (Exit.USAGE, False, "usage")
    assert said in told["error"]["message"]
    assert written.err


@pytest.fixture
def quiet_again() -> Iterator[None]:
    handlers, level = logs.ROOT.handlers[:], logs.ROOT.level
    yield
    logs.ROOT.handlers[:] = handlers
    logs.ROOT.setLevel(level)


@pytest.mark.parametrize("name", USAGES)
def test_help_ends_with_examples_that_can_be_typed_and_the_exit_statuses(
    name: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quiet_again: None
) -> None:
    shown = " ".join(run(name, "-h").stdout.split())
    assert "Exit status 0 done" in shown
    assert all(f"{status.value} " in shown for status in USAGES[name].exits)
    keep_profile(tmp_path, monkeypatch, "TELNYX_RTC_URL=ws://127.0.0.1:2\n")
    (tmp_path / "call.journal").touch()
    group = typer.main.get_command(app)
    given: list[dict[str, object]] = []
    monkeypatch.setattr(group.commands[name], "callback", lambda **options: given.append(options))
    for example in USAGES[name].examples:
        assert example in shown
        line = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
        assert line[0] == "telnyx-rtc"
        group.main(line[1:], prog_name="telnyx-rtc", standalone_mode=False)  # raises for what cannot be typed
    assert len(given) == len(USAGES[name].examples)


def keep_profile(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.setenv("APPDATA", str(folder))
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(folder / name))
    file = folder / "telnyx-rtc" / "staging.env"
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(0o600)


def test_a_profile_is_another_account_and_another_server(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its login replaces the one that is set, of whatever kind; names of other programs are none of its business."""
    monkeypatch.setenv("TELNYX_LOGIN_TOKEN", "another")
    monkeypatch.setenv("HOSTILE", "kept")
    lines = "TELNYX_SIP_USERNAME=carol # me\nTELNYX_SIP_PASSWORD='x y'\nTELNYX_RTC_REGION=eu\nHOSTILE=1\n"
    keep_profile(tmp_path, monkeypatch, lines)
    for name in ("TELNYX_SIP_USERNAME", "TELNYX_SIP_PASSWORD", "TELNYX_RTC_REGION"):
        monkeypatch.setenv(name, "")
    options = reaching(monkeypatch, run, "--profile", "staging", "call", "echo")
    assert (options.login, options.password, options.login_token) == ("carol", "x y", None)
    assert (options.region, options.env) == ("eu", "ws://127.0.0.1:1")
    assert os.environ["HOSTILE"] == "kept"


def reaching(monkeypatch: pytest.MonkeyPatch, run: Run, *line: str) -> ClientOptions:
    """With which options a client is made, by a command that then does not get to its server."""
    made: list[ClientOptions] = []

    def make(options: ClientOptions, **more: Any) -> TelnyxRTC:
        made.append(options)
        return TelnyxRTC(options, **more)

    monkeypatch.setattr(account, "TelnyxRTC", make)
    result = run(*line, "--connect-timeout", "0.1", "--json")
    assert result.exit_code == Exit.FAILED
    assert "within 0.1 seconds" in document(result)["error"]["message"]
    return made[0]


@pytest.mark.parametrize("arguments", [["call", "echo"], ["listen"]])
def test_the_way_is_chosen_on_the_command_line(
    run: Run, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELNYX_LOGIN_TOKEN", "t")
    monkeypatch.setenv("TELNYX_ICE_USERNAME", "ice")
    monkeypatch.setenv("TELNYX_ICE_CREDENTIAL", "secret")
    usual = reaching(monkeypatch, run, *arguments)
    assert (usual.region, usual.force_relay_candidate, usual.trickle_ice, usual.ice_servers) == (
        None,
        False,
        False,
        None,
    )
    way = ("--region", "apac", "--relay", "--trickle", "--ice-server", "turn:127.0.0.1:3478")
    chosen = reaching(monkeypatch, run, *arguments, *way)
    assert (chosen.region, chosen.force_relay_candidate, chosen.trickle_ice) == ("apac", True, True)
    assert chosen.ice_servers == (IceServer("turn:127.0.0.1:3478", "ice", "secret"),)
    refused_for_both_readers(run, [*arguments, "--ice-server", "http://x"], "--ice-server")


def test_v_logs_what_happens_to_standard_error(run: Run, monkeypatch: pytest.MonkeyPatch, quiet_again: None) -> None:
    monkeypatch.setenv("TELNYX_LOGIN_TOKEN", "t")
    told = run("call", "echo", "-v", "--connect-timeout", "0.1", "--json")
    assert "telnyx_drivers.signalling: opening socket" in told.stderr
    assert len(told.stdout.splitlines()) == 1


@pytest.mark.parametrize("option", ["--mic", "--speaker"])
@pytest.mark.parametrize("arguments", [["call", "echo"], ["listen"]])
def test_devices_that_cannot_be_had_are_told_before_the_login(
    run: Run, arguments: Sequence[str], option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    refused_for_both_readers(run, [*arguments, option, "default"], "pip install 'telnyx-rtc[devices]'")


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
        if name.partition(".")[0] in {"ifaddr", "OpenSSL", "pylibsrtp", "av", "numpy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from telnyx_drivers._tools.cli import main
main()
"""


@pytest.mark.parametrize("line", ["demo", "call echo", "listen", "diagnose --local", "prove --local"])
def test_what_calls_need_is_asked_for_before_anything_is_tried(
    run: Run, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after the login, which is not tried here for want of credentials."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "av" else object())
    refused_for_both_readers(run, line.split(), "av")


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
