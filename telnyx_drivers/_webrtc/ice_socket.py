"""One UDP socket of a path, and its patience with a loop that seldom comes round."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from math import inf
from typing import Final, TypeAlias, cast

from telnyx_core.ice import Address
from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import private

log = logs.of_module(__name__)

MOST_BYTES: Final = 2_048
"""Of a datagram; longer ones are cut. asyncio makes room for 256 KiB before each one: which takes 13 µs (measured)
where the heap is so laid out that the system must be asked for them every time."""
MOST_AT_ONCE: Final = 64
"""Datagrams taken in one turn of the loop: more than a second of audio, and a few milliseconds of work. asyncio takes
one, so that a loop which comes round fifteen times a second falls further and further behind a call's fifty packets:
answered consent checks wait for seconds among them, and the call is given up."""
_PASSED: Final = 3
"""Datagrams for which it is not looked whether more have come: a loop that is a little too slow for them falls behind
by no more than that."""
_AWAY: Final = 0.03
"""Seconds since the last datagram after which it is looked: the loop may have been held up."""
_BUFFER: Final = 262_144
"""Bytes that the system keeps for a loop that is held up."""

Sender: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
Take: TypeAlias = "Callable[[IceSocket, bytes, Sender], None]"


class IceSocket(asyncio.DatagramProtocol):
    """On an address of this host, or on none, for what goes by its routes."""

    transport: asyncio.DatagramTransport
    base: Address
    """The address that it is bound to."""

    def __init__(
        self,
        take: Take,
        lost: "Callable[[IceSocket], None]",
        trouble: "Callable[[IceSocket], None]",
        delay: float = 0.0,
    ) -> None:
        """``trouble``: a datagram could not be sent, or was refused. ``delay``: seconds that each takes more, in and
        out, to simulate a distant far end."""
        self._take = take
        self._lost = lost
        self._trouble = trouble
        self._delay = delay
        self._arrivals = Arrivals()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.base = Address.of(*transport.get_extra_info("sockname")[:2])
        self._arrivals = Arrivals(transport)
        private.limit_datagrams(transport, MOST_BYTES)
        made = transport.get_extra_info("socket")
        if made is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            log.info("the socket on %s is lost: %s", self.base, exc)
        self._lost(self)

    def error_received(self, exc: Exception) -> None:
        log.debug("the socket on %s: %s", self.base, exc)
        self._trouble(self)

    def datagram_received(self, data: bytes, addr: Sender) -> None:
        self._receive(data, addr)
        for more, sender in self._arrivals.more():
            self._receive(more, sender)

    def send(self, data: bytes, remote: Address) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._leave, data, remote)
        else:
            self._leave(data, remote)

    def _leave(self, data: bytes, remote: Address) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(data, remote)

    def _receive(self, data: bytes, addr: Sender) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._take, self, data, addr)
        else:
            self._take(self, data, addr)


class Arrivals:
    """What has come to a socket beside the datagram that its transport has just told of."""

    def __init__(self, transport: asyncio.BaseTransport | None = None) -> None:
        self._transport = transport
        self._time = asyncio.get_running_loop().time
        self._last = -inf
        self._passed = 0
        """Datagrams since nothing more was found, for which it was not looked."""

    def more(self) -> Iterator[tuple[bytes, Sender]]:
        """As much as is wanted at once; to be called for each datagram.

        To look costs as much as half of all that is done for a packet, and an idle loop finds nothing: not each time.
        """
        now = self._time()
        away, self._last = now - self._last, now
        if self._passed < _PASSED and away < _AWAY:
            self._passed += 1
            return
        self._passed = 0
        for each in _waiting(self._transport):
            # Where there was more, there will be more.
            self._passed = _PASSED
            yield each


def _waiting(transport: asyncio.BaseTransport | None) -> Iterator[tuple[bytes, Sender]]:
    """Nothing where the transport reads all, or ahead: see `private.readable_socket`."""
    read = None if transport is None else private.readable_socket(transport)
    if transport is None or read is None:
        return
    for _ in range(MOST_AT_ONCE - 1):
        if transport.is_closing():
            return
        try:
            yield read.recvfrom(MOST_BYTES)
        except OSError:
            return  # nothing more, or an error of the network, of which the library only makes a line in its log
