"""What a journal costs that is left on: a real call with a reconnection in the middle, recorded, replayed, weighed.

    python bench/journal.py [--seconds 60] [--loop asyncio]

The recorder's own time is found by giving the recorded session once more to a plain session and to one that writes a
journal, and taking the difference: in the noise of a call's audio it could not be seen.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median

import anyio
from attrs import frozen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.far_end import PASSWORD, USER, FarEnd
from bench.recovery import client_of
from telnyx_core.journal.recorded_session import Replay, _give
from telnyx_core.session import Session
from telnyx_drivers._services.journal import Journal, RecordedSession

REPEATS = 15


@frozen
class Call:
    seconds: float
    cpu: float
    """Of this process, media and all."""


async def call(loop: str, url: str, journal: Path, seconds: float, far: FarEnd) -> Call:
    async with client_of(loop)(
        login=USER,
        password=PASSWORD,
        env=url,
        ice_servers=[],
        journal=journal,
        keep_connection_alive_on_socket_close=True,
    ) as client:
        call = await client.new_call("echo", caller_number="1")
        await call.wait_for_state("active", timeout=20)
        began, cpu = time.perf_counter(), time.process_time()
        await anyio.sleep(seconds / 2)
        far.drop()
        await call.wait_for_state("recovering", timeout=20)
        await call.wait_for_state("active", timeout=20)
        await call.hold()
        await call.unhold()
        await anyio.sleep(seconds / 2)
        found = Call(time.perf_counter() - began, time.process_time() - cpu)
        await call.hangup()
    return found


class Loaded(Random):
    """Dice that fall as they did."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._fallen = seed

    def getrandbits(self, k: int, /) -> int:
        return self._fallen


def rerun(replay: Replay, session: Session) -> float:
    """CPU seconds for everything that happened once more."""
    began = time.process_time()
    for entry in replay.entries:
        _give(session, entry)
        while session.next_action() is not None:
            pass
    return time.process_time() - began


def recorders_share(replay: Replay, folder: Path) -> float:
    """CPU seconds that writing it down took."""
    plain, recorded = list[float](), list[float]()
    rng = Loaded(int(str(replay.header["seed"]), 16))
    for number in range(REPEATS):
        session = replay.session()
        plain.append(rerun(replay, session))
        path = folder / f"{number}.jsonl"
        writing = RecordedSession(replay.session().options, journal=Journal(path), rng=rng)
        recorded.append(rerun(replay, writing))
        assert Replay.from_file(str(path)).check() == replay.check(), "it has lived the same life"
    return median(recorded) - median(plain)


def main(loop: str, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "call.jsonl"
        with FarEnd() as far:

            async def run() -> Call:
                return await call(loop, far.url, path, seconds, far)

            found = anyio.run(run, backend=loop)
        replay = Replay.from_file(str(path))
        actions = replay.check()
        given = [kind for entry in replay.entries for kind in ("fact", "timeout", "command") if kind in entry.given]
        size = path.stat().st_size
        cost = recorders_share(replay, Path(name))
    print(f"{loop}: {found.seconds:.1f} s of a call, with one lost socket")
    print(f"replayed: {actions} actions, identical; {dict(Counter(given))}")
    print(f"size: {size / 1024:.1f} KiB, {size / 1024 / found.seconds * 60:.1f} KiB a minute")
    print(f"CPU of the call's process: {100 * found.cpu / found.seconds:.2f} % of a core")
    print(f"of it the recorder: {100 * cost / found.seconds:.4f} % of a core ({1000 * cost:.1f} ms)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--loop", choices=["asyncio", "trio"], default="asyncio")
    given = parser.parse_args()
    main(given.loop, given.seconds)
