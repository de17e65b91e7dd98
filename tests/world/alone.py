"""The core alone against a world that keeps its contract and nothing else.

No gateway and no media model: whatever an action is owed comes in any order, kept or broken; the server says what it
likes, when it likes; the application asks at random. What must hold in *this* world holds in every other.
"""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from math import inf
from random import Random
from typing import Any, ClassVar, TypeAlias

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telnyx_core._signalling import messages as m
from telnyx_core._wire.codec import Request, decode, encode
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import Notify, SendText
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import CallUpdated
from telnyx_core.facts import (
    BinaryReceived,
    CandidateFound,
    DigitHeard,
    Fact,
    LocalDescribed,
    MediaHeard,
    NetworkChanged,
    PeerStateChanged,
    SocketClosed,
    TextReceived,
)
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import CallOptions
from telnyx_core.session import Session
from telnyx_core.states import ESTABLISHED, CallState, SessionState
from telnyx_core.testing import ContractChecker, OwedReply, SocketPhase, snapshot
from telnyx_core.testing.media import sdp_of
from telnyx_core.testing.strategies import GATEWAY_STATES, call_options, client_options, replies, requests, texts
from tests.inside import hub_of
from tests.world import inside
from tests.world.secrets import ALICE, TURN, secrets_never_leave

PEER_STATES = ("connecting", "connected", "disconnected", "failed", "closed")
ASKED_OF_SESSIONS = (
    "connect",
    "connect",
    "disconnect",
    "leave",
    "login",
    "other login",
    "is_registered",
    "clear",
    "another region",
    "speed test",
)
ASKED_OF_CALLS = (
    "answer",
    "answer",
    "hangup",
    "hold",
    "unhold",
    "toggle",
    "restart",
    "dtmf",
    "message",
    "mute",
    "resume",
    "reject",
)


OF_CALLS = (m.RINGING, m.MEDIA, m.MEDIA, m.ANSWER, m.ANSWER, m.ATTACH, m.ATTACH, m.CANDIDATE, m.BYE, m.BYE)
IN_A_CALL = ("reply", "reply", "answer", "answer", "hold", m.RINGING, m.MEDIA, m.ANSWER, m.ATTACH)
BEGINNINGS = (
    *("ready", "calling", "talking", "talking", "held", "held and lost", "rung", "rung"),
    *("connecting", "logging in", "rejected", "rejected and silent"),
)

Rule: TypeAlias = Callable[..., None]


def step(**given: Any) -> Callable[[Rule], Rule]:
    """A rule after which a little goes well, as far as this example's luck reaches."""

    def made(does: Rule) -> Rule:
        @wraps(does)
        def done(self: "Alone", **drawn: Any) -> None:
            does(self, **drawn)
            self.all_goes_well(self.luck)

        return rule(**given)(done)

    return made


class Alone(RuleBasedStateMachine):
    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.owed: list[OwedReply] = []
        self.told: list[Fact] = []
        self.asked: dict[str, Request] = {}
        self.ended: list[CallId] = []
        self.session = Session(ALICE, rng=Random(0))
        self.ledger = ContractChecker()
        self.counted["examples (alone)"] += 1

    # Beginnings.

    @initialize(
        options=client_options(ALICE, turn=TURN),
        begun=st.sampled_from(BEGINNINGS),
        luck=st.sampled_from([0, 1, 1, 2, 4, 8]),
        registered=st.sampled_from(["REGED", "REGED", "REGISTER"]),
    )
    def it_begins(self, options: Any, begun: str, luck: int, registered: str) -> None:
        """Mostly registered already, and in a call: a world that never gets past login passes every test."""
        self.luck, self.registered = luck, registered
        self.session = Session(options, rng=Random(7))
        self.session.connect(now=self.now)
        self.drain()
        if begun == "connecting":
            return
        self.pay(self.owed.pop())
        if begun.startswith("rejected"):
            self.the_oldest_request_is_refused_with(-32001)
        if begun == "rejected and silent":
            for _ in range(8):
                if self.session.state is SessionState.AUTH_FAILED:
                    self.time_jumps()
            assert self.session.state is SessionState.CLOSING
        if begun.startswith(("logging in", "rejected")):
            return
        self.all_goes_well(4)
        assert self.session.state is SessionState.READY
        if begun in ("calling", "talking", "held", "held and lost"):
            call = self.session.new_call(CallOptions(destination_number="1"), now=self.now)
            self.drain()
            if begun != "calling":
                self.all_goes_well(4)
                self.of_a_call(m.ANSWER, call)
                self.all_goes_well(2)
                assert self.session.call(call).state is CallState.ACTIVE
            if begun.startswith("held"):
                self.ask(lambda: self.session.hold(call, now=self.now))
                self.all_goes_well(1)
                assert self.session.call(call).state is CallState.HELD
            if begun == "held and lost":
                self.lose_the_socket()
                self.it_comes_to(SessionState.REGISTERING)
        elif begun == "rung":
            self.it_rings()

    def it_rings(self) -> CallId:
        call = self.known_calls()[0]
        self.of_a_call(m.INVITE, call)
        return CallId(call)

    # The world.

    def all_goes_well(self, rounds: int) -> None:
        """So many promises are kept and requests answered, oldest first; what is at rest or waits is set going."""
        for _ in range(rounds):
            if self.owed:
                self.pay(self.owed.pop(0))
            elif inside.pending_ids(self.session) and self.open_socket() is not None:
                self.the_gateway_answers_as_it_should()
            elif self.session.state in (SessionState.IDLE, SessionState.EXHAUSTED, SessionState.AUTH_FAILED):
                self.ask(lambda: self.session.connect(now=self.now))
            elif self.session.state in (SessionState.BACKOFF, SessionState.REGISTERING, SessionState.GATEWAY_WAIT):
                self.time_jumps()

    @precondition(lambda self: self.session.calls)
    @step(data=st.data(), by_way_of=st.sampled_from([m.MEDIA, m.RINGING, m.ANSWER]))
    def a_call_takes_its_course(self, data: st.DataObject, by_way_of: str) -> None:
        """What comes next in an ordinary call, whoever has to do it."""
        call = data.draw(st.sampled_from(sorted(self.session.calls)))
        info = self.session.call(call)
        match info.state:
            case CallState.RINGING if info.direction == "inbound":
                self.ask(lambda: self.session.answer(call, now=self.now))
            case CallState.REQUESTING | CallState.TRYING | CallState.RINGING | CallState.EARLY:
                self.of_a_call(by_way_of, call)
            case CallState.ACTIVE:
                self.ask(lambda: self.session.hold(call, now=self.now))
            case CallState.HELD:
                self.ask(lambda: self.session.unhold(call, now=self.now))
            case CallState.RECOVERING:
                self.of_a_call(m.ATTACH, call)
            case _:
                pass

    @precondition(lambda self: self.session.ready)
    @step(
        rings=st.booleans(),
        then=st.lists(st.sampled_from(IN_A_CALL), min_size=1, max_size=5),
        end=st.sampled_from(["", "", "hangup", "disconnect", "kept"]),
    )
    def a_call_comes_about_in_any_order(self, rings: bool, then: list[str], end: str) -> None:
        """The server's messages overtake its replies and one another; and then it ends, or the socket does."""
        if rings:
            call = self.it_rings()
        else:
            call = self.session.new_call(CallOptions(destination_number="1"), now=self.now)
            self.drain()
        for what in then:
            while self.owed:
                self.pay(self.owed.pop(0))
            match what:
                case "reply":
                    self.the_gateway_answers_as_it_should()
                case "answer":
                    self.ask(lambda: self.session.answer(call, now=self.now))
                case "hold":
                    self.ask(lambda: self.session.hold(call, now=self.now))
                case _:
                    self.of_a_call(what, call)
        match end:
            case "hangup":
                self.ask(lambda: self.session.hangup(call, now=self.now))
            case "disconnect":
                self.ask(lambda: self.session.disconnect(now=self.now))
            case "kept":
                self.lose_the_socket()
                self.it_comes_to(SessionState.REGISTERING)
                params: JsonObject = {"reattached_sessions": [call]}
                self.hear({"jsonrpc": "2.0", "id": 7, "method": m.CLIENT_READY, "params": params})
                self.all_goes_well(2)
                self.time_passes_by(15.0)
            case _:
                pass

    @precondition(lambda self: self.owed)
    @step(data=st.data(), kept=st.sampled_from([True] * 7 + [False]))
    def a_promise_is_kept_or_broken(self, data: st.DataObject, kept: bool) -> None:
        index = data.draw(st.integers(0, len(self.owed) - 1))
        self.pay(self.owed.pop(index), kept=kept)

    def pay(self, debt: OwedReply, *, kept: bool = True) -> None:
        facts = debt.kept if kept or not debt.broken else debt.broken
        self.tell(facts[self.steps % len(facts)])

    @precondition(lambda self: self.told)
    @step(data=st.data())
    def old_news_returns(self, data: st.DataObject) -> None:
        fact = data.draw(st.sampled_from(self.told[-40:]))
        if not self.ledger.alive(fact):
            before = snapshot(self.session)
            self.tell(fact)
            assert snapshot(self.session) == before, f"news of a dead handle changed something: {fact}"

    @precondition(lambda self: self.live_socket() is not None)
    @step(clean=st.booleans())
    def the_socket_is_lost(self, clean: bool) -> None:
        self.lose_the_socket(clean=clean)

    def lose_the_socket(self, *, clean: bool = False) -> None:
        socket = self.live_socket()
        if socket is not None:
            error = "" if clean else "reset"
            self.tell(SocketClosed(socket, 1000 if clean else 1006, "", clean=clean, error=error))

    @precondition(lambda self: self.live_socket() is not None)
    @step(between=st.lists(st.sampled_from(["", "REGISTER", "FAILED", "NOREG", "refused"]), min_size=2, max_size=3))
    def one_socket_after_the_other_is_lost(self, between: list[str]) -> None:
        """Nearly back each time: the attempts are counted on, until REGED."""
        for news in between:
            self.lose_the_socket()
            self.it_comes_to(SessionState.LOGGING_IN if news == "refused" else SessionState.REGISTERING)
            match news:
                case "NOREG":
                    self.nobody_is_registered()
                case "refused":
                    self.the_oldest_request_is_refused_with(-32001)
                    self.time_passes_by(25.0)  # silence, a probe
                    self.time_passes_by(25.0)  # and the verdict
                case _:
                    self.the_registration_is(news)
        self.lose_the_socket()

    def it_comes_to(self, state: SessionState) -> None:
        for _ in range(8):
            if self.session.state is not state:
                self.all_goes_well(1)

    @precondition(lambda self: self.open_socket() is not None)
    @step(fails=st.booleans())
    def the_good_bye_is_cut_short(self, fails: bool) -> None:
        if fails:
            self.the_registration_is("DOWN")
        self.ask(lambda: self.session.disconnect(now=self.now))
        self.lose_the_socket()

    @precondition(lambda self: self.ledger.peers)
    @step(data=st.data(), state=st.sampled_from(PEER_STATES))
    def a_peer_changes(self, data: st.DataObject, state: Any) -> None:
        media = data.draw(st.sampled_from(sorted(self.ledger.peers)))
        self.tell(PeerStateChanged(media, state))

    @precondition(lambda self: self.ledger.peers)
    @step(data=st.data(), what=st.sampled_from(["candidate", "heard", "digit", "incomplete"]))
    def a_peer_tells(self, data: st.DataObject, what: str) -> None:
        media = data.draw(st.sampled_from(sorted(self.ledger.peers)))
        match what:
            case "candidate":
                line = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
                self.tell(CandidateFound(media, line, sdp_mid="0", sdp_m_line_index=0))
            case "heard":
                self.tell(MediaHeard(media))
            case "digit":
                self.tell(DigitHeard(media, "5", 0.1))
            case _ if self.ledger.peers[media].description in ("asked", "made"):
                self.tell(LocalDescribed(media, sdp_of(f"grown{media}", "offer", ()), complete=False))
            case _:
                pass

    @step(change=st.sampled_from(["offline", "online", "path_changed", "resumed"]))
    def the_host_s_network_changes(self, change: Any) -> None:
        self.tell(NetworkChanged(change))

    # The server.

    def the_gateway_answers_as_it_should(self) -> None:
        pending = inside.pending_ids(self.session)
        if not pending:
            return
        request = self.asked[pending[0]]
        result: JsonObject = {"sessid": "sess1"}
        match request.method:
            case m.GATEWAY_STATE:
                result["params"] = {"state": self.registered}
            case m.MODIFY if "sdp" in request.params:
                result["sdp"] = sdp_of("renewed", "answer", ())
            case _:
                pass
        self.hear({"jsonrpc": "2.0", "id": request.id, "result": result, "voice_sdk_id": "VSDK1"})
        if request.method == m.LOGIN:
            self.hear({"jsonrpc": "2.0", "id": 2, "method": m.CLIENT_READY, "params": {}})

    @precondition(lambda self: self.open_socket() is not None)
    @step(data=st.data())
    def the_gateway_asks(self, data: st.DataObject) -> None:
        live = [*self.session.calls, *self.ended[-2:]]
        self.say(data.draw(requests([*live, *live, *live, *self.known_calls()])))

    @precondition(lambda self: self.open_socket() is not None and self.session.calls)
    @step(data=st.data(), method=st.sampled_from(OF_CALLS))
    def a_call_goes_on(self, data: st.DataObject, method: str) -> None:
        self.of_a_call(method, data.draw(st.sampled_from(sorted(self.session.calls))))

    def of_a_call(self, method: str, call: str) -> None:
        sdp = sdp_of("far", "answer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
        params: JsonObject = {"callID": call, "sdp": sdp, "candidate": "candidate:2 1 udp 1 192.0.2.9 10 typ host"}
        peers, busy = self.ledger._last_media, inside.being_recovered(self.session, call)
        self.hear({"jsonrpc": "2.0", "id": 3, "method": method, "params": params})
        if method == m.ATTACH and busy:
            assert self.ledger._last_media == peers, "an attach is answered twice (SIG-097)"

    @precondition(lambda self: self.open_socket() is not None and self.session.calls)
    @step(data=st.data())
    def both_hang_up_at_once(self, data: st.DataObject) -> None:
        """CALL-392: their bye crosses ours, and the application hears of one end."""
        call = data.draw(st.sampled_from(sorted(self.session.calls)))
        self.ask(lambda: self.session.hangup(call, now=self.now))
        self.of_a_call(m.BYE, call)
        if call in self.ledger.calls:  # its last reading is still to come (STATS-013)
            assert self.ledger.calls[call] is CallState.HANGUP

    @precondition(lambda self: self.open_socket() is not None and self.ended)
    @step(data=st.data(), method=st.sampled_from([m.ATTACH, m.INVITE, m.CLIENT_READY]))
    def the_server_still_names_an_ended_call(self, data: st.DataObject, method: str) -> None:
        """SIG-314: it is told of the end, and the call does not come back to life."""
        call = data.draw(st.sampled_from(self.ended[-5:]))
        buried = inside.has_tombstone(self.session, call)
        if method == m.CLIENT_READY:
            params: JsonObject = {"reattached_sessions": [call, *self.session.calls]}
            self.hear({"jsonrpc": "2.0", "id": 6, "method": method, "params": params})
        else:
            self.of_a_call(method, call)
        assert not (buried and call in self.session.calls), "a call that has ended is called back to life"

    @precondition(lambda self: self.open_socket() is not None)
    @step(data=st.data())
    def the_server_says_which_calls_it_kept(self, data: st.DataObject) -> None:
        """SIG-320 to SIG-323, PS-005: the others are over, or soon will be."""
        calls = inside.not_on_this_socket_yet(self.session)
        kept = data.draw(st.lists(st.sampled_from(calls), max_size=2)) if calls else []
        heard = self.session.connected
        listed: list[Json] = [*kept]
        params: JsonObject = {"reattached_sessions": listed}
        self.hear({"jsonrpc": "2.0", "id": 7, "method": m.CLIENT_READY, "params": params})
        ghosts = {call for call, info in self.session.calls.items() if info.ended is None} & set(calls) - set(kept)
        ghosts = {call for call in ghosts if not inside.waits_for_an_attach(self.session, call)}
        assert not (heard and ghosts), f"the server did not keep {ghosts}"

    @precondition(lambda self: self.open_socket() is not None)
    @step(data=st.data())
    def the_registration_changes(self, data: st.DataObject) -> None:
        self.the_registration_is(data.draw(st.sampled_from(GATEWAY_STATES)))

    def the_registration_is(self, state: str) -> None:
        self.hear({"jsonrpc": "2.0", "id": 4, "method": m.GATEWAY_STATE, "params": {"state": state}})

    @precondition(lambda self: self.open_socket() is not None)
    @step(data=st.data())
    def the_gateway_replies(self, data: st.DataObject) -> None:
        self.say(data.draw(replies(inside.pending_ids(self.session))))

    @precondition(lambda self: self.open_socket() is not None)
    @step(code=st.sampled_from([-32001, -32000]))
    def the_oldest_request_is_refused(self, code: int) -> None:
        self.the_oldest_request_is_refused_with(code)

    def the_oldest_request_is_refused_with(self, code: int) -> None:
        for ident in inside.pending_ids(self.session)[:1]:
            self.hear({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": "no"}})

    @precondition(lambda self: self.open_socket() is not None)
    @step(then=st.sampled_from(["NOREG", "REGED", "DOWN"]))
    def the_credentials_do_not_register(self, then: str) -> None:
        self.nobody_is_registered()
        self.the_registration_is(then)

    def nobody_is_registered(self) -> None:
        """Until the session has asked often enough (SIG-213)."""
        usual, self.registered = self.registered, "NOREG"
        self.the_registration_is("NOREG")
        for _ in range(5):
            self.time_passes_by(7.0)
            for _ in inside.pending_ids(self.session):
                self.the_gateway_answers_as_it_should()
        self.registered = usual

    @precondition(lambda self: self.open_socket() is not None)
    @step(text=texts())
    def the_gateway_babbles(self, text: str) -> None:
        self.say(text)

    @precondition(lambda self: self.open_socket() is not None)
    @step()
    def a_binary_frame(self) -> None:
        socket = self.open_socket()
        assert socket is not None
        self.tell(BinaryReceived(socket, 12))

    # The application.

    @step(options=call_options())
    def it_calls(self, options: Any) -> None:
        self.ask(lambda: self.session.new_call(evolve(options, destination_number="1"), now=self.now))

    @precondition(lambda self: self.session.calls)
    @step(
        data=st.data(),
        what=st.sampled_from(ASKED_OF_CALLS),
    )
    def it_asks_of_a_call(self, data: st.DataObject, what: str) -> None:
        call = data.draw(st.sampled_from([*self.session.calls, CallId("nobody")]))
        session, now = self.session, self.now
        commands: dict[str, Callable[[], object]] = {
            "answer": lambda: session.answer(call, now=now),
            "hangup": lambda: session.hangup(call, now=now),
            "hold": lambda: session.hold(call, now=now),
            "unhold": lambda: session.unhold(call, now=now),
            "toggle": lambda: session.toggle_hold(call, now=now),
            "dtmf": lambda: session.dtmf(call, "1#", now=now),
            "message": lambda: session.message(call, "bob", "hello", now=now),
            "mute": lambda: session.set_muted(call, True, now=now),
            "restart": lambda: session.restart_media(call, now=now),
            "resume": lambda: session.resume_media(call, now=now),
            "reject": lambda: session.reject_media(call, now=now),
        }
        self.ask(commands[what])

    @step(what=st.sampled_from(ASKED_OF_SESSIONS))
    def it_asks_of_the_session(self, what: str) -> None:
        session, now = self.session, self.now
        commands: dict[str, Callable[[], object]] = {
            "connect": lambda: session.connect(now=now),
            "disconnect": lambda: session.disconnect(now=now),
            "leave": lambda: session.leave(now=now),
            "login": lambda: session.login({}, now=now),
            "other login": lambda: session.login({"login": "bob", "password": "pw"}, now=now),
            "is_registered": lambda: session.is_registered(now=now),
            "another region": lambda: session.switch_region("eu", now=now),
            "speed test": lambda: session.speed_test(3_000, now=now),
            "clear": lambda: session.clear_reconnect_token(now=now),
        }
        self.ask(commands[what])

    # Time.

    @precondition(lambda self: self.session.next_timeout() is not None)
    @step()
    def time_jumps_to_the_deadline(self) -> None:
        self.time_jumps()

    def time_jumps(self) -> None:
        self.now = max(self.now, self.session.next_timeout() or self.now)
        self.wake()

    @step(seconds=st.sampled_from([0.01, 0.5, 3.0, 20.0, 95.0, 7200.0]))
    def time_passes(self, seconds: float) -> None:
        """Late wake-ups included: everything due is done once."""
        self.time_passes_by(seconds)

    def time_passes_by(self, seconds: float) -> None:
        self.now += seconds
        self.wake()

    # How.

    steps = 0
    luck = 0
    registered = "REGED"

    def tell(self, fact: Fact) -> None:
        self.ledger.heard(fact)
        self.told.append(fact)
        self.session.receive(fact, now=self.now)
        self.drain()

    def hear(self, frame: JsonObject) -> None:
        self.say(encode(frame))

    def say(self, text: str) -> None:
        socket = self.open_socket()
        if socket is None:
            return
        closing = self.ledger.sockets[socket] is SocketPhase.CLOSING
        before = snapshot(self.session) if closing else None
        self.tell(TextReceived(socket, text))
        if closing:
            assert snapshot(self.session) == before, "a frame counts although the socket is being closed (SIG-085)"

    def ask(self, command: Callable[[], object]) -> None:
        before = snapshot(self.session)
        try:
            answer = command()
        except LocalProtocolError:
            assert snapshot(self.session) == before, "a refused command changed something"
            return
        if isinstance(answer, int) and not isinstance(answer, bool):
            self.ledger.asked(Ticket(answer))
        self.drain()

    def wake(self) -> None:
        self.session.handle_timeout(now=self.now)
        self.drain()
        assert (self.session.next_timeout() or inf) > self.now, "a deadline that stays due"

    def drain(self) -> None:
        self.steps += 1
        self.counted["steps (alone)"] += 1
        while (action := self.session.next_action()) is not None:
            secrets_never_leave(action)
            match action:
                case Notify(CallUpdated(call)) if call.state is CallState.DESTROY:
                    self.ended.append(call.id)
                case _:
                    pass
            debt = self.ledger.note(action)
            if debt is not None:
                self.owed.append(debt)
            if isinstance(action, SendText):
                sent = decode(action.text)
                if isinstance(sent, Request) and isinstance(sent.id, str):
                    self.asked[sent.id] = sent
        self.owed = [debt for debt in self.owed if self.ledger.alive(debt.kept[0]) and self.still_owed(debt)]

    def still_owed(self, debt: OwedReply) -> bool:
        """A socket that was lost while it was opening, or closed while it was being closed, owes nothing more."""
        try:
            book = ContractChecker(sockets=dict(self.ledger.sockets), peers={})
            if hasattr(debt.kept[0], "socket"):
                book.heard(debt.kept[0])
        except AssertionError:
            return False
        return True

    def live_socket(self) -> Any:
        return next(iter(self.ledger.sockets), None)

    def open_socket(self) -> Any:
        return next((one for one, phase in self.ledger.sockets.items() if phase is not SocketPhase.OPENING), None)

    def known_calls(self) -> list[str]:
        return [f"0000000{number}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for number in range(3)]

    # What always holds.

    @invariant()
    def no_request_without_deadline(self) -> None:
        inside.no_request_without_deadline(self.session)

    @invariant()
    def no_timer_without_owner(self) -> None:
        inside.no_timer_without_owner(self.session)

    @invariant()
    def no_peer_without_call(self) -> None:
        inside.peers_belong_to_calls(self.session)
        assert set(hub_of(self.session).media) == set(self.ledger.peers), (
            "core and driver disagree about the open peers"
        )

    @invariant()
    def what_the_application_heard_is_what_is(self) -> None:
        """The last update that it got of each call shows the state that the call has."""
        assert self.ledger.calls == {ident: call.state for ident, call in self.session.calls.items()}

    @invariant()
    def something_ends_every_passing_state(self) -> None:
        books = self.ledger.peers.values()
        owed = {book.call for book in books if "asked" in (book.source, book.description, book.remote)}
        inside.something_ends_every_passing_state(self.session, owed)

    @invariant()
    def failed_media_is_being_mended(self) -> None:
        inside.failed_media_is_being_mended(self.session)

    @invariant()
    def the_audio_goes_through_an_open_peer(self) -> None:
        for call, state in self.ledger.calls.items():
            if state in ESTABLISHED and any(book.call == call for book in self.ledger.peers.values()):
                assert call in self.ledger.in_use, f"call {call} is {state.value} and uses no peer"

    @invariant()
    def nothing_grows_without_bound(self) -> None:
        inside.bounded_by_the_living(self.session)

    def teardown(self) -> None:
        """Disconnect, and let every deadline pass: nothing is left, and every ticket has had its outcome."""
        self.session.disconnect(now=self.now)
        self.drain()
        for _ in range(100):
            at = self.session.next_timeout()
            if at is None:
                break
            self.now = max(self.now, at)
            self.wake()
        assert self.session.state is SessionState.IDLE
        inside.at_rest(self.session)
        self.ledger.at_rest()
        assert not self.ledger.tickets, f"never settled: {self.ledger.tickets}"
