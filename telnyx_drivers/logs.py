"""The client's loggers, one for each layer: ``telnyx_drivers.signalling``, ``.media``, ``.client`` and ``.reports``.

A library says nothing unless it is asked: the package's logger has a `logging.NullHandler`. The option ``debug`` asks.
What is logged went through `telnyx_drivers.redact`.
"""

import logging
from typing import Final

from telnyx_drivers.redact import redact_text

ROOT: Final = logging.getLogger("telnyx_drivers")
ROOT.addHandler(logging.NullHandler())

signalling: Final = logging.getLogger("telnyx_drivers.signalling")
media: Final = logging.getLogger("telnyx_drivers.media")
client: Final = logging.getLogger("telnyx_drivers.client")
reports: Final = logging.getLogger("telnyx_drivers.reports")

websocket: Final = logging.getLogger("telnyx_drivers.websocket")
"""For the WebSocket library of asyncio, which would log the beginning and the end of every frame, logins among them."""
websocket.setLevel(logging.INFO)


class _Redacting(logging.Filter):
    """Rewrites what a library of others says."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact_text(record.getMessage()), ()
        return True


logging.getLogger("aiortc.rtcpeerconnection").addFilter(_Redacting())  # it logs whole descriptions, passwords in them


def enable_debug() -> None:
    """Log everything; to standard error if the application has set up no logging of its own. Idempotent."""
    ROOT.setLevel(logging.DEBUG)
    handlers = [*logging.getLogger().handlers, *ROOT.handlers]
    if all(isinstance(handler, logging.NullHandler) for handler in handlers):
        console = logging.StreamHandler()
        console.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
        ROOT.addHandler(console)
