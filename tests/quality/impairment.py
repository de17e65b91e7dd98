"""A network with faults, and a gateway behind it: what goes in is known, so what is reported can be compared with it.

The faults are those of the gateway's UDP sockets, in both directions, so that a client under test is left as it is.
Delay is of every datagram; loss is of media (RTP and RTCP) alone, so that a call comes about whatever is lost of it.
"""

import asyncio
import socket
import threading
from asyncio import selector_events
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any, Self, TypeVar

from attrs import define, field

from telnyx_core.events import StatsFrame
from telnyx_core.gateway.events import GatewayEvent
from telnyx_drivers.asyncio import AudioFrame, TelnyxRTC
from telnyx_drivers.gateway import Gateway

T = TypeVar("T")
E = TypeVar("E", bound=GatewayEvent)


@define
class Way:
    """One direction. May be changed at any time, from any thread."""

    loss: float = 0.0
    """0 to 1."""
    delay: float = 0.0
    jitter: float = 0.0
    """Seconds; each datagram is as much later at most, evenly spread. More than 20 ms puts audio out of order."""


@define
class Network:
    """Seen from the client."""

    down: Way = field(factory=Way)
    up: Way = field(factory=Way)
    rng: Random = field(factory=lambda: Random(11))
    lost: int = 0
    """Media packets on the way down."""
    carried: int = 0

    def pass_on(self, way: Way, data: bytes, deliver: Callable[[], object], loop: asyncio.AbstractEventLoop) -> None:
        media = len(data) > 1 and 127 < data[0] < 192
        if media and self.rng.random() < way.loss:
            self.lost += way is self.down
            return
        self.carried += media and way is self.down
        later = way.delay + self.rng.random() * way.jitter
        if later > 0:
            loop.call_later(later, deliver)
        else:
            deliver()


class _Transport(selector_events._SelectorDatagramTransport):  # type: ignore[name-defined, misc]
    """The loop's own, but for what happens between it and its socket."""

    network: Network

    def sendto(self, data: bytes, addr: Any = None) -> None:
        send, copy = super().sendto, bytes(data)
        self.network.pass_on(self.network.down, copy, lambda: self._conn_lost or send(copy, addr), self._loop)

    def _read_ready(self) -> None:
        if self._conn_lost:
            return
        try:
            data, addr = self._sock.recvfrom(self.max_size)
        except OSError:
            return
        receive = self._protocol.datagram_received
        self.network.pass_on(self.network.up, data, lambda: self._conn_lost or receive(data, addr), self._loop)


class ImpairedLoop(asyncio.SelectorEventLoop):
    def __init__(self, network: Network) -> None:
        super().__init__()

        class Transport(_Transport):
            pass

        Transport.network = network
        self._transport = Transport

    def _make_datagram_transport(
        self, sock: socket.socket, protocol: Any, address: Any = None, waiter: Any = None, extra: Any = None
    ) -> Any:
        return self._transport(self, sock, protocol, address, waiter, extra)


class ImpairedGateway:
    """``with ImpairedGateway(users={"a": "b"}) as gateway``: a gateway on a thread of its own, behind a `Network`."""

    def __init__(self, **options: Any) -> None:
        self.network = Network()
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="impaired gateway", daemon=True)
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        if self._fault is not None:
            raise self._fault
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()
        if self._fault is not None and exception[1] is None:
            raise self._fault

    @property
    def url(self) -> str:
        return self._gateway.url

    def do(self, what: Callable[[Gateway], T]) -> T:
        """Have a command carried out on the gateway's loop."""

        async def command() -> T:
            return what(self._gateway)

        return asyncio.run_coroutine_threadsafe(command(), self._loop).result(10)

    def history(self, kind: type[E]) -> list[E]:
        return [event for event in tuple(self._gateway.history) if isinstance(event, kind)]

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: ImpairedLoop(self.network)) as runner:
                runner.run(self._live())
        except BaseException as fault:  # noqa: BLE001
            self._fault = fault
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._leave = asyncio.Event()
        async with Gateway(**self._options) as self._gateway:
            self._ready.set()
            await self._leave.wait()


@define(kw_only=True)
class Scenario:
    """What is done to a call, and what must be said of it."""

    name: str
    down: Way = field(factory=Way)
    up: Way = field(factory=Way)
    destination: str = "tone"
    says_nothing: bool = False
    """The source runs and gives silence, as a dead microphone does."""
    warnings: frozenset[int] = frozenset()


@define(kw_only=True)
class Measured:
    """Milliseconds and percent; means over the seconds that count."""

    lost: int
    """Packets, as reported; and as dropped."""
    dropped: int
    received: int
    rtt: float | None
    jitter: float | None
    loss: float
    mos: float | None
    warnings: frozenset[int]


SETTLING = 4
"""Seconds until RTCP and STUN have measured for the first time."""


async def measure(scenario: Scenario, seconds: float) -> Measured:
    """One real call through a network with these faults, for so many seconds after it has settled."""
    frames: list[StatsFrame] = []
    codes: set[int] = set()
    with ImpairedGateway(users={"a": "pw"}) as gateway:
        network = gateway.network
        network.down, network.up = scenario.down, scenario.up
        async with TelnyxRTC(login="a", password="pw", env=gateway.url, call_report_interval=1.0) as client:
            client.on("telnyx.stats.frame", frames.append)
            client.on("telnyx.warning", lambda event: codes.add(event.code))
            call = await client.new_call(scenario.destination)
            await call.wait_for_state("active", timeout=20)
            if scenario.says_nothing:
                await call.play(_nothing())
            await asyncio.sleep(SETTLING)
            begin, dropped = len(frames), network.lost
            await asyncio.sleep(seconds)
            dropped = network.lost - dropped
            kept = frames[begin - 1 :]
            await call.hangup()
    first, last = kept[0], kept[-1]
    lost, received = (_difference(first, last, name) for name in ("packets_lost", "packets_received"))
    return Measured(
        lost=lost,
        dropped=dropped,
        received=received,
        rtt=_mean([frame.rtt for frame in kept]),
        jitter=_mean([frame.jitter for frame in kept]),
        loss=100 * lost / (lost + received) if lost + received else 0.0,
        mos=_mean([frame.mos for frame in kept]),
        warnings=frozenset(codes & WATCHED),
    )


WATCHED = frozenset({31001, 31002, 31003, 31004, 31005, 31006, 32001, 32002})
"""The warnings of quality.md 5 that a network, or a microphone, is the cause of."""


async def _nothing() -> AsyncIterator[AudioFrame]:
    while True:
        yield AudioFrame(bytes(640), 16_000)


def _difference(first: StatsFrame, last: StatsFrame, name: str) -> int:
    before, after = getattr(first, name), getattr(last, name)
    return int(after or 0) - int(before or 0)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


SCENARIOS = (
    Scenario(name="clean"),
    Scenario(name="loss 1 %", down=Way(loss=0.01)),
    Scenario(name="loss 5 %", down=Way(loss=0.05), warnings=frozenset({31003})),
    Scenario(name="delay 40 + 40 ms", down=Way(delay=0.04), up=Way(delay=0.04)),
    Scenario(name="delay 230 + 230 ms", down=Way(delay=0.23), up=Way(delay=0.23), warnings=frozenset({31001})),
    Scenario(name="jitter 15 ms", down=Way(jitter=0.015)),
    Scenario(name="jitter 150 ms", down=Way(jitter=0.15), warnings=frozenset({31002})),
    Scenario(
        name="loss 15 %, delay 460 ms",
        down=Way(loss=0.15, delay=0.23),
        up=Way(delay=0.23),
        warnings=frozenset({31001, 31003, 31004}),
    ),
    Scenario(name="a silent far end", destination="silence", warnings=frozenset({31006})),
    Scenario(name="a dead microphone", says_nothing=True, warnings=frozenset({31005})),
)
