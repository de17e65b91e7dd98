"""Twelve natural slips of an application in one program, on asyncio, on trio and without ``async``.

Each costs at most its own feature, every call survives, and each is seen on standard error with no set-up at all.
"""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from telnyx_drivers.gateway import Gateway
from tests.drivers.servers import Servers

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]
ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys, time
from telnyx_drivers.{loop} import TelnyxRTC
{imports}

class Store:
    def load(self): raise LookupError("slip 1: the store cannot load")
    def save(self, values): raise OSError("slip 2: the store cannot save")

class Voice:
    ended, error = False, None
    def read(self, rate): raise ZeroDivisionError("slip 3: a voice that raises")
    def close(self): raise ZeroDivisionError("slip 4: a voice that cannot be closed")

class Sink:
    rate = 16_000
    def write(self, frame): raise ZeroDivisionError("slip 5: a sink that raises")
    def close(self): raise ZeroDivisionError("slip 6: a sink that cannot be closed")

from telnyx_drivers.media.source_registry import Source
async def broken_source(constraints): return Source(Voice(), "broken")
async def wrong_source(constraints): return 7
async def sink(): return Sink()
def bad_handler(event): raise KeyError("slip 8: a handler that raises")
async def bad_async_handler(event): raise KeyError("slip 9: an async handler that raises")
def cancelled_handler():
    import asyncio
    raise asyncio.CancelledError("slip 10: a cancellation that is nobody's")

client = TelnyxRTC(login="alice", password="secret", env=sys.argv[1], ice_servers=[], store=Store(),
                   enable_call_reports=False)
client.register_source("broken", broken_source)
client.register_source("wrong", wrong_source)
client.register_sink("broken", sink)
client.on("telnyx.notification", bad_handler)
client.on("telnyx.notification", bad_async_handler)
client.on("telnyx.notification", cancelled_handler)

{DEF} program():
    {WITH} client:
        good = {AWAIT}client.new_call("tone")
        {AWAIT}good.wait_for_state("active", timeout=30)
        others = []
        for keywords in (dict(mic_id="broken"), dict(mic_id="wrong"), dict(speaker_id="broken")):
            call = {AWAIT}client.new_call("tone", **keywords)
            {AWAIT}call.wait_for_state("active", timeout=30)
            others.append(call)
        for slip in (lambda: good.play(b"\\0" * 640), lambda: good.message(1, 2)):
            try:
                {AWAIT}slip()
            except TypeError as refusal:
                print("slip 11 and 12:", refusal, file=sys.stderr)
        {AWAIT}{SLEEP}(1)
        print([call.state.value for call in (good, *others)], {AWAIT}good.hold())
        for call in others:
            {AWAIT}call.hangup()
        {AWAIT}{SLEEP}(0.5)
        print(client.state.value, good.state.value)

{RUN}
"""
WORDS = {
    "asyncio": dict(
        imports="import asyncio", DEF="async def", WITH="async with", AWAIT="await ", SLEEP="asyncio.sleep",
        RUN="asyncio.run(program())",
    ),
    "trio": dict(
        imports="import trio", DEF="async def", WITH="async with", AWAIT="await ", SLEEP="trio.sleep",
        RUN="trio.run(program)",
    ),
    "sync": dict(imports="", DEF="def", WITH="with", AWAIT="", SLEEP="time.sleep", RUN="program()"),
}  # fmt: skip


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.mark.parametrize("loop", list(WORDS))
def test_every_call_survives_and_every_slip_is_seen(servers: Servers, loop: str) -> None:
    gateway: Gateway = servers.enter(Gateway(users={"alice": "secret"}))
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(loop=loop, **WORDS[loop]), gateway.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    servers.stop()
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["['active', 'active', 'active', 'active'] True", "ready held"]
    for slip in (
        *(f"slip {number}:" for number in (1, 2, 3, 4, 5, 6, 8, 9, 10)),
        "a source factory returns a Source(voice, label), not int",
        "audio_out.write(pcm, sample_rate=...)",
        "to must be a number or an address, not int",
    ):
        assert slip in ended.stderr, slip
    assert "Traceback" in ended.stderr
