"""What prefetch and trickle bring: how long a call takes to be set up, for each combination of the two.

    python bench/setup.py [--runs 30] [--delay 0.04]

A client calls the embedded gateway's echo over loopback, with the gateway in a thread of its own. Its one ICE server is
a coturn (if installed) that is ``--delay`` seconds away, each way, as one on the internet would be; the first rows are
without any server. Medians of all runs, in milliseconds, from `new_call` to the invite leaving, to the answer, and to
the first packet of audio.
"""

import argparse
import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from typing import TypeAlias, cast

from attrs import define, field

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from telnyx_core.events import CallUpdated, MediaStarted
from telnyx_core.options import IceServer
from telnyx_core.states import CallState
from telnyx_drivers._webrtc import transport_pool as standby
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.ports import EngineSetup
from telnyx_drivers._webrtc.settings import PeerSettings
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway, GatewayThread

HOST = "127.0.0.1"
USER, CREDENTIAL = "bench", "bench"
SETTINGS = PeerSettings(loopback=True, addresses=list)
REFILL = 0.05
Address: TypeAlias = tuple[str, int]


@contextlib.contextmanager
def coturn() -> Iterator[int | None]:
    """A TURN server on loopback, by its port; ``None`` where there is none to start."""
    program = shutil.which("turnserver")
    if program is None:
        yield None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--allow-loopback-peers", "--lt-cred-mech"]
        options += ["-L", HOST, "-E", HOST, "-p", str(port), "-r", "bench", "-u", f"{USER}:{CREDENTIAL}"]
        options += ["--log-file", f"{folder}/log", "--pidfile", f"{folder}/pid", "--userdb", f"{folder}/db"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen([program, *options], stdin=quiet, stdout=quiet, stderr=quiet) as process:
            time.sleep(0.5)
            try:
                yield port
            finally:
                process.terminate()


@define(eq=False)
class Distance(asyncio.DatagramProtocol):
    """Takes datagrams to a server, and back, with a delay. Each client gets a socket of its own towards the server."""

    server: Address
    delay: float
    transport: asyncio.DatagramTransport | None = None
    outward: dict[Address, socket.socket] = field(factory=dict[Address, socket.socket])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        loop = asyncio.get_running_loop()
        if addr not in self.outward:
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            out.setblocking(False)
            out.connect(self.server)
            self.outward[addr] = out
            loop.add_reader(out, self._back, out, addr)
        loop.call_later(self.delay, self.outward[addr].send, data)

    def _back(self, out: socket.socket, client: Address) -> None:
        assert self.transport is not None
        with contextlib.suppress(OSError):
            asyncio.get_running_loop().call_later(self.delay, self.transport.sendto, out.recv(65_536), client)

    def close(self) -> None:
        for out in self.outward.values():
            asyncio.get_running_loop().remove_reader(out)
            out.close()
        if self.transport is not None:
            self.transport.close()


@contextlib.asynccontextmanager
async def far_away(port: int, delay: float) -> AsyncIterator[IceServer]:
    distance = Distance((HOST, port), delay)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: distance, local_addr=(HOST, 0))
    try:
        yield IceServer(f"turn:{HOST}:{transport.get_extra_info('sockname')[1]}", USER, CREDENTIAL)
    finally:
        distance.close()


async def one_call(client: TelnyxRTC) -> tuple[float, float, float]:
    """Seconds to the invite, to the answer and to the first audio."""
    events = client.events()
    began = time.perf_counter()
    call = await client.new_call("echo", caller_number="1")
    times: dict[str, float] = {}
    async for event in events:
        now = time.perf_counter() - began
        if isinstance(event, CallUpdated) and event.call.state is CallState.REQUESTING:
            times.setdefault("invite", now)
        elif isinstance(event, CallUpdated) and event.call.state is CallState.ACTIVE:
            times.setdefault("answer", now)
        elif isinstance(event, MediaStarted):
            times["audio"] = now
        if len(times) == 3:
            break
    await call.hangup()
    return times["invite"], times["answer"], times["audio"]


async def measure(url: str, servers: list[IceServer], runs: int, settle: float, **options: bool) -> list[float]:
    def engine(setup: EngineSetup) -> AiortcEngine:
        return AiortcEngine(setup.report, settings=SETTINGS, call_audio=setup.call_audio)

    results: list[tuple[float, float, float]] = []
    async with TelnyxRTC(
        login="bench", password="bench", env=url, engine=engine, ice_servers=servers, **options
    ) as client:
        for number in range(runs + 1):
            await asyncio.sleep(settle)  # a call is seldom placed the moment after another one has ended
            times = await one_call(client)
            if number:
                results.append(times)
    return [1000 * median(column) for column in zip(*results, strict=True)]


async def main(runs: int, delay: float) -> None:
    standby.REFILL_SECONDS = REFILL
    print(f"{'ICE server':<22} prefetch  trickle   invite   answer    audio   (ms, medians of {runs})")
    with coturn() as port, GatewayThread(lambda: Gateway(users={"bench": "bench"})) as gateway:
        async with contextlib.AsyncExitStack() as stack:
            rows: list[tuple[str, list[IceServer]]] = [("none", [])]
            if port is None:
                print("coturn is not installed: no rows with a server", file=sys.stderr)
            else:
                server = await stack.enter_async_context(far_away(port, delay))
                rows.append((f"TURN, {2000 * delay:.0f} ms there+back", [server]))
            for name, servers in rows:
                settle = 2 * REFILL + (6 * delay + 0.1 if servers else 0.05)
                for prefetch in (False, True):
                    for trickle in (False, True):
                        times = await measure(
                            gateway.url,
                            servers,
                            runs,
                            settle,
                            prefetch_ice_candidates=prefetch,
                            trickle_ice=trickle,
                        )
                        shown = "".join(f"{value:9.1f}" for value in times)
                        print(
                            f"{name:<22} {'yes' if prefetch else 'no':<9} {'yes' if trickle else 'no':<7}{shown}",
                            flush=True,
                        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--delay", type=float, default=0.04, help="seconds to the ICE server, one way")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.runs, arguments.delay))
