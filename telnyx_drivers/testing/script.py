"""What a scripted caller does, step by step, on the far end of one call."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from importlib.resources import as_file
from pathlib import Path
from typing import Final, TypeAlias, assert_never

import numpy as np
from attrs import frozen

from telnyx_core.errors import LocalProtocolError
from telnyx_core.gateway.events import CallEnded as Ended
from telnyx_core.gateway.events import DigitsReceived, GatewayEvent, MediaConnected
from telnyx_core.ids import CallId
from telnyx_core.stats.mos import loss_percent, mos
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._assets import HELLO
from telnyx_drivers._asyncio import TelnyxRTC
from telnyx_drivers._audio.audio_input import Playable
from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.speech import SpeechDetector
from telnyx_drivers._audio.turns import Turn
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._exceptions import TelnyxClientError
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers.gateway.server import Gateway
from telnyx_drivers.testing.conversation import RATE, Conversation

_READ_EVERY: Final = 25
"""Frames of 20 ms."""
_DIGIT: Final = 0.15
"""Seconds that a key and the pause after it take in the audio."""


@frozen
class Say:
    """Say what an audio file, a `Tone` or an iterator of `AudioFrame` holds; by default a sentence of 4.5 s."""

    what: Playable | None = None


@frozen
class Pause:
    """Say nothing for so many seconds."""

    seconds: float


@frozen
class Press:
    """Press keys, ``0-9 * # A-D`` and the pauses ``, w W``, as telephone events in the audio (RFC 4733)."""

    digits: str


@frozen
class Listen:
    """Wait until the bot has said something since the last `Listen`, and has been silent for 0.7 s."""

    timeout: float = 30.0
    """Seconds; then the test fails."""


@frozen
class BargeIn:
    """Wait until the bot speaks, let it speak for ``after`` seconds, and say something meanwhile."""

    what: Playable | None = None
    after: float = 0.5
    timeout: float = 30.0
    """Seconds to wait for the bot; then the test fails."""


@frozen
class Lose:
    """Lose this share of all media packets from now on, at random and each way."""

    share: float
    """0 to 1."""

    def __attrs_post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ValueError(f"a share of packets is between 0 and 1, not {self.share}")


@frozen
class HangUp:
    """Hang up; so does the end of the script."""


Step: TypeAlias = Say | Pause | Press | Listen | BargeIn | Lose | HangUp
Bot: TypeAlias = Callable[[CallHandle], Awaitable[object]]
"""What answers: gets each call as it rings, as `TelnyxRTC.serve` gives it."""


class _Ear:
    """What the caller hears: kept, and searched for speech."""

    def __init__(self, audio: CallAudio) -> None:
        self._frames = audio.audio_in(RATE)
        self._pieces: list[Samples] = []
        self._detector = SpeechDetector()
        self._audio = audio
        self.speaking = asyncio.Event()
        self.reading: StatsSnapshot | None = None
        """The newest counters of the media path, which is gone once the call has ended."""
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self._frames:
            if len(self._pieces) % _READ_EVERY == 0:
                self.reading = self._audio.reading() or self.reading
            samples = np.frombuffer(frame.data, "<i2").astype(np.int16)
            self._pieces.append(samples)
            for edge in self._detector.feed(samples, RATE, frame.pts / RATE) or ():
                if edge.speaking:
                    self.speaking.set()
                else:
                    self.speaking.clear()

    @property
    def heard(self) -> Samples:
        return np.concatenate((silence(0), *self._pieces))


class _Script:
    """Performs steps on one connected call."""

    def __init__(self, gateway: Gateway, call: CallId, audio: CallAudio, ear: _Ear) -> None:
        self._gateway = gateway
        self._call = call
        self._audio = audio
        self._ear = ear
        self._turns: AsyncIterator[Turn] = aiter(audio.turns)

    async def run(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case Say(what):
                    await self._say(what)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Press(digits):
                    self._gateway.digits(self._call, digits)
                    await asyncio.sleep(_DIGIT * len(digits))
                case Listen(timeout):
                    await self._listen(timeout)
                case BargeIn(what, after, timeout):
                    await self._until(self._ear.speaking.wait(), timeout, "the bot said nothing to interrupt")
                    await asyncio.sleep(after)
                    await self._say(what)
                case Lose(share):
                    self._gateway.media_loss = share
                case HangUp():
                    return
                case _:
                    assert_never(step)

    async def _say(self, what: Playable | None) -> None:
        if what is not None:
            await (await self._audio.play(what)).wait()
        else:
            with as_file(HELLO) as hello:
                await (await self._audio.play(hello)).wait()

    async def _listen(self, timeout: float) -> None:
        async def remote() -> None:
            async for turn in self._turns:
                if turn.who == "remote":
                    return

        await self._until(remote(), timeout, "the bot said nothing")

    async def _until(self, waiting: Awaitable[object], timeout: float, otherwise: str) -> None:
        try:
            async with asyncio.timeout(timeout):
                await waiting
        except TimeoutError:
            raise AssertionError(f"{otherwise} within {timeout:g} s") from None


async def converse(
    gateway: Gateway,
    user: str,
    steps: tuple[Step, ...],
    *,
    from_number: str,
    timeout: float,
    recording: Path | None = None,
) -> Conversation:
    """Call a user who is logged in, perform the steps, and hang up. On the gateway's loop.

    Raises `AssertionError` when the bot does not answer, or not all is done within ``timeout`` seconds.
    """
    events = gateway.events()
    call = gateway.call_user(user, from_number=from_number, behaviour="silence")
    try:
        async with asyncio.timeout(timeout):
            first = await _first(events, call)
            if isinstance(first, Ended):
                raise AssertionError(f"the bot did not answer: {first.cause.cause}, by the {first.by}")
            return await _talk(gateway, call, steps, recording)
    except TimeoutError:
        raise AssertionError(f"the call was not over within {timeout:g} s") from None
    finally:
        await events.aclose()
        if call in gateway.core.calls:
            gateway.hangup(call)


async def _first(events: AsyncIterator[GatewayEvent], call: CallId) -> MediaConnected | Ended:
    async for event in events:
        if isinstance(event, MediaConnected | Ended) and event.call == call:
            return event
    raise RuntimeError("the gateway ended before the call")


async def _talk(gateway: Gateway, call: CallId, steps: tuple[Step, ...], recording: Path | None) -> Conversation:
    audio = gateway.audio(call)
    turns, ear = audio.turns, _Ear(audio)
    kept = None if recording is None else await audio.record(recording, sample_rate=RATE)
    over = asyncio.create_task(gateway.wait_for(Ended, lambda event: event.call == call, timeout=None))
    script = asyncio.create_task(_Script(gateway, call, audio, ear).run(steps))
    try:
        await asyncio.wait([script, over], return_when=asyncio.FIRST_COMPLETED)
        if script.done():
            script.result()
        if not over.done():
            gateway.hangup(call)
        ended = await over
        await ear.task
        if kept is not None:
            await kept.stop()
    finally:
        gateway.media_loss = 0.0
        for task in (over, script, ear.task):
            task.cancel()
        await asyncio.gather(over, script, ear.task, return_exceptions=True)
    return _conversation(gateway, call, ear.heard, turns.so_far, ended, ear.reading, recording)


def _conversation(
    gateway: Gateway,
    call: CallId,
    heard: Samples,
    turns: tuple[Turn, ...],
    ended: Ended,
    reading: StatsSnapshot | None,
    recording: Path | None,
) -> Conversation:
    loss = jitter = rtt = None
    if reading is not None:
        loss = loss_percent(reading.packets_lost, reading.packets_received)
        jitter = None if reading.jitter is None else 1_000 * reading.jitter
        rtt = None if reading.round_trip_time is None else 1_000 * reading.round_trip_time
    pressed = (event for event in gateway.history if isinstance(event, DigitsReceived) and event.call == call)
    return Conversation(
        call=call,
        heard=heard,
        digits="".join(event.digits for event in pressed),
        turns=turns,
        ended=ended.cause,
        hung_up_by=ended.by,
        loss=loss,
        jitter=jitter,
        rtt=rtt,
        mos=None if loss is None or jitter is None else mos(jitter, rtt or 0.0, loss),
        recording=recording,
    )


_OVER: Final = (TelnyxClientError, LocalProtocolError)
"""What a bot's command raises once the caller has hung up."""
_LAST_WORDS: Final = 5.0
"""Seconds that a bot may take for what it does after its call."""


class _Watched:
    """A bot whose mistakes are kept for the test; to run into the end of its call is none."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self.fault: Exception | None = None

    async def __call__(self, call: CallHandle) -> None:
        try:
            await self._bot(call)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is raised in the test
            if call.live or not isinstance(error, _OVER):
                self.fault = error


@contextlib.asynccontextmanager
async def served(bot: Bot, client: TelnyxRTC) -> AsyncGenerator[None, None]:
    """While this lasts, ``bot`` answers each call of a client. What it raised is raised here."""
    watched = _Watched(bot)
    try:
        async with client:
            serving = asyncio.create_task(client.serve(watched, drain=_LAST_WORDS))
            try:
                yield
            finally:
                await client.disconnect()
                await serving
    except AssertionError as error:
        if watched.fault is None:
            raise
        raise watched.fault from error
    if watched.fault is not None:
        raise watched.fault
