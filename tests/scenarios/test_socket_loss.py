"""The socket goes; the session comes back, and the calls with it (signaling.md 4.6, 5; calls.md 9)."""

import pytest
from attrs import evolve

from telnyx_core.events import Cause, Ready, SessionClosed, SocketClose, SocketOpen
from telnyx_core.gateway import Duplicate, Fault
from telnyx_core.states import SessionState
from telnyx_core.testing import ALICE, WONDERLAND, Connecting, ContractViolation, Sim
from tests.scenarios.story import (
    ACTIVE,
    DESTROY,
    EARLY,
    HELD,
    KEEPING,
    RECOVERING,
    REQUESTING,
    RINGING,
    TRYING,
    at_the_phone,
    call_and_talk,
    ended,
    nothing_left,
    rung,
    spoken_to,
    talking,
)


def back(sim: Sim, alice) -> bool:
    return alice.state is SessionState.READY


def test_the_socket_is_lost_while_nothing_happens() -> None:
    """T32, T39: one loss, one wait, one new socket; ready is told once more."""
    sim, alice = at_the_phone()
    alice.wire.drop()
    sim.run(0.01)
    assert alice.state is SessionState.BACKOFF
    sim.run(3)
    assert alice.state is SessionState.READY
    assert len(alice.all_of(Ready)) == 2
    assert [close.socket for close in alice.all_of(SocketClose)] == [1]
    logins = alice.requests("login")
    assert [login["reconnection"] for login in logins] == [False, True]
    assert logins[1]["sessid"] == alice.session.session_id


@pytest.mark.parametrize("options", [ALICE, KEEPING], ids=["replacing", "keeping"])
def test_the_socket_is_lost_during_a_call(options) -> None:
    """CALL-510, SIG-341: the call recovers and is the same call."""
    sim, alice, call = talking(options=options)
    before = alice.told_of(call)
    alice.wire.drop()
    sim.run(0.01)
    assert alice.state_of(call) is RECOVERING
    sim.run_until(lambda: alice.state_of(call) is ACTIVE, within=5)
    sim.run(1)
    assert sim.media_flows(call)
    after = alice.told_of(call)
    assert after.direction == before.direction == "outbound"
    assert after.telnyx_leg_id == before.telnyx_leg_id
    assert after.recovered_call_id == call
    assert alice.errors() == [45002]


@pytest.mark.parametrize("options", [ALICE, KEEPING], ids=["replacing", "keeping"])
def test_the_sound_does_not_stop_while_the_call_moves_to_its_new_peer(options) -> None:
    """CALL-532: make before break."""
    sim, alice, call = talking(options=options)
    alice.wire.drop()
    silence = 0.0
    for _ in range(500):
        sim.run(0.01)
        peer = alice.media.peer_in_use(call)
        silence += 0.0 if peer is not None and peer.state == "connected" else 0.01
    assert silence == 0
    assert alice.state_of(call) is ACTIVE
    assert len(alice.ledger.peers) == 1


def test_an_inbound_call_survives_too() -> None:
    """SIG-563: and stays inbound."""
    sim, alice, call = spoken_to()
    alice.wire.drop()
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert alice.told_of(call).direction == "inbound"
    assert sim.media_flows(call)


def test_two_calls_survive_one_loss() -> None:
    """SRV-020: two calls, two attaches."""
    sim, alice, first = talking()
    second = call_and_talk(sim, alice, "tone")
    alice.hold(first)
    sim.run(1)
    alice.wire.drop()
    sim.run(5)
    assert (alice.state_of(first), alice.state_of(second)) == (HELD, ACTIVE)
    assert sim.media_flows(second)
    assert len(alice.requests("telnyx_rtc.attach")) == 2


def test_a_held_call_comes_back_held() -> None:
    """CALL-383."""
    sim, alice, call = talking()
    alice.hold(call)
    sim.run(1)
    alice.wire.drop()
    sim.run(5)
    assert alice.states(call)[-3:] == [HELD, RECOVERING, HELD]
    alice.unhold(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_a_muted_call_comes_back_muted() -> None:
    """CALL-105, CALL-531: the new peer is opened muted."""
    sim, alice, call = talking()
    alice.set_muted(call, True)
    alice.set_deaf(call, True)
    alice.wire.drop()
    sim.run(5)
    assert alice.told_of(call).muted
    peer = alice.media.peer_in_use(call)
    assert peer.muted
    assert peer.deaf


def test_muting_during_the_outage_counts_for_the_new_peer() -> None:
    sim, alice, call = talking()
    alice.wire.drop()
    sim.run(0.01)
    alice.set_muted(call, True)
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert alice.media.peer_in_use(call).muted


def test_losing_the_socket_again_and_again() -> None:
    """Ten losses in a row, each recovered: REGED resets the count (SIG-244)."""
    sim, alice, call = talking()
    for _ in range(15):
        alice.wire.drop()
        sim.run_until(lambda: alice.state_of(call) is RECOVERING, within=1)
        sim.run_until(lambda: alice.state_of(call) is ACTIVE and sim.media_flows(call), within=5)
    assert 45003 not in alice.errors()


@pytest.mark.parametrize("frame", range(1, 12))
def test_the_socket_is_lost_at_any_point_of_the_start(frame: int) -> None:
    """Login, its reply, clientReady, the state, its reply: whichever is lost, the next socket gets there."""
    sim = Sim()
    sim.wire.drop_at_frame(frame)
    sim.client.connect()
    sim.run(10)
    assert sim.client.state is SessionState.READY
    assert sim.client.all_of(Ready)


@pytest.mark.parametrize("frame", range(1, 16))
def test_the_socket_is_lost_at_any_point_of_a_new_call(frame: int) -> None:
    """Before the answer the call ends on both sides; after it the call lives on both. Never on one alone."""
    sim, alice = at_the_phone()
    alice.wire.drop_at_frame(alice.wire.delivered + frame)
    call = alice.new_call("echo")
    sim.run(30)
    assert alice.state is SessionState.READY
    if call in alice.calls:
        assert alice.state_of(call) is ACTIVE
        assert sim.media_flows(call)
        assert call in sim.gateway.calls
    else:
        assert ended(alice, call)
        assert call not in sim.gateway.calls


@pytest.mark.parametrize("frame", range(1, 10))
def test_the_socket_is_lost_at_any_point_of_an_answer(frame: int) -> None:
    sim, alice, call = rung()
    alice.wire.drop_at_frame(alice.wire.delivered + frame)
    alice.answer(call)
    sim.run(30)
    assert alice.state is SessionState.READY
    if call in alice.calls:
        assert alice.state_of(call) is ACTIVE
        assert sim.media_flows(call)
    else:
        assert ended(alice, call)
        assert not sim.gateway.calls


@pytest.mark.parametrize("frame", range(1, 14))
def test_the_socket_is_lost_at_any_point_of_a_recovery(frame: int) -> None:
    """A second loss in the middle of mending the first: an attach whose reply is stale waits for the next (SIG-347)."""
    sim, alice, call = talking()
    alice.wire.drop()
    sim.run_until(lambda: alice.state_of(call) is RECOVERING, within=1)
    alice.wire.drop_at_frame(alice.wire.delivered + frame)
    sim.run(30)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


@pytest.mark.parametrize("frame", range(1, 6))
def test_the_socket_is_lost_at_any_point_of_a_hang_up(frame: int) -> None:
    """SIG-314: the hang-up is never lost, whatever became of the BYE."""
    sim, alice, call = talking()
    alice.wire.drop_at_frame(alice.wire.delivered + frame)
    alice.hangup(call)
    sim.run(30)
    alice.wire.drop()
    sim.run(30)
    assert ended(alice, call)
    assert not sim.gateway.calls


def test_every_attempt_is_refused_until_they_are_used_up() -> None:
    """SIG-601, SIG-241: ten attempts, and the eleventh loss is the end of the trying."""
    sim, alice = at_the_phone()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run_until(lambda: alice.state is SessionState.EXHAUSTED, within=400)
    assert alice.errors() == [45002] * 11 + [45003]
    assert isinstance(alice.events[-1][1], SessionClosed)
    alice.ledger.at_rest()
    alice.wire.heal()
    alice.connect()
    sim.run(2)
    assert alice.state is SessionState.READY


def test_a_call_that_cannot_be_saved_ends_before_the_trying() -> None:
    """PS-001, PS-003: after 120 s the server has forgotten it. What is tried after that is for the next call."""
    sim, alice, call = talking()
    lost = sim.now
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run_until(lambda: call not in alice.calls, within=130)
    assert sim.now - lost == pytest.approx(120)
    assert alice.cause_of(call) == Cause("RECOVERY_ON_TIMER_EXPIRE", 102)
    assert alice.errors()[-1] == 48501
    sim.run_until(lambda: alice.state is SessionState.EXHAUSTED, within=400)


@pytest.mark.parametrize("how", [Connecting.REFUSED, Connecting.SILENT], ids=["refused", "silent"])
@pytest.mark.parametrize("seconds", [0, 1, 10, 30, 47, 60, 90, 105, 110, 115, 117, 118, 119])
def test_whenever_the_network_returns_in_time_the_call_is_back_soon(seconds: float, how: Connecting) -> None:
    """PS-002, PS-003: within six seconds, by whatever second of the 120 it returns."""
    sim, alice, call = talking(gateway=evolve(WONDERLAND, reattach_window=120.0))
    alice.wire.connecting = how
    alice.wire.drop()
    sim.run(seconds)
    alice.wire.heal()
    sim.run_until(lambda: alice.state_of(call) is ACTIVE and sim.media_flows(call), within=6)


def test_the_first_attempts_fail_and_a_later_one_succeeds() -> None:
    """SIG-608 in short: the call waits for as long as the server can."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(20)
    assert alice.state_of(call) is RECOVERING
    alice.wire.heal()
    sim.run_until(lambda: alice.state_of(call) is ACTIVE, within=40)
    sim.run(1)
    assert sim.media_flows(call)


def test_the_host_says_that_the_network_is_back() -> None:
    """T40: no need to wait for the back-off."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(22)
    alice.wire.heal()
    alice.network("online")
    sim.run_until(lambda: alice.state_of(call) is ACTIVE, within=1)


def test_the_outage_outlasts_the_server_s_patience() -> None:
    """SIG-232, SIG-304, PS-001: after two minutes another session begins, and the call is told to be lost."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(125)
    alice.wire.heal()
    sim.run_until(lambda: alice.state is SessionState.READY, within=60)
    sim.run(1)
    assert ended(alice, call)
    assert 48501 in alice.errors()
    assert "sessid" not in alice.requests("login")[-1]


def test_reconnection_is_switched_off() -> None:
    """T34, SIG-312: one warning, and the calls end."""
    sim, alice, call = talking(options=evolve(ALICE, auto_reconnect=False))
    alice.wire.drop()
    sim.run(1)
    assert alice.state is SessionState.IDLE
    assert alice.warnings() == [36005]
    assert ended(alice, call)
    assert alice.session.next_timeout() is None


def test_connecting_never_completes() -> None:
    """SIG-450: after fifteen seconds the attempt is abandoned and counts as a loss."""
    sim = Sim()
    sim.wire.connecting = Connecting.SILENT
    sim.client.connect()
    sim.run(14.9)
    assert sim.client.state is SessionState.CONNECTING
    sim.run(0.2)
    assert sim.client.state is SessionState.BACKOFF
    sim.wire.heal()
    sim.run(3)
    assert sim.client.state is SessionState.READY
    assert [opened.socket for opened in sim.client.all_of(SocketOpen)] == [2]


def test_not_even_a_socket_can_be_made() -> None:
    """T07, SIG-032: nothing is tried again."""
    sim = Sim()
    sim.wire.connecting = Connecting.IMPOSSIBLE
    sim.client.connect()
    sim.run(100)
    assert sim.client.state is SessionState.EXHAUSTED
    assert sim.client.errors() == [45001]
    sim.client.ledger.at_rest()


def test_closing_never_completes() -> None:
    """SIG-277: one second, for it is silent anyway, then the socket is abandoned, and the next one is made."""
    sim, alice, call = talking()
    alice.wire.stall("up")
    alice.wire.closes = False
    sim.run_until(lambda: alice.state is SessionState.CLOSING)
    closing = sim.now
    sim.run_until(lambda: bool(alice.all_of(SocketClose)))
    assert sim.now - closing == pytest.approx(1)
    alice.wire.heal()
    sim.run(2)
    assert alice.state_of(call) is ACTIVE
    (close,) = alice.all_of(SocketClose)
    assert (close.socket, close.code, close.was_clean) == (1, 1006, False)


def test_disconnect_when_closing_never_completes() -> None:
    """SIG-609: the wait is bounded, and nothing is left armed."""
    sim, alice, call = talking()
    alice.wire.stall()
    alice.wire.closes = False
    alice.disconnect()
    sim.run(4)
    assert call in alice.calls
    sim.run(2)
    assert ended(alice, call)
    assert alice.state is SessionState.CLOSING
    sim.run(5)
    assert alice.state is SessionState.IDLE
    assert alice.session.next_timeout() is None
    alice.ledger.at_rest()


def test_disconnect_while_connecting() -> None:
    """SIG-284: no `telnyx.socket.open` may follow."""
    sim = Sim()
    sim.client.connect()
    sim.client.disconnect()
    sim.run(5)
    assert sim.client.state is SessionState.IDLE
    assert sim.client.all_of(SocketOpen) == []
    nothing_left(sim)


def test_disconnect_while_waiting_to_reconnect_ends_the_call() -> None:
    """T30, SIG-532: nothing is sent or opened later."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(1)
    sockets = alice.ledger._last_socket
    alice.disconnect()
    assert ended(alice, call)
    sim.run(200)
    assert alice.ledger._last_socket == sockets
    alice.ledger.at_rest()


def test_connect_while_waiting_to_reconnect_opens_one_socket() -> None:
    """T02, SIG-535."""
    sim, alice = at_the_phone()
    alice.wire.drop()
    sim.run(0.01)
    alice.connect()
    sim.run(10)
    assert alice.state is SessionState.READY
    assert alice.ledger._last_socket == 2


def test_connect_while_closing_comes_after_the_close() -> None:
    """T06."""
    sim, alice = at_the_phone()
    alice.disconnect()
    assert alice.state is SessionState.CLOSING
    alice.connect()
    sim.run(2)
    assert alice.state is SessionState.READY
    assert len(alice.all_of(SessionClosed)) == 1


def test_the_driver_still_reports_what_the_dead_socket_had_said() -> None:
    """SIG-085, T41: news of a socket that was let go changes nothing, not even twice."""
    sim, alice, call = talking()
    alice.wire.late_news = True
    alice.wire.latency = 2.0
    sim.gateway.hangup(call, now=sim.now)
    sim.settle()
    sim.run(1)
    alice.wire.drop()
    alice.wire.latency = 0.02
    sim.run(0.01)
    assert alice.state_of(call) is RECOVERING
    sim.run(10)
    assert ended(alice, call)
    assert alice.cause_of(call).cause == "RECOVERY_ON_TIMER_EXPIRE"
    assert 48501 in alice.errors()


def test_the_bye_is_lost_in_the_outage() -> None:
    """SRV-023, SIG-321: the call is absent from the list, and ends here too."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(0.1)
    sim.gateway.hangup(call, now=sim.now)
    alice.wire.heal()
    sim.run(10)
    assert ended(alice, call)
    assert alice.errors()[-1] == 48501
    assert alice.requests("telnyx_rtc.bye") == []


def test_one_of_two_calls_ends_in_the_outage() -> None:
    """SIG-323: the other lives."""
    sim, alice, first = talking()
    second = call_and_talk(sim, alice, "tone")
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(0.1)
    sim.gateway.hangup(first, now=sim.now)
    alice.wire.heal()
    sim.run(10)
    assert ended(alice, first)
    assert alice.state_of(second) is ACTIVE
    assert sim.media_flows(second)
    assert alice.errors() == [45002, 45002, 48501]


def test_the_gateway_forgets_everything() -> None:
    """SIG-321: an empty list ends the call with 48501 first (SIG-311)."""
    sim, alice, call = talking()
    sim.gateway.restart(now=sim.now)
    sim.run(10)
    assert ended(alice, call)
    assert alice.errors() == [48501]
    assert alice.cause_of(call) == Cause("RECOVERY_ON_TIMER_EXPIRE", 102)


def test_the_gateway_closes_politely_with_a_code() -> None:
    """SIG-240: any close code is a loss, 1000 too."""
    sim, alice, call = talking()
    sim.gateway.drop(alice.wire.far_socket, now=sim.now, code=1000, reason="maintenance")
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    (close,) = alice.all_of(SocketClose)
    assert (close.code, close.was_clean) == (1000, True)
    assert alice.errors() == []


def test_a_call_being_asked_for_when_the_socket_goes_is_over() -> None:
    """CALL-511: the invite's fate is unknown, so the call ends, and the server is told if it kept it."""
    sim, alice = at_the_phone()
    alice.wire.stall("down")
    call = alice.new_call("ring")
    sim.run_until(lambda: call in sim.gateway.calls)
    alice.wire.heal()
    alice.wire.drop()
    sim.run(10)
    assert ended(alice, call)
    assert alice.states(call)[-3] is REQUESTING
    assert alice.cause_of(call) == Cause("NORMAL_TEMPORARY_FAILURE", 41)
    assert 40005 in alice.errors()


@pytest.mark.parametrize("number", ["ring", "early"])
def test_an_unanswered_call_is_gone_with_its_socket(number: str) -> None:
    """SRV-022, CALL-511: orphaned here, ended there, and the list says so."""
    plan = evolve(WONDERLAND.plan, answer_delay=30.0)
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, plan=plan))
    call = alice.new_call(number)
    sim.run_until(lambda: alice.state_of(call) in (RINGING, EARLY))
    sim.run(1)
    alice.wire.drop()
    sim.run(10)
    assert ended(alice, call)
    assert 48501 in alice.errors()


def test_an_unanswered_outbound_call_is_attached_and_active() -> None:
    """CALL-538: the answer was lost in the outage. No fork does so (PS-006)."""
    quirks = evolve(WONDERLAND.quirks, ringing_survives_loss=True, established_by_media=False)
    plan = evolve(WONDERLAND.plan, answer_delay=2.0)
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, quirks=quirks, plan=plan))
    call = alice.new_call("echo")
    sim.run_until(lambda: alice.state_of(call) is RINGING)
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(5)
    alice.wire.heal()
    sim.run(20)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_a_ringing_call_is_offered_again_and_still_only_rings() -> None:
    """SIG-344, CALL-538: nobody answered, so nothing is answered."""
    quirks = evolve(WONDERLAND.quirks, ringing_survives_loss=True)
    sim, alice, call = rung(gateway=evolve(WONDERLAND, quirks=quirks))
    alice.wire.drop()
    sim.run(10)
    assert alice.state_of(call) is RINGING
    assert alice.requests("telnyx_rtc.attach") == []
    alice.answer(call)
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_a_ringing_call_that_the_server_gave_up() -> None:
    sim, alice, call = rung()
    alice.wire.drop()
    sim.run(10)
    assert alice.states(call)[-1] is DESTROY
    assert 48501 in alice.errors()


def test_a_call_just_accepted_when_the_socket_goes() -> None:
    """CALL-511 for TRYING: it waits for the verdict."""
    plan = evolve(WONDERLAND.plan, ringing_delay=30.0)
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, plan=plan))
    call = alice.new_call("echo")
    sim.run_until(lambda: alice.state_of(call) is TRYING)
    alice.wire.drop()
    sim.run(0.01)
    assert alice.state_of(call) is TRYING
    sim.run(10)
    assert ended(alice, call)


def test_the_gateway_does_not_notice_the_loss() -> None:
    """SRV-024: the old socket is half open; the login on the new one evicts it, and the call moves over."""
    sim, alice, call = talking()
    alice.wire.drop(seen_by="client")
    sim.run(10)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert len(sim.gateway.sockets("alice")) == 1


def test_frames_said_twice_after_a_recovery_change_nothing() -> None:
    """SIG-097, CALL-537: a second attach on one socket is acknowledged and ignored."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Duplicate(), on="push", nth=None), now=sim.now)
    alice.wire.drop()
    sim.run(10)
    assert alice.state_of(call) is ACTIVE
    assert len(alice.requests("telnyx_rtc.attach")) == 1
    assert sim.media_flows(call)


def test_a_condition_that_never_holds_says_so() -> None:
    """The kit's own promise: a story that does not come about fails, it does not hang."""
    sim, _ = at_the_phone()
    with pytest.raises(ContractViolation):
        sim.run_until(lambda: False, within=5)
