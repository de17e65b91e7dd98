"""Network changes of this host: an address is lost or added, or the route to the server changes (SIG-272, SIG-273).

Linux says when something has changed, over netlink; elsewhere it is looked up every few seconds. Either way only what
concerns this client is reported: from which address a packet to the server, or to anywhere, would be sent now.
"""

import contextlib
import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import anyio

from telnyx_core.facts import NetworkChange
from telnyx_core.ids import SocketId

SETTLE_SECONDS: Final = 1.0
"""Without further change, before a change is told (MEDIA-611): the old address goes before the new one comes."""
POLL_SECONDS: Final = 5.0

_ANYWHERE: Final = ("192.0.2.1", "2001:db8::1")
"""Documentation addresses: the default routes lead there. Nothing is ever sent."""
_NETLINK_ROUTE: Final = 0
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""rtnetlink(7): links, IPv4 addresses and routes, IPv6 addresses and routes."""

Ways: TypeAlias = tuple[str | None, ...]
"""From where packets would be sent to the server, and to anywhere by IPv4 and by IPv6."""


class Kernel(Protocol):
    async def news(self) -> None:
        """Wait until something may have changed."""
        ...

    def close(self) -> None: ...


class Netlink:
    """rtnetlink notifications as a mere signal: their content is not read, because messages may be lost or repeated."""

    def __init__(self) -> None:
        family: int = getattr(socket, "AF_NETLINK")  # noqa: B009  # typeshed has it on Linux only
        self._socket = socket.socket(family, socket.SOCK_RAW, _NETLINK_ROUTE)
        self._socket.setblocking(False)
        try:
            self._socket.bind((0, _GROUPS))
        except OSError:
            self._socket.close()
            raise

    async def news(self) -> None:
        await anyio.wait_readable(self._socket)
        with contextlib.suppress(OSError):  # ENOBUFS: there was more than fits, which is news all the same
            while self._socket.recv(65_536):
                pass

    def close(self) -> None:
        self._socket.close()


class Polling:
    async def news(self) -> None:
        await anyio.sleep(POLL_SECONDS)

    def close(self) -> None:
        pass


def kernel() -> Kernel:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            return Netlink()
    return Polling()


def source_towards(host: str) -> str | None:
    """The local address for packets to this one; ``None`` when there is no way. Nothing is sent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def is_ours(address: str) -> bool:
    """Whether this host (still) has the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


class NetworkWatch:
    """Watches over the sockets of one driver from the first one that leaves this host.

    ``tell`` is called for changes. ``strand`` is called for sockets whose local address is gone: packets never reach
    them again, and TCP would take a quarter of an hour to notice.
    """

    def __init__(
        self,
        tell: Callable[[NetworkChange], None],
        strand: Callable[[SocketId], None],
        *,
        source: Callable[[], Kernel] = kernel,
        route: Callable[[str], str | None] = source_towards,
        has: Callable[[str], bool] = is_ours,
    ) -> None:
        self._tell = tell
        self._strand = strand
        self._source = source
        self._route = route
        self._has = has
        self._peer = _ANYWHERE[0]
        self._known: Ways = ()
        self._local: dict[SocketId, str] = {}
        self._scope: anyio.CancelScope | None = None
        self._entered: anyio.CancelScope | None = None

    def reached(self, socket: SocketId, local: str, peer: str) -> bool:
        """A socket is open between these addresses. True: `run` is to be started now."""
        if _is_local(peer):
            return False
        self._local[socket] = local
        if self._scope is not None:
            self._look()  # what this socket has gone over need not settle, and is known from now on
        self._peer = peer
        self._known = self._ways()
        if self._scope is not None:
            return False
        self._scope = anyio.CancelScope()
        return True

    def left(self, socket: SocketId) -> None:
        self._local.pop(socket, None)

    async def run(self) -> None:
        """Until `stop`, which may come before this has begun."""
        scope = self._scope
        if scope is None or scope is self._entered:
            return
        self._entered = scope
        with contextlib.closing(self._source()) as kernel, scope:
            while True:
                await kernel.news()
                self._look_after_sockets()
                while not await _quiet(kernel):
                    self._look_after_sockets()
                self._look()

    def stop(self) -> None:
        self._local.clear()
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None

    def _look_after_sockets(self) -> None:
        for handle, local in list(self._local.items()):
            if not self._has(local):
                del self._local[handle]
                self._strand(handle)

    def _look(self) -> None:
        known, self._known = self._known, self._ways()
        if self._known != known:
            if not any(self._known):
                self._tell("offline")
            else:
                self._tell("path_changed" if any(known) else "online")

    def _ways(self) -> Ways:
        return tuple(self._route(host) for host in (self._peer, *_ANYWHERE))


async def _quiet(kernel: Kernel) -> bool:
    with anyio.move_on_after(SETTLE_SECONDS) as patience:
        await kernel.news()
    return patience.cancelled_caught


def _is_local(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return True  # no address at all: a socket of some other family
