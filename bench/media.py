"""How many legs one core carries: our RTP path against aiortc's own, each end of every leg in a process of its own.

    python bench/media.py [--codec PCMU] [--path direct] [--seconds 2] [--most 600]

A number of legs passes when less than 1 % of the frames of either end are late by a whole slot, are not sent, or are
not heard. Both ends are pinned to a core each, and measure their own CPU time.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.rig import CODECS, PATHS, add_legs, ends, serve

FIRST = {"stock": 10, "direct": 40}
SHARES = (0.4, 0.6, 0.75, 0.9, 1.05, 1.2, 1.4, 1.6)
"""Of what the first measurement lets one expect of a whole core; it is a little pessimistic."""
ALLOWED = 0.01


async def climb(path: str, codec: str, seconds: float, most: int) -> tuple[int, float]:
    """The largest number of legs that passed, and CPU per leg there (share of a core)."""
    best, cost, failures, done = 0, 0.0, 0, 0
    steps = [FIRST[path]]
    async with ends(path, codec) as (caller, callee):
        while steps and failures < 2:
            legs = steps.pop(0)
            await add_legs(caller, callee, [*range(done + 1, legs + 1)])
            done = legs
            await asyncio.sleep(1)
            measured = await asyncio.gather(caller.measure(seconds), callee.measure(seconds))
            bad = max(max(end["late"], end["unsent"], end["unheard"]) for end in measured)
            cpu = sum(end["cpu"] for end in measured) / 2
            passed = bad < ALLOWED
            print(
                f"  {path:6} {codec:4} {legs:4} legs  {100 * cpu:5.1f} % of a core  {100 * cpu / legs:5.3f} %/leg  "
                f"bad frames {100 * bad:6.2f} %  worst {1000 * max(end['worst'] for end in measured):5.0f} ms  "
                f"{'ok' if passed else 'too many'}",
                flush=True,
            )
            # Failing once may be the machine; twice in a row is the load.
            failures = 0 if passed else failures + 1
            if passed:
                best, cost = legs, cpu / legs
            if legs == FIRST[path]:
                steps = [step for share in SHARES if legs < (step := int(legs / cpu * share)) <= most]
    return best, cost


async def main(paths: list[str], codecs: list[str], seconds: float, most: int) -> None:
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for codec in codecs:
        for path in paths:
            found[path, codec] = await climb(path, codec, seconds, most)
    print(f"\n{'':14}{'legs per core':>14}{'% per leg':>12}")
    for (path, codec), (legs, cost) in found.items():
        print(f"{path + ' ' + codec:14}{legs:14}{100 * cost:12.3f}")
    for codec in codecs:
        if ("stock", codec) in found and ("direct", codec) in found:
            (stock, stock_cost), (ours, our_cost) = found["stock", codec], found["direct", codec]
            if stock and ours:
                print(f"{codec}: {ours / stock:.1f} times the legs, {stock_cost / our_cost:.1f} times cheaper each")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--serve":
        asyncio.run(serve(sys.argv[2], sys.argv[3], int(sys.argv[4]) if sys.argv[4] else None))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--path", choices=sorted(PATHS), action="append")
        parser.add_argument("--codec", choices=sorted(CODECS), action="append")
        parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement (default: 2)")
        parser.add_argument("--most", type=int, default=600, help="legs to stop at (default: 600)")
        given = parser.parse_args()
        asyncio.run(main(given.path or ["stock", "direct"], given.codec or ["PCMU", "opus"], given.seconds, given.most))
