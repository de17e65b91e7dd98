"""The client on asyncio: sockets by `websockets`, tasks of the running loop."""

import asyncio
import contextlib
import os
import ssl as tls
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from telnyx_core.facts import BinaryReceived, SocketClosed, SocketOpened, SocketRefused, TextReceived
from telnyx_core.ids import SocketId
from telnyx_core.session import Session
from telnyx_drivers import _logs as logs
from telnyx_drivers._client import MAX_FRAME, Client
from telnyx_drivers._driver import (
    MAX_FRAGMENTS,
    MAX_OUTBOX,
    TOO_LONG,
    TOO_MANY,
    Audience,
    Backlog,
    CallSoon,
    Driver,
    Line,
)
from telnyx_drivers._guard import isolated
from telnyx_drivers._reach.happy_eyeballs import connect_tcp
from telnyx_drivers._reach.retry_after import seconds_of
from telnyx_drivers._reach.server_address import ServerAddress
from telnyx_drivers._reach.unreachable import is_for_good
from telnyx_drivers._webrtc.ports import EngineFactory

_OURS: Final = frozenset({1002, 1003, 1007, 1009})
"""Close codes with which our own end gives a connection up (RFC 6455 section 7.4.1)."""

READ_AT_ONCE: Final = 1 << 15
"""Bytes."""
READ_AHEAD: Final = 4
"""Frames, each as long as a message may be, that may wait to be looked at. More are left to the kernel."""
HANDLER_GRACE: Final = 5.0
"""Seconds that a cancelled handler of the application may take before the client goes without it."""


class _Task(asyncio.Task[None]):
    """A task of a client. Before it is cancelled with its loop, the client sends its ``bye`` messages.

    `asyncio.run` cancels every task after its main function has ended, while the loop is stopped; no other cancellation
    comes then, so it can be told apart. The loop then runs until all tasks have ended.
    """

    def __init__(self, driver: "AsyncioDriver", work: Coroutine[None, None, None]) -> None:
        self._driver = driver
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            assert driver.loop is not None, "the client was started on a loop, and that is being taken down"
            loop = driver.loop
        super().__init__(work, loop=loop)

    def cancel(self, msg: object = None) -> bool:
        if not self.get_loop().is_running() and self._driver.part_with_loop(self):
            return False
        return super().cancel(msg)


class AsyncioDriver(Driver):
    def __init__(
        self, session: Session, engine: EngineFactory, audience: Audience, *, ssl: tls.SSLContext | None = None
    ) -> None:
        super().__init__(session, engine, audience, ssl=ssl)
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop on which the client was started last."""
        self._parting: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        """The last of the tasks that a loop waits for when it is taken down."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def start(self) -> None:
        if not self._running:
            self._woken = asyncio.Event()  # an event belongs to the loop on which it was first awaited
            self.loop, self._parting, self._keeper = asyncio.get_running_loop(), None, None
        super().start()

    def spawn(
        self, function: Callable[[], Awaitable[None]], ended: Callable[[], None] | None = None
    ) -> asyncio.Task[None]:
        async def guarded() -> None:
            with logs.of_client(self.debug), isolated("a task of the client"):
                await function()

        return self._spawn(guarded, ended)

    def _spawn(
        self, function: Callable[[], Coroutine[None, None, None]], ended: Callable[[], None] | None = None
    ) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await function()
            finally:
                if asyncio.current_task() is self._keeper:
                    await self._end_all(self._keeper)

        def over(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if ended is not None:
                ended()

        task = _Task(self, run())
        self._tasks.add(task)
        task.add_done_callback(over)
        return task

    def part_with_loop(self, keeper: asyncio.Task[None]) -> bool:
        """Called when the loop is taken down after ``keeper`` ended. True: ``bye`` messages must be sent first."""
        if not self._running:
            return False
        if self._parting is None:
            self._keeper = keeper
            self._parting = self._spawn(self.farewell, self._end_keeper)
        return True

    def _end_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()

    async def _end_all(self, spared: "asyncio.Task[None] | None") -> set["asyncio.Task[None]"]:
        """Cancel all other tasks, and what they begin while they end: nothing else would end it.

        Returns those that have not ended in time.
        """
        while others := [task for task in self._tasks if task is not spared]:
            for task in others:
                task.cancel()
            _, stubborn = await asyncio.wait(others, timeout=HANDLER_GRACE)
            if stubborn:
                return stubborn
            await asyncio.sleep(0)  # a task that is cancelled before it begins does nothing at all
        return set()

    def _soon(self) -> CallSoon:
        loop = asyncio.get_running_loop()

        def soon(function: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(function)

        return soon

    async def shielded(self, function: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await function()

        task = self._spawn(run)
        cancelled: asyncio.CancelledError | None = None
        # One shield for each kind of cancellation: anyio's scopes, which cancel again and again, and `Task.cancel`.
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.wait([task])
                except asyncio.CancelledError as error:
                    cancelled = error
        task.result()
        if cancelled is not None:
            raise cancelled

    async def cancel_tasks(self) -> None:
        current = asyncio.current_task()
        if current is self._parting is not None:
            return
        for task in await self._end_all(current):
            logs.client.error("a handler does not end when it is cancelled: %r", task.get_coro())

    def _wake(self) -> None:
        self._woken.set()

    async def _wait(self, deadline: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._woken.wait()
        self._woken.clear()

    def _dial(self, socket: SocketId, url: str) -> Line:
        return _Line(self, socket, url, self.ssl)


class _Connection(ClientConnection):
    """A connection that answers pings itself, but stops doing so for a server that reads none of the answers."""

    line: "_Line"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        with contextlib.suppress(AttributeError):  # another library's loop, or TLS
            # asyncio reads 256 KiB at once by default: as the shortest frames these take thirty megabytes of memory.
            transport.max_size = READ_AT_ONCE  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > self.line.backlog + MAX_OUTBOX:
            self.line.drop()


class _Connect(connect):
    """Follows no redirect: browsers do not, and another host is not to be given the login."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Line:
    """One WebSocket: a task that opens it and reads, and a second one that writes."""

    def __init__(self, driver: AsyncioDriver, socket: SocketId, url: str, ssl: tls.SSLContext | None) -> None:
        self._driver = driver
        self._socket = socket
        self._url = url
        self._ssl = ssl
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._backlog = Backlog()
        self._unread = ""
        """Why the connection is dropped: the server does not read what is sent."""
        self._open = self._abandoned = False
        self._end: SocketClosed | SocketRefused = SocketClosed(socket, 1006, "", clean=False)
        self._task = driver.spawn(self._run, self._over)

    def send(self, text: str) -> None:
        if self._backlog.add(len(text)):
            self._outbox.put_nowait(text)
        else:
            self.drop()

    @property
    def backlog(self) -> int:
        return self._backlog.waiting

    def drop(self) -> None:
        """Drop the socket. Messages for a server that does not read are not kept: they would only use memory."""
        if not self._unread:
            self._unread = self._backlog.reproach
            self._task.cancel()

    def close(self) -> None:
        if self._open:
            self._outbox.put_nowait(None)
        else:
            self._task.cancel()

    def abandon(self) -> None:
        self._abandoned = True
        self._task.cancel()

    def _over(self) -> None:
        """However the task ended, even if it was cancelled before it began: report exactly one end."""
        if not self._abandoned:
            self._driver.tell(_failed(self._socket, self._unread) if self._unread else self._end)

    async def _run(self) -> None:
        self._end = await self._live()

    async def _live(self) -> SocketClosed | SocketRefused:
        try:
            address = ServerAddress.parse(self._url)
        except ValueError as error:
            return SocketRefused(self._socket, _text(error))
        try:
            sock = await connect_tcp(address.host, address.port)
        except OSError as error:
            if is_for_good(error):
                self._driver.cannot_work(self._socket)
            return _failed(self._socket, _text(error))

        class Connection(_Connection):
            line = self

        try:
            # The session has its own deadline for opening and pings by itself; proxies would hide where audio goes.
            connection = await _Connect(
                self._url,
                sock=sock,
                create_connection=Connection,
                compression=None,
                open_timeout=None,
                ping_interval=None,
                close_timeout=None,
                max_size=MAX_FRAME,
                max_queue=READ_AHEAD,
                proxy=None,
                ssl=(self._ssl or True) if address.secure else None,
                logger=logs.websocket,
            )
        except (OSError, EOFError) as error:  # before ValueError: a certificate error is both
            if is_for_good(error):
                self._driver.cannot_work(self._socket)
            return _failed(self._socket, _text(error))
        except (InvalidURI, ValueError, TypeError) as error:
            return SocketRefused(self._socket, _text(error))
        except InvalidStatus as error:
            again = seconds_of(error.response.headers.get("Retry-After"))
            if again is None:
                self._driver.cannot_work(self._socket)
            return _failed(self._socket, _text(error), again)
        except WebSocketException as error:
            if not isinstance(error.__cause__, EOFError):  # the server answered, but not as a WebSocket server
                self._driver.cannot_work(self._socket)
            return _failed(self._socket, _text(error))
        except BaseException:
            sock.close()  # cancelled before the transport took it over
            raise
        writer = self._driver.spawn(lambda: self._write(connection))
        try:
            self._open = True
            self._driver.reached(self._socket, connection.local_address[0], connection.remote_address[0])
            self._driver.tell(SocketOpened(self._socket, time.time()))
            return await self._read(connection)
        finally:
            writer.cancel()
            connection.transport.abort()

    async def _read(self, connection: ClientConnection) -> SocketClosed:
        try:
            while True:
                texts: list[str] = []
                size = count = 0
                async for piece in connection.recv_streaming():
                    count += 1
                    if count > MAX_FRAGMENTS:
                        return _failed(self._socket, f"1009 {TOO_MANY}")
                    if isinstance(piece, str):
                        texts.append(piece)
                    else:
                        size += len(piece)
                self._driver.tell(
                    TextReceived(self._socket, "".join(texts)) if texts else BinaryReceived(self._socket, size)
                )
                await self._driver.room()
        except ConnectionClosed as gone:
            return _closed(self._socket, gone)

    async def _write(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader gets the same exception and reports it
            while (text := await self._outbox.get()) is not None:
                await connection.send(text)
                self._backlog.sent(len(text))
            await connection.close()


def _closed(socket: SocketId, gone: ConnectionClosed) -> SocketClosed:
    """The close as a fact. Clean means that both ends sent a close frame (RFC 6455 section 7.1.4)."""
    clean = gone.rcvd is not None and gone.sent is not None
    if gone.rcvd is not None:
        return SocketClosed(socket, gone.rcvd.code, gone.rcvd.reason, clean=clean)
    if gone.sent is not None and gone.sent.code in _OURS:
        why = TOO_LONG if gone.sent.code == 1009 else gone.sent.reason
        return _failed(socket, f"{gone.sent.code} {why}")
    return _failed(socket, _text(gone.__cause__) if gone.__cause__ is not None else "")


def _failed(socket: SocketId, error: str, retry_after: float | None = None) -> SocketClosed:
    return SocketClosed(socket, 1006, "", clean=False, error=error, retry_after=retry_after)


def _text(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    # asyncio's text is "Connect call failed", whatever the system's reason was.
    return f"{os.strerror(error.errno)}: {text}" if isinstance(error, ConnectionError) and error.errno else text


class TelnyxRTC(Client):
    __doc__ = Client.__doc__

    def _make_driver(self, session: Session, engine: EngineFactory, ssl: tls.SSLContext | None) -> Driver:
        return AsyncioDriver(session, engine, self, ssl=ssl)
