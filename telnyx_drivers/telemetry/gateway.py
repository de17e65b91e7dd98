"""What happens to an embedded gateway, as measurements."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from telnyx_core.events import Direction
from telnyx_core.gateway.events import (
    CallEnded,
    CallStarted,
    ClientLoggedIn,
    ClientLost,
    GatewayEvent,
    LoginRefused,
    MediaConnected,
)
from telnyx_core.ids import CallId, SocketId
from telnyx_drivers.telemetry import instruments
from telnyx_drivers.telemetry.instruments import Meter

if TYPE_CHECKING:
    from telnyx_drivers.gateway.server import Gateway  # needs the media extra, which a client's metrics do not


async def observe_gateway(gateway: "Gateway", *meters: Meter, wall: Callable[[], float] = time.time) -> None:
    """Tell the meters what happens to a gateway, until it ends: run it in a task of its own."""
    observer = GatewayObserver(meters, wall)
    async for event in gateway.events():
        observer.note(event)


class GatewayObserver:
    """Turns events into measurements. Directions are those of the client, as everywhere."""

    def __init__(self, meters: tuple[Meter, ...], wall: Callable[[], float] = time.time) -> None:
        self._meters = meters
        self._wall = wall
        self._sockets: set[SocketId] = set()
        self._calls: dict[CallId, tuple[Direction, float]] = {}
        """Direction and beginning of each that has not ended."""
        self._connected: dict[CallId, float] = {}

    def note(self, event: GatewayEvent) -> None:
        """The next event."""
        now = self._wall()
        for meter in self._meters:
            match event:
                case ClientLoggedIn(socket=socket) if socket not in self._sockets:
                    meter.measure(instruments.CLIENTS, 1, {})
                case ClientLost(socket=socket) if socket in self._sockets:
                    meter.measure(instruments.CLIENTS, -1, {})
                case LoginRefused():
                    meter.measure(instruments.LOGINS_REFUSED, 1, {})
                case CallStarted(direction=direction):
                    meter.measure(instruments.CALLS_ACTIVE, 1, {"direction": direction})
                case MediaConnected(call=call) if call in self._calls and call not in self._connected:
                    direction, began = self._calls[call]
                    meter.measure(instruments.SETUP, now - began, {"direction": direction})
                case CallEnded(call=call) if call in self._calls:
                    self._ended(meter, event, now)
                case _:
                    pass
        self._remember(event, now)

    def _ended(self, meter: Meter, event: CallEnded, now: float) -> None:
        direction, connected = self._calls[event.call][0], self._connected.get(event.call)
        answered = str(connected is not None).lower()
        cause = event.cause.cause or "unknown"
        meter.measure(instruments.CALLS_ACTIVE, -1, {"direction": direction})
        meter.measure(instruments.CALLS, 1, {"direction": direction, "answered": answered, "cause": cause})
        if connected is not None:
            meter.measure(instruments.DURATION, now - connected, {"direction": direction})

    def _remember(self, event: GatewayEvent, now: float) -> None:
        match event:
            case ClientLoggedIn(socket=socket):
                self._sockets.add(socket)
            case ClientLost(socket=socket):
                self._sockets.discard(socket)
            case CallStarted(call=call, direction=direction):
                self._calls[call] = direction, now
            case MediaConnected(call=call) if call in self._calls:
                self._connected.setdefault(call, now)
            case CallEnded(call=call):
                self._calls.pop(call, None)
                self._connected.pop(call, None)
            case _:
                pass
