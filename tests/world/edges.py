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

    def __str__(self) -> str:
        entered = {next(iter(self._table))} | {self._table[state][given] for state, given in self.walked}
        return f"{len(entered)} of {len(self)} states, {len(self.walked)} of {len(self.edges)} edges"


class Row(Mapping[Given, State], Generic[State, Given]):
    def __init__(self, state: State, row: Mapping[Given, State], walked: Counter[tuple[State, Given]]) -> None:
        self._state, self._row, self._walked = state, row, walked

    def __getitem__(self, given: Given) -> State:
        following = self._row[given]
        self._walked[self._state, given] += 1
        return following

    def __iter__(self) -> Iterator[Given]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


class Walk:
    """Both tables, and what was walked of them within `walking`."""

    def __init__(self) -> None:
        self.session = Walked(states.SESSION)
        self.call = Walked(states.CALL)

    @contextmanager
    def walking(self) -> Iterator[None]:
        """Every move of every session and call within is counted."""
        before = states.SESSION, states.CALL
        states.SESSION, states.CALL = self.session, self.call  # type: ignore[misc]
        try:
            yield
        finally:
            states.SESSION, states.CALL = before  # type: ignore[misc]

    def __str__(self) -> str:
        return f"sessions walked {self.session}; calls walked {self.call}"
