"""The table of deadlines: its rules, and that it stays small (signaling.md section 8, SIG-480 to SIG-482)."""

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core import Timer, TimerKey
from telnyx_core._time.timers import TimerTable


def test_an_empty_table_waits_for_nothing() -> None:
    table = TimerTable()
    assert table.next() is None
    assert list(table.expired(1e9)) == []


def test_the_earliest_deadline_comes_first() -> None:
    table = TimerTable()
    table.set(Timer.KEEPALIVE, 35.0)
    table.set(Timer.RECONNECT, 1.0)
    table.set(Timer.ORPHAN, 120.0, "call")
    assert table.next() == (1.0, TimerKey(Timer.RECONNECT))
    assert list(table.expired(120.0)) == [
        TimerKey(Timer.RECONNECT),
        TimerKey(Timer.KEEPALIVE),
        TimerKey(Timer.ORPHAN, "call"),
    ]
    assert len(table) == 0


def test_on_a_tie_the_order_of_the_kinds_decides() -> None:
    table = TimerTable()
    table.set(Timer.RECONNECT, 5.0)
    table.set(Timer.CLOSE_SAFETY, 5.0)
    table.set(Timer.REQUEST, 5.0, "b")
    table.set(Timer.REQUEST, 5.0, "a")
    assert list(table.expired(5.0)) == [
        TimerKey(Timer.CLOSE_SAFETY),
        TimerKey(Timer.REQUEST, "b"),
        TimerKey(Timer.REQUEST, "a"),
        TimerKey(Timer.RECONNECT),
    ]


def test_setting_again_moves_the_deadline() -> None:
    table = TimerTable()
    table.set(Timer.KEEPALIVE, 10.0)
    table.set(Timer.KEEPALIVE, 20.0)
    assert list(table.expired(19.9)) == []
    table.set(Timer.KEEPALIVE, 5.0)
    assert list(table.expired(5.0)) == [TimerKey(Timer.KEEPALIVE)]
    assert list(table.expired(100.0)) == []


def test_a_stopped_deadline_does_not_come() -> None:
    table = TimerTable()
    table.set(Timer.RECONNECT, 1.0)
    table.stop(Timer.RECONNECT)
    table.stop(Timer.RECONNECT)
    assert not table.is_set(Timer.RECONNECT)
    assert table.next() is None


def test_what_belongs_to_an_ended_owner_is_gone() -> None:
    """Every deadline dies with its owner; those of others stay."""
    table = TimerTable()
    table.set(Timer.SETUP, 1.0, "a")
    table.set(Timer.ORPHAN, 2.0, "a")
    table.set(Timer.ORPHAN, 3.0, "b")
    table.set(Timer.ORPHAN, 4.0)
    table.stop_all("a")
    table.stop_all("nobody")
    assert list(table.expired(9.0)) == [TimerKey(Timer.ORPHAN, "b"), TimerKey(Timer.ORPHAN)]


def test_a_handler_may_stop_what_is_due_in_the_same_wake_up() -> None:
    table = TimerTable()
    table.set(Timer.REQUEST, 1.0, "a")
    table.set(Timer.KEEPALIVE, 2.0)
    met: list[TimerKey] = []
    for key in table.expired(10.0):
        met.append(key)
        table.stop(Timer.KEEPALIVE)
    assert met == [TimerKey(Timer.REQUEST, "a")]


def test_a_handler_may_set_another_that_is_due_already() -> None:
    table = TimerTable()
    table.set(Timer.CLOSE_SAFETY, 1.0)
    met: list[TimerKey] = []
    for key in table.expired(10.0):
        met.append(key)
        if key.timer is Timer.CLOSE_SAFETY:
            table.set(Timer.RECONNECT, 10.0)
    assert met == [TimerKey(Timer.CLOSE_SAFETY), TimerKey(Timer.RECONNECT)]


def test_waking_early_or_twice_is_a_no_op_and_late_fires_once() -> None:
    """SIG-482: a host that slept finds one deadline of a kind, not four hundred."""
    table = TimerTable()
    table.set(Timer.HEALTH_CHECK, 3.0)
    assert list(table.expired(2.999)) == []
    assert list(table.expired(7200.0)) == [TimerKey(Timer.HEALTH_CHECK)]
    assert list(table.expired(7200.0)) == []


def test_clear_forgets_everything() -> None:
    table = TimerTable()
    table.set(Timer.SETUP, 1.0, "a")
    table.clear()
    assert len(table) == 0
    assert table.next() is None
    table.stop_all("a")


def test_moving_a_deadline_again_and_again_leaves_no_waste_behind() -> None:
    """A keepalive that is set with every frame must not fill the heap: stale entries never outnumber the live ones
    for long."""
    table = TimerTable()
    for step in range(10_000):
        table.set(Timer.KEEPALIVE, step + 35.0)
    assert len(table.heap) <= 65  # the bound is the point; there is no other way to see it
    assert table.next() == (9_999 + 35.0, TimerKey(Timer.KEEPALIVE))


def test_the_owners_of_stopped_deadlines_are_forgotten() -> None:
    table = TimerTable()
    for call in range(1_000):
        table.set(Timer.BYE_GUARD, 5.0, call)
        table.set(Timer.ORPHAN, 5.0, call)
        table.stop(Timer.BYE_GUARD, call)
        table.stop(Timer.ORPHAN, call)
    assert not table.owned


Step = tuple[str, Timer, str | None, float]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "stop", "stop_all", "wake"]),
            st.sampled_from([Timer.SETUP, Timer.ORPHAN, Timer.REQUEST]),
            st.sampled_from([None, "a", "b"]),
            st.integers(0, 20).map(float),
        ),
        max_size=200,
    )
)
def test_it_does_what_a_plain_dictionary_would(steps: list[Step]) -> None:
    table = TimerTable()
    model: dict[tuple[Timer, str | None], float] = {}
    for what, timer, owner, at in steps:
        if what == "set":
            table.set(timer, at, owner)
            model[timer, owner] = at
        elif what == "stop":
            table.stop(timer, owner)
            model.pop((timer, owner), None)
        elif what == "stop_all" and owner is not None:
            table.stop_all(owner)
            model = {key: due for key, due in model.items() if key[1] != owner}
        elif what == "wake":
            due = {key for key, when in model.items() if when <= at}
            met = [(key.timer, key.owner) for key in table.expired(at)]
            assert set(met) == due
            assert [model[key] for key in met] == sorted(model[key] for key in met)
            model = {key: when for key, when in model.items() if key not in due}
        first = table.next()
        assert len(table) == len(model)
        assert (None if first is None else first[0]) == min(model.values(), default=None)
        assert all(table.is_set(*key) for key in model)
