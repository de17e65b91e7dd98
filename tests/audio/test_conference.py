"""Calls that hear each other on this machine, sample by sample."""

import numpy as np
import pytest

from telnyx_core.events import CallInfo
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._conference import MOST_CALLS, Conference, bridge
from telnyx_drivers.asyncio import CallHandle
from tests.audio.helpers import call_audio, pull, push, ramp

FRAME = 160


def phone(name: str = "a") -> CallHandle:
    info = CallInfo(
        id=CallId(name), state=CallState.ACTIVE, previous=CallState.NEW, direction="outbound", destination_number="",
        caller_name="", caller_number="", remote_caller_name="", remote_caller_number="",
    )  # fmt: skip
    handle = CallHandle(None, info)  # type: ignore[arg-type]
    handle._audio = call_audio()
    return handle


def says(call: CallHandle, samples: Samples) -> None:
    """The far end of a call says it: one frame at 8 kHz."""
    push(call.audio, samples, 8_000)


def hears(call: CallHandle) -> list[int]:
    """What the far end of a call hears next: one frame at 8 kHz."""
    return pull(call.audio, 1).tolist()


def constant(value: int) -> Samples:
    return np.full(FRAME, value, np.int16)


SILENCE = [0] * FRAME


def test_two_bridged_calls_hear_each_other_sample_by_sample() -> None:
    one, other = phone("a"), phone("b")
    with bridge(one, other) as bridged:
        says(one, ramp(FRAME))
        says(other, ramp(FRAME, 1_000))
        assert hears(other) == [*range(1, 161)]
        assert hears(one) == [*range(1_000, 1_160)]
        assert hears(one) == SILENCE
    says(one, ramp(FRAME))
    assert hears(other) == SILENCE
    bridged.close()
    with pytest.raises(ValueError, match="with itself"):
        bridge(one, one)
    with pytest.raises(TypeError, match="call_b must be a call"):
        bridge(one, "b")  # type: ignore[arg-type]


def test_each_call_of_a_conference_hears_the_sum_of_the_others() -> None:
    one, other, third = phone("a"), phone("b"), phone("c")
    conference = Conference(join_tone=False)
    conference.add(one)
    conference.add(other, gain=0.5)
    conference.add(third, gain=2)
    assert len(conference) == 3
    says(one, constant(100))
    says(other, constant(1_000))
    says(third, constant(-200))
    assert hears(one) == [500 - 400] * FRAME
    assert hears(other) == [100 - 400] * FRAME
    assert hears(third) == [100 + 500] * FRAME
    assert hears(third) == SILENCE
    says(other, constant(1_001))
    assert hears(one) == [500] * FRAME, "rounded to even: 500.5"


def test_the_sum_is_saturated_once() -> None:
    """Added two at a time, 30,000 + 30,000 - 30,000 would be 2,767."""
    calls = [phone(str(number)) for number in range(4)]
    conference = Conference(join_tone=False)
    for call in calls:
        conference.add(call)
    for call, value in zip(calls, (30_000, 30_000, -30_000, 0), strict=True):
        says(call, constant(value))
    assert hears(calls[3]) == [30_000] * FRAME


def test_calls_come_and_go() -> None:
    one, other, third = phone("a"), phone("b"), phone("c")
    with Conference(join_tone=False) as conference:
        for call in (one, other, third):
            conference.add(call)
        with pytest.raises(ValueError, match="takes part already"):
            conference.add(one)
        conference.set_gain(one, 0)
        says(one, constant(7))
        says(other, constant(10))
        assert hears(third) == [10] * FRAME
        conference.remove(other)
        conference.remove(other)
        with pytest.raises(LookupError):
            conference.set_gain(other, 1)
        says(other, constant(10))
        assert hears(third) == SILENCE
        assert hears(other) == SILENCE
        third.audio.close()
        assert len(conference) == 1
        conference.add(other)
        says(other, constant(11))
        assert hears(one) == [11] * FRAME
    says(other, constant(12))
    assert hears(one) == SILENCE
    assert one.audio._couplings == other.audio._couplings == ()


def test_all_hear_a_tone_when_a_call_joins() -> None:
    one, other = phone("a"), phone("b")
    conference = Conference()
    conference.add(one)
    assert any(hears(one))
    pull(one.audio, 10)
    assert hears(one) == SILENCE
    conference.add(other)
    assert any(hears(one))
    assert any(hears(other))


def test_a_conference_has_a_bound_and_a_gain_too() -> None:
    conference = Conference(join_tone=False)
    for number in range(MOST_CALLS):
        conference.add(phone(str(number)))
    with pytest.raises(ValueError, match="at most 32 calls"):
        conference.add(phone("one more"))
    for gain in (-1, 9, float("nan")):
        with pytest.raises(ValueError, match="gain must be from 0 to 8"):
            conference.add(phone("x"), gain=gain)
