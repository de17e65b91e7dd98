"""Calls of theirs, until they are answered: calls.md 6.3, row by row."""

import pytest

from telnyx_core.actions import ApplyRemote, CreateAnswer, OpenPeer, OpenSource, StartTone, StopTone, UseMedia
from telnyx_core.errors import InvalidCallState, NotConnected
from telnyx_core.events import CallUpdated, Cause, ErrorRaised, FrameIgnored, ToneChanged, WarningRaised
from telnyx_core.facts import NegotiationFailed
from telnyx_core.ids import CallId
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP, Rig


def tones(rig: Rig) -> list[tuple[str, str]]:
    return [(event.kind, event.action) for event in rig.heard_of(ToneChanged)]


def warnings(rig: Rig) -> list[tuple[int, CallId | None]]:
    return [(event.code, event.call) for event in rig.heard_of(WarningRaised)]


def test_call_340_an_invite_rings() -> None:
    """CALL-340: announced twice, then the tone; acknowledged last. No media yet."""
    rig = Rig.registered()
    call = rig.ring("b1")
    assert rig.states(call) == ["new", "ringing"]
    assert rig.heard_of(CallUpdated)[0].call.direction == "inbound"
    assert StartTone(call, "ringtone") in rig.actions
    assert tones(rig) == [("ringtone", "start")]
    assert not any(isinstance(action, OpenPeer) for action in rig.actions)
    assert len(rig.acknowledged) == 1


def test_call_341_the_same_invite_again_changes_nothing() -> None:
    rig = Rig.registered()
    call = rig.inbound("active", "b1")
    rig.clear()
    rig.ring("b1")
    assert len(rig.acknowledged) == 1
    assert len(rig.actions) == 2
    assert rig.info(call).state.value == "active"


@pytest.mark.parametrize("ident", [None, "", 7, "x" * 300])
def test_call_342_an_invite_without_a_usable_id_is_acknowledged_and_dropped(ident: object) -> None:
    """CALL-342, CALL-825: the reference invents an id that the server does not know."""
    rig = Rig.registered()
    rig.request("invite", callID=ident, sdp=REMOTE_SDP)
    assert not rig.session.calls
    assert len(rig.acknowledged) == 1
    assert rig.heard_of(FrameIgnored) == [FrameIgnored("an invite without a call id")]


def test_call_343_an_answer_applies_the_offer_before_it_opens_the_source() -> None:
    """CALL-343, MEDIA-037, MEDIA-432: ringtone off, peer, offer; then the source; then the answer."""
    rig = Rig.registered()
    call = rig.ring()
    rig.clear()
    rig.answer(call)
    kinds = [type(action) for action in rig.actions]
    assert kinds.index(StopTone) < kinds.index(OpenPeer) < kinds.index(ApplyRemote) < kinds.index(UseMedia)
    assert OpenSource not in kinds
    apply = next(action for action in rig.actions if isinstance(action, ApplyRemote))
    assert (apply.kind, apply.sdp) == ("offer", REMOTE_SDP)
    rig.clear()
    rig.remote_applied()
    assert [type(action) for action in rig.actions] == [OpenSource]
    rig.clear()
    rig.media_ok()
    assert [type(action) for action in rig.actions] == [CreateAnswer]
    assert rig.info(call).state.value == "ringing"


def test_call_344_an_invite_without_a_description_waits_for_it() -> None:
    """CALL-344, CALL-908 (settled over SIG-145), architecture: ring, and wait with the answer."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.ring(sdp=None)
    assert rig.states(call) == ["new", "ringing"]
    rig.answer(call)
    assert not any(isinstance(action, OpenPeer) for action in rig.actions)
    assert tones(rig) == [("ringtone", "start"), ("ringtone", "stop")]
    rig.advance(9)
    rig.request("media", callID=call, sdp=REMOTE_SDP)
    rig.describe_answer()
    assert rig.params("answer")["sdp"] == LOCAL_SDP
    rig.advance(9)
    assert rig.info(call).state.value == "answering"


def test_call_344_the_wait_has_an_end() -> None:
    """CALL-344: ten seconds, then INCOMPATIBLE_DESTINATION/88 with BYE."""
    rig = Rig.registered()
    call = rig.ring(sdp=None)
    rig.answer(call)
    rig.advance(9.9)
    assert call in rig.session.calls
    rig.advance(0.1)
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("INCOMPATIBLE_DESTINATION", 88)
    assert rig.states(call)[-1] == "hangup"


@pytest.mark.parametrize("when", ["waiting for the offer", "preparing", "answering", "active"])
def test_call_345_a_second_answer_is_a_warning(when: str) -> None:
    """CALL-345, CALL-131, CALL-958: 33006 and nothing else; one answer frame."""
    rig = Rig.registered()
    call = rig.ring(sdp=None if when == "waiting for the offer" else REMOTE_SDP)
    rig.answer(call)
    if when in ("answering", "active"):
        rig.describe_answer()
    if when == "active":
        rig.reply("answer")
    rig.clear()
    rig.answer(call)
    assert len(rig.actions) == 1
    assert warnings(rig) == [(33006, call)]


@pytest.mark.parametrize("until", ["new", "ringing", "active"])
def test_an_outbound_call_cannot_be_answered(until: str) -> None:
    """CALL-131, CALL-900: code that answers whatever rings stays harmless."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    rig.answer(call)
    assert warnings(rig) == [(33006, call)]
    assert len(rig.actions) == 1


@pytest.mark.parametrize("answered", [False, True])
def test_call_346_media_brings_the_offer(answered: bool) -> None:
    """CALL-346: kept for the answer; the reference crashes."""
    rig = Rig.registered()
    call = rig.ring(sdp=None)
    ident = rig.request("media", callID=call, sdp=REMOTE_SDP)
    assert (ident, "telnyx_rtc.media") in rig.acknowledged
    assert rig.states(call) == ["new", "ringing"]
    rig.answer(call)
    assert any(isinstance(action, ApplyRemote) for action in rig.actions)


def test_call_346_media_after_the_answer_has_begun_is_ignored() -> None:
    rig = Rig.registered()
    call = rig.ring()
    rig.answer(call)
    rig.clear()
    rig.request("media", callID=call, sdp="v=0\r\nother")
    assert not any(isinstance(action, ApplyRemote) for action in rig.actions)


def test_call_347_348_an_answer_that_is_accepted() -> None:
    rig = Rig.registered()
    call = rig.inbound("answering")
    assert rig.states(call) == ["new", "ringing", "answering"]
    assert len(rig.frames("answer")) == 1
    rig.reply("answer", {"callID": call})
    assert rig.states(call)[-1] == "active"
    assert rig.info(call).answered


@pytest.mark.parametrize(("how", "cause"), [("error", 88), ("timeout", 102)])
def test_call_349_an_answer_that_is_not(how: str, cause: int) -> None:
    """CALL-349, CALL-701: 40005, a BYE; the socket is not blamed. PS-027: refused for its codecs, "with **88**, never
    USER_BUSY 17"."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.inbound("answering")
    rig.clear()
    if how == "error":
        rig.reply("answer", error=(-32002, "CODEC ERROR"))
    else:
        rig.advance(10)
    assert [(event.code, event.call) for event in rig.heard_of(ErrorRaised)] == [(40005, call)]
    assert rig.params("bye")["causeCode"] == cause
    assert rig.states(call) == ["hangup"]
    assert 36003 not in rig.codes


def test_call_350_a_call_is_rejected() -> None:
    """CALL-350, CALL-957: BYE 17, ringtone off."""
    rig = Rig.registered()
    call = rig.ring()
    rig.hangup(call)
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("USER_BUSY", 17)
    assert tones(rig) == [("ringtone", "start"), ("ringtone", "stop")]


@pytest.mark.parametrize("step", ["offer", "source", "description"])
def test_call_351_a_call_is_hung_up_while_its_answer_is_prepared(step: str) -> None:
    """CALL-351, MEDIA-320: BYE, and nothing else is ever sent."""
    rig = Rig.registered()
    call = rig.ring()
    rig.answer(call)
    media = rig.peers[call][-1]
    if step != "offer":
        rig.remote_applied()
    if step == "description":
        rig.media_ok()
    rig.hangup(call)
    rig.clear()
    for late in (rig.remote_applied, rig.media_ok):
        late(media)
    rig.describe(at=media)
    assert rig.sent == []
    rig.reply("bye")
    assert rig.states(call) == ["destroy"]


@pytest.mark.parametrize("until", ["ringing", "answering"])
def test_call_352_the_caller_gives_up(until: str) -> None:
    """CALL-352, CALL-956: no BYE, no error; a late reply to the answer is ignored."""
    rig = Rig.registered()
    call = rig.inbound(until)
    rig.clear()
    rig.request("bye", callID=call, cause="ORIGINATOR_CANCEL", causeCode=487)
    assert rig.states(call) == ["hangup", "destroy"]
    assert not rig.frames("bye")
    if until == "answering":
        rig.reply("answer", error=(-32002, "CALL DOES NOT EXIST"))
    assert rig.codes == []
    ended = rig.heard_of(CallUpdated)[-1].call.ended
    assert ended == Cause("ORIGINATOR_CANCEL", 487)
    assert not rig.ledger.tones


@pytest.mark.parametrize(
    ("failure", "code"),
    [("source", 42001), ("offer", 40004), ("create_answer", 40002), ("set_local", 40003), ("other", 49001)],
)
def test_call_353_media_that_cannot_be_had(failure: str, code: int) -> None:
    """CALL-353, MEDIA-051, CALL-610, CALL-613: BYE 17 where we reject it, 88 where it cannot be agreed."""
    rig = Rig.registered()
    call = rig.ring()
    rig.answer(call)
    media = rig.peers[call][-1]
    if failure == "offer":
        rig.remote_refused()
    else:
        rig.remote_applied()
        if failure == "source":
            rig.media_refused("permission")
        else:
            rig.media_ok()
            rig.tell(NegotiationFailed(media, failure, "why"))
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(code, True)]
    assert rig.params("bye")["causeCode"] == (17 if failure == "source" else 88)
    assert rig.states(call)[-1] == "hangup"


def test_call_354_nobody_answers() -> None:
    """CALL-354: the client has no limit of its own; the server says when it is over."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.ring()
    rig.advance(3_600)
    assert rig.info(call).state.value == "ringing"
    assert rig.codes == []


def test_an_answer_needs_a_socket() -> None:
    """CALL-121: refused, and the call rings on."""
    rig = Rig.registered()
    call = rig.ring()
    rig.lose()
    rig.clear()
    with pytest.raises(NotConnected):
        rig.answer(call)
    assert rig.session.next_action() is None
    rig.ready(call)
    rig.attach(call)
    rig.answer(call)
    rig.describe_answer()
    assert rig.frames("answer")


def test_an_ended_call_cannot_be_answered() -> None:
    """CALL-120, CALL-824: the reference builds a peer for it."""
    rig = Rig.registered()
    call = rig.ring()
    rig.hangup(call)
    with pytest.raises(InvalidCallState, match="hangup"):
        rig.answer(call)
    rig.reply("bye")
    with pytest.raises(InvalidCallState, match="has ended"):
        rig.answer(call)


def test_another_leg_of_the_same_call_is_answered_once() -> None:
    """CALL-131, CALL-628: 33007 names the one that was taken."""
    rig = Rig.registered()
    first = rig.inbound("active", "b1", telnyx_leg_id="leg")
    second = rig.ring("b2", telnyx_leg_id="leg")
    rig.clear()
    rig.answer(second)
    assert warnings(rig) == [(33007, second)]
    assert rig.heard_of(WarningRaised)[0].details == {"activeCallId": first}
    assert len(rig.actions) == 1


@pytest.mark.parametrize("leg", [None, "other"])
def test_a_call_of_its_own_is_no_second_leg(leg: str | None) -> None:
    rig = Rig.registered()
    rig.inbound("active", "b1", telnyx_leg_id="leg")
    second = rig.ring("b2", telnyx_leg_id=leg)
    rig.answer(second)
    assert 33007 not in rig.codes


def test_an_answer_that_is_ready_between_login_and_attach_waits() -> None:
    """SIG-082, CALL-538: the offer that it answers may be void; the attach brings another."""
    rig = Rig.registered()
    call = rig.ring()
    rig.answer(call)
    rig.remote_applied()
    rig.media_ok()
    rig.lose()
    rig.wait_for(SessionState.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.describe()
    assert not rig.frames("answer")
    rig.client_ready(call)
    rig.gateway()
    rig.attach(call)
    rig.describe_answer(call)
    assert len(rig.frames("answer")) == 1


def test_a_wait_for_the_offer_ends_with_the_attach_that_brings_it() -> None:
    """CALL-344, CALL-538: the ten seconds are over."""
    rig = Rig.registered()
    rig.always("ping", {})
    rig.always("gatewayState", {})
    call = rig.ring(sdp=None)
    rig.answer(call)
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer()
    rig.reply("answer")
    rig.peer("connected")
    rig.advance(11)
    assert rig.info(call).state.value == "active"
