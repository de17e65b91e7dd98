"""Consent to send (RFC 7675), and when a far end counts as silent."""

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.ice import Timing
from telnyx_core.ice.consent import Consent

TIMING = Timing()


def consent(round_trip: float = 0.05, nominate_until: float | None = 0.0) -> Consent:
    return Consent(TIMING, Random(1), 0.0, round_trip, nominate_until)


def asked(it: Consent, now: float) -> None:
    it.asked(now, nominates=True)


@given(st.lists(st.floats(0.01, 5.0), max_size=40), st.floats(0.0, 1.0))
def test_packets_do_not_renew_it(pauses: list[float], round_trip: float) -> None:
    it, now = consent(round_trip), 0.0
    for pause in pauses:
        now += pause
        it.heard(now)
    assert it.expires_at == TIMING.consent_expires
    it.answered(now, round_trip)
    assert it.expires_at == now + TIMING.consent_expires


def test_until_the_path_is_confirmed_each_request_nominates_in_quick_succession() -> None:
    it = consent(nominate_until=None)
    for turn in range(20):
        asked(it, turn * TIMING.nominate)
        assert it.ask_at == pytest.approx((turn + 1) * TIMING.nominate)


@given(st.integers(0, 2**32))
def test_requests_are_varied_by_a_fifth(seed: int) -> None:
    it = Consent(TIMING, Random(seed), 0.0, 0.01, 0.0)
    asked(it, 1.0)
    it.answered(1.01, 0.01)
    assert 0.8 * TIMING.consent <= it.ask_at - 1.0 <= 1.2 * TIMING.consent


def test_an_unanswered_request_is_soon_repeated() -> None:
    it = consent()
    asked(it, 1.0)
    assert it.ask_at == 1.0 + TIMING.consent_retry


def test_a_far_end_that_answers_is_never_suspect_and_one_that_does_not_is_in_three_seconds() -> None:
    it = consent()
    assert it.suspect_at == inf
    asked(it, 1.0)
    assert it.suspect_at == 1.0 + TIMING.disconnected
    it.heard(2.0)
    assert it.suspect_at == 2.0 + TIMING.disconnected
    it.heard(6.9)
    assert it.suspect_at == 1.0 + 2 * TIMING.disconnected, "packets alone prove no path of ours"
    it.answered(7.0, 0.05)
    assert it.suspect_at == inf


def test_a_slow_path_has_as_much_time_as_its_round_trip_needs() -> None:
    it = consent(round_trip=2.0)
    asked(it, 1.0)
    assert it.suspect_at == 7.0


def test_a_doubt_asks_at_once_and_waits_for_less() -> None:
    it = consent()
    it.doubt(0.5, quiet=1.0)
    assert it.ask_at != 0.5, "something has come a moment ago"
    it.doubt(3.0, quiet=1.0)
    assert it.ask_at == 3.0
    asked(it, 3.0)
    assert it.suspect_at < 3.0 + TIMING.disconnected
