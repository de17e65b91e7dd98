"""A program: the embedded gateway on the far host, 20 ms away each way. Says its ``url``.

Each line ``ring`` that it reads calls the client. It runs until its standard input ends.
"""

import asyncio
import sys

from telnyx_drivers.gateway import Gateway


async def main(host: str) -> None:
    async with Gateway(users={"alice": "secret"}, host=host, media_delay=0.02) as gateway:
        print("url", gateway.url, flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            assert line == "ring\n"
            gateway.call_user("alice")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
