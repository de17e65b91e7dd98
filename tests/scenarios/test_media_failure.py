"""Media and signalling fail apart and together (media.md 5)."""

import pytest
from attrs import evolve

from telnyx_core.actions import Done, Failed
from telnyx_core.errors import InvalidCallState
from telnyx_core.events import CallUpdated, Cause, PeerConnectionFailure, SocketClose
from telnyx_core.gateway import CallPlan, Fault, Refuse, Swallow
from telnyx_core.gateway.events import CallUpdated as GatewayUpdated
from telnyx_core.testing import ALICE, WONDERLAND, Connecting, Sim, SimClient
from tests.scenarios.story import ACTIVE, HELD, KEEPING, RECOVERING, at_the_phone, call_and_talk, ended, talking

UNMEASURED = evolve(ALICE, enable_call_reports=False)
"""Without counters only ICE tells of trouble."""


def lively(sim: Sim, client: SimClient) -> None:
    """The socket has just been heard from, so it is trusted (SIG-267)."""
    sim.gateway.ping(client.wire.far_socket, now=sim.now)
    sim.run(0.2)


def test_the_peer_fails_and_the_socket_is_healthy() -> None:
    """MEDIA-217 to MEDIA-224: the media is renewed through updateMedia; the call's state never moves."""
    sim, alice, call = talking()
    lively(sim, alice)
    alice.media.fail(call)
    sim.run(2)
    assert sim.media_flows(call)
    assert alice.states(call)[-1] is ACTIVE
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["updateMedia"]
    assert alice.warnings() == [33004, 36004]
    assert len(alice.all_of(PeerConnectionFailure)) == 1
    assert alice.all_of(SocketClose) == []
    assert len(alice.ledger.peers) == 1


def test_the_application_asks_for_another_path() -> None:
    """`restart_media`: as an ICE restart; nothing is wrong, so nothing is warned of, and nothing is missed."""
    sim, alice, call = talking()
    alice.spares_what_works = False
    ticket = alice.restart_media(call)
    again = alice.restart_media(call)
    sim.run(2)
    assert alice.outcomes[ticket] == alice.outcomes[again] == Done()
    assert sim.media_flows(call)
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["updateMedia"]
    assert alice.warnings() == []
    assert len(alice.ledger.peers) == 1


def test_another_path_that_is_asked_for_in_vain() -> None:
    """The old one plays on, 47001 says why, and the next wish is served at once."""
    sim, alice, call = talking()
    alice.spares_what_works = False
    sim.gateway.add_fault(Fault(do=Refuse(), method="telnyx_rtc.modify"), now=sim.now)
    ticket = alice.restart_media(call)
    sim.run(1)
    assert isinstance(alice.outcomes[ticket], Failed)
    assert alice.errors() == [47001]
    assert sim.media_flows(call)
    better = alice.restart_media(call)
    sim.run(1)
    assert alice.outcomes[better] == Done()


@pytest.mark.parametrize("how", ["hangup", "drop"])
def test_whoever_asked_for_another_path_learns_of_the_end(how: str) -> None:
    sim, alice, call = talking()
    alice.spares_what_works = False
    ticket = alice.restart_media(call)
    alice.hangup(call) if how == "hangup" else alice.wire.drop()
    sim.run(1)
    assert isinstance(alice.outcomes[ticket], Failed)


def test_no_other_path_before_there_is_one() -> None:
    """PS-008: the server would end the call."""
    sim, alice = at_the_phone()
    call = alice.new_call("ring")
    sim.run(1)
    with pytest.raises(InvalidCallState, match="restart_media is not possible while the call is ringing"):
        alice.restart_media(call)


def test_the_states_of_the_peer_have_the_w3c_s_names() -> None:
    sim, alice = at_the_phone()
    call = alice.new_call("tone")
    info = alice.session.call(call)
    assert (info.connection_state, info.signaling_state) == ("new", "stable")
    sim.run(0.3)
    assert alice.session.call(call).signaling_state in ("stable", "have-local-offer")
    sim.run(2)
    info = alice.session.call(call)
    assert (info.connection_state, info.ice_connection_state) == ("connected", "connected")
    assert (info.ice_gathering_state, info.signaling_state) == ("complete", "stable")
    alice.media.fail(call)
    sim.run(0.05)
    assert alice.session.call(call).ice_connection_state == "failed"
    alice.hangup(call)
    sim.run(1)
    ended = alice.all_of(CallUpdated)[-1].call
    assert (ended.connection_state, ended.signaling_state) == ("closed", "closed")


def test_the_peer_fails_and_the_socket_is_in_doubt() -> None:
    """MEDIA-216b: silence of more than three seconds: first a probe, then the renewal."""
    sim, alice, call = talking()
    sim.run(10)
    pings = len(alice.requests("telnyx_rtc.ping"))
    alice.media.fail(call)
    sim.run(3)
    assert len(alice.requests("telnyx_rtc.ping")) == pings + 1
    assert sim.media_flows(call)
    assert alice.all_of(SocketClose) == []


def test_the_peer_fails_and_the_socket_is_dead() -> None:
    """MEDIA-216c: nothing answers: the socket is replaced, and the attach brings new media."""
    sim, alice, call = talking()
    sim.run(10)
    alice.wire.stall()
    alice.media.fail(call)
    sim.run(13)
    assert 36003 in alice.warnings()
    alice.wire.heal()
    sim.run(30)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_a_short_disconnection_is_only_a_warning() -> None:
    """MEDIA-210, MEDIA-215: two seconds of `disconnected` are no evidence, as far as ICE tells."""
    sim, alice, call = talking(options=UNMEASURED)
    alice.media.cut()
    sim.run(6)
    alice.media.heal()
    sim.run(10)
    assert sim.media_flows(call)
    assert alice.warnings() == [33001]
    assert alice.requests("telnyx_rtc.modify") == []


@pytest.mark.parametrize("seconds", [4, 7, 12, 20, 30, 40])
def test_the_media_path_is_gone_for_a_while(seconds: float) -> None:
    """MEDIA-227 to MEDIA-233: whatever has been tried meanwhile, there is media again soon after the path is back."""
    sim, alice, call = talking()
    alice.media.cut()
    sim.run(seconds)
    alice.media.heal()
    sim.run(45)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert len(alice.ledger.peers) == 1
    assert alice.all_of(SocketClose) == []


def test_the_media_path_is_gone_for_a_minute() -> None:
    """MEDIA-233: renewal goes on for as long as both sides keep the call; when the path is back, so is the media."""
    sim, alice, call = talking()
    alice.media.cut()
    sim.run(60)
    alice.media.heal()
    sim.run(60)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.all_of(SocketClose) == []


def test_renewal_goes_on_and_the_socket_is_never_blamed() -> None:
    """MEDIA-227, MEDIA-228, MEDIA-235: no connection on the new peer: a pause, once more, and the socket stays."""
    sim, alice, call = talking()
    lively(sim, alice)
    alice.media.cut()
    alice.media.fail(call)
    sim.run(40)
    actions = [params["action"] for params in alice.requests("telnyx_rtc.modify")]
    assert actions == ["updateMedia", "updateMedia", "updateMedia"]
    assert alice.warnings().count(36004) == 3
    assert 36003 not in alice.warnings()


def test_the_server_refuses_the_renewal() -> None:
    """MEDIA-221, MEDIA-225: 47001, which is not fatal, and once more after three seconds."""
    sim, alice, call = talking()
    lively(sim, alice)
    sim.gateway.add_fault(Fault(do=Refuse(), method="telnyx_rtc.modify"), now=sim.now)
    alice.media.fail(call)
    sim.run(20)
    assert 47001 in alice.errors()
    assert 36003 not in alice.warnings()
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_renewal_is_never_answered() -> None:
    """MEDIA-222, SIG-538: 47001; the socket is asked, answers, and stays."""
    sim, alice, call = talking()
    lively(sim, alice)
    sim.gateway.add_fault(Fault(do=Swallow(), method="telnyx_rtc.modify"), now=sim.now)
    alice.media.fail(call)
    sim.run(40)
    assert alice.errors().count(47001) == 1
    assert 36003 not in alice.warnings()
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


@pytest.mark.parametrize("trouble", ["source", "local", "remote"])
def test_the_renewal_s_own_peer_cannot_be_made(trouble: str) -> None:
    """MEDIA-226: the call is never ended by it; 47001, then once more."""
    sim, alice, call = talking()
    lively(sim, alice)
    queue = {
        "source": alice.media.source_trouble,
        "local": alice.media.local_trouble,
        "remote": alice.media.remote_trouble,
    }[trouble]
    queue.append({"source": "other", "local": "other", "remote": "nonsense"}[trouble])
    alice.media.fail(call)
    sim.run(20)
    assert 47001 in alice.errors()
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_a_held_call_is_renewed_without_hearing_anything() -> None:
    """MEDIA-224: the server is silent while the call is held, so connected is enough."""
    sim, alice, call = talking()
    alice.hold(call)
    sim.run(1)
    alice.media.fail(call)
    sim.run(3)
    assert alice.state_of(call) is HELD
    assert sim.media_flows(call)
    assert 36003 not in alice.warnings()


def test_mute_survives_a_renewal() -> None:
    """MEDIA-234."""
    sim, alice, call = talking()
    alice.set_muted(call, True)
    lively(sim, alice)
    alice.media.fail(call)
    sim.run(3)
    assert sim.media_flows(call)
    assert alice.media.peer_in_use(call).muted
    assert alice.calls[call].muted


def test_hold_asked_for_during_a_renewal_waits_for_it() -> None:
    """CALL-134: one modify at a time."""
    sim, alice, call = talking()
    lively(sim, alice)
    alice.media.fail(call)
    sim.run_until(lambda: bool(alice.requests("telnyx_rtc.modify")))
    alice.hold(call)
    assert len(alice.requests("telnyx_rtc.modify")) == 1
    sim.run(2)
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["updateMedia", "hold"]
    assert alice.state_of(call) is HELD


def test_signalling_fails_and_the_media_is_left_alone() -> None:
    """CALL-510: while the socket is down the peer plays on, and nothing is done to it."""
    sim, alice, call = talking(options=KEEPING)
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    peers = set(alice.ledger.peers)
    sim.run(60)
    assert set(alice.ledger.peers) == peers
    assert alice.media.peer_in_use(call).state == "connected"
    assert 36004 not in alice.warnings()


def test_media_and_signalling_fail_together() -> None:
    """The socket first: only a new session can bring new media."""
    sim, alice, call = talking()
    alice.wire.stall()
    alice.media.cut()
    sim.run(70)
    assert alice.state_of(call) is RECOVERING
    alice.wire.heal()
    alice.media.heal()
    alice.network("online")
    sim.run(30)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_media_fails_during_an_outage_of_the_socket() -> None:
    """MEDIA-231: no renewal while there is nobody to ask; the attach mends it."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(1)
    alice.media.fail(call)
    sim.run(5)
    assert 36004 not in alice.warnings()
    alice.wire.heal()
    sim.run(20)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_socket_is_lost_in_the_middle_of_a_renewal() -> None:
    """MEDIA-231: the episode is cancelled in silence."""
    sim, alice, call = talking()
    lively(sim, alice)
    alice.media.fail(call)
    sim.run_until(lambda: bool(alice.requests("telnyx_rtc.modify")))
    alice.wire.drop()
    sim.run(10)
    assert 47001 not in alice.errors()
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert len(alice.ledger.peers) == 1


def test_hang_up_in_the_middle_of_a_renewal() -> None:
    """CALL-431: its end raises no error, and both peers are closed."""
    sim, alice, call = talking()
    lively(sim, alice)
    alice.media.fail(call)
    sim.run_until(lambda: bool(alice.requests("telnyx_rtc.modify")))
    alice.hangup(call)
    sim.run(15)
    assert ended(alice, call)
    assert alice.errors() == []
    assert alice.ledger.peers == {}


@pytest.mark.parametrize("seconds", [3, 6, 12])
def test_media_that_takes_long_to_connect(seconds: float) -> None:
    """MEDIA-246, PS-008: a path that is closed for its first seconds costs only these; no ``updateMedia`` before it."""
    sim, alice = at_the_phone()
    alice.media.cut()
    call = alice.new_call("echo")
    sim.run(seconds)
    alice.media.heal()
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.requests("telnyx_rtc.modify") == []


def test_answered_but_never_connected() -> None:
    """MEDIA-246: fifteen seconds without a connection are the end, told once and to both sides."""
    sim, alice = at_the_phone(UNMEASURED)
    alice.media.cut()
    call = alice.new_call("echo")
    sim.run(14)
    assert alice.state_of(call) is ACTIVE
    assert alice.requests("telnyx_rtc.modify") == []
    sim.run(3)
    assert ended(alice, call)
    assert alice.errors() == [49001]
    assert alice.cause_of(call) == Cause("DESTINATION_OUT_OF_ORDER", 27)
    assert not sim.gateway.calls


def test_one_call_s_media_fails_and_the_other_s_does_not() -> None:
    """MEDIA-237, SIG-271: each its own."""
    sim, alice, first = talking()
    second = call_and_talk(sim, alice, "tone")
    lively(sim, alice)
    alice.media.fail(first)
    sim.run(3)
    assert sim.media_flows(first)
    assert sim.media_flows(second)
    (update,) = [event for _, event in sim.gateway_events if isinstance(event, GatewayUpdated)]
    assert update.call == first


def test_both_calls_fail_while_the_socket_is_in_doubt() -> None:
    """SIG-271: one probe decides for both."""
    sim, alice, first = talking()
    second = call_and_talk(sim, alice, "tone")
    sim.run(10)
    alice.media.fail(first)
    alice.media.fail(second)
    sim.run(5)
    assert sim.media_flows(first)
    assert sim.media_flows(second)
    assert alice.warnings().count(36004) == 2


def test_a_failure_before_the_answer_is_left_to_the_server() -> None:
    """MEDIA-245: warned, nothing done; the answer makes it evidence."""
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, plan=CallPlan(answer_delay=20.0)))
    call = alice.new_call("early")
    sim.run(5)
    assert alice.state_of(call).value == "early"
    alice.media.fail(call)
    sim.run(5)
    assert alice.warnings() == [33004]
    assert alice.requests("telnyx_rtc.modify") == []
    sim.run(40)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_gateway_s_end_of_the_media_fails() -> None:
    """Its peer is gone and says so: `closed` is a failure like another."""
    sim, alice, call = talking()
    lively(sim, alice)
    sim.gateway_media.vanish()
    sim.run(10)
    assert alice.state_of(call) is ACTIVE
    assert 33004 in alice.warnings()


def test_missing_sound_hastens_what_the_checks_say() -> None:
    """MEDIA-210, MEDIA-212: once the checks are unanswered for five seconds nobody waits three more."""
    sim, alice, _ = talking()
    lively(sim, alice)
    alice.media.cut()
    sim.run(4.5)
    assert alice.warnings() == [31006, 32001]
    lively(sim, alice)
    sim.run(1)
    assert alice.warnings() == [31006, 32001, 33001, 36004]


def test_media_that_fails_again_and_again_is_not_given_up() -> None:
    """MEDIA-233: renewal goes on, the call has media when it can, and the socket is left alone."""
    sim, alice, call = talking(options=UNMEASURED)
    for _ in range(6):
        alice.media.fail(call)
        sim.run(25)
    assert alice.state_of(call) is ACTIVE
    sim.run(40)
    assert sim.media_flows(call)
    assert alice.all_of(SocketClose) == []
