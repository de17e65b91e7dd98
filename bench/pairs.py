"""How many calls connect where several addresses reach the server, and how soon: ``python bench/pairs.py``.

The far end is the one of the tests: it follows the first check from a new address and then the last one that
nominates, and drops all else while it starts, as the platform's server does. It answers our offers (first calls and
renewals) and offers itself (re-attaches). A call counts when both ends have heard ten packets of each other within
five seconds. Seconds are from the answer until then: the median and the worst of those that count.
"""

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from statistics import median
from typing import get_args

sys.path.insert(0, str(Path(__file__).parents[1]))

from attrs import evolve

from telnyx_core.options import IceServer
from tests.media.attempts import Cell, Kind, Outcome, Ways, attempt
from tests.network.coturn import PROGRAM, Coturn


async def measure(cell: Cell, calls: int, at_once: int) -> list[Outcome]:
    """So many calls, a few at once."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int) -> Outcome:
        async with gate:
            return await attempt(evolve(cell, seed=number))

    return await asyncio.gather(*(one(number) for number in range(calls)))


def told(cell: Cell, outcomes: list[Outcome]) -> str:
    took = sorted(outcome.seconds for outcome in outcomes if outcome.seconds is not None)
    times = f"{median(took):5.2f} s, worst {took[-1]:5.2f} s" if took else ""
    moves = sum(outcome.moves for outcome in outcomes) / len(outcomes)
    return f"{cell!s:62} {len(took):3} of {len(outcomes)}  {times}  (moved {moves:.1f} times)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--kinds", nargs="*", choices=get_args(Kind), default=get_args(Kind))
    parser.add_argument("--ways", nargs="*", choices=get_args(Ways), default=get_args(Ways))
    parser.add_argument("--ms", nargs="*", type=int, default=[20, 60, 200])
    parser.add_argument("--loss", nargs="*", type=int, default=[0, 5], help="percent")
    parser.add_argument("--far", nargs="*", choices=["active", "passive", "controlling"], default=["active", "passive"])
    options = parser.parse_args()
    bad = 0
    with ExitStack() as stack:
        servers: tuple[IceServer, ...] = ()
        if any("TURN" in ways for ways in options.ways):
            if PROGRAM is None:
                parser.error("coturn is not installed (apt-get install coturn)")
            coturn = Coturn(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.callback(coturn.stop)
            servers = (coturn.server(),)
        for kind, ways, far, loss, ms in product(options.kinds, options.ways, options.far, options.loss, options.ms):
            cell = Cell(
                kind=kind,
                ways=ways,
                round_trip=ms / 1000,
                loss=loss / 100,
                setup="passive" if far == "passive" else "active",
                controlling=far == "controlling",
                servers=servers if "TURN" in ways else (),
            )
            outcomes = asyncio.run(measure(cell, options.calls, options.at_once))
            bad += sum(outcome.seconds is None for outcome in outcomes)
            print(told(cell, outcomes), flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
