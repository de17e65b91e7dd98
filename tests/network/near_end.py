"""A program: calls an echo, hums, and says, one word a line, what it hears and what becomes of the call.

``hearing`` and ``silence`` tell of the echo, every other word is a state of the call. When its standard input ends it
hangs up and says how the call ended.
"""

import asyncio
import sys
import time

import numpy as np

from telnyx_core.events import CallUpdated
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC
from telnyx_drivers.media.audio.tones import Tone

SILENCE_SECONDS = 0.4


def say(word: str) -> None:
    print(word, flush=True)


async def listen(call: CallHandle) -> None:
    hearing, last = False, 0.0
    async for frame in call.audio_in(sample_rate=8_000):
        loud = bool(np.abs(frame.to_numpy().astype(np.int32)).max(initial=0) > 500)
        last = time.monotonic() if loud else last
        if hearing != (time.monotonic() - last < SILENCE_SECONDS):
            hearing = not hearing
            say("hearing" if hearing else "silence")


async def main(url: str, keep: bool) -> None:
    options = {"keep_connection_alive_on_socket_close": keep}
    async with TelnyxRTC(login="alice", password="secret", env=url, ice_servers=[], **options) as client:  # type: ignore[arg-type]
        told = ""

        def note(event: CallUpdated) -> None:
            nonlocal told
            if event.call.state.value != told:
                told = event.call.state.value
                say(told)

        client.on(CallUpdated, note)
        call = await client.new_call("echo", caller_number="1")
        await call.wait_for_state("active", timeout=10)
        call.audio.add_voice(Tone(600.0))
        listening = asyncio.create_task(listen(call))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        say((await call.hangup()).cause or "")
        await listening


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] == "keep"))
