"""The embedded gateway: the server's role over real WebSockets and with real media, on this machine.

``async with Gateway(users={"alice": "secret"}) as gateway: ... gateway.url``
"""

from telnyx_drivers.gateway.server import Gateway
from telnyx_drivers.gateway.thread import GatewayThread

__all__ = ["Gateway", "GatewayThread"]
