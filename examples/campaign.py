"""Call a list of numbers and say a message to each, not too many at once and not too fast. Ctrl-C or SIGTERM ends it.

python campaign.py message.wav numbers.txt results.csv

One number a line. Each result is written when it is known, and a number that has one is not called again: stop it and
start it again as you like.
"""

import asyncio
import csv
import os
import signal
import sys
from pathlib import Path

from first_call import client_from_environment

from telnyx_drivers.asyncio import CallEnded, CallFailed, TelnyxRTC

AT_ONCE = int(os.environ.get("AT_ONCE", "5"))  # calls side by side, within what your account allows
APART = float(os.environ.get("APART", "1"))  # seconds from one call's beginning to the next one's
RING = 30.0  # seconds
AGAIN = {"USER_BUSY": 2, "NO_ANSWER": 1, "NORMAL_TEMPORARY_FAILURE": 2}  # how often to try again, by the reason
LATER = float(os.environ.get("LATER", "300"))  # seconds until then


async def main(message: str, numbers: list[str], results: Path) -> None:
    told = asyncio.current_task()
    assert told is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.cancel)
    done = already(results)
    async with client_from_environment() as client:
        campaign = Campaign(client, message, results)
        async with asyncio.TaskGroup() as group:
            for number in numbers:
                if number not in done:
                    group.create_task(campaign.reach(number))


class Campaign:
    def __init__(self, client: TelnyxRTC, message: str, results: Path) -> None:
        self.client, self.message, self.results = client, message, results
        self.lines = asyncio.Semaphore(AT_ONCE)
        self.pace = asyncio.Lock()

    async def reach(self, number: str) -> None:
        tried = 0
        while True:
            async with self.lines:
                async with self.pace:
                    await asyncio.sleep(APART)
                outcome = await self.call(number)
            if tried >= AGAIN.get(outcome, 0):
                break
            tried += 1
            await asyncio.sleep(LATER)
        print(f"{number}: {outcome}", flush=True)
        with self.results.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow([number, outcome, tried + 1])

    async def call(self, number: str) -> str:
        """``delivered``, or why not."""
        call = await self.client.new_call(number, caller_number=os.environ.get("TELNYX_CALLER_NUMBER", ""))
        async with call:  # hung up, whatever happens
            try:
                await call.wait_for_state("active", timeout=RING)
                playback = await call.play(self.message)
                await playback.wait()
            except TimeoutError:
                await call.hangup(cause="NO_ANSWER")
                return "NO_ANSWER"
            except CallEnded as ended:
                return ended.cause.cause or "UNKNOWN"
            except CallFailed as failed:
                return str(failed)
            if not call.live:
                return "HUNG_UP_EARLY"
            await call.hangup(drain=True)
            return "delivered"


def already(results: Path) -> set[str]:
    if not results.exists():
        return set()
    with results.open(newline="", encoding="utf-8") as stream:
        return {row[0] for row in csv.reader(stream) if row}


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    wanted = [line.strip() for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        asyncio.run(main(sys.argv[1], list(dict.fromkeys(wanted)), Path(sys.argv[3])))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("Stopped; start it again to go on.")
