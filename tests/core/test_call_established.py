"""Calls that were answered: hold, digits, text, mute; calls.md 4, 6.4, 8."""

from collections.abc import Callable
from typing import Any

import pytest

from telnyx_core._time.limits import MAX_LIVE_CALLS, MAX_QUEUED_MODIFIES
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import DigitsVia, DigitTone, Done, Failed, SendDigits, SetDeaf, SetMuted
from telnyx_core.errors import FailureKind, InvalidCallParameters, InvalidCallState
from telnyx_core.events import CallUpdated, DigitReceived, ErrorRaised, MediaStarted, WarningRaised
from telnyx_core.facts import DigitHeard, DigitSensed
from telnyx_core.ids import CallId, Ticket
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import Rig
from telnyx_core.testing.snapshot import snapshot

Ask = Callable[[Rig, CallId], Ticket]
HOLDS: dict[str, Ask] = {
    "hold": lambda rig, call: rig.hold(call),
    "unhold": lambda rig, call: rig.unhold(call),
    "toggle": lambda rig, call: rig.toggle_hold(call),
}


def settled(rig: Rig, ticket: Ticket) -> Done | FailureKind | None:
    outcome = rig.outcomes.get(ticket)
    return outcome.failure.kind if isinstance(outcome, Failed) else outcome


# Hold: CALL-133, CALL-134, CALL-360 to CALL-363.


@pytest.mark.parametrize(
    ("before", "command", "said", "after"),
    [
        ("active", "hold", "held", "held"),
        ("active", "hold", None, "held"),
        ("active", "hold", "something new", "held"),
        ("active", "toggle", None, "held"),
        ("active", "unhold", None, "active"),
        ("held", "unhold", "active", "active"),
        ("held", "unhold", "unheld", "active"),
        ("held", "unhold", None, "active"),
        ("held", "toggle", None, "active"),
        ("held", "hold", None, "held"),
    ],
)
def test_what_the_server_says_of_the_hold_decides(before: str, command: str, said: str | None, after: str) -> None:
    """CALL-361, CALL-222, CALL-818: where it is silent, what was asked for. What it did not do: `test_kept_calls`."""
    rig = Rig.registered()
    call = rig.outbound(before)
    rig.clear()
    ticket = HOLDS[command](rig, call)
    assert rig.info(call).state.value == before
    result: JsonObject = {} if said is None else {"holdState": said}
    rig.reply("modify", result)
    assert rig.info(call).state.value == after
    assert rig.outcomes[ticket] == Done(result)
    assert rig.states(call) == ([after] if after != before else [])
    assert rig.codes == []


def test_a_hold_that_is_refused_changes_nothing() -> None:
    """CALL-362, SIG-161: 44001, not fatal."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    ticket = rig.hold(call)
    rig.reply("modify", error=(-32002, "CALL DOES NOT EXIST"))
    assert settled(rig, ticket) is FailureKind.SERVER_ERROR
    assert [(event.code, event.fatal, event.call) for event in rig.heard_of(ErrorRaised)] == [(44001, False, call)]
    assert rig.info(call).state.value == "active"
    assert rig.state is SessionState.READY


def test_a_hold_that_is_not_answered_condemns_the_socket() -> None:
    """CALL-362, CALL-961, SIG-066: 44001 first, then the recovery; the state is as it was until the loss."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    ticket = rig.hold(call)
    rig.advance(10)
    assert settled(rig, ticket) is FailureKind.REQUEST_TIMEOUT
    assert rig.codes == [44001, 36003]
    assert rig.info(call).state.value == "active"


def test_a_socket_that_is_closed_for_a_hold_is_sent_no_other_command() -> None:
    """CALL-362: what the call is taken for is said on the next socket (CALL-533); what waited behind it failed."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    tickets = [rig.hold(call), rig.hold(call)]
    rig.advance(10)
    assert [frame["params"]["action"] for frame in rig.frames("modify")] == ["hold"]
    rig.lose()
    assert [settled(rig, ticket) for ticket in tickets] == [FailureKind.REQUEST_TIMEOUT, FailureKind.STALE_REQUEST]


@pytest.mark.parametrize("before", ["active", "held"])
def test_what_a_call_is_taken_for_is_said_anew_after_a_hold_without_an_answer(before: str) -> None:
    """CALL-362, CALL-533: the server may have done what the application was told had failed."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound(before)
    HOLDS["toggle"](rig, call)
    rig.advance(10)
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.clear()
    rig.reply("attach")
    rig.peer("connected", call)
    assert [frame["params"]["action"] for frame in rig.frames("modify")] == ["unhold" if before == "active" else "hold"]


@pytest.mark.parametrize("command", HOLDS)
@pytest.mark.parametrize("until", ["new", "requesting", "trying", "ringing", "early", "inbound", "recovering"])
def test_a_hold_in_any_other_state_is_refused_at_once(until: str, command: str) -> None:
    """CALL-363, CALL-386: no wire, no event."""
    rig = Rig.registered()
    if until == "inbound":
        call = rig.ring()
    elif until == "recovering":
        call = rig.outbound("active")
        rig.come_back(call)
        rig.attach(call)
    else:
        call = rig.outbound(until)
    rig.clear()
    with pytest.raises(InvalidCallState, match=f"while the call is {rig.info(call).state.value}"):
        HOLDS[command](rig, call)
    assert rig.actions == []


def test_hold_commands_go_out_one_at_a_time_and_in_order() -> None:
    """CALL-134."""
    rig = Rig.registered()
    call = rig.outbound("active")
    tickets = [rig.hold(call), rig.unhold(call), rig.toggle_hold(call)]
    asked: list[object] = []
    for state in ("held", "active", "held"):
        asked.append(rig.params("modify")["action"])
        assert len(rig.frames("modify")) == len(asked)
        rig.reply("modify", {"holdState": state})
    assert asked == ["hold", "unhold", "toggleHold"]
    assert [rig.outcomes[ticket] for ticket in tickets] == [
        Done({"holdState": state}) for state in ("held", "active", "held")
    ]
    assert rig.info(call).state.value == "held"


def test_a_refused_hold_does_not_hold_up_the_next() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    first, second = rig.hold(call), rig.hold(call)
    rig.reply("modify", error=(-32002, "no"))
    rig.reply("modify", {"holdState": "held"})
    assert settled(rig, first) is FailureKind.SERVER_ERROR
    assert rig.outcomes[second] == Done({"holdState": "held"})


def test_a_queue_of_holds_has_an_end() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    tickets = [rig.hold(call) for _ in range(MAX_QUEUED_MODIFIES + 1)]
    assert not rig.outcomes
    one_more = rig.hold(call)
    assert settled(rig, one_more) is FailureKind.PROTOCOL
    assert rig.codes == [44001]
    assert not set(tickets) & set(rig.outcomes)


def test_a_hold_behind_a_media_update_waits_for_it() -> None:
    """CALL-134, SIG-144."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.peer("failed")
    rig.media_ok()
    rig.describe()
    rig.hold(call)
    assert [frame["params"]["action"] for frame in rig.frames("modify")] == ["updateMedia"]
    rig.reply("modify", {"sdp": "v=0\r\n"})
    assert [frame["params"]["action"] for frame in rig.frames("modify")] == ["updateMedia", "hold"]


def test_tickets_of_a_call_that_ends_are_settled_once_and_without_an_event() -> None:
    """CALL-431: no 44001 because of the end of the call."""
    for how in ("bye", "hangup"):
        rig = Rig.registered()
        call = rig.outbound("active")
        sent, waiting = rig.hold(call), rig.hold(call)
        rig.clear()
        if how == "bye":
            rig.request("bye", callID=call)
        else:
            rig.hangup(call)
        assert settled(rig, sent) is settled(rig, waiting) is FailureKind.CALL_ENDED
        rig.reply("modify", {"holdState": "held"})  # the ledger holds each ticket to one outcome
        assert rig.codes == []


def test_a_hold_reply_after_the_end_of_the_call_is_dropped() -> None:
    """CALL-395."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hold(call)
    rig.request("bye", callID=call)
    rig.clear()
    rig.reply("modify", {"holdState": "held"})
    assert rig.actions == []


def test_holding_is_signalling_only() -> None:
    """MEDIA-350: the peer and what is sent stay as they are."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"})
    assert {type(action).__name__ for action in rig.actions} <= {"SendText", "Settle", "Notify", "Remember"}


# Digits and text: CALL-135, CALL-136.


@pytest.mark.parametrize("digits", ["0123456789", "*#", "ABCD", "abcd", "Ff", "1" * 500])
def test_digits_may_be_sent(digits: str) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.dtmf(call, digits)
    assert rig.params("info")["dtmf"] == digits


@pytest.mark.parametrize("digits", ["", "E", "1 2", "٣", "1\n"])
def test_what_is_no_digit_is_refused(digits: str) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    before = snapshot(rig.session)
    with pytest.raises(ValueError, match="not DTMF digits"):
        rig.dtmf(call, digits)
    assert snapshot(rig.session) == before


def test_digits_in_the_stream_sound_as_asked_for() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.session.dtmf(call, "5", "rtp", duration=3.0, volume=-20, now=rig.now)
    rig.session.dtmf(call, "6", "rtp", now=rig.now)
    rig.drain()
    orders = [action for action in rig.actions if isinstance(action, SendDigits)]
    assert [order.tone for order in orders] == [DigitTone(duration=3.0, volume=-20), DigitTone()]


@pytest.mark.parametrize(
    ("via", "sound", "what"),
    [
        ("info", {"duration": 0.1}, "duration"),
        ("info", {"gap": 0.1, "volume": -10}, "gap, volume"),
        ("rtp", {"duration": 0.03}, "0.04 to 8"),
        ("rtp", {"duration": 8.1}, "0.04 to 8"),
        ("rtp", {"duration": float("nan")}, "0.04 to 8"),
        ("rtp", {"gap": 0.0}, "0.02 to 8"),
        ("rtp", {"volume": 1}, "-63 to 0"),
        ("rtp", {"volume": -10.5}, "-63 to 0"),
    ],
)
def test_a_sound_that_digits_cannot_have_is_refused(via: DigitsVia, sound: dict[str, Any], what: str) -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    before = snapshot(rig.session)
    with pytest.raises(ValueError, match=what):
        rig.session.dtmf(call, "1", via, **sound, now=rig.now)
    assert snapshot(rig.session) == before


@pytest.mark.parametrize(
    ("until", "allowed"),
    [("new", False), ("trying", False), ("ringing", False), ("early", True), ("active", True), ("held", True)],
)
def test_when_digits_may_be_sent(until: str, allowed: bool) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    if allowed:
        rig.dtmf(call, "1")
        assert rig.frames("info")
        return
    before = snapshot(rig.session)
    with pytest.raises(InvalidCallState, match=until):
        rig.dtmf(call, "1")
    assert snapshot(rig.session) == before


@pytest.mark.parametrize("until", ["new", "ringing", "active"])
def test_text_may_be_sent_in_any_live_call(until: str) -> None:
    """CALL-136."""
    rig = Rig.registered()
    rig.message(rig.outbound(until), "bob", "hi")
    assert rig.params("info")["msg"]


COMMANDS: dict[str, Callable[[Rig, CallId], object]] = {
    "answer": lambda rig, call: rig.answer(call),
    "hold": lambda rig, call: rig.hold(call),
    "unhold": lambda rig, call: rig.unhold(call),
    "toggle_hold": lambda rig, call: rig.toggle_hold(call),
    "dtmf": lambda rig, call: rig.dtmf(call, "1"),
    "message": lambda rig, call: rig.message(call, "bob", "hi"),
    "converse": lambda rig, call: rig.send_conversation_message(call, "hi"),
    "mute": lambda rig, call: rig.set_muted(call, True),
    "deafen": lambda rig, call: rig.set_deaf(call, True),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("where", ["ending", "ended", "never was"])
def test_a_call_that_is_not_live_refuses_everything_but_hang_up(where: str, command: str) -> None:
    """CALL-120: no wire, no event; the snapshot is the same."""
    rig = Rig.registered()
    call = CallId("nobody") if where == "never was" else rig.outbound("active")
    if where != "never was":
        rig.hangup(call)
    if where == "ended":
        rig.reply("bye")
    before = snapshot(rig.session)
    with pytest.raises(InvalidCallState):
        COMMANDS[command](rig, call)
    assert snapshot(rig.session) == before
    assert not rig.resume_media(call)
    assert not rig.reject_media(call)


# Mute and deaf: CALL-105, CALL-106, CALL-137, CALL-138, MEDIA-352.


def test_mute_is_wished_before_there_is_media_and_stays() -> None:
    """CALL-105, MEDIA-723: applied to the very peer that is opened later."""
    rig = Rig.registered()
    call = rig.ring()
    rig.set_muted(call, True)
    assert not any(isinstance(action, SetMuted) for action in rig.actions)
    assert rig.info(call).muted
    rig.answer(call)
    assert rig.ledger.peers[rig.peers[call][-1]].config.muted is True


@pytest.mark.parametrize(
    ("client", "option", "muted"), [(False, None, False), (True, None, True), (True, False, False), (False, True, True)]
)
def test_a_call_may_start_muted(client: bool, option: bool | None, muted: bool) -> None:
    """CALL-042: the call's own option before the client's."""
    rig = Rig.registered(mutedMicOnStart=client)
    call = rig.dial(**({} if option is None else {"mutedMicOnStart": option}))
    assert rig.heard_of(CallUpdated)[0].call.muted is muted
    assert rig.ledger.peers[rig.peers[call][-1]].config.muted is muted


def test_mute_and_deaf_reach_the_media() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    media = rig.peers[call][-1]
    rig.clear()
    rig.set_muted(call, True)
    rig.set_deaf(call, True)
    rig.set_muted(call, False)
    rig.set_deaf(call, False)
    assert rig.actions == [
        SetMuted(media, True),
        SetDeaf(media, True),
        SetMuted(media, False),
        SetDeaf(media, False),
    ]
    assert (rig.info(call).muted, rig.info(call).deaf) == (False, False)


@pytest.mark.parametrize("how", ["attach", "renewal"])
def test_muting_while_one_peer_replaces_another_reaches_both(how: str) -> None:
    """Make before break: the one that still plays must fall silent too."""
    rig = Rig.registered()
    call = rig.outbound("active")
    old = rig.peers[call][-1]
    if how == "attach":
        rig.come_back(call)
        rig.attach(call)
    else:
        rig.peer("failed")
    new = rig.peers[call][-1]
    assert old != new
    rig.clear()
    rig.set_muted(call, True)
    assert {action.media for action in rig.actions if isinstance(action, SetMuted)} == {old, new}


def test_muting_touches_nothing_but_the_media() -> None:
    """CALL-137, MEDIA-352: no frame, no state; hold does not matter."""
    rig = Rig.registered()
    call = rig.outbound("held")
    rig.clear()
    rig.set_muted(call, True)
    assert [type(action) for action in rig.actions] == [SetMuted]
    assert rig.info(call).state.value == "held"


# What the far end lets us hear.


def test_the_first_audio_of_a_call_is_told_once() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.audio()
    rig.audio()
    rig.come_back(call)
    rig.attach(call)
    rig.audio()
    assert rig.heard_of(MediaStarted) == [MediaStarted(call)]


@pytest.mark.parametrize("during", ["call", "attach"])
def test_digits_of_the_far_end_are_told(during: str) -> None:
    """SRV-005; also from the peer that still plays while another is prepared."""
    rig = Rig.registered()
    call = rig.outbound("active")
    media = rig.peers[call][-1]
    if during == "attach":
        rig.come_back(call)
        rig.attach(call)
    rig.clear()
    rig.tell(DigitHeard(media, "5", 0.16))
    assert rig.events == [DigitReceived(call, "5", 0.16)]


def test_call_updates_tell_of_changes_only() -> None:
    """CALL-007: in the reference equal states are told again."""
    rig = Rig.registered()
    call = rig.outbound("held", telnyxLegId="leg")
    rig.clear()
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"})
    rig.request("ringing", callID=call, telnyx_leg_id="leg")
    rig.request("display", callID=call, display_number="7")
    rig.request("display", callID=call, display_number="7")
    assert len(rig.heard_of(CallUpdated)) == 1


# Several calls: CALL-450 to CALL-456.


def test_calls_are_independent() -> None:
    """CALL-450, CALL-456: nothing is held, answered or rejected by itself."""
    rig = Rig.registered()
    first = rig.outbound("active")
    second = rig.inbound("active", "b2")
    assert rig.info(first).state.value == rig.info(second).state.value == "active"
    rig.request("bye", callID=first)
    assert rig.info(second).state.value == "active"


def test_each_further_call_is_a_warning_with_ids_only() -> None:
    """CALL-451, SIG-372, CALL-959: never numbers, names, descriptions or headers."""
    rig = Rig.registered()
    first = rig.outbound("active", "+15551230000", telnyxSessionId="s1", telnyxLegId="l1")
    assert rig.codes == []
    second = rig.ring("b2", caller_id_name="Alice", caller_id_number="+1")
    third = rig.dial("+2")
    warnings = rig.heard_of(WarningRaised)
    assert [(event.code, event.call) for event in warnings] == [(33010, second), (33010, third)]
    assert warnings[0].details == {
        "newCall": {"callId": second, "state": "ringing", "direction": "inbound"},
        "activeCalls": [
            {
                "callId": first,
                "state": "active",
                "direction": "outbound",
                "telnyxSessionId": "s1",
                "telnyxLegId": "l1",
            }
        ],
    }
    assert warnings[1].details["activeCalls"][1]["callId"] == second


def test_a_call_that_is_ending_is_not_active() -> None:
    """CALL-300: states before hangup."""
    rig = Rig.registered()
    rig.hangup(rig.outbound("active"))
    rig.clear()
    rig.ring()
    assert rig.codes == []


def test_the_ringtones_of_two_calls_are_counted_by_call() -> None:
    """CALL-455, CALL-959, MEDIA-434: the first is answered, the second still rings; the driver plays while any does."""
    rig = Rig.registered()
    first, second = rig.ring("b1"), rig.ring("b2")
    rig.answer(first)
    assert rig.ledger.tones == {(second, "ringtone")}


def test_the_number_of_calls_has_a_bound() -> None:
    rig = Rig.registered()
    for number in range(MAX_LIVE_CALLS):
        rig.ring(f"call-{number}")
    assert len(rig.session.calls) == MAX_LIVE_CALLS
    rig.clear()
    rig.ring("one-more")
    assert len(rig.acknowledged) == 1
    assert "one-more" not in rig.session.calls
    with pytest.raises(InvalidCallParameters, match="calls are live already"):
        rig.dial()


def test_a_digit_that_was_found_in_the_audio_is_told_as_such_while_there_is_the_call() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.tell(DigitSensed(call, "5", 0.12))
    rig.tell(DigitSensed(CallId("never was"), "6", 0.12))
    assert rig.heard_of(DigitReceived) == [DigitReceived(call, "5", 0.12, via="audio")]
