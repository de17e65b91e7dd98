"""Gateway states as a decision, and the arithmetic of trying again: signaling.md 4.3, 4.4, 4.6."""

from random import Random

import pytest

from telnyx_core._signalling.registration import KNOWN, Decision, Registration
from telnyx_core._time.reconnect import backoff, registration_pause
from telnyx_core.testing.rig import FixedDice

D = Decision


def decisions(states: str, *, polling: bool = False) -> list[Decision]:
    registration = Registration()
    return [registration.handle_state(state, polling=polling) for state in states.split()]


def test_eleven_states_are_known() -> None:
    """SIG-210: the ten of the reference and DOWN; `ATTACHED` of the mobile clients is none."""
    assert len(KNOWN) == 11
    assert "ATTACHED" not in KNOWN


@pytest.mark.parametrize("state", ["REGED", "REGISTER"])
def test_success_is_news_once(state: str) -> None:
    """SIG-211."""
    assert decisions(f"{state} REGED REGISTER REGED") == [D.READY, D.STILL_READY, D.STILL_READY, D.STILL_READY]


@pytest.mark.parametrize("state", ["TRYING", "EXPIRED", "UNREGISTER"])
def test_a_refresh_on_its_way_is_no_news(state: str) -> None:
    """SIG-210, SIG-531: REGED, TRYING, REGED is one ready."""
    assert decisions(f"REGED {state} REGED") == [D.READY, D.NOTHING, D.STILL_READY]
    assert decisions(state) == [D.WATCH]


def test_five_times_unregistered_is_a_refusal() -> None:
    """SIG-212, SIG-213: four polls, the fifth ends it, and counting begins anew."""
    assert decisions("NOREG UNREGED NOREG NOREG UNREGED NOREG") == [D.POLL] * 4 + [D.REFUSED, D.POLL]


def test_success_begins_the_count_anew() -> None:
    assert decisions("NOREG NOREG NOREG NOREG REGISTER NOREG") == [D.POLL] * 4 + [D.READY, D.POLL]


def test_while_a_poll_is_due_another_frame_does_not_count() -> None:
    """SIG-212: the reference counts every frame."""
    assert decisions("NOREG UNREGED NOREG", polling=True) == [D.NOTHING] * 3


@pytest.mark.parametrize("state", ["FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN"])
def test_an_episode_of_failure_counts_once(state: str) -> None:
    """SIG-220: until success or loss everything else of it is ignored (T21, T23)."""
    assert decisions(f"{state} FAILED UNREGED NOREG TRYING TIMEOUT REGED") == [
        D.GATEWAY_FAILED,
        *[D.NOTHING] * 5,
        D.READY,
    ]


def test_the_fifth_failure_is_the_last() -> None:
    """T19: since the last success. REGISTER does not reset the counter (SIG-210), REGED does (SIG-540)."""
    registration = Registration()
    found: list[Decision] = []
    for state in ["FAIL_WAIT"] * 5:
        found.append(registration.handle_state(state, polling=False))
        registration.lost()
    assert found == [D.GATEWAY_FAILED] * 4 + [D.GATEWAY_GONE]
    assert decisions("DOWN REGISTER DOWN REGISTER DOWN REGISTER DOWN REGISTER DOWN")[-1] is D.GATEWAY_GONE
    assert decisions("DOWN REGED DOWN REGED DOWN REGED DOWN REGED DOWN REGED DOWN")[-1] is D.GATEWAY_FAILED


def test_a_loss_forgets_the_polls_and_keeps_the_failures() -> None:
    """SIG-240 (6), SIG-220."""
    registration = Registration(registered=True, polls=3, retries=2, failing=True)
    registration.lost()
    assert registration == Registration(registered=False, polls=0, retries=2, failing=False)
    registration.restart()
    assert registration == Registration()


DELAYS = [
    # SIG-242: the table, r = 0, 0.25, 0.5, 0.75 and just below 1.
    (1, 0.75, 0.875, 1.0, 1.125, 1.249),
    (2, 1.5, 1.75, 2.0, 2.25, 2.499),
    (3, 3.0, 3.5, 4.0, 4.5, 4.999),
    (4, 6.0, 7.0, 8.0, 9.0, 9.999),
    (5, 12.0, 14.0, 16.0, 18.0, 19.999),
    (6, 22.5, 26.25, 30.0, 33.75, 37.499),
    (7, 22.5, 26.25, 30.0, 33.75, 37.499),
    (10_000, 22.5, 26.25, 30.0, 33.75, 37.499),
]


@pytest.mark.parametrize("row", DELAYS, ids=lambda row: f"n={row[0]}")
def test_the_delays_of_the_table(row: tuple[float, ...]) -> None:
    attempt, *delays = row
    found = [backoff(int(attempt), FixedDice(r)) for r in (0.0, 0.25, 0.5, 0.75, 1 - 1e-9)]
    assert found == pytest.approx(delays, abs=0.0015)


def test_a_delay_draws_once() -> None:
    rng, same = Random(3), Random(3)
    backoff(1, rng)
    same.random()
    assert rng.getstate() == same.getstate()


@pytest.mark.parametrize(
    ("r", "seconds"), [(0.0, 2.0), (0.19, 2.0), (0.2, 3.0), (0.5, 4.0), (0.79, 5.0), (0.8, 6.0), (1 - 1e-9, 6.0)]
)
def test_registration_pauses_are_whole_seconds(r: float, seconds: float) -> None:
    """SIG-453, SIG-454: 2, 3, 4, 5 or 6."""
    assert registration_pause(FixedDice(r)) == seconds
