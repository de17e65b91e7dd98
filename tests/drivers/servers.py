"""The other end of both drivers, on an asyncio loop of its own in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from websockets.asyncio.server import ServerConnection, serve

Handler: TypeAlias = Callable[[ServerConnection], Awaitable[None]]
Raw: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Servers:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._exits: list[contextlib.AsyncExitStack] = []

    def run(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(10)

    def start(self, handler: Handler, **options: Any) -> str:
        async def begin() -> int:
            stack = contextlib.AsyncExitStack()
            server = await stack.enter_async_context(serve(handler, "127.0.0.1", 0, **options))
            self._exits.append(stack)
            return int(server.sockets[0].getsockname()[1])

        return f"{'wss' if options.get('ssl') else 'ws'}://127.0.0.1:{self.run(begin())}/"

    def start_raw(self, handler: Raw, **options: Any) -> str:
        async def begin() -> int:
            stack = contextlib.AsyncExitStack()
            server = await asyncio.start_server(handler, "127.0.0.1", 0, **options)
            stack.callback(server.close)
            self._exits.append(stack)
            return int(server.sockets[0].getsockname()[1])

        return f"ws://127.0.0.1:{self.run(begin())}/"

    def enter(self, manager: AbstractAsyncContextManager[Any]) -> Any:
        async def begin() -> Any:
            stack = contextlib.AsyncExitStack()
            entered = await stack.enter_async_context(manager)
            self._exits.append(stack)
            return entered

        return self.run(begin())

    def stop(self) -> None:
        for stack in self._exits:
            self.run(stack.aclose())
        self._exits.clear()

    def close(self) -> None:
        self.stop()
        self.run(asyncio.sleep(0.05))  # what has been closed is gone some turns of the loop later
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
