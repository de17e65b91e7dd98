"""Call some lines, one after the other, and write what became of each as JUnit XML, which every CI shows.

python check_lines.py lines.txt report.xml     # status 1 when a line is not as it should be

A line of the file is a number. Each is to answer within ten seconds and to be heard, well enough, for five.
"""

import asyncio
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

from first_call import client_from_environment

from telnyx_core.events import StatsReport
from telnyx_drivers.asyncio import CallFailed, TelnyxRTC

ANSWER = 10.0  # seconds
LISTEN = float(os.environ.get("LISTEN", "5"))
MIN_MOS = 3.5
AUDIBLE = 0.005  # peak of full scale: -46 dB


async def check(client: TelnyxRTC, number: str) -> str:
    """What is wrong with a line; empty: nothing."""
    call = await client.new_call(number)
    events, loudest = call.events(), 0.0
    async with call:
        try:
            await call.wait_for_state("active", timeout=ANSWER)
            async with asyncio.timeout(LISTEN):
                async for frame in call.audio_in():
                    loudest = max(loudest, abs(frame.to_numpy()).max() / 32_768)
                return "it hung up on us"
        except TimeoutError:
            if not call.info.answered:
                return f"no answer within {ANSWER:g} s"
        except CallFailed as failed:
            return str(failed)
    mos = None
    async for event in events:  # to the call's end, before which its report comes
        mos = event.average_mos if isinstance(event, StatsReport) else mos
    if loudest < AUDIBLE:
        return "nothing is heard"
    return f"the quality (MOS) is {mos}" if mos is None or mos < MIN_MOS else ""


async def main(numbers: list[str], report: Path) -> int:
    suite = ElementTree.Element("testsuite", name="lines")
    async with client_from_environment() as client:
        for number in numbers:
            wrong = await check(client, number)
            print(f"{number}: {wrong or 'ok'}", flush=True)
            case = ElementTree.SubElement(suite, "testcase", classname="lines", name=number)
            if wrong:
                ElementTree.SubElement(case, "failure", message=wrong)
    ElementTree.ElementTree(suite).write(report, encoding="utf-8", xml_declaration=True)
    return 1 if suite.find("testcase/failure") is not None else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    lines = [line.strip() for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if line.strip()]
    sys.exit(asyncio.run(main(lines, Path(sys.argv[2]))))
