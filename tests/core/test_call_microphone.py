"""Microphone recovery: media.md section 6, row by row."""

import pytest

from telnyx_core import Timer
from telnyx_core.actions import ClosePeer, OpenSource
from telnyx_core.errors import NotConnected
from telnyx_core.events import ErrorRaised, MediaRecovery, UserMediaError, WarningRaised
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import EPOCH, Rig
from tests.inside import hub_of


def asked(*, timeout: float = 20.0) -> tuple[Rig, CallId]:
    """A call whose answer waits for the application to mend the microphone."""
    rig = Rig.registered(media_permissions_recovery={"enabled": True, "timeout": timeout})
    rig.always("ping", {})
    call = rig.ring()
    rig.answer(call)
    rig.remote_applied()
    rig.clear()
    rig.media_refused("permission", "denied")
    return rig, call


def errors(rig: Rig) -> list[tuple[int, bool, bool]]:
    return [(event.code, event.recoverable, event.fatal) for event in rig.heard_of(ErrorRaised)]


def outcomes(rig: Rig) -> list[bool]:
    return [event.recovered for event in rig.heard_of(MediaRecovery)]


def opened(rig: Rig) -> int:
    return sum(isinstance(action, OpenSource) for action in rig.actions)


def test_media_310_a_microphone_that_works_is_no_event() -> None:
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": True, "timeout": 20_000})
    rig.inbound("active")
    assert outcomes(rig) == []
    assert rig.codes == []


@pytest.mark.parametrize("direction", ["inbound, off", "outbound, on"])
def test_media_311_without_recovery_the_call_ends(direction: str) -> None:
    """MEDIA-311: inbound with BYE 17, outbound without a word."""
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": direction.endswith("on"), "timeout": 20_000})
    if direction.startswith("inbound"):
        call = rig.ring()
        rig.answer(call)
        rig.remote_applied()
    else:
        call = rig.dial()
    rig.media_refused()
    assert errors(rig) == [(42001, False, True)]
    assert rig.states(call)[-1] == ("hangup" if direction.startswith("inbound") else "destroy")
    assert len(rig.frames("bye")) == (1 if direction.startswith("inbound") else 0)
    assert outcomes(rig) == []


@pytest.mark.parametrize(("fault", "code"), [("permission", 42001), ("not_found", 42002), ("other", 42003)])
def test_media_312_the_application_is_asked(fault: str, code: int) -> None:
    """MEDIA-300, MEDIA-302, MEDIA-304, MEDIA-312, SIG-353, CALL-611: not fatal, with a deadline; nothing is sent."""
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": True, "timeout": 12_000})
    call = rig.ring()
    rig.answer(call)
    rig.remote_applied()
    rig.advance(1)
    rig.clear()
    rig.media_refused(fault)
    (event,) = rig.heard_of(ErrorRaised)
    assert (event.code, event.recoverable, event.fatal, event.call) == (code, True, False, call)
    assert event.retry_deadline == EPOCH + 1 + 12
    assert rig.sent == []
    assert rig.info(call).state.value == "ringing"
    assert not rig.heard_of(UserMediaError)
    assert not rig.ledger.tones


def test_media_313_314_resume_and_it_works() -> None:
    """MEDIA-313, MEDIA-314, MEDIA-716: told once, the answer goes out, no second error."""
    rig, call = asked()
    assert rig.resume_media(call)
    assert opened(rig) == 1
    rig.media_ok()
    rig.describe()
    assert rig.heard_of(MediaRecovery) == [MediaRecovery(call, True)]
    assert rig.frames("answer")
    assert errors(rig) == [(42001, True, False)]
    rig.advance(9)
    assert errors(rig) == [(42001, True, False)]


def test_media_315_resume_and_it_fails_again() -> None:
    """MEDIA-315, MEDIA-307, MEDIA-717: the code is that of the second failure; BYE 17."""
    rig, call = asked()
    rig.resume_media(call)
    rig.media_refused("not_found", "gone")
    assert outcomes(rig) == [False]
    assert errors(rig) == [(42001, True, False), (42002, False, True)]
    assert [event.error.code for event in rig.heard_of(UserMediaError)] == [42002]
    assert rig.params("bye")["causeCode"] == 17


def test_media_316_reject() -> None:
    """MEDIA-316, MEDIA-719: 42003."""
    rig, call = asked()
    assert rig.reject_media(call)
    assert outcomes(rig) == [False]
    assert errors(rig) == [(42001, True, False), (42003, False, True)]
    assert rig.params("bye")["causeCode"] == 17
    assert [event.error.code for event in rig.heard_of(UserMediaError)] == [42003]


@pytest.mark.parametrize("timeout", [20.0, 25.0, 0.5])
def test_media_317_nobody_says_anything(timeout: float) -> None:
    """MEDIA-317, MEDIA-602, MEDIA-718."""
    rig, call = asked(timeout=timeout)
    rig.advance(timeout - 0.1)
    assert errors(rig) == [(42001, True, False)]
    rig.advance(0.2)
    assert errors(rig) == [(42001, True, False), (42003, False, True)]
    assert outcomes(rig) == [False]
    assert rig.times("bye") == [timeout]
    assert not rig.resume_media(call)


@pytest.mark.parametrize("how", ["hangup", "bye", "disconnect"])
@pytest.mark.parametrize("retrying", [False, True])
def test_media_318_to_320_the_call_ends_meanwhile(how: str, retrying: bool) -> None:
    """MEDIA-318 to MEDIA-320, MEDIA-720, MEDIA-721: nothing is told, nothing opened; one BYE at most."""
    rig, call = asked()
    if retrying:
        rig.resume_media(call)
    media = rig.peers[call][-1]
    rig.clear()
    match how:
        case "hangup":
            rig.hangup(call)
        case "bye":
            rig.request("bye", callID=call)
        case _:
            rig.disconnect()
    assert not rig.resume_media(call)
    assert not rig.reject_media(call)
    rig.media_ok(media)
    assert ClosePeer(media) in rig.actions
    assert (outcomes(rig), errors(rig), opened(rig)) == ([], [], 0)
    assert len(rig.frames("bye")) == (0 if how == "bye" else 1)
    rig.advance(4)
    assert errors(rig) == []


@pytest.mark.parametrize("command", ["resume", "reject"])
def test_media_321_323_while_it_is_tried_again_both_do_nothing(command: str) -> None:
    rig, call = asked()
    rig.resume_media(call)
    rig.clear()
    assert not (rig.resume_media(call) if command == "resume" else rig.reject_media(call))
    assert rig.actions == []


@pytest.mark.parametrize("end", ["ok", "failed", "rejected"])
def test_media_322_afterwards_both_do_nothing(end: str) -> None:
    """MEDIA-322: late is harmless."""
    rig, call = asked()
    if end == "rejected":
        rig.reject_media(call)
    else:
        rig.resume_media(call)
        rig.media_ok() if end == "ok" else rig.media_refused()
    rig.clear()
    assert not rig.resume_media(call)
    assert not rig.reject_media(call)
    assert rig.actions == []


@pytest.mark.parametrize("until", ["ringing", "answering", "active"])
def test_media_322_where_there_is_nothing_to_recover(until: str) -> None:
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": True, "timeout": 20_000})
    call = rig.inbound(until)
    assert not rig.resume_media(call)
    assert not rig.reject_media(call)


def test_media_324_the_clock_goes_on_without_a_socket() -> None:
    """MEDIA-324: the source may be opened meanwhile; the answer is sent only if the call survives."""
    rig, call = asked()
    rig.lose()
    rig.clear()
    assert rig.resume_media(call)
    rig.media_ok()
    rig.describe()
    assert outcomes(rig) == [True]
    assert rig.sent == []
    with pytest.raises(NotConnected):
        rig.answer(call)
    rig.ready(call)
    rig.attach(call)
    rig.describe_answer()
    assert len(rig.frames("answer")) == 1


def test_media_324_and_runs_out_without_a_socket() -> None:
    rig, call = asked()
    rig.lose()
    rig.advance(20)
    assert outcomes(rig) == [False]
    assert call not in rig.session.calls


def test_media_325_answering_again_is_a_warning() -> None:
    rig, call = asked()
    rig.clear()
    rig.answer(call)
    assert [event.code for event in rig.heard_of(WarningRaised)] == [33006]
    assert len(rig.actions) == 1


def test_an_attach_begins_anew() -> None:
    """MEDIA-320: the old question is void without a word, and the new answer may ask again."""
    rig, call = asked()
    rig.come_back(call)
    rig.clear()
    rig.attach(call)
    assert not rig.resume_media(call)
    rig.remote_applied()
    rig.media_refused()
    assert errors(rig) == [(42001, True, False)]
    rig.advance(19)
    assert rig.resume_media(call)
    rig.media_ok()
    assert outcomes(rig) == [True]


def test_an_attach_of_an_answered_call_may_ask_too() -> None:
    """Section 6: inbound, and attach answers; a further attach replaces the question."""
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": True, "timeout": 20_000})
    rig.always("ping", {})
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.remote_applied()
    rig.clear()
    rig.media_refused()
    assert errors(rig) == [(42001, True, False)]
    rig.come_back(call)
    rig.attach(call)
    assert not rig.resume_media(call)
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.info(call).state.value == "active"
    rig.advance(21)
    assert errors(rig) == [(42001, True, False)]
    assert outcomes(rig) == []


def test_the_deadline_of_the_question_ends_with_the_answer_that_an_attach_replaces() -> None:
    """CALL-538: the application may be asked anew, about the new answer, and has its full time then."""
    rig, call = asked()
    rig.advance(2)
    rig.come_back(call)
    rig.attach(call)
    assert not hub_of(rig.session).timers.is_set(Timer.MEDIA_RECOVERY, call)
    rig.advance(19)
    rig.remote_applied()
    rig.clear()
    rig.media_refused("permission", "denied")
    assert [event.retry_deadline for event in rig.heard_of(ErrorRaised)] == [EPOCH + 2 + 19 + 20]
