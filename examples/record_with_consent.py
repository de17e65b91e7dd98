"""Answer every call, ask whether it may be recorded, and record it if the caller presses 1. Ctrl-C or SIGTERM ends it.

python record_with_consent.py notice.wav recordings/

What was asked and what the caller decided goes into ``consent.csv`` beside the recordings, for whoever asks later.
"""

import asyncio
import contextlib
import csv
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from first_call import client_from_environment

from telnyx_core.events import DigitReceived
from telnyx_drivers.asyncio import CallEnded, CallHandle

PATIENCE = 10.0  # seconds to decide, after the notice
YES = "1"


async def main(notice: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    async with client_from_environment() as client:
        await client.serve(partial(converse, notice=notice, folder=folder))


async def converse(call: CallHandle, *, notice: str, folder: Path) -> None:
    await call.answer()
    agreed = await consents(call, notice)
    file = folder / f"{call.id}.wav"
    note(folder / "consent.csv", call, agreed)
    print(f"{call.info.remote_caller_number}: {'recorded' if agreed else 'not recorded'}", flush=True)
    if agreed:
        await call.record(file)
    # Your conversation comes here.
    await call.wait_ended()


async def consents(call: CallHandle, notice: str) -> bool:
    """Only a pressed 1 is a yes: silence, any other key, or a caller who hangs up is a no."""
    call.sense()  # incoming calls of the platform carry keys as tones in the audio: listen for them
    key = asyncio.create_task(call.wait_for(DigitReceived))  # from now on: one pressed during the notice counts
    await (await call.play(notice)).wait()
    try:
        return (await asyncio.wait_for(key, PATIENCE)).digit == YES
    except (TimeoutError, CallEnded):
        return False


def note(file: Path, call: CallHandle, agreed: bool) -> None:
    with file.open("a", newline="", encoding="utf-8") as stream:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        csv.writer(stream).writerow([now, call.id, call.info.remote_caller_number, "yes" if agreed else "no"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
