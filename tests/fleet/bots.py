"""What the workers of the tests run. What a bot has heard it tells the gateway by a digit: how often it has moved."""

import numpy as np

from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle
from telnyx_drivers.fleet import this_call

RATE = 8_000


async def hears_the_tone(call: CallHandle) -> None:
    """From now on, for a quarter of a second."""
    heard = np.zeros(RATE // 4, np.int16)
    async for frame in call.audio_in(RATE):
        heard = np.concatenate([heard, frame.to_numpy().ravel()])[-heard.size :]
        if heard[0] and abs(dominant_frequency(heard, RATE) - 1_000) < 5:
            return


async def talk(call: CallHandle) -> None:
    """Answers, hears the far end's tone, says so in the audio, and stays until the far end hangs up."""
    await call.answer()
    await call.wait_for_state(("active", "held"))
    await hears_the_tone(call)
    await call.dtmf(str(this_call().moves), via="info" if this_call().inbound else "rtp")
    if this_call().key.startswith("raises"):
        raise ValueError("the bot's own fault")
    await call.wait_ended()
