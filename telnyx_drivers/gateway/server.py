"""`Gateway`: the gateway's core, driven by real sockets and a media engine on one asyncio loop."""

import asyncio
import contextlib
import ipaddress
import logging
import ssl as tls
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random, SystemRandom
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar, Unpack

from attrs import evolve
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from telnyx_core._time.limits import MAX_FRAME_CHARS
from telnyx_core.actions import SendText
from telnyx_core.errors import InvalidCallState
from telnyx_core.facts import BinaryReceived, SocketClosed, TextReceived
from telnyx_core.gateway.actions import (
    AbortConnection,
    CloseConnection,
    Feed,
    GatewayAction,
    GatewayNotify,
    ReleaseCall,
)
from telnyx_core.gateway.core import GatewayCore
from telnyx_core.gateway.events import CallRecordingReceived, CallReportReceived, GatewayEvent
from telnyx_core.gateway.facts import GatewayFact, SocketAccepted
from telnyx_core.gateway.options import GatewayOptions
from telnyx_core.ids import CallId, SocketId
from telnyx_drivers import _logs as logs
from telnyx_drivers._emitter import Broadcast, EventStream
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import MediaEngine, Report
from telnyx_drivers.gateway.commands import Commands
from telnyx_drivers.gateway.feeds import Feeds
from telnyx_drivers.gateway.http_uploads import RECORDING, HttpUploads, Upload
from telnyx_drivers.gateway.keywords import GatewayKeywords
from telnyx_drivers.gateway.sockets import CLOSE_SECONDS, Outlet, Socket

E = TypeVar("E", bound=GatewayEvent)
EngineFactory: TypeAlias = Callable[[Report], MediaEngine]

HISTORY: Final = 10_000
"""Events remembered for `Gateway.wait_for`; the oldest go."""
MAX_UPLOADED: Final = 64 << 20
"""Bytes of memory for the uploads among them, because any client that reaches the port may send any number."""

_log = logs.of_module("telnyx_drivers.gateway")
_websockets_log = logs.of_module("telnyx_drivers.gateway.websockets")
# At the debug level the library logs frames, and logins are among them. A level of the logger's own would let through
# what the application has asked not to see.
_websockets_log.addFilter(lambda record: record.levelno > logging.DEBUG)


class Gateway(Commands):
    """A gateway for the time of an ``async with`` block.

    Options are those of `GatewayOptions`, as one object, as keywords, or both. It listens on loopback, on a free port,
    unless told otherwise; with ``ssl`` on ``wss``. ``engine`` makes the media engine; by default real media is
    negotiated and sent, ``media_delay`` seconds later each way than it would be. ``rng`` is where ids come from.

    Leaving the block closes every socket (1001), peer and task within a few seconds, also when cancelled. A fault of
    the gateway itself is raised there.
    """

    def __init__(
        self,
        options: GatewayOptions | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: tls.SSLContext | None = None,
        engine: EngineFactory | None = None,
        media_delay: float = 0.0,
        rng: Random | None = None,
        **keywords: Unpack[GatewayKeywords],
    ) -> None:
        options = GatewayOptions(**keywords) if options is None else evolve(options, **keywords)
        self.core = GatewayCore(options, rng=rng or SystemRandom())
        """The machine itself, to look at; its commands are this object's methods."""
        self.history: deque[GatewayEvent] = deque(maxlen=HISTORY)
        self._uploads: deque[tuple[GatewayEvent, int]] = deque(maxlen=HISTORY)
        """The uploads among them, with the memory that each takes."""
        self._host = host
        self._port = port
        self._ssl = ssl
        self.media_loss = 0.0
        """The share of the media's packets, 0 to 1, that is lost from now on, at random and each way."""
        self._chance = Random(0)  # noqa: S311  # the same packets in each run
        self._make_engine = engine or _engine_for(host, media_delay, self._loses)
        self._engine: MediaEngine | None = None
        self._feeds: Feeds | None = None
        self._server: Server | None = None
        self._reception = HttpUploads(self._report_uploaded)
        self._sockets: dict[SocketId, Outlet] = {}
        self._accepted = 0
        self._timer: asyncio.TimerHandle | None = None
        self._events: Broadcast[GatewayEvent] = Broadcast()
        self._closing: asyncio.Task[None] | None = None
        self._fault: Exception | None = None

    async def __aenter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("a gateway runs once")
        self._engine = self._make_engine(self._tell)
        self._feeds = Feeds(self._engine)
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._port,
                ssl=self._ssl,
                compression=None,
                max_size=MAX_FRAME_CHARS,
                ping_interval=None,
                close_timeout=CLOSE_SECONDS,
                create_connection=self._reception.door(),
                logger=_websockets_log,
            )
        except BaseException:
            await self.aclose()
            raise
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
        if self._fault is not None and error is None:
            raise self._fault

    @property
    def port(self) -> int:
        """The port it listens on. Raises `RuntimeError` before the block is entered."""
        if self._server is None:
            raise RuntimeError("the gateway is not running")
        return self._port

    @property
    def url(self) -> str:
        """Where clients connect to, for their option ``env``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'ws' if self._ssl is None else 'wss'}://{host}:{self.port}"

    def _loses(self) -> bool:
        """For a packet of the media: whether it is lost."""
        return self.media_loss > 0.0 and self._chance.random() < self.media_loss

    def audio(self, call: CallId) -> CallAudio:
        """The gateway's side of a call's audio: hear what the client says, or say something to it.

        It is mixed with whatever the call is fed; ``silence`` as the far end leaves it all to this.
        """
        if call not in self.core.calls or self._engine is None:
            raise InvalidCallState(f"no call {call}")
        return self._engine.audio(call)

    # What happens.

    def events(self) -> EventStream[GatewayEvent]:
        """Everything that happens from now on: ``async for event in gateway.events(): ...``. Ends with the gateway."""
        stream = self._events.stream()
        if self._closing is not None and self._closing.done():
            stream.end()
        return stream

    async def wait_for(
        self, kind: type[E], where: Callable[[E], bool] | None = None, *, timeout: float | None = 10.0
    ) -> E:
        """The first event of this kind for which ``where`` holds, whether it has happened yet or not.

        Raises `TimeoutError` after ``timeout`` seconds, `RuntimeError` when the gateway ends before.
        """

        def matches(event: GatewayEvent) -> bool:
            return isinstance(event, kind) and (where is None or where(event))

        stream = self.events()
        for event in self.history:
            if matches(event):
                assert isinstance(event, kind), "it matches"
                return event
        async with asyncio.timeout(timeout), contextlib.aclosing(stream):
            async for event in stream:
                if isinstance(event, kind) and matches(event):
                    return event
        raise RuntimeError(f"the gateway ended before there was a {kind.__name__}")

    # The drive: mutate, drain, wait.

    @contextmanager
    def _command(self) -> Generator[float, None, None]:
        """A command of the core: it is given the time, and its actions are performed."""
        loop = asyncio.get_running_loop()
        try:
            yield loop.time()
        finally:
            self._drain()

    def _tell(self, fact: GatewayFact) -> None:
        if self._fault is None and (self._closing is None or not isinstance(fact, SocketAccepted)):
            with self._watched():
                self.core.receive(fact, now=asyncio.get_running_loop().time())
                self._drain()

    def _wake(self) -> None:
        with self._watched():
            self.core.handle_timeout(now=asyncio.get_running_loop().time())
            self._drain()

    @contextmanager
    def _watched(self) -> Generator[None, None, None]:
        """A fault of the gateway ends it with an exception, so that it does not stay half alive."""
        try:
            yield
        except Exception as fault:  # noqa: BLE001  whatever it is, it is a fault of this package
            _log.exception("the gateway broke")
            if self._fault is None:
                self._fault = fault
            _ = self._begin_closing()

    def _drain(self) -> None:
        while (action := self.core.next_action()) is not None:
            self._perform(action)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.core.next_timeout()
        if due is not None and self._closing is None:
            self._timer = asyncio.get_running_loop().call_at(due, self._wake)

    def _perform(self, action: GatewayAction) -> None:
        assert self._engine is not None, "nothing happens before the gateway runs"
        assert self._feeds is not None, "feeds come with the engine"
        match action:
            case SendText(socket=socket, text=text):
                if (line := self._sockets.get(socket)) is not None:
                    line.send(text)
            case CloseConnection(socket=socket, code=code, reason=reason):
                if (line := self._sockets.pop(socket, None)) is not None:
                    line.close(code, reason)
            case AbortConnection(socket=socket):
                if (line := self._sockets.pop(socket, None)) is not None:
                    line.abort()
            case Feed(call=call, source=source):
                self._feeds.feed(call, source)
            case ReleaseCall(call=call):
                self._feeds.release(call)
            case GatewayNotify(event=event):
                self._notify(event)
            case _:
                self._engine.perform(action)

    def _notify(self, event: GatewayEvent) -> None:
        self.history.append(event)
        self._events.publish(event)

    def _report_uploaded(self, upload: Upload) -> None:
        call, report_id = (upload.headers.get(name, "") for name in ("x-call-id", "x-call-report-id"))
        if upload.path == RECORDING:
            event: GatewayEvent = CallRecordingReceived(call, str(upload.report.get("track")), upload.report)
        else:
            event = CallReportReceived(call, report_id, upload.report)
        self._notify(event)
        self._uploads.append((event, upload.cost))
        while sum(cost for _, cost in self._uploads) > MAX_UPLOADED and len(self._uploads) > 1:
            oldest, _ = self._uploads.popleft()
            kept = [one for one in self.history if one is not oldest]
            self.history.clear()
            self.history.extend(kept)

    # Sockets.

    async def _serve(self, connection: ServerConnection) -> None:
        self._accepted += 1
        socket, line = SocketId(self._accepted), Socket(connection)
        self._sockets[socket] = line
        request = connection.request
        assert request is not None, "the handshake is over"
        self._tell(SocketAccepted(socket, request.path, time.time()))
        writer = asyncio.create_task(line.write(), name=f"gateway socket {socket}")
        try:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    message = await connection.recv()
                    if isinstance(message, str):
                        self._tell(TextReceived(socket, message))
                    else:
                        self._tell(BinaryReceived(socket, len(message)))
        finally:
            self._sockets.pop(socket, None)
            if not line.closing:
                writer.cancel()
            code = connection.close_code or 1006
            self._tell(SocketClosed(socket, code, connection.close_reason or "", clean=code != 1006))
            await asyncio.wait([writer])

    # The end.

    async def aclose(self) -> None:
        """Close everything within a bounded time, also when cancelled. Idempotent; leaving the block calls it."""
        closing = self._begin_closing()
        cancelled = False
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    def _begin_closing(self) -> "asyncio.Task[None]":
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="close the gateway")
        return self._closing

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
            ended = asyncio.create_task(self._server.wait_closed())
            await asyncio.wait([ended], timeout=CLOSE_SECONDS + 1.0)
            self._reception.abort()
            await ended
        if self._engine is not None:
            await self._engine.aclose()
        self._events.end()


def _engine_for(host: str, delay: float, lose: Callable[[], bool]) -> EngineFactory:
    """Real media, on a path chosen as the platform chooses it. On loopback it leaves this machine never."""

    def make(report: Report) -> MediaEngine:
        from telnyx_drivers._webrtc.engine import AiortcEngine, settings_for
        from telnyx_drivers.gateway.lossy import lossy_path

        path = lossy_path(lose)
        settings = evolve(settings_for("ws://localhost"), stands_in_for_server=True, delay=delay, rtp_path=path)
        return AiortcEngine(report, settings=evolve(settings, addresses=list[str]) if _is_loopback(host) else settings)

    return make


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
