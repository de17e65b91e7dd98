"""The one place through which this package calls an application's code.

That code is handlers, sources, sinks, stores, token providers and engine factories. It may raise anything, even what
would end a task or a loop of this package. It is reported here, once, and only the operation in progress is lost: no
exception but an `Exception` leaves this module, and that only where the caller asks for it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias, TypeVar, cast

import anyio

from telnyx_drivers import _logs as logs
from telnyx_drivers._leaving import leave

T = TypeVar("T")
Handler: TypeAlias = Callable[..., object]
Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]]], object]


class ApplicationFault(Exception):
    """Wraps an exception of an application's code that is no `Exception`; ``__cause__`` is the original."""


class isolated:  # noqa: N801  # read as a word: ``with isolated("the store"): ...``
    """Run a block that calls or awaits the application's code; what it raises is caught here and reported.

    ``fault`` is the exception, for callers that need it. ``expected`` types are not reported: they are trouble outside
    the program, such as a device in use, and the caller reports them itself. A cancellation by this package passes; one
    that the application raised itself does not, and a block that never ``awaits`` can have no other. An instance can be
    entered again, after it was left, where making another one each time would cost too much.
    """

    def __init__(self, what: str, *, expected: tuple[type[BaseException], ...] = (), awaits: bool = True) -> None:
        self.fault: Exception | None = None
        self._what = what
        self._expected = expected
        self._awaits = awaits

    def __enter__(self) -> Self:
        self.fault = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, Exception):
            self.fault = error
            if not isinstance(error, self._expected):
                tell(self._what, error)
            return True
        if self._awaits and _is_ours(error):
            return False
        self.fault = ApplicationFault(f"{type(error).__name__}: {reason_of(error)}")
        self.fault.__cause__ = error
        if not isinstance(error, self._expected):
            tell(self._what, error)
        if isinstance(error, SystemExit | KeyboardInterrupt):
            leave(error)
        return True


def call(what: str, function: Callable[..., T], *arguments: object, default: T) -> T:
    """What an application's function returns, and ``default`` where it raises."""
    with isolated(what, awaits=False):
        return function(*arguments)
    return default


def run_isolated(handler: Handler, spawn: Spawn, *arguments: object) -> None:
    """Call a handler; an awaitable that it returns runs in a task of its own (CALL-006, MEDIA-305).

    A handler that takes no argument is called without one, as the documents' examples are written.
    """
    what = f"handler {_label(handler)}"
    awaitable: Awaitable[object] | None = None
    with isolated(what, awaits=False):
        result = handler(*arguments[: room_for(handler, len(arguments))])
        awaitable = result if inspect.isawaitable(result) else None
    if awaitable is not None:
        awaited = awaitable

        async def finish() -> None:
            with isolated(what):
                await awaited

        spawn(finish)


def room_for(function: Callable[..., object], wanted: int) -> int:
    """How many of so many arguments a function takes: all of them, unless it takes none at all."""
    if not wanted:
        return 0
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return wanted  # a built-in function without a signature
    try:
        signature.bind(*(None for _ in range(wanted)))
    except TypeError:
        try:
            signature.bind()
        except TypeError:
            return wanted  # neither call fits, and the error of the call says so
        return 0
    return wanted


def tell(what: str, error: BaseException) -> None:
    """Report what an application's code raised where it is seen: in the log, and by the loop's exception handler."""
    logs.client.error("%s failed", what, exc_info=error)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    # The loop's own handler would only log it a second time.
    if loop.get_exception_handler() is not None:
        loop.call_exception_handler({"message": f"{what} failed", "exception": _as_exception(error)})


def reason_of(error: BaseException) -> str:
    """An error in a few words: not all of them have a text, and some raise where they are asked for it."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001  # an application's class
        return type(error).__name__


def _as_exception(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    fault = ApplicationFault(reason_of(error))
    fault.__cause__ = error
    return fault


def _is_ours(error: BaseException) -> bool:
    """Whether the task's runner cancelled it; an application's code may raise the same exception type by itself."""
    if isinstance(error, GeneratorExit):
        return not _in_task()  # a coroutine is closed from outside; what runs in a task has raised it by itself
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(_is_ours(each) for each in group.exceptions)
    if not isinstance(error, asyncio.CancelledError):
        try:
            return isinstance(error, anyio.get_cancelled_exc_class())
        except Exception:  # noqa: BLE001  # no loop runs in this thread
            return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def _in_task() -> bool:
    try:
        anyio.get_current_task()
    except Exception:  # noqa: BLE001  # no loop runs in this thread
        return False
    return True


def _label(handler: Handler) -> str:
    """Never what it was made with: the arguments of a ``functools.partial`` may be secrets."""
    while isinstance(handler, partial):
        handler = cast("Handler", handler.func)
    try:
        label: object = getattr(handler, "__qualname__", None)
    except Exception:  # noqa: BLE001  # an application's object, which may raise whatever it is asked
        label = None
    return label if isinstance(label, str) else f"of type {type(handler).__name__}"
