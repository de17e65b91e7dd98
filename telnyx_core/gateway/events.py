"""The events for the operator of the gateway, as typed values in the past tense."""

from typing import Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._wire.json_types import JsonView
from telnyx_core.events import Cause, Direction
from telnyx_core.gateway.faults import Place
from telnyx_core.ids import CallId, SocketId
from telnyx_core.options import CustomHeader

Ender: TypeAlias = Literal["client", "far_end", "gateway"]
"""Who ended a call: the client itself, the other party, or the gateway (loss, limits, faults)."""


@frozen
class ClientConnected:
    """``query`` is the URL's query, a name once."""

    socket: SocketId
    query: JsonView = field(repr=False)


@frozen
class ClientLost:
    socket: SocketId
    user: str | None
    code: int


@frozen
class ClientLoggedIn:
    """``resumed``: the session was known before, and its calls are being attached."""

    socket: SocketId
    user: str
    session_id: str
    resumed: bool
    params: JsonView = field(repr=False)


@frozen
class LoginRefused:
    socket: SocketId
    user: str | None
    reason: str


@frozen
class StateTold:
    """A gateway state went to a client, as a reply or pushed."""

    socket: SocketId
    user: str
    state: str


@frozen(kw_only=True)
class CallStarted:
    """A leg exists: an ``outbound`` one was invited by the client, an ``inbound`` one by the gateway."""

    call: CallId
    user: str
    direction: Direction
    destination: str
    caller_name: str
    caller_number: str
    custom_headers: tuple[CustomHeader, ...]
    client_state: str | None
    params: JsonView = field(repr=False)
    """What the client sent with its invite; empty for an inbound leg."""


@frozen
class CallRinging:
    call: CallId


@frozen
class CallAnswered:
    call: CallId
    custom_headers: tuple[CustomHeader, ...] = ()


@frozen
class MediaConnected:
    """The call's current peer is connected."""

    call: CallId


@frozen
class MediaLost:
    """The call's peer failed or was closed by the client after it had been connected."""

    call: CallId


@frozen
class CallHeld:
    """The client put the call on hold, or took it up again."""

    call: CallId
    held: bool


@frozen
class CallUpdated:
    """The client renewed the call's media path."""

    call: CallId


@frozen
class CallAttached:
    """The client answered an ``attach``: the call continues on a new socket or a new peer."""

    call: CallId


@frozen
class CallEnded:
    call: CallId
    user: str
    cause: Cause
    by: Ender
    custom_headers: tuple[CustomHeader, ...] = ()


@frozen
class DigitsReceived:
    """From a client, by message or in its audio (RFC 4733)."""

    call: CallId
    digits: str
    via: Literal["info", "audio"]


@frozen
class MessageReceived:
    """A text message of a call."""

    call: CallId
    sender: str
    to: str
    body: str


@frozen
class ConversationReceived:
    """An ``ai_conversation`` frame of a client; ``params`` as they came."""

    socket: SocketId
    params: JsonView


@frozen
class CandidateReceived:
    """A trickled candidate; empty for the end of candidates."""

    call: CallId
    candidate: str


@frozen
class ReportReceived:
    """A debug report frame."""

    socket: SocketId
    kind: str
    frame: JsonView = field(repr=False)


@frozen
class CallReportReceived:
    """A call report that a client uploaded by HTTP."""

    call: str
    call_report_id: str
    report: JsonView = field(repr=False)


@frozen
class CallRecordingReceived:
    """Part of one track of a call that a client uploaded by HTTP (``enableCallRecording``)."""

    call: str
    track: str
    recording: JsonView = field(repr=False)


@frozen
class Acknowledged:
    """A client replied to a request of the gateway."""

    socket: SocketId
    method: str
    ok: bool


@frozen
class FrameRejected:
    """A frame that meant nothing, or a request that was refused."""

    socket: SocketId
    method: str
    reason: str


@frozen
class FaultStruck:
    socket: SocketId
    method: str
    fault: str
    """The name of what was done."""
    place: Place


GatewayEvent: TypeAlias = (
    ClientConnected
    | ClientLost
    | ClientLoggedIn
    | LoginRefused
    | StateTold
    | CallStarted
    | CallRinging
    | CallAnswered
    | MediaConnected
    | MediaLost
    | CallHeld
    | CallUpdated
    | CallAttached
    | CallEnded
    | DigitsReceived
    | MessageReceived
    | ConversationReceived
    | CandidateReceived
    | ReportReceived
    | CallReportReceived
    | CallRecordingReceived
    | Acknowledged
    | FrameRejected
    | FaultStruck
)
