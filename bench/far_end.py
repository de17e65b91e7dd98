"""A gateway in a process of its own, told what to do by lines: what the benchmarks of the drivers call.

with FarEnd() as far: ... far.url ... far.drop()
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

USER, PASSWORD = "alice", "secret"
LOUD = 500
"""Mean of the absolute samples of 20 ms: a tone of -12 dBFS has ten times that."""


class FarEnd:
    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(ROOT)])},
            text=True,
            bufsize=1,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def drop(self) -> None:
        """Abort the client's socket; the network is back at once."""
        self._say("drop")

    def away(self) -> None:
        """Abort the client's socket, refuse others, and lose every packet of its media, both ways."""
        self._say("away")

    def back(self) -> None:
        self._say("back")

    def mute(self) -> None:
        """Send no RTP any more, in any call; answer every check."""
        self._say("mute")

    def cut(self, call: str) -> None:
        """Lose every packet of this call's present path, both ways."""
        self._say(f"cut {call}")

    def heard(self, call: str) -> int:
        """How many loud frames of 20 ms of this call were heard since the last time that this was asked."""
        self._say(f"heard {call}")
        assert self._process.stdout is not None
        return int(json.loads(self._process.stdout.readline()))

    def _say(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")


async def serve() -> None:
    import numpy as np

    from telnyx_drivers.gateway import Gateway
    from tests.recovery.cable import Cable

    loop, loud = asyncio.get_running_loop(), Counter[str]()
    lost: list[tuple[Any, Any, Any]] = []

    async def ear(call: str) -> None:
        async for frame in gateway.audio(cast("Any", call)).audio_in(16_000, 1, 20):
            loud[call] += int(np.abs(np.frombuffer(frame.data, "<i2").astype(float)).mean() > LOUD)

    def protocols(call: str | None = None) -> Iterator[Any]:
        """The ends of the paths that the gateway has now: of one call, or of all."""
        engine = cast("Any", gateway)._engine
        for peer, media in engine._peers.values():
            if call is None or media is engine._calls.get(call):
                yield from peer._ground.ice.sockets.values()

    def mute() -> None:
        for protocol in protocols():
            send = protocol.transport.sendto

            def without_rtp(data: bytes, addr: object = None, send: Callable[..., None] = send) -> None:
                if not (data[0] & 0xC0 == 0x80 and not 64 <= data[1] & 0x7F < 96):  # RFC 5761 section 4
                    send(data, addr)

            protocol.transport.sendto = without_rtp

    def lose(data: bytes, addr: object = None) -> None:
        pass

    def cut(call: str) -> None:
        for protocol in protocols(call):
            protocol.datagram_received = protocol.transport.sendto = lose

    def away() -> None:
        cable.cut()
        for protocol in protocols():
            lost.append((protocol, protocol.datagram_received, protocol.transport.sendto))
            protocol.datagram_received = protocol.transport.sendto = lose

    def back() -> None:
        cable.mend()
        while lost:
            protocol, protocol.datagram_received, protocol.transport.sendto = lost.pop()

    ears: dict[str, asyncio.Task[None]] = {}
    async with Gateway(users={USER: PASSWORD}, reattach_window=120.0) as gateway, Cable(gateway.url) as cable:
        print(cable.url, flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            match line.split():
                case ["drop"]:
                    gateway.drop(USER)
                case ["away"]:
                    away()
                case ["back"]:
                    back()
                case ["mute"]:
                    mute()
                case ["cut", call]:
                    cut(call)
                case ["heard", call]:
                    if call not in ears:
                        ears[call] = asyncio.create_task(ear(call))
                    print(json.dumps(loud.pop(call, 0)), flush=True)
                case _:
                    raise AssertionError(line)


if __name__ == "__main__":
    asyncio.run(serve())
