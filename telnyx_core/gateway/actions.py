"""What the gateway orders its driver to do: the client's media actions, and these.

| action | owed | afterwards |
|---|---|---|
| `SendText` | - | - |
| `CloseConnection`, `AbortConnection` | - | the handle is dead; a late `SocketClosed` is ignored |
| `Feed` | - | holds until the next one, over every peer that the call gets |
| `ReleaseCall` | - | the call has ended, its audio can be released |
| `GatewayNotify` | - | - |
"""

from typing import Literal, TypeAlias

from attrs import frozen

from telnyx_core.actions import MediaAction, SendText
from telnyx_core.gateway.events import GatewayEvent
from telnyx_core.ids import CallId, SocketId

ToneName: TypeAlias = Literal["tone", "ringback", "hold_music"]
"""1 kHz; 440 and 480 Hz, two seconds in six; something that is plainly not speech."""


@frozen
class CloseConnection:
    """Close the WebSocket with a code and a reason, after what was sent before."""

    socket: SocketId
    code: int = 1000
    reason: str = ""


@frozen
class AbortConnection:
    """Cut the TCP connection without a closing handshake."""

    socket: SocketId


@frozen
class Tone:
    name: ToneName


@frozen
class Echo:
    """The client's own audio, as soon as it comes."""


@frozen
class FromCall:
    """What the client of another call says."""

    call: CallId


@frozen
class Silence:
    pass


Source: TypeAlias = Tone | Echo | FromCall | Silence


@frozen
class Feed:
    """From now on this is what the client of ``call`` hears. A call hears silence until it is fed."""

    call: CallId
    source: Source


@frozen
class ReleaseCall:
    """The call has ended; its peers were closed before."""

    call: CallId


@frozen
class GatewayNotify:
    """Report an event to the operator of the gateway."""

    event: GatewayEvent


GatewayAction: TypeAlias = (
    SendText | CloseConnection | AbortConnection | MediaAction | Feed | ReleaseCall | GatewayNotify
)
