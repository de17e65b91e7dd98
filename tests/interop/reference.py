"""The reference SDK in a process of its own, as an object: commands in, what it reports out."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
PATIENCE = 20.0
"""Seconds that anything may take before a test gives up; far more than any of it needs."""

Message = dict[str, Any]


def missing() -> str | None:
    """Why the reference SDK cannot be run here, or ``None``."""
    if shutil.which("node") is None:
        return "Node is not installed"
    if not (HERE / "node_modules" / "@telnyx" / "webrtc").is_dir():
        return "the reference SDK is not installed: npm --prefix tests/interop install"
    return None


class ReferenceClient:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._commands = 0
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        node = shutil.which("node")
        assert node is not None, "`missing` was asked first"
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(node, "rig.mjs", cwd=HERE, stdin=pipe, stdout=pipe)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None, "it was opened as a pipe"
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await self._reader

    async def connect(self, url: str, user: str, password: str, *, tone: float, **options: object) -> None:
        given = {"host": url, "login": user, "password": password, "iceServers": [], **options}
        await self.do("connect", options=given, tone=tone)
        await self.wait(lambda message: message.get("event") == "telnyx.ready")

    async def do(self, operation: str, **arguments: object) -> Message:
        self._commands += 1
        number = self._commands
        assert self._process.stdin is not None, "it was opened as a pipe"
        self._process.stdin.write((json.dumps({"op": operation, "seq": number, **arguments}) + "\n").encode())
        reply = await self.wait(lambda message: message.get("done") == number)
        assert "failed" not in reply, reply["failed"]
        value: Message = reply.get("value") or {}
        return value

    async def wait(self, matches: Callable[[Message], bool], *, after: int = 0) -> Message:
        """The first message for which this is true, counted from the ``after``-th on."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: any(matches(message) for message in self.messages[after:]))
        return next(message for message in self.messages[after:] if matches(message))

    async def call_state(self, state: str, call: str | None = None, *, after: int = 0) -> str:
        """Wait until a call, or this call, is in a state; its id."""

        def matches(message: Message) -> bool:
            return (
                message.get("event") == "call" and message.get("state") == state and call in (None, message.get("id"))
            )

        message = await self.wait(matches, after=after)
        return str(message["id"])

    async def listen(self, call: str, seconds: float, folder: Path) -> tuple[NDArray[np.int16], int]:
        """What the call sounds like at its end for so long: one channel of samples, and their rate."""
        file = folder / "heard.pcm"
        since = len(self.messages)
        await self.do("record", id=call, file=str(file))
        await asyncio.sleep(seconds)
        await self.do("stop", file=str(file))
        formats = [message for message in self.messages[since:] if message.get("event") == "recording"]
        assert formats, "no audio arrived"
        samples: NDArray[np.int16] = np.fromfile(file, dtype=np.int16)[:: formats[-1]["channels"]]
        return samples, int(formats[-1]["rate"])

    async def _read(self) -> None:
        assert self._process.stdout is not None, "it was opened as a pipe"
        async for line in self._process.stdout:
            async with self._news:
                self.messages.append(json.loads(line))
                self._news.notify_all()
