"""Answer every call, watch its quality, and post an alarm when it stays bad, and another when it is good again.

python quality_alarms.py https://example.com/hook

Thresholds come from MIN_MOS and MAX_LOSS (percent). Ctrl-C or SIGTERM ends it.
"""

import asyncio
import contextlib
import json
import os
import sys
import urllib.request
from functools import partial

from first_call import client_from_environment

from telnyx_core.events import StatsFrame, WarningRaised
from telnyx_drivers.asyncio import CallHandle

MIN_MOS = float(os.environ.get("MIN_MOS", "3.5"))
MAX_LOSS = float(os.environ.get("MAX_LOSS", "3"))  # percent
EVERY = float(os.environ.get("EVERY", "5"))  # seconds between two frames
IN_A_ROW = 2  # frames that must agree before anybody is told: one alone is a hiccup


async def main(hook: str) -> None:
    async with client_from_environment(call_report_interval=EVERY) as client:
        await client.serve(partial(converse, hook=hook))


async def converse(call: CallHandle, *, hook: str) -> None:
    watching = asyncio.create_task(watch(call, hook))
    await call.answer()
    # Your conversation comes here.
    await call.wait_ended()
    await watching


async def watch(call: CallHandle, hook: str) -> None:
    """A frame comes every few seconds, and a warning when something has been wrong for a while."""
    alarmed, row = False, 0
    async for event in call.events():
        match event:
            case StatsFrame(mos=float(mos)):
                bad = mos < MIN_MOS or (event.packet_loss or 0.0) > MAX_LOSS
                row = row + 1 if bad != alarmed else 0
                if row == IN_A_ROW:
                    alarmed, row = bad, 0
                    await post(hook, call, "bad" if bad else "good again", {"mos": mos, "loss": event.packet_loss})
            case WarningRaised():
                await post(hook, call, event.name, {"message": event.message})
            case _:
                pass


async def post(hook: str, call: CallHandle, what: str, figures: dict[str, object]) -> None:
    """An alarm that cannot be sent must not end a call."""
    body = json.dumps({"call": call.id, "caller": call.info.remote_caller_number, "what": what, **figures}).encode()
    request = urllib.request.Request(hook, body, {"Content-Type": "application/json"})
    try:
        await asyncio.to_thread(urllib.request.urlopen, request, timeout=5)
    except OSError as error:
        print(f"The alarm was not sent: {error}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
