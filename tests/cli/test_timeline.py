import pytest

from telnyx_core.events import CallInfo, CallUpdated, MediaStarted
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_drivers._tools.cli.timeline import Timeline, milliseconds

CALL = CallId("one")


def moved(state: CallState, call: CallId = CALL) -> CallUpdated:
    return CallUpdated(
        CallInfo(
            id=call,
            state=state,
            previous=CallState.NEW,
            direction="outbound",
            destination_number="echo",
            caller_name="",
            caller_number="",
            remote_caller_name="",
            remote_caller_number="",
        )
    )


def test_moments_are_counted_from_the_invite() -> None:
    timeline = Timeline(CALL)
    told = [
        timeline.note(moved(CallState.NEW), 9.0),
        timeline.note(moved(CallState.REQUESTING), 10.0),
        timeline.note(MediaStarted(CALL), 10.2),
        timeline.note(moved(CallState.ACTIVE), 10.5),
        timeline.note(moved(CallState.HANGUP), 14.5),
    ]
    assert told == [CallState.NEW, CallState.REQUESTING, None, CallState.ACTIVE, CallState.HANGUP]
    assert (timeline.setup, timeline.first_audio, timeline.talked) == pytest.approx((0.5, 0.2, 4.0))


def test_an_answered_call_is_counted_from_the_decision() -> None:
    timeline = Timeline(CALL)
    timeline.note(moved(CallState.RINGING), 1.0)
    timeline.note(moved(CallState.ANSWERING), 7.0)
    timeline.note(moved(CallState.ACTIVE), 7.25)
    assert timeline.setup == pytest.approx(0.25)


def test_only_the_first_time_counts_and_only_this_call() -> None:
    timeline = Timeline(CALL)
    timeline.note(moved(CallState.REQUESTING), 1.0)
    timeline.note(moved(CallState.ACTIVE), 2.0)
    assert timeline.note(moved(CallState.HELD), 3.0) is CallState.HELD
    assert timeline.note(moved(CallState.ACTIVE), 4.0) is None
    assert timeline.note(moved(CallState.HANGUP, CallId("two")), 5.0) is None
    timeline.note(MediaStarted(CallId("two")), 5.0)
    assert timeline.setup == 1.0
    assert timeline.first_audio is None
    assert timeline.talked is None


def test_what_is_not_known_stays_unknown() -> None:
    assert milliseconds(Timeline(CALL).setup) is None
    assert milliseconds(0.12345) == 123.5
