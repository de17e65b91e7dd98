"""Answer every call, greet the caller, and write down the digits that are pressed. Ctrl-C or SIGTERM ends it.

python answer_and_greet.py greeting.wav
"""

import asyncio
import contextlib
import sys

from first_call import client_from_environment

from telnyx_core.events import DigitReceived
from telnyx_drivers.asyncio import CallHandle


async def main(greeting: str) -> None:
    async def greet(call: CallHandle) -> None:
        await answer(call, greeting)

    async with client_from_environment() as client:
        client.on(DigitReceived, lambda pressed: print(f"pressed: {pressed.digit}"))
        await client.serve(greet)


async def answer(call: CallHandle, greeting: str) -> None:
    print(f"{call.info.remote_caller_number} calls")
    await call.answer()
    await call.play(greeting, loop=True)
    cause = await call.wait_ended()
    print(f"{call.info.remote_caller_number} has hung up: {cause.cause}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
