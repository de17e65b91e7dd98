"""Place a call, say something, keep what was answered.

    python first_call.py hello.wav [destination]

Credentials come from TELNYX_LOGIN_TOKEN, or TELNYX_SIP_USERNAME and TELNYX_SIP_PASSWORD; TELNYX_RTC_URL names another
signalling server than Telnyx's own, such as one of `telnyx-rtc gateway`.
"""

import asyncio
import os
import sys

from telnyx_drivers.asyncio import CallEnded, TelnyxClientError, TelnyxRTC


def client_from_environment(**options: object) -> TelnyxRTC:
    url = os.environ.get("TELNYX_RTC_URL")
    if token := os.environ.get("TELNYX_LOGIN_TOKEN"):
        return TelnyxRTC(login_token=token, env=url, **options)
    user, password = os.environ["TELNYX_SIP_USERNAME"], os.environ["TELNYX_SIP_PASSWORD"]
    return TelnyxRTC(login=user, password=password, env=url, **options)


async def main(file: str, destination: str) -> None:
    async with client_from_environment() as client:
        call = await client.new_call(destination, caller_number=os.environ.get("TELNYX_CALLER_NUMBER", ""))
        try:
            await call.wait_for_state("active", timeout=60)
            recording = await call.record("answer.wav")
            playback = await call.play(file)
            await playback.wait()
            await asyncio.sleep(1)
            await call.hangup(drain=True)
            await recording.stop()
        except CallEnded as ended:
            print(f"The call ended early: {ended.cause.cause}")
        else:
            print(f"Said {playback.position:.1f} seconds; the answer is in {recording.path}.")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "echo"))
    except TelnyxClientError as error:
        sys.exit(str(error))
