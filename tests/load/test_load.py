"""Many calls on a virtual clock: the pace, the causes, the end, and the search for the largest load."""

import asyncio
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_drivers._tools.load.find import Search
from telnyx_drivers._tools.load.outcome import Outcome, Summary, percentiles
from telnyx_drivers._tools.load.page import page
from telnyx_drivers._tools.load.run import Load, Pace
from telnyx_drivers._tools.load.scenario import Digits, HangUp, Play, Step, Wait, parse
from telnyx_drivers.testing.virtual_gateway import VirtualClient, VirtualGateway
from tests.telemetry.world import run


def loaded(
    pace: Pace, *, destination: str = "silence", steps: tuple[Step, ...] = (Wait(2.0),)
) -> tuple[Summary, float]:
    """The load, and how many virtual seconds it took."""
    found: list[tuple[Summary, float]] = []

    async def story(gateway: VirtualGateway, client: VirtualClient) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        summary = await Load(client, destination, pace, steps=steps).run()
        found.append((summary, clock() - began))
        assert not client.calls

    run(story, lambda client: None)
    return found[0]


def test_calls_begin_at_the_pace_and_it_ends_by_itself() -> None:
    summary, took = loaded(Pace(rate=2.0, duration=10.0, at_once=10))
    assert [round(each.began, 1) for each in summary.outcomes] == [each / 2 for each in range(20)]
    assert summary.failures == {}
    assert summary.held_back == 0
    assert 10.0 <= took <= 14.0
    assert summary.bad_share == 0.0
    assert [each.talked for each in summary.outcomes] == [pytest.approx(2.0)] * 20
    assert all(0.05 < (each.setup or 0) < 1.0 for each in summary.outcomes)


def test_no_more_than_so_many_at_once() -> None:
    summary, _ = loaded(Pace(rate=5.0, duration=10.0, at_once=4))
    assert summary.greatest == 4
    assert summary.held_back > 10
    assert summary.held_back + len(summary.outcomes) == 50


@pytest.mark.parametrize(("destination", "cause"), [("busy", "USER_BUSY"), ("reject", "CALL_REJECTED")])
def test_failures_are_counted_by_their_cause(destination: str, cause: str) -> None:
    summary, _ = loaded(Pace(rate=1.0, duration=5.0, at_once=10), destination=destination)
    assert summary.failures == {cause: 5}
    assert summary.to_mapping()["failed"] == 5


def test_a_call_that_nobody_answers_is_given_up() -> None:
    summary, took = loaded(Pace(rate=1.0, duration=1.0, at_once=1), destination="ring")
    assert summary.failures == {"not active within 30 s": 1}
    assert took < 40


def test_digits_are_pressed() -> None:
    summary, _ = loaded(Pace(rate=1.0, duration=1.0, at_once=1), steps=(Digits("12#"), Wait(1.0), HangUp(), Wait(60.0)))
    assert summary.failures == {}
    assert (summary.outcomes[0].talked or 0) < 2


@given(rate=st.floats(0.1, 100), ramp=st.floats(0, 60), duration=st.floats(0.1, 600), times=st.lists(st.floats(0, 700)))
def test_the_pace_never_slows_down_and_reaches_its_rate(
    rate: float, ramp: float, duration: float, times: list[float]
) -> None:
    pace = Pace(rate=rate, ramp=ramp, duration=duration, at_once=1)
    due = [pace.due(each) for each in sorted(times)]
    assert due == sorted(due)
    assert pace.due(0.0) == 0.0
    assert pace.due(1e9) <= rate * duration + 1e-6
    if duration > ramp + 1:
        assert pace.due(ramp + 1) - pace.due(ramp) == pytest.approx(rate)


def test_a_scenario_is_read(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(b"")
    steps = parse("# a menu\n\nwait 1.5\ndigits 12#\nplay hello.wav\nhangup\n", tmp_path)
    assert steps == (Wait(1.5), Digits("12#"), Play(str(tmp_path / "hello.wav")), HangUp())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no step"),
        ("wait", "line 1"),
        ("wait 1\nwait -1", "line 2: wait takes"),
        ("wait nan", "line 1"),
        ("digits 1x", "digits DIGITS"),
        ("play nothing.wav", "no file"),
        ("hangup now", "'hangup' is not"),
        ("wait 1\n" * 1_001, "more than 1000"),
    ],
)
def test_a_scenario_that_is_wrong_names_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text, tmp_path)


@given(limit=st.integers(0, 1_200), least=st.integers(1, 64))
def test_the_search_finds_the_largest_to_an_eighth(limit: int, least: int) -> None:
    search, trials = Search(least=least, most=1_000), 0
    while (calls := search.next()) is not None:
        search.tell(calls, calls <= limit)
        trials += 1
    assert trials <= 20
    assert search.good <= limit
    if limit >= 1_000:
        assert search.good == 1_000
    else:
        assert limit - search.good <= max(search.good // 8, 1)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_values_in_their_order(values: list[float]) -> None:
    found = percentiles(values)
    assert list(found.values()) == sorted(found.values())
    assert found["max"] == max(values)
    assert set(found.values()) <= set(values)
    assert sum(each <= found["p90"] for each in values) >= 0.9 * len(values)


def test_the_page_and_the_lines_tell_of_each_call() -> None:
    outcomes = (
        Outcome(began=0.0, failure=None, setup=0.25, talked=2.0, frames=200, bad=1, mos=4.4),
        Outcome(began=1.0, failure="<USER_BUSY>"),
    )
    summary = Summary(outcomes, 1, 0)
    rows = list(csv.DictReader(io.StringIO(summary.to_csv())))
    assert [row["failure"] for row in rows] == ["", "<USER_BUSY>"]
    assert rows[0]["setup"] == "0.25"
    text = page("A & B", summary)
    assert "A &amp; B" in text
    assert "&lt;USER_BUSY&gt;" in text
    assert "0.500 %" in text
    assert text.count("<circle") == 2
