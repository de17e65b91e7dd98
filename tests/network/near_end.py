"""A program: calls an echo, hums, and says, one word or two a line, what it hears and what becomes of the call.

``call`` names it. ``hearing`` comes with the hertz of what comes back, measured anew over half a second of sound each
time that the call has become active. ``error`` comes with the code of a fault. Every other word is a state of the call.
When its standard input ends it hangs up and says how the call ended.
"""

import asyncio
import sys

import numpy as np

from telnyx_core.events import CallUpdated, ErrorRaised
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC, Tone

HUM = 600.0
RATE = 8_000
LOUD = 500
ENOUGH_SECONDS = 0.5


def say(*words: object) -> None:
    print(*words, flush=True)


class Ear:
    """Says what comes back, once after each `prick`."""

    def __init__(self) -> None:
        self._sound = np.empty(0, np.int16)
        self._said = True

    def prick(self) -> None:
        self._sound = self._sound[:0]
        self._said = False

    async def listen(self, call: CallHandle) -> None:
        async for frame in call.audio_in(sample_rate=RATE):
            samples = frame.to_numpy()
            if self._said or np.abs(samples.astype(np.int32)).max(initial=0) < LOUD:
                continue
            self._sound = np.append(self._sound, samples)
            if len(self._sound) > ENOUGH_SECONDS * RATE:
                self._said = True
                say("hearing", round(dominant_frequency(self._sound, RATE)))


async def main(url: str, keep: bool, journal: str) -> None:
    async with TelnyxRTC(
        login="alice",
        password="secret",
        env=url,
        ice_servers=[],
        keep_connection_alive_on_socket_close=keep,
        journal=journal,
    ) as client:
        told = ""
        ear = Ear()

        def note(event: CallUpdated) -> None:
            nonlocal told
            if event.call.state.value != told:
                told = event.call.state.value
                say(told)
                if told == "active":
                    ear.prick()

        client.on(CallUpdated, note)
        client.on(ErrorRaised, lambda event: say("error", event.code))
        call = await client.new_call("echo", caller_number="1")
        await call.wait_for_state("active", timeout=10)
        call.audio.add_voice(Tone(HUM))
        listening = asyncio.create_task(ear.listen(call))
        say("call", call.id)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        say((await call.hangup()).cause or "")
        await listening


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] == "keep", sys.argv[3]))
