"""What an application asks while there is no socket (SIG-303, SIG-314, SIG-534)."""

import pytest

from telnyx_core.actions import Failed
from telnyx_core.errors import FailureKind, NotConnected, NotReady
from telnyx_core.gateway import Fault, Refuse, Swallow
from telnyx_core.states import SessionState
from telnyx_core.testing import Connecting, Sim, SimClient
from tests.scenarios.story import ACTIVE, HELD, RECOVERING, call_and_talk, ended, talking


def cut_off() -> tuple[Sim, SimClient, object]:
    sim, alice, call = talking(strict=True)
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(3)
    assert alice.state_of(call) is RECOVERING
    return sim, alice, call


def test_hang_up_is_never_lost() -> None:
    """SIG-314, SIG-560: the call ends at once, and the server is told when it offers the call again."""
    sim, alice, call = cut_off()
    ticket = alice.hangup(call)
    assert ended(alice, call)
    assert ticket in alice.outcomes
    assert alice.errors()[-1] == 44003
    alice.wire.heal()
    sim.run(20)
    assert alice.state is SessionState.READY
    assert not sim.gateway.calls
    (bye,) = alice.requests("telnyx_rtc.bye")
    assert bye["cause"] == "NORMAL_CLEARING"
    assert alice.requests("telnyx_rtc.attach") == []
    assert ended(alice, call)


def test_hang_up_with_a_cause_of_the_application_s_own() -> None:
    sim, alice, call = cut_off()
    alice.hangup(call, cause="CALL_REJECTED")
    alice.wire.heal()
    sim.run(20)
    (bye,) = alice.requests("telnyx_rtc.bye")
    assert (bye["cause"], bye["causeCode"]) == ("CALL_REJECTED", 21)


def test_hang_up_when_the_late_bye_is_lost_as_well() -> None:
    """SIG-314: said once on each occasion that the server names the call."""
    sim, alice, call = cut_off()
    alice.hangup(call)
    sim.gateway.add_fault(Fault(do=Swallow(), method="telnyx_rtc.bye"), now=sim.now)
    alice.wire.heal()
    sim.run(40)
    assert ended(alice, call)
    sim.run(60)
    assert not sim.gateway.calls


def test_hold_is_refused_with_a_reason() -> None:
    """SIG-303, CALL-121: and the call comes back as it was."""
    sim, alice, call = cut_off()
    heard = alice.errors()
    with pytest.raises(NotConnected, match="there is no open socket"):
        alice.hold(call)
    assert alice.errors() == heard
    alice.wire.heal()
    sim.run(20)
    assert alice.state_of(call) is ACTIVE


def test_hold_in_flight_when_the_socket_goes() -> None:
    """CALL-512: 44001 at once, whatever the server made of it; its word on the next hold decides."""
    sim, alice, call = talking()
    alice.hold(call)
    alice.wire.drop()
    sim.run(20)
    assert 44001 in alice.errors()
    assert alice.state_of(call) is ACTIVE
    alice.hold(call)
    sim.run(1)
    assert alice.state_of(call) is HELD


def test_a_hold_whose_reply_was_lost_does_not_leave_the_call_silent() -> None:
    """The server has carried it out and falls silent, the application was told that it failed: it is taken back."""
    sim, alice, call = talking()
    alice.wire.stall("down")
    alice.hold(call)
    sim.run_until(lambda: sim.gateway.calls[call].held)
    alice.wire.heal()
    alice.wire.drop()
    sim.run(20)
    assert alice.errors().count(44001) == 1
    assert alice.state_of(call) is ACTIVE
    assert not sim.gateway.calls[call].held
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["hold", "unhold"]
    assert 36004 not in alice.warnings()


def test_dtmf_is_refused() -> None:
    """SIG-303: NotConnected, and nothing is queued for later."""
    sim, alice, call = cut_off()
    with pytest.raises(NotConnected):
        alice.dtmf(call, "1")
    alice.wire.heal()
    sim.run(20)
    assert alice.requests("telnyx_rtc.info") == []


def test_dtmf_in_flight_when_the_socket_goes() -> None:
    """SIG-068: the ticket fails as stale; it is not sent again, for it may have been heard."""
    sim, alice, call = talking()
    alice.wire.stall("up")
    ticket = alice.dtmf(call, "1")
    alice.wire.drop()
    sim.run(0.1)
    outcome = alice.outcomes[ticket]
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.STALE_REQUEST
    alice.wire.heal()
    sim.run(10)
    assert len(alice.requests("telnyx_rtc.info")) == 1


def test_a_new_call_is_refused() -> None:
    """SIG-081, SIG-534: refused at once, and no socket is opened for it."""
    sim, alice, _ = cut_off()
    sockets = max(alice.ledger._announced)
    with pytest.raises(NotConnected):
        alice.new_call("echo")
    sim.run(0.5)
    assert max(alice.ledger._announced) == sockets


def test_a_new_call_before_the_registration_is_refused() -> None:
    """SIG-082."""
    sim = Sim(strict=True)
    sim.client.connect()
    sim.run_until(lambda: sim.client.state is SessionState.REGISTERING)
    with pytest.raises(NotReady):
        sim.client.new_call("echo")
    sim.run(1)
    call_and_talk(sim, sim.client)


def test_a_message_is_refused() -> None:
    _, alice, call = cut_off()
    with pytest.raises(NotConnected):
        alice.message(call, "bob", "are you there?")


def test_asking_whether_we_are_registered() -> None:
    """SIG-129: no, and without waiting."""
    _, alice, _ = cut_off()
    ticket = alice.is_registered()
    assert alice.outcomes[ticket].value == {"registered": False}


def test_new_credentials_are_kept_for_the_next_socket() -> None:
    """SIG-246, SIG-569: the caller is told that there is no socket, and the next login uses them."""
    sim, alice, _ = cut_off()
    ticket = alice.login({"login": "bob", "password": "builder"})
    assert isinstance(alice.outcomes[ticket], Failed)
    alice.wire.heal()
    sim.run(40)
    assert alice.state is SessionState.READY
    assert alice.requests("login")[-1]["login"] == "bob"
    assert "sessid" not in alice.requests("login")[-1]


def test_credentials_that_the_gateway_does_not_know_end_the_trying() -> None:
    """T35: a definite no; 36005 and the calls end."""
    sim, alice, call = cut_off()
    alice.login({"login": "alice", "password": "looking-glass"})
    alice.wire.heal()
    sim.run(40)
    assert alice.state is SessionState.AUTH_FAILED
    assert 46001 in alice.errors()
    alice.wire.drop()
    sim.run(40)
    assert alice.state is SessionState.AUTH_FAILED
    assert ended(alice, call)
    assert alice.warnings()[-1] == 36005


def test_a_refused_login_does_not_leave_the_call_waiting_for_ever() -> None:
    """SIG-304: nobody asks again, the socket stays open, and after two minutes there is nothing to come back to."""
    sim, alice, call = cut_off()
    sim.gateway.add_fault(Fault(do=Refuse(code=-32603, message="not today"), method="login"), now=sim.now)
    alice.wire.heal()
    sim.run(60)
    assert alice.state is SessionState.AUTH_FAILED
    assert alice.state_of(call) is RECOVERING
    sim.run(70)
    assert ended(alice, call)
    assert alice.errors()[-1] == 48501


def test_a_refused_login_that_is_mended_in_time_brings_the_call_back() -> None:
    sim, alice, call = cut_off()
    sim.gateway.add_fault(Fault(do=Refuse(code=-32603, message="not today"), method="login"), now=sim.now)
    alice.wire.heal()
    sim.run(40)
    alice.login({"password": "wonderland"})
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
