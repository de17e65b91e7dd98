"""The count of edges that `test_worlds` enforces can fail, and the tables have no state that nothing leads to."""

import pytest

from telnyx_core import states
from tests.world.edges import Walk


def test_the_count_can_fail() -> None:
    walk = Walk()
    with walk.walking():
        states.move_session(states.SessionState.IDLE, states.SessionInput.CONNECT)
    assert len(walk.session.missed()) == len(walk.session.edges) - 1
    assert len(walk.call.missed()) == len(walk.call.edges)
    assert str(walk.session) == f"2 of {len(states.SESSION)} states, 1 of {len(walk.session.edges)} edges"
    assert isinstance(states.SESSION, dict)


def test_a_move_that_is_not_in_the_table_is_not_counted() -> None:
    walk = Walk()
    with walk.walking(), pytest.raises(AssertionError):
        states.move_session(states.SessionState.IDLE, states.SessionInput.LOGGED_IN)
    assert not walk.session.walked


@pytest.mark.parametrize("table", [states.SESSION, states.CALL], ids=["session", "call"])
def test_every_state_can_be_reached(table: dict[object, dict[object, object]]) -> None:
    first = next(iter(table))
    reached, new = {first}, [first]
    while new:
        for following in table[new.pop()].values():
            if following not in reached:
                reached.add(following)
                new.append(following)
    assert reached == set(table)
