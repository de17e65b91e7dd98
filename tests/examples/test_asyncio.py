"""The examples that a newcomer starts from do what they say, against the embedded gateway."""

import asyncio
import signal
import sys
from importlib.resources import as_file
from pathlib import Path

import pytest

from telnyx_core.gateway.events import CallEnded, StateTold
from telnyx_drivers.assets import HELLO
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.cli.echo import audible_seconds, read_wav
from telnyx_drivers.gateway import Gateway

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
USERS = {"alice": "pw-of-alice", "bob": "pw-of-bob"}
LIMIT = 40.0


async def example(name: str, user: str, url: str, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    environment = {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "TELNYX_RTC_URL": url,
        "TELNYX_SIP_USERNAME": user,
        "TELNYX_SIP_PASSWORD": USERS[user],
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "examples" / name), *arguments),
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def output_of(process: asyncio.subprocess.Process) -> str:
    try:
        async with asyncio.timeout(LIMIT):
            return (await process.communicate())[0].decode()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise


def test_the_first_call_says_its_words_and_keeps_the_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with Gateway(users=dict(USERS)) as gateway:
            with as_file(HELLO) as hello:
                process = await example("first_call.py", "alice", gateway.url, tmp_path, str(hello), "echo")
                said = await output_of(process)
            assert process.returncode == 0, said
            assert "Said 4.4 seconds" in said
            assert (await gateway.wait_for(CallEnded)).by == "client"

    asyncio.run(story())
    rate, samples = read_wav(tmp_path / "answer.wav")
    assert audible_seconds(samples[:, 1], rate) > 3


def test_the_first_call_reports_a_call_that_ends_early(tmp_path: Path) -> None:
    async def story() -> str:
        async with Gateway(users=dict(USERS)) as gateway:
            return await output_of(await example("first_call.py", "alice", gateway.url, tmp_path, "unused.wav", "busy"))

    assert asyncio.run(story()) == "The call ended early: USER_BUSY\n"


def test_callers_are_greeted_and_their_digits_printed(tmp_path: Path) -> None:
    async def story() -> str:
        async with Gateway(users=dict(USERS)) as gateway:
            with as_file(HELLO) as hello:
                greeter = await example("answer_and_greet.py", "bob", gateway.url, tmp_path, str(hello))
                await gateway.wait_for(StateTold)
                async with TelnyxRTC(login="alice", password=USERS["alice"], env=gateway.url) as client:
                    call = await client.new_call("bob", caller_number="+15550001")
                    await call.wait_for_state("active", timeout=20)
                    heard = 0.0
                    async with asyncio.timeout(LIMIT):
                        async for frame in call.audio_in():
                            heard = audible_seconds(frame.to_numpy(), frame.sample_rate)
                            if heard:
                                break
                    assert heard
                    await call.hangup()
                await gateway.wait_for(CallEnded)
                await asyncio.sleep(0.5)
                greeter.send_signal(signal.SIGINT)
                return await output_of(greeter)

    lines = asyncio.run(story()).splitlines()
    assert lines == ["+15550001 calls", "+15550001 has hung up: NORMAL_CLEARING"]
