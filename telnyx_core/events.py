"""The events for the application, as typed values. `EVENT_NAMES` gives the documented name of each.

Their reprs may be logged: nothing in them lets a stranger take over a session.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core._wire.utc import iso
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
    """How a call ended. SIP fields are ``None`` unless the far end told them."""

    cause: str | None
    """The name of the cause, as ``NORMAL_CLEARING`` or ``USER_BUSY``; ``None`` if none was told."""
    cause_code: int | None
    """Its number by Q.850, as 16 or 17."""
    sip_code: int | None = None
    """The SIP status of the far end, as 486."""
    sip_reason: str | None = None
    """The words beside that status."""
    sip_call_id: str | None = None
    """The SIP ``Call-ID``, for support."""


@frozen(kw_only=True)
class CallInfo:
    """A snapshot of one call."""

    id: CallId
    """The call's id, a UUID; the server knows it by the same."""
    state: CallState
    """The present state."""
    previous: CallState
    """The state before."""
    direction: Direction
    """``inbound`` or ``outbound``, as seen from here."""
    destination_number: str
    """The number or SIP address that was dialled."""
    caller_name: str
    """The name that was given or shown with the call."""
    caller_number: str
    """The number that was given or shown with the call."""
    remote_caller_name: str
    """The name of the other end; with an inbound call the caller's."""
    remote_caller_number: str
    """The number of the other end."""
    custom_headers: tuple[CustomHeader, ...] = ()
    """The ``X-`` headers that came with the call."""
    client_state: str | None = field(default=None, repr=False)
    """The base64 text that the application gave to its call."""
    telnyx_call_control_id: str | None = None
    """For commands of the Call Control API; ``None`` until the server tells it."""
    telnyx_session_id: str | None = None
    """The server's id of the session of calls that belong together."""
    telnyx_leg_id: str | None = None
    """The server's id of this leg."""
    muted: bool = False
    """True: what is sent is silence."""
    deaf: bool = False
    """True: what is received is not heard."""
    answered: bool = False
    """True once the call has been active or held."""
    extension: str | None = None
    """The extension that answered, if the server tells it."""
    variables: Mapping[str, str] = field(factory=dict[str, str], repr=False, hash=False)
    """What the server says of the node and the service that carry the call: ``Core-UUID``, ``FreeSWITCH-Hostname``
    (both worth telling support), and service variables such as ``telnyx_rtc_svar_parent_call_id``."""
    recovered_call_id: CallId | None = None
    """The id of the call of an earlier process that this one continues."""
    ended: Cause | None = None
    """How it ended; ``None`` while it has not."""
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


@frozen(kw_only=True)
class _Dated:
    """What every event has."""

    timestamp: float = field(default=0.0, eq=False, repr=False)
    """Epoch seconds at which a client was told of it, or its figures taken; else 0.0, as it leaves a `Session`."""


@frozen
class Ready(_Dated):
    """Registered: calls can be made and received. Once per loss of registration."""

    session_id: str | None = field(repr=False)
    state: str
    """The registration's state as the server names it, ``REGED``."""
    region: str | None = None
    """The region that the server tells of itself."""
    dc: str | None = None
    """Its data centre."""
    call_report_id: str | None = None
    """The id under which call reports are sent."""


@frozen(kw_only=True)
class ErrorRaised(_Dated):
    """Something failed. The members of the error stand in the event, too.

    ``original`` of the error is the failure behind it, with the server's own words when it spoke.
    """

    error: TelnyxError
    """The error, with its causes and solutions."""
    session_id: str | None = field(default=None, repr=False)
    call: CallId | None = None
    recoverable: bool = False
    """True: `resume_media` or `reject_media` decides how it goes on."""
    retry_deadline: float | None = None
    """Epoch seconds until which `resume_media` may be called, for a recoverable microphone failure."""
    custom_headers: tuple[CustomHeader, ...] = ()
    """The headers that came with the refusal."""

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
class WarningRaised(_Dated):
    """Something is worse than it should be, and goes on."""

    warning: TelnyxWarning
    """The warning, with its causes and solutions."""
    session_id: str | None = field(default=None, repr=False)
    call: CallId | None = None
    details: Mapping[str, Json] = field(factory=dict[str, Json])
    """What this warning tells besides: figures, ids."""

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
class CallUpdated(_Dated):
    """A call's state, an id or another visible member of it changed: ``telnyx.notification`` of type ``callUpdate``.

    A client's handlers get a `CallNotification`, whose ``call`` has the commands ``answer`` and ``hangup``.
    """

    call: CallInfo
    """The call as it is now."""

    @property
    def type(self) -> Literal["callUpdate"]:
        return "callUpdate"


@frozen
class ParticipantData(_Dated):
    """The server tells who the other end is: ``telnyx.notification`` of type ``participantData``."""

    call: CallId
    display_name: str
    """The name to show."""
    display_number: str
    """The number to show."""
    display_direction: str
    """``inbound`` or ``outbound``, as the server tells it."""

    @property
    def type(self) -> Literal["participantData"]:
        return "participantData"


@frozen
class ServerEvent(_Dated):
    """An info or event message of the server, passed through: ``telnyx.notification`` of type ``event``."""

    params: JsonView
    """The message's ``params``, unchanged."""
    call: CallId | None = None

    @property
    def type(self) -> Literal["event"]:
        return "event"


@frozen
class UserMediaError(_Dated):
    """A call has no source of sound, and ends for it: ``telnyx.notification`` of type ``userMediaError``."""

    call: CallId
    error: TelnyxError
    """42001, 42002 or 42003, with its causes and solutions."""

    @property
    def type(self) -> Literal["userMediaError"]:
        return "userMediaError"


@frozen
class MediaRecovery(_Dated):
    """The outcome of a recoverable microphone failure; the driver calls ``onSuccess`` or ``onError``."""

    call: CallId
    recovered: bool
    """True: there is a source again. False: the application gave up or the time was over."""
    reason: str = ""
    """Why not."""


@frozen
class PeerConnectionFailure(_Dated):
    """The connection of a call's media failed; it is renewed, or the call ends."""

    call: CallId
    warning: TelnyxWarning
    """The warning that was raised with it."""


@frozen
class MediaStarted(_Dated):
    """The first remote audio of a call arrived. The JS SDK has no such event."""

    call: CallId


@frozen(kw_only=True)
class StatsFrame(_Dated):
    """The quality of a call, every ``call_report_interval`` seconds.

    ``rtt`` and ``jitter`` are milliseconds, ``packet_loss`` is percent since the previous frame, levels are 0 to 1,
    ``mos`` is 1 to 5; counters are the call's, over all its peers. What is unknown is ``None``. ``reading`` has the
    figures behind them, of the peer in use.
    """

    call: CallId
    rtt: float | None
    """Round trip time, milliseconds."""
    jitter: float | None
    """Of what is received, milliseconds."""
    packet_loss: float | None
    """Percent of what was sent to us since the previous frame."""
    packets_sent: int | None
    """Since the call began."""
    packets_received: int | None
    """Since the call began."""
    packets_lost: int | None
    """Of those that were sent to us, since the call began."""
    bytes_sent: int | None
    """Payload, since the call began."""
    bytes_received: int | None
    """Payload, since the call began."""
    audio_level: float | None
    """Of what is received, 0 to 1."""
    local_audio_level: float | None
    """Of what is sent, 0 to 1."""
    mos: float | None
    """Estimated mean opinion score, 1 to 5."""
    quality: Quality | None
    """The same in a word."""
    held: bool
    """True: the call is on hold."""
    muted: bool
    """True: the call is muted."""
    reading: StatsSnapshot = field(repr=False)
    """The figures of the peer in use."""

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

    def to_mapping(self) -> JsonObject:
        """The same under the names of the documents, as the JavaScript SDK has it; ``timestamp`` is milliseconds."""
        return {
            "callId": self.call,
            "timestamp": round(self.timestamp * 1000),
            "rtt": self.rtt,
            "jitter": self.jitter,
            "packetLoss": self.packet_loss,
            "packetsSent": self.packets_sent,
            "packetsReceived": self.packets_received,
            "packetsLost": self.packets_lost,
            "bytesSent": self.bytes_sent,
            "bytesReceived": self.bytes_received,
            "audioLevel": self.audio_level,
            "localAudioLevel": self.local_audio_level,
            "mos": self.mos,
            "quality": self.quality,
            "inboundAudio": self.inbound_audio,
            "outboundAudio": self.outbound_audio,
            "remoteInboundAudio": self.remote_inbound_audio,
            "remoteOutboundAudio": self.remote_outbound_audio,
            "held": self.held,
            "muted": self.muted,
        }


@frozen
class WarningCount:
    """How often a warning was raised in a call; times are epoch seconds."""

    code: int
    """The warning's code."""
    name: str
    """Its name."""
    count: int
    """How many times."""
    first_at: float
    """Epoch seconds."""
    last_at: float
    """Epoch seconds."""


@frozen(kw_only=True)
class StatsReport(_Dated):
    """The quality of a whole call: once for each call that had media, when it ends.

    Units as in `StatsFrame`; ``duration`` is seconds from the first ``active``, 0 for a call that never was.
    """

    call: CallId
    direction: Direction
    """``inbound`` or ``outbound``."""
    duration: float
    """Seconds from the first ``active``; 0 for a call that never was."""
    average_rtt: float | None
    """Milliseconds."""
    least_rtt: float | None
    """Milliseconds."""
    greatest_rtt: float | None
    """Milliseconds."""
    average_jitter: float | None
    """Milliseconds."""
    greatest_jitter: float | None
    """Milliseconds."""
    average_packet_loss: float | None
    """Percent."""
    greatest_packet_loss: float | None
    """Percent, of one frame."""
    average_mos: float | None
    """1 to 5."""
    least_mos: float | None
    """1 to 5."""
    quality: Quality | None
    """The average in a word."""
    packets_sent: int | None
    """Of the whole call."""
    packets_received: int | None
    """Of the whole call."""
    packets_lost: int | None
    """Of the whole call."""
    bytes_sent: int | None
    """Payload of the whole call."""
    bytes_received: int | None
    """Payload of the whole call."""
    ended: Cause | None
    """How the call ended."""
    started_at: float
    """Epoch seconds."""
    ended_at: float
    """Epoch seconds."""
    telnyx_session_id: str | None
    """The server's id of the session of calls."""
    telnyx_leg_id: str | None
    """The server's id of the leg."""
    call_report_id: str | None
    """The id under which the call report was sent."""
    recovered_call_id: CallId | None = None
    """The id of the call of an earlier process that this one continued."""
    warnings: tuple[WarningCount, ...] = ()
    """Each warning of the call, once."""
    establishment: EstablishmentTimings | None = None
    """How long each stage of the set-up took."""
    timeline: tuple[JsonObject, ...] | None = field(default=None, repr=False)
    """With ``debug``: what happened, entry by entry."""
    final: bool = True
    """False if the call continues without this process (`Session.leave`): a later process reports the rest.

    A call that is re-attached in this process stays the same call, with one report for all of it.
    """

    def to_mapping(self) -> JsonObject:
        """The same under the names of the documents; times are ISO 8601."""
        ended = self.ended
        record: JsonObject = {
            "callId": self.call,
            "direction": self.direction,
            "recoveredCallId": self.recovered_call_id,
            "duration": self.duration,
            "avgRtt": self.average_rtt,
            "maxRtt": self.greatest_rtt,
            "minRtt": self.least_rtt,
            "avgJitter": self.average_jitter,
            "maxJitter": self.greatest_jitter,
            "avgPacketLoss": self.average_packet_loss,
            "maxPacketLoss": self.greatest_packet_loss,
            "avgMos": self.average_mos,
            "minMos": self.least_mos,
            "quality": self.quality,
            "packetsSent": self.packets_sent,
            "packetsReceived": self.packets_received,
            "packetsLost": self.packets_lost,
            "bytesSent": self.bytes_sent,
            "bytesReceived": self.bytes_received,
            "cause": None if ended is None else ended.cause,
            "causeCode": None if ended is None else ended.cause_code,
            "sipCode": None if ended is None else ended.sip_code,
            "sipReason": None if ended is None else ended.sip_reason,
            "startTimestamp": iso(self.started_at),
            "endTimestamp": iso(self.ended_at),
            "telnyxSessionId": self.telnyx_session_id,
            "telnyxLegId": self.telnyx_leg_id,
            "callReportId": self.call_report_id,
            "warnings": [
                {
                    "code": warning.code,
                    "name": warning.name,
                    "count": warning.count,
                    "firstAt": iso(warning.first_at),
                    "lastAt": iso(warning.last_at),
                }
                for warning in self.warnings
            ],
            "establishmentTimings": None if self.establishment is None else self.establishment.record(),
            "final": self.final,
        }
        if self.timeline is not None:
            record["timeline"] = list(self.timeline)
        return record


@frozen
class IceServerFailed(_Dated):
    """A STUN or TURN server gave a call no candidate; others may have. After the W3C's ``icecandidateerror``.

    ``code`` is what the server said: 401 and 403 for a wrong user name or credential; 701: it was not reached.
    """

    call: CallId
    url: str
    """The server, as it was configured."""
    code: int
    """What it said, as 401; 701: it was not reached."""
    reason: str
    """Its words, or ours."""


@frozen
class DigitReceived(_Dated):
    """The far end sent a digit in the audio stream (RFC 4733). ``duration`` in seconds.

    ``via="audio"``: its tones were found in the audio itself, which is looked at once `CallHandle.sense` is used.
    """

    call: CallId
    digit: str
    """One of ``0123456789*#ABCD``."""
    duration: float
    """Seconds that the key was held."""
    via: Literal["rtp", "audio"] = "rtp"
    """``rtp``: as an event of RFC 4733. ``audio``: as tones."""


@frozen
class ToneChanged(_Dated):
    """The ringtone or the ringback starts or stops."""

    call: CallId
    kind: Literal["ringtone", "ringback"]
    """``ringtone``: a call comes in. ``ringback``: the other end rings."""
    action: Literal["start", "stop"]
    """``start`` or ``stop``."""


@frozen
class SocketOpen(_Dated):
    """A WebSocket is open; the login follows."""

    socket: SocketId


@frozen
class SocketClose(_Dated):
    """A WebSocket closed, by either end. Once per socket."""

    socket: SocketId
    code: int
    """The close code of RFC 6455, as 1000 or 1006."""
    reason: str
    """The server's words."""
    was_clean: bool
    """True: both ends said that they close."""


@frozen
class SocketError(_Dated):
    """The transport failed; the error 45002 precedes it."""

    socket: SocketId
    reason: str
    """What the transport said."""


@frozen
class SocketMessage(_Dated):
    """A message came that no request of ours was waiting for."""

    frame: JsonView = field(repr=False)
    """The message, unchanged."""
    size: int = field(default=0, eq=False)
    """In characters."""


@frozen
class FrameIgnored(_Dated):
    """A frame was ignored: not JSON, not an object, unknown method, or too large. The JS SDK has no such event."""

    reason: str
    """What was wrong with it."""


@frozen
class AiConversation(_Dated):
    """An AI assistant tells something of its conversation, as a transcript or a call of a function."""

    params: JsonView
    """The message's ``params``, unchanged."""
    voice_sdk_id: str | None = field(default=None, repr=False)
    call: CallId | None = None


@frozen(kw_only=True)
class TranscriptItem:
    """One utterance of a conversation with an AI assistant."""

    id: str
    """The assistant's id of it: what comes later under the same id continues or replaces it."""
    role: Literal["user", "assistant"]
    """``user``: the caller, by voice or in writing. ``assistant``: the assistant."""
    content: str = field(repr=False)
    """The words so far."""
    partial: bool = True
    """True: more of it may come."""
    images: tuple[str, ...] = field(default=(), repr=False)
    """URLs of images that belong to it."""
    timestamp: float
    """Epoch seconds, when the first of it arrived."""


@frozen
class TranscriptUpdated(_Dated):
    """An utterance of the conversation with an AI assistant is new, continues, or is complete.

    The assistant's words come piece by piece and are put together; a caller's come as the assistant understood them.
    """

    item: TranscriptItem
    """The utterance as it is now."""
    transcript: tuple[TranscriptItem, ...] = field(repr=False)
    """All utterances, this one included, in the order in which they began."""
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
class SessionClosed(_Dated):
    """The session has stopped: no socket, no timer, no call. `connect` starts it again."""

    reason: CloseReason
    """Why."""


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
    | TranscriptUpdated
    | SessionClosed
)


def dated(event: Event, timestamp: float) -> None:
    """Say when it happened, in place: it was made a moment ago, and nobody has it yet. One that says so stays."""
    if not event.timestamp:
        object.__setattr__(event, "timestamp", timestamp)


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
    TranscriptUpdated: "telnyx.ai.transcript",
    SessionClosed: "telnyx.closed",
}
"""The names under which ``client.on`` delivers the events: those of the documents and the JS SDK where they exist."""
