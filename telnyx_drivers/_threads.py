"""Two threads behind the client for code without ``async``: one runs the loop, one runs the application's handlers."""

import atexit
import os
import queue
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Final, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from telnyx_core.errors import NotConnected
from telnyx_core.events import Event
from telnyx_drivers import _logs as logs
from telnyx_drivers._endings import SECONDS, end_main, watch
from telnyx_drivers._guard import Handler, run_isolated
from telnyx_drivers._leaving import leave_by

T = TypeVar("T")

UNHANDLED: Final = 4096
"""Events that may wait for slow handlers; later ones are dropped, and the log says so."""


PATIENCE: Final = 5.0
"""Seconds that a handler may take to end once the client is disconnected."""
_CONNECTED: Final = 1.0
EXIT: Final = 1.0
"""Seconds that the loop has to break off when the process ends without `Threads.stop`."""


class Threads:
    """Both threads, from `start` to `stop`. Everything may be called from any thread but the loop's own."""

    def __init__(self, told: Callable[[Event], Event], farewell: Callable[[], Awaitable[None]]) -> None:
        self._farewell = farewell
        self.told = told
        """Makes of an event what is told to the application's threads."""
        self._portal: BlockingPortal | None = None
        self._loop: threading.Thread | None = None
        self._heard: queue.SimpleQueue[tuple[Handler, Event] | None] = queue.SimpleQueue()
        self._handlers: threading.Thread | None = None
        self._changing = threading.Lock()
        self._connecting: Future[None] | None = None
        _all.add(self)

    @property
    def running(self) -> bool:
        return self._portal is not None

    def connect(self, function: Callable[[], Awaitable[object]]) -> None:
        """Start both threads and run a function on the loop; at once when they run already, or another thread does it.

        Where it raises, the threads are stopped again.
        """

        async def connected() -> None:
            await function()

        with self._changing:
            if self._portal is not None:
                return
            self._start()
            try:
                self._connecting = self._begin(connected)
                self._outcome(self._connecting)
            except BaseException:
                self._stop()
                raise
            finally:
                self._connecting = None

    def disconnect(self, function: Callable[[], Awaitable[None]], settled: Callable[[], bool]) -> None:
        """Run a function on the loop, let the events heard so far be handled, and end both threads. Idempotent.

        Breaks off a `connect` of another thread that has not ``settled``. A handler may call it; one that blocks is
        left behind after `PATIENCE` seconds.
        """
        if not settled() and (connecting := self._connecting) is not None:
            connecting.cancel()
        # A handler must not wait for a thread that waits for this handler: that would be a deadlock. It waits only for
        # the end of a `connect` that it has heard of.
        if not self._changing.acquire(timeout=_CONNECTED if threading.current_thread() is self._handlers else -1):
            return
        try:
            if self._portal is not None:
                try:
                    self.run(function)
                finally:
                    self._stop()
        finally:
            self._changing.release()

    def _start(self) -> None:
        started: Future[BlockingPortal] = Future()
        self._loop = threading.Thread(target=_run_loop, args=(started,), name="telnyx-client", daemon=True)
        self._loop.start()
        self._portal = started.result()
        watch()  # the loop's own thread cannot
        atexit.register(self._break_off)
        self._heard = queue.SimpleQueue()
        self._handlers = threading.Thread(target=self._handle, args=(self._heard,), name="telnyx-handlers", daemon=True)
        self._handlers.start()

    def _stop(self) -> None:
        portal, loop, handlers = self._portal, self._loop, self._handlers
        self._heard.put(None)
        if handlers is not None and threading.current_thread() is not handlers:
            handlers.join(PATIENCE)
            if handlers.is_alive():
                logs.client.error("a handler does not end, and is left behind")
                handlers.name = f"left behind by {handlers.name}"
        self._portal = self._loop = self._handlers = None
        atexit.unregister(self._break_off)
        if portal is not None and loop is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                portal.call(portal.stop, True)
            loop.join()

    def run(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run an asynchronous function on the loop and wait for its outcome.

        Raises what it raises, and `NotConnected`. A ``KeyboardInterrupt`` meanwhile cancels it.
        """
        return self._outcome(self._begin(function))

    def _begin(self, function: Callable[[], Awaitable[T]]) -> "Future[T]":
        portal = self._portal
        if portal is None:
            raise NotConnected("the client is not connected")
        try:
            return portal.start_task_soon(function)
        except RuntimeError:
            if self._portal is not portal:  # another thread has just stopped it
                raise NotConnected("the client is not connected") from None
            raise

    def _outcome(self, future: "Future[T]") -> T:
        try:
            return future.result()
        except CancelledError:
            raise NotConnected("another thread has disconnected the client") from None
        except BaseException:
            future.cancel()
            raise

    def do(self, function: Callable[[], T]) -> T:
        """Run a plain function on the loop."""

        async def done() -> T:
            return function()

        return self.run(done)

    def anywhere(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run an asynchronous function that needs no connection: on the loop while it runs, else on one of its own."""
        if self.running:
            return self.run(function)
        with start_blocking_portal() as portal:
            return portal.call(function)

    def touch(self, function: Callable[[], T]) -> T:
        """Run a function that needs no loop, but must not run beside one: there while it runs, else here."""
        return self.do(function) if self.running else function()

    def iterate(self, following: Callable[[], Awaitable[T]], timeout: float | None) -> Iterator[T]:
        """The items of an asynchronous iterator; ``TimeoutError`` when the next one takes longer than ``timeout``."""

        async def one() -> tuple[T] | None:
            with anyio.fail_after(timeout):
                try:
                    return (await following(),)
                except StopAsyncIteration:
                    return None

        with suppress(NotConnected):
            while (item := self.run(one)) is not None:
                yield item[0]

    def hear(self, handler: Handler, event: Event) -> None:
        """On the loop: have a handler run in its own thread."""
        if self._heard.qsize() >= UNHANDLED:
            logs.client.error("the handlers do not keep up: a %s is dropped", type(event).__name__)
        else:
            self._heard.put((handler, event))

    def _break_off(self) -> None:
        """The application ended without `stop`: hang up the calls, and let no codec run after this."""
        portal, self._portal = self._portal, None
        loop = self._loop
        if portal is not None and loop is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                with suppress(TimeoutError, CancelledError):
                    portal.start_task_soon(self._farewell).result(SECONDS)
                portal.call(portal.stop, True)
                loop.join(EXIT)

    def forget(self) -> None:
        """In the child of a fork, which has neither thread: the client is not connected there."""
        self._portal = self._loop = self._handlers = self._connecting = None
        self._changing = threading.Lock()
        atexit.unregister(self._break_off)

    def _handle(self, heard: "queue.SimpleQueue[tuple[Handler, Event] | None]") -> None:
        leave_by(end_main)
        while (entry := heard.get()) is not None:
            handler, event = entry
            run_isolated(handler, self._spawn, self.told(event))

    def _spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        if self._portal is not None:
            self._portal.start_task_soon(function)


_all: Final[weakref.WeakSet[Threads]] = weakref.WeakSet()


def _in_child() -> None:
    for threads in _all:
        threads.forget()


os.register_at_fork(after_in_child=_in_child)


def _run_loop(started: "Future[BlockingPortal]") -> None:
    leave_by(end_main)

    async def main() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    anyio.run(main)


class Relays:
    """The function that stands for each of an application's handlers on the loop's side, so that ``off`` finds it."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._relays: list[tuple[str | type[Event], Handler, Handler]] = []

    def make(self, handler: Handler) -> Handler:
        def relay(event: Event) -> None:
            self._threads.hear(handler, event)

        return relay

    def add(self, event: str | type[Event], handler: Handler, once: bool) -> Handler:
        def first(heard: Event) -> None:
            self.remove(event, handler)
            self._threads.hear(handler, heard)

        relay = first if once else self.make(handler)
        self._relays.append((event, handler, relay))
        return relay

    def remove(self, event: str | type[Event], handler: Handler) -> Handler | None:
        for entry in self._relays:
            if entry[:2] == (event, handler):
                self._relays.remove(entry)
                return entry[2]
        return None
