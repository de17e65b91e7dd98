"""``telnyx-rtc prove`` as a program: what it asks before it dials, what it finds, and what it hands on."""

import asyncio
import json
import signal
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from telnyx_core.gateway.events import CallEnded, CallStarted, MediaConnected
from telnyx_core.journal.recorded_session import Replay
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers.gateway import Gateway
from tests.programs import end_of, running

pytestmark = pytest.mark.media

USER, PASSWORD, NUMBER = "proverxx", "secret-word-1", "+15557654321"
COMMAND = ("-m", "telnyx_drivers", "prove", "--to", "echo", "--from", NUMBER, "--json")


def verdicts(document: Any) -> dict[str, str]:
    return {entry["rule"]: entry["verdict"] for entry in document["verdicts"]}


def proven(out: Path, *steps: str) -> Any:
    """The document of a run against the embedded gateway, in which these steps came to their end."""

    async def main() -> Any:
        async with Gateway(users={USER: PASSWORD}) as gateway:
            only = [part for step in steps for part in ("--only", step)]
            command = (*COMMAND, *only, "--back", USER, "--away", "1", "--yes", "--out", str(out))
            async with running(*command, user=USER, password=PASSWORD, url=gateway.url) as process:
                ended = await end_of(process)
            assert (ended.status, ended.document["ok"]) == (Exit.OK, True), ended.err
            return ended.document

    document = asyncio.run(main())
    assert {step["step"]: step["failure"] for step in document["steps"]} == dict.fromkeys(steps)
    return document


def seen(document: Any) -> dict[str, Any]:
    return {step["step"]: step["seen"] for step in document["steps"]}


def test_calls_are_asked_and_what_is_handed_on_names_nobody(tmp_path: Path) -> None:
    """Issue 10, item 13."""
    out = tmp_path / "bundle.zip"
    document = proven(out, "talk", "back")
    talk, back = seen(document)["talk"], seen(document)["back"]
    assert talk["echo"]["correlation"] > 0.5
    assert talk["digits_reply"]["message"] == "SENT"
    assert (back["caller_heard"], back["callee_heard"]) == (True, True)
    found = verdicts(document)
    for rule in ("PS-011", "PS-020", "PS-024"):
        assert found[rule] == "agrees", rule

    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as bundle:
        names = bundle.namelist()
        texts = {name: bundle.read(name).decode() for name in names}
    assert verdicts(json.loads(texts["verdicts.json"])) == found
    journals = [name for name in names if name.startswith("journal-")]
    assert len(journals) == 3, "one for each client"
    assert "Attach it to an issue" in texts["README.txt"]
    for name, text in texts.items():
        for secret in (USER, PASSWORD, NUMBER, NUMBER[1:]):
            assert secret not in text, (name, secret)
    for name in journals:
        assert Replay.from_lines(texts[name].splitlines()).check() > 10, name
        assert name.replace("journal", "report").replace("jsonl", "html") in names


def test_sockets_are_lost_and_kept_away(tmp_path: Path) -> None:
    """The steps that take a call's socket: once briefly, once for as long as they are told."""
    document = proven(tmp_path / "bundle.zip", "drop", "away")
    drop, away = seen(document)["drop"], seen(document)["away"]
    assert drop["heard_after"] is away["heard_after"] is True
    found = verdicts(document)
    assert (found["PS-002"], found["PS-004"]) == ("agrees", "agrees")
    assert found["PS-001"] == "unknown", "a second is no test of two minutes"


def test_without_leave_nothing_is_dialled(tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"

    async def main() -> None:
        async with Gateway(users={USER: PASSWORD}) as gateway:
            command = (*COMMAND, "--out", str(out))
            async with running(*command, user=USER, password=PASSWORD, url=gateway.url) as process:
                ended = await end_of(process)
            assert ended.status == Exit.USAGE
            assert "Nothing was dialled" in ended.document["error"]["message"]
            assert "8 calls" in ended.err, "what it would have cost"
            assert not gateway.history
        assert not out.exists()

    asyncio.run(main())


def test_an_interruption_hangs_up_and_keeps_what_there_is(tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"

    async def main() -> None:
        async with Gateway(users={USER: PASSWORD}) as gateway:
            command = (*COMMAND, "--only", "codecs", "--only", "drift", "--yes", "--out", str(out))
            async with running(*command, user=USER, password=PASSWORD, url=gateway.url) as process:
                calls: list[str] = []
                async for event in gateway.events():
                    calls = [each.call for each in gateway.history if isinstance(each, CallStarted)]
                    if isinstance(event, MediaConnected) and len(calls) == 5:
                        break
                process.send_signal(signal.SIGINT)
                ended = await end_of(process)
            assert ended.status == Exit.INTERRUPTED
            over = await gateway.wait_for(CallEnded, lambda call: call.call == calls[-1])
            assert over.by == "client"
            assert ended.document["complete"] is False
            (step,) = ended.document["steps"]
            assert step["seen"] == dict.fromkeys(("opus", "G722", "PCMU", "PCMA"), True)

    asyncio.run(main())
    with zipfile.ZipFile(out) as bundle:
        assert "It was interrupted" in bundle.read("README.txt").decode()


def test_a_step_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"

    async def main() -> None:
        async with Gateway(users={USER: PASSWORD}) as gateway:
            command = ("-m", "telnyx_drivers", "prove", "--to", "busy", "--json", "--yes", "--out", str(out))
            only = ("--only", "drop", "--only", "codecs")
            async with running(*command, *only, user=USER, password=PASSWORD, url=gateway.url) as process:
                ended = await end_of(process)
            assert ended.status == Exit.DEGRADED
            seen = {step["step"]: step for step in ended.document["steps"]}
            assert "USER_BUSY" in seen["drop"]["failure"]
            assert all("USER_BUSY" in text for text in seen["codecs"]["seen"].values())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--local", "--only", "everything"], "the steps are servers, codecs, talk"),
        (["--local", "--out", "missing/bundle.zip"], "there is no folder"),
        (["--credentials-file", "missing"], "cannot be read"),
    ],
)
def test_what_cannot_work_is_a_usage_error(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["prove", *arguments])
    assert result.exit_code == Exit.USAGE, result.stderr
    assert said in " ".join(result.stderr.split())
