"""Gathering of candidates from STUN and TURN servers (RFC 8445 section 5.1.1.2), and the relay that was won.

Servers of a kind follow each other with a short head start each, because one that is out of reach says nothing for
seconds; the first that answers ends the race. When the relay is lost later, there is another race.
"""

import ipaddress
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias

from attrs import define, evolve, field, frozen

from telnyx_core.ice import stun
from telnyx_core.ice.actions import Action, CloseStream, OpenStream, ServerFailed, Transmit, TransmitStream
from telnyx_core.ice.candidate import CandidateType
from telnyx_core.ice.stun import Address, Attr, Kind, Method, StunError
from telnyx_core.ice.transaction import Timing, Transaction, fresh_id
from telnyx_core.ice.turn import (
    Allocated,
    AllocationState,
    Lost,
    PeerRefused,
    Redirected,
    Relayed,
    StreamFramer,
    ToServer,
    TurnClient,
    TurnServer,
)

MAX_SERVERS: Final = 8
"""Of each kind; each is asked from each local address."""
MAX_REDIRECTS: Final = 3
MAX_RACES: Final = 16
"""For a relay, in an agent's life: servers that grant allocations and take them away at once are given up."""
NOT_REACHED: Final = 701


@frozen
class StunServer:
    """The address is resolved already; ``name`` is for people."""

    address: Address
    name: str = ""


Server: TypeAlias = StunServer | TurnServer
Found: TypeAlias = Callable[[CandidateType, Address, Address, Server, float], None]
"""The kind of a candidate, its address, its base (the mapped address for a relay), the server, and the time."""
Arrived: TypeAlias = Callable[[bytes, Address, Address, float], None]
"""A datagram, the relayed address that it came to, the peer that sent it, and the time."""


@define(eq=False)
class _Query:
    host: Address
    server: StunServer
    transaction: Transaction
    mapped: Address | None = None


@define(eq=False)
class _Race:
    """Which server of a kind is asked when: each has a head start over the next."""

    servers: list[Server]
    head_start: float
    ready_at: float
    """For the next one."""
    asked: int = 0
    over: bool = False

    @property
    def due(self) -> float | None:
        return None if self.over or self.asked >= len(self.servers) else self.ready_at

    def take(self, now: float) -> Server | None:
        if self.due is None or now < self.due:
            return None
        self.asked, self.ready_at = self.asked + 1, now + self.head_start
        return self.servers[self.asked - 1]

    def hurry(self, now: float) -> None:
        """One has failed: the next is asked at once."""
        self.ready_at = now


@define(eq=False)
class _Relay:
    client: TurnClient
    base: Address | None
    """The socket for a server that is reached over UDP."""
    stream: int | None
    framer: StreamFramer = field(factory=StreamFramer)
    redirects: int = 0


@define(eq=False)
class Gatherer:
    timing: Timing
    rng: Random
    reflexive: bool
    """Whether STUN servers may be asked: not with relays alone, for the request would show an address."""
    _act: Callable[[Action], None]
    _found: Found
    _arrived: Arrived
    _gone: Callable[[Address | None, str | None, float], None]
    """A relay that is lost, or a host that it refuses."""
    hosts: list[Address] = field(factory=list[Address], init=False)
    outlets: list[Address] = field(factory=list[Address], init=False)
    """Sockets that have no candidate; TURN servers are asked from them."""
    relay: _Relay | None = field(default=None, init=False)
    """The winner."""
    _stuns: list[StunServer] = field(factory=list[StunServer], init=False)
    _turns: list[Server] = field(factory=list[Server], init=False)
    _races: dict[Address, _Race] = field(factory=dict[Address, _Race], init=False)
    _turn_race: _Race | None = field(default=None, init=False)
    _queries: dict[bytes, _Query] = field(factory=dict[bytes, _Query], init=False)
    _relays: list[_Relay] = field(factory=list[_Relay], init=False)
    _leaving: list[_Relay] = field(factory=list[_Relay], init=False)
    """Their allocations are being given back, each for as long as a server has time to answer."""
    _stream: int = field(default=0, init=False)
    _allowed: int = field(default=MAX_RACES, init=False)

    @property
    def finished(self) -> bool:
        asking = any(query.mapped is None for query in self._queries.values())
        return not asking and not self._relays and all(race.due is None for race in self._all_races)

    @property
    def held(self) -> bool:
        """Whether a server holds an allocation, as far as is known."""
        return self.relay is not None or bool(self._leaving)

    @property
    def _alive(self) -> tuple[_Relay, ...]:
        return (*self._relays, *(() if self.relay is None else (self.relay,)))

    @property
    def _all_races(self) -> tuple[_Race, ...]:
        return (*self._races.values(), *(() if self._turn_race is None else (self._turn_race,)))

    def add_host(self, host: Address, now: float) -> None:
        self.hosts.append(host)
        self._race_from(host, now)
        self._race_turn(now)

    def add_servers(self, servers: Sequence[Server], now: float) -> None:
        for server in servers:
            if isinstance(server, StunServer) and len(self._stuns) < MAX_SERVERS:
                self._stuns.append(server)
            elif isinstance(server, TurnServer) and len(self._turns) < MAX_SERVERS:
                self._turns.append(server)
        for host in self.hosts:
            self._race_from(host, now)
        self._race_turn(now)

    def stop(self, now: float) -> None:
        """Leave what is not answered yet."""
        for race in self._all_races:
            race.over = True
        self.stop_asking()
        for relay in tuple(self._relays):
            self._release(relay, now)
        self._relays.clear()

    def stop_asking(self) -> None:
        self._queries = {key: query for key, query in self._queries.items() if query.mapped is not None}

    def ask_again(self, now: float) -> None:
        for query in self._queries.values():
            if query.mapped is not None:
                query.transaction.due, query.transaction.deadline = now, now + self.timing.server
        self.refresh(now)

    def remove_host(self, host: Address, now: float) -> None:
        self.hosts.remove(host)
        self._races.pop(host, None)
        self._queries = {key: query for key, query in self._queries.items() if query.host != host}
        for relay in self._alive:
            if relay.base == host:
                self._lost(relay, NOT_REACHED, "the address of this host is gone", now)
        self._leaving = [each for each in self._leaving if each.base != host]

    def server_at(self, base: Address, source: Address) -> "_Relay | None":
        """The relay whose server speaks to this socket from this address."""
        relays = (*self._alive, *self._leaving)
        return next((each for each in relays if each.base == base and each.client.server.address == source), None)

    def answered(self, data: bytes, base: Address, source: Address, now: float) -> bool:
        """Whether it is the answer of a STUN server."""
        query = self._queries.get(data[8:20])
        if query is None or query.host != base or query.server.address != source:
            return False
        race = self._races[base]
        try:
            message = stun.decode(data)
            mapped = message.address(Attr.XOR_MAPPED_ADDRESS) or message.address(Attr.MAPPED_ADDRESS)
        except StunError:
            return True
        if message.kind is Kind.SUCCESS and mapped is not None and mapped.port and mapped.version == base.version:
            race.over = True
            for key, other in tuple(self._queries.items()):
                if other is not query and other.host == base:
                    del self._queries[key]
            query.transaction.due = now + self.timing.keepalive
            query.transaction.deadline = now + self.timing.keepalive + self.timing.server
            if query.mapped != mapped:
                query.mapped = mapped
                self._found(CandidateType.SERVER_REFLEXIVE, mapped, base, query.server, now)
        elif query.mapped is None:
            del self._queries[data[8:20]]
            try:
                code, reason = message.error or (NOT_REACHED, "its answer makes no sense")
            except StunError:
                code, reason = NOT_REACHED, "its answer makes no sense"
            self._act(ServerFailed(source, query.server.name, code, reason))
            race.hurry(now)
        return True

    def stop_keepalive(self) -> None:
        """A pair is selected: its own checks keep the binding that is needed."""
        self._queries = {key: query for key, query in self._queries.items() if query.mapped is None}

    def relayed(self, relay: _Relay, data: bytes, now: float) -> None:
        relay.client.receive(data, now)
        self._pump(relay, now)

    def send(self, data: bytes, peer: Address, now: float) -> None:
        if self.relay is not None:
            self.relay.client.send(data, peer, now)
            self._pump(self.relay, now)

    def bind(self, peer: Address, now: float) -> None:
        if self.relay is not None:
            self.relay.client.bind(peer, now)
            self._pump(self.relay, now)

    def refresh(self, now: float) -> None:
        if self.relay is not None:
            self.relay.client.refresh(now)
            self._pump(self.relay, now)

    def stream(self, stream: int) -> _Relay | None:
        return next((each for each in self._alive if each.stream == stream), None)

    def stream_opened(self, relay: _Relay, now: float) -> None:
        relay.client.allocate(now)
        self._pump(relay, now)

    def stream_received(self, relay: _Relay, data: bytes, now: float) -> None:
        try:
            frames = relay.framer.feed(data)
        except StunError as error:
            self._lost(relay, NOT_REACHED, str(error), now)
            return
        for frame in frames:
            self.relayed(relay, frame, now)

    def stream_closed(self, relay: _Relay, reason: str, now: float) -> None:
        relay.stream = None
        self._lost(relay, NOT_REACHED, reason, now)

    def close(self, now: float) -> None:
        for relay in self._alive:
            self._release(relay, now)
        self.relay, self._turn_race = None, None
        self._relays.clear()
        self._queries.clear()
        self._races.clear()

    def next_timeout(self) -> float | None:
        times = [race.due for race in self._all_races]
        times += [relay.client.next_timeout() for relay in (*self._alive, *self._leaving)]
        times += [query.transaction.due for query in self._queries.values()]
        return min((each for each in times if each is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        for host, race in tuple(self._races.items()):
            server = race.take(now)
            if isinstance(server, StunServer):
                self._query(host, server, now)
        for key, query in tuple(self._queries.items()):
            if now >= query.transaction.deadline:
                del self._queries[key]
                self._act(ServerFailed(query.server.address, query.server.name, NOT_REACHED, "no answer"))
            elif now >= query.transaction.due:
                self._act(Transmit(query.host, query.server.address, query.transaction.sent(now)))
        server = None if self._turn_race is None else self._turn_race.take(now)
        if isinstance(server, TurnServer):
            self._ask_relay(server, 0, now)
        for relay in (*self._alive, *self._leaving):
            due = relay.client.next_timeout()
            if due is not None and now >= due:
                relay.client.handle_timeout(now)
                self._pump(relay, now)

    def _race_from(self, host: Address, now: float) -> None:
        servers: list[Server] = [each for each in self._stuns if _reaches(host, each.address)]
        if host in self._races:
            self._races[host].servers = servers
        elif self.reflexive and servers:
            self._races[host] = _Race(servers, self.timing.stun_head_start, now)

    def _race_turn(self, now: float) -> None:
        running = self._turn_race is not None and self._turn_race.due is not None
        if self.relay is None and not self._relays and not running and self._turns and self._allowed:
            self._allowed -= 1
            self._turn_race = _Race(self._turns, self.timing.turn_head_start, now)

    def _query(self, host: Address, server: StunServer, now: float) -> None:
        transaction_id = fresh_id(self.rng)
        request = stun.encode(Method.BINDING, Kind.REQUEST, transaction_id)
        self._queries[transaction_id] = _Query(
            host, server, Transaction(transaction_id, request, now + self.timing.server, now)
        )

    def _ask_relay(self, server: TurnServer, redirects: int, now: float) -> None:
        client = TurnClient(server, self.rng, self.timing)
        if server.transport == "udp":
            sockets = (*self.outlets, *self.hosts)
            host = next((each for each in sockets if each.version == server.address.version), None)
            taken = host is not None and self.server_at(host, server.address) is not None
            if host is None or taken:
                self._act(ServerFailed(server.address, server.name, NOT_REACHED, "no socket to ask it from"))
                return
            relay = _Relay(client, host, None, redirects=redirects)
            self._relays.append(relay)
            client.allocate(now)
            self._pump(relay, now)
        else:
            self._stream += 1
            self._relays.append(_Relay(client, None, self._stream, redirects=redirects))
            self._act(OpenStream(self._stream, server))

    def _pump(self, relay: _Relay, now: float) -> None:
        if relay.client.state is AllocationState.GONE and relay in self._leaving:
            self._leaving.remove(relay)
        while relay.client.outputs:
            match relay.client.outputs.popleft():
                case ToServer(data):
                    if relay.base is not None:
                        self._act(Transmit(relay.base, relay.client.server.address, data))
                    elif relay.stream is not None:
                        self._act(TransmitStream(relay.stream, data))
                case Allocated(relayed, mapped):
                    self._won(relay, relayed, mapped, now)
                case Redirected(address):
                    self._redirected(relay, address, now)
                case Relayed(peer, data):
                    if relay is self.relay and relay.client.relayed is not None:
                        self._arrived(data, relay.client.relayed, peer, now)
                case PeerRefused(host, _, _):
                    if relay is self.relay:
                        self._gone(relay.client.relayed, host, now)
                case Lost(code, reason):
                    self._lost(relay, code or NOT_REACHED, reason, now)

    def _won(self, relay: _Relay, relayed: Address, mapped: Address | None, now: float) -> None:
        self._relays.remove(relay)
        self.relay = relay
        if self._turn_race is not None:
            self._turn_race.over = True
        for other in tuple(self._relays):
            self._release(other, now)
        self._relays.clear()
        self._found(CandidateType.RELAYED, relayed, mapped or relayed, relay.client.server, now)

    def _redirected(self, relay: _Relay, address: Address, now: float) -> None:
        self._drop(relay)
        server = relay.client.server
        if relay.redirects < MAX_REDIRECTS and address.version == server.address.version and address != server.address:
            self._ask_relay(evolve(server, address=address), relay.redirects + 1, now)
        else:
            self._act(ServerFailed(server.address, server.name, 300, "it names other servers without an end"))
            self._hurry(now)

    def _lost(self, relay: _Relay, code: int, reason: str, now: float) -> None:
        held = relay is self.relay
        self._drop(relay)
        server = relay.client.server
        self._act(ServerFailed(server.address, server.name, code, reason))
        if held:
            self._gone(relay.client.relayed, None, now)
            self._race_turn(now)
        else:
            self._hurry(now)

    def _hurry(self, now: float) -> None:
        if self._turn_race is not None:
            self._turn_race.hurry(now)

    def _drop(self, relay: _Relay) -> None:
        if relay is self.relay:
            self.relay = None
        elif relay in self._relays:
            self._relays.remove(relay)
        if relay.stream is not None:
            self._act(CloseStream(relay.stream))
            relay.stream = None

    def _release(self, relay: _Relay, now: float) -> None:
        relay.client.close(now)
        self._pump(relay, now)
        if relay.stream is not None:  # the end of a connection says it all
            self._act(CloseStream(relay.stream))
            relay.stream = None
        elif relay.client.state is AllocationState.LEAVING:
            self._leaving.append(relay)


def _reaches(host: Address, server: Address) -> bool:
    """What is bound to loopback stays there."""
    loopback = [ipaddress.ip_address(each.host).is_loopback for each in (host, server)]
    return host.version == server.version and not (loopback[0] and not loopback[1])
