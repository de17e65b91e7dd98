"""The clients' sockets: frames in, frames out, and the faults that were ordered for either."""

from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from telnyx_core._signalling.messages import AI_CONVERSATION, PING
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import NOT_JSON, Garbage, Plain, Reply, Request, batch, decode, encode, string
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import SendText
from telnyx_core.gateway.actions import AbortConnection, CloseConnection
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import Acknowledged, ClientConnected, ClientLost, FaultStruck, FrameRejected
from telnyx_core.gateway.faults import Delay, Drop, Duplicate, FaultTable, Garble, Place, Refuse, Swallow
from telnyx_core.gateway.records import ClientSocket, DelayedFrame, expiry
from telnyx_core.ids import CallId, SocketId

Way: TypeAlias = Literal["in", "out"]
"""What clients send, or what the gateway sends."""

MAX_AWAITED: Final = 256
"""Requests of ours that a client has not acknowledged. It need not acknowledge any, so the oldest go."""

MAX_FRAME_BYTES: Final = 1_000_000
"""A longer frame loses its socket at once."""

INVALID_REQUEST: Final = -32600

ABNORMAL: Final = 1006
"""What an aborted connection looks like from either end (RFC 6455)."""


class Lines:
    """Sockets by handle. The three callbacks are the rest of the gateway."""

    def __init__(
        self,
        context: Context,
        *,
        on_request: Callable[[ClientSocket, Request], None],
        on_plain: Callable[[ClientSocket, str], None],
        on_reply: Callable[[ClientSocket, str, CallId | None, Reply], None],
        on_lost: Callable[[ClientSocket], None],
        user_of: Callable[[ClientSocket, Request], str | None],
    ) -> None:
        self.faults = FaultTable(context.options.faults)
        self._context = context
        self._lines: dict[SocketId, ClientSocket] = {}
        self._on_request = on_request
        self._on_plain = on_plain
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._user_of = user_of

    def __iter__(self) -> Iterator[ClientSocket]:
        return iter(list(self._lines.values()))

    def get(self, socket: SocketId) -> ClientSocket | None:
        return self._lines.get(socket)

    # Coming and going.

    def accept(self, socket: SocketId, target: str, wall: float) -> None:
        if len(self._lines) >= self._context.options.limits.sockets:
            self._context.act(CloseConnection(socket, 1013, "too many connections"))
            return
        query = dict(parse_qsl(_query(target)))
        line = self._lines[socket] = ClientSocket(socket, query, wall - self._context.now)
        self._context.notify(ClientConnected(socket, {**query}))
        self._rest(line)

    def close(self, line: ClientSocket, code: int = 1000, reason: str = "") -> None:
        if line.socket in self._lines:
            self._context.act(CloseConnection(line.socket, code, reason))
            self.lost(line.socket, code)

    def abort(self, line: ClientSocket) -> None:
        if line.socket in self._lines:
            self._context.act(AbortConnection(line.socket))
            self.lost(line.socket, ABNORMAL)

    def lost(self, socket: SocketId, code: int) -> None:
        line = self._lines.pop(socket, None)
        if line is None:
            return
        self._context.timers.stop_all(line)
        for held in line.held:
            self._context.timers.stop_all(held)
        line.held.clear()
        self._context.notify(ClientLost(socket, line.user, code))
        self._on_lost(line)

    # In.

    def received(self, socket: SocketId, text: str) -> None:
        line = self._lines.get(socket)
        if line is None or line.deaf:
            return
        if len(text) > MAX_FRAME_BYTES or len(text.encode(errors="surrogatepass")) > MAX_FRAME_BYTES:
            self.abort(line)
            return
        self._rest(line)
        self._read(line, text, pristine=True)

    def touched(self, socket: SocketId) -> None:
        """A binary frame: activity, and nothing else."""
        line = self._lines.get(socket)
        if line is not None and not line.deaf:
            self._rest(line)

    def _read(self, line: ClientSocket, text: str, *, pristine: bool) -> None:
        """Read one frame. ``pristine``: no fault has been applied to it yet."""
        match decode(text):
            case Request() as request:
                if not self._echoed_ping(line, request):
                    self._requested(line, request, text, pristine=pristine)
            case Reply() as reply if (kind := _report_kind(reply)) is not None:
                self._requested(line, Request(reply.id, kind, {}, None, reply.frame), text, pristine=pristine)
            case Reply() as reply:
                self._acknowledged(line, reply)
            case Plain(text=plain):
                self._on_plain(line, plain)
            case Garbage(reason=reason):
                if (parts := batch(text)) is not None:
                    self._read_batch(line, parts, pristine=pristine)
                    return
                self._context.notify(FrameRejected(line.socket, "", reason))
                if reason != NOT_JSON:
                    return
                error: JsonObject = {"code": INVALID_REQUEST, "message": "Invalid Request"}
                self.put(line, encode({"jsonrpc": "2.0", "id": None, "error": error}))

    def _read_batch(self, line: ClientSocket, parts: list[str], *, pristine: bool) -> None:
        """Replies that are there at once go back together, as they came; other ones by themselves (PS-030)."""
        line.batch = []
        for part in parts:
            self._read(line, part, pristine=pristine)
        replies, line.batch = line.batch, None
        if replies:
            self.put(line, f"[{','.join(replies)}]")

    def _requested(self, line: ClientSocket, request: Request, text: str, *, pristine: bool) -> None:
        fault = self.faults.strike("request", request.method, self._user_of(line, request)) if pristine else None
        if fault is None:
            self._on_request(line, request)
            return
        self._context.notify(FaultStruck(line.socket, request.method, type(fault.do).__name__, fault.on))
        match fault.do:
            case Drop(when=when) as drop:
                if when == "after":
                    self._on_request(line, request)
                self._drop(line, drop)
            case Swallow():
                pass
            case Refuse(code=code, message=message, members=members):
                self.refuse(line, request, code, message, members)
            case Delay(seconds=seconds):
                self._hold(DelayedFrame(line, text, inbound=True), seconds)
            case Duplicate():
                self._on_request(line, request)
                if line.socket in self._lines:
                    self._on_request(line, request)
            case Garble(text=other):
                self._read(line, text[: len(text) // 2] if other is None else other, pristine=False)

    def _echoed_ping(self, line: ClientSocket, request: Request) -> bool:
        """A mobile client answers a ping with a copy of its frame (SIG-132): our own id comes back in a request."""
        if request.method != PING or not isinstance(request.id, int) or request.id not in line.awaited:
            return False
        del line.awaited[request.id]
        self._context.notify(Acknowledged(line.socket, PING, ok=True))
        return True

    def _acknowledged(self, line: ClientSocket, reply: Reply) -> None:
        awaited = line.awaited.pop(reply.id, None) if isinstance(reply.id, int) else None
        if awaited is None:
            return
        method, call = awaited
        self._context.notify(Acknowledged(line.socket, method, ok=reply.error is None))
        self._on_reply(line, method, call, reply)

    # Out.

    def push(self, line: ClientSocket, method: str, params: JsonObject, *, call: CallId | None = None) -> None:
        """A request of the gateway's own. Whether it is acknowledged changes nothing."""
        ident = self._context.request_id()
        line.awaited[ident] = (method, call)
        if len(line.awaited) > MAX_AWAITED:
            del line.awaited[next(iter(line.awaited))]
        frame: JsonObject = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}
        self.send(line, _routed(frame, line), "push", method)

    def converse(self, line: ClientSocket, params: JsonObject) -> None:
        """An ``ai_conversation`` frame: named by a string, never acknowledged."""
        frame: JsonObject = {"jsonrpc": "2.0", "id": self._context.uuid(), "method": AI_CONVERSATION, "params": params}
        self.send(line, _routed(frame, line), "push", AI_CONVERSATION)

    def reply(self, line: ClientSocket, request: Request, result: JsonObject) -> None:
        if request.id is not None:
            frame: JsonObject = {"jsonrpc": "2.0", "id": request.id, "result": result}
            self.send(line, _routed(frame, line), "reply", request.method)

    def refuse(
        self, line: ClientSocket, request: Request, code: int, message: str, members: JsonView | None = None
    ) -> None:
        """An error reply; like the platform's it carries no routing token."""
        self._context.notify(FrameRejected(line.socket, request.method, message))
        if request.id is not None:
            error: JsonObject = {"code": code, "message": message, **(members or {})}
            self.send(line, {"jsonrpc": "2.0", "id": request.id, "error": error}, "reply", request.method)

    def send(self, line: ClientSocket, frame: JsonObject, place: Place, method: str) -> None:
        text = encode(frame)
        fault = self.faults.strike(place, method, line.user)
        if fault is None:
            if place == "reply" and line.batch is not None:
                line.batch.append(text)
            else:
                self.put(line, text)
            return
        self._context.notify(FaultStruck(line.socket, method, type(fault.do).__name__, fault.on))
        match fault.do:
            case Drop(when=when) as drop:
                if when == "after":
                    self.put(line, text)
                self._drop(line, drop)
            case Swallow():
                pass
            case Delay(seconds=seconds):
                self._hold(DelayedFrame(line, text, inbound=False), seconds)
            case Duplicate():
                self.put(line, text)
                self.put(line, text)
            case Garble(text=other):
                self.put(line, text[: len(text) // 2] if other is None else other)
            case Refuse():
                raise AssertionError("`Fault` does not let a reply or a push be refused")

    def put(self, line: ClientSocket, text: str) -> None:
        if line.socket in self._lines and not line.outbound_blocked:
            self._context.act(SendText(line.socket, text))

    # Time.

    def ping(self, line: ClientSocket) -> None:
        """The socket has been idle for the ping interval: ping it."""
        self._rest(line)
        if line.session is None:
            return  # A socket that has not logged in is not pinged; it could not answer (SIG-132).
        line.serno += 1
        serno: JsonObject = {"serno": line.serno} if self._context.options.quirks.ping_serno else {}
        self.push(line, PING, {**serno, **expiry(line)})

    def release(self, held: DelayedFrame) -> None:
        """A delay is over."""
        held.line.held.discard(held)
        if held.inbound:
            self._read(held.line, held.text, pristine=False)
        else:
            self.put(held.line, held.text)

    def _rest(self, line: ClientSocket) -> None:
        interval = self._context.options.ping_interval
        if interval is not None:
            self._context.timers.set(Timer.KEEPALIVE, self._context.now + interval, line)

    def _hold(self, held: DelayedFrame, seconds: float) -> None:
        held.line.held.add(held)
        self._context.timers.set(Timer.REQUEST, self._context.now + seconds, held)

    def _drop(self, line: ClientSocket, drop: Drop) -> None:
        """Stop the traffic at once; the loss itself is handled only after the work in progress."""
        line.deaf = line.outbound_blocked = True
        if drop.code is None:
            self._context.afterwards(lambda: self.abort(line))
        else:
            code = drop.code
            self._context.afterwards(lambda: self.close(line, code, drop.reason))


def _query(target: str) -> str:
    try:
        return urlsplit(target).query
    except ValueError:
        return ""


def _report_kind(reply: Reply) -> str | None:
    """A debug report has an id and a type, but no method (SIG-055)."""
    kind = string(reply.frame, "type")
    return kind if kind is not None and kind.startswith("debug_report_") else None


def _routed(frame: JsonObject, line: ClientSocket) -> JsonObject:
    """Add the routing token that requests and results carry (SIG-057)."""
    if line.session is not None:
        frame["voice_sdk_id"] = line.session.voice_sdk_id
    return frame
