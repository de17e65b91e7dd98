"""The commands as programs of their own, against a gateway with real sockets and real media."""

import asyncio
import json
import signal
import stat
import wave
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telnyx_core.gateway.events import (
    CallAnswered,
    CallEnded,
    CallReportReceived,
    CallStarted,
    DigitsReceived,
    StateTold,
)
from telnyx_core.options import CustomHeader
from telnyx_drivers.cli.echo import read_wav
from telnyx_drivers.cli.exits import Exit
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.media.measure import dominant_frequency
from tests.programs import LIMIT, Ended, end_of, running

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]

USERS = {"alice": "pw-of-alice", "bob": "pw-of-bob"}


def command(user: str, url: str, *arguments: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    return running("-m", "telnyx_drivers", *arguments, user=user, password=USERS[user], url=url)


async def finished(user: str, url: str, *arguments: str) -> Ended:
    async with command(user, url, *arguments) as process:
        return await end_of(process)


def with_gateway(story: Callable[[Gateway], Coroutine[Any, Any, None]]) -> None:
    async def tell() -> None:
        async with Gateway(users=dict(USERS)) as gateway:
            await story(gateway)

    asyncio.run(tell())


def test_the_demo_shows_a_whole_call(tmp_path: Path) -> None:
    recording = tmp_path / "demo.wav"

    async def story() -> Ended:
        return await finished("alice", "ws://127.0.0.1:1", "demo", "--record", str(recording), "--json")

    ended = asyncio.run(story())
    told = ended.document
    assert ended.status == Exit.OK, ended.err
    assert told["ok"] is True
    for name in ("registered_ms", "setup_ms", "first_audio_ms", "packets_sent", "packets_received"):
        assert told[name] > 0, name
    assert told["echo"]["correlation"] >= 0.9
    assert told["echo"]["delay_ms"] > 0
    assert 3.5 < told["echo"]["seconds"] < 5
    assert told["hangup"]["cause"] == "NORMAL_CLEARING"
    assert told["hangup"]["cause_code"] == 16
    assert stat.S_IMODE(recording.stat().st_mode) == 0o600
    assert "works in both directions" in ended.err


def test_a_call_is_played_recorded_and_dialled_through(tmp_path: Path) -> None:
    recording = tmp_path / "tone.wav"

    async def story(gateway: Gateway) -> None:
        options = ("--record", str(recording), "--dtmf", "12#", "--header", "X-Case: 7", "--codec", "pcmu")
        ended = await finished("alice", gateway.url, "call", "tone", *options, "--duration", "1.5", "--json")
        assert ended.status == Exit.OK, ended.err
        assert ended.document["answered"] is True
        assert ended.document["packets_received"] > 0
        started = await gateway.wait_for(CallStarted)
        assert CustomHeader("X-Case", "7") in started.custom_headers
        assert (await gateway.wait_for(DigitsReceived)).digits == "12#"

    with_gateway(story)
    rate, samples = read_wav(recording)
    heard = samples[rate // 2 : rate, 1]
    assert dominant_frequency(heard, rate) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize(("number", "cause"), [("busy", "USER_BUSY"), ("nobody", "UNALLOCATED_NUMBER")])
def test_a_call_that_does_not_come_about_fails_with_its_cause(number: str, cause: str) -> None:
    async def story(gateway: Gateway) -> None:
        ended = await finished("alice", gateway.url, "call", number, "--json")
        assert ended.status == Exit.FAILED
        assert ended.document["hangup"]["cause"] == cause
        assert ended.document["error"]["type"] == "CallEnded"
        assert cause in ended.err

    with_gateway(story)


def test_refused_credentials_fail_with_the_catalogue_and_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(gateway: Gateway) -> None:
        monkeypatch.setitem(USERS, "alice", "a-wrong-secret")
        ended = await finished("alice", gateway.url, "call", "echo", "--json")
        assert ended.status == Exit.FAILED
        assert ended.document["error"]["code"] == 46001
        assert "a-wrong-secret" not in ended.out + ended.err

    with_gateway(story)


def test_a_call_cut_short_is_degraded(tmp_path: Path) -> None:
    """The other side hangs up in the middle of what is played to it."""
    words = tmp_path / "long.wav"
    with wave.open(str(words), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(np.zeros(30 * 8_000, "<i2").tobytes())

    async def story(gateway: Gateway) -> None:
        async with command("alice", gateway.url, "call", "echo", "--play", str(words), "--json") as process:
            answered = await gateway.wait_for(CallAnswered)
            await asyncio.sleep(0.5)
            gateway.hangup(answered.call)
            ended = await end_of(process)
        assert ended.status == Exit.DEGRADED, ended.err
        assert ended.document["status"] == "degraded"
        assert ended.document["faults"] == ["The call ended before everything was played."]
        assert 0 < ended.document["played_seconds"] < 30

    with_gateway(story)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_call_is_hung_up_and_its_recording_whole(tmp_path: Path, told: signal.Signals) -> None:
    recording = tmp_path / "tone.wav"

    async def story(gateway: Gateway) -> None:
        async with command("alice", gateway.url, "call", "tone", "--record", str(recording), "--json") as process:
            await gateway.wait_for(CallAnswered)
            await asyncio.sleep(1.5)
            process.send_signal(told)
            ended = await end_of(process)
        assert ended.status == Exit.INTERRUPTED, ended.err
        assert ended.document["status"] == "interrupted"
        assert ended.document["hangup"]["cause"] == "NORMAL_CLEARING"
        assert (await gateway.wait_for(CallEnded)).by == "client"
        taken = await gateway.wait_for(CallReportReceived)
        assert "flushReason" not in taken.report, "the last part (STATS-246)"
        assert taken.report["stats"]

    with_gateway(story)
    assert read_wav(recording)[1].shape[0] > 0


def test_a_listener_answers_plays_and_records(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        listen = ("listen", "--count", "1", "--record-dir", str(tmp_path), "--json")
        async with command("bob", gateway.url, *listen) as listener:
            await gateway.wait_for(StateTold, lambda event: event.user == "bob")
            call = ("call", "bob", "--from", "+1 (555) 01", "--duration", "1", "--json")
            called, heard = await finished("alice", gateway.url, *call), await end_of(listener)
        assert (called.status, heard.status) == (Exit.OK, Exit.OK), called.err + heard.err
        (told,) = heard.document["calls"]
        assert told["direction"] == "inbound"
        assert told["far_end"] == "+1 (555) 01"
        assert Path(told["recording"]).name.endswith("-+1_555_01.wav")
        assert read_wav(Path(told["recording"]))[1].shape[1] == 2

    with_gateway(story)


def test_a_gateway_of_its_own_tells_where_it_is(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(f"alice={USERS['alice']}\n")
    users.chmod(0o600)

    async def story() -> None:
        options = ("--user", "carol", "--users-file", str(users), "--json")
        async with command("alice", "", "gateway", *options) as gateway:
            assert gateway.stdout is not None
            async with asyncio.timeout(LIMIT):
                told = json.loads(await gateway.stdout.readline())
            assert told["users"].keys() == {"carol"}, "a password of the user's own is not repeated"
            called = await finished("alice", told["url"], "call", "busy", "--json")
            assert called.document["hangup"]["cause"] == "USER_BUSY"
            gateway.send_signal(signal.SIGINT)
            ended = await end_of(gateway)
        assert ended.status == Exit.INTERRUPTED
        assert ended.out == "", "the document had been told at the start"
        assert USERS["alice"] not in ended.err
        assert "alice calls busy" in ended.err

    asyncio.run(story())
