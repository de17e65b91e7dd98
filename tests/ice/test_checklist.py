"""The order and the pace of checks (RFC 8445 section 6.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.ice import Address, Candidate, CandidateType, Timing
from telnyx_core.ice.candidate import local_candidate
from telnyx_core.ice.checklist import MAX_PAIRS, Base, Checklist, Pair, PairState

TIMING = Timing()
LOCAL = Address("10.0.0.1", 1)
BASE = Base(local_candidate(CandidateType.HOST, LOCAL, LOCAL, 65_535), 65_535)


def pair(port: int, priority: int, *, foundation: str = "1") -> Pair:
    made = Pair(BASE, Candidate(foundation, 1, "udp", priority, Address("192.0.2.1", port), CandidateType.HOST))
    made.rank(controlling=True)
    return made


def anyone(_: Pair) -> bool:
    return True


def filled(priorities: list[int]) -> Checklist:
    checklist = Checklist(TIMING)
    for port, priority in enumerate(priorities, 1):
        checklist.add(pair(port, priority))
    return checklist


@given(st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=20, unique=True))
def test_the_best_goes_first_and_each_waits_for_the_pace(priorities: list[int]) -> None:
    checklist, now, order = filled(priorities), 0.0, []
    for _ in priorities:
        taken = checklist.take(anyone, now)
        assert taken is not None
        order.append(taken.remote.priority)
        checklist.checked(taken, now)
        assert checklist.take(anyone, now + TIMING.pacing / 2) is None
        due = checklist.next_due(anyone)
        assert due is not None
        now = max(due, now)
    fresh = list(dict.fromkeys(order))
    assert fresh == sorted(fresh, reverse=True)


@given(st.integers(2, 10))
def test_an_unanswered_check_is_repeated_ever_more_rarely_and_never_given_up(times: int) -> None:
    checklist, now, gaps = filled([5]), 0.0, []
    for _ in range(times):
        taken = checklist.take(anyone, now)
        assert taken is not None
        checklist.checked(taken, now)
        due = checklist.next_due(anyone)
        assert due is not None
        gaps.append(due - now)
        now = due
    assert all(TIMING.repeat - 1e-9 <= gap <= TIMING.repeat_longest + 1e-9 for gap in gaps)
    assert gaps == pytest.approx(sorted(gaps))


def test_another_foundation_goes_before_one_that_is_being_tried() -> None:
    checklist = Checklist(TIMING)
    first, same, other = pair(1, 30), pair(2, 20), pair(3, 10, foundation="2")
    for each in (first, same, other):
        checklist.add(each)
    checklist.checked(first, 0.0)
    assert checklist.take(anyone, TIMING.pacing) is other


def test_a_full_list_takes_a_better_pair_for_the_worst_idle_one() -> None:
    checklist = filled(list(range(10, 10 + MAX_PAIRS)))
    assert not checklist.add(pair(5_000, 1))
    better = pair(5_001, 10_000)
    assert checklist.add(better)
    assert len(checklist.pairs) == MAX_PAIRS
    assert min(each.remote.priority for each in checklist) == 11


def test_a_pair_that_the_far_end_has_shown_itself_on_is_never_displaced() -> None:
    checklist = filled([1] * MAX_PAIRS)
    for each in checklist:
        each.heard = True
    assert not checklist.add(pair(5_000, 10_000))


def test_the_best_is_the_best_that_has_answered() -> None:
    checklist = filled([1, 3, 2])
    assert checklist.best() is None
    for each in checklist:
        each.state = PairState.SUCCEEDED if each.remote.priority < 3 else PairState.IN_PROGRESS
    best = checklist.best()
    assert best is not None
    assert best.remote.priority == 2


@given(st.integers(1, 2**31 - 1), st.booleans())
def test_both_ends_give_a_pair_the_same_priority(theirs: int, controlling: bool) -> None:
    ours = pair(1, theirs)
    ours.rank(controlling=controlling)
    remote = ours.remote
    mirrored = Pair(Base(remote, 0), BASE.candidate)
    mirrored.rank(controlling=not controlling)
    assert ours.priority == mirrored.priority
