"""The rig that these tests stand on, and that others may: it plays fair, and it tells what was done wrong."""

import pytest

from telnyx_core.actions import Done, OpenSocket
from telnyx_core.events import SessionClosed, SocketOpen
from telnyx_core.facts import Fact, RemoteApplied, SocketClosed, SocketOpened
from telnyx_core.ids import CallId, MediaId
from telnyx_core.states import SessionState
from telnyx_core.testing import ContractViolation
from telnyx_core.testing.rig import FixedDice, Rig


def test_nothing_happens_by_itself() -> None:
    rig = Rig()
    assert (rig.state, rig.actions, rig.at_rest) == (SessionState.IDLE, [], True)
    rig.ask_to_connect()
    assert rig.state is SessionState.CONNECTING
    assert not rig.at_rest


def test_step_by_step_to_ready() -> None:
    rig = Rig()
    rig.connect()
    assert rig.waits_for("login")
    rig.login_ok("s-1", "V-1")
    rig.client_ready()
    assert rig.waits_for("gatewayState")
    rig.gateway()
    assert rig.state is SessionState.READY
    assert rig.session.session_id == "s-1"
    assert [frame["method"] for frame in rig.sent] == ["login", "telnyx_rtc.gatewayState"]


def test_time_meets_every_deadline_in_order() -> None:
    rig = Rig.registered()
    rig.always("ping", {})
    rig.advance(30)
    assert rig.times("ping") == [4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0]
    assert [at for at, _ in rig.timeline] == sorted(at for at, _ in rig.timeline)
    assert rig.now == 30.0


def test_waiting_for_what_never_comes_is_told() -> None:
    rig = Rig()
    with pytest.raises(AssertionError, match="waits for nothing"):
        rig.wait_for(SessionState.READY)
    rig.always("ping", {})
    rig.ready()
    with pytest.raises(AssertionError, match="still ready"):
        rig.wait_for(SessionState.EXHAUSTED)


def test_a_reply_needs_a_request() -> None:
    rig = Rig.registered()
    first, second = rig.invite(), rig.invite()
    with pytest.raises(AssertionError, match=r"does not wait for a reply to bye, but to .*invite.*invite"):
        rig.reply("bye")
    rig.reply("invite", call=second)
    assert [rig.info(call).state.value for call in (first, second)] == ["requesting", "trying"]


def test_standing_answers_come_at_once_until_they_are_taken_back() -> None:
    rig = Rig.registered()
    rig.always("info", {"message": "SENT"})
    call = rig.outbound("active")
    assert rig.outcomes[rig.dtmf(call, "1")] == Done({"message": "SENT"})
    rig.never("info")
    assert rig.dtmf(call, "2") not in rig.outcomes


def test_a_reflex_is_what_the_world_does_about_an_action() -> None:
    def refuse(action: object) -> list[Fact]:
        if isinstance(action, OpenSocket):
            return [SocketClosed(action.socket, 1006, "", clean=False, error="refused")]
        return []

    rig = Rig(maxReconnectAttempts=2)
    rig.reflex = refuse
    rig.ask_to_connect()
    rig.advance(10)
    assert rig.codes == [45002, 45002, 45002, 45003]


@pytest.mark.parametrize("until", ["new", "requesting", "trying", "ringing", "early", "active", "held"])
def test_a_call_of_ours_in_a_state(until: str) -> None:
    rig = Rig.registered()
    assert rig.info(rig.outbound(until)).state.value == until


@pytest.mark.parametrize("until", ["ringing", "answering", "active", "held"])
def test_a_call_of_theirs_in_a_state(until: str) -> None:
    rig = Rig.registered()
    assert rig.info(rig.inbound(until)).state.value == until


def test_a_world_that_breaks_its_word_is_told() -> None:
    """The ledger stands beside the session."""
    rig = Rig.registered()
    rig.outbound("active")
    with pytest.raises(ContractViolation, match="remote description"):
        rig.remote_applied()
    with pytest.raises(ContractViolation, match="opens while"):
        rig.tell(SocketOpened(rig.socket, 0.0))
    rig.tell(RemoteApplied(MediaId(99)))  # late news of a dead handle is allowed at any time


def test_media_is_named_by_its_call_by_itself_or_not_at_all() -> None:
    rig = Rig.registered()
    with pytest.raises(AssertionError, match="no peer was opened"):
        rig.peer("connected")
    first, second = rig.outbound("active"), rig.outbound("active")
    rig.clear()
    rig.peer("disconnected", first)
    rig.peer("disconnected", rig.peers[second][0])
    rig.peer("connected")
    assert rig.codes == [33001, 33001]
    with pytest.raises(AssertionError, match="no peer was opened for the call nobody"):
        rig.peer("connected", CallId("nobody"))


def test_a_record_can_be_begun_anew() -> None:
    rig = Rig()
    rig.ready()
    rig.clear()
    rig.disconnect()
    rig.lose(1000)
    assert rig.heard_of(SocketOpen) == []
    assert isinstance(rig.events[-1], SessionClosed)
    with pytest.raises(AssertionError, match="no login was sent"):
        rig.params("login")


def test_fixed_dice_differ_in_nothing_but_chance() -> None:
    rng = FixedDice(0.25)
    assert (rng.random(), rng.random()) == (0.25, 0.25)
    assert rng.getrandbits(64) != rng.getrandbits(64)
    assert Rig.registered(r=0.5).session.options == Rig.registered().session.options
