"""The facts that a driver reports to the gateway."""

from typing import TypeAlias

from attrs import field, frozen

from telnyx_core.facts import BinaryReceived, MediaFact, SocketClosed, TextReceived
from telnyx_core.ids import SocketId


@frozen
class SocketAccepted:
    """A client's WebSocket handshake is done. The driver numbers sockets from 1 and never reuses a number.

    ``target`` is the request target, path and query; the query may hold a routing token. ``wall`` is the epoch time
    in seconds, for token expiry.
    """

    socket: SocketId
    target: str = field(repr=False)
    wall: float


GatewayFact: TypeAlias = SocketAccepted | TextReceived | BinaryReceived | SocketClosed | MediaFact
