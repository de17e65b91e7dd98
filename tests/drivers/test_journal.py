"""``journal=``: what a client's session was told and did, replayed to the letter (issue "drivers", point 4)."""

import io
import json
import os
import random
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telnyx_core.errors import InvalidCallParameters
from telnyx_core.events import Ready
from telnyx_core.facts import TextReceived
from telnyx_core.journal.record import Scrubber
from telnyx_core.journal.recorded_session import Replay
from telnyx_core.testing.rig import Rig
from telnyx_drivers._services import journal as journal_module
from telnyx_drivers._services.journal import Journal, RecordedSession
from telnyx_drivers.sync import TelnyxRTC
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World, next_of
from tests.drivers.inside import journal_of


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
    for _ in range(2):
        await client.connect()
        assert journal_of(client).file is not None
        await client.disconnect()
        assert journal_of(client).file is None, "nothing keeps the file while the session rests"
    await client.leave()
    client.clear_reconnect_token()
    assert journal_of(client).file is None
    assert commands(path) == [*["connect", "disconnect"] * 2, "leave", "clear_reconnect_token"]
    assert Replay.from_file(str(path)).check() > 20
    assert journal_of(client).failed is None


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
    if trouble == "full disk":
        journal_of(client).file = Full()
    else:
        take_away(path)
    async with client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await call.hangup()
    assert journal_of(client).failed is not None
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


# Whatever the session survives, its journal survives.

INFO = '{"jsonrpc":"2.0","id":5,"method":"telnyx_rtc.info",%s}'
RUINS = {
    "not a number": INFO % '"params":{"x":NaN}',
    "infinite": INFO % '"params":{"x":1e999}',
    "deep": INFO % ('"params":{"x":' + "[" * 500 + "]" * 500 + "}"),
    "deeper than any stack": "[" * 100_000,
    "half an emoji": INFO % '"params":{"\\ud83d":"\\ud83d"}',
    "a huge number": INFO % ('"params":{"x":1' + "0" * 4_000 + "}"),
    "a list of sessions": INFO.replace("info", "clientReady") % '"params":{"reattached_sessions":["S-1"]}',
    "a token that is none": INFO % ('"params":{},"voice_sdk_id":"' + "V" * 10_000 + '"'),
    "a token with a line break": INFO % '"params":{},"voice_sdk_id":"V\\r\\nx: y"',
    "the password": INFO % '"params":{"x":"for pl4nt3d-S3cret, no"}',
}
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["S-1", "V-1"])
)
names = st.sampled_from(
    ["params", "callID", "voice_sdk_id", "sessid", "token", "dtmf", "userVariables", "sdp", "name", "value", "result"]
)
frames = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=6), inner, max_size=5)
)


def recorded(path: Path, *texts: str) -> tuple[Rig, Journal]:
    rig, journal = Rig(login="bob", password="pl4nt3d-S3cret"), Journal(path)
    rig.session = RecordedSession(rig.session.options, journal=journal)
    rig.ready()
    rig.outbound()
    for text in texts:
        rig.tell(TextReceived(rig.socket, text))
    rig.disconnect()
    journal.close()
    return rig, journal


@pytest.mark.parametrize("text", RUINS.values(), ids=RUINS.keys())
def test_a_frame_that_the_session_survives_its_journal_survives(path: Path, text: str) -> None:
    _, journal = recorded(path, text, text)
    assert journal.failed is None
    assert "pl4nt3d" not in text_of(path)
    assert Replay.from_file(str(path)).check() > 20


@given(
    st.lists(
        st.builds(
            lambda method, params, ident: json.dumps({"id": ident, "method": method, "params": params}),
            st.sampled_from(["telnyx_rtc.info", "telnyx_rtc.invite", "telnyx_rtc.clientReady", "telnyx_rtc.media"]),
            frames,
            scalars,
        )
        | st.text(max_size=20),
        max_size=6,
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frames_are_recorded_and_replayed(path: Path, texts: list[str]) -> None:
    _, journal = recorded(path, *texts)
    assert journal.failed is None
    Replay.from_file(str(path)).check()


def test_a_command_that_cannot_be_written_down_costs_the_journal_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(journal_module, "fact_record", broken)
    rig, journal = recorded(path)
    assert isinstance(journal.failed, RecursionError)
    assert caplog.text.count("the journal ends here") == 1
    assert rig.frames("bye"), "the session has gone on"


def test_a_token_of_the_servers_with_every_frame_costs_a_bounded_memory() -> None:
    scrubber = Scrubber()
    scrubber.learn("the-own-one")
    own = scrubber.name("the-own-one")
    for number in range(20_000):
        scrubber.name(f"{number:05}" + "V" * 995)
    assert sum(map(len, scrubber._names)) <= 1 << 20
    assert scrubber.name("the-own-one") == own, "what a replay logs in with stays the same"


def test_dialled_digits_and_user_variables_are_replayed_and_not_told(path: Path) -> None:
    variables = {"card": "4242", "nested": {"pin": 1234}}
    rig, journal = Rig(login="bob", password="pl4nt3d-S3cret", user_variables=variables), Journal(path)
    rig.session = RecordedSession(rig.session.options, journal=journal)
    rig.ready()
    call = rig.outbound(user_variables={"deep": {"token": "pl4nt3d-1"}}, client_state="pl4nt3d-2")
    rig.dtmf(call, "98765,#")
    rig.message(call, "bob", "password=pl4nt3d-3")
    journal.close()
    assert Replay.from_file(str(path)).check() > 20
    text = text_of(path)
    for secret in ("4242", "1234", "98765", "pl4nt3d-S3cret", "pl4nt3d-1", "pl4nt3d-3"):
        assert secret not in text
    assert '"00000,0"' in text
