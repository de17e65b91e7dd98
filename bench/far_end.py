"""A gateway in a process of its own, told what to do by lines: what the benchmarks of the drivers call.

with FarEnd() as far: ... far.url ... far.drop()
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

USER, PASSWORD = "alice", "secret"


class FarEnd:
    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
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
        assert self._process.stdin is not None
        self._process.stdin.write("drop\n")


async def serve() -> None:
    from telnyx_drivers.gateway import Gateway

    loop = asyncio.get_running_loop()
    async with Gateway(users={USER: PASSWORD}) as gateway:
        print(gateway.url, flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            assert line == "drop\n", line
            gateway.drop(USER)


if __name__ == "__main__":
    asyncio.run(serve())
