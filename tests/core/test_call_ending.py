"""How calls end: calls.md 6.5, 6.7 and 7, row by row."""

from itertools import pairwise

import pytest

from telnyx_core._time.limits import MAX_SENT_BYTES
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import ClosePeer, Done, Notify, SendText, StopTone
from telnyx_core.events import CallUpdated, Cause, ErrorRaised
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from tests.inside import hub_of

NORMAL = Cause("NORMAL_CLEARING", 16)
BUSY = Cause("USER_BUSY", 17)


def ended(rig: Rig, call: CallId) -> Cause | None:
    return [event.call.ended for event in rig.heard_of(CallUpdated) if event.call.id == call][-1]


# 7.1 Fields and defaults.


@pytest.mark.parametrize(
    ("until", "cause"),
    [("requesting", BUSY), ("trying", BUSY), ("ringing", BUSY), ("early", BUSY), ("active", NORMAL), ("held", NORMAL)],
)
def test_call_401_the_default_cause_tells_whether_it_was_answered(until: str, cause: Cause) -> None:
    """CALL-401, SIG-154: the 17 for cancel and reject is deliberate."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.hangup(call)
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == (cause.cause, cause.cause_code)
    assert ended(rig, call) == cause


@pytest.mark.parametrize("until", ["ringing", "answering", "active"])
def test_call_401_inbound_too(until: str) -> None:
    rig = Rig.registered()
    call = rig.inbound(until)
    rig.hangup(call)
    assert ended(rig, call) == (NORMAL if until == "active" else BUSY)


def test_call_401_a_recovering_call_was_answered() -> None:
    """CALL-301, CALL-385, CALL-817, SIG-577: by being answered, never by an order of the states."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.hangup(call)
    assert rig.params("bye")["causeCode"] == 16


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Cause("CALL_REJECTED", 21), ("CALL_REJECTED", 21)),
        (Cause("CALL_REJECTED", None), ("CALL_REJECTED", 21)),
        (Cause(None, 487), ("ORIGINATOR_CANCEL", 487)),
        (Cause("MY_OWN", None), ("MY_OWN", None)),
        (Cause(None, 9_999), (None, 9_999)),
        (Cause("MY_OWN", 9_999), ("MY_OWN", 9_999)),
    ],
    ids=range(6),
)
def test_call_402_one_half_finds_the_other(given: Cause, said: tuple[str | None, int | None]) -> None:
    """CALL-402: what is unknown is left out, never mixed with a default."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call, cause=given.cause, cause_code=given.cause_code)
    params = rig.params("bye")
    assert (params.get("cause"), params.get("causeCode")) == said
    assert ended(rig, call) == Cause(*said)


def test_call_403_404_the_far_end_says_how_it_ended() -> None:
    """CALL-403, CALL-404, SIG-155, SIG-553: headers are appended, the client state replaced."""
    rig = Rig.registered()
    call = rig.outbound("active", customHeaders=[{"name": "X-A", "value": "1"}], clientState="b2xk")
    rig.request(
        "bye",
        callID=call,
        cause="ORIGINATOR_CANCEL",
        causeCode=487,
        sipCode=487,
        sipReason="Request Terminated",
        sip_call_id="8f",
        client_state="bmV3",
        dialogParams={"custom_headers": [{"name": "X-B", "value": "2"}]},
    )
    last = rig.heard_of(CallUpdated)[-1].call
    assert last.ended == Cause("ORIGINATOR_CANCEL", 487, 487, "Request Terminated", "8f")
    assert [(header.name, header.value) for header in last.custom_headers] == [("X-A", "1"), ("X-B", "2")]
    assert last.client_state == "bmV3"


@pytest.mark.parametrize(("until", "cause"), [("ringing", BUSY), ("active", NORMAL)])
def test_call_403_a_bye_without_a_cause(until: str, cause: Cause) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.request("bye", callID=call)
    assert ended(rig, call) == cause


# 7.4 Local hang-up.


def test_call_420_422_a_hang_up_in_order() -> None:
    """CALL-420, CALL-422: announced, tone off, media closed, BYE; destroyed when the server says so."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.clear()
    ticket = rig.hangup(call)
    kinds = [type(action) for action in rig.actions if not isinstance(action, Notify)]
    assert kinds.index(StopTone) < kinds.index(SendText)
    assert ClosePeer in kinds
    assert rig.states(call) == ["hangup"]
    assert ticket not in rig.outcomes
    rig.reply("bye")
    assert rig.states(call) == ["hangup", "destroy"]
    assert rig.outcomes[ticket] == Done()
    assert call not in rig.session.calls


def test_call_420_the_media_is_closed_before_the_application_hears_that_it_is_over() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.reply("bye")
    order = [type(action.event if isinstance(action, Notify) else action).__name__ for action in rig.actions]
    last = max(index for index, name in enumerate(order) if name == "CallUpdated")
    assert order.index("ClosePeer") < last
    assert not rig.ledger.peers


def test_call_421_nothing_sent_nothing_to_take_back() -> None:
    """CALL-421, CALL-955."""
    rig = Rig.registered()
    call = rig.dial()
    ticket = rig.hangup(call)
    assert rig.sent == []
    assert rig.states(call) == ["new", "hangup", "destroy"]
    assert rig.outcomes[ticket] == Done()


def test_call_423_without_a_socket_it_is_over_at_once() -> None:
    """CALL-423, CALL-427, CALL-963: 44003 once, not fatal; the ticket is settled, never failed."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.clear()
    ticket = rig.hangup(call)
    assert [(event.code, event.fatal, event.call) for event in rig.heard_of(ErrorRaised)] == [(44003, False, call)]
    assert rig.states(call) == ["hangup", "destroy"]
    assert rig.outcomes[ticket] == Done()


@pytest.mark.parametrize(
    ("error", "codes"), [((-32002, "CALL DOES NOT EXIST"), []), ((-32602, "Permission Denied"), [44003])]
)
def test_call_425_a_bye_that_is_refused(error: tuple[int, str], codes: list[int]) -> None:
    """CALL-425, SRV-027: that there is no such call is as good as yes."""
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.hangup(call)
    rig.reply("bye", error=error)
    assert rig.codes == codes
    assert rig.states(call)[-1] == "destroy"
    assert rig.outcomes[ticket] == Done()


def test_call_391_a_bye_that_is_not_answered() -> None:
    """CALL-391, CALL-704, CALL-964, SIG-156: five seconds, without an event."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("active")
    ticket = rig.hangup(call)
    rig.advance(4.9)
    assert rig.states(call)[-1] == "hangup"
    rig.advance(0.1)
    assert rig.states(call)[-1] == "destroy"
    assert rig.outcomes[ticket] == Done()
    assert rig.codes == []


def test_call_426_and_after_ten_seconds_the_socket_is_replaced_once() -> None:
    """CALL-426, CALL-705, SIG-574: a dead socket should be."""
    rig = Rig.registered()
    rig.always("ping", {})
    for _ in range(3):
        rig.hangup(rig.outbound("active"))
    rig.advance(20)
    assert rig.codes.count(36003) == 1
    assert rig.state is not SessionState.READY


# 7.5 Remote hang-up.


@pytest.mark.parametrize("until", ["requesting", "trying", "ringing", "early", "active", "held"])
def test_call_430_the_far_end_hangs_up(until: str) -> None:
    """CALL-365, CALL-430: hangup, destroy, then the acknowledgement; no BYE goes back."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    ident = rig.request("bye", callID=call, cause="NORMAL_CLEARING", causeCode=16)
    assert rig.states(call) == ["hangup", "destroy"]
    assert rig.sent == [{"jsonrpc": "2.0", "id": ident, "result": {"method": "telnyx_rtc.bye"}}]
    assert not rig.ledger.peers
    assert not rig.ledger.tones
    assert rig.codes == []


def test_call_431_what_was_pending_ends_silently() -> None:
    """CALL-431: no 40005, 44001 or 47001 because of the end of the call."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hold(call)
    rig.peer("failed")
    rig.media_ok()
    rig.describe()
    rig.clear()
    rig.request("bye", callID=call)
    for method in ("modify",):
        rig.reply(method, error=(-32002, "CALL DOES NOT EXIST"))
    rig.advance(9)
    assert rig.codes == []


# 6.7 Terminal.


def test_call_390_hanging_up_twice_is_once() -> None:
    """CALL-390, CALL-809, CALL-962: one BYE, one hangup, one destroy; both are told at the end."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    tickets = [rig.hangup(call), rig.hangup(call, cause="CALL_REJECTED", cause_code=21)]
    assert len(rig.frames("bye")) == 1
    assert not set(tickets) & set(rig.outcomes)
    rig.reply("bye")
    assert rig.states(call) == ["hangup", "destroy"]
    assert [rig.outcomes[ticket] for ticket in tickets] == [Done(), Done()]
    assert len(rig.heard_of(CallUpdated)) == 2


def test_call_390_also_while_the_session_says_good_bye() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.disconnect()
    ticket = rig.hangup(call)
    assert len(rig.frames("bye")) == 1
    rig.reply("bye")
    assert rig.outcomes[ticket] == Done()


def test_call_392_both_sides_hang_up() -> None:
    """CALL-392: our cause stays; the reply to our BYE that still comes is nobody's."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call, cause="CALL_REJECTED", cause_code=21)
    rig.request("bye", callID=call, cause="NORMAL_CLEARING", causeCode=16)
    assert rig.states(call)[-1] == "destroy"
    assert ended(rig, call) == Cause("CALL_REJECTED", 21)
    rig.clear()
    rig.reply("bye", error=(-32002, "CALL DOES NOT EXIST"))
    assert rig.codes == []
    rig.advance(11)
    assert 36003 not in rig.codes


@pytest.mark.parametrize("method", ["ringing", "media", "answer", "display", "candidate", "endOfCandidates"])
@pytest.mark.parametrize("done", [False, True])
def test_call_393_what_comes_for_an_ending_call_is_acknowledged_and_ignored(method: str, done: bool) -> None:
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.hangup(call)
    if done:
        rig.reply("bye")
    rig.clear()
    ident = rig.request(method, callID=call, sdp=REMOTE_SDP, candidate="candidate:1", display_number="1")
    assert rig.acknowledged == [(ident, f"telnyx_rtc.{method}")]
    assert not rig.heard_of(CallUpdated)
    assert len(rig.sent) == 1


def test_call_394_hanging_up_what_is_over_is_done() -> None:
    rig = Rig.registered()
    ticket = rig.hangup(CallId("never-was"))
    assert rig.outcomes[ticket] == Done()


@pytest.mark.parametrize("method", ["invite", "attach", "answer"])
def test_call_395_late_replies_are_dropped(method: str) -> None:
    rig = Rig.registered()
    if method == "answer":
        call = rig.inbound("answering")
    elif method == "invite":
        call = rig.outbound("requesting")
    else:
        call = rig.outbound("active")
        rig.come_back(call)
        rig.attach(call)
        rig.describe_answer(call)
    rig.hangup(call)
    rig.reply("bye")
    rig.clear()
    rig.reply(method, error=(-32002, "CALL DOES NOT EXIST"))
    assert rig.events == []
    assert rig.sent == []


def test_call_395_late_news_of_the_media_is_dropped() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    media = rig.peers[call][-1]
    rig.request("bye", callID=call)
    rig.clear()
    rig.peer("failed", media)
    rig.audio(media)
    rig.candidate(at=media)
    assert rig.actions == []


def test_an_engine_that_gives_no_last_reading_is_not_waited_for_long() -> None:
    """CALL-422, STATS-013: half a second, also when the socket goes meanwhile; no second word about the BYE."""
    rig = Rig.registered()
    rig.reading = lambda now: None
    call = rig.outbound("active")
    rig.request("bye", callID=call)
    assert rig.states(call)[-1] == "hangup"
    rig.clear()
    rig.lose()
    rig.advance(0.4)
    assert rig.states(call) == []
    rig.advance(0.2)
    assert rig.states(call) == ["destroy"]
    assert rig.codes == []
    assert not rig.ledger.peers


@pytest.mark.parametrize("how", ["both hang up", "no reply"])
def test_a_call_that_is_over_closes_its_media_without_a_last_reading(how: str) -> None:
    """CALL-392, CALL-422: the ledger holds a destroyed call to having no peer."""
    rig = Rig.registered()
    rig.reading = lambda now: None
    call = rig.outbound("active")
    rig.hangup(call)
    if how == "both hang up":
        rig.request("bye", callID=call)
    else:
        rig.advance(5)
    assert rig.states(call)[-1] == "destroy"
    assert not rig.ledger.peers


def test_an_ended_call_holds_nothing() -> None:
    """CALL-440: no timer, no peer, no tone, no handle."""
    rig = Rig.registered()
    rig.always("ping", {})
    before = len(hub_of(rig.session).timers)
    for until in ("new", "requesting", "trying", "ringing", "early", "active", "held"):
        call = rig.outbound(until)
        rig.hangup(call)
        if rig.waits_for("bye"):
            rig.reply("bye", call=call)
    for until in ("ringing", "answering", "active", "held"):
        call = rig.inbound(until, f"in-{until}")
        rig.request("bye", callID=call)
    rig.advance(31)
    assert len(hub_of(rig.session).timers) == before
    assert not hub_of(rig.session).media
    assert not rig.session.calls


# 6.5 Session-driven; more of it in test_session_recovery.


@pytest.mark.parametrize("until", ["new", "requesting", "trying", "ringing", "early", "active", "held"])
def test_call_370_disconnect_purges(until: str) -> None:
    """CALL-370: purge, hangup, destroy; with BYE where the server knows the call."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    rig.disconnect()
    assert rig.states(call)[:2] == ["purge", "hangup"]
    assert len(rig.frames("bye")) == (0 if until == "new" else 1)
    assert ended(rig, call) == (NORMAL if until in ("active", "held") else BUSY)
    if until != "new":
        rig.reply("bye")
    assert rig.states(call)[-1] == "destroy"


@pytest.mark.parametrize("until", ["ringing", "answering"])
def test_call_370_inbound_too(until: str) -> None:
    rig = Rig.registered()
    call = rig.inbound(until)
    rig.clear()
    rig.disconnect()
    assert rig.states(call) == ["purge", "hangup"]
    assert rig.params("bye")["causeCode"] == 17


def test_call_370_a_recovering_call_too() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.clear()
    rig.disconnect()
    assert rig.states(call) == ["purge", "hangup"]
    assert rig.params("bye")["causeCode"] == 16


def test_the_reference_sequences() -> None:
    """CALL-303, typical notification sequences."""
    rig = Rig.registered()
    outbound = rig.outbound("early")
    rig.request("answer", callID=outbound)
    rig.hangup(outbound)
    rig.reply("bye")
    assert rig.states(outbound) == ["new", "requesting", "trying", "ringing", "early", "active", "hangup", "destroy"]
    inbound = rig.inbound("active")
    rig.request("bye", callID=inbound)
    assert rig.states(inbound) == ["new", "ringing", "answering", "active", "hangup", "destroy"]


def test_every_update_names_the_state_before() -> None:
    """CALL-101."""
    rig = Rig.registered()
    call = rig.outbound("held")
    rig.hangup(call)
    rig.reply("bye")
    told = [(event.call.previous.value, event.call.state.value) for event in rig.heard_of(CallUpdated)]
    assert told[0] == ("new", "new")
    assert all(before[1] == after[0] for before, after in pairwise(told) if before != after)


def test_a_cause_is_told_from_the_first_update_of_the_end() -> None:
    """CALL-107: ``None`` until then."""
    rig = Rig.registered()
    call = rig.outbound("active")
    assert all(event.call.ended is None for event in rig.heard_of(CallUpdated))
    rig.clear()
    rig.hangup(call)
    assert rig.heard_of(CallUpdated)[0].call.ended == NORMAL


def test_the_headers_of_a_hang_up_are_told_with_it() -> None:
    rig = Rig.registered()
    call = rig.outbound("active", customHeaders=[{"name": "X-A", "value": "1"}])
    rig.clear()
    rig.hangup(call, custom_headers=(CustomHeader("X-B", "2"),))
    assert [header.name for header in rig.heard_of(CallUpdated)[0].call.custom_headers] == ["X-A", "X-B"]
    expected: list[JsonObject] = [{"name": "X-A", "value": "1"}, {"name": "X-B", "value": "2"}]
    dialog = rig.params("bye")["dialogParams"]
    assert isinstance(dialog, dict)
    assert dialog["custom_headers"] == expected


@pytest.mark.parametrize("how", ["invite", "hangup"])
def test_headers_that_no_frame_can_carry_cost_that_call_alone(how: str) -> None:
    """PS-029: the BYE has them too. Its deadline outlived the call, and ended the client with every other call."""
    rig = Rig.registered()
    other = rig.outbound("active")
    headers = (CustomHeader("X-A", "v" * MAX_SENT_BYTES),)
    match how:
        case "invite":
            call = rig.dial(custom_headers=headers)
            rig.media_ok(call)
            rig.describe(at=call)
        case _:
            call = rig.outbound("active")
            rig.ledger.asked(rig.session.hangup(call, now=rig.now, custom_headers=headers))
    rig.advance(20)
    assert call not in rig.session.calls
    assert other in rig.session.calls


def test_no_invite_is_taken_while_the_last_calls_are_hung_up() -> None:
    """Nobody would answer it, and leaving would wait for it."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.never("telnyx_rtc.bye")
    rig.disconnect()
    rig.ring("late")
    assert "late" not in rig.session.calls
    assert call in rig.session.calls, "its BYE is not answered yet: the session drains"
