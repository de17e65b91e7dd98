"""The microphone that cannot be opened, and everything that may be done about it, also late and twice (media.md 6)."""

import pytest
from attrs import evolve

from telnyx_core.events import ErrorRaised, MediaRecovery, UserMediaError
from telnyx_core.facts import SourceFault
from telnyx_core.ids import CallId
from telnyx_core.options import MediaPermissionsRecovery
from telnyx_core.testing import ALICE, EPOCH, WONDERLAND, Sim, SimClient
from tests.scenarios.story import ACTIVE, ANSWERING, RINGING, at_the_phone, ended, ring, rung

PATIENT = evolve(ALICE, media_permissions_recovery=MediaPermissionsRecovery(enabled=True, timeout=20.0))


def refused(fault: SourceFault = "permission", times: int = 1, **world: object) -> tuple[Sim, SimClient, CallId]:
    """Alice has answered; her microphone is refused, and she has been asked what to do."""
    sim, alice, call = rung(PATIENT, **world)
    alice.media.source_trouble.extend([fault] * times)
    alice.answer(call)
    sim.run_until(lambda: bool(alice.all_of(ErrorRaised)))
    return sim, alice, call


@pytest.mark.parametrize(("fault", "code"), [("permission", 42001), ("not_found", 42002), ("other", 42003)])
def test_she_is_asked_and_has_a_deadline(fault: SourceFault, code: int) -> None:
    """MEDIA-300, MEDIA-302, MEDIA-304: not fatal, still ringing, nothing sent."""
    sim, alice, call = refused(fault)
    (error,) = alice.all_of(ErrorRaised)
    assert (error.code, error.recoverable, error.fatal) == (code, True, False)
    assert error.retry_deadline == pytest.approx(EPOCH + sim.now + 20)
    assert alice.state_of(call) is RINGING
    assert alice.requests("telnyx_rtc.answer") == []


def test_she_resumes_and_the_call_is_answered() -> None:
    """MEDIA-313, MEDIA-314."""
    sim, alice, call = refused()
    sim.run(10)
    assert alice.resume_media(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    assert alice.all_of(MediaRecovery) == [MediaRecovery(call, recovered=True)]


def test_she_resumes_and_it_fails_again() -> None:
    """MEDIA-315: the code of the second failure; rejected with USER_BUSY."""
    sim, alice, call = refused("permission")
    alice.media.source_trouble.append("not_found")
    assert alice.resume_media(call)
    sim.run(2)
    assert ended(alice, call)
    assert alice.errors() == [42001, 42002]
    (outcome,) = alice.all_of(MediaRecovery)
    assert not outcome.recovered
    assert len(alice.all_of(UserMediaError)) == 1
    assert alice.requests("telnyx_rtc.bye")[0]["causeCode"] == 17


def test_she_rejects() -> None:
    """MEDIA-316."""
    sim, alice, call = refused()
    assert alice.reject_media(call)
    sim.run(2)
    assert ended(alice, call)
    assert alice.errors() == [42001, 42003]
    (outcome,) = alice.all_of(MediaRecovery)
    assert not outcome.recovered


def test_she_does_nothing() -> None:
    """MEDIA-317: the deadline decides."""
    sim, alice, call = refused()
    sim.run(19.9)
    assert call in alice.calls
    sim.run(1)
    assert ended(alice, call)
    assert alice.errors() == [42001, 42003]
    assert len(alice.all_of(MediaRecovery)) == 1


def test_resuming_twice() -> None:
    """MEDIA-321."""
    sim, alice, call = refused()
    assert alice.resume_media(call)
    assert not alice.resume_media(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    assert len(alice.all_of(MediaRecovery)) == 1


def test_rejecting_while_it_is_retried() -> None:
    """MEDIA-323: too late, the retry decides."""
    sim, alice, call = refused()
    alice.resume_media(call)
    assert not alice.reject_media(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE


def test_resuming_after_rejecting() -> None:
    """MEDIA-322."""
    sim, alice, call = refused()
    alice.reject_media(call)
    assert not alice.resume_media(call)
    sim.run(2)
    assert ended(alice, call)
    assert not alice.resume_media(call)
    assert not alice.reject_media(call)


def test_resuming_after_the_deadline() -> None:
    """MEDIA-322."""
    sim, alice, call = refused()
    sim.run(25)
    assert not alice.resume_media(call)
    assert ended(alice, call)


def test_resuming_where_there_is_nothing_to_resume() -> None:
    """MEDIA-322: before, during and after an ordinary call."""
    sim, alice, call = rung(PATIENT)
    assert not alice.resume_media(call)
    assert not alice.reject_media(call)
    alice.answer(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    assert not alice.resume_media(call)
    alice.hangup(call)
    sim.run(1)
    assert not alice.resume_media(call)
    assert not alice.resume_media(CallId("nobody"))


def test_hang_up_while_she_is_asked() -> None:
    """MEDIA-318: no callback, no error beside the question."""
    sim, alice, call = refused()
    alice.hangup(call)
    sim.run(25)
    assert ended(alice, call)
    assert alice.errors() == [42001]
    assert alice.all_of(MediaRecovery) == []
    assert len(alice.requests("telnyx_rtc.bye")) == 1


def test_the_caller_gives_up_while_she_is_asked() -> None:
    """MEDIA-319."""
    sim, alice, call = refused()
    sim.gateway.hangup(call, now=sim.now, cause_name="ORIGINATOR_CANCEL")
    sim.run(25)
    assert ended(alice, call)
    assert alice.errors() == [42001]
    assert alice.all_of(MediaRecovery) == []


def test_hang_up_while_it_is_retried() -> None:
    """MEDIA-320: the source that opens late is closed with its peer; one BYE, no second error."""
    sim, alice, call = refused()
    alice.resume_media(call)
    alice.hangup(call)
    sim.run(5)
    assert ended(alice, call)
    assert alice.errors() == [42001]
    assert alice.all_of(MediaRecovery) == []
    assert len(alice.requests("telnyx_rtc.bye")) == 1


def test_answering_again_while_she_is_asked() -> None:
    """MEDIA-325: 33006."""
    sim, alice, call = refused()
    alice.answer(call)
    assert alice.warnings() == [33006]
    alice.resume_media(call)
    sim.run(1)
    assert alice.state_of(call) is ACTIVE


def test_the_socket_is_lost_while_she_is_asked() -> None:
    """MEDIA-324: the platform ends a call that nobody answered; then there is nothing to resume."""
    sim, alice, call = refused()
    alice.wire.drop()
    sim.run(5)
    assert ended(alice, call)
    assert not alice.resume_media(call)


def test_the_socket_is_lost_while_she_is_asked_and_the_call_survives() -> None:
    """MEDIA-324, CALL-538: offered anew, the answer begins anew, with the microphone that works by now."""
    quirks = evolve(WONDERLAND.quirks, ringing_survives_loss=True)
    sim, alice, call = refused(gateway=evolve(WONDERLAND, quirks=quirks))
    alice.wire.drop()
    sim.run(5)
    assert alice.states(call)[-2:] == [ANSWERING, ACTIVE]
    assert sim.media_flows(call)


def test_only_the_first_failure_of_an_answer_is_recoverable() -> None:
    """MEDIA-312: two calls, each with its own first failure."""
    sim, alice = at_the_phone(PATIENT)
    for _ in range(2):
        call = ring(sim, alice)
        alice.media.source_trouble.append("permission")
        alice.answer(call)
        sim.run(1)
        assert alice.resume_media(call)
        sim.run(1)
        alice.hangup(call)
        sim.run(1)
    assert [outcome.recovered for outcome in alice.all_of(MediaRecovery)] == [True, True]


def test_an_outbound_call_is_never_recoverable() -> None:
    """MEDIA-311: nothing was sent, so there is nothing to take back."""
    sim, alice = at_the_phone(PATIENT)
    alice.media.source_trouble.append("permission")
    call = alice.new_call("echo")
    sim.run(2)
    assert ended(alice, call)
    (error,) = alice.all_of(ErrorRaised)
    assert (error.code, error.recoverable) == (42001, False)
    assert alice.requests("telnyx_rtc.bye") == []


def test_recovery_that_is_switched_off() -> None:
    """MEDIA-311: at once the end, with a BYE."""
    sim, alice, call = rung()
    alice.media.source_trouble.append("permission")
    alice.answer(call)
    sim.run(2)
    assert ended(alice, call)
    assert alice.errors() == [42001]
    assert alice.requests("telnyx_rtc.bye")[0]["causeCode"] == 17


def test_disconnect_while_she_is_asked() -> None:
    """MEDIA-320."""
    sim, alice, call = refused()
    alice.disconnect()
    sim.run(30)
    assert ended(alice, call)
    assert alice.all_of(MediaRecovery) == []
    alice.ledger.at_rest()
