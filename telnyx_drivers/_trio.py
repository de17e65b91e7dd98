"""The client on trio: sockets by `trio_websocket`, tasks in a system nursery."""

import contextlib
import math
import ssl as tls
import time
from collections.abc import Awaitable, Callable
from typing import Final, cast

import trio
from attrs import define, field
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from telnyx_core.facts import BinaryReceived, SocketClosed, SocketOpened, SocketRefused, TextReceived
from telnyx_core.ids import SocketId
from telnyx_core.session import Session
from telnyx_drivers import _logs as logs
from telnyx_drivers._client import MAX_FRAME, Client
from telnyx_drivers._driver import TOO_LONG, TOO_MANY, Audience, Backlog, CallSoon, Driver, Line
from telnyx_drivers._guard import isolated
from telnyx_drivers._reach.retry_after import seconds_of
from telnyx_drivers._reach.server_address import ServerAddress
from telnyx_drivers._reach.unreachable import is_for_good
from telnyx_drivers._webrtc.ports import EngineFactory

HANDLER_GRACE: Final = 5.0
"""Seconds that a cancelled handler of the application may take before the client goes without it."""

_MOST_WITHOUT_MESSAGE: Final = 3 * MAX_FRAME
"""Bytes: two messages as long as may be are read ahead, and a third is on its way. More are the headers of fragments,
which trio-websocket keeps however many they are.
"""

_PROTOCOL_FAILURES: Final = frozenset({1002, 1003, 1007, 1009})
"""Close codes with which one end gives the connection up (RFC 6455 section 7.4.1); trio-websocket hides which."""


@define(eq=False)
class _Task:
    scope: trio.CancelScope
    done: trio.Event = field(factory=trio.Event)
    itself: trio.lowlevel.Task | None = None


@define(eq=False)
class _Sentinel:
    """A task that notices the end of `trio.run`; one for each time that the run loop runs."""

    scope: trio.CancelScope | None = None
    dismissed: bool = False


class TrioDriver(Driver):
    """Its tasks are system tasks: a nursery around the application's block would wrap the application's exceptions
    into groups, and would be cancelled before the calls are hung up. `aclose` waits for their end.
    """

    def __init__(
        self, session: Session, engine: EngineFactory, audience: Audience, *, ssl: tls.SSLContext | None = None
    ) -> None:
        super().__init__(session, engine, audience, ssl=ssl)
        self.media_thread = True  # its libraries need asyncio
        self._woken = trio.Event()
        self._tasks: set[_Task] = set()
        self._sentinel: _Sentinel | None = None

    def now(self) -> float:
        return trio.current_time()

    def spawn(
        self, function: Callable[[], Awaitable[None]], ended: Callable[[], None] | None = None
    ) -> trio.CancelScope:
        return self._spawn(function, ended, shield=True)

    def _spawn(
        self, function: Callable[[], Awaitable[None]], ended: Callable[[], None] | None, *, shield: bool
    ) -> trio.CancelScope:
        # Shielded from the end of `trio.run`: `_part_with_loop` hangs up first, and then ends it.
        task = _Task(trio.CancelScope(shield=shield))

        async def run() -> None:
            task.itself = trio.lowlevel.current_task()
            try:
                # Outside the scope: what it lets through, alone or in a group, would be an internal error of trio's.
                with logs.of_client(self.debug), isolated("a task of the client"), task.scope:
                    await function()
            finally:
                self._tasks.discard(task)
                task.done.set()
                if ended is not None:
                    ended()
                self._dismiss_when_idle()

        self._tasks.add(task)
        trio.lowlevel.spawn_system_task(run)
        return task.scope

    def start(self) -> None:
        began = not self._running
        super().start()
        if began and self._running:
            self._dismiss()
            sentinel = self._sentinel = _Sentinel()
            sentinel.scope = self._spawn(lambda: self._part_with_loop(sentinel), None, shield=False)

    def _dismiss_when_idle(self) -> None:
        """A handler may outlive a `disconnect`: unless it is cancelled, `trio.run` would wait for it without end."""
        sentinel = self._sentinel
        if sentinel is not None and not self._running and all(task.scope is sentinel.scope for task in self._tasks):
            self._dismiss()

    def _dismiss(self) -> None:
        if self._sentinel is not None:
            self._sentinel.dismissed = True
            if self._sentinel.scope is not None:
                self._sentinel.scope.cancel()
            self._sentinel = None

    async def _part_with_loop(self, sentinel: _Sentinel) -> None:
        """Only the end of `trio.run`, whose main task has ended, cancels this from outside.

        A client that connects again has another sentinel by the time that a dismissed one ends.
        """
        try:
            await trio.sleep_forever()
        finally:
            if not sentinel.dismissed:
                await self.farewell()
                with trio.CancelScope(shield=True):
                    await self.cancel_tasks()

    def _soon(self) -> CallSoon:
        token = trio.lowlevel.current_trio_token()

        def soon(function: Callable[[], None]) -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(function)

        return soon

    async def shielded(self, function: Callable[[], Awaitable[None]]) -> None:
        with trio.CancelScope(shield=True):
            await function()

    async def cancel_tasks(self) -> None:
        self._dismiss()
        current = trio.lowlevel.current_task()
        others: list[_Task] = []
        with trio.move_on_after(HANDLER_GRACE):
            # What a task begins while it ends, ends too: nothing else would, and `trio.run` would wait without end.
            while others := [task for task in self._tasks if task.itself is not current]:
                for task in others:
                    task.scope.cancel()
                for task in others:
                    await task.done.wait()
            return
        for task in others:
            if not task.done.is_set():
                logs.client.error("a handler does not end when it is cancelled: %r", task.itself)

    def _wake(self) -> None:
        self._woken.set()

    async def _wait(self, deadline: float | None) -> None:
        with trio.CancelScope(deadline=math.inf if deadline is None else deadline):
            await self._woken.wait()
        if self._woken.is_set():
            self._woken = trio.Event()

    def _dial(self, socket: SocketId, url: str) -> Line:
        return _Line(self, socket, url)


class _WatchedStream(trio.abc.Stream):
    """Records how a stream ended: trio-websocket hides it, and waits without end for a handshake that was cut short."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.error = ""
        self.received = 0
        """Bytes since the last message."""
        self.on_end: Callable[[], None] | None = None

    @property
    def ends(self) -> tuple[str, str]:
        """The addresses here and there, empty when it is over already."""
        stream = self._stream
        if isinstance(stream, trio.SSLStream):
            stream = cast("trio.SSLStream[trio.abc.Stream]", stream).transport_stream
        assert isinstance(stream, trio.SocketStream), "a TCP connection, or TLS over one"
        try:
            return stream.socket.getsockname()[0], stream.socket.getpeername()[0]
        except OSError:
            return "", ""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            self._end(_text(error))
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._end(_text(error))
            raise
        if not data:
            self._end("")
        self.received += len(data)
        if self.received > _MOST_WITHOUT_MESSAGE:
            self._end(f"1009 {TOO_MANY}")
            raise trio.BrokenResourceError(self.error)
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _end(self, error: str) -> None:
        self.error = self.error or error
        if self.on_end is not None:
            self.on_end()


class _Line:
    """One WebSocket: a task that opens it and reads, and a second one that writes."""

    def __init__(self, driver: TrioDriver, socket: SocketId, url: str) -> None:
        self._driver = driver
        self._socket = socket
        self._url = url
        self._outbox, self._to_send = trio.open_memory_channel[str | None](math.inf)
        self._backlog = Backlog()
        self._open = self._abandoned = False
        self._closing: trio.Event | None = None
        self._unread = ""
        """Why the connection is dropped, where the server does not read what we send."""
        self._end: SocketClosed | SocketRefused = SocketClosed(socket, 1006, "", clean=False)
        self._scope = driver.spawn(self._run, self._over)

    def send(self, text: str) -> None:
        if self._backlog.add(len(text)):
            self._outbox.send_nowait(text)
        elif not self._unread:
            # Messages for a server that does not read are not kept: they would only use memory.
            self._unread = self._backlog.reproach
            self._scope.cancel()

    @property
    def backlog(self) -> int:
        return self._backlog.waiting

    def close(self) -> None:
        if self._open:
            self._outbox.send_nowait(None)
        else:
            self._scope.cancel()

    def abandon(self) -> None:
        self._abandoned = True
        self._scope.cancel()

    def _over(self) -> None:
        """Whatever ended the task: exactly one end is told. Until the session has heard it, `send` may still come."""
        if not self._abandoned:
            self._driver.tell(self._failed(self._unread) if self._unread else self._end)

    async def _run(self) -> None:
        try:
            address = ServerAddress.parse(self._url)
        except ValueError as error:
            self._end = SocketRefused(self._socket, _text(error))
            return
        try:
            stream = await _connect(address, self._driver.ssl)
        except (OSError, trio.BrokenResourceError) as error:
            if is_for_good(_cause(error)):
                self._driver.cannot_work(self._socket)
            self._end = self._failed(_text(error))
            return
        try:
            self._end = await self._live(address, _WatchedStream(stream))
        except Exception as error:  # noqa: BLE001  # the WebSocket library's own tasks fail in any way the peer likes
            logs.signalling.debug("socket %d failed", self._socket, exc_info=error)
            first = _first(error)
            again = _retry_after(first)
            if not self._open and again is None:  # the server answered, but not as a WebSocket server
                self._driver.cannot_work(self._socket)
            self._end = self._failed(_text(first), again)
        finally:
            await trio.aclose_forcefully(stream)

    async def _live(self, address: ServerAddress, stream: _WatchedStream) -> SocketClosed:
        async with trio.open_nursery() as nursery:
            connection: WebSocketConnection | None = None
            with trio.CancelScope() as opening:
                stream.on_end = opening.cancel
                connection = await wrap_client_stream(
                    nursery,
                    cast("trio.SocketStream", stream),  # any stream does; the annotation is narrower than the code
                    address.authority,
                    address.resource,
                    max_message_size=MAX_FRAME,
                )
            if connection is None or opening.cancelled_caught:
                return self._failed(stream.error or "closed during the handshake")
            stream.on_end = None
            self._open = True
            self._driver.reached(self._socket, *stream.ends)
            self._driver.tell(SocketOpened(self._socket, time.time()))
            nursery.start_soon(self._write, connection)
            await self._read(connection, stream)
            if self._closing is not None:
                await self._closing.wait()
            nursery.cancel_scope.cancel()
        return self._closed(connection, stream)

    async def _read(self, connection: WebSocketConnection, stream: _WatchedStream) -> None:
        while True:
            try:
                message = await connection.get_message()
            except ConnectionClosed:
                return
            stream.received = 0
            if isinstance(message, str):
                self._driver.tell(TextReceived(self._socket, message))
            else:
                self._driver.tell(BinaryReceived(self._socket, len(message)))
            await self._driver.room()

    async def _write(self, connection: WebSocketConnection) -> None:
        try:
            while (text := await self._to_send.receive()) is not None:
                await connection.send_message(text)
                self._backlog.sent(len(text))
        except ConnectionClosed:
            return  # the reader gets the same exception and reports it
        self._closing = trio.Event()
        await connection.aclose()
        self._closing.set()

    def _closed(self, connection: WebSocketConnection, stream: _WatchedStream) -> SocketClosed:
        """The close as a fact. Clean means that both ends sent a close frame (RFC 6455 section 7.1.4)."""
        reason = connection.closed
        if reason is None or reason.code == 1006:
            return self._failed(stream.error)
        code, text = int(reason.code), reason.reason or ""
        if code in _PROTOCOL_FAILURES:
            return self._failed(f"{code} {TOO_LONG if code == 1009 else text}")
        return SocketClosed(self._socket, code, text, clean=True)

    def _failed(self, error: str, retry_after: float | None = None) -> SocketClosed:
        return SocketClosed(self._socket, 1006, "", clean=False, error=error, retry_after=retry_after)


async def _connect(address: ServerAddress, ssl: tls.SSLContext | None) -> trio.abc.Stream:
    if not address.secure:
        return await trio.open_tcp_stream(address.host, address.port)
    stream = await trio.open_ssl_over_tcp_stream(
        address.host, address.port, ssl_context=ssl or tls.create_default_context(), https_compatible=True
    )
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _first(error: Exception) -> Exception:
    """The innermost exception of a group."""
    if isinstance(error, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", error).exceptions[0])
    return error


def _retry_after(error: Exception) -> float | None:
    if isinstance(error, ConnectionRejected):
        for name, value in error.headers or ():
            if name.lower() == b"retry-after":
                return seconds_of(value.decode("latin-1"))
    return None


def _text(error: BaseException) -> str:
    cause = _cause(error)
    if isinstance(cause, ConnectionRejected):  # its own text is all of the headers, and the page
        return f"server rejected WebSocket connection: HTTP {cause.status_code}"
    return str(cause) or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """The system's own error: trio groups several attempts, and its broken-stream error has no reason."""
    while error.__cause__ is not None or isinstance(error, ExceptionGroup):
        error = _first(cast("ExceptionGroup[Exception]", error)) if error.__cause__ is None else error.__cause__
    return error


class TelnyxRTC(Client):
    __doc__ = Client.__doc__

    def _make_driver(self, session: Session, engine: EngineFactory, ssl: tls.SSLContext | None) -> Driver:
        return TrioDriver(session, engine, self, ssl=ssl)
