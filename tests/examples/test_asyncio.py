"""The examples that a newcomer starts from do what they say, against the embedded gateway."""

import asyncio
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib.resources import as_file
from pathlib import Path

import pytest

from telnyx_core.gateway.events import CallEnded, StateTold
from telnyx_drivers._assets import HELLO
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.diagnose.echo import audible_seconds, read_wav
from telnyx_drivers.gateway import Gateway
from tests.programs import LIMIT, ROOT, end_of, running

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]

USERS = {"alice": "pw-of-alice", "bob": "pw-of-bob"}


def example(
    name: str, user: str, url: str, folder: Path, *arguments: str, **environment: str
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    file = str(ROOT / "examples" / name)
    return running(file, *arguments, user=user, password=USERS[user], url=url, cwd=folder, **environment)


def test_the_first_call_says_its_words_and_keeps_the_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with Gateway(users=dict(USERS)) as gateway:
            with as_file(HELLO) as hello:
                async with example("first_call.py", "alice", gateway.url, tmp_path, str(hello), "echo") as process:
                    ended = await end_of(process)
            assert ended.status == 0, ended.err
            assert "Said 4.4 seconds" in ended.out
            assert (await gateway.wait_for(CallEnded)).by == "client"

    asyncio.run(story())
    rate, samples = read_wav(tmp_path / "answer.wav")
    assert audible_seconds(samples[:, 1], rate) > 3


def test_the_first_call_reports_a_call_that_ends_early(tmp_path: Path) -> None:
    async def story() -> str:
        async with (
            Gateway(users=dict(USERS)) as gateway,
            example("first_call.py", "alice", gateway.url, tmp_path, "unused.wav", "busy") as process,
        ):
            return (await end_of(process)).out

    assert asyncio.run(story()) == "The call ended early: USER_BUSY\n"


def test_callers_are_greeted_and_their_digits_printed(tmp_path: Path) -> None:
    async def story() -> str:
        async with Gateway(users=dict(USERS)) as gateway, AsyncExitStack() as stack:
            hello = stack.enter_context(as_file(HELLO))
            greeter = await stack.enter_async_context(
                example("answer_and_greet.py", "bob", gateway.url, tmp_path, str(hello))
            )
            await gateway.wait_for(StateTold)
            async with TelnyxRTC(login="alice", password=USERS["alice"], env=gateway.url) as client:
                call = await client.new_call("bob", caller_number="+15550001")
                await call.wait_for_state("active", timeout=LIMIT)
                async with asyncio.timeout(LIMIT):
                    async for frame in call.audio_in():
                        if audible_seconds(frame.to_numpy(), frame.sample_rate):
                            break
                await call.hangup()
            assert greeter.stdout is not None
            async with asyncio.timeout(LIMIT):
                lines = [await greeter.stdout.readline() for _ in range(2)]
            greeter.send_signal(signal.SIGINT)
            ended = await end_of(greeter)
            assert ended.status == 0, ended.err
            return b"".join(lines).decode() + ended.out

    lines = asyncio.run(story()).splitlines()
    assert lines == ["+15550001 calls", "+15550001 has hung up: NORMAL_CLEARING"]
