"""One peer of one call, from its creation to both descriptions in place (media.md sections 2 to 4).

A negotiation takes facts and returns what its call has to know, in order. It opens the source, waits for
candidates no longer than the rules allow, and keeps remote candidates until they can be used. It never sends
anything itself and never ends a call.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from attrs import define, field, frozen

from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_QUEUED_CANDIDATES
from telnyx_core._time.timers import Timer, TimerTable
from telnyx_core._wire.json_types import Json
from telnyx_core.actions import (
    Action,
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    DescriptionKind,
    DigitTone,
    OpenPeer,
    OpenSource,
    PeerConfig,
)
from telnyx_core.facts import (
    CandidateError,
    CandidateFound,
    DigitHeard,
    DigitsRefused,
    DigitsSent,
    LocalDescribed,
    MediaFact,
    MediaHeard,
    NegotiationFailed,
    PeerState,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    SourceFault,
    SourceOpened,
    SourceRefused,
    Stage,
    StatsTaken,
    TransportLayer,
    TransportStateChanged,
)
from telnyx_core.ids import CallId, MediaId, Ticket


@frozen
class Dialled:
    """A command to send digits in the audio stream."""

    digits: str = field(repr=False)
    tone: DigitTone
    ticket: Ticket


@frozen
class SdpReady:
    """The local description may be sent."""

    sdp: str = field(repr=False)
    only_host: bool
    """It has candidates, all of them of type host: warning 33005. Not judged while there may be more (trickle)."""


@frozen
class CandidateReady:
    """A local candidate to send (trickle only), always after `SdpReady`."""

    candidate: CandidateFound


@frozen
class CandidatesEnded:
    """All local candidates were told (trickle only)."""

    only_host: bool
    """There were some, all of them of type host: warning 33005."""


@frozen
class GatheringSlow:
    """Gathering is not complete after 15 s (MEDIA-066)."""

    some: bool


@frozen
class SourceFailed:
    fault: SourceFault
    reason: str


@frozen
class SourceReady:
    label: str


@frozen
class LocalFailed:
    stage: Stage
    reason: str


@frozen
class RemoteInPlace:
    kind: DescriptionKind


@frozen
class RemoteFailed:
    kind: DescriptionKind
    reason: str


@frozen
class Unconnected:
    """The answered call's media never connected, and will not."""


Progress: TypeAlias = (
    SdpReady
    | CandidateReady
    | CandidatesEnded
    | GatheringSlow
    | SourceFailed
    | SourceReady
    | LocalFailed
    | RemoteInPlace
    | RemoteFailed
    | Unconnected
)

_CANDIDATE: Final = "a=candidate:"
_HOST: Final = " typ host"


@frozen
class PeerStates:
    """The states of a peer connection, in the words of W3C WebRTC section 4.3."""

    connection: PeerState = "new"
    ice_connection: str = "new"
    ice_gathering: str = "new"
    signaling: str = "stable"


@define(eq=False)
class Negotiation:
    call: CallId
    media: MediaId
    config: PeerConfig
    window: float
    """Seconds to wait for more candidates after the first (MEDIA-061, MEDIA-062)."""
    source: str | None
    constraints: Mapping[str, Json]
    _timers: TimerTable
    _act: Callable[[Action], None]
    renewed: MediaId | None = None
    """The first peer of the path that this one renews in place."""

    state: PeerState = "new"
    sent: bool = False
    """The local description was handed out."""
    local_sdp: str | None = None
    remote_sdp: str | None = None
    remote_in_place: bool = False
    closed: bool = False
    digits: deque[Dialled] = field(factory=deque[Dialled])
    """Commands to send digits in the audio stream, in the order in which they are carried out, one after the other."""
    sourced: bool = False
    """The source has been opened."""
    switches: deque[tuple[str | None, Ticket]] = field(factory=deque[tuple[str | None, Ticket]])
    """Commands to open others in its place, likewise."""
    source_wanted: bool = False
    """The source was refused and will be asked for again: microphone recovery decides."""
    _layers: dict[TransportLayer, str] = field(factory=dict[TransportLayer, str])
    _remote_asked: bool = False
    _candidates: int = 0
    _beyond_host: bool = False
    """At least one local candidate is not of type host."""
    _complete: bool = False
    _ended: bool = False
    _unsent: list[CandidateFound] = field(factory=list[CandidateFound])
    _remote_candidates: list[AddCandidate] = field(factory=list[AddCandidate])

    @property
    def path(self) -> MediaId:
        """The peer whose path it uses: peers of one path count on where the one before them ended."""
        return self.media if self.renewed is None else self.renewed

    @property
    def healthy(self) -> bool:
        """The peer is connected, as far as the engine reports its state (MEDIA-201)."""
        return not self.closed and self.state == "connected"

    @property
    def alive(self) -> bool:
        """A peer exists that has not failed."""
        return not self.closed and self.state not in ("failed", "closed")

    @property
    def states(self) -> PeerStates:
        state, local, remote = self.state, self.local_sdp is not None, self.remote_sdp is not None
        if self.closed or state == "closed":
            return PeerStates("closed", "closed", "complete", "closed")
        ice = self._layers.get("ice", "checking" if state == "connecting" else state)
        if state in ("disconnected", "failed"):  # an engine may report lost consent (RFC 7675) only here
            ice = state
        gathering = "complete" if self._complete else self._layers.get("gathering", "new")
        if local is remote:
            return PeerStates(state, ice, gathering)
        return PeerStates(state, ice, gathering, "have-local-offer" if local else "have-remote-offer")

    def start(self, now: float, remote_offer: str | None = None) -> None:
        """Create the peer; as answerer the remote offer is applied before the source is opened (MEDIA-037)."""
        self._act(OpenPeer(self.media, self.call, self.config))
        if self.config.role == "answer":
            assert remote_offer is not None, "an answerer begins with an offer"
            self._apply("offer", remote_offer)
        else:
            self._open_source(now)

    def apply_answer(self, sdp: str) -> None:
        self._apply("answer", sdp)

    def retry_source(self) -> None:
        assert self.source_wanted, "only a refused source is opened again"
        self.source_wanted = False
        self._act(OpenSource(self.media, self.source, self.constraints))

    def switch_source(self, source: str | None, ticket: Ticket) -> None:
        """Open another in the place of the one that is open (MEDIA-411)."""
        assert self.sourced, "there is one to be replaced"
        self.switches.append((source, ticket))
        self._act(OpenSource(self.media, source, self.constraints))

    def add_remote_candidate(self, candidate: str, sdp_mid: str | None, index: int) -> None:
        """Use or keep one remote candidate; an empty one is the end of candidates (MEDIA-110, MEDIA-111)."""
        action = AddCandidate(self.media, candidate, sdp_mid, index)
        if self.remote_in_place:
            self._act(action)
        elif len(self._remote_candidates) < MAX_QUEUED_CANDIDATES:
            self._remote_candidates.append(action)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._timers.stop(Timer.GATHER_WINDOW, self.media)
            self._timers.stop(Timer.GATHER_SAFETY, self.media)
            self._act(ClosePeer(self.media))

    def handle_fact(self, fact: MediaFact, now: float) -> tuple[Progress, ...]:
        """Take in one fact of this peer. Facts of a closed peer are never passed here."""
        match fact:
            case SourceOpened() | SourceRefused() if self.switches:
                pass  # the reply to `switch_source`: `MediaPath` settles its ticket
            case SourceOpened(_, label):
                self.sourced = True
                self._describe(now)
                return (SourceReady(label),)
            case SourceRefused(_, fault, reason):
                self.source_wanted = True
                return (SourceFailed(fault, reason),)
            case LocalDescribed(_, sdp, complete=complete):
                return self._described(sdp, now, complete=complete)
            case CandidateFound():
                return self._found(fact, now)
            case NegotiationFailed(_, stage, reason):
                return (LocalFailed(stage, reason),)
            case RemoteApplied():
                return self._remote_applied(now)
            case RemoteRefused(_, reason):
                return (RemoteFailed("offer" if self.config.role == "answer" else "answer", reason),)
            case PeerStateChanged(_, state):
                self.state = state
            case TransportStateChanged(_, layer, state):
                self._layers[layer] = state
            case CandidateError() | StatsTaken() | MediaHeard():
                pass  # not about the negotiation: `MediaPath` and `QualityWatch` handle them
            case DigitHeard() | DigitsSent() | DigitsRefused():
                pass
        return ()

    def timed_out(self, timer: Timer) -> tuple[Progress, ...]:
        if timer is Timer.GATHER_WINDOW:
            return self._hand_out()
        slow = GatheringSlow(some=self._candidates > 0)
        if self.local_sdp is None:
            return (slow, LocalFailed("set_local", "no local description within 15 s"))
        return (slow, *self._hand_out())

    def _open_source(self, now: float) -> None:
        if self.config.send_audio:
            self._act(OpenSource(self.media, self.source, self.constraints))
        else:
            self._describe(now)

    def _describe(self, now: float) -> None:
        """Order the local description, with a time limit: an engine that never answers must not block the call."""
        self._timers.set(Timer.GATHER_SAFETY, now + timeouts.GATHER_SAFETY, self.media)
        self._act(CreateOffer(self.media) if self.config.role == "offer" else CreateAnswer(self.media))

    def _apply(self, kind: DescriptionKind, sdp: str) -> None:
        assert not self._remote_asked, "one remote description for each peer (MEDIA-508)"
        self._remote_asked = True
        self.remote_sdp = sdp
        self._act(ApplyRemote(self.media, kind, sdp))

    def _remote_applied(self, now: float) -> tuple[Progress, ...]:
        if self.remote_in_place:
            return ()
        self.remote_in_place = True
        for action in self._remote_candidates:
            self._act(action)
        self._remote_candidates.clear()
        if self.config.role == "answer":
            self._open_source(now)
            return (RemoteInPlace("offer"),)
        return (RemoteInPlace("answer"),)

    def _described(self, sdp: str, now: float, *, complete: bool) -> tuple[Progress, ...]:
        first = self.local_sdp is None
        self.local_sdp = sdp
        self._complete = self._complete or complete
        if self.config.trickle:
            return (*self._hand_out(), *self._flush())
        if complete:
            return self._hand_out()
        if first:
            self._timers.set(Timer.GATHER_SAFETY, now + timeouts.GATHER_SAFETY, self.media)
            if self._candidates:  # gathered ahead of the description (MEDIA-023)
                self._timers.set(Timer.GATHER_WINDOW, now + self.window, self.media)
        return ()

    def _found(self, found: CandidateFound, now: float) -> tuple[Progress, ...]:
        self._candidates += 1
        self._beyond_host = self._beyond_host or _HOST not in found.candidate
        if self.config.trickle:
            self._unsent.append(found)
            return self._flush()
        if self._candidates == 1 and self.local_sdp is not None and not self.sent:
            self._timers.set(Timer.GATHER_WINDOW, now + self.window, self.media)
        return ()

    def _hand_out(self) -> tuple[Progress, ...]:
        if self.sent or self.local_sdp is None:
            return ()
        self.sent = True
        self._timers.stop(Timer.GATHER_WINDOW, self.media)
        self._timers.stop(Timer.GATHER_SAFETY, self.media)
        return (SdpReady(self.local_sdp, only_host=not self.config.trickle and _only_host(self.local_sdp)),)

    def _flush(self) -> tuple[Progress, ...]:
        """Candidates go out after the description, and only those that it does not carry already (MEDIA-105)."""
        if not self.sent or self.local_sdp is None:
            return ()
        steps: list[Progress] = [
            CandidateReady(found) for found in self._unsent if found.candidate not in self.local_sdp
        ]
        self._unsent.clear()
        if self._complete and not self._ended:
            self._ended = True
            some = self._candidates > 0 or _CANDIDATE in self.local_sdp
            steps.append(CandidatesEnded(only_host=some and not self._beyond_host and not _beyond_host(self.local_sdp)))
        return tuple(steps)


def _only_host(sdp: str) -> bool:
    return _CANDIDATE in sdp and not _beyond_host(sdp)


def _beyond_host(sdp: str) -> bool:
    return any(line.startswith(_CANDIDATE) and _HOST not in line for line in sdp.splitlines())
