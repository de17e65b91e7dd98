"""The flight recorder: every fact, command and action of a session with its time, as redacted JSON lines.

`RecordedSession` is a `Session` that writes itself down; a driver cannot tell the difference. The file is made with
permissions for its owner alone, holds no token, password or key (see `telnyx_core.journal.record`), and
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
from typing import Final, TextIO

from telnyx_core._version import VERSION
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import Action
from telnyx_core.facts import Fact
from telnyx_core.journal.record import Scrubber, action_record, arguments_record, fact_record, options_record
from telnyx_core.options import ClientOptions
from telnyx_core.session import COMMANDS, Session
from telnyx_drivers import _logs as logs
from telnyx_drivers._forks import kept_from_children
from telnyx_drivers._private_file import open_private

FORMAT: Final = 1
MAX_BYTES: Final = 64 * 1024 * 1024
"""An idle day is some three megabytes, an hour of a call seven; beyond this the recorder stops and says so last."""


class Journal:
    """A private file of JSON lines, held open only while lines are being written.

    A path that cannot be written raises `OSError` here. Later nothing is raised: a full disk, or a file that was taken
    away, ends the recording (``failed``), and the session continues.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.failed: Exception | None = None
        self._process = os.getpid()
        """The process that owns the journal: the copy in the child of a fork writes none."""
        self._room = MAX_BYTES
        self.file: TextIO | None = self._open(os.O_CREAT | os.O_TRUNC)

    def write(self, entry: JsonObject) -> None:
        if self.failed is not None or self._room < 0 or self._process != os.getpid():
            return
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        self._room -= len(line)
        try:
            if self.file is None:
                self.file = self._open(0)
            self.file.write(line if self._room >= 0 else '{"truncated":true}\n')
        except OSError as error:
            self.give_up(error)

    def flush(self) -> None:
        try:
            if self.file is not None:
                self.file.flush()
        except OSError as error:
            self.give_up(error)

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        file, self.file = self.file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            self.give_up(error)

    def _open(self, flags: int) -> TextIO:
        descriptor = open_private(self.path, flags | os.O_APPEND)
        try:
            return kept_from_children(os.fdopen(descriptor, "w", encoding="utf-8", buffering=1 << 16))
        except BaseException:
            os.close(descriptor)
            raise

    def give_up(self, error: Exception) -> None:
        """Nothing more is written. Said once; the error itself may hold what was to be written."""
        if self.failed is None:
            reason = error.strerror if isinstance(error, OSError) else None
            logs.client.error("the journal ends here: %s", reason or type(error).__name__)
        self.failed = self.failed or error
        self.close()


class RecordedSession(Session):
    """A session that writes every fact, command and action to a journal.

    Its random generator is seeded from ``rng``, and the journal's first line holds the seed, so that a replay
    draws the same numbers. No secret comes from it.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        journal: Journal,
        rng: Random | None = None,
        remembered: JsonView | None = None,
    ) -> None:
        seed = (rng or SystemRandom()).getrandbits(128)
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
        journal.close()

    def next_action(self) -> Action | None:
        action = super().next_action()
        if action is not None:
            self._note(lambda: {"action": action_record(action, self._scrubber)})
        elif self.next_timeout() is None:
            self._journal.close()  # at rest, perhaps for good
        else:
            self._journal.flush()
        return action

    def receive(self, fact: Fact, *, now: float) -> None:
        self._note(lambda: {"t": now, "fact": fact_record(fact, self._scrubber)})
        super().receive(fact, now=now)

    def handle_timeout(self, *, now: float) -> None:
        self._journal.write({"t": now, "timeout": str(self.next_timeout_reason())})
        super().handle_timeout(now=now)

    def command(self, name: str, given: dict[str, object], run: Callable[[], object]) -> object:
        """Give a command and write it down, also when it was refused."""
        now = given.pop("now", None)
        at: JsonObject = {"t": now} if isinstance(now, float | int) else {}
        raised: JsonObject = {}
        try:
            return run()
        except Exception as error:
            raised["raised"] = type(error).__name__
            raise
        finally:
            self._note(lambda: {**at, "command": name, "with": arguments_record(given, self._scrubber), **raised})

    def _note(self, entry: Callable[[], JsonObject]) -> None:
        """Write an entry. A failure to write ends the journal, and never the session."""
        try:
            self._journal.write(entry())
        except Exception as error:  # noqa: BLE001
            self._journal.give_up(error)


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
