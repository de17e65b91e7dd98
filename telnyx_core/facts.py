"""What the driver tells the core: plain data in the past tense.

`Session.receive` takes any of these in any state and never raises. A fact for a released handle changes
nothing. Commands are methods, because they return ids and refuse; facts are objects, because they can be queued,
journalled, generated and replayed.
"""

from typing import Literal, TypeAlias

from attrs import field, frozen

from telnyx_core.ids import CallId, MediaId, SocketId, TokenRequest, UploadId
from telnyx_core.stats.snapshot import StatsSnapshot

SourceFault: TypeAlias = Literal["permission", "not_found", "other"]
Stage: TypeAlias = Literal["create_offer", "create_answer", "set_local", "other"]
PeerState: TypeAlias = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
"""W3C ``RTCPeerConnectionState`` names. ``closed`` means: closed by something else than `ClosePeer`."""
TransportLayer: TypeAlias = Literal["gathering", "ice", "dtls", "signaling"]
NetworkChange: TypeAlias = Literal["offline", "online", "path_changed", "resumed"]


@frozen
class SocketOpened:
    """The WebSocket handshake is done. ``wall`` is the epoch time in seconds, for stamps and token expiry."""

    socket: SocketId
    wall: float


@frozen
class SocketRefused:
    """The socket object could not even be created: bad URL, no TLS context. Nothing follows."""

    socket: SocketId
    reason: str


@frozen
class TextReceived:
    socket: SocketId
    text: str = field(repr=False)


@frozen
class BinaryReceived:
    """A binary frame came; it counts as activity and is otherwise ignored."""

    socket: SocketId
    size: int


@frozen
class SocketClosed:
    """The socket is gone, for whatever reason; exactly one for each `OpenSocket` that was not refused or abandoned.

    ``error`` is the transport's own text when it failed rather than closed (then ``code`` is 1006).
    ``retry_after``: the seconds after which a server that is overloaded wants to be asked again (RFC 9110 section
    10.2.3).
    """

    socket: SocketId
    code: int
    reason: str
    clean: bool = field(kw_only=True)
    error: str = field(default="", kw_only=True)
    retry_after: float | None = field(default=None, kw_only=True)


@frozen
class NetworkChanged:
    """The host's network has changed, if the driver can observe that.

    ``resumed``: the host was suspended, and its monotonic clock stood still; servers and routers went on meanwhile.
    """

    change: NetworkChange


@frozen
class SourceOpened:
    """The audio source runs. ``label`` names it for people; it is never sent unless the application asks."""

    media: MediaId
    label: str


@frozen
class SourceRefused:
    """The audio source cannot be opened."""

    media: MediaId
    fault: SourceFault
    reason: str


@frozen
class LocalDescribed:
    """The local description, as of now. Sent again as it grows; ``complete`` once gathering is over."""

    media: MediaId
    sdp: str = field(repr=False)
    complete: bool = field(kw_only=True)


@frozen
class CandidateFound:
    """One local ICE candidate, ``candidate:`` form of RFC 8839. ``url`` is the server that gave it, if one did."""

    media: MediaId
    candidate: str
    sdp_mid: str = field(kw_only=True)
    sdp_m_line_index: int = field(kw_only=True)
    url: str | None = field(default=None, kw_only=True)


@frozen
class CandidateError:
    """A STUN or TURN server gave no candidate, whatever others gave: W3C ``RTCPeerConnectionIceErrorEvent``.

    ``code`` is the server's own (RFC 8489 section 14.8), or 701 for one that could not be reached. ``url`` and
    ``reason`` hold no secret.
    """

    media: MediaId
    url: str
    code: int
    reason: str


@frozen
class NegotiationFailed:
    """The engine could not produce or set the local description."""

    media: MediaId
    stage: Stage
    reason: str


@frozen
class RemoteApplied:
    media: MediaId


@frozen
class RemoteRefused:
    """The engine did not accept the remote description."""

    media: MediaId
    reason: str


@frozen
class PeerStateChanged:
    media: MediaId
    state: PeerState


@frozen
class TransportStateChanged:
    """One layer of a peer changed its state (``state`` in the W3C's words). Only statistics and timelines use it.

    An engine that does not know the layers reports none of them.
    """

    media: MediaId
    layer: TransportLayer
    state: str


@frozen
class MediaHeard:
    """The first remote audio packet of this peer arrived."""

    media: MediaId


@frozen
class DigitHeard:
    """The far end sent a digit in the audio stream (RFC 4733). ``duration`` in seconds."""

    media: MediaId
    digit: str
    duration: float


@frozen
class DigitsSent:
    """Every digit of one `SendDigits` has gone out."""

    media: MediaId


@frozen
class DigitsRefused:
    """Digits cannot go in the audio stream of this peer."""

    media: MediaId
    reason: str


@frozen
class StatsTaken:
    """A reading of the peer's counters, asked for by `TakeStats`."""

    media: MediaId
    reading: StatsSnapshot


@frozen
class RecordingFault:
    """A call's recording is not made, or parts of it are lost. The call itself continues."""

    call: CallId
    kind: Literal["unavailable", "overflow"]
    reason: str = ""


@frozen
class AudioBroke:
    """The source or sink of a call failed during the call, which continues without it."""

    call: CallId
    fault: SourceFault
    reason: str


@frozen
class UploadWritten:
    """The bodies of `WriteReport` or `WriteRecording`, in order.

    None: there is nothing to send, nothing that could send it, or it cannot be written.
    """

    upload: UploadId
    bodies: tuple[bytes, ...] = field(repr=False)


@frozen
class PostAnswered:
    """The server answered a `PostBody`.

    ``retry_after``: the seconds after which it wants to be asked again (RFC 9110 section 10.2.3).
    """

    upload: UploadId
    status: int
    retry_after: float | None = None


@frozen
class PostFailed:
    """No answer to a `PostBody` can come: no connection, or it broke."""

    upload: UploadId
    reason: str


@frozen
class TokenProvided:
    """The application's answer to `AskToken`."""

    request: TokenRequest
    token: str = field(repr=False)


@frozen
class TokenRefused:
    """The application has no token: its provider raised, was too slow, or returned none. ``reason`` holds no secret."""

    request: TokenRequest
    reason: str


@frozen
class DigitSensed:
    """The tones of a digit were found in the audio itself (ITU-T Q.23). ``duration`` in seconds."""

    call: CallId
    digit: str
    duration: float


SocketFact: TypeAlias = SocketOpened | SocketRefused | TextReceived | BinaryReceived | SocketClosed
MediaFact: TypeAlias = (
    SourceOpened
    | SourceRefused
    | LocalDescribed
    | CandidateFound
    | CandidateError
    | NegotiationFailed
    | RemoteApplied
    | RemoteRefused
    | PeerStateChanged
    | TransportStateChanged
    | MediaHeard
    | DigitHeard
    | DigitsSent
    | DigitsRefused
    | StatsTaken
)
AudioFact: TypeAlias = RecordingFault | AudioBroke | DigitSensed
"""Facts about a call's audio, not about one of its peers."""
UploadFact: TypeAlias = UploadWritten | PostAnswered | PostFailed
TokenFact: TypeAlias = TokenProvided | TokenRefused
Fact: TypeAlias = SocketFact | MediaFact | AudioFact | UploadFact | TokenFact | NetworkChanged
