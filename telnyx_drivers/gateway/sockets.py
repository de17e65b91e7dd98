"""One client's WebSocket at the gateway: a reader, a writer, and exactly one end."""

import asyncio
import contextlib
from collections import deque
from typing import Final, Protocol

from attrs import frozen
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

MAX_QUEUED_CHARS: Final = 64 * 1_048_576
"""What may wait for a client that does not read. A whole speed test fits in (`Limits.speed_test_blocks`)."""

CLOSE_SECONDS: Final = 1.0
"""How long a closing handshake may take."""

_UNSENDABLE: Final = frozenset({1005, 1006, 1015})
"""Codes that stand for something that happened and never go over the wire (RFC 6455 section 7.4.1)."""


@frozen
class _Close:
    code: int
    reason: str


class Outlet(Protocol):
    """What the gateway does with a connection that it has accepted. Nothing waits, nothing raises."""

    def send(self, text: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Close once everything sent before has left."""
        ...

    def abort(self) -> None: ...


class Socket:
    """An `Outlet`. The writing half; nothing here waits but `write`, which one task runs."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._queue: deque[str | _Close] = deque()
        self._queued = 0
        self._filled = asyncio.Event()
        self._ended = False
        self.closing = False

    def send(self, text: str) -> None:
        if self._ended:
            return
        self._queued += len(text)
        if self._queued > MAX_QUEUED_CHARS:
            self.abort()
            return
        self._put(text)

    def close(self, code: int, reason: str) -> None:
        """Close once everything sent before has left."""
        if code in _UNSENDABLE:
            self.abort()
        elif not self._ended:
            self._ended = self.closing = True
            self._put(_Close(code, reason))

    def abort(self) -> None:
        self._ended = True
        self._connection.transport.abort()

    async def write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                while not self._queue:
                    self._filled.clear()
                    await self._filled.wait()
                item = self._queue.popleft()
                if isinstance(item, _Close):
                    await self._connection.close(item.code, item.reason)
                    return
                self._queued -= len(item)
                await self._connection.send(item)

    def _put(self, item: str | _Close) -> None:
        self._queue.append(item)
        self._filled.set()
