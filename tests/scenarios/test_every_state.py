"""The same misfortune in every state of a session, and of a call (signaling.md 4.2, calls.md 6)."""

import pytest
from attrs import evolve

from telnyx_core._wire.codec import encode
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import Cause, SessionClosed
from telnyx_core.gateway import CallPlan, Delay, Fault, Swallow
from telnyx_core.ids import CallId
from telnyx_core.options import ClientOptions
from telnyx_core.states import CallState, SessionState
from telnyx_core.testing import ALICE, WONDERLAND, Connecting, Sim, SimClient
from telnyx_core.testing.media import sdp_of
from tests.inside import hub_of
from tests.scenarios.story import (
    ACTIVE,
    ANSWERING,
    DESTROY,
    EARLY,
    HANGUP,
    HELD,
    NEW,
    PURGE,
    RECOVERING,
    REQUESTING,
    RINGING,
    TRYING,
    at_the_phone,
    call_and_talk,
    ended,
    ring,
)

S = SessionState

WITH_SOCKET = (S.LOGGING_IN, S.REGISTERING, S.READY, S.GATEWAY_WAIT, S.AUTH_FAILED)
SLOW = evolve(WONDERLAND, plan=CallPlan(ringing_delay=1.0, early_delay=1.0, answer_delay=30.0))


def in_state(state: SessionState, options: ClientOptions = ALICE) -> tuple[Sim, SimClient]:
    """A session that has come as far as this state, and stays there for a moment."""
    never = {S.LOGGING_IN: "login", S.REGISTERING: "telnyx_rtc.gatewayState"}.get(state)
    faults = () if never is None else (Fault(do=Swallow(), method=never),)
    registration = ("NOREG",) if state is S.AUTH_FAILED else ("REGED",)
    sim = Sim(options, gateway=evolve(WONDERLAND, faults=faults, registration=registration))
    alice = sim.client
    alice.connect()
    if state is S.GATEWAY_WAIT:
        sim.run_until(lambda: alice.state is S.READY)
        sim.gateway.push_state(alice.wire.far_socket, "FAILED", now=sim.now)
    sim.run_until(lambda: alice.state is state)
    sim.run(0.5)
    assert alice.state is state
    return sim, alice


@pytest.mark.parametrize("state", WITH_SOCKET)
def test_the_socket_is_lost_and_will_be_replaced(state: SessionState) -> None:
    """T32, T36."""
    sim, alice = in_state(state)
    alice.wire.drop()
    sim.run(0.01)
    assert alice.state is S.BACKOFF
    sim.run(60)
    assert alice.state is (S.AUTH_FAILED if state is S.AUTH_FAILED else S.READY)


@pytest.mark.parametrize("state", WITH_SOCKET)
def test_the_socket_is_lost_for_the_last_time(state: SessionState) -> None:
    """T33: one attempt is allowed, and it does not get as far as REGED before it is lost as well."""
    sim, alice = in_state(state, evolve(ALICE, max_reconnect_attempts=1))
    if state is S.READY:
        sim.gateway.push_state(alice.wire.far_socket, "REGISTER", now=sim.now)
        sim.run(0.1)
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(10)
    assert alice.state is S.EXHAUSTED
    assert alice.errors()[-1] == 45003


@pytest.mark.parametrize("state", [S.LOGGING_IN, S.REGISTERING, S.GATEWAY_WAIT, S.AUTH_FAILED, S.READY])
def test_the_attempts_are_used_up_in_this_state(state: SessionState) -> None:
    """T33: the second socket comes as far as the first, and is the last."""
    sim, alice = in_state(state, evolve(ALICE, max_reconnect_attempts=1))
    registration = {S.AUTH_FAILED: ("NOREG",), S.READY: ("REGISTER",)}.get(state, ("REGED",))
    never = {S.LOGGING_IN: "login", S.REGISTERING: "telnyx_rtc.gatewayState", S.GATEWAY_WAIT: "telnyx_rtc.gatewayState"}
    if state in never:
        sim.gateway.add_fault(Fault(do=Swallow(), method=never[state], nth=None), now=sim.now)
    sim.gateway.options = sim.gateway._context.options = evolve(sim.gateway.options, registration=registration)
    alice.wire.drop()
    sim.run(0.01)
    assert alice.state is S.BACKOFF
    if state is S.GATEWAY_WAIT:
        sim.run_until(lambda: alice.state is S.REGISTERING)
        sim.gateway.push_state(alice.wire.far_socket, "FAIL_WAIT", now=sim.now)
    sim.run_until(lambda: alice.state is state)
    alice.wire.drop()
    sim.run(1)
    assert alice.state is S.EXHAUSTED
    assert alice.errors()[-1] == 45003


@pytest.mark.parametrize("state", [S.CONNECTING, *WITH_SOCKET])
def test_the_socket_is_lost_and_not_to_be_replaced(state: SessionState) -> None:
    """T34, T36, SIG-312. A failed gateway is final by itself then (T20)."""
    options = evolve(ALICE, auto_reconnect=False)
    if state is S.CONNECTING:
        sim = Sim(options)
        sim.wire.connecting = Connecting.REFUSED
        sim.client.connect()
    elif state is S.GATEWAY_WAIT:
        sim, _ = in_state(state)
        hub_of(sim.client.session).link.auto_reconnect = False
    else:
        sim, _ = in_state(state, options)
    alice = sim.client
    alice.wire.drop()
    sim.run(1)
    assert alice.state is S.IDLE
    assert alice.warnings() == [36005]
    assert len(alice.all_of(SessionClosed)) == 1
    assert alice.session.next_timeout() is None


@pytest.mark.parametrize("state", [S.IDLE, S.CONNECTING, *WITH_SOCKET, S.BACKOFF, S.EXHAUSTED, S.CLOSING])
def test_disconnect(state: SessionState) -> None:
    """SIG-280 to SIG-284, T29, T30: from everywhere to rest, told once, unless it was at rest before."""
    if state in WITH_SOCKET:
        sim, alice = in_state(state)
    else:
        sim = Sim(evolve(ALICE, max_reconnect_attempts=1))
        alice = sim.client
        if state is not S.IDLE:
            alice.connect()
        if state in (S.BACKOFF, S.EXHAUSTED):
            alice.wire.connecting = Connecting.REFUSED
            alice.wire.drop()
            sim.run_until(lambda: alice.state is state)
        if state is S.CLOSING:
            sim.run_until(lambda: alice.state is S.READY)
            alice.wire.stall("up")
            sim.run_until(lambda: alice.state is S.CLOSING)
    closed = len(alice.all_of(SessionClosed))
    assert alice.state is state
    alice.disconnect()
    alice.disconnect()
    sim.run(20)
    assert alice.state is S.IDLE
    assert len(alice.all_of(SessionClosed)) == (0 if state is S.IDLE else closed + 1)
    alice.ledger.at_rest()
    assert alice.session.next_timeout() is None


@pytest.mark.parametrize("state", [S.IDLE, *WITH_SOCKET, S.BACKOFF, S.EXHAUSTED])
def test_connect(state: SessionState) -> None:
    """T01 to T05: where a session is at rest or waits, it comes to life; where it is alive, nothing happens."""
    if state in WITH_SOCKET:
        sim, alice = in_state(state)
        sim.gateway.options = sim.gateway._context.options = evolve(WONDERLAND, registration=("REGED",))
        alice.wire.heal()
    else:
        sim = Sim(evolve(ALICE, max_reconnect_attempts=1))
        alice = sim.client
        if state is not S.IDLE:
            alice.connect()
            alice.wire.connecting = Connecting.REFUSED
            alice.wire.drop()
            sim.run_until(lambda: alice.state is state)
            alice.wire.heal()
    alice.connect()
    sim.run(60)
    assert alice.state is S.READY


def test_rejected_credentials_are_lost_with_their_socket() -> None:
    """T35: also while that socket is being closed; then `connect` begins anew (T05)."""
    sim = Sim(evolve(ALICE, password="looking-glass"))
    alice = sim.client
    alice.connect()
    sim.run_until(lambda: alice.state is S.AUTH_FAILED)
    alice.wire.stall("up")
    sim.run_until(lambda: alice.state is S.CLOSING)
    sim.run_until(lambda: alice.state is S.AUTH_FAILED)
    assert alice.warnings()[-1] == 36005
    alice.wire.heal()
    alice.login({"password": "wonderland"})
    alice.connect()
    sim.run(5)
    assert alice.state is S.READY


def test_rejected_credentials_and_disconnect() -> None:
    """T30."""
    sim = Sim(evolve(ALICE, password="looking-glass"))
    alice = sim.client
    alice.connect()
    sim.run_until(lambda: alice.state is S.AUTH_FAILED)
    alice.wire.drop()
    sim.run(1)
    assert alice.state is S.AUTH_FAILED
    alice.disconnect()
    assert alice.state is S.IDLE
    assert alice.session.next_timeout() is None


def test_a_gateway_failure_after_the_polls_are_used_up() -> None:
    """T18 in AUTH_FAILED after a successful login."""
    sim, alice = in_state(S.AUTH_FAILED)
    sim.gateway.push_state(alice.wire.far_socket, "TIMEOUT", now=sim.now)
    sim.run(0.5)
    assert alice.state is S.GATEWAY_WAIT
    assert alice.errors() == [46001, 45004]


def test_another_login_while_the_first_one_registers() -> None:
    """T27."""
    sim, alice = in_state(S.REGISTERING)
    ticket = alice.login({"password": "wonderland"})
    assert alice.state is S.LOGGING_IN
    sim.run(5)
    assert alice.state is S.READY
    assert ticket in alice.outcomes


# Calls.

CALL_STATES = (NEW, REQUESTING, TRYING, RINGING, EARLY, ACTIVE, HELD, ANSWERING, RECOVERING)


def call_in_state(state: CallState, inbound: bool = False) -> tuple[Sim, SimClient, CallId]:
    """One call that has come as far as this state, and stays there for a moment."""
    faults = {
        REQUESTING: (Fault(do=Delay(5.0), on="reply", method="telnyx_rtc.invite"),),
        ANSWERING: (Fault(do=Delay(5.0), on="reply", method="telnyx_rtc.answer"),),
    }.get(state, ())
    quick = state in (ACTIVE, HELD, RECOVERING)
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND if quick else SLOW, faults=faults))
    if state is ANSWERING or inbound:
        call = ring(sim, alice)
        if state is not RINGING:
            alice.answer(call)
    elif quick:
        call = call_and_talk(sim, alice)
        if state is HELD:
            alice.hold(call)
        elif state is RECOVERING:
            alice.wire.connecting = Connecting.REFUSED
            alice.wire.drop()
    else:
        call = alice.new_call("early")
    sim.run_until(lambda: alice.state_of(call) is state)
    return sim, alice, call


@pytest.mark.parametrize("state", CALL_STATES)
def test_the_application_disconnects_during_a_call(state: CallState) -> None:
    """CALL-370: purge, hangup, destroy, from every state."""
    sim, alice, call = call_in_state(state)
    alice.disconnect()
    sim.run(20)
    assert alice.states(call)[-3:] == [PURGE, HANGUP, DESTROY]
    assert alice.state is S.IDLE
    sim.run(100)
    assert not sim.gateway.calls


@pytest.mark.parametrize("state", CALL_STATES)
def test_the_application_hangs_up(state: CallState) -> None:
    """CALL-366, CALL-401: the cause goes by whether the call was ever answered."""
    sim, alice, call = call_in_state(state)
    ticket = alice.hangup(call)
    alice.wire.heal()
    sim.run(60)
    assert ended(alice, call)
    answered = state in (ACTIVE, HELD, RECOVERING)
    assert alice.cause_of(call) == (Cause("NORMAL_CLEARING", 16) if answered else Cause("USER_BUSY", 17))
    assert ticket in alice.outcomes
    sim.run(60)
    assert not sim.gateway.calls


@pytest.mark.parametrize("state", [TRYING, RINGING, EARLY, ACTIVE, HELD, ANSWERING])
def test_the_far_end_hangs_up(state: CallState) -> None:
    """CALL-352, CALL-365."""
    sim, alice, call = call_in_state(state)
    sim.gateway.hangup(call, now=sim.now)
    sim.run(20)
    assert ended(alice, call)
    assert alice.requests("telnyx_rtc.bye") == []


@pytest.mark.parametrize("state", [*CALL_STATES[:-1], HANGUP])
def test_an_attach_out_of_the_blue(state: CallState) -> None:
    """SIG-341, CALL-530, CALL-393: whatever the server means by it, nothing breaks and the call goes on or ends."""
    if state is HANGUP:
        sim, alice, call = call_in_state(ACTIVE)
        alice.wire.stall("up")
        alice.hangup(call)
        assert alice.state_of(call) is HANGUP
    else:
        sim, alice, call = call_in_state(state)
    sdp = sdp_of("stranger", "offer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 4711,
        "method": "telnyx_rtc.attach",
        "params": {"callID": call, "sdp": sdp},
    }
    sim.gateway.send(alice.wire.far_socket, encode(frame), now=sim.now)
    sim.run(0.1)
    assert '"id":4711' in "".join(sent.text for sent in alice.wire.log if sent.way == "up")
    alice.wire.heal()
    sim.run(60)
    assert call not in alice.calls or alice.state_of(call) in (ACTIVE, HELD, EARLY, RINGING)


def test_an_answer_that_overtakes_everything() -> None:
    """CALL-322: answered before the invite's own reply, before any ringing."""
    sim, alice, call = call_in_state(REQUESTING)
    sdp = sdp_of("stranger", "answer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "telnyx_rtc.answer",
        "params": {"callID": call, "sdp": sdp},
    }
    sim.gateway.send(alice.wire.far_socket, encode(frame), now=sim.now)
    sim.run(1)
    assert alice.states(call) == [NEW, REQUESTING, ACTIVE]


@pytest.mark.parametrize("state", [REQUESTING, TRYING])
def test_early_media_without_ringing(state: CallState) -> None:
    """CALL-320."""
    sim, alice, call = call_in_state(state)
    sdp = sdp_of("stranger", "answer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "telnyx_rtc.media",
        "params": {"callID": call, "sdp": sdp},
    }
    sim.gateway.send(alice.wire.far_socket, encode(frame), now=sim.now)
    sim.run(0.5)
    assert alice.state_of(call) is EARLY


def test_answered_without_ringing() -> None:
    """CALL-322 in TRYING."""
    sim, alice, call = call_in_state(TRYING)
    sdp = sdp_of("stranger", "answer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "telnyx_rtc.answer",
        "params": {"callID": call, "sdp": sdp},
    }
    sim.gateway.send(alice.wire.far_socket, encode(frame), now=sim.now)
    sim.run(0.5)
    assert alice.state_of(call) is ACTIVE
