"""One leg: a call between the gateway and one client, with the peers that carry its media."""

from collections import deque
from enum import Enum, IntEnum
from typing import Final

from attrs import define, field, frozen

from telnyx_core._signalling.messages import CAUSE_CODES
from telnyx_core._wire.codec import Request
from telnyx_core._wire.json_types import Json, JsonView
from telnyx_core.events import Cause, Direction
from telnyx_core.gateway.actions import Silence, Source
from telnyx_core.gateway.options import Assistant, FarEnd, Scripted
from telnyx_core.gateway.records import ClientSocket, Session
from telnyx_core.ids import CallId, MediaId, SocketId
from telnyx_core.options import CustomHeader

_SIP: Final[dict[str, tuple[int, str]]] = {  # the SIP status of each cause (CALL-410)
    "UNALLOCATED_NUMBER": (404, "Not Found"),
    "NORMAL_CLEARING": (200, "OK"),
    "USER_BUSY": (486, "Busy Here"),
    "NO_ANSWER": (480, "Temporarily Unavailable"),
    "CALL_REJECTED": (603, "Decline"),
    "DESTINATION_OUT_OF_ORDER": (502, "Bad Gateway"),
    "NORMAL_TEMPORARY_FAILURE": (503, "Service Unavailable"),
    "INCOMPATIBLE_DESTINATION": (488, "Not Acceptable Here"),
    "MANDATORY_IE_MISSING": (400, "Bad Request"),
    "RECOVERY_ON_TIMER_EXPIRE": (408, "Request Timeout"),
    "ORIGINATOR_CANCEL": (487, "Request Terminated"),
}


def cause(name: str) -> Cause:
    """A cause by name, with the code and the SIP status that the platform sends with it."""
    sip_code, sip_reason = _SIP.get(name, (None, None))
    return Cause(name, CAUSE_CODES.get(name), sip_code, sip_reason)


class Phase(IntEnum):
    """How far a leg has come. It only moves forward: nothing un-answers a call."""

    CREATED = 0
    RINGING = 1
    ANSWERED = 2
    ENDED = 3


class Purpose(Enum):
    """What a peer is negotiated for."""

    ACCEPT = "answers the offer in the client's invite"
    INVITE = "offers a call to the client"
    ATTACH = "offers the call again to a client that came back"
    UPDATE = "answers the offer in the client's updateMedia"


class Step(Enum):
    """What the gateway still has to say in a call that the client made."""

    RING = "ringing"
    EARLY = "media"
    ANSWER = "answer"
    FAIL = "bye"


@define(eq=False)
class Peer:
    media: MediaId
    leg: "Leg"
    purpose: Purpose
    sdp: str | None = None
    """The local description, once it is complete."""
    answer_taken: bool = False
    """The client's answer to our offer was handed to the engine."""
    remote_applied: bool = False
    connected: bool = False
    ever_connected: bool = False
    candidates: list[tuple[str, str | None, int]] = field(factory=list[tuple[str, str | None, int]])
    """Trickled before the remote description was applied."""
    request: tuple[ClientSocket, Request] | None = None
    """What the client waits for: our answer to its ``updateMedia``, or our word on its ``answer`` or ``attach``."""
    renews: bool = False
    """Offered in the middle of a call, not after a re-login."""


@define(eq=False)
class Race:
    """One call offered to several sockets: the first to answer has it."""

    caller: "Leg | None"
    legs: "list[Leg]"


@frozen
class TelnyxIds:
    call_control_id: str
    session_id: str
    leg_id: str


@frozen(kw_only=True)
class LegInfo:
    """A snapshot of one leg."""

    call: CallId
    user: str
    socket: SocketId | None
    """``None`` while its client is away."""
    direction: Direction
    destination: str
    phase: Phase
    held: bool
    connected: bool
    """Its media is."""
    partner: CallId | None


@define(eq=False)
class Speech:
    """What an assistant is saying."""

    item: str
    text: str
    rest: deque[str]
    """The pieces that are still to be said."""


@define(eq=False, kw_only=True)
class Leg:
    call: CallId
    session: Session
    direction: Direction
    """From where the client stands: ``outbound`` is a call that it made."""
    destination: str
    caller_name: str
    caller_number: str
    ids: TelnyxIds
    headers: tuple[CustomHeader, ...] = ()
    client_state: str | None = None
    far_end: FarEnd | None = None
    """What stands behind the call when no other client does."""
    assistant: Assistant | None = None
    speech: Speech | None = None
    script: deque[Scripted] = field(factory=deque[Scripted])
    """What the assistant is still to do."""
    trickles: bool = False
    """The client sends its candidates one by one and can be sent ours."""
    phase: Phase = Phase.CREATED
    steps: deque[Step] = field(factory=deque[Step])
    due: bool = True
    """The delay before the next step is over."""
    failure: str = ""
    """The cause that `Step.FAIL` ends the call with."""
    answer_headers: tuple[CustomHeader, ...] = ()
    early: bool = False
    """The client has our description although the call is not answered."""
    late_sdp: float | None = None
    """Seconds after an invite without SDP at which ``media`` brings it."""
    invited: bool = False
    held: bool = False
    stream: str | None = None
    """What our first description names its media stream; the later ones do too."""
    setup: str | None = None
    """The client's part in the first DTLS handshake, ``active`` or ``passive``; in the later ones too."""
    fingerprints: frozenset[str] = frozenset()
    """Of the client's certificate, as its last description named it."""
    recovers: bool = True
    """The call is kept for its client when the socket is lost."""
    connected_once: bool = False
    """Its media has been connected."""
    variables: JsonView = field(factory=dict[str, Json])
    """Service variables, told with the call's descriptions."""
    client_offer: str | None = None
    """The SDP of the client's invite."""
    codec: str | None = None
    """The codec that its first negotiation began with, as of ``a=rtpmap``: ``opus/48000/2``."""
    partner: "Leg | None" = None
    race: Race | None = None
    peers: list[Peer] = field(factory=list[Peer])
    """Oldest first; the last one is the one being negotiated, if any is."""
    current: Peer | None = None
    fed: Source = field(factory=Silence)

    @property
    def answered(self) -> bool:
        return self.phase is Phase.ANSWERED

    def forward(self, phase: Phase) -> None:
        assert phase > self.phase, f"a leg does not go from {self.phase.name} to {phase.name}"
        self.phase = phase

    def info(self) -> LegInfo:
        line = self.session.line
        return LegInfo(
            call=self.call,
            user=self.session.user,
            socket=None if line is None else line.socket,
            direction=self.direction,
            destination=self.destination,
            phase=self.phase,
            held=self.held,
            connected=self.current is not None and self.current.connected,
            partner=None if self.partner is None else self.partner.call,
        )
