"""How much one process carries: registered clients, calls, several processes side by side, and a fleet's reconnections.

```console
python bench/process.py clients [COUNT]                    memory and CPU for each registered client
python bench/process.py calls [COUNT] [--processes N]      CPU and memory for each call; N processes with so many each
python bench/process.py storm [SESSIONS] [--spread S] [--talking SHARE]
                                                           when a fleet comes back after its node was lost
```

Gateways run in processes of their own: figures are the client's alone, but share the machine. The storm is in virtual
time: each session is the real state machine, registered, whose socket is lost at 0 s and whose next attempts are met.
"""

import argparse
import asyncio
import gc
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.soak import Looks
from telnyx_core.actions import OpenSocket, SendText
from telnyx_core.facts import Fact, SocketClosed, SocketOpened, TextReceived
from telnyx_core.ids import SocketId
from telnyx_core.options import ClientOptions
from telnyx_core.session import Session
from telnyx_core.states import SessionState
from telnyx_core.testing import Rig
from telnyx_drivers._tools.cli.load import own_gateway
from telnyx_drivers._tools.load.run import Load, Pace
from telnyx_drivers._tools.load.scenario import Wait
from telnyx_drivers.asyncio import TelnyxRTC

WARM = 20
"""Clients before the first look: modules are loaded, and pools filled."""
AT_ONCE = 25
"""Clients that connect at the same time."""
IDLE = 20.0
WINDOW = 10.0
"""Seconds in which the calls are looked at, while no call begins or ends."""
GOAL_KB = 60
GOAL_SHARE = 0.05


async def clients(count: int) -> dict[str, float]:
    async with own_gateway() as (url, login), AsyncExitStack() as stack:
        looks, slots = Looks(), asyncio.Semaphore(AT_ONCE)

        async def connect() -> None:
            async with slots:
                client = TelnyxRTC(login=login.login, password=login.password, env=url, ice_servers=[])
                await stack.enter_async_context(client)

        await asyncio.gather(*(connect() for _ in range(WARM)))
        await asyncio.sleep(2.0)  # each loads the engine once it is registered, in threads
        gc.collect()
        first = looks.take()
        await asyncio.gather(*(connect() for _ in range(count)))
        await asyncio.sleep(2.0)
        gc.collect()
        full = looks.take()
        await asyncio.sleep(IDLE)
        idle = looks.take()
    return {
        "clients": count,
        "kb_per_client": round(1_000 * (full.memory - first.memory) / count, 1),
        "goal_kb": GOAL_KB,
        "cpu_percent_per_1000_idle": round(100_000 * (idle.cpu - full.cpu) / (idle.at - full.at) / (count + WARM), 2),
    }


async def calls(count: int) -> dict[str, float]:
    ramp = max(2.0, count / 10)
    async with own_gateway() as (url, login):
        client = TelnyxRTC(login=login.login, password=login.password, env=url, ice_servers=[])
        async with client:
            pace = Pace(rate=count / ramp, duration=ramp + 1.0, at_once=count, calls=count)
            load = Load(client, "echo", pace, steps=(Wait(ramp + WINDOW + 4.0),), caller_number="bench")
            await load.warm_up()
            looks = Looks()
            before = looks.take()
            running = asyncio.create_task(load.run())
            await asyncio.sleep(ramp + 2.0)
            begin = looks.take()
            await asyncio.sleep(WINDOW)
            end = looks.take()
            summary = await running
    share = summary.bad_share
    return {
        "calls": count,
        "failed": sum(summary.failures.values()),
        "core_percent_per_call": round(100 * (end.cpu - begin.cpu) / (end.at - begin.at) / count, 3),
        "kb_per_call": round(1_000 * (end.memory - before.memory) / count, 1),
        "bad_frames_percent": -1.0 if share is None else round(100 * share, 3),
    }


async def side_by_side(processes: int, count: int) -> list[dict[str, float]]:
    async def one() -> dict[str, float]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "calls", str(count), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        found: dict[str, float] = json.loads(out)
        return found

    return list(await asyncio.gather(*(one() for _ in range(processes))))


def attempt_of_a_call(spread: float) -> float:
    """When a session with a call does: without any dice, so that one tells of all."""
    rig = Rig.registered(reconnectSpread=1_000 * spread)
    rig.outbound()
    lost_at = rig.now
    rig.lose()
    rig.wait_for(SessionState.CONNECTING)
    return rig.now - lost_at


def attempt_at(seed: int, spread: float) -> float:
    """When a registered session whose socket is lost at 0 s opens the next one."""
    session = Session(ClientOptions(login_token="a.b.c", reconnect_spread=spread), rng=Random(seed))
    opened: list[float] = []
    sent: list[str] = []
    now = -1.0

    def drain() -> None:
        while (action := session.next_action()) is not None:
            if isinstance(action, OpenSocket):
                opened.append(now)
            elif isinstance(action, SendText):
                sent.append(action.text)

    def tell(fact: Fact) -> None:
        session.receive(fact, now=now)
        drain()

    session.connect(now=now)
    drain()
    tell(SocketOpened(SocketId(1), 1_800_000_000.0))
    reply = {"jsonrpc": "2.0", "id": json.loads(sent[-1])["id"], "result": {"sessid": "s"}}
    tell(TextReceived(SocketId(1), json.dumps(reply)))
    state = {"jsonrpc": "2.0", "id": 1, "method": "telnyx_rtc.gatewayState", "params": {"state": "REGED"}}
    tell(TextReceived(SocketId(1), json.dumps(state)))
    opened.clear()
    now = 0.0
    tell(SocketClosed(SocketId(1), 1006, "", clean=False))
    while not opened:
        due = session.next_timeout()
        assert due is not None, "it will try again"
        now = max(due, now)
        session.handle_timeout(now=now)
        drain()
    return opened[0]


def storm(sessions: int, spread: float, talking: float) -> dict[str, float]:
    """The share of the fleet that the server sees in its busiest second, if the whole fleet was on the node."""
    busy = int(sessions * talking)
    at_once = attempt_of_a_call(spread)
    arrivals = sorted([at_once] * busy + [attempt_at(seed, spread) for seed in range(sessions - busy)])
    by_tenth = Counter(int(10 * each) for each in arrivals)
    busiest = max(sum(by_tenth[tenth + each] for each in range(10)) for tenth in by_tenth)
    return {
        "sessions": sessions,
        "with_a_call_at": round(at_once, 3),
        "first_at": round(arrivals[0], 3),
        "last_at": round(arrivals[-1], 3),
        "busiest_second_share": round(busiest / sessions, 4),
        "goal_share": GOAL_SHARE,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("clients", "calls", "storm"))
    parser.add_argument("count", type=int, nargs="?")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--spread", type=float, default=0.0, help="seconds")
    parser.add_argument("--talking", type=float, default=0.0, help="the share of the sessions that have a call")
    given = parser.parse_args()
    found: object
    match given.what:
        case "clients":
            found = asyncio.run(clients(given.count or 500))
        case "calls" if given.processes > 1:
            found = asyncio.run(side_by_side(given.processes, given.count or 20))
        case "calls":
            found = asyncio.run(calls(given.count or 20))
        case _:
            found = storm(given.count or 100_000, given.spread, given.talking)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
