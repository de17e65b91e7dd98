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

HELLO = str(ROOT / "telnyx_drivers" / "_assets" / "hello.wav")
SEEN = (
    "audio_out.write(pcm, sample_rate=...)",
    "to must be a number or an address, not int",
    *(f"slip {slip}:" for slip in ("2a", "2b", "3a", "3b", "5", "6a", "6b", "7a", "7b", "8", "9a", "10", "11", "12")),
    "it did not open within 1 s",
    "a source factory returns a Source(voice, label), not int",
    "/nowhere/call.wav",
)
"""The twelve: wrong types, raising handlers, a raising store, hanging source, raising token provider, a raising source,
sink and tone sink, recorders, an engine factory, a cancellation inside a handler, a generator; and a source that
returns the wrong thing, which is told as a fault of its factory."""

PROGRAM = """
import sys, time
from pathlib import Path
from telnyx_drivers.{loop} import TelnyxRTC
from telnyx_drivers._webrtc import call_media
from telnyx_drivers.asyncio import AudioFrame
from telnyx_drivers.asyncio import Source
{imports}

call_media.OPEN_SECONDS = 1.0  # for the sake of the test's duration

class Store:
    def load(self): raise LookupError("slip 3a: the store cannot load")
    def save(self, values): raise OSError("slip 3b: the store cannot save")

class Voice:
    ended, error = False, None
    def read(self, rate): raise ZeroDivisionError("slip 6a: a voice that raises")
    def close(self): raise ZeroDivisionError("slip 6b: a voice that cannot be closed")

class Sink:
    rate = 16_000
    def write(self, frame): raise ZeroDivisionError("slip 7a: a sink that raises")
    def close(self): raise ZeroDivisionError("slip 7b: a sink that cannot be closed")

class Tap:
    ended = False
    def sent(self, samples, rate, wall): raise ZeroDivisionError("slip 9a: a recorder that raises")
    heard = sent
    def close(self): pass

async def hanging_source(constraints):
    await {ASYNCSLEEP}(600)
async def broken_source(constraints): return Source(Voice(), "broken")
async def wrong_source(constraints): return 7
async def sink(): return Sink()
def bad_handler(event): raise KeyError("slip 2a: a handler that raises")
async def bad_async_handler(event): raise KeyError("slip 2b: an async handler that raises")
def cancelled_handler():
    import asyncio
    raise asyncio.CancelledError("slip 11: a cancellation that is not the client's")
def tone_sink(frame): raise ZeroDivisionError("slip 8: a tone sink that raises")
def token(): raise RuntimeError("slip 5: a token provider that raises")
def engine(setup): raise RuntimeError("slip 10: an engine that cannot be made")
def frames():
    yield AudioFrame(bytes(640), 16_000)
    raise RuntimeError("slip 12: a generator that raises")

here = dict(env=sys.argv[1], ice_servers=[], enable_call_reports=False)
client = TelnyxRTC(login="alice", password="secret", store=Store(), tone_sink=tone_sink,
                   ringback_file=sys.argv[2], **here)
client.register_source("hanging", hanging_source)
client.register_source("broken", broken_source)
client.register_source("wrong", wrong_source)
client.register_sink("broken", sink)
client.on("telnyx.notification", bad_handler)
client.on("telnyx.notification", bad_async_handler)
client.on("telnyx.notification", cancelled_handler)

{DEF} told(number, slip):
    try:
        result = {AWAIT}slip()
        if hasattr(result, "wait"):
            {AWAIT}result.wait()
    except Exception as error:
        cause = error.__cause__ or error
        print("slip", number, "raised", type(error).__name__, error, cause, file=sys.stderr)
    else:
        print("slip", number, "raised nothing", file=sys.stderr)

{DEF} no_token():
    {WITH} TelnyxRTC(token_provider=token, **here): pass

{DEF} no_engine():
    {WITH} TelnyxRTC(login="bob", password="hush", engine=engine, **here) as other:
        {AWAIT}other.new_call("tone")

{DEF} program():
    {WITH} client:
        good = {AWAIT}client.new_call("tone")
        {AWAIT}good.wait_for_state("active", timeout=30)
        others = []
        for keywords in (dict(mic_id="broken"), dict(mic_id="wrong"), dict(speaker_id="broken")):
            call = {AWAIT}client.new_call("tone", **keywords)
            {AWAIT}call.wait_for_state("active", timeout=30)
            others.append(call)
        ringing = {AWAIT}client.new_call("ring")
        {AWAIT}told("1a", lambda: good.play(b"\\0" * 640))
        {AWAIT}told("1b", lambda: good.message(1, 2))
        hung = {AWAIT}good.set_audio_in_device("hanging")
        {AWAIT}told("5", no_token)
        {AWAIT}told("9b", lambda: good.record("/nowhere/call.wav"))
        {AWAIT}told("10", no_engine)
        {AWAIT}told("12", lambda: good.play(frames()))
        {TAP}
        {AWAIT}{SLEEP}(1)
        print([call.state.value for call in (good, *others, ringing)], hung, {AWAIT}good.hold())
        for call in (*others, ringing):
            {AWAIT}call.hangup()
        {AWAIT}{SLEEP}(0.5)
        print(client.state.value, good.state.value)

{RUN}
"""
WORDS = {
    "asyncio": dict(
        imports="import asyncio", DEF="async def", WITH="async with", AWAIT="await ", SLEEP="asyncio.sleep",
        RUN="asyncio.run(program())", ASYNCSLEEP="asyncio.sleep", TAP="good.audio.add_tap(Tap())",
    ),
    "trio": dict(
        imports="import asyncio, trio", DEF="async def", WITH="async with", AWAIT="await ", SLEEP="trio.sleep",
        RUN="trio.run(program)", ASYNCSLEEP="asyncio.sleep", TAP="good.audio.add_tap(Tap())",
    ),
    "sync": dict(
        imports="import asyncio", DEF="def", WITH="with", AWAIT="", SLEEP="time.sleep", RUN="program()",
        ASYNCSLEEP="asyncio.sleep", TAP="good._source.audio.add_tap(Tap())",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.mark.parametrize("loop", list(WORDS))
def test_every_call_survives_and_every_slip_is_seen(servers: Servers, loop: str) -> None:
    gateway: Gateway = servers.enter(Gateway(users={"alice": "secret", "bob": "hush"}))
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(loop=loop, **WORDS[loop]), gateway.url, HELLO],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    servers.stop()
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [f"{['active'] * 4 + ['ringing']} False True", "ready held"], ended.stderr
    for slip in SEEN:
        assert slip in ended.stderr, f"{slip}\n{ended.stderr}"
    assert "raised nothing" not in ended.stderr
    assert "Traceback" in ended.stderr
