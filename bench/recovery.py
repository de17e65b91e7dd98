"""How long a lost socket is missed: from its loss to the registration, and to the re-attached call.

    python bench/recovery.py [--runs 20] [--loop asyncio] [--loop trio]

The gateway is another process, and aborts the socket; the network is back at once. Without a call the first attempt
waits for 0.75 to 1.25 s on purpose, so that a fleet does not come back in step; with one it does not wait.
"""

import argparse
import sys
from pathlib import Path
from statistics import median, quantiles

import anyio
from attrs import define, field

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.far_end import PASSWORD, USER, FarEnd
from telnyx_core.events import CallUpdated, Ready, SocketClose
from telnyx_core.states import CallState
from telnyx_drivers.client import Client

REST = 0.5
"""Seconds between two losses."""


def client_of(loop: str) -> type[Client]:
    if loop == "trio":
        from telnyx_drivers.trio import TelnyxRTC as TrioClient

        return TrioClient
    from telnyx_drivers.asyncio import TelnyxRTC as AsyncioClient

    return AsyncioClient


@define
class Found:
    """Seconds after the client has seen its socket die."""

    registered: list[float] = field(factory=list[float])
    attached: list[float] = field(factory=list[float])


async def one(client: Client, far: FarEnd, found: Found, *, calling: bool) -> None:
    stream = client.events()
    far.drop()
    lost = 0.0
    registered = attached = False
    with anyio.fail_after(30):
        async for event in stream:
            now = anyio.current_time()
            match event:
                case SocketClose():
                    lost = now
                case Ready():
                    found.registered.append(now - lost)
                    registered = True
                case CallUpdated(call) if call.state is CallState.ACTIVE:
                    found.attached.append(now - lost)
                    attached = True
                case _:
                    pass
            if registered and (attached or not calling):
                return


async def measure(loop: str, far: FarEnd, runs: int, *, calling: bool, keep: bool) -> Found:
    found = Found()
    async with client_of(loop)(
        login=USER,
        password=PASSWORD,
        env=far.url,
        ice_servers=[],
        enable_call_reports=False,
        keep_connection_alive_on_socket_close=keep,
    ) as client:
        if calling:
            call = await client.new_call("tone", caller_number="1")
            await call.wait_for_state("active", timeout=20)
        for _ in range(runs):
            await anyio.sleep(REST)
            await one(client, far, found, calling=calling)
    return found


def row(name: str, what: str, seconds: list[float]) -> str:
    ms = [1_000 * each for each in seconds]
    return f"{name:36}{what:13}{median(ms):9.1f}{quantiles(ms, n=10)[8]:9.1f}{min(ms):9.1f}{max(ms):9.1f}{len(ms):6}"


def main(loops: list[str], runs: int) -> None:
    print(f"{'ms after the loss':36}{'until':13}{'median':>9}{'p90':>9}{'least':>9}{'most':>9}{'runs':>6}")
    for loop in loops:
        for name, calling, keep in (
            ("idle", False, False),
            ("call, connection kept", True, True),
            ("call, connection renewed", True, False),
        ):

            async def run(loop: str = loop, calling: bool = calling, keep: bool = keep) -> Found:
                return await measure(loop, far, runs, calling=calling, keep=keep)

            with FarEnd() as far:
                found = anyio.run(run, backend=loop)
            print(row(f"{loop}, {name}", "registered", found.registered), flush=True)
            if calling:
                print(row("", "re-attached", found.attached), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="losses for each line (default: 20)")
    parser.add_argument("--loop", choices=["asyncio", "trio"], action="append")
    given = parser.parse_args()
    main(given.loop or ["asyncio", "trio"], given.runs)
