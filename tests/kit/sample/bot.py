"""A bot as a project that uses the plugin might have it: a menu that answers keys, and a greeting one may interrupt."""

import asyncio
from pathlib import Path

from telnyx_drivers.asyncio import CallHandle, events

GREETING = Path(__file__).with_name("greeting.wav")


async def menu(call: CallHandle) -> None:
    """Greets, reads one key, confirms it by pressing it back, and hangs up."""
    told = call.events()
    await call.answer()
    await call.wait_for_state("active")
    await (await call.play(GREETING)).wait()
    async for event in told:
        if isinstance(event, events.DigitReceived):
            await call.dtmf(event.digit)
            break
    await call.hangup()


async def polite(call: CallHandle) -> None:
    """Speaks until somebody else does."""
    await call.answer()
    await call.wait_for_state("active")
    playback = await call.play(GREETING, loop=True)
    async for turn in call.audio_in(16_000):
        if max(memoryview(turn.data).cast("h")) > 2_000:
            playback.stop()
            break
    await call.wait_ended()


async def echo(call: CallHandle) -> None:
    """Repeats what it hears, a second later."""
    await call.answer()
    await call.wait_for_state("active")
    async for frame in call.audio_in(16_000, frame_ms=100):
        await call.audio_out.write(frame.data, sample_rate=16_000)


async def terse(call: CallHandle) -> None:
    """Presses a key, and that was it."""
    await call.answer()
    await call.wait_for_state("active")
    await call.dtmf("1")


async def rude(call: CallHandle) -> None:
    """Declines."""
    await call.hangup("USER_BUSY")


async def broken(call: CallHandle) -> None:
    """Has a mistake in it."""
    await call.answer()
    await asyncio.sleep(0.1)
    raise ZeroDivisionError("the bot's own mistake")
