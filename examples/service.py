"""A bot to run for weeks: it answers, says back what it hears, and at SIGTERM lets the calls come to their end.

python service.py
python service.py --healthy     # status 0: it was registered within the last half minute
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from first_call import client_from_environment

from telnyx_drivers.asyncio import CallHandle, SessionState, TelnyxRTC

HEALTH = Path(os.environ.get("HEALTH_FILE") or Path(tempfile.gettempdir()) / "telnyx-bot-healthy")
DRAIN = 60.0  # seconds that calls may go on after SIGTERM; whatever stops the program must wait longer


async def main() -> None:
    async with client_from_environment() as client, asyncio.TaskGroup() as group:
        beating = group.create_task(beat(client))
        print("Ready", flush=True)
        await client.serve(converse, limit=20, drain=DRAIN)
        beating.cancel()


async def converse(call: CallHandle) -> None:
    """Your bot comes here."""
    await call.answer()
    async for frame in call.audio_in():
        await call.audio_out.write(frame)


async def beat(client: TelnyxRTC) -> None:
    """A loop that stands still, or a client that is not registered, lets the file grow old."""
    while True:
        if client.state is SessionState.READY:
            HEALTH.touch()
        await asyncio.sleep(5)


def healthy() -> bool:
    try:
        return time.time() - HEALTH.stat().st_mtime < 30
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    if "--healthy" in sys.argv:
        sys.exit(0 if healthy() else 1)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
