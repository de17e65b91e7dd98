"""The WebSockets between one client and the gateway, with everything that can go wrong with them.

A simulation of TCP's guarantees, not of its bytes: each way keeps its order, what is stalled arrives in order when the
network heals, and a connection that has died delivers nothing more, unless `Wire.late_news` asks for a driver that
still reports what it had in hand.
"""

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from random import Random
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from attrs import define, field, frozen

from telnyx_core.facts import SocketClosed, SocketFact, SocketOpened, SocketRefused, TextReceived
from telnyx_core.gateway.facts import GatewayFact, SocketAccepted
from telnyx_core.ids import SocketId
from telnyx_core.testing.clock import Happening, VirtualClock

Way: TypeAlias = Literal["up", "down"]
"""``up`` is from the client to the gateway."""
WitnessedBy: TypeAlias = Literal["both", "client", "gateway"]

EPOCH: Final = 1_800_000_000.0
"""Epoch seconds at virtual time zero."""
ABNORMAL: Final = 1006


class Connecting(Enum):
    """What becomes of an attempt to connect."""

    WORKS = "works"
    REFUSED = "refused"
    """The port is closed: `SocketClosed` with an error."""
    SILENT = "silent"
    """No answer of any kind: only the core's own deadline ends it."""
    IMPOSSIBLE = "impossible"
    """Not even a socket object: `SocketRefused`."""


@frozen
class Frame:
    """One text frame as its sender handed it over."""

    at: float
    way: Way
    socket: SocketId
    """The client's number of the socket."""
    text: str = field(repr=False)


@define(eq=False)
class _Line:
    socket: SocketId
    far: SocketId
    client_end: bool = True
    """The client's driver still has it."""
    gateway_end: bool = False
    open: bool = False
    ready_at: dict[Way, float] = field(factory=lambda: dict[Way, float]({"up": 0.0, "down": 0.0}))
    queue: dict[Way, deque[Happening]] = field(
        factory=lambda: dict[Way, deque[Happening]]({"up": deque(), "down": deque()})
    )
    """Frames under way or stalled. The first that was sent arrives first, whatever the delays are."""
    stalled: dict[Way, int] = field(factory=lambda: dict[Way, int]({"up": 0, "down": 0}))
    """How many of those should have arrived."""


class Wire:
    """One client's way to the gateway. The attributes may be changed at any time and count from then on."""

    def __init__(
        self,
        clock: VirtualClock,
        rng: Random,
        far_ids: Iterator[int],
        *,
        tell_client: Callable[[SocketFact], None],
        tell_gateway: Callable[[GatewayFact], None],
    ) -> None:
        self.latency = 0.02
        """Seconds that a frame takes, each way."""
        self.jitter = 0.0
        """Up to so many seconds more, drawn for each frame; frames of one way do not overtake each other."""
        self.connecting = Connecting.WORKS
        self.closes = True
        """False: a closing handshake that the client begins is never completed."""
        self.gives_up_after = 120.0
        """Seconds until the gateway finds out that a connection is dead which only the client saw die."""
        self.late_news = False
        """Frames that are under way when their connection dies arrive all the same, as news of a dead handle."""
        self.log: list[Frame] = []
        self._clock = clock
        self._rng = rng
        self._far_ids = far_ids
        self._tell_client = tell_client
        self._tell_gateway = tell_gateway
        self._lines: dict[SocketId, _Line] = {}
        self._far: dict[SocketId, _Line] = {}
        self._holes: set[Way] = set()
        self._delivered = 0
        self._drop_at: int | None = None

    # What the client's driver does.

    def open(self, socket: SocketId, url: str) -> None:
        line = self._lines[socket] = _Line(socket, SocketId(next(self._far_ids)))
        self._far[line.far] = line
        match self.connecting:
            case Connecting.WORKS:
                parts = urlsplit(url)
                target = f"{parts.path or '/'}?{parts.query}"
                self._carry(line, "up", lambda: self._accept(line, target))
            case Connecting.REFUSED:
                self._clock.after(
                    self.latency, lambda: self._client_lost(line, ABNORMAL, "", error="connection refused")
                )
            case Connecting.IMPOSSIBLE:
                self._clock.after(0.0, lambda: self._refuse(line))
            case Connecting.SILENT:
                pass

    def send(self, socket: SocketId, text: str) -> None:
        line = self._lines.get(socket)
        if line is not None:
            self.log.append(Frame(self._clock.now, "up", socket, text))
            self._carry(line, "up", lambda: self._text_arrives(line, "up", text))

    def close(self, socket: SocketId) -> None:
        line = self._lines.get(socket)
        if line is not None and self.closes:
            self._carry(line, "up", lambda: self._close_arrives(line))

    def abandon(self, socket: SocketId) -> None:
        line = self._lines.get(socket)
        if line is not None:
            self._forget_client_end(line)
            self._carry(line, "up", lambda: self._gateway_lost(line, ABNORMAL))

    # What the gateway's driver does.

    def gateway_sends(self, far: SocketId, text: str) -> None:
        line = self._far.get(far)
        if line is not None:
            self.log.append(Frame(self._clock.now, "down", line.socket, text))
            self._carry(line, "down", lambda: self._text_arrives(line, "down", text))

    def gateway_closes(self, far: SocketId, code: int, reason: str) -> None:
        line = self._far.get(far)
        if line is not None:
            self._forget_gateway_end(line)
            self._carry(line, "down", lambda: self._client_lost(line, code, reason, clean=code != ABNORMAL))

    def has(self, far: SocketId) -> bool:
        """Whether this client's connection has that number at the gateway."""
        return far in self._far

    # Faults.

    @property
    def socket(self) -> SocketId | None:
        """The client's number of the socket that it holds at present, open or not."""
        return next(reversed(self._lines), None)

    @property
    def far_socket(self) -> SocketId | None:
        """The gateway's number of that socket."""
        return None if self.socket is None else self._lines[self.socket].far

    def drop(self, *, seen_by: WitnessedBy = "both", code: int = ABNORMAL, reason: str = "") -> None:
        """The connection dies now. ``seen_by`` says who learns of it; the other end has a half-open socket.

        A gateway finds out in the end (`gives_up_after`); a client has to find out by itself.
        """
        for line in list(self._far.values()):
            if seen_by != "gateway":
                error = "connection reset" if code == ABNORMAL else ""
                self._clock.after(0.0, self._loss(line, code, reason, error))
            delay = self.gives_up_after if seen_by == "client" else 0.0
            self._clock.after(delay, self._far_loss(line, code))

    def drop_at_frame(self, number: int) -> None:
        """The connection dies in place of delivering that frame, counted over both ways from the first ever."""
        self._drop_at = number

    @property
    def delivered(self) -> int:
        """How many frames have arrived, both ways together."""
        return self._delivered

    def stall(self, *ways: Way) -> None:
        """From now on nothing arrives that goes these ways (default: both); what is sent waits, as in TCP."""
        self._holes |= set(ways or ("up", "down"))

    def heal(self) -> None:
        """What was stalled arrives, in its order, on the connections that still exist; new connections work again."""
        self._holes.clear()
        self.connecting = Connecting.WORKS
        self.closes = True
        for line in list(self._far.values()):
            for way, count in line.stalled.items():
                line.stalled[way] = 0
                for _ in range(count):
                    self._set_out(line, way)

    # Carrying.

    def _carry(self, line: _Line, way: Way, happening: Happening) -> None:
        line.queue[way].append(happening)
        self._set_out(line, way)

    def _set_out(self, line: _Line, way: Way) -> None:
        at = max(line.ready_at[way], self._clock.now + self.latency + self.jitter * self._rng.random())
        line.ready_at[way] = at
        self._clock.at(at, lambda: self._arrives(line, way))

    def _arrives(self, line: _Line, way: Way) -> None:
        if way in self._holes:
            line.stalled[way] += 1
        else:
            line.queue[way].popleft()()

    def _text_arrives(self, line: _Line, way: Way, text: str) -> None:
        alive = line.gateway_end if way == "up" else line.client_end
        if not (alive or self.late_news):
            return
        self._delivered += 1
        if self._delivered == self._drop_at:
            self.drop()
        elif way == "up":
            self._tell_gateway(TextReceived(line.far, text))
        else:
            self._tell_client(TextReceived(line.socket, text))

    def _accept(self, line: _Line, target: str) -> None:
        if not line.client_end:
            return  # Given up before it reached the gateway.
        line.gateway_end = True
        self._carry(line, "down", lambda: self._opened(line))
        self._tell_gateway(SocketAccepted(line.far, target, EPOCH + self._clock.now))

    def _opened(self, line: _Line) -> None:
        if line.client_end:
            line.open = True
            self._tell_client(SocketOpened(line.socket, EPOCH + self._clock.now))

    def _refuse(self, line: _Line) -> None:
        if line.client_end:
            self._forget_client_end(line)
            self._tell_client(SocketRefused(line.socket, "no such thing can be opened"))

    def _close_arrives(self, line: _Line) -> None:
        if line.gateway_end:
            self._gateway_lost(line, 1000)
            self._carry(line, "down", lambda: self._client_lost(line, 1000, "", clean=True))

    def _loss(self, line: _Line, code: int, reason: str, error: str) -> Happening:
        return lambda: self._client_lost(line, code, reason, error=error)

    def _far_loss(self, line: _Line, code: int) -> Happening:
        return lambda: self._gateway_lost(line, code)

    def _client_lost(self, line: _Line, code: int, reason: str, *, clean: bool = False, error: str = "") -> None:
        if line.client_end:
            self._forget_client_end(line)
            self._tell_client(SocketClosed(line.socket, code, reason, clean=clean, error=error))

    def _gateway_lost(self, line: _Line, code: int) -> None:
        if line.gateway_end:
            self._forget_gateway_end(line)
            self._tell_gateway(SocketClosed(line.far, code, "", clean=code != ABNORMAL))

    def _forget_client_end(self, line: _Line) -> None:
        line.client_end = False
        self._lines.pop(line.socket, None)
        if not line.gateway_end:
            self._far.pop(line.far, None)

    def _forget_gateway_end(self, line: _Line) -> None:
        line.gateway_end = False
        if not line.client_end:
            self._far.pop(line.far, None)
