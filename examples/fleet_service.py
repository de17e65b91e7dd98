"""A fleet to run for weeks: many calls in several processes, which the next start of the program takes over.

python fleet_service.py
python fleet_service.py --healthy     # status 0: its loop turned within the last half minute
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from telnyx_drivers.asyncio import CallHandle
from telnyx_drivers.fleet import Fleet, this_call

HEALTH = Path(os.environ.get("HEALTH_FILE") or Path(tempfile.gettempdir()) / "telnyx-fleet-healthy")


async def converse(call: CallHandle) -> None:
    """Your bot comes here. Every worker imports this file for it."""
    await call.answer()
    if this_call().moves:
        print("going on with", this_call().key, flush=True)
    async for frame in call.audio_in():
        await call.audio_out.write(frame)


def fleet_from_environment() -> Fleet:
    """What is not said here is read by name, so that a manifest can say it."""
    login = {"login": os.environ.get("TELNYX_SIP_USERNAME"), "password": os.environ.get("TELNYX_SIP_PASSWORD")}
    if token := os.environ.get("TELNYX_LOGIN_TOKEN"):
        login = {"login_token": token}
    return Fleet(
        converse,
        slots=int(os.environ.get("SLOTS", "20")),
        workers=int(os.environ["WORKERS"]) if "WORKERS" in os.environ else None,
        store=os.environ.get("STORE", "calls"),
        hand_over=True,
        env=os.environ.get("TELNYX_RTC_URL"),
        **login,
    )


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with fleet_from_environment() as fleet, asyncio.TaskGroup() as group:
        helpers = [group.create_task(beat()), group.create_task(tell(fleet))]
        print("Ready", flush=True)
        await stop.wait()
        left = float(os.environ.get("DRAIN", "60"))  # whatever stops the program must wait a minute longer
        if not await fleet.drain(timeout=left):
            print(len(fleet.calls), "calls are left to the next start", flush=True)
        for helper in helpers:
            helper.cancel()


async def beat() -> None:
    """A loop that stands still lets the file grow old."""
    while True:
        HEALTH.touch()
        await asyncio.sleep(5)


async def tell(fleet: Fleet) -> None:
    async for result in fleet.results():
        print(result.key, result.outcome, result.cause, flush=True)


def healthy() -> bool:
    try:
        return time.time() - HEALTH.stat().st_mtime < 30
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    if "--healthy" in sys.argv:
        sys.exit(0 if healthy() else 1)
    asyncio.run(main())
