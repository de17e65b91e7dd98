"""How many legs one core carries: our RTP path against aiortc's own, each end of every leg in a process of its own.

    python bench/media.py [--codec PCMU] [--path direct] [--seconds 2] [--most 1200]

A number of legs passes when less than 1 % of the frames of either end are late by a whole slot, are not sent, or are
not heard. Both ends are pinned to a core each, and measure their own CPU time, memory and the lag of their event loop.
The path ``bare`` has no audio: it decrypts what comes, and encrypts and sends a packet in each slot, which is what the
kernel, libsrtp, asyncio and ICE cost.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.rig import CODECS, PATHS, End, add_legs, ends, serve

STEPS = (2, 10, 25, 50, 100, 200)
FAR, NEAR = 1.2, 1.08
"""The next step beyond those, while less than half of the core is used, and then."""
TRIES = 3
"""Failing may be the machine: so often in a row it is the load."""
ALLOWED = 0.01


def next_step(legs: int, cpu: float) -> int:
    """How many legs to try after so many, which used this share of a core."""
    fixed = next((step for step in STEPS if step > legs), None)
    if fixed is not None and cpu * fixed / legs < 0.6:
        return fixed
    return max(round(legs * (FAR if cpu < 0.5 else NEAR)), legs + 1)


async def passes(path: str, codec: str, legs: int, caller: End, callee: End, seconds: float) -> float | None:
    """The share of a core that so many legs use at each end; ``None`` when they are too many."""
    for _ in range(TRIES):
        measured = await asyncio.gather(caller.measure(seconds), callee.measure(seconds))
        worst = {key: max(end[key] for end in measured) for key in measured[0]}
        bad = max(worst["late"], worst["unsent"], worst["unheard"])
        cpu = sum(end["cpu"] for end in measured) / 2
        print(
            f"  {path:6} {codec:4} {legs:4} legs  {100 * cpu:5.1f} % of a core  {100 * cpu / legs:5.3f} %/leg  "
            f"{worst['memory']:5.2f} MB/leg  loop lag p50 {1000 * worst['lag_p50']:4.1f} p99 "
            f"{1000 * worst['lag_p99']:5.1f} ms  bad frames {100 * bad:6.2f} %",
            "" if bad < ALLOWED else "too many",
            flush=True,
        )
        if bad < ALLOWED:
            return cpu
    return None


async def climb(path: str, codec: str, seconds: float, most: int) -> tuple[int, float]:
    """The largest number of legs that passed, and CPU per leg there (share of a core)."""
    best, cost, done, legs = 0, 0.0, 0, STEPS[0]
    async with ends(path, codec) as (caller, callee):
        while legs <= most:
            await add_legs(caller, callee, [*range(done + 1, legs + 1)])
            done = legs
            await asyncio.sleep(1)
            cpu = await passes(path, codec, legs, caller, callee, seconds)
            if cpu is None:
                break
            best, cost = legs, cpu / legs
            legs = next_step(legs, cpu)
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
        parser.add_argument("--most", type=int, default=1_200, help="legs to stop at (default: 1200)")
        given = parser.parse_args()
        asyncio.run(main(given.path or ["stock", "direct"], given.codec or ["PCMU", "opus"], given.seconds, given.most))
