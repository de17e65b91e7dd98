"""`CallAudioInput` and `CallAudioOutput` with the real livekit-agents, on a call to the embedded gateway's echo."""

import asyncio
import importlib
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from telnyx_core.events import DigitReceived
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC
from telnyx_drivers.gateway import Gateway

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of Python's, about modules that livekit imports
    pytest.importorskip("livekit.agents", reason="needs livekit-agents: pip install 'telnyx-rtc[livekit]'")

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.io import PlaybackFinishedEvent

from telnyx_core.gateway.options import Quirks
from telnyx_drivers.adapters.livekit import RATE, CallAudioInput, CallAudioOutput, run_session

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media, pytest.mark.interop]
LIMIT = 20.0


def tone(seconds: float, frequency: float = 700.0) -> list[rtc.AudioFrame]:
    """In frames of 100 ms."""
    wave = (8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype(np.int16)
    return [rtc.AudioFrame(p.tobytes(), RATE, 1, p.size) for p in np.array_split(wave, round(seconds * 10))]


async def speech(frames: list[rtc.AudioFrame]) -> AsyncIterator[rtc.AudioFrame]:
    for frame in frames:
        yield frame


@asynccontextmanager
async def hearing(call: CallHandle) -> AsyncIterator[list[np.ndarray[Any, np.dtype[np.int16]]]]:
    """What `CallAudioInput` hears meanwhile, as a list that grows."""
    heard: list[np.ndarray[Any, np.dtype[np.int16]]] = []

    async def listen() -> None:
        async for frame in CallAudioInput(call):
            assert (frame.sample_rate, frame.num_channels, frame.samples_per_channel) == (RATE, 1, RATE // 50)
            heard.append(np.array(frame.data))

    listening = asyncio.create_task(listen())
    yield heard
    listening.cancel()
    await asyncio.wait([listening])
    assert listening.cancelled() or listening.exception() is None


async def until_heard(heard: list[np.ndarray[Any, np.dtype[np.int16]]], frequency: float) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            last = np.concatenate([*heard[-12:], np.zeros(1, np.int16)])
            if np.abs(last).max() > 200 and abs(dominant_frequency(last[:-1], RATE) - frequency) < 5:
                return
            await asyncio.sleep(0.02)


async def finished(output: CallAudioOutput) -> PlaybackFinishedEvent:
    async with asyncio.timeout(LIMIT):
        return await output.wait_for_playout()


@asynccontextmanager
async def session(call: CallHandle) -> AsyncIterator[AgentSession[None]]:
    """An agent without models, and without a room: it says what the test gives it."""
    session: AgentSession[None] = AgentSession()
    session.input.audio = CallAudioInput(call)
    session.output.audio = CallAudioOutput(call)
    await session.start(Agent(instructions="", llm=None))
    try:
        yield session
    finally:
        await session.aclose()


async def test_an_agent_says_something_and_knows_when_it_was_said(echo: CallHandle) -> None:
    ends: list[PlaybackFinishedEvent] = []
    async with hearing(echo) as heard, session(echo) as agent:
        assert agent.output.audio is not None
        agent.output.audio.on("playback_finished", ends.append)
        said = agent.say("hm", audio=speech(tone(1.0)))
        await until_heard(heard, 700.0)
        async with asyncio.timeout(LIMIT):
            await said.wait_for_playout()
    assert [(end.interrupted, end.playback_position) for end in ends] == [(False, pytest.approx(1.0, abs=1e-3))]


async def test_an_interrupted_agent_knows_how_far_it_came(echo: CallHandle) -> None:
    ends: list[PlaybackFinishedEvent] = []
    async with hearing(echo) as heard, session(echo) as agent:
        assert agent.output.audio is not None
        agent.output.audio.on("playback_finished", ends.append)
        said = agent.say("hm", audio=speech(tone(10.0)))
        await until_heard(heard, 700.0)
        said.interrupt()
        async with asyncio.timeout(LIMIT):
            await said.wait_for_playout()
        assert echo.audio_out.queued_duration == 0
        (end,) = ends
        assert end.interrupted
        assert end.playback_position == pytest.approx(echo.audio_out.sent_duration, abs=1e-3)
        assert 0 < end.playback_position < 9
        agent.say("then", audio=speech(tone(1.0, 1000.0)))
        await until_heard(heard, 1000.0)


async def test_segments_follow_each_other(echo: CallHandle) -> None:
    output = CallAudioOutput(echo)
    starts: list[object] = []
    output.on("playback_started", starts.append)
    for seconds in (0.3, 0.2):
        for frame in tone(seconds):
            await output.capture_frame(frame)
        output.flush()
    assert output.captured_playout_segments == 2
    end = await finished(output)
    assert (end.interrupted, end.playback_position) == (False, pytest.approx(0.2, abs=1e-3))
    assert len(starts) == 2


async def test_a_pause_is_no_progress(echo: CallHandle) -> None:
    output = CallAudioOutput(echo)
    output.pause()
    for frame in tone(0.3):
        await output.capture_frame(frame)
    output.flush()
    async with asyncio.timeout(LIMIT):
        before = echo.audio.counts.sent
        while echo.audio.counts.sent < before + 10:  # noqa: ASYNC110  a counter tells nobody that it moved
            await asyncio.sleep(0.02)
    assert echo.audio_out.sent_duration == 0
    output.resume()
    assert (await finished(output)).playback_position == pytest.approx(0.3, abs=1e-3)


async def test_more_than_the_call_holds_is_paced(echo: CallHandle) -> None:
    """A speech service that is faster than real time fills the queue; the rest waits its turn instead of failing."""
    output = CallAudioOutput(echo)
    minute = rtc.AudioFrame(bytes(2 * RATE * 60), RATE, 1, RATE * 60)
    await output.capture_frame(minute)
    more = asyncio.create_task(output.capture_frame(tone(0.1)[0]))
    await asyncio.sleep(0.1)
    assert not more.done()
    output.flush()
    output.clear_buffer()
    await more
    end = await finished(output)
    assert end.interrupted
    assert end.playback_position < 30


async def test_the_end_of_the_call_ends_both(echo: CallHandle, gateway: Gateway) -> None:
    output, heard = CallAudioOutput(echo), CallAudioInput(echo)
    for frame in tone(10.0):
        await output.capture_frame(frame)
    output.flush()
    gateway.hangup(echo.id)
    end = await finished(output)
    assert end.interrupted
    assert end.playback_position < 9
    async with asyncio.timeout(LIMIT):
        async for _ in heard:
            pass


@pytest.mark.parametrize("first", ["call", "session"])
async def test_a_session_has_a_call_until_either_ends_and_hears_of_keys(first: str) -> None:
    options = {"users": {"alice": "secret"}, "quirks": Quirks(no_telephone_event=False)}
    pressed: list[str] = []
    async with (
        Gateway(**options) as gateway,  # type: ignore[arg-type]
        TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[]) as client,
    ):
        ident = gateway.call_user("alice", from_number="+1555", behaviour="silence")
        call = await anext(client.incoming())
        await call.answer()
        await call.wait_for_state("active", timeout=LIMIT)
        agent: AgentSession[None] = AgentSession()
        agent.on("dtmf_received", pressed.append)  # type: ignore[arg-type]
        running = asyncio.create_task(run_session(agent, Agent(instructions="", llm=None), call))
        heard = asyncio.create_task(call.wait_for(DigitReceived, timeout=LIMIT))
        await asyncio.sleep(0)
        gateway.digits(ident, "5")
        await heard
        if first == "call":
            gateway.hangup(ident)
        else:
            await agent.aclose()
        async with asyncio.timeout(LIMIT):
            await running
        assert not call.live
        assert pressed == ["5"]


def test_without_livekit_the_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    monkeypatch.delitem(sys.modules, "telnyx_drivers.adapters.livekit")
    with pytest.raises(ModuleNotFoundError, match=r"telnyx-rtc\[livekit\]"):
        importlib.import_module("telnyx_drivers.adapters.livekit")
