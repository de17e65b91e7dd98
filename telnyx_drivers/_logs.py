"""The client's loggers, one for each layer: ``telnyx_drivers.signalling``, ``.media``, ``.client`` and ``.reports``.

A library logs nothing unless asked, except errors: a fault in an application's handler that is not seen is not
corrected. Where the application has set up no logging, errors go to standard error. The option ``debug`` logs
everything of one client. What is logged has passed through `telnyx_core._wire.redaction`.
"""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_debugging: ContextVar[bool] = ContextVar("telnyx_debugging", default=False)
"""True in the context of a client whose option ``debug`` is on."""


class _Logger(logging.Logger):
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


def _layer(name: str) -> logging.Logger:
    usual = logging.getLoggerClass()
    logging.setLoggerClass(_Logger)
    try:
        return logging.getLogger(f"telnyx_drivers.{name}")
    finally:
        logging.setLoggerClass(usual)


signalling: Final = _layer("signalling")
media: Final = _layer("media")
client: Final = _layer("client")
reports: Final = _layer("reports")

websocket: Final = logging.getLogger("telnyx_drivers.websocket")
"""For the WebSocket library of asyncio, which would log the beginning and the end of every frame, logins among them."""
websocket.setLevel(logging.INFO)


@contextmanager
def of_client(debug: bool) -> Generator[None]:
    """What is logged in here, and in tasks begun in here, is the log of a client with, or without, ``debug``."""
    token = _debugging.set(debug)
    try:
        yield
    finally:
        _debugging.reset(token)
