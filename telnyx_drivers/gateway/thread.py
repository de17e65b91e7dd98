"""The embedded gateway on a thread of its own, for programs that run on trio or on no loop at all."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from telnyx_core.gateway.events import GatewayEvent
from telnyx_drivers.gateway.server import Gateway

T = TypeVar("T")
E = TypeVar("E", bound=GatewayEvent)

START_SECONDS: Final = 10.0


class GatewayThread:
    """``with GatewayThread(lambda: Gateway(users={"alice": "secret"})) as gateway: ... gateway.url``

    ``make`` is called on the thread. All methods may be called from any other thread. They wait, for at most as long
    as they say; in an asynchronous program call them through its way of running blocking functions.
    """

    def __init__(self, make: Callable[[], Gateway]) -> None:
        self._make = make
        self._started: Future[tuple[asyncio.AbstractEventLoop, Gateway]] = Future()
        self._leave: asyncio.Event | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="telnyx gateway", daemon=True)

    def __enter__(self) -> Self:
        """Returns when the gateway listens, or raises what kept it from doing so."""
        self._thread.start()
        self._started.result(START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loop, _ = self._started.result()
        assert self._leave is not None, "it has started"
        loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()
        if self._fault is not None and error is None:
            raise self._fault

    @property
    def url(self) -> str:
        """Where clients connect: ``ws://127.0.0.1:...``."""
        return self._started.result()[1].url

    def do(self, what: Callable[[Gateway], T], *, timeout: float = 10.0) -> T:
        """Have a command carried out on the gateway's own loop: ``gateway.do(lambda it: it.call_user("alice"))``.

        Raises ``TypeError`` for what has to be awaited, which is for `start`.
        """
        loop, gateway = self._started.result()

        async def command() -> T:
            done = what(gateway)
            if asyncio.iscoroutine(done):
                done.close()
                raise TypeError("a coroutine has to be awaited: start(...) does so, do(...) does not")
            return done

        return asyncio.run_coroutine_threadsafe(command(), loop).result(timeout)

    def start(self, what: Callable[[Gateway], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Have something carried out there that takes its time, such as ``lambda it: it.audio(call).play(file)``.

        ``result()`` of what is returned waits for it.
        """
        loop, gateway = self._started.result()
        return asyncio.run_coroutine_threadsafe(what(gateway), loop)

    def wait_for(self, kind: type[E], where: Callable[[E], bool] | None = None, *, timeout: float = 10.0) -> E:
        """As `Gateway.wait_for`."""
        loop, gateway = self._started.result()
        waiting = asyncio.run_coroutine_threadsafe(gateway.wait_for(kind, where, timeout=timeout), loop)
        return waiting.result()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as fault:  # noqa: BLE001  it is raised where it can be seen, on the other thread
            if self._started.done():
                self._fault = fault
            else:
                self._started.set_exception(fault)

    async def _live(self) -> None:
        self._leave = asyncio.Event()
        async with self._make() as gateway:
            self._started.set_result((asyncio.get_running_loop(), gateway))
            await self._leave.wait()
