"""A small internet on a virtual clock: hosts behind NATs of four kinds, STUN and TURN servers, loss, delay, cuts."""

from collections.abc import Callable
from enum import Enum
from random import Random
from typing import TypeAlias

from attrs import define, field

from telnyx_core.ice import (
    Address,
    Agent,
    Candidate,
    CandidateGathered,
    CloseStream,
    Credentials,
    DataReceived,
    IceState,
    OpenStream,
    PairSelected,
    StateChanged,
    StunServer,
    Timing,
    Transmit,
    TransmitStream,
    TurnServer,
    stun,
)
from telnyx_core.ice.actions import Action
from telnyx_core.ice.gathering import Server
from telnyx_core.ice.stun import Attr, Kind, Method
from telnyx_core.ice.turn import StreamFramer
from telnyx_core.testing import VirtualClock

Receiver: TypeAlias = Callable[[bytes, Address], None]
ANSWER = b"\1\1"
"""The type of a success response to a check."""


class NatKind(Enum):
    FULL_CONE = "full cone"
    RESTRICTED = "address restricted"
    PORT_RESTRICTED = "port restricted"
    SYMMETRIC = "symmetric"


@define(eq=False)
class Nat:
    public: str
    kind: NatKind
    hairpin: bool = False
    _mapped: dict[tuple[Address, Address | None], int] = field(factory=dict)
    _bound: dict[int, tuple[Address, set[Address]]] = field(factory=dict)
    _port: int = 30_000

    def outbound(self, inner: Address, to: Address) -> Address:
        key = inner, to if self.kind is NatKind.SYMMETRIC else None
        if key not in self._mapped:
            self._port += 1
            self._mapped[key] = self._port
            self._bound[self._port] = inner, set()
        port = self._mapped[key]
        self._bound[port][1].add(to)
        return Address(self.public, port)

    def inbound(self, port: int, source: Address) -> Address | None:
        inner, told = self._bound.get(port, (None, set[Address]()))
        if self.kind is NatKind.FULL_CONE or source in told:
            return inner
        return inner if self.kind is NatKind.RESTRICTED and source.host in {each.host for each in told} else None

    def rebind(self) -> None:
        """Every binding is forgotten, as after a restart of the box."""
        self._mapped.clear()
        self._bound.clear()


@define(eq=False)
class Internet:
    """Datagrams between addresses. Delay and jitter in seconds; with jitter they overtake each other."""

    seed: int = 0
    delay: float = 0.02
    jitter: float = 0.0
    loss: float = 0.0
    clock: VirtualClock = field(factory=VirtualClock)
    nats: dict[str, Nat] = field(factory=dict)
    """By the address behind it."""
    sockets: dict[Address, Receiver] = field(factory=dict)
    cuts: set[tuple[str, str]] = field(factory=set)
    """Directed: from one host's own address to another's, or to ``*``."""
    gone: set[str] = field(factory=set)
    carried: list[tuple[float, Address, Address, bytes]] = field(factory=list)
    """What was sent, and by whom."""
    steps: int = 0
    rng: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = Random(self.seed)

    @property
    def now(self) -> float:
        return self.clock.now

    def send(self, source: Address, to: Address, data: bytes) -> None:
        self.carried.append((self.now, source, to, data))
        if source.host in self.gone or (source.host, "*") in self.cuts or self.rng.random() < self.loss:
            return
        after = self.delay + self.rng.random() * self.jitter
        nat, other = self.nats.get(source.host), self.nats.get(to.host)
        if nat is None or (nat is other):
            if nat is not other:
                return  # a private address is nowhere from outside
            self.clock.after(after, lambda: self._deliver(source, source, to, data))
            return
        if other is not None:
            return
        seen = nat.outbound(source, to)
        if to.host != nat.public or nat.hairpin:
            self.clock.after(after, lambda: self._deliver(source, seen, to, data))

    def _deliver(self, sender: Address, source: Address, to: Address, data: bytes) -> None:
        nat = next((each for each in self.nats.values() if each.public == to.host), None)
        inner = to if nat is None else nat.inbound(to.port, source)
        if inner is None or (sender.host, inner.host) in self.cuts or inner.host in self.gone:
            return
        receiver = self.sockets.get(inner)
        if receiver is not None:
            receiver(data, source)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Whether ``until`` came true within so many seconds."""
        end = self.now + seconds
        for _ in iter(until, True):
            self.steps += 1
            assert self.steps < 100_000, "it goes round in circles"
            due = self.clock.next()
            if due is None or due > end:
                self.clock.now = end
                return until()
            self.clock.let_one_happen()
        return True


@define(eq=False)
class Player:
    """An agent with sockets on this internet. What it does is kept."""

    net: Internet
    agent: Agent
    hosts: list[Address]
    servers: list[Server] = field(factory=list)
    turns: "dict[Address, TurnNode]" = field(factory=dict)
    """Those that can be reached by a stream."""
    peer: "Player | None" = None
    signal: float = 0.05
    """Seconds that a description takes to the peer."""
    received: list[bytes] = field(factory=list)
    told: list[tuple[float, Action]] = field(factory=list)
    sent: list[tuple[float, Transmit]] = field(factory=list)
    trickles: bool = True
    answered: set[tuple[Address, Address]] = field(factory=set)
    _due: float | None = None
    _streams: "dict[int, TurnNode]" = field(factory=dict)

    def open(self) -> None:
        for host in self.hosts:
            self.net.sockets[host] = self._receiver(host)
        self.agent.gather(self.hosts, self.servers, self.net.now)
        self.pump()

    def _receiver(self, host: Address) -> Receiver:
        def receive(data: bytes, source: Address) -> None:
            if data[:2] == ANSWER:
                self.answered.add((host, source))
            self.agent.receive(data, host, source, self.net.now)
            self.pump()

        return receive

    def describe(self) -> tuple[Credentials, tuple[Candidate, ...]]:
        return self.agent.local_credentials, self.agent.local_candidates

    def learn(self, description: tuple[Credentials, tuple[Candidate, ...]]) -> None:
        credentials, candidates = description
        self.agent.set_remote(credentials, self.net.now)
        for candidate in candidates:
            self.agent.add_remote_candidate(Candidate.parse(str(candidate)), self.net.now)
        self.pump()

    def tell(self, other: "Player") -> None:
        """Signal the description, and from now on every candidate."""
        description = self.describe()
        self.net.clock.after(self.signal, lambda: other.learn(description))
        self.peer = other

    def pump(self) -> None:
        while (action := self.agent.next_action()) is not None:
            self._perform(action)
        due = self.agent.next_timeout()
        if due is not None and (self._due is None or due < self._due or self._due <= self.net.now):
            self._due = due
            self.net.clock.at(due, lambda: self._tick(due))

    def _tick(self, when: float) -> None:
        if when != self._due:
            return
        due = self.agent.next_timeout()
        if due is not None and due <= self.net.now:
            self.agent.handle_timeout(self.net.now)
            after = self.agent.next_timeout()
            assert after is None or after > self.net.now, "a deadline that has been dealt with is in the future"
        self._due = None
        self.pump()

    def _perform(self, action: Action) -> None:
        self.told.append((self.net.now, action))
        match action:
            case Transmit(base, remote, data):
                self.sent.append((self.net.now, action))
                # No packet to anyone who has not answered, but checks and what a TURN server is told.
                stranger = data[0] > 3 and data[0] >> 4 != 4 and (base, remote) not in self.answered
                assert not stranger, f"{remote} has not answered"
                self.net.send(base, remote, data)
            case DataReceived(data):
                self.received.append(data)
            case CandidateGathered(candidate, ufrag) if self.peer is not None and self.trickles:
                peer = self.peer
                self.net.clock.after(self.signal, lambda: peer.trickled(candidate, ufrag))
            case OpenStream(stream, server):
                node = self.turns.get(server.address)
                self.net.clock.after(2 * self.net.delay, lambda: self._opened(stream, node))
            case TransmitStream(stream, data):
                if stream in self._streams:
                    node = self._streams[stream]
                    self.net.clock.after(self.net.delay, lambda: node.stream_received(self, stream, data))
            case CloseStream(stream):
                self._streams.pop(stream, None)
            case _:
                pass

    def trickled(self, candidate: Candidate, ufrag: str) -> None:
        if self.agent.state is not IceState.CLOSED:
            self.agent.add_remote_candidate(candidate, self.net.now)
            self.pump()

    def _opened(self, stream: int, node: "TurnNode | None") -> None:
        if node is None or node.mode == "dead":
            self.agent.stream_closed(stream, "connection refused", self.net.now)
        else:
            self._streams[stream] = node
            self.agent.stream_opened(stream, self.net.now)
        self.pump()

    def stream_received(self, stream: int, data: bytes) -> None:
        if stream in self._streams:
            self.agent.stream_received(stream, data, self.net.now)
            self.pump()

    def say(self, data: bytes) -> bool:
        sent = self.agent.send(data, self.net.now)
        self.pump()
        return sent

    @property
    def connected(self) -> bool:
        return self.agent.state is IceState.CONNECTED

    @property
    def selections(self) -> list[tuple[float, PairSelected]]:
        return [(when, each) for when, each in self.told if isinstance(each, PairSelected)]

    @property
    def states(self) -> list[IceState]:
        return [each.state for _, each in self.told if isinstance(each, StateChanged)]


@define(eq=False)
class StunNode:
    """A STUN server. ``mode``: ``ok``, ``dead``, ``lies`` (a wrong address), ``babbles``, ``refuses``."""

    net: Internet
    address: Address
    mode: str = "ok"

    def __attrs_post_init__(self) -> None:
        self.net.sockets[self.address] = self.receive

    @property
    def server(self) -> StunServer:
        return StunServer(self.address)

    def receive(self, data: bytes, source: Address) -> None:
        if self.mode == "dead" or not stun.is_stun(data):
            return
        message = stun.decode(data)
        seen = Address("198.51.100.200", 999) if self.mode == "lies" else source
        kind, attribute = Kind.SUCCESS, stun.xor_address(Attr.XOR_MAPPED_ADDRESS, seen, message.transaction_id)
        if self.mode == "refuses":
            kind, attribute = Kind.ERROR, stun.error_code(500, "out of order")
        answer = stun.encode(Method.BINDING, kind, message.transaction_id, [attribute])
        if self.mode == "babbles":
            answer = answer[:20] + self.net.rng.randbytes(len(answer) - 20)
        self.net.send(self.address, source, answer)


@define(eq=False)
class _Allocation:
    relayed: Address
    reply: Callable[[bytes], None]
    streams: bool
    permitted: dict[str, float] = field(factory=dict)
    channels: dict[int, Address] = field(factory=dict)
    expires: float = 0.0
    answered: set[Address] = field(factory=set)


@define(eq=False)
class TurnNode:
    """A TURN server after RFC 8656. ``mode`` is how it misbehaves; see `_misbehaves` and the tests."""

    net: Internet
    address: Address
    relay_host: str
    mode: str = "ok"
    alternate: Address | None = None
    nonce: bytes = b"nonce-1"
    lifetime: int = 600
    allocations: dict[object, _Allocation] = field(factory=dict)
    data_forms: list[str] = field(factory=list)
    """How data has come: ``channel`` or ``send``."""
    _framers: dict[object, StreamFramer] = field(factory=dict)
    _port: int = 50_000
    KEY = stun.long_term_key("user", "sim", "pass")

    def __attrs_post_init__(self) -> None:
        self.net.sockets[self.address] = self._datagram

    def server(self, transport: str = "udp", **more: object) -> TurnServer:
        return TurnServer(self.address, "user", "pass", transport, **more)  # type: ignore[arg-type]

    def _datagram(self, data: bytes, source: Address) -> None:
        self.handle(source, data, lambda answer: self.net.send(self.address, source, answer))

    def stream_received(self, player: Player, stream: int, data: bytes) -> None:
        def reply(answer: bytes) -> None:
            padded = answer + bytes(-len(answer) % 4)
            # In two pieces, as a network may cut it.
            middle = len(padded) // 2
            for piece in (padded[:middle], padded[middle:]):
                self.net.clock.after(self.net.delay, lambda piece=piece: player.stream_received(stream, piece))

        framer = self._framers.setdefault((player, stream), StreamFramer())
        for frame in framer.feed(data):
            self.handle((player, stream), frame, reply)

    def handle(self, client: object, data: bytes, reply: Callable[[bytes], None]) -> None:
        if self.mode == "dead":
            return
        allocation = self.allocations.get(client)
        if data[0] >= 0x40:
            if allocation is not None and (peer := allocation.channels.get(int.from_bytes(data[:2], "big"))):
                self.data_forms.append("channel")
                self._forward(allocation, peer, data[4 : 4 + int.from_bytes(data[2:4], "big")])
            return
        message = stun.decode(data)
        if message.method is Method.SEND and allocation is not None:
            peer, payload = message.address(Attr.XOR_PEER_ADDRESS), message.get(Attr.DATA)
            assert peer is not None
            assert payload is not None
            self.data_forms.append("send")
            self._forward(allocation, peer, payload)
        elif message.kind is Kind.REQUEST:
            self._request(client, message, allocation, reply)

    def _request(
        self, client: object, message: stun.Message, allocation: _Allocation | None, reply: Callable[[bytes], None]
    ) -> None:
        def answer(kind: Kind, *attributes: stun.Attribute, signed: bool = True) -> None:
            key = self.KEY if signed else None
            reply(stun.encode(message.method, kind, message.transaction_id, attributes, key=key))

        challenge = ((Attr.REALM, b"sim"), (Attr.NONCE, self.nonce))
        if self._misbehaves(message, answer):
            return
        if message.get(Attr.USERNAME) is None or not message.verify(self.KEY):
            answer(Kind.ERROR, stun.error_code(401, "Unauthorized"), *challenge, signed=False)
            return
        if message.get(Attr.NONCE) != self.nonce:
            answer(Kind.ERROR, stun.error_code(438, "Stale Nonce"), *challenge, signed=False)
            return
        now = self.net.now
        peer = message.address(Attr.XOR_PEER_ADDRESS)
        if message.method is Method.ALLOCATE:
            if allocation is None:
                self._port += 1
                relayed = Address(self.relay_host, self._port)
                allocation = self.allocations[client] = _Allocation(relayed, reply, not isinstance(client, Address))
                self.net.sockets[relayed] = lambda data, source: self._from_peer(client, data, source)
            allocation.expires = now + self.lifetime
            source = client if isinstance(client, Address) else Address("203.0.113.77", 7)
            answer(
                Kind.SUCCESS,
                stun.xor_address(Attr.XOR_RELAYED_ADDRESS, allocation.relayed, message.transaction_id),
                stun.xor_address(Attr.XOR_MAPPED_ADDRESS, source, message.transaction_id),
                stun.number(Attr.LIFETIME, self.lifetime),
            )
        elif allocation is None or allocation.expires < now:
            answer(Kind.ERROR, stun.error_code(437, "Allocation Mismatch"))
        elif message.method is Method.REFRESH:
            if message.number(Attr.LIFETIME) == 0:
                del self.allocations[client]
                del self.net.sockets[allocation.relayed]
            allocation.expires = now + self.lifetime
            answer(Kind.SUCCESS, stun.number(Attr.LIFETIME, self.lifetime))
        elif peer is not None:
            allocation.permitted[peer.host] = now + 300
            if message.method is Method.CHANNEL_BIND:
                channel = (message.number(Attr.CHANNEL_NUMBER) or 0) >> 16
                assert allocation.channels.get(channel, peer) == peer, "a channel is bound to one peer"
                allocation.channels[channel] = peer
            answer(Kind.SUCCESS)

    def _misbehaves(self, message: stun.Message, answer: Callable[..., None]) -> bool:
        challenge = ((Attr.REALM, b"sim"), (Attr.NONCE, self.nonce + b"!"))
        match self.mode, message.method:
            case "quota", Method.ALLOCATE:
                answer(Kind.ERROR, stun.error_code(486, "Allocation Quota Reached"))
            case "mismatch", Method.ALLOCATE:
                answer(Kind.ERROR, stun.error_code(437, "Allocation Mismatch"))
            case "redirects", Method.ALLOCATE:
                assert self.alternate is not None
                host = bytes(int(each) for each in self.alternate.host.split("."))
                value = b"\0\1" + self.alternate.port.to_bytes(2, "big") + host
                answer(Kind.ERROR, stun.error_code(300, "Try Alternate"), (Attr.ALTERNATE_SERVER, value))
            case "always stale", _:
                answer(Kind.ERROR, stun.error_code(438, "Stale Nonce"), *challenge, signed=False)
            case "unauthorized", _:
                answer(Kind.ERROR, stun.error_code(401, "Unauthorized"), *challenge, signed=False)
            case "lies", Method.ALLOCATE:
                answer(Kind.SUCCESS, stun.number(Attr.LIFETIME, 0))
            case "forbids", Method.CREATE_PERMISSION:
                answer(Kind.ERROR, stun.error_code(403, "Forbidden"))
            case "no channels", Method.CHANNEL_BIND:
                answer(Kind.ERROR, stun.error_code(400, "Bad Request"))
            case "babbles", _:
                answer(Kind.ERROR, (Attr.ERROR_CODE, self.net.rng.randbytes(4)), (0x7777, b"?"))
            case _:
                return False
        return True

    def _forward(self, allocation: _Allocation, peer: Address, data: bytes) -> None:
        assert data[0] < 4 or peer in allocation.answered, f"{peer} has not answered"
        if allocation.permitted.get(peer.host, -1.0) >= self.net.now:
            self.net.send(allocation.relayed, peer, data)

    def _from_peer(self, client: object, data: bytes, source: Address) -> None:
        allocation = self.allocations.get(client)
        if allocation is None or allocation.permitted.get(source.host, -1.0) < self.net.now:
            return
        if data[:2] == ANSWER:
            allocation.answered.add(source)
        channel = next((number for number, peer in allocation.channels.items() if peer == source), None)
        if channel is not None:
            allocation.reply(channel.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data)
            return
        transaction_id = self.net.rng.randbytes(12)
        attributes = (stun.xor_address(Attr.XOR_PEER_ADDRESS, source, transaction_id), (Attr.DATA, data))
        allocation.reply(stun.encode(Method.DATA, Kind.INDICATION, transaction_id, attributes))


def player(
    net: Internet,
    *hosts: str,
    controlling: bool,
    nat: Nat | None = None,
    servers: list[Server] | None = None,
    turns: list[TurnNode] | None = None,
    relay_only: bool = False,
    timing: Timing | None = None,
    tie_breaker: int | None = None,
) -> Player:
    for host in hosts:
        if nat is not None:
            net.nats[host] = nat
    seed = net.rng.getrandbits(32)
    agent = Agent(
        controlling=controlling, rng=Random(seed), relay_only=relay_only, timing=timing, tie_breaker=tie_breaker
    )
    streams = {node.address: node for node in turns or ()}
    return Player(net, agent, [Address.of(host, 4000 + seed % 50_000) for host in hosts], servers or [], streams)


def call(caller: Player, callee: Player, *, gather_first: float = 0.0) -> None:
    """Offer and answer: with trickled candidates, or after some seconds of gathering with what is there."""
    caller.open()
    callee.open()
    if gather_first:
        caller.trickles = callee.trickles = False
        caller.net.run(gather_first)
    caller.tell(callee)
    caller.net.clock.after(caller.signal, lambda: callee.tell(caller))


def restart(one: Player, other: Player) -> None:
    """A new offer and its answer: each takes the signalling's time."""
    one.agent.restart(one.net.now)
    description = one.describe()

    def answered() -> None:
        other.agent.restart(one.net.now)
        other.learn(description)
        reply = other.describe()
        one.net.clock.after(one.signal, lambda: accept(reply))

    def accept(reply: tuple[Credentials, tuple[Candidate, ...]]) -> None:
        # Unless another offer has followed, or this one was taken back.
        if one.agent.local_credentials == description[0]:
            one.learn(reply)

    one.net.clock.after(one.signal, answered)
    one.pump()


def both_ways(one: Player, other: Player, *, seconds: float = 5.0) -> bool:
    """Whether audio passes in both directions within so many seconds: a frame each 0.1 s."""
    serial = one.net.rng.getrandbits(32).to_bytes(4, "big")
    voice = b"\x80" + serial

    def beat() -> None:
        one.say(voice)
        other.say(voice)

    for number in range(int(seconds / 0.1)):
        one.net.clock.after(number * 0.1, beat)
    return one.net.run(seconds + 2 * one.net.delay + 1, lambda: voice in other.received and voice in one.received)
