"""The bots among the examples answer, and are heard: they say back what they heard, or beep twice."""

import asyncio
import importlib.util
import signal
from importlib.resources import as_file
from pathlib import Path

import pytest

from telnyx_core.gateway.events import StateTold
from telnyx_drivers._assets import HELLO
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.diagnose.echo import audible_seconds
from telnyx_drivers.gateway import Gateway
from tests.programs import LIMIT, ROOT, end_of, running

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media, pytest.mark.slow]

PIPECAT = pytest.mark.skipif(
    importlib.util.find_spec("pipecat") is None, reason="needs pipecat-ai: pip install 'telnyx-rtc[pipecat]'"
)

LIVEKIT = pytest.mark.skipif(
    importlib.util.find_spec("livekit") is None, reason="needs livekit-agents: pip install 'telnyx-rtc[livekit]'"
)


@pytest.mark.parametrize(
    "name",
    ["echo_bot.py", pytest.param("pipecat_bot.py", marks=PIPECAT), pytest.param("livekit_bot.py", marks=LIVEKIT)],
)
async def test_a_bot_answers_and_is_heard(name: str, tmp_path: Path) -> None:
    async with Gateway(users={"alice": "secret", "bob": "hush"}) as gateway:
        program = running(str(ROOT / "examples" / name), user="bob", password="hush", url=gateway.url, cwd=tmp_path)
        async with program as bot:
            async with asyncio.timeout(LIMIT):
                await gateway.wait_for(StateTold)
            async with TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[]) as client:
                call = await client.new_call("bob", caller_number="+15550001")
                await call.wait_for_state("active", timeout=LIMIT)
                with as_file(HELLO) as hello:
                    await call.play(hello)
                heard = 0.0
                async with asyncio.timeout(LIMIT):
                    async for frame in call.audio_in():
                        heard += audible_seconds(frame.to_numpy(), frame.sample_rate)
                        if heard > 1.0:
                            break
                await call.hangup()
            assert bot.stdout is not None
            async with asyncio.timeout(LIMIT):
                lines = [(await bot.stdout.readline()).decode().strip() for _ in range(2)]
            bot.send_signal(signal.SIGINT)
            ended = await end_of(bot)
    assert ended.status == 0, ended.err
    assert lines[0] == "+15550001 calls"
    assert lines[1].startswith("+15550001")
