"""What a network does to a call, and what is reported of it: ``python bench/impairments.py [SECONDS]``.

Each row is a real call through a network with known faults (`tests.quality.impairment`). The faults are those of the
way to the client unless it says otherwise; jitter is spread evenly, so that RFC 3550's figure for it is a third.
"""

import asyncio
import sys

from tests.quality.impairment import SCENARIOS, Measured, Scenario, measure

HEADINGS = (
    "network",
    "dropped",
    "reported lost",
    "loss %",
    "delay ms",
    "rtt ms",
    "jitter/3 ms",
    "jitter ms",
    "MOS",
    "warnings",
)


async def main(seconds: float) -> None:
    print("| " + " | ".join(HEADINGS) + " |")
    print("|" + "---|" * len(HEADINGS))
    for scenario in SCENARIOS:
        print(row(scenario, await measure(scenario, seconds)), flush=True)


def row(scenario: Scenario, made: Measured) -> str:
    down, up = scenario.down, scenario.up
    cells = (
        scenario.name,
        str(made.dropped),
        str(made.lost),
        f"{made.loss:.1f}",
        f"{1000 * (down.delay + up.delay + (down.jitter + up.jitter) / 2):.0f}",
        figure(made.rtt),
        f"{1000 * down.jitter / 3:.1f}",
        figure(made.jitter),
        "–" if made.mos is None else f"{made.mos:.2f}",
        " ".join(map(str, sorted(made.warnings))) or "none",
    )
    return "| " + " | ".join(cells) + " |"


def figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0))
