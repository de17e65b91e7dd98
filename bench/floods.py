"""What a bad server or a stranger can make a client keep: peaks of memory, each in a process of its own. Loopback only.

    python bench/floods.py [--seconds 8] [--only frames ...] [--beside DIRECTORY] [asyncio] [trio]

``--beside`` measures another version of the packages, too, flood by flood. In "acknowledgements" and "pings" the server
does not read. Exit status 1 where one of them is more than `LIMIT` megabytes. Linux only.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from websockets.asyncio.server import ServerConnection, serve

LIMIT = 20.0
MB = 1 << 20
SETTLE = 4.0
"""Seconds in which a client loads what it will need in a call: thirty megabytes, which no server makes it keep."""
FLOODS = (
    "frames", "brackets", "binary", "fragments", "acknowledgements", "pings", "tokens", "invites", "long invites",
    "long causes", "slow reader", "strays",
)  # fmt: skip
SDP = (Path(__file__).parent.parent / "tests/media/sdp_corpus/answer-telnyx.sdp").read_text()


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """RFC 6455 section 5.2."""
    head = bytes([opcode | (0x80 if fin else 0)])
    size = len(data)
    if size < 126:
        return head + bytes([size]) + data
    return head + (bytes([126]) + size.to_bytes(2) if size < 1 << 16 else bytes([127]) + size.to_bytes(8)) + data


def text(**members: object) -> bytes:
    return frame(1, json.dumps({"jsonrpc": "2.0", "method": "telnyx_rtc.info", "params": {}, **members}).encode())


def invite(number: int, name: str = "") -> bytes:
    said = {"callID": f"c-{number}", "sdp": SDP, "caller_id_number": "N" * 200, "caller_id_name": name}
    said |= {"client_state": name, "custom_headers": [{"name": "X-A", "value": name}]}
    return text(method="telnyx_rtc.invite", id=number, params=said)


def bye(number: int, cause: str) -> bytes:
    return text(method="telnyx_rtc.bye", id=f"b-{number}", params={"callID": f"c-{number}", "cause": cause})


async def flood(connection: ServerConnection, what: str) -> None:
    """Two hundred thousand frames, or some hundred megabytes."""
    many: dict[str, tuple[bytes, int]] = {
        "frames": (text() * 500, 400),
        "brackets": (text(params={"x": [[]] * 250_000}), 40),
        "slow reader": (text(params={"x": "y" * (MB - 200)}), 200),
        "binary": (frame(2) * 2_000, 100),
        "fragments": (frame(0, fin=False) * 2_000, 100),
        "acknowledgements": (text(id="I" * 100_000), 2_000),
        "pings": (frame(9, b"p" * 125) * 200, 2_000),
    }
    if what == "fragments":
        connection.transport.write(frame(1, fin=False))
    if what in ("acknowledgements", "pings"):
        connection.transport.pause_reading()
    if what == "invites":
        for number in range(1, 20_000):
            connection.transport.write(invite(number))
            await connection.drain()
        return
    if what.startswith("long"):
        for number in range(1, 300):
            connection.transport.write(invite(number, "N" * 300_000))
            if what == "long causes":
                connection.transport.write(bye(number, "C" * (MB - 500)))
            await connection.drain()
        return
    if what == "tokens":
        for number in range(20_000):
            connection.transport.write(text(voice_sdk_id=f"{number:08}" + "V" * 900))
            await connection.drain()
        return
    piece, times = many.get(what, (b"", 0))
    for _ in range(times):
        connection.transport.write(piece)
        await connection.drain()


async def server(what: str) -> None:
    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            asked = json.loads(message)
            if asked.get("method") == "login":
                await connection.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"sessid": "s"}}))
                await connection.send('{"jsonrpc":"2.0","id":1,"method":"telnyx_rtc.clientReady","params":{}}')
            elif asked.get("method") == "telnyx_rtc.gatewayState":
                state = {"params": {"state": "REGED", "call_report_id": "r"}}
                await connection.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": state}))
                break
        if what in ("invites", "long invites", "long causes"):
            connection.transport.write(invite(0))  # what the first call of all loads is no flood
        await asyncio.sleep(SETTLE + 1)
        with contextlib.suppress(RuntimeError, ConnectionError):  # it has had enough of us, and left
            await flood(connection, what)
        await asyncio.sleep(60)

    async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as running:
        print(running.sockets[0].getsockname()[1], flush=True)
        await asyncio.sleep(600)


def udp_ports() -> list[tuple[str, int]]:
    """The IPv4 addresses of this process on which it can be sent datagrams."""
    ours = {link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    found: list[tuple[str, int]] = []
    for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]:
        row = line.split()
        host, _, port = row[1].partition(":")
        if f"socket:[{row[9]}]" in ours:
            found.append((".".join(str(byte) for byte in reversed(bytes.fromhex(host))), int(port, 16)))
    return found


def stray(addresses: list[tuple[str, int]]) -> None:
    """A hundred megabytes that are nobody's, slowly enough for the kernel to deliver them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number in range(100 * MB // 1_000):
            out.sendto(b"s" * 1_000, addresses[number % len(addresses)])
            if number % 50 == 0:
                time.sleep(0.002)


def resident() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux tells it")


async def client(loop: str, port: int, seconds: float, what: str) -> float:
    if loop == "trio":
        from telnyx_drivers.trio import TelnyxRTC
    else:
        from telnyx_drivers.asyncio import TelnyxRTC
    url, worst = f"ws://127.0.0.1:{port}", 0.0
    options = {"login": "a", "password": "b", "env": url, "auto_reconnect": False}
    if what == "strays":
        options |= {"prefetch_ice_candidates": True, "ice_servers": []}
    async with TelnyxRTC(**options) as it:  # type: ignore[attr-defined]
        late = it.events() if what == "slow reader" else None
        await anyio.sleep(SETTLE)
        while what == "strays" and not udp_ports():  # noqa: ASYNC110  # no event tells of it
            await anyio.sleep(0.5)
        before = resident()
        async with anyio.create_task_group() as tasks:
            if what == "strays":
                tasks.start_soon(anyio.to_thread.run_sync, stray, udp_ports())
            with anyio.move_on_after(seconds):
                while True:
                    worst = max(worst, resident() - before)
                    await anyio.sleep(0.02)
        worst = max(worst, resident() - before)
        del late
    return worst


def measure(loop: str, what: str, seconds: float, packages: str | None = None) -> float:
    here = [sys.executable, __file__]
    environment = os.environ if packages is None else {**os.environ, "PYTHONPATH": packages}
    with subprocess.Popen([*here, "--serve", what], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as far:
        try:
            assert far.stdout is not None
            port = far.stdout.readline().decode().strip()
            ours = [*here, "--client", port, "--seconds", str(seconds), "--flood", what, loop]
            out = subprocess.run(
                ours, capture_output=True, text=True, timeout=seconds + 120, check=False, env=environment
            )
            return float(out.stdout.split()[-1]) if out.returncode == 0 else float("inf")
        finally:
            far.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loops", nargs="*", default=["asyncio", "trio"])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", nargs="+", choices=FLOODS, default=FLOODS)
    parser.add_argument("--beside", metavar="DIRECTORY", help="with other packages to be measured, too")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--flood", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(server(given.serve))
        return 0
    if given.client is not None:
        run: Callable[[], Awaitable[float]] = lambda: client(  # noqa: E731
            given.loops[0], given.client, given.seconds, given.flood
        )
        print(anyio.run(run, backend=given.loops[0]), flush=True)
        return 0
    bad = 0
    for loop in given.loops:
        for what in given.only:
            grew = measure(loop, what, given.seconds)
            bad += grew > LIMIT
            line = f"{loop:8} {what:17} {grew:6.1f} MB{'  too much' if grew > LIMIT else ''}"
            if given.beside is not None:
                line += f"  beside {measure(loop, what, given.seconds, given.beside):6.1f} MB"
            print(line, flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
