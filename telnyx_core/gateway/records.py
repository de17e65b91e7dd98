"""Who is connected: sockets, and the sessions behind them. Plain records, told apart by identity."""

from attrs import define, field

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.gateway.options import Assistant
from telnyx_core.ids import CallId, SocketId


@define(eq=False)
class ClientSocket:
    """One socket of one client."""

    socket: SocketId
    query: dict[str, str] = field(repr=False)
    epoch: float
    """The epoch time, in seconds, at which the gateway's clock read zero."""
    session: "Session | None" = None
    awaited: dict[int, tuple[str, CallId | None]] = field(factory=dict[int, tuple[str, CallId | None]])
    """Requests of ours without a reply yet: method and call."""
    held: "set[DelayedFrame]" = field(factory=lambda: set[DelayedFrame]())
    deaf: bool = False
    """What the client sends is lost on the way."""
    outbound_blocked: bool = False
    """What the gateway sends is lost on the way."""
    expires: float | None = None
    """When its login ends, on the gateway's clock."""
    polls: int = 0
    pushed: str | None = None
    """The last gateway state that was pushed; from then on the answer to ``gatewayState``."""
    serno: int = 0
    upload: "Upload | None" = None
    batch: list[str] | None = None
    """Replies to a batch, until all of it has been served."""

    @property
    def user(self) -> str | None:
        return None if self.session is None else self.session.user


@define(eq=False)
class DelayedFrame:
    """A frame that a fault keeps back for a while."""

    line: ClientSocket
    text: str = field(repr=False)
    inbound: bool


@define(eq=False)
class Upload:
    """A speed test in progress."""

    begun: float
    blocks: int = 0


@define(eq=False)
class Session:
    """What the platform remembers of a client from socket to socket."""

    id: str
    user: str
    voice_sdk_id: str = field(repr=False)
    call_report_id: str
    line: ClientSocket | None = None
    assistant: Assistant | None = None
    """Set for an anonymous login: every call of the session goes there."""
    early_sdp: bool = False
    channels: set[str] = field(factory=set[str])
    attaching: list[CallId] = field(factory=list[CallId])
    """The calls that this login brings back, in order."""
    offering: set[CallId] = field(factory=set[CallId])
    """Those whose ``attach`` the client must get before it is told that it is ready."""
    crashed: bool = False
    """The node went down under it and has its calls written down: they come back after a while."""
    forgotten: bool = False
    """The gateway will not know this session again once its socket is gone."""


def expiry(line: ClientSocket) -> JsonObject:
    """When the login ends, in epoch seconds, where it does."""
    return {} if line.expires is None else {"auth-expires": int(line.epoch + line.expires)}
