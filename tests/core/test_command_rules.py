"""One rule for a command that is not possible now, whichever it is: every command in every state, with and without a
socket, against the table that the documentation shows.
"""

from collections.abc import Callable
from typing import Literal

import pytest

from telnyx_core import CallId, CallOptions, InvalidCallState, LocalProtocolError, NotConnected, NotReady
from telnyx_core.actions import SendDigits
from telnyx_core.session import COMMANDS, Rule
from telnyx_core.states import LIVE, CallState, SessionState
from telnyx_core.testing import Rig, snapshot

OUTPUT = {"type": "function_call_output", "call_id": "f", "output": "{}"}
GIVE: dict[str, Callable[[Rig, CallId], object]] = {
    "answer": lambda rig, call: rig.answer(call),
    "hangup": lambda rig, call: rig.hangup(call),
    "hold": lambda rig, call: rig.hold(call),
    "unhold": lambda rig, call: rig.unhold(call),
    "toggle_hold": lambda rig, call: rig.toggle_hold(call),
    "dtmf": lambda rig, call: rig.dtmf(call, "1"),
    "message": lambda rig, call: rig.message(call, "bob", "hi"),
    "set_muted": lambda rig, call: rig.set_muted(call, True),
    "set_deaf": lambda rig, call: rig.set_deaf(call, True),
    "set_source": lambda rig, call: rig.set_source(call, "line"),
    "set_max_bit_rate": lambda rig, call: rig.set_max_bit_rate(call, 20_000),
    "restart_media": lambda rig, call: rig.restart_media(call),
    "resume_media": lambda rig, call: rig.resume_media(call),
    "reject_media": lambda rig, call: rig.reject_media(call),
    "flush_report": lambda rig, call: rig.flush_report(call),
    "send_conversation_message": lambda rig, call: rig.send_conversation_message(call, "hi"),
}
"""The commands of a call."""
OTHERS: dict[str, Callable[[Rig], object]] = {
    "connect": lambda rig: rig.ask_to_connect(),
    "disconnect": lambda rig: rig.disconnect(),
    "leave": lambda rig: rig.leave(),
    "login": lambda rig: rig.login({"login_token": "x.y.z"}),
    "switch_region": lambda rig: rig.switch_region("eu"),
    "is_registered": lambda rig: rig.is_registered(),
    "provide_tokens": lambda rig: rig.provide_tokens(),
    "clear_reconnect_token": lambda rig: rig.clear_reconnect_token(),
    "subscribe": lambda rig: rig.subscribe("news"),
    "unsubscribe": lambda rig: rig.unsubscribe("news"),
    "broadcast": lambda rig: rig.broadcast("news", {}),
    "speed_test": lambda rig: rig.speed_test(100),
    "new_call": lambda rig: rig.session.new_call(CallOptions(destination_number="echo"), now=rig.now),
    "send_ai_item": lambda rig: rig.send_ai_item(OUTPUT),
}
SOCKETS = ["registered", "not registered", "none"]


def lost(rig: Rig) -> CallId:
    """A call that the server has kept, before it offers it again."""
    call = rig.outbound("active")
    rig.come_back(call)
    return call


def purged(rig: Rig) -> CallId:
    call = rig.outbound("active")
    rig.hangup(call)
    rig.reply("bye")
    return call


def ending(rig: Rig) -> CallId:
    call = rig.outbound("active")
    rig.hangup(call)
    return call


CALLS: dict[str, Callable[[Rig], CallId]] = {
    "new": lambda rig: rig.outbound("new"),
    "requesting": lambda rig: rig.outbound("requesting"),
    "trying": lambda rig: rig.outbound("trying"),
    "ringing": lambda rig: rig.outbound("ringing"),
    "early": lambda rig: rig.outbound("early"),
    "active": lambda rig: rig.outbound("active"),
    "held": lambda rig: rig.outbound("held"),
    "inbound, ringing": lambda rig: rig.inbound("ringing"),
    "inbound, answering": lambda rig: rig.inbound("answering"),
    "inbound, active": lambda rig: rig.inbound("active"),
    "inbound, held": lambda rig: rig.inbound("held"),
    "recovering": lost,
    "hangup": ending,
    "destroy": purged,
    "never was": lambda rig: CallId("nobody"),
}


CASES = [(where, socket) for where in CALLS for socket in SOCKETS]


def reached(where: str, socket: str) -> tuple[Rig, CallId]:
    rig = Rig.registered()
    call = CALLS[where](rig)
    if socket != "registered":
        rig.lose()
    if socket == "not registered":
        rig.wait_for(SessionState.CONNECTING)
        rig.open()
        rig.login_ok()
    rig.clear()
    return rig, call


def state_of(rig: Rig, call: CallId) -> CallState:
    return rig.info(call).state if call in rig.session.calls else CallState.DESTROY


def wanted(rule: Rule, state: CallState, socket: str) -> type[LocalProtocolError] | None:
    """What the rule says, in its order: is there a call, does the server hear of it, does the state allow it."""
    if state not in LIVE and state not in rule.states:
        return InvalidCallState
    if rule.registered and socket != "registered":
        return NotConnected if socket == "none" else NotReady
    return None if state in rule.states else InvalidCallState


def test_every_command_is_given() -> None:
    assert GIVE.keys() | OTHERS.keys() == COMMANDS.keys()
    assert not GIVE.keys() & OTHERS.keys()
    assert all(COMMANDS[name].states == frozenset(CallState) for name in OTHERS)


def test_every_state_of_a_call_is_met() -> None:
    """But ``purge``, which a call passes while `disconnect` is at work."""
    met = {state_of(*reached(where, socket)) for where, socket in CASES}
    assert met == frozenset(CallState) - {CallState.PURGE}


@pytest.mark.parametrize(("where", "socket"), CASES)
def test_a_command_of_a_call_that_is_not_possible_raises_and_changes_nothing(where: str, socket: str) -> None:
    """CALL-120, CALL-121, CALL-133, CALL-135, CALL-363."""
    rig, call = reached(where, socket)
    before = snapshot(rig.session)
    for command, give in GIVE.items():
        error = wanted(COMMANDS[command], state_of(rig, call), socket)
        if command == "answer" and state_of(rig, call) in LIVE and not where.startswith("inbound"):
            error = None  # there is nothing to answer, and so nothing for the server: 33006
        if command == "restart_media" and error is None and not connected(rig, call):
            error = InvalidCallState
        if error is None:
            give(*reached(where, socket))
            continue
        with pytest.raises(LocalProtocolError) as raised:
            give(rig, call)
        assert raised.type is error, command
        assert snapshot(rig.session) == before, command
        assert rig.session.next_action() is None
    assert rig.actions == []


def connected(rig: Rig, call: CallId) -> bool:
    return rig.info(call).connection_state == "connected"


@pytest.mark.parametrize("socket", SOCKETS)
@pytest.mark.parametrize("command", OTHERS)
def test_a_command_of_the_session_that_is_not_possible_raises_and_changes_nothing(command: str, socket: str) -> None:
    rig, _ = reached("active", socket)
    error = wanted(COMMANDS[command], CallState.ACTIVE, socket)
    before = snapshot(rig.session)
    if error is None:
        OTHERS[command](rig)
        return
    with pytest.raises(error):
        OTHERS[command](rig)
    assert snapshot(rig.session) == before
    assert rig.session.next_action() is None


@pytest.mark.parametrize("until", ["early", "active", "held"])
def test_digits_in_the_audio_need_no_socket(until: Literal["early", "active", "held"]) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.dtmf(call, "1", "rtp")
    assert [action.digits for action in rig.actions if isinstance(action, SendDigits)] == ["1"]


def test_digits_for_the_audio_that_go_through_the_server_need_it() -> None:
    """CALL-121, PS-021: the audio of an inbound call of the platform takes no digits."""
    rig = Rig.registered()
    call = rig.inbound("active", sdp="v=0\r\nm=audio 20000 RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n")
    rig.lose()
    rig.ready()
    assert rig.info(call).state is CallState.RECOVERING
    rig.lose()
    with pytest.raises(NotConnected):
        rig.dtmf(call, "1", "rtp")
