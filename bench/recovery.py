"""How long a lost socket is missed, and what a fault costs whom: from its loss to the re-attached call, and by frames.

    python bench/recovery.py [--runs 20] [--loop asyncio] [--loop trio] [--long] [--beside TREE]

The gateway is another process, and aborts the socket; the network is back at once. Without a call the first attempt
waits for 0.75 to 1.25 s on purpose, so that a fleet does not come back in step, and longer after each further loss that
follows soon: there each loss has a client of its own. With a call it does not wait.

Then a call's dead path beside another call: how many of our frames are missing at the far end of the other. ``--long``
adds what takes its time: a far end that sends nothing for a minute, and a network that is away for up to 115 s.
``--beside TREE`` measures another checkout in the same run, turn by turn.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

import anyio
import numpy as np
from attrs import define, field

sys.path.append(str(Path(__file__).resolve().parent.parent))

from bench.far_end import LOUD, PASSWORD, USER, FarEnd
from telnyx_core.events import CallUpdated, Ready, SocketClose
from telnyx_core.states import CallState
from telnyx_drivers._client import Client
from telnyx_drivers.asyncio import CallHandle, TelnyxRTC, Tone

REST = 0.5
"""Seconds between two losses."""
FRAME = 0.02
AWAY = (1.0, 10.0, 30.0, 60.0, 90.0, 115.0)


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
    for _ in range(1 if calling else runs):
        await losses_of(loop, far, runs if calling else 1, found, calling=calling, keep=keep)
    return found


async def losses_of(loop: str, far: FarEnd, runs: int, found: Found, *, calling: bool, keep: bool) -> None:
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


def row(name: str, what: str, seconds: list[float]) -> str:
    ms = [1_000 * each for each in seconds]
    return f"{name:36}{what:13}{median(ms):9.1f}{quantiles(ms, n=10)[8]:9.1f}{min(ms):9.1f}{max(ms):9.1f}{len(ms):6}"


def losses(loops: list[str], runs: int) -> None:
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


# What a fault costs, in frames of ours that the far end does not hear.


@asynccontextmanager
async def talking(far: FarEnd, *numbers: str) -> AsyncGenerator[list[CallHandle]]:
    """Calls over which a tone is being said, and has been heard."""
    async with TelnyxRTC(login=USER, password=PASSWORD, env=far.url, ice_servers=[]) as client:
        calls = [await client.new_call(number, caller_number="1") for number in numbers]
        for call in calls:
            await call.wait_for_state("active", timeout=20)
            await call.play(Tone(440))
        await anyio.sleep(2)
        for call in calls:
            far.heard(call.id)
        await anyio.sleep(1)
        yield calls


async def missing(far: FarEnd, call: CallHandle, seconds: float) -> int:
    """How many frames of 20 ms of ours were not heard. A jitter buffer that moves may be one or two beside it."""
    far.heard(call.id)
    begun = time.monotonic()
    await anyio.sleep(seconds)
    heard = far.heard(call.id)
    return max(0, round((time.monotonic() - begun) / FRAME) - heard - 2)


async def one_of_two_is_cut(seconds: float = 40.0) -> None:
    with FarEnd() as far:
        async with talking(far, "tone", "tone") as (cut, other):
            far.cut(cut.id)
            lost = await missing(far, other, seconds)
            far.heard(cut.id)
            await anyio.sleep(2)
            back = far.heard(cut.id)
    print(
        f"two calls, one path cut for good, {seconds:g} s: frames missing in the other {lost};"
        f" heard of the first in 2 s after that {back}",
        flush=True,
    )


async def far_end_is_silent(seconds: float = 60.0) -> None:
    with FarEnd() as far:
        async with talking(far, "silence") as (call,):
            far.mute()
            lost = await missing(far, call, seconds)
    print(f"far end silent for {seconds:g} s: frames of ours missing there {lost}", flush=True)


async def network_is_away(seconds: float) -> None:
    with FarEnd() as far:
        async with talking(far, "tone") as (call,):
            far.away()
            await anyio.sleep(seconds)
            far.heard(call.id)
            far.back()
            begun = time.monotonic()
            holes = await asyncio.gather(heard_by_us(call, begun), heard_by_them(far, call, begun))
    there, here = (f"{hole:.2f} s" if hole is not None else "never" for hole in reversed(holes))
    print(
        f"network away for {seconds:g} s: after its return we are heard after {there}, and hear after {here}",
        flush=True,
    )


async def heard_by_us(call: CallHandle, begun: float) -> float | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            async for frame in call.audio_in(16_000, 1, 20):
                if np.abs(np.frombuffer(frame.data, "<i2").astype(float)).mean() > LOUD:
                    return time.monotonic() - begun
    return None


async def heard_by_them(far: FarEnd, call: CallHandle, begun: float) -> float | None:
    while call.live and time.monotonic() - begun < 60:
        await anyio.sleep(FRAME)
        if far.heard(call.id):
            return time.monotonic() - begun
    return None


async def faults(*, long: bool) -> None:
    await one_of_two_is_cut()
    if long:
        await far_end_is_silent()
        for seconds in AWAY:
            await network_is_away(seconds)


def beside(tree: Path, arguments: list[str]) -> None:
    """This very program on the product of another checkout, and on this one's, in turn."""
    for place in (tree, Path(__file__).resolve().parent.parent):
        with tempfile.TemporaryDirectory() as folder:
            for package in ("telnyx_core", "telnyx_drivers"):
                (Path(folder) / package).symlink_to(place / package)
            print(f"== {place.name}", flush=True)
            environment = {**os.environ, "PYTHONPATH": folder}
            subprocess.run([sys.executable, __file__, *arguments], env=environment, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="losses for each line (default: 20; 0: none)")
    parser.add_argument("--loop", choices=["asyncio", "trio"], action="append")
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in the same run")
    given = parser.parse_args()
    if given.beside is not None:
        at = sys.argv.index("--beside")
        beside(given.beside.resolve(), sys.argv[1:at] + sys.argv[at + 2 :])
    else:
        if given.runs:
            losses(given.loop or ["asyncio", "trio"], given.runs)
        asyncio.run(faults(long=given.long))
