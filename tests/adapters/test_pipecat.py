"""`CallTransport` in a real pipecat pipeline, on a call to the embedded gateway's echo."""

import asyncio
import importlib
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from telnyx_core.errors import InvalidCallState
from telnyx_core.gateway.events import CallEnded, DigitsReceived
from telnyx_core.gateway.faults import Fault, Refuse
from telnyx_core.options import CustomHeader
from telnyx_drivers._arguments import LONGEST_WAIT
from telnyx_drivers._webrtc.direct_rtp import DirectRtpPath
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC
from telnyx_drivers.gateway import Gateway

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of Python's, about modules that pipecat imports
    pytest.importorskip("pipecat.pipeline.worker", reason="needs pipecat-ai: pip install 'telnyx-rtc[pipecat]'")

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    ClientConnectedFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputDTMFFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from telnyx_drivers.adapters.pipecat import CallRunnerArguments, CallTransport, serve_bot

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media, pytest.mark.interop]

RATE = 24_000
HEARING = 16_000
"""Pipecat's own rates: what a bot says and what it hears."""
LIMIT = 20.0


def tone(seconds: float, frequency: float = 700.0) -> list[OutputAudioRawFrame]:
    """In the pieces of 100 ms that a speech service sends."""
    wave = (8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype("<i2")
    return [OutputAudioRawFrame(piece.tobytes(), RATE, 1) for piece in np.array_split(wave, round(seconds * 10))]


def far_end(gateway: Gateway) -> DirectRtpPath:
    """How the gateway's only call sends its audio."""
    assert isinstance(gateway._engine, AiortcEngine)
    ((peer, _),) = gateway._engine._peers.values()
    assert isinstance(peer._path, DirectRtpPath)
    return peer._path


class Bot(FrameProcessor):
    """Stands where the models would: keeps what it hears, says what the test tells it to."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[InputAudioRawFrame] = []
        self.digits: list[str] = []
        self.connected = 0
        self._changed = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.heard.append(frame)
        else:
            await self.push_frame(frame, direction)
        if isinstance(frame, InputDTMFFrame):
            self.digits.append(frame.button.value)
        self.connected += isinstance(frame, ClientConnectedFrame)
        self._changed.set()

    async def say(self, *frames: Frame) -> None:
        for frame in frames:
            await self.push_frame(frame)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a frame has made it true."""
        async with asyncio.timeout(LIMIT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def sound(self, pieces: int) -> "np.ndarray[Any, np.dtype[np.int16]]":
        """The last so many frames of 20 ms."""
        return np.frombuffer(b"".join(frame.audio for frame in self.heard[-pieces:]), "<i2")

    def hears(self, frequency: float) -> bool:
        last = self.sound(12)
        loud = last.size >= 12 * HEARING // 50 and int(np.abs(last).max()) > 200
        return loud and abs(dominant_frequency(last, HEARING) - frequency) < 5

    def hears_nothing(self) -> bool:
        return int(np.abs(self.sound(5).astype(int)).max(initial=0)) <= 8


class Story:
    """A pipeline that runs: transport, bot, transport."""

    def __init__(self, call: CallHandle, **options: Any) -> None:
        self.told: list[str] = []
        self.bot = Bot()
        self.transport = CallTransport(call, **options)
        for event in ("on_client_connected", "on_client_disconnected"):
            self.transport.add_event_handler(event, self._teller(event))
        self.pressed: list[str] = []
        self.transport.add_event_handler("on_dtmf_event", self._note_key)
        self.worker = PipelineWorker(
            Pipeline([self.transport.input(), self.bot, self.transport.output()]), idle_timeout_secs=None
        )

    def _teller(self, event: str) -> Any:
        async def told(transport: CallTransport, call: CallHandle) -> None:
            self.told.append(event)

        return told

    async def _note_key(self, transport: CallTransport, digit: str) -> None:
        self.pressed.append(digit)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Bot]:
        """Ends with the pipeline, which the block has to see to."""
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        running = asyncio.create_task(runner.run())
        try:
            await self.bot.until(lambda: bool(self.bot.heard))
            yield self.bot
            async with asyncio.timeout(LIMIT):
                await running
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_a_bot_hears_its_own_tone_and_ends_the_call_once(echo: CallHandle, gateway: Gateway) -> None:
    story = Story(echo)
    async with story.running() as bot:
        await bot.say(*tone(1.0))
        await bot.until(lambda: bot.hears(700))
        assert {(frame.sample_rate, frame.num_channels, len(frame.audio)) for frame in bot.heard} == {(HEARING, 1, 640)}
        await story.worker.queue_frame(EndFrame())
    assert echo.ended is not None
    assert echo.ended.cause == "NORMAL_CLEARING"
    assert (await gateway.wait_for(CallEnded)).by == "client"
    assert story.told == ["on_client_connected"]


async def test_everything_said_before_the_end_is_heard(echo: CallHandle) -> None:
    """`EndFrame` comes while most of the tone still waits, and the call ends behind it."""
    story = Story(echo)
    async with story.running() as bot:
        out = echo.audio_out
        await bot.say(*tone(1.6))  # whole pieces of 40 ms: less stays with pipecat
        await story.worker.queue_frame(EndFrame())
    assert out.sent_duration >= 1.6 - 1e-6
    assert out.queued_duration == 0


async def test_an_interruption_drops_what_waits_in_the_call(echo: CallHandle) -> None:
    story = Story(echo)
    async with story.running() as bot:
        await bot.say(*tone(5.0))
        await bot.until(lambda: bot.hears(700))
        await bot.say(InterruptionFrame())
        await bot.until(bot.hears_nothing)
        assert 0 < echo.audio_out.last_cleared_duration < 1
        assert echo.audio_out.sent_duration < 4
        await bot.say(*tone(1.0, 1000.0))
        await bot.until(lambda: bot.hears(1000))
        await story.worker.queue_frame(EndFrame())


async def test_a_frame_that_an_interruption_overtakes_is_not_said(echo: CallHandle) -> None:
    story = Story(echo)
    async with story.running() as bot:
        late, spared = tone(0.2)
        spared.interruptible = False
        await bot.say(InterruptionFrame())
        output = story.transport.output()
        await bot.until(lambda: output._interrupted > late.id)
        assert not await output.write_audio_frame(late)
        assert echo.audio_out.queued_duration == 0
        assert await output.write_audio_frame(spared)
        assert await output.write_audio_frame(tone(0.1)[0])
        await story.worker.queue_frame(EndFrame())


async def test_an_interruption_spares_what_must_be_heard(echo: CallHandle) -> None:
    story = Story(echo)
    async with story.running() as bot:
        warning = tone(1.0)
        for piece in warning:
            piece.interruptible = False
        await bot.say(*warning)
        await bot.until(lambda: bot.hears(700))
        await bot.say(InterruptionFrame())
        await story.worker.queue_frame(EndFrame())
        out = echo.audio_out
    assert out.last_cleared_duration == 0
    assert out.sent_duration >= 1.0


@pytest.mark.parametrize(("given", "limit"), [({}, None), ({"audio_out_write_timeout_secs": 3.0}, 3.0)])
async def test_what_is_said_while_the_call_rings_may_wait_as_long_as_it_rings(
    gateway: Gateway, given: dict[str, Any], limit: float | None
) -> None:
    """After ten seconds pipecat would take a call that has not been answered yet for one that is gone."""
    async with TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[]) as client:
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True, **given)
        transport = CallTransport(await client.new_call("ring"), params)
        assert transport.output()._params.audio_out_write_timeout_secs == (limit or LONGEST_WAIT)
        assert params.audio_out_write_timeout_secs == (limit or 10.0), "the application's own are left alone"


async def test_digits_both_ways(echo: CallHandle, gateway: Gateway) -> None:
    story = Story(echo)
    async with story.running() as bot:
        await bot.say(OutputDTMFFrame(buttons=[KeypadEntry.ONE, KeypadEntry.POUND]))
        assert (await gateway.wait_for(DigitsReceived)).digits == "1#"
        assert far_end(gateway).send_digits("7A*")
        await bot.until(lambda: bot.digits == ["7", "*"])
        await story.worker.queue_frame(EndFrame())
    assert story.pressed == ["7", "A", "*"], "the handler hears of all sixteen"
    assert bot.connected == 1


async def test_digits_that_cannot_be_sent_cost_nothing_else(echo: CallHandle, gateway: Gateway) -> None:
    errors: list[str] = []
    story = Story(echo)

    async def note(worker: PipelineWorker, frame: Any) -> None:
        errors.append(frame.error)

    story.worker.add_event_handler("on_pipeline_error", note)
    async with story.running() as bot:
        gateway.add_fault(Fault(do=Refuse(), method="telnyx_rtc.info"))
        await bot.say(OutputDTMFFrame(button=KeypadEntry.ONE), *tone(1.0))
        await bot.until(lambda: bot.hears(700))
        await story.worker.queue_frame(EndFrame())
    assert errors == ["the digits 1 were not sent"]


async def test_the_far_end_ends_the_pipeline(echo: CallHandle, gateway: Gateway) -> None:
    story = Story(echo)
    async with story.running() as bot:
        await bot.say(*tone(30.0))
        await bot.until(lambda: bot.hears(700))
        gateway.hangup(echo.id)
    assert story.told == ["on_client_connected", "on_client_disconnected"]


async def test_cancelling_hangs_up_at_once(echo: CallHandle) -> None:
    story = Story(echo)
    async with story.running() as bot:
        await bot.say(*tone(30.0))
        await bot.until(lambda: bot.hears(700))
        await story.worker.cancel()
    assert echo.ended is not None
    assert echo.ended.cause == "NORMAL_CLEARING"


async def test_a_call_can_outlive_its_pipeline(echo: CallHandle) -> None:
    story = Story(echo, hang_up=False)
    async with story.running() as bot:
        await bot.say(*tone(0.6))
        await story.worker.queue_frame(EndFrame())
    assert echo.state.value == "active"
    assert echo.audio_out.sent_duration >= 0.6 - 1e-6


async def test_a_bot_of_the_runner_answers_calls(gateway: Gateway) -> None:
    told: list[CallRunnerArguments] = []

    async def bot(runner_args: CallRunnerArguments) -> None:
        told.append(runner_args)
        await runner_args.call.wait_for_state("active", timeout=LIMIT)
        story = Story(runner_args.call)
        async with story.running():
            await story.worker.queue_frame(EndFrame())

    async with TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[]) as client:
        serving = asyncio.create_task(serve_bot(client, bot))
        await asyncio.sleep(0)
        headers = [CustomHeader("X-Account", "7")]
        call = gateway.call_user("alice", from_number="+1555", behaviour="echo", custom_headers=headers)
        await gateway.wait_for(CallEnded)
        await client.disconnect()
        await serving
    (arguments,) = told
    assert arguments.call.id == call
    assert arguments.call_data is not None
    assert arguments.call_data.from_number == "+1555"
    assert arguments.body == {"X-Account": "7"}


async def test_a_call_that_has_ended_is_refused(echo: CallHandle) -> None:
    await echo.hangup()
    with pytest.raises(InvalidCallState):
        CallTransport(echo)


def test_without_pipecat_the_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipecat.audio.dtmf.types", None)
    monkeypatch.delitem(sys.modules, "telnyx_drivers.adapters.pipecat")
    with pytest.raises(ModuleNotFoundError, match=r"telnyx-rtc\[pipecat\]"):
        importlib.import_module("telnyx_drivers.adapters.pipecat")
