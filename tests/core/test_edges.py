"""Every edge of the two state tables is travelled by a machine that is told facts, and not only drawn.

Most of them are met all over this directory; the stories here are about the corners. The last test asks for all.
"""

from enum import Enum

import pytest

from telnyx_core.facts import SocketRefused
from telnyx_core.states import CALL, SESSION, SessionState
from telnyx_core.testing.rig import REMOTE_SDP, Rig

S = SessionState


def reach(state: SessionState, **options: object) -> Rig:
    """A session in this state, with one attempt behind it where that makes sense."""
    rig = Rig(r=0.0, **options)
    rig.always("ping", {})
    rig.ask_to_connect()
    if state is S.CONNECTING:
        return rig
    rig.open()
    if state is S.LOGGING_IN:
        return rig
    if state is S.AUTH_FAILED:
        rig.login_refused(-32602, "Permission Denied")
        return rig
    rig.login_ok()
    if state is S.REGISTERING:
        return rig
    rig.gateway("REGISTER")
    if state is S.GATEWAY_WAIT:
        rig.gateway("DOWN")
    elif state is S.CLOSING:
        rig.is_registered()
        rig.advance(10)
    assert rig.state is state
    return rig


WITH_SOCKET = [S.LOGGING_IN, S.REGISTERING, S.READY, S.GATEWAY_WAIT, S.AUTH_FAILED]


def again(rig: Rig, state: SessionState) -> None:
    """Lose the socket once, and be in this state on the next."""
    rig.lose()
    rig.wait_for(S.CONNECTING)
    if state is S.CONNECTING:
        return
    rig.open()
    if state is S.LOGGING_IN:
        return
    if state is S.AUTH_FAILED:
        rig.login_refused(-32602, "Permission Denied")
        return
    rig.login_ok()
    if state is S.REGISTERING:
        return
    rig.gateway("REGISTER")
    if state is S.GATEWAY_WAIT:
        rig.gateway("DOWN")
    elif state is S.CLOSING:
        rig.is_registered()
        rig.advance(10)
    assert rig.state is state


@pytest.mark.parametrize("state", [S.CONNECTING, *WITH_SOCKET, S.CLOSING])
def test_a_loss_in_any_state_is_followed_by_an_attempt(state: SessionState) -> None:
    """T32."""
    rig = reach(state)
    rig.lose()
    assert rig.state is S.BACKOFF


@pytest.mark.parametrize("state", [S.CONNECTING, *WITH_SOCKET, S.CLOSING])
def test_a_loss_in_any_state_may_be_the_last(state: SessionState) -> None:
    """T33: nothing but REGED forgives an attempt (SIG-244)."""
    rig = reach(S.READY, maxReconnectAttempts=1)
    again(rig, state)
    rig.lose()
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)


@pytest.mark.parametrize("state", [S.CONNECTING, S.LOGGING_IN, S.REGISTERING, S.READY, S.AUTH_FAILED, S.CLOSING])
def test_a_loss_in_any_state_is_final_without_reconnection(state: SessionState) -> None:
    """T34."""
    rig = reach(state, autoReconnect=False)
    rig.lose()
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


@pytest.mark.parametrize("state", WITH_SOCKET)
def test_a_loss_during_the_good_byes_is_final_in_any_state(state: SessionState) -> None:
    """T29: the calls are still saying good-bye when the socket goes."""
    rig = Rig.registered(r=0.0)
    rig.outbound("active")
    match state:
        case S.LOGGING_IN:
            rig.gateway("NOREG")
            rig.login({})
        case S.REGISTERING:
            rig.gateway("NOREG")
        case S.GATEWAY_WAIT:
            rig.gateway("DOWN")
        case S.AUTH_FAILED:
            rig.gateway("NOREG")
            rig.login({})
            rig.login_refused(-32602, "Permission Denied")
        case _:
            pass
    assert rig.state is state
    rig.disconnect()
    assert rig.state is state
    rig.lose()
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


@pytest.mark.parametrize("state", WITH_SOCKET)
def test_every_state_with_a_socket_can_close_it(state: SessionState) -> None:
    rig = reach(state)
    rig.request("punt")
    assert rig.state is S.CLOSING


def test_a_socket_that_cannot_be_made_and_one_that_is_not_waited_for() -> None:
    rig = reach(S.CONNECTING)
    rig.tell(SocketRefused(rig.socket, "no TLS"))
    assert rig.state is S.EXHAUSTED
    rig.disconnect()
    assert rig.state is S.IDLE
    rig.ask_to_connect()
    rig.disconnect()
    assert rig.state is S.IDLE


def test_a_rejected_login_survives_its_socket() -> None:
    """T35, both ways to lose it, and the ways out."""
    rig = Rig()
    rig.connect()
    rig.login_refused()
    rig.advance(12)
    assert rig.state is S.CLOSING
    rig.lose(1000)
    assert rig.state is S.AUTH_FAILED
    rig.ask_to_connect()
    rig.open()
    rig.login_refused()
    rig.lose()
    assert rig.state is S.AUTH_FAILED
    rig.disconnect()
    assert rig.state is S.IDLE


@pytest.mark.parametrize("until", ["new", "requesting", "trying", "ringing", "early", "active", "held"])
@pytest.mark.parametrize("how", ["hangup", "disconnect"])
def test_a_call_of_ours_can_end_in_any_state(until: str, how: str) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    if how == "hangup":
        rig.hangup(call)
    else:
        rig.disconnect()
    rig.advance(5)
    assert rig.states(call)[-1] == "destroy"


@pytest.mark.parametrize("until", ["ringing", "answering", "active", "held", "recovering"])
@pytest.mark.parametrize("how", ["hangup", "disconnect"])
def test_a_call_of_theirs_can_end_in_any_state(until: str, how: str) -> None:
    rig = Rig.registered()
    call = rig.inbound("active" if until == "recovering" else until)
    if until == "recovering":
        rig.come_back(call)
        rig.attach(call)
    if how == "hangup":
        rig.hangup(call)
    else:
        rig.disconnect()
    rig.advance(5)
    assert rig.states(call)[-1] == "destroy"


@pytest.mark.parametrize("until", ["requesting", "trying", "ringing"])
@pytest.mark.parametrize("method", ["media", "answer"])
def test_progress_may_skip_what_comes_before_it(until: str, method: str) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.request(method, callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    assert rig.states(call)[-1] == ("early" if method == "media" else "active")


@pytest.mark.parametrize("until", ["trying", "ringing", "early", "active", "held"])
def test_a_call_can_be_attached_in_any_state_in_which_nothing_of_ours_is_owed(until: str) -> None:
    """CALL-374; on the same socket, too (SRV-009)."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.attach(call)
    assert rig.states(call)[-1] == "recovering"


def test_the_ways_out_of_recovering() -> None:
    rig = Rig.registered()
    rig.always("ping", {})
    rig.always("gatewayState", {})
    calls = {until: rig.outbound(until) for until in ("active", "held")}
    rig.come_back(*calls.values())
    rig.advance(15)
    assert [rig.info(call).state.value for call in calls.values()] == ["active", "held"]
    rig.come_back(*calls.values())
    for until, call in calls.items():
        rig.attach(call)
        rig.describe_answer(call)
        rig.reply("attach", call=call)
        assert rig.info(call).state.value == until


def test_every_edge_was_travelled(travelled: set[tuple[Enum, Enum]]) -> None:
    """What no story reaches is no edge: it leaves the table, or a story is missing."""
    for table in (SESSION, CALL):
        missing = [
            f"{given.value} while {state.value}"
            for state, edges in table.items()
            for given in edges
            if (state, given) not in travelled
        ]
        assert missing == []
