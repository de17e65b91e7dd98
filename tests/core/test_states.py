"""The tables of states: what is in them, and that nothing else can happen (signaling.md 4.2, calls.md section 6)."""

import inspect
from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from telnyx_core import states
from telnyx_core.states import (
    CALL,
    ESTABLISHED,
    LIVE,
    SESSION,
    CallInput,
    CallState,
    SessionInput,
    SessionState,
    move_call,
    move_session,
)

S, C = SessionState, CallState


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("given", SessionInput)
def test_a_session_moves_along_its_table_and_nowhere_else(state: SessionState, given: SessionInput) -> None:
    if given in SESSION[state]:
        assert move_session(state, given) is SESSION[state][given]
    else:
        with pytest.raises(AssertionError, match=f"{given.value} while {state.value}"):
            move_session(state, given)


def test_an_illegal_move_raises_without_assertions_too() -> None:
    """As under ``python -O``: the module is compiled without its assertions."""
    source = inspect.getsource(states)
    optimized: dict[str, Any] = {"__name__": "states"}
    exec(compile(source, "states.py", "exec", optimize=2), optimized)  # our own source
    session, call = optimized["SessionState"], optimized["CallState"]
    with pytest.raises(AssertionError, match="connect while ready"):
        optimized["move_session"](session.READY, optimized["SessionInput"].CONNECT)
    with pytest.raises(AssertionError, match="while destroy"):
        optimized["move_call"](call.DESTROY, optimized["CallInput"].END)


@pytest.mark.parametrize("state", CallState)
@pytest.mark.parametrize("given", CallInput)
def test_a_call_moves_along_its_table_and_nowhere_else(state: CallState, given: CallInput) -> None:
    """CALL-303: the only legal edges are those of the table."""
    if given in CALL[state]:
        assert move_call(state, given) is CALL[state][given]
    else:
        with pytest.raises(AssertionError, match=f"{given.value} while {state.value}"):
            move_call(state, given)


def reachable(table: Mapping[Enum, Mapping[Enum, Enum]], start: Enum) -> set[Enum]:
    seen, todo = {start}, [start]
    while todo:
        for following in table[todo.pop()].values():
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return seen


def test_every_state_can_be_reached() -> None:
    assert reachable(SESSION, S.IDLE) == set(SessionState)
    assert reachable(CALL, C.NEW) == set(CallState)


def test_every_input_moves_something() -> None:
    assert {given for edges in SESSION.values() for given in edges} == set(SessionInput)
    assert {given for edges in CALL.values() for given in edges} == set(CallInput)


def test_every_session_can_come_to_rest() -> None:
    for state in SessionState:
        assert S.IDLE in reachable(SESSION, state)


def test_every_call_can_end_and_none_comes_back() -> None:
    for state in CallState:
        assert C.DESTROY in reachable(CALL, state)
    assert reachable(CALL, C.DESTROY) == {C.DESTROY}
    for ending in (C.HANGUP, C.PURGE):
        assert reachable(CALL, ending) <= {C.PURGE, C.HANGUP, C.DESTROY}


@pytest.mark.parametrize("state", sorted(LIVE, key=lambda state: state.value))
def test_every_live_call_can_be_hung_up_and_purged(state: CallState) -> None:
    """CALL-366, CALL-370: whatever the state."""
    assert move_call(state, CallInput.END) is C.HANGUP
    assert move_call(state, CallInput.PURGE) is C.PURGE


@pytest.mark.parametrize("state", [C.EARLY, C.ACTIVE, C.HELD])
def test_from_early_on_nothing_moves_a_call_back(state: CallState) -> None:
    """CALL-302: no reply and no message leads back to requesting, trying, ringing, answering or early."""
    assert not set(CALL[state].values()) & {C.NEW, C.REQUESTING, C.TRYING, C.RINGING, C.ANSWERING, C.EARLY}


def test_live_and_established_calls() -> None:
    """CALL-300, and what "answered" is judged by."""
    assert set(CallState) - LIVE == {C.HANGUP, C.DESTROY, C.PURGE}
    assert {C.ACTIVE, C.HELD} == ESTABLISHED
