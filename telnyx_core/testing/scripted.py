"""A session under a virtual clock, with the far end and the media engine played by hand; `Rig` adds whole calls to it.

Nothing happens by itself: no frame is answered, no socket opens, no peer connects, and time stands still until
`Stage.advance`. Two things do: the last reading of an ending call is given at once, as by a healthy engine, and call
reports are taken at once, as by a healthy platform. Every action and every fact passes a `ContractChecker`, so a broken
driver contract ends a test at once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final, Self, TypeAlias, TypeVar, cast

from telnyx_core._wire.codec import Frame, Plain, Reply, Request, decode, encode
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import (
    Action,
    Notify,
    OpenPeer,
    OpenSocket,
    Outcome,
    PostBody,
    SendText,
    Settle,
    TakeStats,
    WriteRecording,
    WriteReport,
)
from telnyx_core.events import CallInfo, CallUpdated, ErrorRaised, Event, WarningRaised
from telnyx_core.facts import (
    CandidateFound,
    Fact,
    LocalDescribed,
    MediaHeard,
    NetworkChange,
    NetworkChanged,
    PeerState,
    PeerStateChanged,
    PostAnswered,
    RemoteApplied,
    RemoteRefused,
    SocketClosed,
    SocketOpened,
    SourceFault,
    SourceOpened,
    SourceRefused,
    StatsTaken,
    TextReceived,
    UploadWritten,
)
from telnyx_core.ids import CallId, MediaId, SocketId, Ticket
from telnyx_core.options import ClientOptions
from telnyx_core.session import Session
from telnyx_core.states import LIVE, SessionState
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.commands import Commands
from telnyx_core.testing.contract import ContractChecker
from telnyx_core.testing.wire import EPOCH

LOCAL_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 111\r\n"
    "a=ice-ufrag:here\r\na=ice-pwd:herehereherehereherehere\r\na=fingerprint:sha-256 AA:AA\r\n"
    "a=candidate:1 1 udp 1694498815 203.0.113.1 40000 typ srflx raddr 192.0.2.1 rport 40000\r\n"
)
REMOTE_SDP: Final = (
    "v=0\r\no=- 2 2 IN IP4 198.51.100.2\r\ns=-\r\nt=0 0\r\nm=audio 20000 RTP/SAVPF 111 110\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n"
    "a=ice-ufrag:there\r\na=ice-pwd:therethertherethertherether\r\na=fingerprint:sha-256 BB:BB\r\n"
    "a=candidate:1 1 udp 2130706431 198.51.100.2 20000 typ host\r\n"
)
REATTACH_SDP: Final = REMOTE_SDP.replace("there", "again")
"""What the far end offers with an attach: the ICE credentials are new, so a new peer is needed."""

_PLAIN_METHODS: Final = frozenset({"login", "anonymous_login", "ai_conversation"})
_LOGINS: Final = ("login_token", "login", "password", "anonymous_login")

Error: TypeAlias = tuple[int, str] | JsonObject
Where: TypeAlias = CallId | MediaId | None
"""Which peer: the newest of a call, one by its handle, or the newest of all."""

_T = TypeVar("_T")
_Happened = TypeVar("_Happened", bound=Event)


class FixedDice(Random):
    """A generator whose ``random()`` is constant; ids still differ. The documents' timelines assume "r = 0.5"."""

    def __init__(self, r: float, seed: int = 0) -> None:
        super().__init__(seed)
        self._r = r

    def random(self) -> float:
        return self._r


class Stage(Commands):
    """`Session` under a virtual clock that starts at 0 s. Keywords are options of the client.

    Without a login method a made-up token is used. ``seed`` seeds the random generator, ``r`` fixes its ``random()``.
    """

    def __init__(
        self, *, seed: int = 0, r: float | None = None, remembered: JsonView | None = None, **options: object
    ) -> None:
        if not any(name in options for name in _LOGINS):
            options["login_token"] = "header.payload.signature"  # noqa: S105  # a made-up one
        rng = Random(seed) if r is None else FixedDice(r, seed)
        self.session = Session(ClientOptions.from_mapping(options), rng=rng, remembered=remembered)
        self.ledger = ContractChecker()
        self.now = 0.0
        self.socket = SocketId(0)
        """The newest socket."""
        self.urls: list[str] = []
        self.peers: dict[CallId, list[MediaId]] = {}
        """The peers that were ordered for each call, oldest first, closed ones too."""
        self.timeline: list[tuple[float, Action]] = []
        """Every action since `clear`, with the time at which it was taken."""
        self.outcomes: dict[Ticket, Outcome] = {}
        self.reading: Callable[[float], StatsSnapshot | None] = lambda now: StatsSnapshot()
        """The counters of every peer at a time; ``None``: the engine cannot read them."""
        self.takes_reports = True
        """Whether what is to be written and posted for call reports is, with the answer 200."""
        self.metered = False
        """Readings are given whenever they are ordered, and not only the last one of a call."""
        self.reflex: Callable[[Action], Iterable[Fact]] | None = None
        """Facts that follow an action at once, if a test needs that."""
        self._ids = 0
        self._newest: MediaId | None = None
        self._waiting: dict[str, Request] = {}
        self._standing: dict[str, tuple[JsonObject | None, Error | None]] = {}
        self._facts: deque[Fact] = deque()

    @classmethod
    def registered(
        cls, *, seed: int = 0, r: float | None = None, remembered: JsonView | None = None, **options: object
    ) -> Self:
        """One whose session is READY, with an empty record."""
        stage = cls(seed=seed, r=r, remembered=remembered, **options)
        stage.ready()
        stage.clear()
        return stage

    # Looking.

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def actions(self) -> list[Action]:
        return [action for _, action in self.timeline]

    @property
    def events(self) -> list[Event]:
        return [action.event for action in self.actions if isinstance(action, Notify)]

    @property
    def sent(self) -> list[JsonObject]:
        """Every frame that was sent, parsed."""
        return [frame for _, frame in self.sent_at]

    @property
    def sent_at(self) -> list[tuple[float, JsonObject]]:
        return [(at, _parsed(action.text)) for at, action in self.timeline if isinstance(action, SendText)]

    @property
    def codes(self) -> list[int]:
        """The codes of the errors and warnings that the application heard, in order."""
        return [event.code for event in self.events if isinstance(event, ErrorRaised | WarningRaised)]

    def frames(self, method: str) -> list[JsonObject]:
        """The frames with this method. ``invite`` stands for ``telnyx_rtc.invite``, here and everywhere below."""
        return [frame for frame in self.sent if frame.get("method") == _full(method)]

    def times(self, method: str) -> list[float]:
        """When frames with this method were sent."""
        return [at for at, frame in self.sent_at if frame.get("method") == _full(method)]

    def params(self, method: str) -> JsonObject:
        """The ``params`` of the last frame with this method."""
        frames = self.frames(method)
        assert frames, f"no {method} was sent"
        params = frames[-1].get("params")
        assert isinstance(params, dict), f"{method} has no params"
        return params

    @property
    def acknowledged(self) -> list[tuple[Json, Json]]:
        """The acknowledgements that were sent: id and method."""
        results = [(frame.get("id"), frame.get("result")) for frame in self.sent if "result" in frame]
        return [(ident, result.get("method")) for ident, result in results if isinstance(result, dict)]

    def heard_of(self, kind: type[_Happened]) -> list[_Happened]:
        """The events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    def states(self, call: CallId) -> list[str]:
        """The states of a call in the application's events; updates that change no state are left out."""
        states: list[str] = []
        for event in self.heard_of(CallUpdated):
            if event.call.id == call and (not states or states[-1] != event.call.state.value):
                states.append(event.call.state.value)
        return states

    def info(self, call: CallId) -> CallInfo:
        return self.session.call(call)

    def waits_for(self, method: str) -> bool:
        """Whether a request of this method has been sent on this socket and not been answered by the rig."""
        return any(request.method == _full(method) for request in self._waiting.values())

    @property
    def at_rest(self) -> bool:
        """Nothing more happens by itself, and nothing is held: no timer, call, peer, socket or open ticket."""
        held = (self.ledger.sockets, self.ledger.peers, self.ledger.calls, self.ledger.tones, self.ledger.tickets)
        return self.session.next_timeout() is None and not self.session.calls and not any(held)

    def clear(self) -> None:
        """Begin a new record."""
        self.timeline.clear()

    # Time and facts.

    def advance(self, seconds: float) -> None:
        """Let time pass: every deadline on the way is met, in order."""
        self.advance_to(self.now + seconds)

    def advance_to(self, time: float) -> None:
        while (due := self.session.next_timeout()) is not None and due <= time:
            self.now = max(self.now, due)
            self.session.handle_timeout(now=self.now)
            self.drain()
        self.now = max(self.now, time)

    def wait_for(self, state: SessionState) -> None:
        """Let time pass, deadline by deadline, until the session is in this state."""
        for _ in range(10_000):
            if self.state is state:
                return
            due = self.session.next_timeout()
            assert due is not None, f"the session is {self.state.value} and waits for nothing"
            self.advance_to(due)
        raise AssertionError(f"the session is still {self.state.value} at {self.now} s")

    def tell(self, fact: Fact) -> None:
        """Give the session any fact, also late facts of released handles."""
        self.ledger.heard(fact)
        self.session.receive(fact, now=self.now)
        self.drain()

    def drain(self) -> None:
        """Take every action; answer what has a standing answer."""
        while True:
            while (action := self.session.next_action()) is not None:
                self._note(action)
            if not self._facts:
                return
            fact = self._facts.popleft()
            self.ledger.heard(fact)
            self.session.receive(fact, now=self.now)

    # The socket.

    def connect(self) -> None:
        """Ask for a connection and open the socket: the login is sent."""
        self.ask_to_connect()
        self.open()

    def ask_to_connect(self) -> None:
        super().connect()

    def open(self) -> None:
        """The newest socket opens."""
        self.tell(SocketOpened(self.socket, EPOCH + self.now))

    def lose(self, code: int = 1006, reason: str = "", *, clean: bool = False, error: str = "") -> None:
        """The newest socket closes. With an ``error`` it failed."""
        self.tell(SocketClosed(self.socket, code, reason, clean=clean, error=error))

    def network(self, change: NetworkChange) -> None:
        self.tell(NetworkChanged(change))

    # What the far end says.

    def say(self, frame: Mapping[str, Json] | str) -> None:
        """One text frame as it is."""
        self.tell(TextReceived(self.socket, frame if isinstance(frame, str) else encode(dict(frame))))

    def request(self, method: str, /, **params: Json) -> int:
        """A request of the far end with the next integer id, which is returned."""
        self._ids += 1
        self.say({"jsonrpc": "2.0", "id": self._ids, "method": _full(method), "params": params})
        return self._ids

    def reply(
        self,
        method: str,
        result: JsonObject | None = None,
        *,
        error: Error | None = None,
        call: CallId | None = None,
        token: str | None = None,
    ) -> None:
        """Answer the oldest unanswered request of this method, or of this call: with a result, or with an error.

        ``token`` is the routing token that the frame brings along.
        """
        self.say(self._answer(self._take(method, call), result, error, token))

    def always(self, method: str, result: JsonObject | None = None, *, error: Error | None = None) -> None:
        """From now on answer requests of this method at once."""
        self._standing[_full(method)] = (result, error)

    def never(self, method: str) -> None:
        """Take a standing answer back."""
        self._standing.pop(_full(method), None)

    # Registration.

    def login_ok(self, session_id: str | None = "session-1", voice_sdk_id: str | None = "VSDK-1") -> None:
        """The login is accepted."""
        result: JsonObject = {"message": "logged in"}
        if session_id is not None:
            result["sessid"] = session_id
        self.reply("login" if self.waits_for("login") else "anonymous_login", result, token=voice_sdk_id)

    def login_refused(self, code: int = -32001, message: str = "Authentication Failure") -> None:
        self.reply("login" if self.waits_for("login") else "anonymous_login", error=(code, message))

    def client_ready(self, *sessions: str) -> None:
        """``clientReady``, with the calls that the server kept."""
        self.request("clientReady", reattached_sessions=list(sessions))

    def gateway(self, state: str = "REGED", **params: Json) -> None:
        """A gateway state: as the reply to a question where there is one, else pushed."""
        if self.waits_for("gatewayState"):
            self.reply("gatewayState", {"params": {"state": state, **params}})
        else:
            self.request("gatewayState", state=state, **params)

    def ready(self, *sessions: str) -> None:
        """Do whatever is missing until the session is READY: connect, open, log in, register."""
        if self.state in (SessionState.IDLE, SessionState.BACKOFF, SessionState.EXHAUSTED):
            self.ask_to_connect()
        if self.state is SessionState.CONNECTING:
            self.open()
        if self.state is SessionState.LOGGING_IN:
            self.login_ok()
        self.client_ready(*sessions)
        self.gateway()
        assert self.state is SessionState.READY, f"the session is {self.state.value}"

    def come_back(self, *sessions: str, code: int = 1006) -> None:
        """Lose the socket and be registered again on the next one, with what the server kept; no time passes."""
        self.lose(code)
        self.ready(*sessions)

    # What the media engine says.

    def media_ok(self, at: Where = None, label: str = "line") -> None:
        """The audio source runs."""
        self.tell(SourceOpened(self._peer(at), label))

    def media_refused(self, fault: SourceFault = "permission", reason: str = "denied", at: Where = None) -> None:
        self.tell(SourceRefused(self._peer(at), fault, reason))

    def describe(self, sdp: str = LOCAL_SDP, at: Where = None, *, complete: bool = True) -> None:
        """The local description, as of now."""
        self.tell(LocalDescribed(self._peer(at), sdp, complete=complete))

    def candidate(self, candidate: str = "candidate:7 1 udp 99 192.0.2.7 5000 typ host", at: Where = None) -> None:
        """One local candidate."""
        self.tell(CandidateFound(self._peer(at), candidate, sdp_mid="0", sdp_m_line_index=0))

    def remote_applied(self, at: Where = None) -> None:
        self.tell(RemoteApplied(self._peer(at)))

    def remote_refused(self, reason: str = "no common codec", at: Where = None) -> None:
        self.tell(RemoteRefused(self._peer(at), reason))

    def peer(self, state: PeerState, at: Where = None) -> None:
        """The peer connection's state changes."""
        self.tell(PeerStateChanged(self._peer(at), state))

    def audio(self, at: Where = None) -> None:
        """The first remote audio arrives."""
        self.tell(MediaHeard(self._peer(at)))

    # Inside.

    def _ask(self, command: Callable[[float], _T]) -> _T:
        answer = command(self.now)
        self.drain()
        return answer

    def _note(self, action: Action) -> None:
        self.ledger.note(action)
        self.timeline.append((self.now, action))
        match action:
            case OpenSocket(socket, url):
                self.socket = socket
                self.urls.append(url)
                self._waiting.clear()
            case SendText(_, text):
                self._note_frame(decode(text))
            case OpenPeer(media, call):
                self.peers.setdefault(call, []).append(media)
                self._newest = media
            case Settle(ticket, outcome):
                self.outcomes[ticket] = outcome
            case TakeStats(media):
                self._read(media)
            case WriteReport(upload, segment, number, limit) if self.takes_reports:
                self._facts.append(UploadWritten(upload, segment.bodies(number, list(segment.lines()), limit)))
            case WriteRecording(upload) if self.takes_reports:
                self._facts.append(UploadWritten(upload, (b"{}",)))
            case PostBody(upload) if self.takes_reports:
                self._facts.append(PostAnswered(upload, 200))
            case _:
                pass
        if self.reflex is not None:
            self._facts.extend(self.reflex(action))

    def _read(self, media: MediaId) -> None:
        call = self.session.calls.get(self.ledger.peers[media].call)
        if self.metered or call is None or call.state not in LIVE:
            reading = self.reading(self.now)
            if reading is not None:
                self._facts.append(StatsTaken(media, reading))

    def _note_frame(self, frame: Frame) -> None:
        match frame:
            case Request(id=str(ident), method=method):
                if method in self._standing:
                    answer = self._answer(ident, *self._standing[method])
                    self._facts.append(TextReceived(self.socket, encode(answer)))
                else:
                    self._waiting[ident] = frame
            case Request() | Reply() | Plain():
                pass  # a notification, an acknowledgement, or a speed test
            case _:
                raise AssertionError(f"the session sent what is no frame: {frame!r}")

    def _take(self, method: str, call: CallId | None = None) -> str:
        for ident, request in self._waiting.items():
            if request.method == _full(method) and call in (None, request.call):
                del self._waiting[ident]
                return ident
        waiting = sorted(request.method for request in self._waiting.values())
        raise AssertionError(f"the session does not wait for a reply to {method}, but to {waiting}")

    @staticmethod
    def _answer(ident: str, result: JsonObject | None, error: Error | None, token: str | None = None) -> JsonObject:
        frame: JsonObject = {"jsonrpc": "2.0", "id": ident}
        if error is None:
            frame["result"] = result or {}
        else:
            frame["error"] = {"code": error[0], "message": error[1]} if isinstance(error, tuple) else error
        return frame if token is None else {**frame, "voice_sdk_id": token}

    def _peer(self, at: Where) -> MediaId:
        if isinstance(at, str):
            assert self.peers.get(at), f"no peer was opened for the call {at}"
            return self.peers[at][-1]
        media = self._newest if at is None else at
        assert media is not None, "no peer was opened"
        return media


def _full(method: str) -> str:
    return method if method in _PLAIN_METHODS or "." in method else f"telnyx_rtc.{method}"


def _parsed(text: str) -> JsonObject:
    frame = decode(text)
    return frame.frame if isinstance(frame, Request | Reply) else cast("JsonObject", {"text": text})
