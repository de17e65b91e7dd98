"""Answer every call and say back what is heard, a second later. Ctrl-C or SIGTERM ends it.

python echo_bot.py
"""

import asyncio
import contextlib
from collections import deque

from first_call import client_from_environment

from telnyx_drivers.asyncio import AudioFrame, CallHandle

DELAY = 50  # frames of 20 ms


async def main() -> None:
    async with client_from_environment() as client:
        await client.serve(echo)


async def echo(call: CallHandle) -> None:
    print(f"{call.info.remote_caller_number} calls")
    await call.answer()
    memory = deque[AudioFrame]()
    async for frame in call.audio_in():
        memory.append(frame)
        if len(memory) > DELAY:
            await call.audio_out.write(memory.popleft())
    print(f"{call.info.remote_caller_number} has hung up")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
