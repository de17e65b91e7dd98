"""The embedded gateway: it plays the server on this machine, over real WebSockets and with real media.

``async with Gateway(users={"alice": "secret"}) as gateway: ... gateway.url``
"""

from telnyx_core.gateway import (
    Assistant,
    CallPlan,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Garble,
    Like,
    Limits,
    Quirks,
    Refuse,
    Swallow,
)
from telnyx_drivers._exceptions import without_extra

try:
    from telnyx_drivers.gateway.server import Gateway
    from telnyx_drivers.gateway.thread import GatewayThread
except ModuleNotFoundError as error:
    raise without_extra(error, "media") from None

__all__ = [
    "Assistant",
    "CallPlan",
    "Delay",
    "Drop",
    "Duplicate",
    "Fault",
    "Garble",
    "Gateway",
    "GatewayThread",
    "Like",
    "Limits",
    "Quirks",
    "Refuse",
    "Swallow",
]
