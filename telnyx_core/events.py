"""The events for the application, as typed values. `EVENT_NAMES` gives the documented name of each.

Their reprs may be logged: nothing in them lets a stranger take over a session.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.errors import TelnyxError, TelnyxWarning
from telnyx_core.facts import PeerState
from telnyx_core.ids import CallId, SocketId
from telnyx_core.options import CustomHeader
from telnyx_core.states import CallState
from telnyx_core.stats import w3c
from telnyx_core.stats.mos import Quality
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.stats.timings import EstablishmentTimings

Direction: TypeAlias = Literal["inbound", "outbound"]


@frozen
class Cause:
    """How a call ended (calls.md section 7). SIP fields are ``None`` unless the far end told them."""

    cause: str | None
    cause_code: int | None
    sip_code: int | None = None
    sip_reason: str | None = None
    sip_call_id: str | None = None


@frozen(kw_only=True)
class CallInfo:
    """A snapshot of one call (calls.md section 3)."""

    id: CallId
    state: CallState
    previous: CallState
    direction: Direction
    destination_number: str
    caller_name: str
    caller_number: str
    remote_caller_name: str
    remote_caller_number: str
    custom_headers: tuple[CustomHeader, ...] = ()
    client_state: str | None = field(default=None, repr=False)
    telnyx_call_control_id: str | None = None
    telnyx_session_id: str | None = None
    telnyx_leg_id: str | None = None
    muted: bool = False
    deaf: bool = False
    answered: bool = False
    """True once the call has been active or held."""
    extension: str | None = None
    variables: Mapping[str, str] = field(factory=dict[str, str], repr=False, hash=False)
    """What the server says of the node and the service that carry the call: ``Core-UUID``, ``FreeSWITCH-Hostname``
    (both worth telling support), and service variables such as ``telnyx_rtc_svar_parent_call_id``."""
    recovered_call_id: CallId | None = None
    ended: Cause | None = None
    connection_state: PeerState = "new"
    """Of the peer in use, as the three below: the words of W3C WebRTC section 4.3. They change without an event."""
    ice_connection_state: str = "new"
    ice_gathering_state: str = "new"
    signaling_state: str = "stable"

    @property
    def node(self) -> str:
        """The server's node that carries the call, as support asks for it: its name and its core's id; or empty."""
        names = ("FreeSWITCH-Hostname", "Core-UUID")
        return " ".join(value for name in names if (value := self.variables.get(name)))


@frozen
class Ready:
    """Registered: calls can be made and received. Once per loss of registration."""

    session_id: str | None = field(repr=False)
    state: str
    region: str | None = None
    dc: str | None = None
    call_report_id: str | None = None


@frozen(kw_only=True)
class ErrorRaised:
    """``telnyx.error``. The event has the members of the error, too, as in the documented example."""

    error: TelnyxError
    session_id: str | None = field(default=None, repr=False)
    call: CallId | None = None
    recoverable: bool = False
    retry_deadline: float | None = None
    """Epoch seconds until which `resume_media` may be called, for a recoverable microphone failure."""
    custom_headers: tuple[CustomHeader, ...] = ()

    @property
    def code(self) -> int:
        return self.error.code

    @property
    def name(self) -> str:
        return self.error.name

    @property
    def message(self) -> str:
        return self.error.message

    @property
    def fatal(self) -> bool:
        return self.error.fatal


@frozen(kw_only=True)
class WarningRaised:
    """``telnyx.warning``; ``details`` holds the members that the catalogue names for this code."""

    warning: TelnyxWarning
    session_id: str | None = field(default=None, repr=False)
    call: CallId | None = None
    details: Mapping[str, Json] = field(factory=dict[str, Json])

    @property
    def code(self) -> int:
        return self.warning.code

    @property
    def name(self) -> str:
        return self.warning.name

    @property
    def message(self) -> str:
        return self.warning.message


@frozen
class CallUpdated:
    """``telnyx.notification`` of type ``callUpdate``: a state, an id or another visible member changed."""

    call: CallInfo

    @property
    def type(self) -> Literal["callUpdate"]:
        return "callUpdate"


@frozen
class ParticipantData:
    """``telnyx.notification`` of type ``participantData``."""

    call: CallId
    display_name: str
    display_number: str
    display_direction: str

    @property
    def type(self) -> Literal["participantData"]:
        return "participantData"


@frozen
class ServerEvent:
    """``telnyx.notification`` of type ``event``: an info or event message, passed through."""

    params: JsonView
    call: CallId | None = None

    @property
    def type(self) -> Literal["event"]:
        return "event"


@frozen
class UserMediaError:
    """``telnyx.notification`` of type ``userMediaError``."""

    call: CallId
    error: TelnyxError

    @property
    def type(self) -> Literal["userMediaError"]:
        return "userMediaError"


@frozen
class MediaRecovery:
    """The outcome of a recoverable microphone failure; the driver calls ``onSuccess`` or ``onError``."""

    call: CallId
    recovered: bool
    reason: str = ""


@frozen
class PeerConnectionFailure:
    """``telnyx.rtc.peerConnectionFailureError``."""

    call: CallId
    warning: TelnyxWarning


@frozen
class MediaStarted:
    """The first remote audio of a call arrived. The JS SDK has no such event."""

    call: CallId


@frozen(kw_only=True)
class StatsFrame:
    """``telnyx.stats.frame``: the quality of a call, every ``callReportInterval`` (quality.md 3.1).

    ``rtt`` and ``jitter`` are milliseconds, ``packet_loss`` is percent since the previous frame, levels are 0 to 1,
    ``mos`` is 1 to 5; counters are the call's, over all its peers. What is unknown is ``None``. ``reading`` has the
    figures behind them, of the peer in use.
    """

    call: CallId
    timestamp: float
    """Epoch seconds."""
    rtt: float | None
    jitter: float | None
    packet_loss: float | None
    packets_sent: int | None
    packets_received: int | None
    packets_lost: int | None
    bytes_sent: int | None
    bytes_received: int | None
    audio_level: float | None
    local_audio_level: float | None
    mos: float | None
    quality: Quality | None
    held: bool
    muted: bool
    reading: StatsSnapshot = field(repr=False)

    @property
    def inbound_audio(self) -> JsonObject | None:
        """What is received, as the W3C's ``inbound-rtp``; ``None`` while nothing is known of it."""
        return w3c.inbound_rtp(self.reading)

    @property
    def outbound_audio(self) -> JsonObject | None:
        """``outbound-rtp``"""
        return w3c.outbound_rtp(self.reading)

    @property
    def remote_inbound_audio(self) -> JsonObject | None:
        """What the far end reports of our stream: ``remote-inbound-rtp``."""
        return w3c.remote_inbound_rtp(self.reading)

    @property
    def remote_outbound_audio(self) -> JsonObject | None:
        """``remote-outbound-rtp``"""
        return w3c.remote_outbound_rtp(self.reading)


@frozen
class WarningCount:
    """How often a warning was raised in a call; times are epoch seconds."""

    code: int
    name: str
    count: int
    first_at: float
    last_at: float


@frozen(kw_only=True)
class StatsReport:
    """``telnyx.stats.report``: once for each call that had media, when it ends (quality.md 3.2).

    Units as in `StatsFrame`; ``duration`` is seconds from the first ``active``, 0 for a call that never was.
    """

    call: CallId
    direction: Direction
    duration: float
    average_rtt: float | None
    least_rtt: float | None
    greatest_rtt: float | None
    average_jitter: float | None
    greatest_jitter: float | None
    average_packet_loss: float | None
    greatest_packet_loss: float | None
    average_mos: float | None
    least_mos: float | None
    quality: Quality | None
    packets_sent: int | None
    packets_received: int | None
    packets_lost: int | None
    bytes_sent: int | None
    bytes_received: int | None
    ended: Cause | None
    started_at: float
    ended_at: float
    telnyx_session_id: str | None
    telnyx_leg_id: str | None
    call_report_id: str | None
    recovered_call_id: CallId | None = None
    warnings: tuple[WarningCount, ...] = ()
    establishment: EstablishmentTimings | None = None
    timeline: tuple[JsonObject, ...] | None = field(default=None, repr=False)
    """With ``debug``: what happened, entry by entry."""
    final: bool = True
    """False if the call continues without this process (`Session.leave`): a later process reports the rest.

    A call that is re-attached in this process stays the same call, with one report for all of it.
    """


@frozen
class IceServerFailed:
    """A STUN or TURN server gave a call no candidate; others may have. After the W3C's ``icecandidateerror``.

    ``code`` is what the server said: 401 and 403 for a wrong user name or credential; 701: it was not reached.
    """

    call: CallId
    url: str
    code: int
    reason: str


@frozen
class DigitReceived:
    """The far end sent a digit in the audio stream (RFC 4733). ``duration`` in seconds.

    ``via="audio"``: its tones were found in the audio itself, which is looked at once `CallHandle.sense` is used.
    """

    call: CallId
    digit: str
    duration: float
    via: Literal["rtp", "audio"] = "rtp"


@frozen
class ToneChanged:
    """``telnyx.tone``: the ringtone or the ringback starts or stops."""

    call: CallId
    kind: Literal["ringtone", "ringback"]
    action: Literal["start", "stop"]


@frozen
class SocketOpen:
    """``telnyx.socket.open``"""

    socket: SocketId


@frozen
class SocketClose:
    """``telnyx.socket.close``, once per socket."""

    socket: SocketId
    code: int
    reason: str
    was_clean: bool


@frozen
class SocketError:
    """``telnyx.socket.error``: the transport failed; 45002 precedes it."""

    socket: SocketId
    reason: str


@frozen
class SocketMessage:
    """``telnyx.socket.message``: a frame of ``size`` characters that no request of ours was waiting for."""

    frame: JsonView = field(repr=False)
    size: int = field(default=0, eq=False)


@frozen
class FrameIgnored:
    """A frame was ignored: not JSON, not an object, unknown method, or too large. The JS SDK has no such event."""

    reason: str


@frozen
class AiConversation:
    """``telnyx.ai.conversation``."""

    params: JsonView
    voice_sdk_id: str | None = field(default=None, repr=False)
    call: CallId | None = None


class CloseReason(Enum):
    """Why a session is not connected and makes no further attempt."""

    DISCONNECTED = "disconnected"
    LEFT = "left"
    """The application called `Session.leave`: the server keeps answered calls for a later process."""
    EXHAUSTED = "exhausted"
    PUNTED = "punted"
    LOST = "lost"
    REFUSED = "refused"


@frozen
class SessionClosed:
    """The session has stopped: no socket, no timer, no call. `connect` starts it again."""

    reason: CloseReason


Event: TypeAlias = (
    Ready
    | ErrorRaised
    | WarningRaised
    | CallUpdated
    | ParticipantData
    | ServerEvent
    | UserMediaError
    | MediaRecovery
    | PeerConnectionFailure
    | MediaStarted
    | StatsFrame
    | StatsReport
    | IceServerFailed
    | DigitReceived
    | ToneChanged
    | SocketOpen
    | SocketClose
    | SocketError
    | SocketMessage
    | FrameIgnored
    | AiConversation
    | SessionClosed
)

EVENT_NAMES: Final[Mapping[type[Event], str]] = {
    Ready: "telnyx.ready",
    ErrorRaised: "telnyx.error",
    WarningRaised: "telnyx.warning",
    CallUpdated: "telnyx.notification",
    ParticipantData: "telnyx.notification",
    ServerEvent: "telnyx.notification",
    UserMediaError: "telnyx.notification",
    MediaRecovery: "telnyx.media.recovery",
    PeerConnectionFailure: "telnyx.rtc.peerConnectionFailureError",
    MediaStarted: "telnyx.media.started",
    StatsFrame: "telnyx.stats.frame",
    StatsReport: "telnyx.stats.report",
    IceServerFailed: "telnyx.ice.serverFailed",
    DigitReceived: "telnyx.digit",
    ToneChanged: "telnyx.tone",
    SocketOpen: "telnyx.socket.open",
    SocketClose: "telnyx.socket.close",
    SocketError: "telnyx.socket.error",
    SocketMessage: "telnyx.socket.message",
    FrameIgnored: "telnyx.socket.ignored",
    AiConversation: "telnyx.ai.conversation",
    SessionClosed: "telnyx.closed",
}
"""The names under which ``client.on`` delivers the events: those of the documents and the JS SDK where they exist."""
