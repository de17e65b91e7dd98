"""A desk for other processes of the same user, over a Unix socket that nobody else can open."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_drivers._tools.watch.desk import Desk

EVERY: Final = 0.25
"""Seconds between two snapshots."""
_MOST_LINE: Final = 1 << 20
"""Bytes of one snapshot: some thousand calls."""
_MOST_COMMAND: Final = 4_096
"""Bytes of one command."""
_BEHIND: Final = 1 << 18
"""Bytes that a watcher may be behind; until it has read them it gets no more snapshots."""


@asynccontextmanager
async def offered(desk: Desk, path: Path) -> AsyncGenerator[None, None]:
    """While this lasts, `attached` reaches the desk at ``path``, which only this user can open.

    A socket that a dead process has left there is replaced. Raises ``OSError`` where one is in use, or another file.
    """
    listening = _bind(path)
    talks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def over(task: asyncio.Task[None]) -> None:
            # Not in the task, which may be cancelled before it begins.
            talks.discard(task)
            writer.close()

        talk = asyncio.create_task(_talk(desk, reader, writer))
        talks.add(talk)
        talk.add_done_callback(over)

    server = await asyncio.start_unix_server(serve, sock=listening, limit=_MOST_COMMAND)
    try:
        yield
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)  # in which the connections are closed
        path.unlink(missing_ok=True)  # noqa: ASYNC240  # at once, as the bind


def _bind(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} is a file, and no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise FileExistsError(f"{path} is in use by another process")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)  # with the bind, not after it: there must be no moment in which others can connect
    try:
        listening.bind(str(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


async def _talk(desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    showing = asyncio.create_task(_show(desk, writer))
    try:
        with contextlib.suppress(ConnectionError, ValueError):  # ValueError: a line that is too long
            while line := await reader.readline():
                said = await desk.do(_object(line))
                writer.write(json.dumps({"said": said}).encode() + b"\n")
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(desk: Desk, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        if writer.transport.get_write_buffer_size() < _BEHIND:
            writer.write(json.dumps(desk.snapshot()).encode() + b"\n")
        await asyncio.sleep(EVERY)


def _object(line: bytes) -> JsonObject:
    try:
        found: object = json.loads(line)
    except ValueError:
        found = None
    return cast("JsonObject", found) if isinstance(found, dict) else {}


class RemoteDesk:
    """The desk of another process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._snapshot: JsonView = {"state": "connecting", "calls": [], "remarks": []}
        self.tell: Callable[[str], None] = lambda said: None
        """Called with what became of each command."""

    def snapshot(self) -> JsonView:
        """The newest that has come."""
        return self._snapshot

    async def do(self, command: JsonView) -> str:
        """Sends it; `tell` hears what becomes of it."""
        self._writer.write(json.dumps(dict(command)).encode() + b"\n")
        return ""

    async def run(self) -> None:
        """Take in snapshots until the process there ends."""
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                found = _object(line)
                if isinstance(said := found.get("said"), str):
                    self.tell(said)
                elif "calls" in found:
                    self._snapshot = found


@asynccontextmanager
async def attached(path: Path) -> AsyncGenerator[RemoteDesk, None]:
    """The desk at this socket. Raises ``OSError`` where nobody offers one."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=_MOST_LINE)
    try:
        yield RemoteDesk(reader, writer)
    finally:
        writer.close()
