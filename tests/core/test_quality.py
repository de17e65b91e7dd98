"""The arithmetic of quality, and when a warning is one (quality.md sections 2, 3, 5, 11)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._quality.alarms import Alarms
from telnyx_core.catalogue import WarningCode
from telnyx_core.stats.interval import Interval, bitrate, growth
from telnyx_core.stats.mos import loss_percent, mos, quality, warning_mos
from telnyx_core.stats.snapshot import CandidateStats, PairStats, StatsSnapshot

figures = st.floats(0, 5_000)
percents = st.floats(0, 100)


@pytest.mark.parametrize(
    ("jitter", "rtt", "received", "lost", "expected"),
    [
        (0, 0, 1000, 0, 4.4093),
        (5, 40, 1000, 0, 4.3974),
        (20, 100, 1000, 0, 4.3744),
        (30, 200, 990, 10, 3.8734),
        (50, 300, 970, 30, 3.0052),
        (10, 400, 1000, 0, 4.1842),
        (0, 354.6, 1000, 0, 4.3123),
        (0, 0, 999, 1, 4.3694),
        (3, 45, 2000, 5, 4.2907),
        (0, 0, 0, 0, 4.4093),
    ],
)
def test_mos_vectors(jitter: float, rtt: float, received: int, lost: int, expected: float) -> None:
    """STATS-040."""
    assert mos(jitter, rtt, loss_percent(lost, received) or 0) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("rtt", "jitter", "loss", "expected"),
    [
        (0, 0, 0, 4.4093),
        (50, 5, 0, 4.388),
        (200, 30, 1, 4.2107),
        (400, 30, 1, 4.1458),
        (400, 60, 4, 3.7165),
        (300, 50, 5, 3.6984),
        (100, 20, 8, 3.597),
        (500, 100, 10, 2.6908),
        (0, 0, 10, 3.5115),
    ],
)
def test_warning_mos_vectors(rtt: float, jitter: float, loss: float, expected: float) -> None:
    """STATS-041."""
    assert warning_mos(jitter, rtt, loss) == pytest.approx(expected, abs=5e-5)


@given(figures, figures, percents, figures)
def test_mos_is_clamped_and_never_better_for_worse_figures(
    jitter: float, rtt: float, loss: float, worse: float
) -> None:
    for score in (mos, warning_mos):
        best = score(jitter, rtt, loss)
        assert 1 <= best <= 5
        assert score(jitter + worse, rtt, loss) <= best + 1e-9
        assert score(jitter, rtt + worse, loss) <= best + 1e-9
        assert score(jitter, rtt, min(100, loss + worse)) <= best + 1e-9


@given(st.floats(1, 5))
def test_every_score_has_a_word(score: float) -> None:
    """STATS-042: no gaps, and a better score never has a worse word."""
    order = ["bad", "poor", "fair", "good", "excellent"]
    words = [quality(score), quality(min(5.0, score + 0.1))]
    first, second = (order.index(word or "") for word in words)
    assert first <= second


@pytest.mark.parametrize(
    ("score", "word"),
    [(4.21, "excellent"), (4.2, "good"), (4.1, "good"), (4.05, "fair"), (3.65, "poor"), (3.0, "bad"), (None, None)],
)
def test_words(score: float | None, word: str | None) -> None:
    assert quality(score) == word


counters = st.none() | st.integers(0, 10**12)


@given(counters, counters, st.floats(-5, 60))
def test_rates_are_never_negative(before: int | None, after: int | None, seconds: float) -> None:
    """Also where a counter was reset in between (STATS-030, STATS-034)."""
    assert (growth(before, after) or 0) >= 0
    assert (bitrate(before, after, seconds) or 0.0) >= 0


@given(*[st.none() | st.integers(-100, 10**9)] * 2, *[counters] * 2)
def test_loss_is_a_percentage_or_unknown(
    lost_before: int | None, lost_after: int | None, received_before: int | None, received_after: int | None
) -> None:
    before = StatsSnapshot(packets_lost=lost_before, packets_received=received_before)
    after = StatsSnapshot(packets_lost=lost_after, packets_received=received_after)
    loss = Interval(before, after, 1.0).loss_percent
    assert loss is None or 0 <= loss <= 100
    total = loss_percent(lost_after, received_after)
    assert total is None or 0 <= total <= 100


def sent(second: int, **changes: object) -> StatsSnapshot:
    """A reading of a healthy call after so many seconds."""
    figures: dict[str, object] = {
        "packets_sent": 50 * second,
        "bytes_sent": 8000 * second,
        "packets_received": 50 * second,
        "bytes_received": 8000 * second,
        "packets_lost": 0,
        "jitter": 0.002,
        "round_trip_time": 0.04,
        "local_level": 0.1,
        "remote_level": 0.1,
    }
    return StatsSnapshot(**{**figures, **changes})  # type: ignore[arg-type]


def run(readings: list[StatsSnapshot], *, held: bool = False, muted: bool = False) -> list[tuple[int, WarningCode]]:
    """What is raised by one reading a second, with the second it is raised at."""
    alarms = Alarms()
    raised: list[tuple[int, WarningCode]] = []
    last: StatsSnapshot | None = None
    for second, reading in enumerate(readings, 1):
        interval = None if last is None else Interval(last, reading, 1.0)
        raised += [(second, code) for code in alarms.judge(reading, interval, second, held=held, muted=muted)]
        last = reading
    return raised


def test_a_good_call_raises_nothing() -> None:
    assert run([sent(second) for second in range(1, 120)]) == []


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (WarningCode.HIGH_RTT, {"round_trip_time": 0.401}),
        (WarningCode.HIGH_JITTER, {"jitter": 0.0301}),
        (WarningCode.LOW_INBOUND_AUDIO, {"remote_level": 0.001}),
    ],
)
def test_an_absolute_figure_is_raised_at_three_and_every_fifteen(code: WarningCode, changes: dict[str, float]) -> None:
    """STATS-310, STATS-315."""
    assert run([sent(second, **changes) for second in range(1, 36)]) == [(3, code), (18, code), (33, code)]


IMPAIRMENTS: dict[WarningCode, tuple[dict[str, int], dict[str, float]]] = {
    WarningCode.HIGH_RTT: ({}, {"round_trip_time": 0.401}),
    WarningCode.HIGH_JITTER: ({}, {"jitter": 0.0301}),
    WarningCode.HIGH_PACKET_LOSS: ({"packets_received": 49, "packets_lost": 1}, {}),
    WarningCode.LOW_MOS: ({"packets_received": 40, "packets_lost": 10}, {}),
    WarningCode.LOW_INBOUND_AUDIO: ({}, {"remote_level": 0.001}),
    WarningCode.LOW_BYTES_RECEIVED: ({"packets_received": 0, "bytes_received": 0}, {}),
    WarningCode.LOW_BYTES_SENT: ({"packets_sent": 0, "bytes_sent": 0}, {}),
}
"""What counters grow by in a bad second, where that is not as usual, and what is read then."""


@pytest.mark.parametrize("code", IMPAIRMENTS)
def test_each_warning_has_its_impairment_and_the_same_hysteresis(code: WarningCode) -> None:
    """STATS-300 to STATS-307, STATS-310: two breaches are none; three are, and every 15 s (but a silent far end
    is told once); then all begins anew.
    """
    growth, figures = IMPAIRMENTS[code]
    counters = {"packets_sent": 0, "bytes_sent": 0, "packets_received": 0, "bytes_received": 0, "packets_lost": 0}
    usual = {"packets_sent": 50, "bytes_sent": 8000, "packets_received": 50, "bytes_received": 8000, "packets_lost": 0}
    readings: list[StatsSnapshot] = []
    for second, how in enumerate("gg" + "bbg" + "b" * 20 + "g" + "bbb", 1):
        bad = how == "b"
        counters = {name: value + ({**usual, **growth} if bad else usual)[name] for name, value in counters.items()}
        readings.append(sent(second, **counters, **(figures if bad else {})))
    raised = run(readings)
    assert [second for second, each in raised if each is code] == (
        [8, 29] if code is WarningCode.LOW_BYTES_RECEIVED else [8, 23, 29]
    )
    beside = {WarningCode.HIGH_PACKET_LOSS} if code is WarningCode.LOW_MOS else set()
    assert {each for _, each in raised} == {code} | beside, "and no other warning"


def test_exactly_the_threshold_is_no_breach() -> None:
    assert run([sent(second, round_trip_time=0.4, jitter=0.03) for second in range(1, 20)]) == []


@pytest.mark.parametrize(
    ("code", "frozen"),
    [
        (WarningCode.LOW_BYTES_RECEIVED, {"bytes_received": 8000, "packets_received": 50}),
        (WarningCode.LOW_BYTES_SENT, {"bytes_sent": 8000, "packets_sent": 50}),
    ],
)
def test_a_difference_is_raised_at_four(code: WarningCode, frozen: dict[str, int]) -> None:
    again = [(19, code)] if code is WarningCode.LOW_BYTES_SENT else []
    assert run([sent(second, **frozen) for second in range(1, 20)]) == [(4, code), *again]


def test_loss_of_the_interval_counts_and_not_of_the_call() -> None:
    """STATS-302: two percent now, after a long good time."""
    good = [sent(second) for second in range(1, 61)]
    bad = [sent(second, packets_lost=second - 60) for second in range(61, 70)]
    assert run(good + bad)[0] == (63, WarningCode.HIGH_PACKET_LOSS)


def test_one_good_reading_begins_anew() -> None:
    """STATS-310: and the throttle is gone with it."""
    high, good = {"round_trip_time": 1.0}, {}
    readings = [sent(second, **(good if second == 5 else high)) for second in range(1, 12)]
    assert run(readings) == [(3, WarningCode.HIGH_RTT), (8, WarningCode.HIGH_RTT)]


def test_what_is_unknown_is_no_breach() -> None:
    assert run([StatsSnapshot() for _ in range(30)]) == []


def test_a_held_call_is_not_blamed_for_silence() -> None:
    """MEDIA-351: 31006 and 32001 are suppressed, 32002 is not."""
    silent = {"remote_level": 0.0, "bytes_received": 8000, "packets_received": 50, "bytes_sent": 1, "packets_sent": 1}
    raised = {code for _, code in run([sent(second, **silent) for second in range(1, 12)], held=True)}
    assert raised == {WarningCode.LOW_BYTES_SENT}


def test_a_microphone_that_never_gave_a_sound_is_told_soon() -> None:
    assert run([sent(second, local_level=0.0) for second in range(1, 12)]) == [(3, WarningCode.LOW_LOCAL_AUDIO)]


def test_after_real_audio_half_a_minute_of_silence_is_told_once() -> None:
    """STATS-311."""
    readings = [sent(second, local_level=0.5 if second == 1 else 0.0) for second in range(1, 90)]
    assert run(readings) == [(32, WarningCode.LOW_LOCAL_AUDIO)]


@pytest.mark.parametrize("quiet", [{"local_level": 0.0, "intentionally_silent": True}, {"local_level": None}])
def test_silence_on_purpose_is_no_fault(quiet: dict[str, object]) -> None:
    """STATS-316."""
    assert run([sent(second, **quiet) for second in range(1, 60)]) == []


def test_a_muted_microphone_is_no_fault() -> None:
    assert run([sent(second, local_level=0.0) for second in range(1, 60)], muted=True) == []


def test_a_changed_pair_is_told_once_for_each_change() -> None:
    """STATS-308."""
    end = CandidateStats(address="192.0.2.1", port=9, candidate_type="host")
    names = ["a", "a", "b", "b", "a"]
    readings = [sent(second, pair=PairStats(id=name, local=end, remote=end)) for second, name in enumerate(names, 1)]
    changes = sum(one != other for one, other in pairwise(names))
    assert [code for _, code in run(readings)] == [WarningCode.ICE_CANDIDATE_PAIR_CHANGED] * changes
