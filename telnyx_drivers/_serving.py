"""A task of its own for each ringing call: `telnyx_drivers._client.Client.serve`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeAlias

import anyio
from anyio.abc import TaskGroup

from telnyx_core.errors import LocalProtocolError
from telnyx_drivers import _endings as endings
from telnyx_drivers import _logs as logs
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._exceptions import TelnyxClientError
from telnyx_drivers._guard import isolated, tell

Serve: TypeAlias = Callable[[CallHandle], Awaitable[object] | object]

DRAIN: Final = 10.0
"""Seconds that conversations have to come to an end by themselves once a signal ends the process."""
_WHAT: Final = "the handler of a call"
_ENDED: Final = (LocalProtocolError, TelnyxClientError)
"""What a handler's commands raise after the far end has hung up; it is no fault of the handler."""


class Service:
    def __init__(
        self, calls: AsyncIterator[CallHandle], handler: Serve, *, limit: int | None, drain: float, decline: str
    ) -> None:
        self._calls = calls
        self._handler = handler
        self._limit = limit
        self._drain = drain
        self._decline = decline
        self._busy = 0
        self._draining = anyio.Event()
        self._idle = anyio.Event()
        self._failure: Exception | None = None

    def drain(self) -> None:
        """From now on every call is declined; those that there are may come to their end. Idempotent."""
        logs.client.info("no more calls are taken; %d are left", self._busy)
        self._draining.set()
        if not self._busy:
            self._idle.set()

    async def run(self, home: Callable[[Callable[[], None]], None]) -> None:
        """``home`` runs a function on this loop, from a signal handler."""
        forget = endings.drain_on_signal(lambda: home(self.drain))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._see_out, tasks)
                await self._take(tasks)
                if not self._draining.is_set():
                    self.drain()
        except BaseExceptionGroup as group:
            first, *others = group.exceptions
            if others:
                raise
            raise first from None  # the group is this package's own; an exit must stay what it was
        finally:
            forget()
        if self._failure is not None:
            raise self._failure

    async def _take(self, tasks: TaskGroup) -> None:
        try:
            async for call in self._calls:
                if self._draining.is_set() or (self._limit is not None and self._busy >= self._limit):
                    tasks.start_soon(self._refuse, call)
                else:
                    self._busy += 1
                    tasks.start_soon(self._serve, call)
        except TelnyxClientError as error:
            self._failure = error

    async def _see_out(self, tasks: TaskGroup) -> None:
        await self._draining.wait()
        with anyio.move_on_after(self._drain):
            await self._idle.wait()
        tasks.cancel_scope.cancel()

    async def _refuse(self, call: CallHandle) -> None:
        with isolated("declining a call", expected=_ENDED):
            await call.hangup(self._decline)

    async def _serve(self, call: CallHandle) -> None:
        try:
            with isolated(_WHAT, expected=_ENDED) as serving:
                serving_on = self._handler(call)
                if isawaitable(serving_on):
                    await serving_on
            if isinstance(serving.fault, _ENDED) and call.live:
                tell(_WHAT, serving.fault)
        finally:
            with anyio.CancelScope(shield=True), isolated("hanging up", expected=_ENDED):
                await call.hangup()
            self._busy -= 1
            if not self._busy and self._draining.is_set():
                self._idle.set()
