"""Ordinary calls, and the ways in which they ordinarily end (calls.md 6.2, 6.3, 7)."""

import pytest
from attrs import evolve

from telnyx_core.errors import InvalidCallState
from telnyx_core.events import Cause, MediaStarted, ToneChanged
from telnyx_core.gateway import CallPlan, Duplicate, Fault, GatewayOptions
from telnyx_core.options import CallOptions
from telnyx_core.testing import ALICE, WONDERLAND, Sim
from tests.scenarios.story import (
    ACTIVE,
    ANSWERING,
    DESTROY,
    EARLY,
    HANGUP,
    HELD,
    NEW,
    PURGE,
    REQUESTING,
    RINGING,
    TRYING,
    at_the_phone,
    call_and_talk,
    ended,
    nothing_left,
    ring,
    rung,
    spoken_to,
    talking,
)

SLOW = CallPlan(ringing_delay=0.5, early_delay=0.5, answer_delay=2.0)


def slowly(**changes: object) -> GatewayOptions:
    return evolve(WONDERLAND, plan=SLOW, **changes)


def test_alice_calls_talks_and_hangs_up() -> None:
    """CALL-310 to CALL-323, CALL-420."""
    sim, alice, call = talking()
    ticket = alice.hangup(call)
    sim.run(1)
    assert alice.states(call) == [NEW, REQUESTING, TRYING, RINGING, ACTIVE, HANGUP, DESTROY]
    assert alice.cause_of(call) == Cause("NORMAL_CLEARING", 16)
    assert ticket in alice.outcomes
    assert len(alice.all_of(MediaStarted)) == 1
    alice.disconnect()
    sim.run(1)
    nothing_left(sim)


def test_the_far_end_hangs_up() -> None:
    """CALL-430: its cause is heard, and no BYE goes back."""
    sim, alice, call = talking()
    sim.gateway.hangup(call, now=sim.now, cause_name="ALLOTTED_TIMEOUT")
    sim.run(1)
    assert ended(alice, call)
    assert alice.cause_of(call).cause_code == 802  # PS-026
    assert alice.requests("telnyx_rtc.bye") == []


def test_both_hang_up_at_once() -> None:
    """CALL-392: ours is the cause, and the end is heard once."""
    sim, alice, call = talking()
    sim.gateway.hangup(call, now=sim.now, cause_name="ALLOTTED_TIMEOUT")
    alice.hangup(call)
    sim.run(10)
    assert ended(alice, call)
    assert alice.cause_of(call).cause == "NORMAL_CLEARING"
    assert alice.errors() == []


def test_early_media_is_heard_before_the_answer() -> None:
    """CALL-320, CALL-321, CALL-326: the answer then carries no description."""
    sim, alice = at_the_phone(gateway=slowly())
    call = alice.new_call("early")
    sim.run_until(lambda: alice.state_of(call) is EARLY)
    sim.run_until(lambda: bool(alice.all_of(MediaStarted)), within=1)
    assert alice.state_of(call) is EARLY
    sim.run_until(lambda: alice.state_of(call) is ACTIVE)
    assert alice.states(call) == [NEW, REQUESTING, TRYING, RINGING, EARLY, ACTIVE]
    assert "sdp" not in alice.heard("telnyx_rtc.answer")[0]
    tones = [(tone.kind, tone.action) for tone in alice.all_of(ToneChanged)]
    assert tones == [("ringback", "start"), ("ringback", "stop")]


@pytest.mark.parametrize(
    ("number", "cause"),
    [("busy", ("USER_BUSY", 17)), ("reject", ("CALL_REJECTED", 21)), ("+1999", ("UNALLOCATED_NUMBER", 1))],
)
def test_a_call_that_fails_is_accepted_first(number: str, cause: tuple[str, int]) -> None:
    """SRV-026."""
    sim, alice = at_the_phone()
    call = alice.new_call(number)
    sim.run(2)
    assert ended(alice, call)
    heard = alice.cause_of(call)
    assert (heard.cause, heard.cause_code) == cause
    assert sim.client.ledger.peers == {}


def test_a_call_that_the_server_refuses() -> None:
    """CALL-317: 40005, the server's own cause, and a BYE all the same."""
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, quirks=evolve(WONDERLAND.quirks, accept_first=False)))
    call = alice.new_call("busy")
    sim.run(2)
    assert ended(alice, call)
    assert alice.cause_of(call).cause == "USER_BUSY"
    assert alice.errors() == [40005]
    assert len(alice.requests("telnyx_rtc.bye")) == 1


def test_alice_gives_up_while_it_rings() -> None:
    """Cancel: CALL-366 with the default of CALL-401."""
    sim, alice = at_the_phone(gateway=slowly())
    call = alice.new_call("ring")
    sim.run_until(lambda: alice.state_of(call) is RINGING)
    alice.hangup(call)
    sim.run(1)
    assert ended(alice, call)
    assert alice.cause_of(call) == Cause("USER_BUSY", 17)
    assert not sim.gateway.calls


def test_alice_gives_up_before_the_invite_is_sent() -> None:
    """CALL-421: nothing was sent, so there is nothing to take back."""
    sim, alice = at_the_phone()
    call = alice.new_call("echo")
    alice.hangup(call)
    sim.run(1)
    assert ended(alice, call)
    assert alice.requests("telnyx_rtc.invite") == []
    assert alice.requests("telnyx_rtc.bye") == []


def test_nobody_answers_in_the_time_that_alice_gave() -> None:
    """CALL-331."""
    sim, alice = at_the_phone()
    call = alice.new_call("ring", CallOptions(setup_timeout=20))
    sim.run(19)
    assert alice.state_of(call) is RINGING
    sim.run(2)
    assert ended(alice, call)
    assert alice.cause_of(call) == Cause("NO_ANSWER", 19)
    assert not sim.gateway.calls


def test_alice_answers_a_call() -> None:
    """CALL-340 to CALL-348."""
    _, alice, call = spoken_to()
    assert alice.states(call) == [NEW, RINGING, ANSWERING, ACTIVE]
    tones = [(tone.kind, tone.action) for tone in alice.all_of(ToneChanged)]
    assert tones == [("ringtone", "start"), ("ringtone", "stop")]


def test_alice_rejects_a_call() -> None:
    """CALL-350: USER_BUSY, on which the caller's side does not try again."""
    sim, alice, call = rung()
    alice.hangup(call)
    sim.run(1)
    assert ended(alice, call)
    assert alice.requests("telnyx_rtc.bye")[0]["causeCode"] == 17
    assert not sim.gateway.calls


def test_the_caller_gives_up_while_alice_s_phone_rings() -> None:
    """CALL-352."""
    sim, alice, call = rung()
    sim.gateway.hangup(call, now=sim.now, cause_name="ORIGINATOR_CANCEL")
    sim.run(1)
    assert ended(alice, call)
    assert alice.cause_of(call).cause_code == 487


def test_the_caller_gives_up_while_alice_answers() -> None:
    """CALL-352: the bye crosses the answer, whose late refusal means nothing."""
    sim, alice, call = rung()
    alice.answer(call)
    sim.run_until(lambda: alice.state_of(call) is ANSWERING)
    sim.gateway.hangup(call, now=sim.now, cause_name="ORIGINATOR_CANCEL")
    sim.run(15)
    assert ended(alice, call)
    assert alice.errors() == []


def test_answer_after_hang_up_is_refused() -> None:
    """CALL-351: and nothing else is ever sent for the call."""
    sim, alice, call = rung()
    alice.hangup(call)
    with pytest.raises(InvalidCallState):
        alice.answer(call)
    sim.run(5)
    assert alice.requests("telnyx_rtc.answer") == []


def test_hang_up_while_the_answer_is_being_made() -> None:
    """CALL-351: the source may open later; no answer goes out."""
    sim, alice, call = rung()
    alice.answer(call)
    alice.hangup(call)
    sim.run(5)
    assert ended(alice, call)
    assert alice.requests("telnyx_rtc.answer") == []


def test_answering_twice_warns() -> None:
    """CALL-345: 33006, one answer."""
    sim, alice, call = rung()
    alice.answer(call)
    alice.answer(call)
    sim.run(2)
    assert alice.state_of(call) is ACTIVE
    assert alice.warnings() == [33006]
    assert len(alice.requests("telnyx_rtc.answer")) == 1


def test_two_invites_with_one_id_are_one_call() -> None:
    """CALL-341, SIG-095: the repetition is acknowledged and changes nothing."""
    sim, alice = at_the_phone()
    sim.gateway.add_fault(Fault(do=Duplicate(), on="push", method="telnyx_rtc.invite"), now=sim.now)
    call = ring(sim, alice)
    assert list(alice.calls) == [call]
    alice.answer(call)
    sim.run(2)
    assert alice.states(call) == [NEW, RINGING, ANSWERING, ACTIVE]


def test_an_invite_repeated_after_the_answer_changes_nothing() -> None:
    sim, alice, call = spoken_to()
    invite = next(frame for frame in alice.wire.log if frame.way == "down" and ".invite" in frame.text)
    sim.gateway.send(alice.wire.far_socket, invite.text, now=sim.now)
    sim.run(2)
    assert alice.state_of(call) is ACTIVE
    assert len(alice.requests("telnyx_rtc.answer")) == 1


def test_a_bye_repeated_after_the_end_is_acknowledged() -> None:
    """SIG-062, CALL-393."""
    sim, alice = at_the_phone()
    sim.gateway.add_fault(Fault(do=Duplicate(), on="push", method="telnyx_rtc.bye"), now=sim.now)
    call = call_and_talk(sim, alice)
    sim.gateway.hangup(call, now=sim.now)
    sim.run(2)
    assert ended(alice, call)
    acks = [frame for frame in alice.wire.log if frame.way == "up" and '"method":"telnyx_rtc.bye"' in frame.text]
    assert len(acks) == 2


def test_the_description_comes_after_the_invite() -> None:
    """CALL-344, CALL-346: Alice answered before there was an offer."""
    sim, alice = at_the_phone()
    call = ring(sim, alice, with_sdp=False, sdp_delay=3.0)
    alice.answer(call)
    sim.run(1)
    assert alice.state_of(call) is RINGING
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_description_never_comes() -> None:
    """CALL-344: after ten seconds the call is incompatible."""
    sim, alice = at_the_phone()
    call = ring(sim, alice, with_sdp=False, sdp_delay=100.0)
    alice.answer(call)
    sim.run(11)
    assert ended(alice, call)
    assert alice.cause_of(call).cause_code == 88
    assert alice.requests("telnyx_rtc.bye")[0]["cause"] == "INCOMPATIBLE_DESTINATION"


def test_hold_and_back() -> None:
    """CALL-361: the server's word decides."""
    sim, alice, call = talking()
    held = alice.hold(call)
    sim.run(1)
    assert alice.state_of(call) is HELD
    back = alice.toggle_hold(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    assert {held, back} <= alice.outcomes.keys()


def test_three_hold_commands_at_once_are_carried_out_in_order() -> None:
    """CALL-134."""
    sim, alice, call = talking()
    tickets = [alice.hold(call), alice.unhold(call), alice.hold(call)]
    sim.run(2)
    assert alice.state_of(call) is HELD
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["hold", "unhold", "hold"]
    assert set(tickets) <= alice.outcomes.keys()


def test_the_server_refuses_to_hold() -> None:
    """CALL-362: 44001, the call goes on."""
    from telnyx_core.gateway import Refuse

    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Refuse(), method="telnyx_rtc.modify"), now=sim.now)
    alice.hold(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    assert alice.errors() == [44001]


def test_alice_calls_bob() -> None:
    """Two clients of one gateway; each hears its own half."""
    sim, alice = at_the_phone()
    bob = sim.ready(sim.add_client(evolve(ALICE, login="bob", password="builder")))
    call = alice.new_call("bob")
    sim.run_until(lambda: bool(bob.calls))
    (other,) = bob.calls
    bob.answer(other)
    sim.run_until(lambda: sim.media_flows(call, alice) and sim.media_flows(other, bob))
    bob.hangup(other)
    sim.run(1)
    assert ended(alice, call)
    assert ended(bob, other)


def test_two_phones_of_alice_ring_and_one_answers() -> None:
    """SRV-024: the loser hears LOSE_RACE."""
    sim, alice = at_the_phone()
    second = sim.ready(sim.add_client(ALICE))
    sim.gateway.call_user("alice", now=sim.now)
    sim.run(1)
    (here,), (there,) = alice.calls, second.calls
    second.answer(there)
    sim.run(1)
    assert second.state_of(there) is ACTIVE
    assert ended(alice, here)
    assert alice.cause_of(here).cause == "LOSE_RACE"


def test_a_call_with_trickled_candidates_connects() -> None:
    """MEDIA section 4: the invite goes at once, candidates follow."""
    sim, alice = at_the_phone(evolve(ALICE, trickle_ice=True))
    call = alice.new_call("echo")
    sim.run(2)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert "a=candidate" not in alice.requests("telnyx_rtc.invite")[0]["sdp"]
    assert len(alice.requests("telnyx_rtc.candidate")) == 2
    assert len(alice.requests("telnyx_rtc.endOfCandidates")) == 1


def test_gathering_that_never_ends_delays_the_invite_by_its_limit() -> None:
    """MEDIA-066: after fifteen seconds with what there is, and a warning."""
    sim, alice = at_the_phone()
    alice.media.gather_time = None
    call = alice.new_call("echo")
    sim.run(14)
    assert alice.state_of(call) is NEW
    sim.run(3)
    assert alice.state_of(call) is ACTIVE
    assert 33003 in alice.warnings()


def test_disconnect_says_good_bye_to_every_call() -> None:
    """SIG-280, CALL-370: purge, hangup, destroy, and the socket last."""
    sim, alice, first = talking()
    second = call_and_talk(sim, alice, "tone")
    alice.disconnect()
    sim.run(2)
    for call in (first, second):
        assert alice.states(call)[-3:] == [PURGE, HANGUP, DESTROY]
    assert len(alice.requests("telnyx_rtc.bye")) == 2
    nothing_left(sim)


def test_a_call_to_the_assistant() -> None:
    """AI-020: text goes over, and comes back as an event."""
    from telnyx_core.events import AiConversation
    from telnyx_core.gateway import Assistant
    from telnyx_core.options import AnonymousLogin, ClientOptions

    options = ClientOptions(anonymous_login=AnonymousLogin("helper"), env="wss://gateway.test", ice_servers=())
    world = evolve(WONDERLAND, assistants={"helper": Assistant(greeting="Good day.")})
    sim = Sim(options, gateway=world)
    caller = sim.ready()
    call = caller.new_call("")
    sim.run(2)
    assert caller.state_of(call) is ACTIVE
    before = len(caller.all_of(AiConversation))
    ticket = caller.send_conversation_message(call, "Where is the rabbit?")
    sim.run(2)
    assert len(caller.all_of(AiConversation)) > before > 0
    assert ticket in caller.outcomes
