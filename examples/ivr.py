"""Walk through a menu: call a number, and press each key once the announcement before it is over.

    TELNYX_SIP_USERNAME=... TELNYX_SIP_PASSWORD=... python examples/ivr.py +15551234567 1 3 42#

``TELNYX_RTC_URL`` leads to another server, such as ``telnyx-rtc gateway``.
"""

import asyncio
import os
import sys

from telnyx_drivers.asyncio import CallEnded, TelnyxRTC


async def main(number: str, *choices: str) -> None:
    user, password = os.environ["TELNYX_SIP_USERNAME"], os.environ["TELNYX_SIP_PASSWORD"]
    async with TelnyxRTC(login=user, password=password, env=os.environ.get("TELNYX_RTC_URL", "production")) as client:
        call = await client.new_call(number)
        try:
            await call.wait_for_state("active", timeout=60)
            turns = aiter(call.turns)
            print("Answered")
            for choice in choices:
                # A turn of the far end is over when it has been silent for 0.7 s: then it waits for a key.
                announcement = await anext(turns)
                print(f"An announcement of {announcement.end - announcement.start:.1f} s; pressing {choice}")
                await call.dtmf(choice)
            last = await anext(turns)
            print(f"The last announcement: {last.end - last.start:.1f} s")
            await call.hangup()
        except (CallEnded, StopAsyncIteration):
            sys.exit("The call ended before the end of the menu.")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
