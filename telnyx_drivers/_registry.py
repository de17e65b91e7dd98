"""The live calls by id, and those among them that ``incoming()`` has not handed out yet."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import anyio
import anyio.lowlevel

from telnyx_core.events import CallInfo, Event
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._driver import Driver


class CallRegistry:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._handles: dict[CallId, CallHandle] = {}
        self._ringing: dict[CallId, CallHandle] = {}
        self._recovered: dict[CallId, CallHandle] = {}
        """Calls of a former process."""
        self._news: anyio.Event | None = None
        self._closed = False
        self._refusal: Exception | None = None

    # Looking.

    def all(self) -> Mapping[CallId, CallHandle]:
        return dict(self._handles)

    def get(self, call: CallId) -> CallHandle | None:
        return self._handles.get(call)

    def meant_by(self, call: CallId | None) -> CallHandle | None:
        """The call of this id; where the server names none, the only one there is."""
        if call is None and len(self._handles) == 1:
            return next(iter(self._handles.values()))
        return None if call is None else self._handles.get(call)

    def named_by(self, event: Event) -> CallHandle | None:
        """The call that an event is about, if it is about one."""
        call: object = getattr(event, "call", None)
        return self._handles.get(CallId(call)) if isinstance(call, str) else None

    # Changing.

    def open(self) -> None:
        """Calls may come, also after a `close`."""
        self._closed, self._refusal = False, None

    def close(self, refusal: Exception | None) -> None:
        """No more calls will come; a task that waits for one gets the end, or ``refusal``."""
        self._closed, self._refusal = True, refusal
        self._wake()

    def add(self, handle: CallHandle) -> None:
        self._handles[handle.id] = handle

    def note(self, info: CallInfo) -> CallHandle:
        """Take note of a new or changed call."""
        handle = self._handles.get(info.id)
        if handle is None:
            handle = self._handles[info.id] = CallHandle(self._driver, info)
            if info.state is CallState.RECOVERING:
                self._recovered[info.id] = handle
                self._wake()
        handle.note(info)
        if info.state is not CallState.RINGING:
            self._ringing.pop(info.id, None)
        elif info.direction == "inbound" and not handle.offered:
            self._ringing[info.id] = handle
            self._wake()
        if not handle.live:
            self._recovered.pop(info.id, None)
        if info.state is CallState.DESTROY:
            del self._handles[info.id]
            self._driver.release(info.id)
        return handle

    def give_up(self, error: Exception) -> None:
        """The client failed: no call will change any more."""
        for handle in self._handles.values():
            handle.give_up(error)
        self._handles.clear()
        self._ringing.clear()
        self._recovered.clear()
        self.close(error)

    # Waiting.

    def incoming(self, recovered: bool) -> AsyncIterator[CallHandle]:
        waiting = (self._recovered, self._ringing) if recovered else (self._ringing,)
        return _Incoming(lambda: self._next(waiting))

    async def _next(self, waiting: Sequence[dict[CallId, CallHandle]]) -> CallHandle:
        await anyio.lowlevel.checkpoint()
        while not any(waiting):
            if self._refusal is not None:
                raise self._refusal
            if self._closed:
                raise StopAsyncIteration
            if self._news is None:
                self._news = anyio.Event()
            await self._news.wait()
        calls = next(filter(None, waiting))
        handle = calls.pop(next(iter(calls)))
        handle.offered = True
        return handle

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None


class _Incoming(AsyncIterator[CallHandle]):
    def __init__(self, following: Callable[[], Awaitable[CallHandle]]) -> None:
        self._following = following

    async def __anext__(self) -> CallHandle:
        return await self._following()
