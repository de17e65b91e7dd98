"""``journal=``: what a client's session was told and did, replayed to the letter (issue "drivers", point 4)."""

import io
import json
import os
import random
import stat
from pathlib import Path
from typing import Any

import pytest

from telnyx_core.errors import InvalidCallParameters
from telnyx_core.events import Ready
from telnyx_core.testing.journal import Replay
from telnyx_drivers import journal as journal_module
from telnyx_drivers.journal import Journal
from telnyx_drivers.sync import TelnyxRTC
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World, next_of


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_of(path).splitlines()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def take_away(path: Path) -> None:
    path.unlink()


def commands(path: Path) -> list[str]:
    return [entry["command"] for entry in lines(path) if "command" in entry]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


@pytest.mark.anyio
async def test_a_call_with_a_loss_is_replayed_with_identical_actions(
    make_client: MakeClient, world: World, path: Path
) -> None:
    async with make_client(journal=path) as client:
        call = await client.new_call("+1555", custom_headers=[{"name": "X-A", "value": "1"}])
        await call.wait_for_state("active")
        with pytest.raises(InvalidCallParameters):
            await client.new_call("+1555", id=call.id)
        await call.hold()
        call.mute()
        await call.dtmf("12#")
        world.server.reattached = [call.id]
        stream = client.events()
        world.server.drop()
        await next_of(stream, Ready)
        await client.login(login_token="an0ther")
        world.server.ring("in-1")
        incoming = await anext(client.incoming())
        await incoming.answer()
        await incoming.hangup(cause="USER_BUSY", cause_code=17)
        await call.hangup()
    assert Replay.from_file(str(path)).check() > 60
    assert mode(path) == 0o600
    text = text_of(path)
    for secret in ("t0ken", "an0ther", '"s-1"', "V-1"):
        assert secret not in text
    refused = [entry["raised"] for entry in lines(path) if "raised" in entry]
    assert refused == ["InvalidCallParameters"]


@pytest.mark.anyio
async def test_by_hand_one_file_tells_of_every_connection_and_is_closed_in_between(
    make_client: MakeClient, world: World, path: Path
) -> None:
    client = make_client(journal=path)
    assert client._journal is not None
    for _ in range(2):
        await client.connect()
        assert client._journal._file is not None
        await client.disconnect()
        assert client._journal._file is None, "nothing keeps the file while the session rests"
    await client.leave()
    client.clear_reconnect_token()
    assert client._journal._file is None
    assert commands(path) == [*["connect", "disconnect"] * 2, "leave", "clear_reconnect_token"]
    assert Replay.from_file(str(path)).check() > 20
    assert client._journal.failed is None


@pytest.mark.anyio
async def test_it_is_readable_while_the_session_runs(make_client: MakeClient, path: Path) -> None:
    """A process that dies has written all that its session has done."""
    async with make_client(journal=path):
        assert Replay.from_file(str(path)).check() > 8


@pytest.mark.anyio
async def test_the_dice_are_the_clients(make_client: MakeClient, world: World, tmp_path: Path) -> None:
    for name in ("one", "two"):
        async with make_client(journal=tmp_path / name, rng=random.Random(5)):
            pass
    logins = [frame["id"] for frame in world.server.received if frame.get("method") == "login"]
    assert logins[0] == logins[1]
    assert lines(tmp_path / "one")[0]["seed"] == lines(tmp_path / "two")[0]["seed"]


@pytest.mark.anyio
@pytest.mark.parametrize("trouble", ["full disk", "file taken away"])
async def test_what_goes_wrong_ends_the_recording_and_not_the_session(
    make_client: MakeClient,
    path: Path,
    trouble: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    client = make_client(journal=path)
    assert client._journal is not None
    if trouble == "full disk":
        client._journal._file = Full()
    else:
        take_away(path)
    async with client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await call.hangup()
    assert client._journal.failed is not None
    assert caplog.text.count("the journal ends here") == 1
    assert commands(path) == []


def test_a_path_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal(tmp_path / "no" / "such")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        Journal(tmp_path / "link")
    assert victim.read_text() == "mine"


def test_an_old_journal_is_replaced_and_made_private(path: Path) -> None:
    path.write_text("old\n" * 1000)
    path.chmod(0o644)
    journal = Journal(path)
    journal.write({"a": 1})
    journal.close()
    journal.write({"b": 2})
    journal.close()
    assert lines(path) == [{"a": 1}, {"b": 2}]
    assert mode(path) == 0o600


def test_a_file_has_an_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_BYTES", 100)
    journal = Journal(path)
    for number in range(1_000):
        journal.write({"number": number})
    journal.close()
    journal.write({"number": 0})
    journal.close()
    assert path.stat().st_size < 140
    assert lines(path)[-1] == {"truncated": True}


def test_without_a_loop(path: Path) -> None:
    """Nothing is connected; the first line is there, and no file is left open."""
    before = len(os.listdir("/proc/self/fd"))
    for client in (
        TelnyxRTC(login_token="t0ken", journal=path),
        TelnyxRTC.from_mapping({"login_token": "t0ken"}, journal=path),
    ):
        (header,) = lines(path)
        assert header["journal"] == 1
        assert "t0ken" not in path.read_text()
        assert client.session_id is None
    assert len(os.listdir("/proc/self/fd")) == before
