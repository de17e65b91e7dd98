"""Delivery of events to the application: streams to read, and handlers by name.

Both are fed after the core's actions have been performed, never in the middle, so that a command issued from a
handler is an ordinary command. Order of delivery is order of registration; whatever a
handler raises is logged and changes nothing.
"""

import difflib
import weakref
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Generic, TypeVar, overload

import anyio
import anyio.lowlevel
from attrs import define

from telnyx_core.events import EVENT_NAMES, Event, SocketMessage, TranscriptUpdated
from telnyx_drivers._arguments import checked, checked_with, function
from telnyx_drivers._exceptions import EventsOverrun
from telnyx_drivers._guard import Handler, Spawn, run_isolated
from telnyx_drivers._listening import E, Listens, N

T = TypeVar("T")

BACKLOG: Final = 4096
"""Events one reader may be behind: over a minute of a busy session."""
MAX_COST: Final = 4 << 20
"""Bytes, about, that the events may take which one reader is behind: as many as that, of a hundred characters each."""
_EVENT: Final = 512
_CHARACTER: Final = 4
_REFERENCE: Final = 8
"""Bytes that an event takes, each character of a frame in it once that is made of Python's objects, and a reference."""

_SILENT_NAMES: Final = frozenset({"telnyx.messages", "telnyx.calls", "telnyx.rtc.mediaError"})
"""Event names of the JavaScript SDK that accept handlers although this client never raises them (SIG-411, SIG-415)."""


def name_of(event: Event) -> str:
    """The event's name in the JavaScript SDK; a subclass of an event type has the name of its base."""
    return _name_of_type(type(event))


def _name_of_type(kind: type[object]) -> str:
    for base in kind.__mro__:
        for known, name in EVENT_NAMES.items():
            if base is known:
                return name
    raise ValueError(f"{kind.__name__} is not an event")


class EventStream(AsyncIterator[T], Generic[T]):
    """One reader's queue. Iterate it; `close` it, or just drop it, when done.

    A reader more than `BACKLOG` events behind is cut off and gets `EventsOverrun`: losing the end of a call
    silently would be worse.
    """

    def __init__(self, backlog: int = BACKLOG) -> None:
        self._queue: deque[T] = deque()
        self._cost = 0
        self._backlog = backlog
        self._arrived: anyio.Event | None = None
        self._ended = False
        self._error: Exception | None = None

    def push(self, item: T) -> None:
        if self._ended:
            return
        self._cost += _cost(item)
        if self._queue and (len(self._queue) >= self._backlog or self._cost > MAX_COST):
            lost = len(self._queue) + 1
            self._queue.clear()
            self.end(EventsOverrun(lost))
            return
        self._queue.append(item)
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will come; what is queued can still be read, then ``error`` is raised if there is one."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    def close(self) -> None:
        """The reader stops: drop what is queued."""
        self._queue.clear()
        self.end()

    async def aclose(self) -> None:
        self.close()
        await anyio.lowlevel.checkpoint()

    def __aiter__(self) -> "EventStream[T]":
        return self

    async def __anext__(self) -> T:
        await anyio.lowlevel.checkpoint()
        while not self._queue:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._arrived is None:
                self._arrived = anyio.Event()
            await self._arrived.wait()
        item = self._queue.popleft()
        self._cost -= _cost(item)
        return item

    def _wake(self) -> None:
        if self._arrived is not None:
            self._arrived.set()
            self._arrived = None


def _cost(item: object) -> int:
    match item:
        case SocketMessage():
            return _EVENT + _CHARACTER * item.size
        case TranscriptUpdated(said, transcript):
            return _EVENT + _CHARACTER * len(said.content) + _REFERENCE * len(transcript)
        case _:
            return _EVENT


class Broadcast(Generic[T]):
    """Any number of readers; each gets every event from its beginning on."""

    def __init__(self) -> None:
        # A reader that the application dropped without closing is garbage collected.
        self._streams: weakref.WeakValueDictionary[int, EventStream[T]] = weakref.WeakValueDictionary()
        self._count = 0

    def stream(self, backlog: int = BACKLOG) -> EventStream[T]:
        self._count += 1
        stream = self._streams[self._count] = EventStream[T](backlog)
        return stream

    def publish(self, item: T) -> None:
        for stream in list(self._streams.values()):
            stream.push(item)

    def end(self, error: Exception | None = None) -> None:
        """End every present stream; later ones begin afresh."""
        for stream in list(self._streams.values()):
            stream.end(error)
        self._streams.clear()


class Handlers:
    """Callables by event name."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[_Entry]] = {}

    def add(self, which: str | type[Event], handler: Handler, once: bool = False) -> None:
        name, kind = resolve(which)
        self._by_name.setdefault(name, []).append(_Entry(kind, handler, once))

    def remove(self, which: str | type[Event], handler: Handler | None = None) -> None:
        """Remove one registration of ``handler``, or without one every handler of that name."""
        name, kind = resolve(which)
        entries = self._by_name.get(name, [])
        for entry in list(entries):
            if kind is not None and entry.kind is not kind:
                continue
            if handler is None:
                entries.remove(entry)
            elif entry.handler == handler:
                entries.remove(entry)
                break
        if not entries:
            self._by_name.pop(name, None)

    def clear(self) -> None:
        self._by_name.clear()

    def call(self, event: Event, spawn: Spawn) -> None:
        """Run the handlers of one event in order; an awaitable that a handler returns runs in a task of its own."""
        if not self._by_name:
            return
        entries = self._by_name.get(name_of(event), [])
        for entry in tuple(entries):
            if entry.kind is None or isinstance(event, entry.kind):
                if entry.once:
                    if entry not in entries:
                        continue  # an earlier handler has already caused such an event
                    entries.remove(entry)
                run_isolated(entry.handler, spawn, event)


@define(eq=False)
class _Entry:
    kind: type[object] | None
    """``None``: every event of the name."""
    handler: Handler
    once: bool


class Emits(Listens[N]):
    """Base of a client and of a call: handlers in the order of their registration, and a wait for one event."""

    _handlers: Handlers

    @abstractmethod
    def events(self) -> EventStream[Event]: ...

    @abstractmethod
    def _ended_before(self, what: str) -> Exception: ...

    def _listen(self, event: str | type[Event], handler: Handler, once: bool) -> None:
        self._handlers.add(event, handler, once)

    @checked_with(handler=function("the handler that was given to on()", optional=True))
    def off(self, event: str | type[Event], handler: Handler | None = None) -> None:
        """Take back one registration of ``handler``, or every handler of the event."""
        self._handlers.remove(event, handler)

    @overload
    async def wait_for(
        self, event: type[E], *, timeout: float | None = None, where: Callable[[E], object] | None = None
    ) -> E: ...
    @overload
    async def wait_for(
        self, event: str, *, timeout: float | None = None, where: Callable[[Event], object] | None = None
    ) -> Event: ...
    @checked
    async def wait_for(
        self,
        event: str | type[object],
        *,
        timeout: float | None = None,
        where: Callable[..., object] | None = None,
    ) -> Event:
        """The next event of a name or class, for which ``where`` is true; of a call, this call's next.

        Raises ``TimeoutError`` after ``timeout`` seconds, `ConnectionFailed` when the session ends first, and of a call
        `CallEnded` when the call does.
        """
        found = await _next_event(self.events(), event, timeout=timeout, where=where)
        if found is None:
            raise self._ended_before("that event")
        return found


async def _next_event(
    stream: EventStream[Event],
    which: str | type[object],
    *,
    timeout: float | None,
    where: Callable[[Event], object] | None,
) -> Event | None:
    """The next event of a name or a type for which ``where`` is true; ``None`` when the stream ends first.

    Raises ``TimeoutError``, and what ended the stream.
    """
    name, kind = resolve(which)
    with anyio.fail_after(timeout):
        async for event in stream:
            fits = name_of(event) == name if kind is None else isinstance(event, kind)
            if fits and (where is None or where(event)):
                return event
    return None


def resolve(which: str | type[object]) -> tuple[str, type[object] | None]:
    """Raises ``ValueError`` for a name or a class that is no event's."""
    if not isinstance(which, str):
        return _name_of_type(which), which
    known = {*EVENT_NAMES.values(), *_SILENT_NAMES}
    if which not in known:
        near = difflib.get_close_matches(which, known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else f"; the names are {', '.join(sorted(known))}"
        raise ValueError(f"no event is named {which!r}{hint}")
    return which, None
