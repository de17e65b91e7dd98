"""Leave a message: call a number, wait for what answers, and speak after the beep of a machine.

    TELNYX_SIP_USERNAME=... TELNYX_SIP_PASSWORD=... python examples/voicemail.py message.wav +15551234567

``TELNYX_RTC_URL`` leads to another server, such as ``telnyx-rtc gateway``.
"""

import asyncio
import os
import sys

from telnyx_drivers.asyncio import CallEnded, TelnyxRTC


async def main(message: str, number: str) -> None:
    user, password = os.environ["TELNYX_SIP_USERNAME"], os.environ["TELNYX_SIP_PASSWORD"]
    async with TelnyxRTC(login=user, password=password, env=os.environ.get("TELNYX_RTC_URL", "production")) as client:
        call = await client.new_call(number)
        try:
            await call.wait_for_state("active", timeout=60)
        except CallEnded as ended:
            sys.exit(f"The call ended early: {ended.cause.cause}")
        sense = call.sense()
        print("Answered")
        async for sensed in sense:
            print(f"{sensed.at:.1f} s: {sensed.kind}")
            if sensed.kind == "beep":
                playback = await call.play(message)
                await call.hangup(drain=True)
                print(f"Left {playback.position:.1f} seconds.")
                return
            if sensed.kind in ("fax", "busy", "sit"):
                break
            if sensed.kind == "human":
                print("A human: this program has nothing to say to you.")
                break
        await call.hangup()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
