"""Where a fleet's ledger is kept: `LocalStore`, one SQLite file for the processes of one machine."""

import json
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final, Protocol, cast

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.fleet.ledger import LEASE, Ledger
from telnyx_core.fleet.requests import Reply, Request
from telnyx_drivers._private_file import open_private

_WAIT: Final = 2.0
"""Seconds for another process's transaction, which takes milliseconds."""
_TOMBSTONES: Final = 10_000
"""Transactions after which it is no longer noted that a document was removed. Who is further behind reads all of it."""


class FleetStore(Protocol):
    """Keeps one ledger and applies one request after the other, whoever asks.

    Methods are called in threads, wait for at most some seconds, and raise ``OSError`` where the ledger cannot be
    reached. An object is sent to every worker by `pickle`.
    """

    def apply(self, request: Request) -> Reply:
        """Apply it, and have the change kept before this returns. It may be asked for a second time."""
        ...

    def concerns(self, shard: int | None) -> object:
        """As `telnyx_core.fleet.Ledger.concerns`. Asked for many times a second."""
        ...


class LocalStore:
    """A folder of one machine, private to its user. ``lease`` is in seconds; all who use the folder must say the same.

    The time is that of the machine, so processes of two machines must not share one.
    """

    def __init__(self, folder: str | os.PathLike[str], *, lease: float = LEASE) -> None:
        self.folder = Path(folder)
        self.lease = lease
        self._begin()

    def __getstate__(self) -> tuple[Path, float]:
        return (self.folder, self.lease)

    def __setstate__(self, state: tuple[Path, float]) -> None:
        self.folder, self.lease = state
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._ledger = Ledger(lease=self.lease)
        """As of `_revision`."""
        self._revision = 0

    def apply(self, request: Request) -> Reply:
        """Apply one request. Raises ``OSError``."""
        with self._lock:
            try:
                return self._apply(self._open(), request)
            except sqlite3.Error as error:
                raise OSError(f"the fleet's ledger in {self.folder} cannot be used: {error}") from None

    def concerns(self, shard: int | None) -> object:
        """What there is to be done. Raises ``OSError``."""
        with self._lock:
            try:
                self._catch_up(self._open())
            except sqlite3.Error as error:
                raise OSError(f"the fleet's ledger in {self.folder} cannot be read: {error}") from None
            return self._ledger.concerns(shard)

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / "fleet.sqlite"
            os.close(open_private(path, os.O_CREAT))  # SQLite gives the files beside it the same permissions.
            made = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                made.execute("PRAGMA journal_mode = WAL")
                made.execute("PRAGMA synchronous = FULL")  # What was dialled must be known after a power cut, too.
                made.execute(
                    "CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, text TEXT)"
                )
                made.execute("CREATE INDEX IF NOT EXISTS by_revision ON documents (revision)")
            except sqlite3.Error:
                made.close()
                raise
            self._connection = made
        return self._connection

    def _apply(self, connection: sqlite3.Connection, request: Request) -> Reply:
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._catch_up(connection)
            reply = self._ledger.apply(request, now=time.monotonic())
            changes = self._ledger.changes()
            if changes:
                revision = self._revision + 1
                connection.executemany(
                    "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                    [
                        (name, revision, None if document is None else json.dumps(document))
                        for name, document in changes.items()
                    ],
                )
                connection.execute(
                    "DELETE FROM documents WHERE text IS NULL AND revision < ?", (revision - _TOMBSTONES,)
                )
                self._revision = revision
            connection.execute("COMMIT")
        except BaseException:
            self._forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return reply

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        (newest,) = connection.execute("SELECT max(revision) FROM documents").fetchone()
        newest = cast("int | None", newest) or 0
        if newest == self._revision:
            return
        if newest < self._revision or newest - self._revision >= _TOMBSTONES:
            self._forget()
        rows = cast(
            "list[tuple[str, str | None]]",
            connection.execute("SELECT name, text FROM documents WHERE revision > ?", (self._revision,)).fetchall(),
        )
        try:
            self._ledger.load(
                {name: None if text is None else cast("JsonObject", json.loads(text)) for name, text in rows}
            )
        except ValueError as error:
            self._forget()
            raise OSError(f"the fleet's ledger in {self.folder} is not readable: {error}") from None
        self._revision = newest

    def _forget(self) -> None:
        self._ledger = Ledger(lease=self.lease)
        self._revision = 0
