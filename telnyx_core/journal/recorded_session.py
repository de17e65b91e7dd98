"""Give a journal to a fresh session and compare what it does: a bug report becomes a test.

```python
def test_the_call_that_was_lost() -> None:
    Replay.from_file("report.journal").check()
```
"""

import json
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, cast

from attrs import field, frozen

from telnyx_core._signalling.speed import PREFIX, written
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import Action
from telnyx_core.errors import LocalProtocolError
from telnyx_core.journal.record import Scrubber, action_record, arguments_from_record, fact_from_record
from telnyx_core.options import ClientOptions
from telnyx_core.session import COMMANDS, Session

_FORMAT: Final = 1
_AGES: Final = 1e12
"""Seconds; no clock has counted so many."""


class ReplayDiffers(AssertionError):
    """The fresh session did something else: the message shows the entry, what was recorded and what came instead."""


@frozen
class Entry:
    """One thing that went into a session, and the actions that came out of it."""

    line: int
    now: float | None
    given: JsonObject
    actions: tuple[JsonObject, ...]


@frozen
class Replay:
    header: JsonObject
    entries: tuple[Entry, ...] = field(repr=False)

    @classmethod
    def from_file(cls, path: str) -> "Replay":
        """Raises `OSError`, or `ValueError` when the file is no journal."""
        with open(path, encoding="utf-8") as lines:  # noqa: PTH123  # the kit's one door to a file; pathlib is banned
            return cls.from_lines(lines)

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> "Replay":
        records = list(_records(lines))
        if not records or records[0][1].get("journal") != _FORMAT:
            raise ValueError("not a journal of this format")
        given: list[tuple[int, JsonObject, list[JsonObject]]] = []
        for number, record in records[1:]:
            action = record.get("action")
            if isinstance(action, dict):
                if not given:
                    raise ValueError(f"line {number}: an action before anything was given")
                given[-1][2].append(action)
            elif "truncated" not in record:
                given.append((number, record, []))
        entries = (Entry(number, _time(record), record, tuple(actions)) for number, record, actions in given)
        return cls(records[0][1], tuple(entries))

    def session(self) -> Session:
        """A fresh session, with the recorded options and the recorded seed of its random generator."""
        options, seed = self.header.get("options"), self.header.get("seed")
        if not isinstance(options, dict) or not isinstance(seed, str):
            raise ValueError("the journal's first line has no options or no seed")
        remembered = self.header.get("remembered")
        return Session(
            ClientOptions.from_mapping(options),
            rng=Random(int(seed, 16)),  # the recorded seed, not for secrets
            remembered=remembered if isinstance(remembered, dict) else None,
        )

    def check(self) -> int:
        """Replay everything: the number of actions compared. Raises `ReplayDiffers` at the first difference."""
        compared = 0
        for entry, actions in self.run():
            if list(entry.actions) != actions:
                raise ReplayDiffers(_difference(entry, actions))
            compared += len(actions)
        return compared

    def play(self) -> Iterator[tuple[Entry, list[Action]]]:
        """Each entry with the actions of the fresh session themselves; nothing is compared."""
        session = self.session()
        for entry in self.entries:
            _give(session, entry)
            actions: list[Action] = []
            while (action := session.next_action()) is not None:
                actions.append(action)
            yield entry, actions

    def run(self) -> Iterator[tuple[Entry, list[JsonObject]]]:
        """Each entry with what the fresh session does about it."""
        session, scrubber = self.session(), _Scrubbed()
        for entry in self.entries:
            raised = _give(session, entry)
            if raised != entry.given.get("raised"):
                raise ReplayDiffers(f"line {entry.line}: raised {raised}, recorded {entry.given.get('raised')}")
            actions: list[JsonObject] = []
            while (action := session.next_action()) is not None:
                actions.append(action_record(action, scrubber))
            yield entry, actions


class _Scrubbed(Scrubber):
    """For records from a journal, in which all secrets are pseudonyms already."""

    def value(self, value: Json, member: str = "") -> Json:
        return value

    def frame(self, text: str) -> str:
        return written(text) if text.startswith(PREFIX) else text

    def url(self, url: str) -> str:
        return url


def _give(session: Session, entry: Entry) -> str | None:
    """Give the session what stands in the entry; the name of what it raised."""
    given, now = entry.given, entry.now
    command = given.get("command")
    if isinstance(fact := given.get("fact"), dict):
        session.receive(fact_from_record(fact), now=now or 0.0)
    elif "timeout" in given:
        session.handle_timeout(now=now or 0.0)
    elif isinstance(command, str) and command in COMMANDS:
        arguments = arguments_from_record(cast("JsonView", given.get("with") or {}))
        if now is not None:
            arguments["now"] = now
        try:
            getattr(session, command)(**arguments)
        except (LocalProtocolError, ValueError) as error:
            return type(error).__name__
        except TypeError as error:
            raise ValueError(f"line {entry.line}: not how {command} is asked: {error}") from error
    else:
        raise ValueError(f"line {entry.line}: neither a fact nor a command")
    return None


def _records(lines: Iterable[str]) -> Iterator[tuple[int, JsonObject]]:
    for number, line in enumerate(lines, 1):
        try:
            record = cast("Json", json.loads(line))
        except ValueError:
            return  # a process that was killed leaves half a line behind
        except RecursionError:
            raise ValueError(f"line {number}: nested too deeply") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number}: not a journal's entry")
        yield number, record


def _time(record: JsonView) -> float | None:
    now = record.get("t")
    return float(now) if isinstance(now, int | float) and 0 <= now < _AGES else None


def _difference(entry: Entry, actions: list[JsonObject]) -> str:
    recorded: list[JsonObject | None] = list(entry.actions)
    replayed: list[JsonObject | None] = list(actions)
    length = max(len(recorded), len(replayed))
    recorded += [None] * (length - len(recorded))
    replayed += [None] * (length - len(replayed))
    first = next(pair for pair in zip(recorded, replayed, strict=True) if pair[0] != pair[1])
    shown = (json.dumps(part)[:400] for part in (entry.given, *first))
    return f"line {entry.line}: {next(shown)}\n  recorded: {next(shown)}\n  replayed: {next(shown)}"
