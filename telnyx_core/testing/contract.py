"""The driver's contract as a model: which handles are open, and which replies each action is owed.

Small enough to be obviously right. Any driver can keep one beside its session: every action is entered before it is
performed, every fact before the session receives it. An action that the core must not order raises `ContractViolation`,
and so does a fact that the contract of `telnyx_core.actions` does not allow for its handle.
"""

from enum import Enum
from typing import TypeAlias

from attrs import define, field, frozen

from telnyx_core.actions import (
    AbandonPost,
    AbandonSocket,
    Action,
    AddCandidate,
    ApplyRemote,
    AskToken,
    ClosePeer,
    CloseSocket,
    CreateAnswer,
    CreateOffer,
    Failed,
    GiveUpUpload,
    Notify,
    OpenPeer,
    OpenSocket,
    OpenSource,
    PeerConfig,
    PostBody,
    PrepareMedia,
    RecordCall,
    RecordingMode,
    Remember,
    SendDigits,
    SendText,
    SetDeaf,
    SetMaxBitRate,
    SetMuted,
    Settle,
    StartTone,
    StopTone,
    TakeStats,
    ToneKind,
    UseMedia,
    WriteDebug,
    WriteRecording,
    WriteReport,
)
from telnyx_core.events import CallInfo, CallUpdated, Event, SessionClosed, SocketClose, SocketOpen
from telnyx_core.facts import (
    AudioBroke,
    BinaryReceived,
    CandidateError,
    CandidateFound,
    DigitHeard,
    DigitSensed,
    DigitsRefused,
    DigitsSent,
    Fact,
    LocalDescribed,
    MediaFact,
    MediaHeard,
    NegotiationFailed,
    NetworkChanged,
    PeerStateChanged,
    PostAnswered,
    PostFailed,
    RecordingFault,
    RemoteApplied,
    RemoteRefused,
    SocketClosed,
    SocketFact,
    SocketOpened,
    SocketRefused,
    SourceOpened,
    SourceRefused,
    StatsTaken,
    TextReceived,
    TokenProvided,
    TokenRefused,
    TransportStateChanged,
    UploadFact,
    UploadWritten,
)
from telnyx_core.ids import CallId, MediaId, SocketId, Ticket, TokenRequest, UploadId
from telnyx_core.states import CallState
from telnyx_core.stats.snapshot import StatsSnapshot


class ContractViolation(AssertionError):
    """The contract between core and driver was broken."""


def _require(condition: bool, story: str) -> None:
    if not condition:
        raise ContractViolation(story)


class SocketPhase(Enum):
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


@frozen
class OwedReply:
    """The reply that one action is owed: any fact of ``kept`` or ``broken`` satisfies it."""

    action: Action
    kept: tuple[Fact, ...]
    broken: tuple[Fact, ...] = ()


@define
class PeerBook:
    """What has been ordered of one peer, and what was reported."""

    call: CallId
    config: PeerConfig
    source: str = "closed"  # closed, asked, open, refused
    description: str = "none"  # none, asked, made, failed
    remote: str = "none"  # none, asked, applied, refused
    digits: int = 0
    """Orders to send some that have not been answered."""
    switches: int = 0
    """Orders to open another source in the place of the one that is open, likewise."""


Upload: TypeAlias = WriteReport | WriteRecording | PostBody


@define
class ContractChecker:
    """One for each session. `note` and `heard` are all that a driver calls; `asked` where commands return tickets."""

    sockets: dict[SocketId, SocketPhase] = field(factory=dict[SocketId, SocketPhase])
    peers: dict[MediaId, PeerBook] = field(factory=dict[MediaId, PeerBook])
    calls: dict[CallId, CallState] = field(factory=dict[CallId, CallState])
    """The last state that the application heard of each call that has not been destroyed."""
    in_use: dict[CallId, MediaId] = field(factory=dict[CallId, MediaId])
    """The peer that the audio of each call goes through."""
    tones: set[tuple[CallId, ToneKind]] = field(factory=lambda: set[tuple[CallId, ToneKind]]())
    tickets: set[Ticket] = field(factory=lambda: set[Ticket]())
    """Not settled yet."""
    uploads: dict[UploadId, Upload] = field(factory=lambda: dict[UploadId, Upload]())
    """What the driver is writing or posting."""
    recordings: dict[CallId, RecordingMode] = field(factory=lambda: dict[CallId, RecordingMode]())
    """Of each call that is recorded, or whose recording is not dropped yet."""
    token_request: TokenRequest | None = None
    """The newest that the application has not answered yet."""
    ended: int = 0
    """Calls that the application has heard end."""
    _last_socket: int = 0
    _last_media: int = 0
    _last_ticket: int = 0
    _last_upload: int = 0
    _last_request: int = 0
    _announced: set[SocketId] = field(factory=lambda: set[SocketId]())

    # What the core orders.

    def asked(self, ticket: Ticket) -> None:
        """A command has returned this ticket, which must be settled exactly once."""
        _require(ticket > self._last_ticket, f"ticket {ticket} was given out before")
        self._last_ticket = ticket
        self.tickets.add(ticket)

    def note(self, action: Action) -> OwedReply | None:
        """Enter an action. Raises `ContractViolation` if the core must not order it now; returns what it is owed."""
        match action:
            case OpenSocket() | SendText() | CloseSocket() | AbandonSocket():
                return self._note_socket(action)
            case StartTone(call, tone):
                _require((call, tone) not in self.tones, f"{tone} of {call} sounds already")
                self.tones.add((call, tone))
            case StopTone(call, tone):
                _require((call, tone) in self.tones, f"{tone} of {call} does not sound")
                self.tones.remove((call, tone))
            case Settle(ticket, outcome):
                _require(ticket in self.tickets, f"ticket {ticket} is settled already, or was never given out")
                _require(not isinstance(outcome, Failed) or bool(str(outcome.failure)), "a failure says why")
                self.tickets.remove(ticket)
            case Notify(event):
                self._note_event(event)
            case AskToken(request):
                _require(request > self._last_request, f"token request {request} was there before")
                self.token_request = request
                self._last_request = request
                return OwedReply(action, (TokenProvided(request, "another.token"),), (TokenRefused(request, "none"),))
            case WriteReport() | WriteRecording() | PostBody() | AbandonPost():
                return self._note_upload(action)
            case RecordCall(call, mode):
                self._note_recording(call, mode)
            case GiveUpUpload() | WriteDebug() | Remember() | PrepareMedia():
                pass
            case OpenPeer():
                _require(action.media > self._last_media, f"peer {action.media} was there before")
                self._last_media = action.media
                self.peers[action.media] = PeerBook(action.call, action.config)
            case _:
                return self._note_media(action)
        return None

    def _note_socket(self, action: OpenSocket | SendText | CloseSocket | AbandonSocket) -> OwedReply | None:
        socket, phase = action.socket, self.sockets.get(action.socket)
        match action:
            case OpenSocket():
                _require(not self.sockets, f"socket {socket} is opened beside {list(self.sockets)} (SIG-295)")
                _require(socket > self._last_socket, f"socket {socket} was there before (SIG-030)")
                self._last_socket = socket
                self.sockets[socket] = SocketPhase.OPENING
                opened = SocketOpened(socket, 0.0)
                lost = SocketClosed(socket, 1006, "", clean=False, error="no connection")
                return OwedReply(action, (opened,), (SocketRefused(socket, "no socket"), lost))
            case SendText(text=text):
                _require(phase is SocketPhase.OPEN, f"text for socket {socket}, which is {phase}")
                _require(bool(text), "an empty frame")
            case CloseSocket():
                _require(phase is SocketPhase.OPEN, f"socket {socket} is closed, which is {phase}")
                self.sockets[socket] = SocketPhase.CLOSING
                return OwedReply(action, (SocketClosed(socket, 1000, "", clean=True),))
            case AbandonSocket():
                _require(phase is not None, f"socket {socket} is abandoned, which is not there")
                del self.sockets[socket]
        return None

    def _note_recording(self, call: CallId, mode: RecordingMode) -> None:
        before = self.recordings.get(call)
        match mode:
            case "on" | "held":
                _require(before in (None, "on", "held"), f"call {call} is recorded again after it was {before}")
            case "off":
                _require(before in ("on", "held"), f"the recording of call {call} ends, which is {before}")
            case "dropped":
                self.recordings.pop(call, None)
                return
        self.recordings[call] = mode

    def _note_upload(self, action: WriteReport | WriteRecording | PostBody | AbandonPost) -> OwedReply | None:
        upload = action.upload
        if isinstance(action, AbandonPost):
            _require(upload in self.uploads, f"upload {upload} is abandoned, which is not under way")
            del self.uploads[upload]
            return None
        _require(upload > self._last_upload, f"upload {upload} was there before")
        self._last_upload = upload
        self.uploads[upload] = action
        match action:
            case WriteRecording(_, part):
                _require(part.call in self.recordings, f"call {part.call} was never recorded")
                return OwedReply(action, (UploadWritten(upload, (b"{}",)),), (UploadWritten(upload, ()),))
            case WriteReport():
                return OwedReply(action, (UploadWritten(upload, (b"{}",)),), (UploadWritten(upload, ()),))
            case PostBody():
                _require(bool(action.body), "an empty report")
                return OwedReply(action, (PostAnswered(upload, 200),), (PostFailed(upload, "no connection"),))

    def _note_media(
        self,
        action: OpenSource
        | CreateOffer
        | CreateAnswer
        | ApplyRemote
        | AddCandidate
        | UseMedia
        | SetMuted
        | SetDeaf
        | SetMaxBitRate
        | SendDigits
        | TakeStats
        | ClosePeer,
    ) -> OwedReply | None:
        media, book = action.media, self.peers.get(action.media)
        if book is None:
            raise ContractViolation(f"{type(action).__name__} for peer {media}, which is not open")
        match action:
            case OpenSource():
                _require(book.source != "asked", f"the source of peer {media} is {book.source} already")
                _require(book.config.send_audio, f"peer {media} needs no source")
                if book.source == "open":
                    book.switches += 1
                else:
                    book.source = "asked"
                return OwedReply(action, (SourceOpened(media, "line"),), (SourceRefused(media, "other", "no source"),))
            case CreateOffer() | CreateAnswer():
                offers = isinstance(action, CreateOffer)
                _require(offers == (book.config.role == "offer"), f"peer {media} is there to {book.config.role}")
                _require(book.description == "none", f"peer {media} is described twice (MEDIA-508)")
                _require(offers or book.remote == "applied", f"peer {media} answers before there is an offer")
                sourced = book.source == "open" or not book.config.send_audio
                _require(sourced, f"peer {media} is described while its source is {book.source}")
                book.description = "asked"
                described = LocalDescribed(media, f"v=0\r\na=ice-ufrag:{media}\r\n", complete=True)
                failed = NegotiationFailed(media, "create_offer" if offers else "create_answer", "no description")
                return OwedReply(action, (described,), (failed,))
            case ApplyRemote(kind=kind):
                _require((kind == "answer") == (book.config.role == "offer"), f"peer {media} is given an {kind}")
                _require(book.remote == "none", f"peer {media} has a remote description already (MEDIA-508)")
                made = book.description == "made"
                _require(kind == "offer" or made, f"peer {media} gets an answer to what it never offered")
                book.remote = "asked"
                return OwedReply(action, (RemoteApplied(media),), (RemoteRefused(media, "not understood"),))
            case AddCandidate():
                _require(book.remote == "applied", f"a candidate for peer {media} before its description (MEDIA-110)")
            case ClosePeer():
                del self.peers[media]
                if self.in_use.get(book.call) == media:
                    del self.in_use[book.call]
            case UseMedia():
                self.in_use[book.call] = media
            case SendDigits():
                book.digits += 1
                return OwedReply(action, (DigitsSent(media),), (DigitsRefused(media, "no telephone-event"),))
            case TakeStats():
                return OwedReply(action, (StatsTaken(media, StatsSnapshot()),))
            case SetMuted() | SetDeaf() | SetMaxBitRate():
                pass
        return None

    def _note_event(self, event: Event) -> None:
        match event:
            case CallUpdated(call):
                self._note_call(call)
            case SocketOpen(socket):
                _require(self.sockets.get(socket) is SocketPhase.OPEN, f"socket {socket} is announced but not open")
                _require(socket not in self._announced, f"socket {socket} is announced twice")
                self._announced.add(socket)
            case SocketClose(socket):
                _require(socket not in self.sockets, f"socket {socket} is announced as closed but is there")
                _require(socket <= self._last_socket, f"socket {socket} never was")
            case SessionClosed():
                self.at_rest()
            case _:
                pass

    def _note_call(self, call: CallInfo) -> None:
        ident, state, before = call.id, call.state, self.calls.get(call.id)
        self.calls[ident] = state
        if before is None:
            fresh = state in (CallState.NEW, CallState.RECOVERING)
            _require(fresh, f"the first that is heard of call {ident} is that it is {state.value}")
        elif state is not before:
            _require(call.previous is before, f"call {ident} goes from {before.value} to {state.value} unheard")
        if state in (CallState.HANGUP, CallState.DESTROY):
            _require(call.ended is not None, f"call {ident} ends without a cause")
        if state is CallState.DESTROY:
            del self.calls[ident]
            self.ended += 1
            open_peers = [media for media, book in self.peers.items() if book.call == ident]
            _require(not open_peers, f"call {ident} has ended, its peers {open_peers} are open (CALL-440)")
            sounding = [tone for owner, tone in self.tones if owner == ident]
            _require(not sounding, f"call {ident} has ended, its {sounding} sounds")

    def at_rest(self) -> None:
        """Raises `ContractViolation` unless the session holds nothing."""
        _require(not self.sockets, f"a session at rest holds the sockets {self.sockets}")
        _require(not self.peers, f"a session at rest holds the peers {list(self.peers)}")
        _require(not self.calls, f"a session at rest has the calls {self.calls}")
        _require(not self.tones, f"a session at rest sounds {self.tones}")

    # Facts.

    def alive(self, fact: Fact) -> bool:
        """Whether the fact is of a handle that the driver still has."""
        match fact:
            case NetworkChanged() | RecordingFault() | AudioBroke() | DigitSensed():
                return True
            case SocketOpened() | SocketRefused() | TextReceived() | BinaryReceived() | SocketClosed():
                return fact.socket in self.sockets
            case UploadWritten() | PostAnswered() | PostFailed():
                return fact.upload in self.uploads
            case TokenProvided() | TokenRefused():
                return fact.request == self.token_request
            case _:
                return fact.media in self.peers

    def heard(self, fact: Fact) -> None:
        """Enter a fact before the session receives it. Late facts of a released handle are allowed at any time."""
        if not self.alive(fact):
            return
        match fact:
            case SocketOpened() | SocketRefused() | TextReceived() | BinaryReceived() | SocketClosed():
                self._socket_heard(fact)
            case NetworkChanged() | RecordingFault() | AudioBroke() | DigitSensed():
                pass
            case UploadWritten() | PostAnswered() | PostFailed():
                self._upload_heard(fact)
            case TokenProvided() | TokenRefused():
                self.token_request = None
            case _:
                self._media_heard(fact)

    def _upload_heard(self, fact: UploadFact) -> None:
        action = self.uploads.pop(fact.upload)
        written = isinstance(fact, UploadWritten)
        _require(written != isinstance(action, PostBody), f"{type(fact).__name__} for {type(action).__name__}")

    def _socket_heard(self, fact: SocketFact) -> None:
        socket = fact.socket
        phase = self.sockets[socket]
        match fact:
            case SocketOpened():
                _require(phase is SocketPhase.OPENING, f"socket {socket} opens while it is {phase}")
                self.sockets[socket] = SocketPhase.OPEN
            case SocketRefused():
                _require(phase is SocketPhase.OPENING, f"socket {socket} is refused while it is {phase}")
                del self.sockets[socket]
            case TextReceived() | BinaryReceived():
                _require(phase is not SocketPhase.OPENING, f"a frame on socket {socket} before it is open")
            case SocketClosed():
                del self.sockets[socket]

    def _media_heard(self, fact: MediaFact) -> None:
        media = fact.media
        book = self.peers[media]
        match fact:
            case SourceOpened() | SourceRefused():
                if book.switches:
                    book.switches -= 1
                    return
                _require(book.source == "asked", f"news of the source of peer {media}, which is {book.source}")
                book.source = "open" if isinstance(fact, SourceOpened) else "refused"
            case LocalDescribed():
                _require(book.description in ("asked", "made"), f"peer {media} describes itself unasked")
                book.description = "made"
            case NegotiationFailed():
                _require(book.description in ("asked", "made"), f"peer {media} fails at what nobody asked")
                book.description = "failed"
            case RemoteApplied() | RemoteRefused():
                _require(book.remote == "asked", f"news of the remote description of peer {media}: {book.remote}")
                book.remote = "applied" if isinstance(fact, RemoteApplied) else "refused"
            case CandidateFound() | CandidateError() | PeerStateChanged() | TransportStateChanged():
                pass
            case DigitsSent() | DigitsRefused():
                _require(book.digits > 0, f"peer {media} tells of digits that nobody sent")
                book.digits -= 1
            case MediaHeard() | DigitHeard() | StatsTaken():
                pass
