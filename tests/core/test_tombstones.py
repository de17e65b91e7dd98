"""Ended calls that the server may still speak of (SIG-314, SIG-471)."""

from telnyx_core._call.tombstones import Tombstones
from telnyx_core._time.limits import MAX_TOMBSTONES
from telnyx_core.events import Cause
from telnyx_core.ids import CallId

CAUSE = Cause("NORMAL_CLEARING", 16)


def test_there_are_never_too_many() -> None:
    """A server that starts and ends calls at the speed of the network: the oldest are forgotten."""
    stones = Tombstones.none()
    for number in range(MAX_TOMBSTONES + 10):
        stones.bury(CallId(str(number)), CAUSE, {}, 0.0, owes_bye=True)
    assert len(stones) == MAX_TOMBSTONES
    assert stones.find(CallId("9"), 1.0) is None
    assert stones.find(CallId(str(MAX_TOMBSTONES + 9)), 1.0) is not None


def test_an_old_one_makes_room_when_another_is_buried() -> None:
    stones = Tombstones.none()
    stones.bury(CallId("old"), CAUSE, {}, 0.0, owes_bye=True)
    stones.bury(CallId("young"), CAUSE, {}, 150.0, owes_bye=True)
    assert len(stones) == 1


def test_a_call_that_ends_twice_is_as_young_as_its_last_end() -> None:
    stones = Tombstones.none()
    for now in (0.0, 80.0):
        stones.bury(CallId("it"), CAUSE, {}, now, owes_bye=True)
    assert len(stones) == 1
    assert stones.find(CallId("it"), 229.0) is not None
    assert stones.find(CallId("it"), 230.0) is None
