"""A program with a fleet, which is killed: ``python -m tests.fleet.program URL STORE``."""

import asyncio
import sys

from telnyx_drivers.fleet import Fleet
from tests.fleet import bots


def fleet(url: str, store: str) -> Fleet:
    return Fleet(bots.talk, slots=2, workers=1, store=store, login="bob", password="hush", env=url, ice_servers=[])


async def main() -> None:
    async with fleet(*sys.argv[1:]) as mine:
        await mine.dial("tone", key="kept")
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
