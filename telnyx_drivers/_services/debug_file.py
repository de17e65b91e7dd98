"""Debug files: the timeline of each peer as one JSON array, private to its owner, whole or not there (DBG-020)."""

import atexit
import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from telnyx_core._wire.redaction import PLAIN, Redactor
from telnyx_core.actions import WriteDebug
from telnyx_drivers import _logs as logs
from telnyx_drivers._worker_threads import in_thread

_STAMP: Final = 1000


class DebugFiles:
    """Writes each debug file that the core orders, in a thread; at an early end of the process, all that are left.

    ``unwritten`` gives what would be lost now. ``directory`` must exist. Nothing is raised: what fails is logged.
    """

    def __init__(
        self, directory: Path, unwritten: Callable[[], Iterable[WriteDebug]], redactor: Redactor = PLAIN
    ) -> None:
        self._directory = directory
        self._redactor = redactor
        self._unwritten = unwritten
        self._pending: dict[str, WriteDebug] = {}
        self._open = True
        self._process = os.getpid()
        atexit.register(self._at_exit)

    def write(self, action: WriteDebug) -> Callable[[], Awaitable[None]]:
        """What to run in a task; until it has ended, the file is among those written at exit."""
        self._pending[action.report] = action

        async def run() -> None:
            try:
                await in_thread(partial(self._write, action))
            finally:
                self._pending.pop(action.report, None)

        return run

    def close(self) -> None:
        """Write what is left, and forget about the end of the process. Idempotent."""
        if self._open:
            self._open = False
            atexit.unregister(self._at_exit)
            for action in list(self._pending.values()):
                self._write(action)
            self._pending.clear()

    def _at_exit(self) -> None:
        for action in (*self._pending.values(), *self._unwritten()):
            self._write(action)

    def _write(self, action: WriteDebug) -> None:
        if self._process != os.getpid():
            return  # a fork has a copy of its parent's calls
        path = self._directory / file_name(action)
        try:
            write_private(path, render(action, self._redactor))
        except OSError as error:
            logs.reports.error("the debug file %s was not written: %s", path, error)
        else:
            logs.reports.info("debug file %s", path)


def file_name(action: WriteDebug) -> str:
    return f"webrtc-stats-{action.report}-{round(action.at * _STAMP)}.json"


def render(action: WriteDebug, redactor: Redactor = PLAIN) -> str:
    """A JSON array, one entry to a line."""
    lines = ",\n".join(json.dumps(entry.record(action.report, redactor)) for entry in action.entries)
    return f"[\n{lines}\n]\n"


def write_private(path: Path, text: str) -> None:
    """All of it or nothing, readable for the owner alone. Raises `OSError`, also where a symbolic link stands there."""
    if path.is_symlink():
        # Replacing would remove a link and leave its target unchanged, but the link's owner expects the text there.
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.replace(name, path)  # both are on one file system
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
