"""A TURN client for one server (RFC 8656), over UDP, or over a TCP or TLS connection that the driver holds.

`TurnClient` asks for an allocation, keeps it, its permissions and its channels alive, and carries datagrams to and from
peers. It is fed with whole messages, which `StreamFramer` cuts out of a byte stream. What it wants and what it has
learned comes out of `outputs` in order.
"""

from collections import deque
from enum import Enum
from random import Random
from struct import pack
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from telnyx_core.ice import stun
from telnyx_core.ice.stun import Address, Attr, Attribute, Kind, Message, Method, StunError
from telnyx_core.ice.transaction import Timing, Transaction, fresh_id

MAX_PEERS: Final = 64
"""Hosts with a permission and addresses with a channel: as many as remote candidates are kept."""
MAX_REQUESTS: Final = 160
"""Under way at once: one for each permission and channel, and those of the allocation."""
MAX_HELD: Final = 4
"""Datagrams that wait for a permission, for each host; checks are repeated anyway."""
MAX_RETRIES: Final = 3
"""Of one request with a fresh nonce: a server that says 438 again and again is broken."""
_CHANNELS: Final = range(0x4000, 0x5000)
_PERMISSION_REFRESH: Final = 240.0
"""Seconds; a permission lasts 300 (RFC 8656 section 9)."""
_CHANNEL_REFRESH: Final = 540.0
"""Seconds; a channel lasts 600 (RFC 8656 section 12)."""
_LIFETIMES: Final = (30, 3_600)
"""Seconds. A server's word is taken within these bounds, so that neither 0 nor a year does harm."""
_UNDERSTOOD: Final = frozenset(each.value for each in Attr)

TurnTransport: TypeAlias = Literal["udp", "tcp", "tls"]


@frozen
class TurnServer:
    """Where a relay is to be had. ``name`` is for the certificate, and for people; the address is resolved already."""

    address: Address
    username: str
    password: str = field(repr=False)
    transport: TurnTransport = "udp"
    name: str = ""
    family: Literal[4, 6] = 4
    """Of the relayed address."""


@frozen
class ToServer:
    data: bytes = field(repr=False)


@frozen
class Allocated:
    relayed: Address
    mapped: Address | None


@frozen
class Redirected:
    """The server names another one (RFC 8489 section 10)."""

    address: Address


@frozen
class Relayed:
    """A datagram from a peer."""

    peer: Address
    data: bytes = field(repr=False)


@frozen
class PeerRefused:
    """The server does not relay to this host."""

    host: str
    code: int
    reason: str


@frozen
class Lost:
    """There is no allocation (any more). ``code`` is the server's, or 0 if it did not answer."""

    code: int
    reason: str


Output: TypeAlias = ToServer | Allocated | Redirected | Relayed | PeerRefused | Lost


class AllocationState(Enum):
    ASKING = "asking"
    READY = "ready"
    LEAVING = "leaving"
    """It is being given back, or will be as soon as it is granted."""
    GONE = "gone"


@define(eq=False)
class _Request:
    method: Method
    attributes: tuple[Attribute, ...]
    transaction: Transaction
    signed: bool
    peer: Address | None = None
    retries: int = 0


@define(eq=False)
class _Permission:
    refresh_at: float
    granted: bool = False
    used: bool = True
    held: deque[tuple[Address, bytes]] = field(factory=lambda: deque[tuple[Address, bytes]](maxlen=MAX_HELD))


@define(eq=False)
class _Channel:
    number: int
    refresh_at: float
    bound: bool = False
    used: bool = True


@define(eq=False)
class TurnClient:
    server: TurnServer
    rng: Random
    timing: Timing
    outputs: deque[Output] = field(factory=deque[Output], init=False)
    state: AllocationState = field(default=AllocationState.ASKING, init=False)
    relayed: Address | None = field(default=None, init=False)
    _realm: str = field(default="", init=False)
    _nonce: bytes = field(default=b"", init=False)
    _key: bytes | None = field(default=None, init=False, repr=False)
    _requests: dict[bytes, _Request] = field(factory=dict[bytes, _Request], init=False)
    _permissions: dict[str, _Permission] = field(factory=dict[str, _Permission], init=False)
    _channels: dict[Address, _Channel] = field(factory=dict[Address, _Channel], init=False)
    _peers: dict[int, Address] = field(factory=dict[int, Address], init=False)
    _free_channel: int = field(default=_CHANNELS.start, init=False)
    _refresh_at: float | None = field(default=None, init=False)
    _alive_at: float | None = field(default=None, init=False)

    # What the caller asks

    def allocate(self, now: float) -> None:
        """Begin. Over a stream: once it is connected."""
        family = () if self.server.family == 4 else ((Attr.REQUESTED_ADDRESS_FAMILY, b"\x02\0\0\0"),)
        self._ask(Method.ALLOCATE, ((Attr.REQUESTED_TRANSPORT, b"\x11\0\0\0"), *family), now)

    def send(self, data: bytes, peer: Address, now: float) -> None:
        """Relay a datagram to a peer; it waits for a permission. Dropped without an allocation."""
        if self.state is not AllocationState.READY:
            return
        permission = self._permissions.get(peer.host)
        if permission is None:
            if len(self._permissions) >= MAX_PEERS:
                return
            permission = self._permissions[peer.host] = _Permission(now + _PERMISSION_REFRESH)
            self._permit(peer, now)
        permission.used = True
        if not permission.granted:
            permission.held.append((peer, data))
            return
        channel = self._channels.get(peer)
        if channel is not None and channel.bound:
            channel.used = True
            frame = pack("!HH", channel.number, len(data)) + data
            self.outputs.append(ToServer(frame if self.server.transport == "udp" else frame + bytes(-len(data) % 4)))
        else:
            transaction_id = fresh_id(self.rng)
            attributes = (stun.xor_address(Attr.XOR_PEER_ADDRESS, peer, transaction_id), (Attr.DATA, data))
            self.outputs.append(ToServer(stun.encode(Method.SEND, Kind.INDICATION, transaction_id, attributes)))

    def bind(self, peer: Address, now: float) -> None:
        """Ask for a channel to a peer: 4 bytes a packet instead of 36, and less work for the server."""
        # No number is used twice: the server may still know it as another peer's.
        ready = self.state is AllocationState.READY and self._free_channel in _CHANNELS
        if ready and peer not in self._channels and len(self._channels) < MAX_PEERS:
            self._channels[peer] = _Channel(self._free_channel, now + _CHANNEL_REFRESH)
            self._peers[self._free_channel] = peer
            self._free_channel += 1
            self._bind(peer, now)

    def refresh(self, now: float) -> None:
        """Ask whether the allocation is still there: nothing comes through it."""
        if self._refresh_at is not None:
            self._refresh_at = None
            self._ask(Method.REFRESH, (), now)

    def close(self, now: float) -> None:
        """Give the allocation back, also one that the server is about to grant: an allocation that is left alone counts
        against the user's quota for ten minutes. `AllocationState.GONE`: the server has confirmed it, or says nothing.
        """
        # Without a signature nothing is granted.
        asked = [each for each in self._requests.values() if each.method is Method.ALLOCATE and each.signed]
        ready = self.state is AllocationState.READY
        self._end()
        if ready:
            self._leave(now)
        elif asked:
            self.state = AllocationState.LEAVING
            self._requests.update((each.transaction.id, each) for each in asked)

    # What the server says

    def receive(self, data: bytes, now: float) -> None:
        """One message of the server: a datagram, or a frame of the stream. What makes no sense is passed over."""
        if self.state is AllocationState.GONE:
            return
        if len(data) >= 4 and int.from_bytes(data[:2], "big") in _CHANNELS:
            peer = self._peers.get(int.from_bytes(data[:2], "big"))
            size = int.from_bytes(data[2:4], "big")
            if peer is not None and size <= len(data) - 4:
                self.outputs.append(Relayed(peer, data[4 : 4 + size]))
            return
        try:
            message = stun.decode(data)
            if message.kind is Kind.INDICATION:
                self._indicated(message)
            elif message.kind is not Kind.REQUEST and message.transaction_id in self._requests:
                self._answered(message, self._requests[message.transaction_id], now)
        except StunError:
            return

    def next_timeout(self) -> float | None:
        if self.state is AllocationState.GONE:
            return None
        times = [each.transaction.due for each in self._requests.values()]
        times += [each.refresh_at for each in self._permissions.values()]
        times += [each.refresh_at for each in self._channels.values()]
        times += [each for each in (self._refresh_at, self._alive_at) if each is not None]
        return min(times, default=None)

    def handle_timeout(self, now: float) -> None:
        for request in tuple(self._requests.values()):
            if now >= request.transaction.deadline:
                del self._requests[request.transaction.id]
                self._failed(request, 0, "no answer", now)
            elif now >= request.transaction.due:
                self.outputs.append(ToServer(request.transaction.sent(now)))
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            self._ask(Method.REFRESH, (), now)
        if self._alive_at is not None and now >= self._alive_at:
            # Keeps the binding of a NAT, for a call that is still ringing.
            self._alive_at = now + self.timing.keepalive
            self.outputs.append(ToServer(stun.encode(Method.BINDING, Kind.INDICATION, fresh_id(self.rng))))
        for host, permission in tuple(self._permissions.items()):
            if now >= permission.refresh_at:
                if permission.used:
                    permission.used, permission.refresh_at = False, now + _PERMISSION_REFRESH
                    self._permit(Address(host, 0), now)
                else:
                    del self._permissions[host]
        for peer, channel in tuple(self._channels.items()):
            if now >= channel.refresh_at:
                if channel.used:
                    channel.used, channel.refresh_at = False, now + _CHANNEL_REFRESH
                    self._bind(peer, now)
                else:
                    self._unbind(peer)

    # Within

    def _permit(self, peer: Address, now: float) -> None:
        self._ask(Method.CREATE_PERMISSION, (), now, peer)

    def _bind(self, peer: Address, now: float) -> None:
        self._ask(
            Method.CHANNEL_BIND, (stun.number(Attr.CHANNEL_NUMBER, self._channels[peer].number << 16),), now, peer
        )

    def _unbind(self, peer: Address) -> None:
        channel = self._channels.pop(peer, None)
        if channel is not None:
            del self._peers[channel.number]

    def _ask(
        self,
        method: Method,
        attributes: tuple[Attribute, ...],
        now: float,
        peer: Address | None = None,
        retries: int = 0,
    ) -> None:
        if self.state is AllocationState.GONE or len(self._requests) >= MAX_REQUESTS:
            return
        transaction_id = fresh_id(self.rng)
        whole = list(attributes)
        if peer is not None:
            whole.append(stun.xor_address(Attr.XOR_PEER_ADDRESS, peer, transaction_id))
        if self._key is not None:
            whole += [
                (Attr.USERNAME, self.server.username.encode()),
                (Attr.REALM, self._realm.encode()),
                (Attr.NONCE, self._nonce),
            ]
        request = stun.encode(method, Kind.REQUEST, transaction_id, whole, key=self._key)
        reliable = self.server.transport != "udp"
        # What keeps an allocation alive has time to spare; what a call waits for has not.
        patience = self.timing.server * (1 if method is Method.ALLOCATE else 2)
        transaction = Transaction(transaction_id, request, now + patience, now, reliable)
        self._requests[transaction_id] = _Request(method, attributes, transaction, self._key is not None, peer, retries)
        self.outputs.append(ToServer(transaction.sent(now)))

    def _indicated(self, message: Message) -> None:
        peer, data = message.address(Attr.XOR_PEER_ADDRESS), message.get(Attr.DATA)
        if message.method is Method.DATA and peer is not None and data is not None:
            self.outputs.append(Relayed(peer, data))

    def _answered(self, message: Message, request: _Request, now: float) -> None:
        if message.method is not request.method or message.unknown(_UNDERSTOOD):
            return
        if message.kind is Kind.ERROR:
            self._refused(message, request, now)
        elif self._key is None or message.verify(self._key):
            self._succeeded(message, request, now)

    def _leave(self, now: float) -> None:
        self.state = AllocationState.LEAVING
        self._ask(Method.REFRESH, (stun.number(Attr.LIFETIME, 0),), now)

    def _succeeded(self, message: Message, request: _Request, now: float) -> None:
        lifetime = message.number(Attr.LIFETIME)
        relayed, mapped = message.address(Attr.XOR_RELAYED_ADDRESS), message.address(Attr.XOR_MAPPED_ADDRESS)
        del self._requests[request.transaction.id]
        match request.method:
            case Method.ALLOCATE if self.state is AllocationState.LEAVING:
                self._leave(now)
            case Method.REFRESH if self.state is AllocationState.LEAVING:
                self._end()
            case Method.ALLOCATE if relayed is not None and relayed.port:
                self.state, self.relayed = AllocationState.READY, relayed
                self._keep(lifetime, now)
                if self.server.transport == "udp":
                    self._alive_at = now + self.timing.keepalive
                self.outputs.append(Allocated(relayed, mapped))
            case Method.ALLOCATE:
                self._lost(0, "it gives no relayed address")
            case Method.REFRESH:
                self._keep(lifetime, now)
            case Method.CREATE_PERMISSION if request.peer is not None:
                self._granted(request.peer.host, now)
            case Method.CHANNEL_BIND if request.peer is not None and request.peer in self._channels:
                self._channels[request.peer].bound = True
            case _:
                pass

    def _keep(self, lifetime: int | None, now: float) -> None:
        seconds = min(max(600 if lifetime is None else lifetime, _LIFETIMES[0]), _LIFETIMES[1])
        self._refresh_at = now + max(seconds - 60, seconds / 2)

    def _granted(self, host: str, now: float) -> None:
        permission = self._permissions.get(host)
        if permission is not None and not permission.granted:
            permission.granted = True
            held = tuple(permission.held)
            permission.held.clear()
            for peer, data in held:
                self.send(data, peer, now)

    def _refused(self, message: Message, request: _Request, now: float) -> None:
        code, reason = message.error or (0, "an error without a code")
        realm, nonce = message.get(Attr.REALM), message.get(Attr.NONCE)
        # 401 asks for credentials once; 438 says that the nonce is used up, at any time (RFC 8489 section 9.2.5).
        asks = code == 438 or (code == 401 and not request.signed)
        alternate = message.address(Attr.ALTERNATE_SERVER) if code == 300 else None
        del self._requests[request.transaction.id]
        if self.state is AllocationState.LEAVING and request.method is Method.ALLOCATE:
            asks = False  # what was not granted need not be given back
        if asks and realm is not None and nonce is not None and request.retries < MAX_RETRIES:
            self._realm, self._nonce = realm.decode("utf-8", "replace"), nonce
            self._key = stun.long_term_key(self.server.username, self._realm, self.server.password)
            self._ask(request.method, request.attributes, now, request.peer, request.retries + 1)
        elif alternate is not None and request.method is Method.ALLOCATE and self.state is AllocationState.ASKING:
            self._end()
            self.outputs.append(Redirected(alternate))
        else:
            self._failed(request, code, reason, now)

    def _failed(self, request: _Request, code: int, reason: str, now: float) -> None:
        host = "" if request.peer is None else request.peer.host
        match request.method:
            case Method.CREATE_PERMISSION if code != 437:
                self._permissions.pop(host, None)
                self.outputs.append(PeerRefused(host, code, reason))
            case Method.CHANNEL_BIND if code != 437 and request.peer is not None:
                # Indications do as well. It stays on the list unbound, so that it is not asked for with every packet.
                if request.peer in self._channels:
                    self._channels[request.peer].bound = False
            case _:
                self._lost(code, reason)

    def _lost(self, code: int, reason: str) -> None:
        left = self.state is AllocationState.LEAVING
        self._end()
        if not left:
            self.outputs.append(Lost(code, reason))

    def _end(self) -> None:
        self.state = AllocationState.GONE
        for each in (self._requests, self._permissions, self._channels, self._peers):
            each.clear()
        self._refresh_at = self._alive_at = None


@define(eq=False)
class StreamFramer:
    """Cuts a byte stream from a TURN server into messages and channel data (RFC 8656 sections 2.1 and 12.4)."""

    _buffer: bytearray = field(factory=bytearray, init=False)

    def feed(self, data: bytes) -> list[bytes]:
        """The whole frames so far. Raises `StunError` for what can be neither, after which the stream is of no use."""
        self._buffer += data
        frames: list[bytes] = []
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[2:4], "big")
            if self._buffer[0] < 4:
                whole = padded = stun.HEADER.size + size
            elif 0x40 <= self._buffer[0] < 0x50:
                whole, padded = 4 + size, 4 + size + -size % 4
            else:
                raise StunError("neither a STUN message nor channel data")
            if len(self._buffer) < padded:
                break
            frames.append(bytes(self._buffer[:whole]))
            del self._buffer[:padded]
        return frames
