"""One client in the simulation: a session, its wire, its media engine, and what its application has heard."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from random import Random
from typing import TypeVar

from attrs import evolve

from telnyx_core._wire.codec import Request, decode
from telnyx_core._wire.json_types import Json, JsonView
from telnyx_core.actions import (
    AbandonPost,
    AbandonSocket,
    Action,
    AskToken,
    ClosePeer,
    CloseSocket,
    GiveUpUpload,
    Notify,
    OpenSocket,
    Outcome,
    PostBody,
    PrepareMedia,
    RecordCall,
    Remember,
    SendText,
    Settle,
    StartTone,
    StopTone,
    UseMedia,
    WriteDebug,
    WriteRecording,
    WriteReport,
)
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import CallInfo, CallUpdated, Cause, ErrorRaised, Event, WarningRaised
from telnyx_core.facts import Fact, NetworkChange, NetworkChanged, TokenProvided, TokenRefused
from telnyx_core.gateway.facts import GatewayFact
from telnyx_core.ids import CallId, Ticket, TokenRequest
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.session import Session
from telnyx_core.states import LIVE, CallState, SessionState
from telnyx_core.testing.clock import VirtualClock
from telnyx_core.testing.commands import Commands
from telnyx_core.testing.contract import ContractChecker, ContractViolation
from telnyx_core.testing.media import MediaModel
from telnyx_core.testing.reports import ReportServer
from telnyx_core.testing.snapshot import snapshot
from telnyx_core.testing.wire import Wire

_T = TypeVar("_T")
_EventT = TypeVar("_EventT", bound=Event)
_PLAIN_CALL = CallOptions()


class SimClient(Commands):
    """The commands are those of `Session`. A refused one raises, as it would in an application."""

    def __init__(
        self,
        options: ClientOptions,
        clock: VirtualClock,
        model: MediaModel,
        *,
        seed: int,
        far_ids: Iterator[int],
        tell_gateway: Callable[[GatewayFact], None],
        remembered: JsonView | None,
        strict: bool,
    ) -> None:
        rng = Random(seed)
        self.options = options
        self.session = Session(options, rng=Random(rng.getrandbits(64)), remembered=remembered)
        self.ledger = ContractChecker()
        self.wire = Wire(clock, Random(rng.getrandbits(64)), far_ids, tell_client=self.tell, tell_gateway=tell_gateway)
        self.media = model.engine(self.tell)
        self._model = model
        self.events: list[tuple[float, Event]] = []
        """The events of the application, with their times."""
        self.actions: list[tuple[float, Action]] = []
        """Everything that the core has ordered, and when."""
        self.outcomes: dict[Ticket, Outcome] = {}
        """The outcomes of the tickets that have been settled."""
        self.remembered: JsonView | None = remembered
        """The values that a store would have written last."""
        self.reports = ReportServer(clock, self.tell)
        self.tokens: list[str] = []
        """What its token provider gives, in order; then nothing."""
        self.gone = False
        """Its process has ended."""
        self.spares_what_works = True
        """Raise `ContractViolation` where the core gives up a direction of a call's audio that was heard, or asks the
        server to renew a path that works."""
        self._clock = clock
        self._strict = strict
        self._frozen_until = 0.0
        self._unread: list[Fact] = []

    # The application's side.

    def new_call(self, destination: str = "echo", options: CallOptions = _PLAIN_CALL) -> CallId:
        given = evolve(options, destination_number=destination)
        return self._ask(lambda now: self.session.new_call(given, now=now))

    def network(self, change: NetworkChange) -> None:
        """The host reports news of its network."""
        self.tell(NetworkChanged(change))

    # Looking.

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def calls(self) -> Mapping[CallId, CallInfo]:
        return self.session.calls

    def state_of(self, call: CallId) -> CallState:
        """The state that the application heard last; DESTROY once the call has ended."""
        return self.told_of(call).state

    def told_of(self, call: CallId) -> CallInfo:
        """The last that the application heard of a call."""
        for _, event in reversed(self.events):
            if isinstance(event, CallUpdated) and event.call.id == call:
                return event.call
        raise LookupError(f"nothing was heard of call {call}")

    def states(self, call: CallId) -> list[CallState]:
        """The states of a call as the application heard them, each once in a row."""
        heard = [event.call.state for event in self.all_of(CallUpdated) if event.call.id == call]
        return [state for index, state in enumerate(heard) if index == 0 or state is not heard[index - 1]]

    def cause_of(self, call: CallId) -> Cause | None:
        return self.told_of(call).ended

    def all_of(self, kind: type[_EventT]) -> list[_EventT]:
        """The events of one kind, oldest first."""
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def urls(self) -> list[str]:
        """The URL of each socket, oldest first. They hold the routing token."""
        return [action.url for _, action in self.actions if isinstance(action, OpenSocket)]

    def errors(self) -> list[int]:
        """The codes of the errors that the application heard."""
        return [event.code for event in self.all_of(ErrorRaised)]

    def warnings(self) -> list[int]:
        return [event.code for event in self.all_of(WarningRaised)]

    def requests(self, method: str) -> list[JsonView]:
        """The params of every request that this client sent with this method."""
        return [params for sent, params in self._frames("up") if sent == method]

    def heard(self, method: str) -> list[JsonView]:
        """The params of every request that the gateway sent to this client with this method."""
        return [params for sent, params in self._frames("down") if sent == method]

    def _frames(self, way: str) -> Iterator[tuple[str, dict[str, Json]]]:
        for frame in self.wire.log:
            decoded = decode(frame.text)
            if frame.way == way and isinstance(decoded, Request):
                yield decoded.method, decoded.params

    # The world's side.

    def freeze(self, seconds: float) -> None:
        """The process stands still: nothing is read, no deadline is met, and then all at once, deadlines first."""
        self._frozen_until = self._clock.now + seconds
        self._clock.at(self._frozen_until, self._thaw)

    @property
    def due(self) -> float | None:
        """When it has to be woken, or can be."""
        due = self.session.next_timeout()
        return None if due is None else max(due, self._frozen_until)

    def _thaw(self) -> None:
        due = self.session.next_timeout()
        if due is not None and due <= self._clock.now:
            self.wake()
        unread, self._unread = self._unread, []
        for fact in unread:
            self.tell(fact)

    def tell(self, fact: Fact) -> None:
        """One fact for the session, then drain."""
        if self.gone:
            return
        if self._clock.now < self._frozen_until:
            self._unread.append(fact)
            return
        self.ledger.heard(fact)
        self.session.receive(fact, now=self._clock.now)
        self.drain()

    def wake(self) -> None:
        """The session's deadline has come."""
        self.session.handle_timeout(now=self._clock.now)
        self.drain()
        following = self.session.next_timeout()
        if following is not None and following <= self._clock.now:
            raise ContractViolation(f"a deadline that stays due: {self.session.next_timeout_reason()}")

    def drain(self) -> None:
        while (action := self.session.next_action()) is not None:
            self.actions.append((self._clock.now, action))
            self.ledger.note(action)
            with self._sparing(action) if self.spares_what_works else nullcontext():
                self._perform(action)

    @contextmanager
    def _sparing(self, action: Action) -> Generator[None]:
        """No step of a recovery may make a direction silent that was heard."""
        match action:
            case SendText(_, text) if '"updateMedia"' in text:
                for call, (heard, is_heard) in self._directions().items():
                    peer = self.media.peer_in_use(call)
                    asked = isinstance(frame := decode(text), Request) and frame.call == call
                    if asked and peer is not None and peer.state == "connected" and heard and is_heard:
                        raise ContractViolation(f"a path of call {call} that works is renewed")
                yield
            case UseMedia() | ClosePeer():
                before = self._directions()
                yield
                for call, after in self._directions().items():
                    for way, was, now in zip(("in", "out"), before[call], after, strict=True):
                        if was and not now:
                            raise ContractViolation(f"call {call} was heard on its way {way}, and is no more: {action}")
            case _:
                yield

    def _directions(self) -> dict[CallId, tuple[bool, bool]]:
        """Of each living call: is the far end heard here, and are we there?"""
        found: dict[CallId, tuple[bool, bool]] = {}
        for call, info in self.session.calls.items():
            peer = self.media.peer_in_use(call)
            if info.state in LIVE:
                found[call] = (
                    peer is not None and self._model.hears(peer),
                    peer is not None and self._model.is_heard(peer),
                )
        return found

    def _perform(self, action: Action) -> None:
        match action:
            case OpenSocket(socket, url):
                self.wire.open(socket, url)
            case SendText(socket, text):
                self.wire.send(socket, text)
            case CloseSocket(socket):
                self.wire.close(socket)
            case AbandonSocket(socket):
                self.wire.abandon(socket)
            case StartTone() | StopTone() | PrepareMedia():
                pass  # The checker keeps the tones; prepared media has no visible effect.
            case Settle(ticket, outcome):
                self.outcomes[ticket] = outcome
            case WriteReport() | RecordCall() | WriteRecording() | PostBody() | AbandonPost() | GiveUpUpload():
                self.reports.perform(action)
            case AskToken(request):
                self._ask_for_token(request)
            case WriteDebug():
                pass
            case Remember(values):
                self.remembered = values
            case Notify(event):
                self.events.append((self._clock.now, event))
            case _:
                self.media.perform(action)

    def _ask_for_token(self, request: TokenRequest) -> None:
        fact = TokenProvided(request, self.tokens.pop(0)) if self.tokens else TokenRefused(request, "it has no more")
        self._clock.after(1.0, lambda: self.tell(fact))

    def _ask(self, command: Callable[[float], _T]) -> _T:
        before = snapshot(self.session) if self._strict else None
        try:
            answer = command(self._clock.now)
        except (LocalProtocolError, ValueError):
            if self._strict and snapshot(self.session) != before:
                raise ContractViolation("a refused command has changed something") from None
            raise
        self.drain()
        return answer
