"""A program: makes and takes calls with an echo, hums, and says, a line each, how long the hum was missed.

It reads orders, one a line. ``out`` and ``in``: a call to or from the far end; says ``heard`` with the seconds from
active to the first echo. ``stay``: the same as ``out``, but the call goes on, and it says ``carries`` with the local
address of the path. ``gap``: the longest silence since then, once the echo has been heard again for half a second.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import numpy as np

from telnyx_drivers.asyncio import CallHandle, TelnyxRTC, Tone
from tests.network.near_end import HUM, LOUD, RATE, say

AGAIN_SECONDS = 0.5
PATIENCE = 20.0


async def orders() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield line.strip()


class Ear:
    """When the echo was last heard, and the longest time without it."""

    def __init__(self, call: CallHandle) -> None:
        self._clock = asyncio.get_running_loop().time
        self.began = self.last = self.since = self._clock()
        """``since``: the echo has been there without a gap."""
        self.heard = asyncio.Event()
        self._frame = asyncio.Event()
        self.gap = 0.0
        self._task = asyncio.create_task(self._listen(call))

    async def _listen(self, call: CallHandle) -> None:
        async for frame in call.audio_in(sample_rate=RATE):
            if np.abs(frame.to_numpy().astype(np.int32)).max(initial=0) > LOUD:
                now = self._clock()
                if now - self.last > 0.06:
                    self.since = now
                    self.gap = max(self.gap, now - self.last)
                self.last = now
                self.heard.set()
            self._frame.set()

    async def settled(self, lost_at: float) -> None:
        """Until the echo has been there for a while, with a gap behind it or long after the loss."""
        while self._clock() - lost_at < AGAIN_SECONDS or self.last - self.since < AGAIN_SECONDS:
            self._frame.clear()
            await self._frame.wait()

    def end(self) -> None:
        self._task.cancel()


async def hears(call: CallHandle) -> Ear:
    ear = Ear(call)
    call.audio.add_voice(Tone(HUM))
    async with asyncio.timeout(PATIENCE):
        await ear.heard.wait()
    return ear


async def main(url: str, keep: bool) -> None:
    async with TelnyxRTC(
        login="alice",
        password="secret",
        env=url,
        ice_servers=[],
        keep_connection_alive_on_socket_close=keep,
    ) as client:
        staying: tuple[CallHandle, Ear] | None = None
        say("ready")
        async for order in orders():
            match order:
                case "gap" if staying is not None:
                    call, ear = staying
                    ear.gap, ear.since = 0.0, ear.last
                    async with asyncio.timeout(PATIENCE):
                        await ear.settled(asyncio.get_running_loop().time())
                    ear.end()
                    say("gap", round(ear.gap, 3), call.state.value)
                    await call.hangup()
                case _:
                    if order == "in":
                        say("ring")
                        call = await anext(client.incoming())
                        await call.answer()
                    else:
                        call = await client.new_call("echo", caller_number="1")
                    await call.wait_for_state("active", timeout=PATIENCE)
                    ear = await hears(call)
                    say("heard", round(ear.last - ear.began, 3))
                    if order == "stay":
                        await asyncio.sleep(1)
                        pair = (await call.stats()).reading.pair
                        assert pair is not None
                        staying = call, ear
                        say("carries", pair.local.address)
                    else:
                        ear.end()
                        await call.hangup()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] == "keep"))
