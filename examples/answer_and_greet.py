"""Answer every call, greet the caller, and write down the digits that are pressed. Ctrl-C ends it.

python answer_and_greet.py greeting.wav
"""

import asyncio
import contextlib
import sys

from first_call import client_from_environment

from telnyx_core.events import DigitReceived
from telnyx_drivers.calls import CallHandle
from telnyx_drivers.client import Client


async def main(greeting: str) -> None:
    async with client_from_environment() as client, asyncio.TaskGroup() as calls:
        calls.create_task(print_digits(client))
        async for call in client.incoming():
            calls.create_task(serve(call, greeting))


async def serve(call: CallHandle, greeting: str) -> None:
    print(f"{call.info.remote_caller_number} calls")
    await call.answer()
    await call.play(greeting, loop=True)
    cause = await call.wait_ended()
    print(f"{call.info.remote_caller_number} has hung up: {cause.cause}")


async def print_digits(client: Client) -> None:
    async for event in client.events():
        if isinstance(event, DigitReceived):
            print(f"pressed: {event.digit}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
