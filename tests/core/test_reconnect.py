"""Delays between attempts: bounds that no dice can leave."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._time import timeouts
from telnyx_core._time.reconnect import backoff, hurried, registration_pause

rngs = st.integers(0, 2**32).map(Random)


@given(st.integers(1, 10_000), rngs)
def test_a_pause_doubles_to_half_a_minute_give_or_take_a_quarter(attempt: int, rng: Random) -> None:
    middle = min(2.0 ** min(attempt - 1, 5), 30.0)
    assert 0.75 * middle <= backoff(attempt, rng) <= 1.25 * middle


@given(st.integers(1, 10_000), st.floats(0.0, timeouts.ORPHAN), rngs)
def test_while_a_call_can_be_saved_another_attempt_falls_into_what_is_left(
    attempt: int, left: float, rng: Random
) -> None:
    pause = hurried(attempt, left, rng)
    assert 0 < pause <= timeouts.HURRIED
    assert pause <= max(left / 4, timeouts.HURRIED_LEAST), "three more are possible"


@given(rngs)
def test_a_registration_is_asked_for_after_whole_seconds(rng: Random) -> None:
    assert registration_pause(rng) in {2.0, 3.0, 4.0, 5.0, 6.0}


def test_every_one_of_these_pauses_comes() -> None:
    rng = Random(1)
    assert {registration_pause(rng) for _ in range(200)} == {2.0, 3.0, 4.0, 5.0, 6.0}
