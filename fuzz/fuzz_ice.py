"""No byte of the network and no text of a description makes the ICE agent raise, loop or keep anything without a bound.

    python fuzz/fuzz_ice.py -dict=fuzz/udp.dict -max_total_time=600 findings fuzz/ice_corpus

Each input is a row of pieces, each with two bytes in front: what it is and its size, in twos. A piece is a datagram
from a stranger, the body of a check or of an answer that is signed well, what a STUN or a TURN server answers, bytes
of a stream from a TURN server, a candidate line, or time that passes.
"""

import contextlib
import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["telnyx_core.ice"]):
    from telnyx_core.ice import (
        Address,
        Agent,
        Candidate,
        CandidateError,
        Credentials,
        IceError,
        OpenStream,
        StunServer,
        Transmit,
        TransmitStream,
        TurnServer,
        stun,
    )
    from telnyx_core.ice.checklist import MAX_PAIRS
    from telnyx_core.ice.checks import MAX_SENT
    from telnyx_core.ice.generation import MAX_EARLY, MAX_REMOTE
    from telnyx_core.ice.stun import Attr, Kind, Message, Method, StunError

BASE, FAR, STRANGER = Address("10.0.0.1", 1000), Address("10.0.0.2", 2000), Address("192.0.2.9", 9)
STUN, TURN = Address("192.0.2.1", 3478), Address("192.0.2.2", 3478)
CREDENTIALS = Credentials("farfar", "p" * 24)
KEY = stun.long_term_key("user", "r", "pass")
CHALLENGE = stun.attribute(Attr.REALM, b"r") + stun.attribute(Attr.NONCE, b"n")
MOST = 40


def signed(kind: int, method: int, transaction_id: bytes, body: bytes, key: bytes) -> bytes:
    """A message with any attributes at all in front of a signature that is right."""
    body = body[: len(body) & ~3]
    start = stun.encode(Method(method), Kind(kind), transaction_id, fingerprint=False)
    data = start[:2] + (len(body) + 24).to_bytes(2, "big") + start[4:] + body
    return data + stun.attribute(Attr.MESSAGE_INTEGRITY, stun._sign(data, key))


class World:
    def __init__(self, first: int) -> None:
        self.now = 0.0
        self.agent = Agent(controlling=bool(first & 1), rng=Random(first), relay_only=bool(first & 2))
        self.sent: list[Transmit] = []
        self.to_stream: list[bytes] = []
        self.stream: int | None = None
        transport = "tcp" if first & 4 else "udp"
        servers = [StunServer(STUN), TurnServer(TURN, "user", "pass", transport)]
        self.agent.gather([BASE], servers, 0.0)
        if first & 8:
            self.agent.set_remote(CREDENTIALS, 0.0)
        self.drain()

    def drain(self) -> None:
        while (action := self.agent.next_action()) is not None:
            if isinstance(action, Transmit):
                self.sent.append(action)
                if self.agent.relay_only:
                    assert action.remote == TURN
            elif isinstance(action, OpenStream):
                self.stream = action.stream
                self.agent.stream_opened(action.stream, self.now)
            elif isinstance(action, TransmitStream):
                self.to_stream.append(action.data)
        del self.sent[:-50], self.to_stream[:-50]
        agent = self.agent
        assert len(agent._checks.sent) <= MAX_SENT
        for generation in agent._generations:
            assert len(generation.remotes) <= MAX_REMOTE
            assert len(generation.checklist.pairs) <= MAX_PAIRS
            assert len(generation.early) <= MAX_EARLY

    def request_to(self, where: Address) -> Message | None:
        found = (each.data for each in reversed(self.sent) if each.remote == where and stun.is_stun(each.data))
        return next((stun.decode(data) for data in found), None)

    def step(self, what: int, piece: bytes) -> None:
        agent, now = self.agent, self.now
        local = agent.local_credentials.password.encode()
        match what % 10:
            case 0:
                agent.receive(piece, BASE, (STRANGER, FAR, STUN, TURN)[what // 10 % 4], now)
            case 1:
                name = stun.attribute(Attr.USERNAME, agent.local_credentials.ufrag.encode() + b":farfar")
                usual = stun.number(Attr.PRIORITY, 99)
                body = name + stun.attribute(*usual) + piece
                data = signed(Kind.REQUEST, Method.BINDING, piece[:12].ljust(12), body, local)
                agent.receive(data, BASE, Address(FAR.host, 2000 + what // 10), now)
            case 2 | 3 if (request := self.request_to(FAR)) is not None:
                kind = Kind.SUCCESS if what % 10 == 2 else Kind.ERROR
                data = signed(kind, request.method, request.transaction_id, piece, CREDENTIALS.password.encode())
                agent.receive(data, BASE, FAR, now)
            case 4 if (request := self.request_to(STUN)) is not None:
                data = signed(Kind.SUCCESS, request.method, request.transaction_id, piece, b"")
                agent.receive(data, BASE, STUN, now)
            case 5 | 6:
                requests = self.to_stream[-1:] if self.stream is not None else []
                request = stun.decode(requests[0]) if requests and stun.is_stun(requests[0]) else self.request_to(TURN)
                if request is not None:
                    kind = Kind.SUCCESS if what % 10 == 5 else Kind.ERROR
                    body = piece if what // 10 % 2 else CHALLENGE + piece
                    data = signed(kind, request.method, request.transaction_id, body, KEY)
                    if self.stream is None:
                        agent.receive(data, BASE, TURN, now)
                    else:
                        agent.stream_received(self.stream, data, now)
            case 7 if self.stream is not None:
                agent.stream_received(self.stream, piece, now)
            case 8:
                try:
                    agent.add_remote_candidate(Candidate.parse(piece.decode("utf-8", "replace")), now)
                except CandidateError:
                    agent.add_remote_candidate(
                        Candidate.parse(f"candidate:1 1 udp 1 {FAR.host} {FAR.port} typ host"), now
                    )
            case _:
                self.other(what // 10 % 6, piece)

    def other(self, what: int, piece: bytes) -> None:
        agent = self.agent
        try:
            match what:
                case 0:
                    agent.set_remote(CREDENTIALS, self.now)
                case 1:
                    agent.restart(self.now)
                case 2:
                    agent.abandon_restart(self.now)
                case 3:
                    agent.reselect(self.now)
                case 4:
                    agent.confirm(self.now)
                case _:
                    agent.send(b"\x80" + piece, self.now)
        except IceError:
            pass

    def wait(self, seconds: float) -> None:
        end, turns = self.now + seconds, 0
        while (due := self.agent.next_timeout()) is not None and due <= end and turns < 200:
            self.now, turns = max(self.now, due), turns + 1
            self.agent.handle_timeout(self.now)
            after = self.agent.next_timeout()
            assert after is None or after > self.now
            self.drain()
        self.now = max(self.now, end)


def one_input(data: bytes) -> None:
    if not data:
        return
    with contextlib.suppress(StunError):
        stun.decode(data)
    world, data = World(data[0]), data[1:]
    for _ in range(MOST):
        if len(data) < 2:
            break
        what, size = data[0], 2 * data[1]
        world.step(what, data[2 : 2 + size])
        world.drain()
        world.wait(0.05 if what < 200 else (what - 199) * 0.5)
        data = data[2 + size :]
    world.agent.close(world.now)
    world.drain()
    world.wait(40.0)  # an allocation is given back meanwhile
    assert world.agent.next_timeout() is None


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
