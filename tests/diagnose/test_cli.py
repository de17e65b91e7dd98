"""``telnyx-rtc diagnose`` as a program: live progress for people, one document for scripts, and its exit status."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from telnyx_core.gateway.events import CallEnded, CallStarted, MediaConnected
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.arguments import ICE_CREDENTIAL, ICE_USERNAME
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers.gateway import Gateway
from tests.network.coturn import CREDENTIAL, LISTENS_ON, USER, Coturn
from tests.programs import ROOT, end_of, running

pytestmark = pytest.mark.media


def program(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TELNYX_")}
    return subprocess.run(
        [sys.executable, "-m", "telnyx_drivers", "diagnose", *arguments],
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def document(done: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(done.stdout.splitlines()[-1])


def test_it_checks_everything_without_an_account(coturn: Coturn) -> None:
    urls = [f"stun:{LISTENS_ON}:{coturn.port}", f"turn:{LISTENS_ON}:{coturn.port}?transport=tcp"]
    options = [part for url in urls for part in ("--ice-server", url)]
    secrets = {ICE_USERNAME: USER, ICE_CREDENTIAL: CREDENTIAL}
    done = program("--local", "--json", *options, **secrets)
    assert done.returncode == Exit.OK, done.stderr
    report = document(done)
    assert (report["ok"], report["status"], report["verdict"]) == (True, "ok", "ready")
    assert [test["established"] for test in report["serverTests"]] == [True, True]
    assert report["network"]["quality"] == "good"
    assert report["echo"]["correlation"] > 0.8
    for step in ("DNS", "WebSocket", "Login: registered", *urls, "Call: established", "Quality: good", "Echo", "ready"):
        assert step in done.stderr
    assert CREDENTIAL not in done.stdout + done.stderr


def test_a_blocked_port_is_named_and_the_status_says_degraded(coturn: Coturn) -> None:
    with socket.socket() as closed:
        closed.bind((LISTENS_ON, 0))
        port = closed.getsockname()[1]
        urls = [f"turn:{LISTENS_ON}:{port}?transport=tcp", f"turn:{LISTENS_ON}:{coturn.port}"]
        options = [part for url in urls for part in ("--ice-server", url)]
        secrets = {ICE_USERNAME: USER, ICE_CREDENTIAL: CREDENTIAL}
        done = program("--local", "--seconds", "2", *options, **secrets)
    assert done.returncode == Exit.DEGRADED, done.stderr
    assert f"TCP port {port} to {LISTENS_ON} seems to be blocked" in " ".join(done.stdout.split())


def test_what_it_comes_to_is_readable_in_a_narrow_terminal() -> None:
    with socket.socket() as closed:
        closed.bind((LISTENS_ON, 0))
        urls = [f"turns:{LISTENS_ON}:{closed.getsockname()[1]}", f"stun:{LISTENS_ON}:{closed.getsockname()[1]}"]
        options = [part for url in urls for part in ("--ice-server", url)]
        done = program("--local", "--seconds", "2", *options, COLUMNS="60", **{ICE_USERNAME: "u", ICE_CREDENTIAL: "c"})
    panel = done.stdout[done.stdout.index("╭") :].splitlines()
    assert max(map(len, panel)) <= 60, panel
    inside = [line.strip("│ ") for line in panel if line.startswith("│")]
    assert inside[0] == "! degraded"
    starts = [line[:4] for line in panel if line.startswith("│")]
    assert set(starts) == {"│ ! ", "│ • ", "│   "}, "what is broken stands below its own beginning"
    assert "connection refused" in " ".join(inside)
    assert "Errno" not in done.stdout


def test_an_interrupted_diagnosis_hangs_up_and_says_so() -> None:
    """DIAG-015."""

    async def main() -> None:
        async with Gateway(users={"alice": "secret"}) as gateway:
            command = ("-m", "telnyx_drivers", "diagnose", "--to", "echo", "--from", "1", "--seconds", "60", "--json")
            async with running(*command, user="alice", password="secret", url=gateway.url) as process:
                started = await gateway.wait_for(CallStarted)
                await gateway.wait_for(MediaConnected)
                process.send_signal(signal.SIGINT)
                ended = await end_of(process)
            assert ended.status == Exit.INTERRUPTED
            assert (ended.document["ok"], ended.document["status"]) == (False, "interrupted")
            assert "Traceback" not in ended.err
            over = await gateway.wait_for(CallEnded)
            assert (over.call, over.by) == (started.call, "client")

    asyncio.run(main())


def test_an_account_is_used_where_there_is_one() -> None:
    async def main() -> None:
        async with Gateway(users={"alice": "secret"}) as gateway:
            command = ("-m", "telnyx_drivers", "diagnose", "--to", "echo", "--from", "1", "--seconds", "2", "--json")
            async with running(*command, user="alice", password="secret", url=gateway.url) as process:
                ended = await end_of(process)
            assert (ended.status, ended.document["verdict"]) == (Exit.OK, "ready")
            async with running(*command, user="alice", password="wrong", url=gateway.url) as process:
                ended = await end_of(process)
            assert (ended.status, ended.document["verdict"]) == (Exit.FAILED, "blocked")
            assert ended.document["reasons"][0]["code"] == "login_failed"
            assert "wrong" not in ended.out

    asyncio.run(main())


def test_without_credentials_what_needs_none_is_checked() -> None:
    async def main() -> None:
        async with Gateway(users={"alice": "secret"}) as gateway:
            done = await asyncio.to_thread(program, "--url", gateway.url, "--json")
            assert done.returncode == Exit.OK, done.stderr
            assert document(done)["signaling"]["registeredMs"] is None
            assert "No credentials" in done.stderr

    asyncio.run(main())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--local", "--ice-server", "http://x"], "neither a stun:, turn: nor turns: URL"),
        (["--local", "--ice-server", "turn:127.0.0.1"], "TURN needs a username and a credential"),
        (["--credentials-file", "missing"], "cannot be read"),
        (["--url", "http://x"], "env"),
    ],
)
def test_what_cannot_work_is_a_usage_error(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("TELNYX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["diagnose", *arguments])
    assert result.exit_code == Exit.USAGE, result.stderr
    assert said in " ".join(result.stderr.split())
