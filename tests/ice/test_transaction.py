"""A request to a server: repeated until it is answered, or its time is over (RFC 8489 section 6.2.1)."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.ice.transaction import FIRST_RTO, LONGEST_RTO, Transaction, fresh_id


@given(st.floats(0, 1e6), st.floats(0.1, 60))
def test_the_repeats_grow_apart_and_end_with_the_deadline(begun: float, seconds: float) -> None:
    it = Transaction(b"id", b"request", begun + seconds, begun)
    now, gaps = begun, []
    while now < it.deadline:
        assert it.sent(now) == b"request"
        gaps.append(it.due - now)
        now = it.due
    assert now == it.deadline
    whole = gaps[:-1]
    assert all(FIRST_RTO - 1e-6 <= gap <= LONGEST_RTO + 1e-6 for gap in whole)
    assert all(later >= gap - 1e-6 for gap, later in pairwise(whole))


def test_over_a_stream_it_is_sent_once() -> None:
    it = Transaction(b"id", b"request", 8.0, 0.0, reliable=True)
    it.sent(0.0)
    assert it.due == 8.0


def test_an_id_has_96_bits_and_no_two_are_alike() -> None:
    rng = Random(1)
    ids = {fresh_id(rng) for _ in range(1_000)}
    assert len(ids) == 1_000
    assert {len(each) for each in ids} == {12}
