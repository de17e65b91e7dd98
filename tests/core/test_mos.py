"""Scores: within their bounds, worse with everything that makes a line worse, and a word for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.stats.mos import loss_percent, mos, quality, warning_mos

ms = st.floats(0, 2_000)
percent = st.floats(0, 100)


@given(ms, ms, percent)
def test_a_score_is_within_its_bounds(jitter: float, rtt: float, loss: float) -> None:
    assert 1.0 <= mos(jitter, rtt, loss) <= 5.0
    assert 1.0 <= warning_mos(jitter, rtt, loss) <= 4.5
    assert quality(mos(jitter, rtt, loss)) is not None


@given(st.floats(0, 300), st.floats(0, 800), st.floats(0, 10), st.floats(0.1, 5))
def test_more_delay_or_loss_never_makes_it_better(jitter: float, rtt: float, loss: float, more: float) -> None:
    for formula in (mos, warning_mos):
        score = formula(jitter, rtt, loss)
        assert formula(jitter + more, rtt, loss) <= score
        assert formula(jitter, rtt + more, loss) <= score
        assert formula(jitter, rtt, loss + more) <= score


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (4.21, "excellent"),
        (4.2, "good"),
        (4.1, "good"),
        (4.09, "fair"),
        (3.7, "fair"),
        (3.1, "poor"),
        (3.09, "bad"),
        (1.0, "bad"),
        (None, None),
    ],
)
def test_the_word_for_a_score(score: float | None, word: str | None) -> None:
    assert quality(score) == word


@pytest.mark.parametrize(
    ("lost", "received", "share"),
    [(1, 99, 1.0), (0, 0, 0.0), (-3, 10, 0.0), (5, 0, 100.0), (None, 10, None), (10, None, None)],
)
def test_loss_is_of_all_that_was_sent(lost: int | None, received: int | None, share: float | None) -> None:
    assert loss_percent(lost, received) == share
