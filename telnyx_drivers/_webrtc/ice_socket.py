"""The sockets of an ICE agent, and the filter behind them: which datagrams are accepted, and how many.

aioice trusts every datagram that reaches a UDP port, also a hostile one: a malformed STUN message logs a traceback, and
all that is not STUN is kept without limit. Here, before any of its code sees it, a datagram must be one of these (RFC
7983), or it is dropped and counted:

- SRTP, passed to the path that has the keys;
- DTLS from a remote address, a bounded number of datagrams;
- a STUN request with the local password, or the response to a request of this agent.
"""

import asyncio
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from math import inf
from struct import pack
from typing import Final, Literal, TypeAlias, cast

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Class, Message, parse_message
from aioice.turn import UDP_SOCKET_BUFFER_SIZE, TurnClientMixin, TurnTransport

from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import private

log = logs.of_module(__name__)

Address: TypeAlias = tuple[str, int]
Unwanted: TypeAlias = Literal["empty", "STUN", "DTLS", "media", "other"]

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
MOST_EARLY: Final = 16
"""DTLS datagrams kept until a pair is selected, the latest ones: one flight of a handshake, and some of its repeats."""
MOST_CANDIDATES: Final = 128
"""Addresses of the far end over the life of a path, told and learned. A server has one, a browser a dozen."""


class Door:
    """The filter of one agent, for all its sockets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._early: deque[tuple[bytes, Address, IceSocket]] = deque(maxlen=MOST_EARLY)
        self.dropped: Counter[Unwanted] = Counter()
        """Datagrams, by what they looked like."""
        self.dtls: Callable[[bytes], None] | None = None
        """Called with DTLS from an address of the far end. ``None``: the handshake has not begun here."""
        self.media: Callable[[bytes], bool] | None = None
        """Called with what looks like SRTP or SRTCP; returns whether it is authentic. ``None``: no keys yet."""
        self.only: Address | None = None
        """Accept DTLS and SRTP from this address only, as a server does; `ice_serving` gives the reason."""
        self.delay = 0.0
        """Seconds of extra delay for each datagram, in and out, to simulate a distant far end. Set it first."""

    def open(self, dtls: Callable[[bytes], None]) -> None:
        """The handshake begins, with the DTLS datagrams that have arrived so far."""
        self.dtls = dtls
        early = list(self._early)
        self._early.clear()
        for datagram in early:
            self.handshake(*datagram)

    def handshake(self, data: bytes, address: Address, came_to: "IceSocket") -> None:
        if self.dtls is None:
            self._early.append((data, address, came_to))
        elif address == self.only if self.only else self._knows(address):
            self.dtls(data)
        else:
            self.dropped["DTLS"] += 1

    def may_come(self, message: Message, address: Address, came_to: "IceSocket") -> bool:
        """Whether a STUN message is for this agent, and from a permitted sender."""
        connection = self._connection
        if message.message_class != Class.REQUEST:
            key = connection.remote_password
            # Also accepted: the far end's answer to a request that was given up or not awaited.
            return message.transaction_id in came_to.asked or (
                key is not None and message.check_message_integrity(key.encode())
            )
        mine, _, theirs = str(message.attributes.get("USERNAME")).partition(":")
        return (
            mine == connection.local_username
            and connection.remote_username in (None, theirs)
            and "PRIORITY" in message.attributes
            and message.check_message_integrity(connection.local_password.encode())
            and (self._knows(address) or not self.full)
        )

    @property
    def full(self) -> bool:
        """True: no further remote addresses are accepted."""
        return len(self._connection.remote_candidates) >= MOST_CANDIDATES

    def _knows(self, address: Address) -> bool:
        return any((each.host, each.port) == address for each in self._connection.remote_candidates)


class IceSocket(StunProtocol):
    """One socket of an agent: on an address of this host, or relayed by a TURN server."""

    direct: "asyncio.DatagramTransport | Relay"
    """Sends at once."""

    def __init__(self, connection: Connection, door: Door) -> None:
        super().__init__(connection)
        self._door = door
        self.asked: dict[bytes, tuple[Message, Address]] = {}
        """The requests that have not been answered yet, by transaction, and where they went."""
        self._arrivals = Arrivals()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.direct = self.transport
        if self._door.delay:
            self.direct = self.transport = _Delayed(self.transport, self._door.delay)
        if isinstance(transport, TurnTransport):
            self.direct = Relay(transport)
            return
        self._arrivals = Arrivals(transport)
        private.limit_datagrams(transport, MOST_BYTES)
        host, port = transport.get_extra_info("sockname")[:2]
        # Before the first datagram, which the library answers in the name of this candidate.
        self.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host"),
            host=host,
            port=port,
            type="host",
        )

    def datagram_received(self, data: bytes | str, addr: tuple[object, ...]) -> None:
        assert isinstance(data, bytes), "asyncio's type is wider than what it does"
        self._receive(data, addr)
        for more, sender in self._arrivals.more():
            self._receive(more, sender)

    def _receive(self, data: bytes, addr: tuple[object, ...]) -> None:
        if self._door.delay:
            asyncio.get_running_loop().call_later(self._door.delay, self._take, data, addr)
        else:
            self._take(data, addr)

    def _take(self, data: bytes, addr: tuple[object, ...]) -> None:
        door, first = self._door, data[0] if data else None
        match first:
            case None:
                door.dropped["empty"] += 1
            case _ if 127 < first < 192:
                elsewhere = door.only is not None and door.only != addr[:2]
                if elsewhere or door.media is None or len(data) < 12 or not door.media(data):
                    door.dropped["media"] += 1
            case _ if 19 < first < 64:
                door.handshake(data, cast("Address", addr[:2]), self)
            case _ if first < 4:
                self._stun(data, addr)
            case _:
                door.dropped["other"] += 1

    async def request(
        self,
        request: Message,
        addr: Address,
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[Message, Address]:
        self.asked[request.transaction_id] = request, addr
        try:
            return await super().request(request, addr, integrity_key, retransmissions)
        finally:
            del self.asked[request.transaction_id]

    def send_stun(self, message: Message, addr: Address) -> None:
        self.direct.sendto(bytes(message), addr)

    def _stun(self, data: bytes, addr: tuple[object, ...]) -> None:
        try:
            if self._door.may_come(parse_message(data), cast("Address", addr[:2]), self):
                super().datagram_received(data, addr)
                return
        except Exception as error:  # noqa: BLE001  strangers send anything, and the parser raises anything
            log.debug("STUN message dropped: %r", error)
        self._door.dropped["STUN"] += 1


class _Delayed(asyncio.DatagramTransport):
    """Datagrams leave some time after they were sent, in their order."""

    def __init__(self, transport: asyncio.DatagramTransport, delay: float) -> None:
        super().__init__()
        self._transport = transport
        self._delay = delay

    def sendto(self, data: bytes | bytearray | memoryview, addr: object = None) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._leave, bytes(data), cast("Address", addr))

    def _leave(self, data: bytes, addr: Address) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, addr)

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._transport.get_extra_info(name, default)


class Relay:
    """Sends on a TURN channel at once. aioice makes a task for each packet; binding and refreshing stay with it."""

    def __init__(self, transport: TurnTransport) -> None:
        self._client = client = private.turn_client(transport)
        self._send = private.turn_send(client)
        self._by_task = transport.sendto
        _bear_anything(client)

    def sendto(self, data: bytes, address: Address) -> None:
        client = self._client
        channel = client.peer_to_channel.get(address)
        if channel is None or time.time() > client.channel_refresh_at[channel]:
            self._by_task(data, address)
        elif not client.transport.is_closing():
            self._send(pack("!HH", channel, len(data)) + data)


def _bear_anything(client: TurnClientMixin) -> None:
    receive = client.datagram_received

    def bear(data: bytes | str, addr: Address) -> None:
        try:
            receive(data, addr)
        except Exception as error:  # noqa: BLE001  any host may answer in the server's place, with any content
            log.debug("TURN message dropped: %r", error)

    def datagram_received(data: bytes | str, addr: Address) -> None:
        bear(data, addr)
        for more, sender in arrivals.more():
            bear(more, sender)

    arrivals = Arrivals(client.transport)
    client.datagram_received = datagram_received  # type: ignore[method-assign]


class Arrivals:
    """What has come to a socket beside the datagram that its transport has just told of."""

    def __init__(self, transport: asyncio.BaseTransport | None = None) -> None:
        self._transport = transport
        self._time = asyncio.get_running_loop().time
        self._last = -inf
        self._passed = 0
        """Datagrams since nothing more was found, for which it was not looked."""

    def more(self) -> Iterator[tuple[bytes, Address]]:
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


def _waiting(transport: asyncio.BaseTransport | None) -> Iterator[tuple[bytes, Address]]:
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


async def open_socket(connection: Connection, door: Door, address: str) -> IceSocket:
    """One on this address of this host. Raises ``OSError``. The agent closes it."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: IceSocket(connection, door), local_addr=(address, 0)
    )
    made = transport.get_extra_info("socket")
    if made is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_SOCKET_BUFFER_SIZE)
    private.sockets(connection).append(protocol)
    return protocol


def sender_of(pair: CandidatePair) -> "asyncio.DatagramTransport | Relay":
    """What sends on a pair, at once."""
    assert isinstance(pair.protocol, IceSocket), "every socket is one of ours"
    return pair.protocol.direct
