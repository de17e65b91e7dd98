"""The examples that listen to what answers: leave a message after the beep, walk through a menu."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from telnyx_core.gateway.events import DigitsReceived, MediaConnected
from telnyx_core.ids import CallId
from telnyx_drivers._audio.frames import to_int16
from telnyx_drivers.gateway import Gateway
from tests.audio.helpers import sine, write_wav
from tests.audio.sense_corpus import LONG, RATE, SHORT, silence, spoken, tone
from tests.examples.test_asyncio import USERS, example
from tests.programs import LIMIT, end_of

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]


async def answered(gateway: Gateway, process: asyncio.subprocess.Process) -> CallId:
    """The call, once the program listens and is heard."""
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), LIMIT) == b"Answered\n"
    return (await gateway.wait_for(MediaConnected, timeout=LIMIT)).call


def test_a_message_is_left_after_the_beep(tmp_path: Path) -> None:
    message = write_wav(tmp_path / "message.wav", sine(500, 16_000, 0.6), 16_000)
    greeting = spoken(LONG["en-us"][1], "en-us", 180, 50)[: 2 * RATE]
    machine = to_int16(np.concatenate((silence(0.4), greeting, silence(0.5), tone((1_000,), 0.4), silence(0.1))))

    async def story() -> str:
        async with (
            Gateway(users=dict(USERS)) as gateway,
            example("voicemail.py", "alice", gateway.url, tmp_path, str(message), "silence") as process,
        ):
            call = await answered(gateway, process)
            gateway.audio(call).audio_out.write_nowait(machine, RATE)
            ended = await end_of(process)
            assert ended.status == 0, ended.err
            return ended.out

    lines = asyncio.run(story()).splitlines()
    assert [line.split()[-1] for line in lines if "silence" not in line] == ["machine", "beep", "seconds."]
    assert lines[-1] == "Left 0.6 seconds."


def test_a_menu_is_walked_through(tmp_path: Path) -> None:
    announcement = to_int16(spoken(SHORT["en-gb"][0], "en-gb", 165, 50) * 0.6)

    async def story() -> str:
        async with (
            Gateway(users=dict(USERS)) as gateway,
            example("ivr.py", "alice", gateway.url, tmp_path, "silence", "1", "42#") as process,
        ):
            call = await answered(gateway, process)
            for pressed in ("1", "42#", None):
                gateway.audio(call).audio_out.write_nowait(announcement, RATE)
                if pressed is not None:
                    await gateway.wait_for(
                        DigitsReceived, lambda event, pressed=pressed: event.digits == pressed, timeout=30
                    )
            ended = await end_of(process)
            assert ended.status == 0, ended.err
            return ended.out

    lines = asyncio.run(story()).splitlines()
    assert [line.split(";")[-1].strip() for line in lines[:2]] == ["pressing 1", "pressing 42#"]
    assert lines[2].startswith("The last announcement: ")
