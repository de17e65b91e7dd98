"""Where a session's values are kept between two processes: in memory, or in one private file.

A store that cannot read or write behaves as an empty one. The values route a later login back to the same server and
the same calls; they are worth as much as a session cookie, hence the care with permissions.
"""

import asyncio
import json
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, cast

from telnyx_core._wire.json_types import Json, JsonView
from telnyx_drivers import _logs as logs
from telnyx_drivers._arguments import path as check_path

LIMIT: Final = 1 << 20
"""Bytes read back at most; a real file holds a few hundred."""


class Store(Protocol):
    """The store of one client object; two clients must not share one at the same time."""

    def load(self) -> "JsonView | None":
        """What `save` was last given, or ``None``. Must not raise."""
        ...

    def save(self, values: JsonView) -> None:
        """Replace what is stored. Must not raise."""
        ...


class MemoryStore:
    """Lost with the process. Given to two clients one after the other, it lets the second take the session over."""

    def __init__(self) -> None:
        self._values: JsonView | None = None

    def load(self) -> "JsonView | None":
        """What was saved, or an empty mapping."""
        return self._values

    def save(self, values: JsonView) -> None:
        """Replace what was saved."""
        self._values = dict(values)


class FileStore:
    """One JSON file, readable by its owner only and replaced as a whole: a crash leaves the old or the new one.

    Within an event loop, `save` returns at once and a thread writes, because a disk may need a second to confirm.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check_path("path", path)
        self._path = Path(path)
        if not self._path.name:
            raise ValueError(f"path must name a file, and {os.fspath(path)!r} names none")

    def load(self) -> "JsonView | None":
        """What was saved, or an empty mapping."""
        self.flush()
        try:
            values = cast(Json, json.loads(_read(self._path)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            logs.client.warning("the stored session is not readable and counts as empty: %s", _reason(error))
            return None
        return values if isinstance(values, dict) else None

    def save(self, values: JsonView) -> None:
        """Replace what was saved, whole or not at all."""
        try:
            text = json.dumps(dict(values))
        except (ValueError, TypeError, RecursionError) as error:
            logs.client.warning("the session cannot be stored: %s", _reason(error))
            return
        if not (_on_a_loop() and _writer.put(self._path, text)):
            _write(self._path, text)

    def flush(self) -> None:
        """Wait until what was saved is written. Not on a loop that has something else to do."""
        _writer.wait(self._path)


class _Writer:
    """The thread that writes, while there is something to write; of each file only what was saved last."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._texts: dict[Path, str] = {}
        self._running = False

    def put(self, path: Path, text: str) -> bool:
        """False: no thread can be started any more, for the interpreter ends."""
        with self._changed:
            self._texts[path] = text
            if not self._running:
                try:
                    # No daemon: the interpreter waits for it.
                    threading.Thread(target=self._run, name="telnyx-store").start()
                except RuntimeError:
                    del self._texts[path]
                    return False
                self._running = True
        return True

    def wait(self, path: Path) -> None:
        with self._changed:
            self._changed.wait_for(lambda: path not in self._texts)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._texts:
                    self._running = False
                    return
                path, text = next(iter(self._texts.items()))
            try:
                _write(path, text)
            except Exception:  # noqa: BLE001  # whatever it is: others wait for this thread
                logs.client.exception("the session cannot be stored")
            with self._changed:
                if self._texts.get(path) is text:
                    del self._texts[path]
                self._changed.notify_all()


_writer = _Writer()


def _without_thread() -> None:
    """A fork has a copy of the pending writes, which belong to its parent, and no thread."""
    global _writer
    _writer = _Writer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_without_thread)


def _on_a_loop() -> bool:
    trio = sys.modules.get("trio")
    return asyncio._get_running_loop() is not None or (trio is not None and trio.lowlevel.in_trio_run())


def _read(path: Path) -> bytes:
    """Of a plain file: a pipe would never end."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise ValueError("too large")
    return data


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        _sweep(path)
        # O_EXCL: never write to another user's file, or to a link planted under the temporary name.
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        logs.client.warning("the session cannot be stored: %s", _reason(error))
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Delete temporary files of processes that were killed while writing: they hold the same secrets."""
    if os.name != "posix":
        return
    head, tail = f".{path.name}.", ".new"
    for left in path.parent.iterdir():
        process = left.name.removeprefix(head).removesuffix(tail)
        if left.name == head + process + tail and process.isdecimal() and not _lives(int(process)):
            left.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # another user's file
    return True


def _reason(error: Exception) -> str:
    """The reason without the parser's own message, which may quote what it read."""
    return str(error.strerror) if isinstance(error, OSError) else type(error).__name__
