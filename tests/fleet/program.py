"""A program with a fleet, which is killed: ``python -m tests.fleet.program URL STORE ON``."""

import asyncio
import sys
from typing import Literal

from telnyx_drivers.fleet import Fleet
from tests.fleet import bots


def fleet(url: str, store: str, on: Literal["processes", "ray"]) -> Fleet:
    return Fleet(
        bots.talk, slots=2, workers=1, store=store, on=on, login="bob", password="hush", env=url, ice_servers=[]
    )


async def main() -> None:
    url, store, on = sys.argv[1:]
    assert on in ("processes", "ray")
    async with fleet(url, store, on) as mine:
        await mine.dial("tone", key="kept")
        await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
