"""A program: the embedded gateway on the far host. Says its ``url``, and in the end which ``calls`` it has had.

It runs until its standard input ends.
"""

import asyncio
import sys

from telnyx_core.gateway.events import CallStarted
from telnyx_drivers.gateway import Gateway


async def main(host: str) -> None:
    async with Gateway(users={"alice": "secret"}, host=host) as gateway:
        print("url", gateway.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print("calls", *(event.call for event in gateway.history if isinstance(event, CallStarted)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
