"""Answer every call with an agent of livekit-agents, without a room and a LiveKit server. Ctrl-C or SIGTERM ends it.

    pip install 'telnyx-rtc[livekit]'
    python livekit_bot.py

It needs no model: it beeps twice, beeps as often as the key that is pressed says, and hangs up after a #. Give its
`AgentSession` speech recognition, a language model and speech synthesis, and it is an agent.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import numpy as np
from first_call import client_from_environment
from livekit import rtc
from livekit.agents import Agent, AgentSession

from telnyx_drivers.adapters.livekit import RATE, run_session
from telnyx_drivers.asyncio import CallHandle

BEEP = np.rint(6_000 * np.sin(2 * np.pi * 800 * np.arange(RATE // 2) / RATE)).astype(np.int16)  # half a second


async def beeps(count: int) -> AsyncIterator[rtc.AudioFrame]:
    for _ in range(count):
        for sound in (BEEP, BEEP * 0):
            yield rtc.AudioFrame(sound.tobytes(), RATE, 1, sound.size)


class Beeper(Agent):
    async def on_enter(self) -> None:
        self.session.say("Two beeps: press a key.", audio=beeps(2))


async def converse(call: CallHandle) -> None:
    print(f"{call.info.remote_caller_number} calls", flush=True)
    await call.answer()
    await call.wait_for_state("active", timeout=20)
    session: AgentSession[None] = AgentSession()

    def pressed(digit: str) -> None:
        if digit == "#":
            session.shutdown()
        elif digit.isdigit():
            session.say(f"{digit} beeps", audio=beeps(int(digit)))

    session.on("dtmf_received", pressed)
    await run_session(session, Beeper(instructions=""), call)
    print(f"{call.info.remote_caller_number} has hung up", flush=True)


async def main() -> None:
    async with client_from_environment() as client:
        await client.serve(converse, limit=20)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
