"""Leaving without hanging up: the calls wait at the server for the next process (SIG-231, SIG-316, CALL-860)."""

from typing import Any

import pytest

from telnyx_core._wire.json_types import JsonView
from telnyx_core.actions import AbandonSocket, CloseSocket, Remember
from telnyx_core.events import CloseReason, SessionClosed
from telnyx_core.states import CallState, SessionState
from telnyx_core.testing import ALICE, Sim
from telnyx_core.testing.rig import EPOCH, Rig

S = SessionState
LEFT = SessionClosed(CloseReason.LEFT)


def stored(rig: Rig) -> JsonView:
    """What the store holds now."""
    return [action.values for action in rig.actions if isinstance(action, Remember)][-1]


def talking(**options: Any) -> tuple[Rig, str]:
    rig = Rig.registered(**options)
    call = rig.outbound("active")
    rig.clear()
    return rig, call


def test_the_socket_closes_without_a_bye_and_the_call_is_remembered() -> None:
    rig, call = talking()
    rig.advance(5)
    rig.leave()
    assert rig.frames("bye") == []
    assert any(isinstance(action, CloseSocket) for action in rig.actions)
    assert stored(rig) == {
        "voice_sdk_id": "VSDK-1",
        "session_id": "session-1",
        "session_id_stored_at": EPOCH + 5,
        "calls": [{"id": call, "held": False}],
    }
    assert rig.states(call) == ["purge", "hangup", "destroy"], "for this process it is over, once"
    rig.lose(1000, clean=True)
    assert rig.events[-1] == LEFT
    assert rig.state is S.IDLE
    assert rig.at_rest
    assert stored(rig)["calls"] == [{"id": call, "held": False}]
    assert rig.codes == []


def test_a_socket_that_does_not_close_is_abandoned() -> None:
    """SIG-277. The server has it until then, and counts from then."""
    rig, call = talking()
    rig.leave()
    rig.advance(5)
    assert rig.events[-1] == LEFT
    assert any(isinstance(action, AbandonSocket) for action in rig.actions)
    assert stored(rig)["session_id_stored_at"] == EPOCH + 5
    assert stored(rig)["calls"] == [{"id": call, "held": False}]


def test_a_call_that_was_never_answered_is_not_left() -> None:
    """SRV-022: the server ends it with the socket."""
    rig = Rig.registered()
    rig.outbound("ringing")
    rig.ring("in-1")
    rig.leave()
    assert "calls" not in stored(rig)
    assert rig.session.calls == {}
    assert rig.frames("bye") == []


def test_during_an_outage_the_stamp_of_the_loss_stays() -> None:
    """SIG-231, SIG-589: the server counts from the loss, whatever happens here."""
    rig, call = talking(r=0.5)
    rig.advance(3)
    rig.lose()
    rig.lose(error="refused")
    assert rig.state is S.BACKOFF
    rig.advance(0.5)
    rig.leave()
    assert rig.events[-1] == LEFT
    assert rig.at_rest
    assert stored(rig)["session_id_stored_at"] == EPOCH + 3
    assert stored(rig)["calls"] == [{"id": call, "held": False}]


def test_while_connecting_the_attempt_is_abandoned() -> None:
    rig, call = talking()
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.leave()
    assert any(isinstance(action, AbandonSocket) for action in rig.actions)
    assert rig.events[-1] == LEFT
    assert stored(rig)["calls"] == [{"id": call, "held": False}]
    assert rig.at_rest


def test_while_the_socket_is_closed_for_a_recovery() -> None:
    """The server sent us away, and the calls were kept over it: they are kept over this too."""
    rig, call = talking(keepConnectionAliveOnSocketClose=True, r=0.0)
    rig.peer("connected")
    rig.request("punt")
    assert rig.state is S.CLOSING
    rig.leave()
    rig.lose(1000)
    assert rig.events[-1] == LEFT
    assert rig.state is S.IDLE
    assert stored(rig)["calls"] == [{"id": call, "held": False}]
    assert rig.at_rest


@pytest.mark.parametrize("first", ["leave", "disconnect"])
def test_leaving_joins_what_has_begun(first: str) -> None:
    """A good-bye that has begun is said to its end; leaving twice is leaving."""
    rig, _ = talking()
    getattr(rig, first)()
    rig.leave()
    if first == "disconnect":
        rig.reply("bye")
    rig.lose(1000)
    rig.leave()
    reason = CloseReason.LEFT if first == "leave" else CloseReason.DISCONNECTED
    assert rig.heard_of(SessionClosed) == [SessionClosed(reason)]
    assert ("session_id" in stored(rig)) is (first == "leave")


def test_a_connect_that_was_wanted_after_the_close_is_wanted_no_more() -> None:
    rig, _ = talking()
    rig.leave()
    rig.ask_to_connect()
    rig.leave()
    rig.lose(1000)
    assert rig.state is S.IDLE
    assert rig.at_rest


def test_without_a_socket_ever_there_is_nothing_to_leave() -> None:
    rig = Rig()
    rig.leave()
    assert rig.actions == []


@pytest.mark.parametrize("held", [False, True], ids=["active", "held"])
def test_the_next_process_goes_on_with_the_call(held: bool) -> None:
    """CALL-533: attached, answered by itself, held if it was; and audio flows."""
    sim = Sim()
    alice = sim.ready()
    call = alice.new_call("tone")
    sim.run_until(lambda: alice.state_of(call) is CallState.ACTIVE and sim.media_flows(call))
    if held:
        alice.hold(call)
        sim.run(1)
    alice.leave()
    sim.run(1)
    assert alice.state is S.IDLE
    assert list(sim.gateway.calls) == [call]
    again = sim.restart()
    sim.run(60)
    sim.ready()
    sim.run(5)
    assert again.state_of(call) is (CallState.HELD if held else CallState.ACTIVE)
    assert sim.media_flows(call)
    again.hangup(call)
    sim.run(1)
    assert not sim.gateway.calls


def test_the_same_session_can_come_back_to_its_calls() -> None:
    sim = Sim(ALICE)
    alice = sim.ready()
    call = alice.new_call("echo")
    sim.run_until(lambda: alice.state_of(call) is CallState.ACTIVE)
    hung_up = alice.new_call("echo")
    sim.run_until(lambda: alice.state_of(hung_up) is CallState.ACTIVE)
    alice.hangup(hung_up)
    sim.run(1)
    alice.leave()
    sim.run(1)
    assert alice.state_of(call) is CallState.DESTROY
    sim.ready()
    sim.run(5)
    assert alice.state_of(call) is CallState.ACTIVE
    assert alice.state_of(hung_up) is CallState.DESTROY
    assert alice.requests("telnyx_rtc.bye") == [alice.requests("telnyx_rtc.bye")[0]]
    assert alice.errors() == []


def test_too_late_the_next_process_is_told_nothing_and_has_no_call() -> None:
    """SIG-232, PS-002: the server waits for two minutes; an id that is too old costs nothing."""
    sim = Sim()
    alice = sim.ready()
    call = alice.new_call("tone")
    sim.run_until(lambda: alice.state_of(call) is CallState.ACTIVE)
    alice.leave()
    sim.run(1)
    again = sim.restart()
    sim.run(130)
    sim.ready()
    sim.run(5)
    assert not sim.gateway.calls
    assert again.calls == {}
    assert "sessid" in again.requests("login")[0]
