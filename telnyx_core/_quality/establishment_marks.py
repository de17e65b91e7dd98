"""When each step of a call's establishment was reached for the first time (MEDIA-480 to MEDIA-483)."""

from enum import Enum
from operator import itemgetter
from typing import Final, Literal

from telnyx_core._signalling import messages as m
from telnyx_core.facts import (
    CandidateFound,
    LocalDescribed,
    MediaFact,
    MediaHeard,
    PeerStateChanged,
    RemoteApplied,
    SourceOpened,
    TransportStateChanged,
)
from telnyx_core.stats.timings import EstablishmentTimings, Mode


class Mark(Enum):
    """The steps; their values are the labels of the report."""

    NEW_PEER = "Peer object created"
    GET_USER_MEDIA = "Media devices acquired"
    START_NEGOTIATION = "SDP negotiation started"
    CREATE_OFFER = "SDP offer generated"
    CREATE_ANSWER = "SDP answer generated"
    SET_LOCAL_DESCRIPTION = "Local description applied"
    GATHERING_STARTED = "ICE candidate gathering started"
    FIRST_CANDIDATE = "First ICE candidate found"
    FIRST_NON_HOST_CANDIDATE = "First server-reflexive/relay candidate found"
    SEND_SDP = "SDP sent to server"
    GATHERING_COMPLETED = "All ICE candidates gathered"
    RINGING = "Remote side ringing"
    EARLY_MEDIA = "Early media received from server"
    FIRST_REMOTE_TRACK = "First remote audio/video track received"
    SET_REMOTE_DESCRIPTION = "Remote description applied"
    REMOTE_ANSWER = "Call answered by remote side"
    ICE_CONNECTED = "ICE connection established"
    DTLS_CONNECTED = "Secure media channel established (DTLS)"
    CALL_ACTIVE = "Call is active"
    ANSWER_CALLED = "Answer delay (invite → call.answer)"


_MESSAGES: Final = {m.RINGING: Mark.RINGING, m.MEDIA: Mark.EARLY_MEDIA, m.ANSWER: Mark.REMOTE_ANSWER}
_TRANSPORT: Final = {
    ("gathering", "gathering"): Mark.GATHERING_STARTED,
    ("gathering", "complete"): Mark.GATHERING_COMPLETED,
    ("ice", "connected"): Mark.ICE_CONNECTED,
    ("ice", "completed"): Mark.ICE_CONNECTED,
    ("dtls", "connected"): Mark.DTLS_CONNECTED,
}


class EstablishmentMarks:
    """The times of one call. ``start`` is when it was placed, or when its invite came."""

    __slots__ = ("_at", "_direction", "_start")

    def __init__(self, direction: Literal["inbound", "outbound"], start: float) -> None:
        self._direction: Literal["inbound", "outbound"] = direction
        self._start = start
        self._at: dict[Mark, float] = {}

    def add(self, mark: Mark, now: float) -> None:
        """Only the first time counts."""
        self._at.setdefault(mark, now)

    def heard(self, method: str, now: float) -> None:
        """The server sent a message for this call."""
        mark = _MESSAGES.get(method)
        if mark is not None:
            self.add(mark, now)

    def handle_fact(self, fact: MediaFact, now: float) -> None:
        """The media engine reported something about a peer of this call."""
        match fact:
            case SourceOpened():
                self.add(Mark.GET_USER_MEDIA, now)
                self.add(Mark.START_NEGOTIATION, now)
            case CandidateFound(_, candidate):
                self.add(Mark.FIRST_CANDIDATE, now)
                if " typ host" not in candidate:
                    self.add(Mark.FIRST_NON_HOST_CANDIDATE, now)
            case LocalDescribed(complete=complete):
                self.add(Mark.CREATE_OFFER if self._direction == "outbound" else Mark.CREATE_ANSWER, now)
                self.add(Mark.SET_LOCAL_DESCRIPTION, now)
                if complete:
                    self.add(Mark.GATHERING_COMPLETED, now)
            case RemoteApplied():
                self.add(Mark.SET_REMOTE_DESCRIPTION, now)
            case MediaHeard():
                self.add(Mark.FIRST_REMOTE_TRACK, now)
            case TransportStateChanged(_, layer, state):
                mark = _TRANSPORT.get((layer, state))
                if mark is not None:
                    self.add(mark, now)
            case PeerStateChanged(_, "connected"):
                # It means that both layers are up; an engine that told of each before has its own times kept.
                self.add(Mark.ICE_CONNECTED, now)
                self.add(Mark.DTLS_CONNECTED, now)
            case _:
                pass

    def timings(self, mode: Mode) -> EstablishmentTimings:
        """The steps that have been reached so far."""
        reached = sorted(self._at.items(), key=itemgetter(1))
        return EstablishmentTimings(mode, self._direction, self._start, tuple((mark.value, at) for mark, at in reached))
