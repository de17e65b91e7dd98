"""Far ends that are not ours, as models: a telephony server, a peer that takes the first address, and a browser."""

from random import Random

from attrs import define, field

from telnyx_core.ice import Address, Candidate, CandidateType, Credentials, stun
from telnyx_core.ice.candidate import local_candidate, priority_of
from telnyx_core.ice.stun import Attr, Kind, Message, Method
from tests.ice.internet import Internet, Player

HELLO, FINISHED = b"\x16hello", b"\x16finished"
"""Of a handshake of one round trip: a far end that has not heard it drops audio."""
SILENCE_SECONDS = 6.0
"""Without a check from where it is, after which a server follows one from elsewhere."""


@define(eq=False)
class Peer:
    """What the three have in common: sockets, credentials, answers to checks that are signed well."""

    net: Internet
    hosts: list[Address]
    controlling: bool = False
    local: Credentials = field(init=False)
    remote: Credentials | None = None
    candidates: list[Candidate] = field(factory=list)
    heard: list[bytes] = field(factory=list)
    asked: dict[bytes, tuple[Address, Address]] = field(factory=dict)
    rng: Random = field(init=False)
    shaken: bool = False
    """The handshake is over."""

    def __attrs_post_init__(self) -> None:
        self.rng = Random(self.net.rng.getrandbits(32))
        self.local = Credentials.fresh(self.rng)
        for host in self.hosts:
            self.net.sockets[host] = lambda data, source, host=host: self.receive(data, host, source)

    def describe(self) -> tuple[Credentials, tuple[Candidate, ...]]:
        found = [
            local_candidate(CandidateType.HOST, host, host, 65_535 - place) for place, host in enumerate(self.hosts)
        ]
        return self.local, tuple(found)

    def learn(self, description: tuple[Credentials, tuple[Candidate, ...]]) -> None:
        self.remote, found = description
        self.candidates = list(found)

    def trickled(self, candidate: Candidate, ufrag: str) -> None:
        self.candidates.append(candidate)

    def receive(self, data: bytes, base: Address, source: Address) -> None:
        if not stun.is_stun(data):
            self.datagram(data, base, source)
            return
        message = stun.decode(data)
        if message.kind is Kind.REQUEST:
            assert message.verify(self.local.password.encode())
            self.checked(message, base, source)
            mapped = stun.xor_address(Attr.XOR_MAPPED_ADDRESS, source, message.transaction_id)
            key = self.local.password.encode()
            answer = stun.encode(Method.BINDING, Kind.SUCCESS, message.transaction_id, [mapped], key=key)
            self.net.send(base, source, answer)
        elif message.kind is Kind.SUCCESS and self.asked.pop(message.transaction_id, None) == (base, source):
            assert self.remote is not None
            assert message.verify(self.remote.password.encode())
            self.answered(base, source)

    def check(self, base: Address, to: Address, *, nominates: bool = False) -> None:
        if self.remote is None:
            return
        transaction_id = self.rng.randbytes(12)
        self.asked[transaction_id] = base, to
        attributes = [
            (Attr.USERNAME, f"{self.remote.ufrag}:{self.local.ufrag}".encode()),
            stun.number(Attr.ICE_CONTROLLING if self.controlling else Attr.ICE_CONTROLLED, 7, 8),
            stun.number(Attr.PRIORITY, priority_of(CandidateType.PEER_REFLEXIVE, 65_535)),
        ]
        if nominates:
            attributes.append((Attr.USE_CANDIDATE, b""))
        key = self.remote.password.encode()
        self.net.send(base, to, stun.encode(Method.BINDING, Kind.REQUEST, transaction_id, attributes, key=key))

    def checked(self, message: Message, base: Address, source: Address) -> None: ...

    def answered(self, base: Address, source: Address) -> None: ...

    def datagram(self, data: bytes, base: Address, source: Address) -> None:
        self.heard.append(data)

    def repeat(self, every: float, what: "object") -> None:
        def again() -> None:
            what()  # type: ignore[operator]
            self.net.clock.after(every, again)

        self.net.clock.after(every, again)


@define(eq=False)
class Server(Peer):
    """A telephony server with one address (PS-039 to PS-041).

    Deaf until it has the other description, it checks the first candidate that its list allows, goes where the first
    check from a new address came from, and then where the last nominating one did. Once its handshake is over it moves
    only after a long silence. It drops everything from any other address.
    """

    at: Address | None = None
    _seen: set[Address] = field(factory=set)
    _checked: float = 0.0
    _moved: float = -9.0

    def learn(self, description: tuple[Credentials, tuple[Candidate, ...]]) -> None:
        first = self.remote is None
        self._seen.clear()
        super().learn(description)
        if self.candidates:
            self.at = self.candidates[0].address
        if first:
            self.repeat(1.0, self._check)
        self._check()

    def receive(self, data: bytes, base: Address, source: Address) -> None:
        if self.remote is not None:
            super().receive(data, base, source)

    def _check(self) -> None:
        if self.at is not None:
            self.check(self.hosts[0], self.at, nominates=self.controlling)

    def checked(self, message: Message, base: Address, source: Address) -> None:
        now = self.net.now
        if self.shaken:
            wanted = now - self._checked > SILENCE_SECONDS
        elif self.controlling and now - self._moved < 1.0:
            wanted = False  # where it nominates itself, it lets a check draw it away once in a second
        else:
            wanted = source not in self._seen or message.get(Attr.USE_CANDIDATE) is not None
        if wanted and self.at != source:
            self.at, self._moved = source, now
            self._check()  # it asks there at once
        self._seen.add(source)
        if source == self.at:
            self._checked = self.net.now

    def datagram(self, data: bytes, base: Address, source: Address) -> None:
        if source != self.at:
            return
        if data == HELLO:
            self.shaken = True
            self.say(FINISHED)
        elif self.shaken:
            self.heard.append(data)

    def say(self, data: bytes) -> None:
        if self.at is not None:
            self.net.send(self.hosts[0], self.at, data)


@define(eq=False)
class FirstCandidate(Peer):
    """It answers checks, makes one of its own, and sends to the first candidate, whatever is nominated."""

    def learn(self, description: tuple[Credentials, tuple[Candidate, ...]]) -> None:
        super().learn(description)
        self.repeat(0.5, self._check)

    def _check(self) -> None:
        self.check(self.hosts[0], self.candidates[0].address, nominates=self.controlling)

    def say(self, data: bytes) -> None:
        self.net.send(self.hosts[0], self.candidates[0].address, data)


@define(eq=False)
class Browser(Peer):
    """As libwebrtc: it pings every pair for as long as it lives, moves to a better one, and says so by nominating."""

    selected: tuple[Address, Address] | None = None
    _working: dict[tuple[Address, Address], float] = field(factory=dict)
    _nominated: dict[tuple[Address, Address], float] = field(factory=dict)
    _turn: int = 0

    def learn(self, description: tuple[Credentials, tuple[Candidate, ...]]) -> None:
        first = self.remote is None
        super().learn(description)
        if first:
            self.repeat(0.05, self._ping)

    def _ways(self) -> list[tuple[Address, Address]]:
        ways = {(host, each.address): each.priority for host in self.hosts for each in self.candidates}
        return sorted(ways, key=lambda way: (-ways[way], self.hosts.index(way[0])))

    def _ping(self) -> None:
        ways = self._ways()
        alive = [way for way in ways if self.net.now - self._working.get(way, -9.0) < 2.5]
        if self.controlling:
            self.selected = alive[0] if alive else None
        elif self._nominated:
            self.selected = max(self._nominated, key=lambda way: self._nominated[way])
        self._turn += 1
        way = self.selected if self.selected and self._turn % 2 else ways[self._turn // 2 % len(ways)] if ways else None
        if way is not None:
            self.check(*way, nominates=self.controlling and way == self.selected)

    def checked(self, message: Message, base: Address, source: Address) -> None:
        if source not in [each.address for each in self.candidates]:
            priority = message.number(Attr.PRIORITY) or 1
            self.candidates.append(Candidate("prflx", 1, "udp", priority, source, CandidateType.PEER_REFLEXIVE))
        if message.get(Attr.USE_CANDIDATE) is not None:
            self._nominated[base, source] = self.net.now
        self.check(base, source)

    def answered(self, base: Address, source: Address) -> None:
        self._working[base, source] = self.net.now

    def say(self, data: bytes) -> None:
        if self.selected is not None:
            self.net.send(*self.selected, data)


def shake(player: Player, *, every: float = 0.1) -> None:
    """The player's half of a handshake: it begins when a pair is selected, and repeats itself until it is answered."""

    def beat() -> None:
        if FINISHED in player.received:
            player.agent.confirm(player.net.now)
            player.pump()
        else:
            player.say(HELLO)
            player.net.clock.after(every, beat)

    beat()
