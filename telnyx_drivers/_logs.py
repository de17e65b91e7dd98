"""The client's loggers, one for each layer: ``telnyx_drivers.signalling``, ``.media``, ``.client`` and ``.reports``.

A library logs nothing unless asked, except errors: a fault in an application's handler that is not seen is not
corrected. Where the application has set up no logging, errors go to standard error. The option ``debug`` logs
everything of one client. What is logged has passed through `telnyx_core._wire.redaction`.
"""

import logging
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

_debugging: ContextVar[bool] = ContextVar("telnyx_debugging", default=False)
"""True in the context of a client whose option ``debug`` is on."""


class _Guarded(logging.Logger):
    """Costs its caller nothing where an application's handler or filter raises."""

    def handle(self, record: logging.LogRecord) -> None:
        try:
            super().handle(record)
        except Exception:  # noqa: BLE001  # an application's handler or filter
            with suppress(Exception):
                print(_console.format(record), file=sys.stderr)  # noqa: T201
                traceback.print_exc()


class _Logger(_Guarded):
    """Lets everything of a client with ``debug`` through, whatever the level: other clients may run beside it."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        return (_debugging.get() and level > self.manager.disable) or super().isEnabledFor(level)


class _Console(logging.Handler):
    """Standard error, for an application that has set up no logging: errors, and the log of clients with ``debug``."""

    def emit(self, record: logging.LogRecord) -> None:
        if (record.levelno >= logging.ERROR or _debugging.get()) and not _is_set_up(record.name):
            try:
                print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201
            except Exception:  # noqa: BLE001  # as every handler of `logging`
                self.handleError(record)


ROOT: Final = logging.getLogger("telnyx_drivers")
_console: Final = _Console()
_console.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
ROOT.addHandler(_console)


def _is_set_up(name: str) -> bool:
    """Whether a handler outside this package takes this logger's records; a `logging.NullHandler` counts."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(handler is not _console for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _made(kind: type[logging.Logger], name: str) -> logging.Logger:
    usual = logging.getLoggerClass()
    logging.setLoggerClass(kind)
    try:
        return logging.getLogger(name)
    finally:
        logging.setLoggerClass(usual)


def _layer(name: str) -> logging.Logger:
    return _made(_Logger, f"telnyx_drivers.{name}")


def of_module(name: str) -> logging.Logger:
    """The logger of a module of this package."""
    return _made(_Guarded, name)


signalling: Final = _layer("signalling")
media: Final = _layer("media")
client: Final = _layer("client")
reports: Final = _layer("reports")

websocket: Final = of_module("telnyx_drivers.websocket")
"""For the WebSocket library of asyncio, which would log the beginning and the end of every frame, logins among them."""
websocket.setLevel(logging.INFO)

for _library in ("aioice.ice", "aioice.turn", "trio-websocket"):
    _made(_Guarded, _library)  # it logs in the tasks of a call; it takes the logger of this name that there is


@contextmanager
def of_client(debug: bool) -> Generator[None]:
    """What is logged in here, and in tasks begun in here, is the log of a client with, or without, ``debug``."""
    token = _debugging.set(debug)
    try:
        yield
    finally:
        _debugging.reset(token)
