"""The commands as programs of their own, against a gateway with real sockets and real media."""

import asyncio
import json
import signal
import stat
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from telnyx_core.gateway import Assistant
from telnyx_core.gateway.events import (
    CallAnswered,
    CallEnded,
    CallReportReceived,
    CallStarted,
    DigitsReceived,
    StateTold,
)
from telnyx_core.options import CustomHeader
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.diagnose.echo import read_wav
from telnyx_drivers.gateway import Gateway
from tests.audio.helpers import sine, write_wav
from tests.programs import LIMIT, Ended, end_of, running

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]

USERS = {"alice": "pw-of-alice", "bob": "pw-of-bob"}


def command(user: str, url: str, *arguments: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    return running("-m", "telnyx_drivers", *arguments, user=user, password=USERS[user], url=url)


async def finished(user: str, url: str, *arguments: str) -> Ended:
    async with command(user, url, *arguments) as process:
        return await end_of(process)


def tone(path: Path, seconds: float) -> Path:
    return write_wav(path, sine(440, 8_000, seconds), 8_000)


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
    for name in ("connected_ms", "registered_ms", "setup_ms", "first_audio_ms", "packets_sent", "packets_received"):
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


def test_a_call_that_nobody_answers_in_time_is_hung_up_for_that_and_not_as_busy() -> None:
    """``--timeout``: the far end must not hear that we were busy."""

    async def story(gateway: Gateway) -> None:
        ended = await finished("alice", gateway.url, "call", "ring", "--timeout", "1", "--json")
        assert ended.status == Exit.FAILED, ended.err
        told = await gateway.wait_for(CallEnded)
        assert (told.by, told.cause.cause, told.cause.cause_code) == ("client", "NO_ANSWER", 19)

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
    words = tone(tmp_path / "long.wav", 30.0)

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


def test_dead_air_is_a_fault_and_names_its_direction(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        words = ("--play", str(tone(tmp_path / "words.wav", 1.0)))
        call = ("call", "silence", "--json")
        nothing, spoken, expected = await asyncio.gather(
            finished("alice", gateway.url, *call, "--duration", "1"),
            finished("alice", gateway.url, *call, *words),
            finished("alice", gateway.url, *call, *words, "--expect-audio"),
        )
        assert nothing.status == expected.status == Exit.DEGRADED, nothing.err + expected.err
        for ended in (nothing, expected):
            assert ended.document["faults"] == ["Dead air: nothing audible was heard from the other side."]
            assert ended.document["ok"] is False
        assert nothing.document["dead_air"] == ["sent", "received"]
        assert spoken.document["dead_air"] == expected.document["dead_air"] == ["received"]
        assert spoken.status == Exit.OK, "a line that only listens may be talked to"

    with_gateway(story)


def test_a_call_is_held_against_what_was_asked_of_it(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        asked = ("--max-setup-ms", "1", "--min-mos", "4.5", "--fail-on", "48001", "--duration", "1")
        ended = await finished("alice", gateway.url, "call", "tone", *asked, "--expect-audio", "--json")
        assert ended.status == Exit.DEGRADED, ended.err
        setup, quality = ended.document["faults"]
        assert setup.startswith("The call was set up in ")
        assert setup.endswith(" ms, not within 1 ms.")
        assert quality.startswith("The quality ")

    with_gateway(story)


@pytest.mark.parametrize("what", ["breaks", "url"])
def test_what_breaks_off_in_the_call_is_a_fault_with_its_name(tmp_path: Path, what: str) -> None:
    """Found only when it is played: the call was had, so the status is 3 and the document is whole."""
    file = tone(tmp_path / "words.wav", 1.0)
    if what == "breaks":  # between the check and the call
        ended_by = str(file)

        async def story(gateway: Gateway) -> None:
            async with command("alice", gateway.url, "call", "tone", "--play", ended_by, "--json") as process:
                await gateway.wait_for(CallStarted)
                file.write_bytes(b"no audio at all " * 40)
                ended = await end_of(process)
            check(ended, "words.wav cannot be played: ")
    else:

        async def story(gateway: Gateway) -> None:
            url = "http://127.0.0.1:9/words.wav?token=secret"
            ended = await finished("alice", gateway.url, "call", "tone", "--play", url, "--json")
            check(ended, "http://127.0.0.1:9/words.wav cannot be played: ")
            assert "secret" not in ended.err + ended.out

    def check(ended: Ended, begins: str) -> None:
        assert ended.status == Exit.DEGRADED, ended.err
        (fault,) = ended.document["faults"]
        assert fault.startswith(begins)
        assert ended.document["played_seconds"] == 0
        assert "Traceback" not in ended.err

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
            words = str(tone(tmp_path / "words.wav", 1.0))  # a call in which nothing is said counts as degraded
            call = ("call", "bob", "--from", "+1 (555) 01", "--play", words, "--json")
            called, heard = await finished("alice", gateway.url, *call), await end_of(listener)
        assert (called.status, heard.status) == (Exit.OK, Exit.OK), called.err + heard.err
        (told,) = heard.document["calls"]
        assert told["direction"] == "inbound"
        assert told["far_end"] == "+1 (555) 01"
        assert Path(told["recording"]).name.endswith("-+1_555_01.wav")
        assert read_wav(Path(told["recording"]))[1].shape[1] == 2

    with_gateway(story)


def test_a_listener_that_declines_and_keeps_no_file(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        listen = ("listen", "--reject", "--count", "1", "--record-dir", str(tmp_path), "--json")
        async with command("bob", gateway.url, *listen) as listener:
            await gateway.wait_for(StateTold, lambda event: event.user == "bob")
            called, declined = await finished("alice", gateway.url, "call", "bob", "--json"), await end_of(listener)
        assert called.document["hangup"]["cause"] == "CALL_REJECTED"
        assert (declined.status, declined.document["calls"][0]["answered"]) == (Exit.OK, False), declined.err
        assert "Declined" in declined.err

    with_gateway(story)
    assert not list(tmp_path.iterdir())


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


@pytest.mark.parametrize(("told", "status"), [(signal.SIGTERM, Exit.OK), (signal.SIGHUP, Exit.INTERRUPTED)])
def test_a_listener_that_is_told_to_end_hangs_up(tmp_path: Path, told: signal.Signals, status: Exit) -> None:
    async def story(gateway: Gateway) -> None:
        async with command("bob", gateway.url, "listen", "--record-dir", str(tmp_path), "--json") as process:
            await gateway.wait_for(StateTold, lambda event: event.user == "bob")
            gateway.call_user("bob", from_number="+1555", behaviour="tone")
            await gateway.wait_for(CallAnswered)
            await asyncio.sleep(1)
            process.send_signal(told)
            ended = await end_of(process)
        assert ended.status == status, ended.err
        assert (await gateway.wait_for(CallEnded)).by == "client"

    with_gateway(story)


def test_an_assistant_is_talked_to_and_its_words_are_shown() -> None:
    async def story() -> Ended:
        assistant = Assistant(greeting="Good morning.", replies={"open": "From 9 to 5."})
        async with Gateway(assistants={"shop": assistant}) as gateway:
            said = ("--say", "Are you open?", "--say", "Thanks")
            arguments = ("-m", "telnyx_drivers", "talk", "shop", *said, "--json")
            async with running(*arguments, user="", password="", url=gateway.url) as process:
                return await end_of(process)

    ended = asyncio.run(story())
    assert ended.status == Exit.OK, ended.err
    told = [(item["role"], item["content"], item["partial"]) for item in ended.document["transcript"]]
    assert told == [
        ("assistant", "Good morning.", False),
        ("user", "Are you open?", False),
        ("assistant", "From 9 to 5.", False),
        ("user", "Thanks", False),
        ("assistant", "Thanks", False),
    ]
    assert "From 9 to 5." in ended.err
    assert ended.document["hangup"]["cause"] == "NORMAL_CLEARING"
