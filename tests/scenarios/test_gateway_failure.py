"""What the session does about the states of the SIP gateway behind it (signaling.md 4.3, 4.4)."""

import pytest
from attrs import evolve

from telnyx_core._wire.codec import encode
from telnyx_core.events import Ready, SocketClose
from telnyx_core.gateway import Fault, Refuse
from telnyx_core.states import SessionState
from telnyx_core.testing import ALICE, WONDERLAND, Sim, SimClient
from tests.scenarios.story import ACTIVE, KEEPING, at_the_phone, rung, talking

FAILED = encode({"jsonrpc": "2.0", "id": 7, "method": "telnyx_rtc.gatewayState", "params": {"state": "FAILED"}})


def push(sim: Sim, client: SimClient, state: str) -> None:
    sim.gateway.push_state(client.wire.far_socket, state, now=sim.now)
    sim.run(0.1)


@pytest.mark.parametrize("state", ["FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN"])
def test_a_gateway_failure_without_calls(state: str) -> None:
    """SIG-220, T24: 45004, a wait of two to six seconds, a new socket."""
    sim, alice = at_the_phone()
    push(sim, alice, state)
    assert alice.state is SessionState.GATEWAY_WAIT
    assert alice.errors() == [45004]
    sim.run(20)
    assert alice.state is SessionState.READY
    assert len(alice.all_of(Ready)) == 2
    assert "skip_last_voice_sdk_id=true" in alice.urls[1]
    alice.wire.drop()
    sim.run(5)
    assert "skip_last_voice_sdk_id" not in alice.urls[2]


def test_a_gateway_failure_with_a_call_that_is_kept() -> None:
    """SIG-221 a, SIG-536: the call's media is fine, so only the socket is replaced."""
    sim, alice, call = talking(options=KEEPING)
    push(sim, alice, "FAIL_WAIT")
    sim.run(20)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.requests("telnyx_rtc.bye") == []


@pytest.mark.parametrize("options", [ALICE, KEEPING], ids=["replacing", "keeping"])
def test_a_gateway_failure_during_a_call(options) -> None:
    """SIG-221: the call needs no registration; when it is over, another gateway is looked for."""
    sim, alice, call = talking(options=options)
    push(sim, alice, "FAIL_WAIT")
    sim.run(120)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.all_of(SocketClose) == []
    assert alice.errors() == [45004]
    alice.hangup(call)
    sim.run(20)
    assert alice.state is SessionState.READY


def test_the_gateway_recovers_before_the_retry() -> None:
    """T22: the socket stays, and so does the call."""
    sim, alice, call = talking()
    push(sim, alice, "FAIL_WAIT")
    push(sim, alice, "REGED")
    sim.run(20)
    assert alice.state is SessionState.READY
    assert alice.all_of(SocketClose) == []
    assert alice.state_of(call) is ACTIVE


def test_failures_within_one_episode_are_one() -> None:
    """SIG-220, T21."""
    sim, alice = at_the_phone()
    for state in ("FAILED", "FAIL_WAIT", "UNREGED", "TIMEOUT"):
        push(sim, alice, state)
    assert alice.errors() == [45004]
    assert alice.state is SessionState.GATEWAY_WAIT


def test_the_fifth_failure_is_the_last() -> None:
    """SIG-606, T19: five times 45004, then 45003, and the socket is closed."""
    sim = Sim(gateway=evolve(WONDERLAND, registration=("FAIL_WAIT",)))
    sim.client.connect()
    sim.run_until(lambda: sim.client.state is SessionState.EXHAUSTED, within=120)
    assert sim.client.errors() == [45004] * 5 + [45003]
    sim.client.ledger.at_rest()


@pytest.mark.parametrize("calling", [False, True])
def test_a_gateway_failure_with_reconnection_off(calling: bool) -> None:
    """T20: at once the last, but for a call."""
    options = evolve(ALICE, auto_reconnect=False)
    sim, alice, call = talking(options=options) if calling else (*at_the_phone(options), None)
    push(sim, alice, "FAILED")
    sim.run(1)
    assert (alice.state is SessionState.EXHAUSTED) is not calling
    assert alice.errors() == ([45004] if calling else [45004, 45003])
    if call is not None:
        assert alice.state_of(call) is ACTIVE


def test_failing_and_recovering_for_a_long_life() -> None:
    """SIG-540: REGED resets the count of failures."""
    sim, alice = at_the_phone()
    for _ in range(8):
        push(sim, alice, "FAIL_WAIT")
        sim.run(15)
        assert alice.state is SessionState.READY
    assert 45003 not in alice.errors()


def test_an_ordinary_refresh_is_no_news() -> None:
    """SIG-531: REGED, TRYING, REGISTER, REGED: one ready."""
    sim, alice, call = talking()
    for state in ("TRYING", "REGISTER", "REGED", "EXPIRED", "UNREGISTER", "REGED"):
        push(sim, alice, state)
    assert len(alice.all_of(Ready)) == 1
    assert alice.state_of(call) is ACTIVE


def test_unregistered_for_a_while_during_a_call() -> None:
    """SIG-217: polling, not touching the call; ready again is told again."""
    sim, alice, call = talking()
    push(sim, alice, "UNREGED")
    assert alice.state is SessionState.REGISTERING
    assert alice.state_of(call) is ACTIVE
    push(sim, alice, "REGED")
    assert len(alice.all_of(Ready)) == 2
    sim.run(20)
    assert alice.state_of(call) is ACTIVE


def test_credentials_that_never_register() -> None:
    """SIG-600: five times NOREG, then 46001; the socket stays open and waits for `login`."""
    sim = Sim(gateway=evolve(WONDERLAND, registration=("NOREG",)))
    sim.client.connect()
    sim.run(60)
    assert sim.client.state is SessionState.AUTH_FAILED
    assert sim.client.errors() == [46001]
    assert len(sim.client.requests("telnyx_rtc.gatewayState")) == 5
    sim.gateway.push_state(sim.wire.far_socket, "REGED", now=sim.now)
    sim.run(1)
    assert sim.client.state is SessionState.READY


def test_a_registration_that_takes_its_time() -> None:
    """SIG-215: UNREGED, TRYING, REGED."""
    sim = Sim(gateway=evolve(WONDERLAND, registration=("UNREGED", "TRYING", "REGED")))
    sim.client.connect()
    sim.run(40)
    assert sim.client.state is SessionState.READY
    assert sim.client.errors() == []


def test_a_failure_while_a_phone_rings() -> None:
    """It goes on ringing, and can be answered."""
    sim, alice, call = rung()
    push(sim, alice, "FAIL_WAIT")
    sim.run(20)
    alice.answer(call)
    sim.run(2)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_disconnect_while_waiting_for_the_gateway() -> None:
    """SIG-532: nothing is opened later."""
    sim, alice, _ = talking()
    push(sim, alice, "FAIL_WAIT")
    alice.disconnect()
    sim.run(30)
    assert alice.state is SessionState.IDLE
    alice.ledger.at_rest()
    assert alice.session.next_timeout() is None


def test_a_poll_that_is_answered_with_nothing() -> None:
    """T14: an error, or a state that nobody knows, is no answer; it is asked again."""
    sim = Sim(gateway=evolve(WONDERLAND, registration=("UNREGED", "REGED")))
    refusals = [Fault(do=Refuse(), method="telnyx_rtc.gatewayState", nth=nth) for nth in (2, 3)]
    for refusal in refusals:
        sim.gateway.add_fault(refusal, now=sim.now)
    sim.client.connect()
    sim.run(60)
    assert sim.client.state is SessionState.READY
