"""A program: the embedded gateway on the far host. Prints its address and runs until its standard input ends."""

import asyncio
import sys

from telnyx_drivers.gateway import Gateway


async def main(host: str) -> None:
    async with Gateway(users={"alice": "secret"}, host=host) as gateway:
        print(gateway.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
