"""The flight recorder: every fact, command and action of a session with its time, as redacted JSON lines.

`RecordedSession` is a `Session` that writes itself down; a driver cannot tell the difference. The file is made with
permissions for its owner alone, holds no token, password or key (see `telnyx_core.record`), and
`telnyx_core.testing.Replay` gives it to a fresh session.
"""

import functools
import inspect
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from telnyx_core.actions import Action
from telnyx_core.facts import Fact
from telnyx_core.json_types import JsonObject, JsonView
from telnyx_core.options import ClientOptions
from telnyx_core.record import COMMANDS, Scrubber, action_record, arguments_record, fact_record, options_record
from telnyx_core.session import Session
from telnyx_core.version import VERSION

FORMAT: Final = 1
MAX_BYTES: Final = 64 * 1024 * 1024
"""A day of signalling is a few megabytes; beyond this the recorder stops and says so in its last line."""


class Journal:
    """An append-only file of JSON lines. Never raises while a session runs: a full disk ends the recording."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1 << 16)
        self._room = MAX_BYTES
        self.failed: OSError | None = None

    def write(self, entry: JsonObject) -> None:
        if self._file.closed:
            return
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        self._room -= len(line)
        try:
            if self._room < 0:
                self._file.write('{"truncated":true}\n')
                self._file.close()
            else:
                self._file.write(line)
        except OSError as error:
            self.failed = error

    def flush(self) -> None:
        try:
            if not self._file.closed:
                self._file.flush()
        except OSError as error:
            self.failed = error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.failed = error


class RecordedSession(Session):
    """A session whose whole conversation is written to a journal.

    Its dice are made from a seed that stands in the journal's first line, so that a replay throws the same. Nothing
    secret is drawn from them.
    """

    def __init__(self, options: ClientOptions, *, journal: Journal, remembered: JsonView | None = None) -> None:
        seed = SystemRandom().getrandbits(128)
        super().__init__(options, rng=Random(seed), remembered=remembered)  # noqa: S311  # not for secrets
        self._journal = journal
        self._scrubber = Scrubber()
        header: JsonObject = {
            "journal": FORMAT,
            "version": VERSION,
            "started": time.time(),
            "seed": f"{seed:x}",
            "options": options_record(options, self._scrubber),
        }
        if remembered is not None:
            header["remembered"] = self._scrubber.value(dict(remembered))
        journal.write(header)

    def next_action(self) -> Action | None:
        action = super().next_action()
        if action is not None:
            self._journal.write({"action": action_record(action, self._scrubber)})
        else:
            self._journal.flush()
        return action

    def receive(self, fact: Fact, *, now: float) -> None:
        self._journal.write({"t": now, "fact": fact_record(fact, self._scrubber)})
        super().receive(fact, now=now)

    def handle_timeout(self, *, now: float) -> None:
        self._journal.write({"t": now, "timeout": str(self.next_timeout_reason())})
        super().handle_timeout(now=now)

    def command(self, name: str, given: dict[str, object], run: Callable[[], object]) -> object:
        """Give a command and write it down, also when it was refused."""
        now = given.pop("now", None)
        entry: JsonObject = {"command": name, "with": arguments_record(given, self._scrubber)}
        if isinstance(now, float | int):
            entry = {"t": now, **entry}
        try:
            result = run()
        except Exception as error:
            self._journal.write({**entry, "raised": type(error).__name__})
            raise
        self._journal.write(entry)
        return result


def _recorded(name: str) -> Callable[..., object]:
    command = getattr(Session, name)
    signature = inspect.signature(command)

    @functools.wraps(command)
    def recorded(self: RecordedSession, *args: object, **keywords: object) -> object:
        given = dict(signature.bind(self, *args, **keywords).arguments)
        del given["self"]
        return self.command(name, given, lambda: command(self, *args, **keywords))

    return recorded


for _name in COMMANDS:
    setattr(RecordedSession, _name, _recorded(_name))
