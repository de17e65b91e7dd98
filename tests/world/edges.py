"""Which states and edges of the tables have been walked."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Generic, TypeVar

from telnyx_core import states

State = TypeVar("State", bound=Enum)
Given = TypeVar("Given", bound=Enum)


class Walked(Mapping[State, Mapping[Given, State]], Generic[State, Given]):
    """A table of `telnyx_core.states` that remembers where it was asked."""

    def __init__(self, table: Mapping[State, Mapping[Given, State]]) -> None:
        self._table = table
        self.walked: Counter[tuple[State, Given]] = Counter()

    def __getitem__(self, state: State) -> "Row[State, Given]":
        return Row(state, self._table[state], self.walked)

    def __iter__(self) -> Iterator[State]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def edges(self) -> set[tuple[State, Given]]:
        return {(state, given) for state, row in self._table.items() for given in row}

    def missed(self) -> list[str]:
        return sorted(f"{state.value} --{given.value}--> ?" for state, given in self.edges - self.walked.keys())


class Row(Mapping[Given, State], Generic[State, Given]):
    def __init__(self, state: State, row: Mapping[Given, State], walked: Counter[tuple[State, Given]]) -> None:
        self._state, self._row, self._walked = state, row, walked

    def __getitem__(self, given: Given) -> State:
        self._walked[self._state, given] += 1
        return self._row[given]

    def __iter__(self) -> Iterator[Given]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


@contextmanager
def walking() -> Iterator[
    tuple[Walked[states.SessionState, states.SessionInput], Walked[states.CallState, states.CallInput]]
]:
    """Every move of every session and call within is counted."""
    session, call = Walked(states.SESSION), Walked(states.CALL)
    before = states.SESSION, states.CALL
    states.SESSION, states.CALL = session, call  # type: ignore[misc]
    try:
        yield session, call
    finally:
        states.SESSION, states.CALL = before  # type: ignore[misc]
