"""Client, gateway, media and wires together: whatever is done to them, once they are left alone they agree again.

Time runs between the steps. Any step may do harm; `everything_is_mended_and_time_passes` undoes it and gives the world
the time that the protocol's own limits ask for. Then both sides must have the same calls, each with media, and the
application must have had one outcome for everything that it asked.

Every fault may strike every message. Some part the two sides in a way that no message on the same socket mends, because
the protocol says nothing twice: a bye or an answer that the gateway says and nobody hears (SRV-031: it waits for no
acknowledgement; CALL-354: a client lets it ring), a bye of ours that is refused (SIG-314: it is said again when the
server next names the call), and a request or push that others overtake, though a WebSocket keeps its order. What
belongs together again is promised for the next socket (SIG-320 ff.), so for these alone `mend` ends with the loss of
it. Left out are faults without end (a gateway that swallows every answer promises nothing) and frames that are changed
into other valid ones, which `tests.world.alone` says at will.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telnyx_core.errors import LocalProtocolError
from telnyx_core.gateway import (
    CallPlan,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Garble,
    GatewayOptions,
    Quirks,
    Refuse,
    Swallow,
)
from telnyx_core.gateway.events import FaultStruck
from telnyx_core.ids import CallId
from telnyx_core.states import ESTABLISHED, CallState, SessionState
from telnyx_core.testing import Connecting, Sim, SimClient
from telnyx_core.testing.strategies import GATEWAY_STATES, call_options, client_options
from tests.inside import hub_of
from tests.world import inside
from tests.world.secrets import ALICE, PASSWORD, TURN, secrets_never_leave

NUMBERS = ("echo", "echo", "tone", "early", "busy", "reject", "ring", "nobody", "bob")
METHODS = (
    "login",
    "telnyx_rtc.gatewayState",
    "telnyx_rtc.clientReady",
    "telnyx_rtc.invite",
    "telnyx_rtc.answer",
    "telnyx_rtc.attach",
    "telnyx_rtc.bye",
    "telnyx_rtc.modify",
    "telnyx_rtc.media",
    "telnyx_rtc.ringing",
    "telnyx_rtc.ping",
    None,
)
ASKED_OF_CALLS = ("answer", "answer", "hangup", "hold", "unhold", "toggle", "dtmf", "mute", "resume", "reject")
AILING = st.sampled_from([0.5, 3.0, 8.0, 35.0, 150.0])
"""How long a trouble lasts, in seconds. A world that is always ill never gets far."""
PATIENCE = 400.0
"""Longer than every limit in a row: orphan (120 s and 30 s more), back-off (37 s), attach, renewal, escalation."""
A_WHILE = 40.0
"""Longer than a dead socket stays unnoticed."""


@st.composite
def gateways(draw: st.DrawFn) -> GatewayOptions:
    quirks = Quirks(
        attach_before_ready=draw(st.booleans()),
        ready_lists_session=draw(st.sampled_from([False, False, True])),
        accept_first=draw(st.booleans()),
        answer_repeats_sdp=draw(st.booleans()),
        trickle_out=draw(st.booleans()),
        echo_ping=draw(st.sampled_from([False, False, True])),
        ringing_survives_loss=draw(st.booleans()),
        established_by_media=draw(st.booleans()),
    )
    delay = draw(st.sampled_from([0.0, 0.0, 2.0]))
    plan = CallPlan(ringing_delay=delay, early_delay=delay, answer_delay=delay, ring_timeout=60.0)
    return GatewayOptions(
        like=draw(st.sampled_from(["mod_verto", "mod_verto", "telnyx"])),
        login_lasts=draw(st.sampled_from([None, None, None, 150.0])),
        users={"alice": PASSWORD, "bob": "builder"},
        plan=plan,
        quirks=quirks,
        ping_interval=draw(st.sampled_from([30.0, 30.0, None])),
        registration=draw(st.sampled_from([("REGED",), ("REGED",), ("UNREGED", "TRYING", "REGISTER", "REGED")])),
    )


def faults() -> st.SearchStrategy[Fault]:
    """Every effect on every message, wherever it may strike."""
    effects = [Drop(), Drop(when="after"), Drop(code=1001), Duplicate(), Swallow(), Garble(), Delay(2.0)]
    method = st.sampled_from(METHODS)
    return st.one_of(
        st.builds(Fault, do=st.sampled_from([*effects, Refuse()]), on=st.just("request"), method=method),
        st.builds(Fault, do=st.sampled_from(effects), on=st.sampled_from(["reply", "push"]), method=method),
    )


def parts_the_sides(struck: FaultStruck) -> bool:
    """Whether the two sides may believe different things until there is a new socket: see the module's docstring."""
    match struck.place, struck.fault:
        case (("request" | "push"), "Delay"):
            return True
        case "push", ("Swallow" | "Garble"):
            return struck.method in ("telnyx_rtc.bye", "telnyx_rtc.answer")
        case "request", "Refuse":
            return struck.method == "telnyx_rtc.bye"
        case _:
            return False


class Together(RuleBasedStateMachine):
    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.sim = Sim(ALICE)
        self.watched, self.mended, self.pace = 0, 0, 0.0
        self.counted["examples (together)"] += 1

    # Beginnings.

    @initialize(
        options=client_options(ALICE, turn=TURN),
        gateway=gateways(),
        seed=st.integers(0, 3),
        begun=st.sampled_from(["ready", "talking", "trickled", "talking", "held", "rung", "calling", "nothing"]),
        pace=st.sampled_from([0.0, 0.04, 0.04, 0.3, 2.0]),
    )
    def it_begins(self, options: Any, gateway: GatewayOptions, seed: int, begun: str, pace: float) -> None:
        if begun == "trickled":  # both ways: the far end's candidates pass its description
            options = evolve(options, trickle_ice=True)
            gateway = evolve(gateway, like="telnyx", quirks=evolve(gateway.quirks, trickle_out=True))
        self.sim = Sim(options, gateway=gateway, seed=seed, strict=True)
        self.watched, self.mended, self.pace = 0, 0, pace
        self.sim.wire.jitter = 0.05
        bob = self.sim.ready(self.sim.add_client(evolve(ALICE, login="bob", password="builder", ice_servers=())))
        assert bob.state is SessionState.READY
        if begun != "nothing":
            self.alice.connect()
            self.sim.run_until(lambda: self.alice.state is SessionState.READY)
        if begun in ("talking", "trickled", "held"):
            call = self.alice.new_call("echo")
            self.sim.run_until(lambda: self.alice.state_of(call) is CallState.ACTIVE)
            if begun == "held":
                self.alice.hold(call)
            self.sim.run(1.0)
        elif begun == "calling":
            self.alice.new_call("early")
        elif begun == "rung":
            self.sim.gateway.call_user("alice", now=self.sim.now)
            self.sim.run(1.0)

    @property
    def alice(self) -> SimClient:
        return self.sim.client

    # The application.

    def ask(self, command: Callable[[], object]) -> None:
        with suppress(LocalProtocolError):  # `Sim(strict=True)` has seen that nothing changed.
            command()
        self.sim.run(self.pace)
        if self.pace and self.alice.state in (SessionState.IDLE, SessionState.EXHAUSTED):
            self.alice.connect()
        self.counted["steps (together)"] += 1

    @rule(number=st.sampled_from(NUMBERS), options=call_options())
    def alice_calls(self, number: str, options: Any) -> None:
        self.ask(lambda: self.alice.new_call(number, options))

    @precondition(lambda self: self.alice.calls)
    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0]))
    def calls_take_their_course(self, seconds: float) -> None:
        """Whatever rings is answered, whoever talks holds, whoever holds takes up; then time passes."""
        alice = self.alice
        for call, info in alice.calls.items():
            if info.state is CallState.RINGING and info.direction == "inbound":
                self.ask(partial(alice.answer, call))
            elif info.state is CallState.ACTIVE:
                self.ask(partial(alice.hold, call))
            elif info.state is CallState.HELD:
                self.ask(partial(alice.unhold, call))
        self.sim.run(seconds)

    @precondition(lambda self: self.alice.calls)
    @rule(
        data=st.data(),
        what=st.sampled_from(ASKED_OF_CALLS),
    )
    def alice_asks_of_a_call(self, data: st.DataObject, what: str) -> None:
        alice, call = self.alice, data.draw(st.sampled_from(sorted(self.alice.calls)))
        commands: dict[str, Callable[[], object]] = {
            "answer": lambda: alice.answer(call),
            "hangup": lambda: alice.hangup(call),
            "hold": lambda: alice.hold(call),
            "unhold": lambda: alice.unhold(call),
            "toggle": lambda: alice.toggle_hold(call),
            "dtmf": lambda: alice.dtmf(call, "1"),
            "mute": lambda: alice.set_muted(call, True),
            "resume": lambda: alice.resume_media(call),
            "reject": lambda: alice.reject_media(call),
        }
        self.ask(commands[what])

    @rule(what=st.sampled_from([*["connect"] * 4, "disconnect", "login", "is_registered", "clear token"]))
    def alice_asks_of_the_session(self, what: str) -> None:
        alice = self.alice
        commands: dict[str, Callable[[], object]] = {
            "connect": alice.connect,
            "disconnect": alice.disconnect,
            "login": lambda: alice.login({"login": "alice", "password": PASSWORD}),
            "is_registered": alice.is_registered,
            "clear token": alice.clear_reconnect_token,
        }
        self.ask(commands[what])

    @rule(
        what=st.sampled_from(["hold", "hold", "hangup", "call", "answer", "dtmf", "login"]),
        after=st.sampled_from([0.0, 0.01, 0.03, 0.05, 0.08, 0.15]),
        seen_by=st.sampled_from(["both", "both", "client"]),
        unanswered=st.booleans(),
    )
    def something_is_asked_and_the_socket_dies(self, what: str, after: float, seen_by: Any, unanswered: bool) -> None:
        """Between any two messages of any handshake; or after it was done and before the client could hear so."""
        alice = self.alice
        if unanswered:
            alice.wire.stall("down")
        commands: dict[str, Callable[[], object]] = {
            "call": partial(alice.new_call, "echo"),
            "login": partial(alice.login, {"login": "alice", "password": PASSWORD}),
        }
        for call in list(alice.calls)[:1]:
            commands["hold"] = partial(alice.toggle_hold, call)
            commands["hangup"] = partial(alice.hangup, call)
            commands["answer"] = partial(alice.answer, call)
            commands["dtmf"] = partial(alice.dtmf, call, "1")
        if what in commands:
            with suppress(LocalProtocolError):
                commands[what]()
        self.sim.run(after)
        alice.wire.drop(seen_by=seen_by)
        self.ask(alice.wire.heal if unanswered else lambda: None)

    @precondition(lambda self: any(info.state in ESTABLISHED for info in self.alice.calls.values()))
    @rule()
    def a_hold_is_carried_out_and_the_socket_dies_before_the_reply(self) -> None:
        alice = self.alice
        call = next(call for call, info in alice.calls.items() if info.state in ESTABLISHED)
        alice.wire.stall("down")
        with suppress(LocalProtocolError):
            alice.toggle_hold(call)
        self.sim.run(2 * alice.wire.latency + alice.wire.jitter)
        alice.wire.drop()
        self.ask(alice.wire.heal)

    # The far end and the gateway.

    @rule(with_sdp=st.booleans(), delay=st.sampled_from([0.0, 1.0, 20.0]))
    def somebody_calls_alice(self, with_sdp: bool, delay: float) -> None:
        self.ask(lambda: self.sim.gateway.call_user("alice", now=self.sim.now, with_sdp=with_sdp, sdp_delay=delay))

    @precondition(lambda self: len(self.sim.clients) > 1 and self.sim.clients[1].calls)
    @rule(answer=st.booleans())
    def bob_answers_or_hangs_up(self, answer: bool) -> None:
        bob = self.sim.clients[1]
        call = next(iter(bob.calls))
        self.ask(lambda: bob.answer(call) if answer else bob.hangup(call))

    @precondition(lambda self: self.sim.gateway.calls)
    @rule(data=st.data(), what=st.sampled_from(["hangup", "renegotiate", "info", "display"]))
    def the_far_end_does(self, data: st.DataObject, what: str) -> None:
        gateway, now = self.sim.gateway, self.sim.now
        call = data.draw(st.sampled_from(sorted(gateway.calls)))
        commands: dict[str, Callable[[], object]] = {
            "hangup": lambda: gateway.hangup(call, now=now),
            "renegotiate": lambda: gateway.renegotiate(call, now=now),
            "info": lambda: gateway.info(call, {"dtmf": "5"}, now=now),
            "display": lambda: gateway.display(call, "Hatter", "+1", now=now),
        }
        self.ask(commands[what])

    @precondition(lambda self: self.sim.gateway.sockets("alice"))
    @rule(data=st.data(), what=st.sampled_from(["punt", "drop", "close", "state", "state", "ping"]))
    def the_gateway_does(self, data: st.DataObject, what: str) -> None:
        gateway, now = self.sim.gateway, self.sim.now
        socket = gateway.sockets("alice")[0]
        commands: dict[str, Callable[[], object]] = {
            "punt": lambda: gateway.punt(socket, now=now),
            "drop": lambda: gateway.drop(socket, now=now),
            "close": lambda: gateway.drop(socket, now=now, code=4014, reason="gateway down"),
            "state": lambda: gateway.push_state(socket, data.draw(st.sampled_from(GATEWAY_STATES)), now=now),
            "ping": lambda: gateway.ping(socket, now=now),
        }
        self.ask(commands[what])

    @rule(what=st.sampled_from(["forget", "restart", "recover", "recover", "shut down"]))
    def the_gateway_suffers(self, what: str) -> None:
        gateway, now = self.sim.gateway, self.sim.now
        commands: dict[str, Callable[[], object]] = {
            "forget": lambda: gateway.forget_sessions(now=now),
            "restart": lambda: gateway.restart(now=now),
            "recover": lambda: gateway.restart(now=now, recover=True),
            "shut down": lambda: gateway.shut_down(now=now),
        }
        self.ask(commands[what])

    @rule(what=st.sampled_from(["hold", "hold", "toggle"]), after=st.sampled_from([0.0, 0.005, 0.02, 0.06]))
    def a_call_is_made_and_held_at_once(self, what: str, after: float) -> None:
        """PS-008, PS-009: between the answer and its media the server holds nothing, and says no more of it."""
        alice = self.alice
        with suppress(LocalProtocolError):
            call = alice.new_call("echo")
            for _ in range(40):
                if call not in alice.calls or alice.state_of(call) is CallState.ACTIVE:
                    break
                self.one_thing_happens()
            self.sim.run(after)
            (alice.hold if what == "hold" else alice.toggle_hold)(call)
        self.ask(lambda: None)

    @rule(fault=faults())
    def a_fault_is_planted(self, fault: Fault) -> None:
        self.ask(lambda: self.sim.gateway.add_fault(evolve(fault, user="alice"), now=self.sim.now))

    @precondition(lambda self: self.alice.calls)
    @rule(
        said=st.sampled_from(["bye", "bye", "answer", "our bye", "our bye"]),
        effect=st.sampled_from([Swallow(), Garble(), Delay(2.0), Refuse(), Refuse(code=-32000)]),
    )
    def what_is_said_only_once_is_lost(self, said: str, effect: Any) -> None:
        gateway, now, call = self.sim.gateway, self.sim.now, next(iter(self.alice.calls))
        ours = said == "our bye"
        place: Any = "request" if ours else "push"
        effect = effect if ours or not isinstance(effect, Refuse) else Swallow()
        method = "telnyx_rtc.answer" if said == "answer" else "telnyx_rtc.bye"
        gateway.add_fault(Fault(do=effect, on=place, method=method, user="alice"), now=now)
        commands: dict[str, Callable[[], object]] = {
            "bye": lambda: gateway.hangup(call, now=now),
            "answer": lambda: self.alice.new_call("echo"),
            "our bye": lambda: self.alice.hangup(call),
        }
        self.ask(commands[said])

    @precondition(lambda self: any(info.state in ESTABLISHED for info in self.alice.calls.values()))
    @rule(seconds=st.sampled_from([1.0, 4.0]))
    def a_kept_call_is_listed_and_its_attach_is_lost(self, seconds: float) -> None:
        lost = Fault(do=Swallow(), on="push", method="telnyx_rtc.attach", user="alice")
        self.sim.gateway.add_fault(lost, now=self.sim.now)
        self.ask(self.alice.wire.drop)
        self.sim.run(seconds)

    # The network, the media, the host.

    @rule(seen_by=st.sampled_from(["both", "client", "gateway"]))
    def the_socket_dies(self, seen_by: Any) -> None:
        self.ask(lambda: self.alice.wire.drop(seen_by=seen_by))

    @rule(ways=st.sampled_from([("up",), ("down",), ("up", "down")]), seconds=AILING)
    def the_wire_stalls_for_a_while(self, ways: Any, seconds: float) -> None:
        self.sim.clock.after(seconds, self.alice.wire.heal)
        self.ask(lambda: self.alice.wire.stall(*ways))

    @rule(how=st.sampled_from(list(Connecting)), closes=st.booleans(), seconds=AILING)
    def connecting_or_closing_does_not_work_for_a_while(self, how: Connecting, closes: bool, seconds: float) -> None:
        self.sim.clock.after(seconds, self.alice.wire.heal)
        self.alice.wire.connecting, self.alice.wire.closes = how, closes
        self.ask(lambda: None)

    @rule(late=st.booleans(), slow=st.sampled_from([0.02, 0.02, 1.5]))
    def the_driver_and_the_wire_change(self, late: bool, slow: float) -> None:
        self.alice.wire.late_news = self.alice.media.late_news = late
        self.alice.wire.latency = slow
        self.ask(lambda: None)

    @rule(seconds=AILING)
    def the_media_path_breaks_for_a_while(self, seconds: float) -> None:
        self.sim.clock.after(seconds, self.alice.media.heal)
        self.ask(self.alice.media.cut)

    @precondition(lambda self: self.alice.calls)
    @rule(data=st.data())
    def a_peer_fails(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.alice.calls)))
        self.ask(lambda: self.alice.media.fail(call))

    @rule(what=st.sampled_from(["source", "remote", "local", "slow", "gateway"]), polite=st.booleans())
    def the_media_engine_is_in_trouble(self, what: str, polite: bool) -> None:
        media = self.alice.media
        self.sim.model.tells_closing = polite
        match what:
            case "source":
                media.source_trouble.append("permission")
            case "remote":
                media.remote_trouble.append("nonsense")
            case "local":
                media.local_trouble.append("other")
            case "slow":
                media.gather_time = 3.0 if media.gather_time is not None else 0.05
            case _:
                self.sim.gateway_media.remote_trouble.append("nonsense")
        self.ask(lambda: None)

    @rule(change=st.sampled_from(["offline", "online", "path_changed", "resumed"]))
    def the_host_s_network_changes(self, change: Any) -> None:
        self.ask(lambda: self.alice.network(change))

    @precondition(lambda self: self.alice.state is not SessionState.IDLE)
    @rule(forgets=st.sampled_from([False, False, True]))
    def the_process_restarts(self, forgets: bool) -> None:
        self.sim.restart(forgets=forgets)
        self.watched = 0
        self.ask(self.alice.connect)

    @rule(mood=st.sampled_from(["well", "slow", "busy", "down", "silent"]))
    def the_platform_takes_reports(self, mood: Any) -> None:
        self.alice.reports.mood = mood

    # Time.

    @rule(seconds=st.sampled_from([0.0, 0.03, 0.03, 0.2, 1.0, 4.0, 12.0, 31.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.sim.run(seconds)
        self.counted["steps (together)"] += 1

    @rule()
    def one_thing_happens(self) -> None:
        at = self.sim.next_event_at()
        if at is not None:
            self.sim.run(max(0.0, at - self.sim.now))

    @rule(whole=st.sampled_from([False] * 7 + [True]))
    def everything_is_mended_and_time_passes(self, whole: bool) -> None:
        """Mostly until the sides agree and are calm: each example ends with the whole time."""
        self.mend()
        frames, until = len(self.alice.wire.log), self.sim.now + PATIENCE
        # Each call that has yet to be set up, and to end, costs some frames once: invite, answer and bye with replies,
        # and a few candidates.
        frames += 10 * sum(info.state not in ESTABLISHED for info in self.alice.calls.values())
        self.sim.run(PATIENCE if whole else A_WHILE)
        while self.sim.now < until and not self.agreed_and_calm():
            self.sim.run(A_WHILE)
        if self.sim.now >= until:
            self.what_goes_on_goes_on_slowly(len(self.alice.wire.log) - frames)
            self.they_agree()

    def agreed_and_calm(self) -> bool:
        try:
            self.they_agree()
        except AssertionError:
            return False
        return inside.calm(self.alice.session)

    def they_agree(self) -> None:
        self.both_sides_have_the_same_calls()
        self.every_call_has_media()
        self.everything_asked_has_had_its_outcome()
        self.every_call_is_in_a_state_that_something_ends()
        self.every_report_has_arrived()

    # How.

    def mend(self) -> None:
        sim, alice = self.sim, self.alice
        sim.gateway.clear_faults(now=sim.now)
        for media in (alice.media, sim.gateway_media):
            media.source_trouble.clear()
            media.remote_trouble.clear()
            media.local_trouble.clear()
            media.gather_time = 0.05
        alice.reports.mood = "well"
        alice.wire.latency = 0.02
        alice.wire.heal()
        alice.media.heal()
        struck = [event for _, event in sim.gateway_events[self.mended :] if isinstance(event, FaultStruck)]
        self.mended = len(sim.gateway_events)
        if any(map(parts_the_sides, struck)):
            alice.wire.drop()
        for socket in sim.gateway.sockets("alice"):
            sim.gateway.push_state(socket, "REGED", now=sim.now)

    # What holds once all is mended and quiet.

    def what_goes_on_goes_on_slowly(self, frames: int) -> None:
        """Nobody asks again and again, at the speed of the network or for ever: hardly more than a frame a
        second, both ways together; and nothing that was arranged for later piles up."""
        # Whoever talks asks every two seconds whether the server is there: with the answer that is a frame a second.
        assert frames < 1.25 * PATIENCE, f"{frames} frames in {PATIENCE:g} s"
        assert len(self.sim.clock) < 16, f"{len(self.sim.clock)} things are arranged for later"

    def both_sides_have_the_same_calls(self) -> None:
        theirs = {call for call, leg in self.sim.gateway.calls.items() if leg.user == "alice"}
        assert set(self.alice.calls) == theirs, f"ours {set(self.alice.calls)}, the gateway's {theirs}"

    def every_call_has_media(self) -> None:
        """Held calls are connected as well, though nothing is heard; and both sides agree on which are held."""
        for call, info in self.alice.calls.items():
            if info.state in ESTABLISHED:
                held = self.sim.gateway.calls[call].held
                assert held == (info.state is CallState.HELD), (
                    f"call {call} is {info.state.value} here, held: {held} there"
                )
                assert self.sim.media_flows(call), f"call {call} is {info.state.value} and has no media"

    def everything_asked_has_had_its_outcome(self) -> None:
        assert not self.alice.ledger.tickets, f"never settled: {self.alice.ledger.tickets}"

    def every_call_is_in_a_state_that_something_ends(self) -> None:
        """The gateway rings for a minute at most: what is left is a conversation."""
        stuck = {call: info.state for call, info in self.alice.calls.items() if info.state not in ESTABLISHED}
        assert not stuck, f"nothing will end {stuck}"

    def every_report_has_arrived(self) -> None:
        """But for what the client says it has lost, and what goes with the next part of its call. That none arrives
        twice is asserted by the platform itself.
        """
        reports, queues = self.alice.reports, hub_of(self.alice.session).uploads.queues
        kept = sum(len(queue.kept) for queue in queues.values())
        assert not self.alice.session.uploading
        assert reports.missing <= reports.given_up + kept, f"{reports.missing} bodies are lost"

    # What always holds. The ledger of `Sim` holds handles, tickets and "one end for each call" at every action.

    @invariant()
    def no_request_without_deadline(self) -> None:
        inside.no_request_without_deadline(self.alice.session)

    @invariant()
    def no_timer_without_owner(self) -> None:
        inside.no_timer_without_owner(self.alice.session)

    @invariant()
    def no_peer_without_call(self) -> None:
        inside.peers_belong_to_calls(self.alice.session)
        assert set(hub_of(self.alice.session).media) == set(self.alice.ledger.peers) == set(self.alice.media.peers)

    @invariant()
    def what_the_application_heard_is_what_is(self) -> None:
        heard = self.alice.ledger.calls
        assert heard == {ident: call.state for ident, call in self.alice.calls.items()}

    @invariant()
    def secrets_appear_only_where_they_must(self) -> None:
        for _, action in self.alice.actions[self.watched :]:
            secrets_never_leave(action)
        self.watched = len(self.alice.actions)

    @invariant()
    def failed_media_is_being_mended(self) -> None:
        inside.failed_media_is_being_mended(self.alice.session)

    @invariant()
    def the_audio_goes_through_an_open_peer(self) -> None:
        ledger = self.alice.ledger
        for call, state in ledger.calls.items():
            if state in ESTABLISHED and any(book.call == call for book in ledger.peers.values()):
                assert call in ledger.in_use, f"call {call} is {state.value} and uses no peer"

    @invariant()
    def nothing_grows_without_bound(self) -> None:
        inside.bounded_by_the_living(self.alice.session)

    def teardown(self) -> None:
        """Mended, calm, and after a disconnect nothing is left on either side."""
        if self.steps_done():
            self.everything_is_mended_and_time_passes(whole=True)
        self.alice.disconnect()
        self.sim.run(60)
        assert self.alice.state is SessionState.IDLE
        inside.at_rest(self.alice.session)
        self.alice.ledger.at_rest()
        assert not self.alice.ledger.tickets
        assert not [call for call, leg in self.sim.gateway.calls.items() if leg.user == "alice"]

    def steps_done(self) -> bool:
        return self.sim.now > 0


__all__ = ["CallId", "Together"]
