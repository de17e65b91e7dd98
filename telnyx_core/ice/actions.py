"""What an agent wants done and what it tells: both come out of `Agent.next_action`, in order."""

from enum import Enum
from typing import TypeAlias

from attrs import field, frozen

from telnyx_core.ice.candidate import Candidate
from telnyx_core.ice.stun import Address
from telnyx_core.ice.turn import TurnServer


class IceState(Enum):
    """As the W3C's ``RTCIceTransportState``, without ``completed``: there is one pair, and it stays."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """The pair in use is silent. Other pairs are checked; it comes back by itself or by one of them."""
    FAILED = "failed"
    """Nothing is sent any more. `Agent.restart` begins again."""
    CLOSED = "closed"


class IceError(Exception):
    """The caller asks for what cannot be done now. Nothing has changed."""


@frozen
class Transmit:
    """Send a datagram from the socket that is bound to ``base``."""

    base: Address
    remote: Address
    data: bytes = field(repr=False)


@frozen
class OpenStream:
    """Connect to a TURN server by TCP, and with TLS if its transport says so; then say `Agent.stream_opened`."""

    stream: int
    server: TurnServer


@frozen
class TransmitStream:
    stream: int
    data: bytes = field(repr=False)


@frozen
class CloseStream:
    stream: int


@frozen
class CandidateGathered:
    """One of our own, to be signalled. With ``ufrag`` it is known to which description it belongs (RFC 8838)."""

    candidate: Candidate
    ufrag: str
    server: str = ""
    """The name of the server that gave it."""


@frozen
class ServerFailed:
    """A server gave nothing, or what it gave is gone. ``code`` is its own, or 701 if it was not reached (as the W3C's
    ``RTCPeerConnectionIceErrorEvent`` has it)."""

    server: Address
    name: str
    code: int
    reason: str


@frozen
class GatheringFinished:
    """No candidate is to come: ``a=end-of-candidates``. Only a network change may bring more."""


@frozen
class StateChanged:
    state: IceState


@frozen
class PairSelected:
    """From now on this pair is used. ``restarted``: it is the first one of a new pair of credentials."""

    local: Candidate
    remote: Candidate
    restarted: bool


@frozen
class RestartFailed:
    """The restart has found no pair that works; the one before it goes on."""


@frozen
class DataReceived:
    """A datagram of the far end that is no STUN: from an address that has proved to know the password."""

    data: bytes = field(repr=False)


@frozen
class Dropped:
    """A datagram that was not for this agent, or from nobody who has shown that he knows the password."""

    data: bytes = field(repr=False)
    base: Address
    """The socket, or the relayed address, that it came to."""
    source: Address


Action: TypeAlias = (
    Transmit
    | OpenStream
    | TransmitStream
    | CloseStream
    | CandidateGathered
    | ServerFailed
    | GatheringFinished
    | StateChanged
    | PairSelected
    | RestartFailed
    | DataReceived
    | Dropped
)
