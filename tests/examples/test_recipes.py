"""The recipes: programs that do one whole thing, each against the embedded gateway."""

import asyncio
import csv
import json
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from telnyx_core.gateway.events import CallEnded, MediaConnected, StateTold
from telnyx_core.gateway.options import FarEnd
from telnyx_core.ids import CallId
from telnyx_drivers._audio.frames import to_int16
from telnyx_drivers.diagnose.echo import read_wav
from telnyx_drivers.gateway import Gateway
from tests.audio.helpers import sine, write_wav
from tests.audio.sense_corpus import RATE, tone
from tests.examples.test_asyncio import USERS, example
from tests.programs import LIMIT, Ended, end_of

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]


def with_gateway(story: Callable[[Gateway], Coroutine[Any, Any, None]]) -> None:
    async def tell() -> None:
        async with Gateway(users=dict(USERS)) as gateway, asyncio.timeout(LIMIT):
            await story(gateway)

    asyncio.run(tell())


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def stopped(process: asyncio.subprocess.Process) -> Ended:
    process.send_signal(signal.SIGTERM)
    ended = await end_of(process)
    assert ended.status == 0, ended.err
    return ended


def words(folder: Path, seconds: float = 0.3) -> str:
    return str(write_wav(folder / "words.wav", sine(440, 8_000, seconds), 8_000))


async def rings(gateway: Gateway, number: str, behaviour: FarEnd = "tone") -> CallId:
    """A caller, once bob has answered and is heard."""
    call = gateway.call_user("bob", from_number=number, behaviour=behaviour)
    await gateway.wait_for(MediaConnected, lambda event: event.call == call)
    return call


def test_only_who_agrees_is_recorded(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        arguments = (words(tmp_path), "recordings")
        async with example("record_with_consent.py", "bob", gateway.url, tmp_path, *arguments) as process:
            await gateway.wait_for(StateTold)
            said = []
            keys = {"+15550101": (697, 1_209), "+15550102": (697, 1_336)}  # 1 and 2 (ITU-T Q.23)
            for number, tones in keys.items():
                call = await rings(gateway, number, "silence")
                await asyncio.sleep(0.5)
                gateway.audio(call).audio_out.write_nowait(to_int16(tone(tones, 0.3)), RATE)
                said.append(await line_of(process))
                await asyncio.sleep(0.5)
                gateway.hangup(call)
            assert said == ["+15550101: recorded", "+15550102: not recorded"]
            await stopped(process)

    with_gateway(story)
    with (tmp_path / "recordings" / "consent.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert [(number, agreed) for _, _, number, agreed in rows] == [("+15550101", "yes"), ("+15550102", "no")]
    (recording,) = (tmp_path / "recordings").glob("*.wav")
    assert recording.stem == rows[0][1]
    rate, samples = read_wav(recording)
    assert (rate > 0, samples.shape[1]) == (True, 2)


def test_a_campaign_reaches_whom_it_can_and_calls_nobody_twice(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("tone\nbusy\nnobody\ntone\n")
    arguments = (words(tmp_path), str(numbers), "results.csv")

    async def story(gateway: Gateway) -> None:
        pace = {"AT_ONCE": "2", "APART": "0.01", "LATER": "0.01"}
        async with example("campaign.py", "alice", gateway.url, tmp_path, *arguments, **pace) as process:
            first = await end_of(process)
        assert first.status == 0, first.err
        async with example("campaign.py", "alice", gateway.url, tmp_path, *arguments, **pace) as process:
            again = await end_of(process)
        assert (again.status, again.out) == (0, "")

    with_gateway(story)
    with (tmp_path / "results.csv").open(newline="") as stream:
        assert sorted(csv.reader(stream)) == [
            ["busy", "USER_BUSY", "3"],
            ["nobody", "UNALLOCATED_NUMBER", "1"],
            ["tone", "delivered", "1"],
        ]


def test_lines_are_checked_for_ci(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("tone\nbusy\nsilence\n")

    async def story(gateway: Gateway) -> None:
        arguments = (str(lines), "report.xml")
        async with example("check_lines.py", "alice", gateway.url, tmp_path, *arguments, LISTEN="1.5") as process:
            ended = await end_of(process)
        assert ended.status == 1, ended.err
        assert ended.out.startswith("tone: ok\n"), ended.out

    with_gateway(story)
    cases = ElementTree.parse(tmp_path / "report.xml").getroot().findall("testcase")
    wrong = {case.get("name"): [failure.get("message") or "" for failure in case] for case in cases}
    assert (wrong["tone"], wrong["silence"]) == ([], ["nothing is heard"])
    assert "USER_BUSY" in wrong["busy"][0]


def test_an_alarm_is_posted_when_a_call_stays_bad(tmp_path: Path) -> None:
    """Here no call is good enough, and its third frame says so for the second time."""
    alarms: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split()[0])
        alarms.put_nowait(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async def story(gateway: Gateway) -> None:
        async with await asyncio.start_server(hook, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            strict = {"MIN_MOS": "5", "EVERY": "0.2"}
            async with example("quality_alarms.py", "bob", gateway.url, tmp_path, url, **strict) as process:
                await gateway.wait_for(StateTold)
                call = await rings(gateway, "+15550101")
                alarm = await alarms.get()
                while alarm["what"] != "bad":  # a warning about this machine's own candidates may come before
                    alarm = await alarms.get()
                gateway.hangup(call)
                await stopped(process)
        assert alarm["caller"] == "+15550101"
        assert 1 <= alarm["mos"] < 5

    with_gateway(story)


def test_a_service_is_healthy_and_drains(tmp_path: Path) -> None:
    health = {"HEALTH_FILE": str(tmp_path / "healthy")}

    async def well(gateway: Gateway) -> bool:
        async with example("service.py", "bob", gateway.url, tmp_path, "--healthy", **health) as asking:
            return (await end_of(asking)).status == 0

    async def story(gateway: Gateway) -> None:
        assert not await well(gateway)
        async with example("service.py", "bob", gateway.url, tmp_path, **health) as process:
            assert await line_of(process) == "Ready"
            first = await rings(gateway, "+15550101")
            assert await well(gateway)
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            second = gateway.call_user("bob", from_number="+15550102")
            declined = await gateway.wait_for(CallEnded, lambda event: event.call == second)
            assert declined.cause.cause == "USER_BUSY"
            assert process.returncode is None
            gateway.hangup(first)
            ended = await end_of(process)
            assert ended.status == 0, ended.err

    with_gateway(story)
