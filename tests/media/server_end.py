"""A far end of our own that chooses its path as the platform's server does: one UDP socket, STUN, DTLS and SRTP.

While it starts it follows the first check that comes from a new address, nominating or not, and then the last one that
nominates. That ends when the address that it was told first has answered a check of its own: from then on a check from
another address, nominating or not, draws it away until the handshake is over, though not within a second of the last
time. It takes DTLS and RTP from the address that it follows and drops them from any other (PS-039). It has OpenSSL's
own patience: what it has sent in the handshake is repeated after a second.

Delay and loss are those of its socket, both ways, so that whoever talks to it is left as it is.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import count
from random import Random
from struct import pack
from typing import Any, Final, Literal, Self, TypeAlias

from aioice import stun
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate
from attrs import define, field
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

Address: TypeAlias = tuple[str, int]
Setup: TypeAlias = Literal["active", "passive"]

BEAT: Final = 0.02
STAY_SECONDS: Final = 1.0
"""For which it stays where it was drawn to, once an address has answered."""
CHECK_SECONDS: Final = 0.5
"""Between two checks of its own, to the address that it follows."""


def _attribute(sdp: str, name: str) -> str:
    return next(line.partition(":")[2] for line in sdp.splitlines() if line.startswith(f"a={name}:"))


@define(eq=False, kw_only=True, slots=False)
class ServerEnd(asyncio.DatagramProtocol):
    """``async with ServerEnd() as far: far.answer(offer)``; or ``far.offer()``, and ``far.accept(answer)``."""

    delay: float = 0.0
    """Seconds, each way."""
    relay_delay: float = 0.0
    """Seconds more, each way, of what goes by `relay`."""
    relay: str = "127.0.0.5"
    loss: float = 0.0
    """0 to 1, of all datagrams, each way."""
    rng: Random = field(factory=lambda: Random(7))
    setup: Setup = "active"
    """Its part in the handshake where it answers."""
    controlling: bool = False
    """What it takes itself for at first, whatever it is; it gives way to whoever says the same (mod_verto)."""
    lose_first: int = 0
    """So many of the first handshake datagrams that come to it are lost."""
    counted: Counter[str] = field(factory=Counter[str])
    follows: Address | None = None
    up: bool = False
    """The handshake is over."""
    heard: int = 0
    """Packets of audio, authenticated, from the address that it follows."""
    loses: Callable[[bytes], bool] = lambda data: False
    """Sees what comes, and loses more of it."""
    _seen: set[Address] = field(factory=set[Address])
    _first: Address | None = None
    _answered: set[Address] = field(factory=set[Address])
    _settling: bool = True
    _moved: float = float("-inf")
    _tie_breaker: int = field(factory=lambda: int.from_bytes(secrets.token_hex(4).encode()))
    _ufrag: str = ""
    _password: str = ""
    _remote: tuple[str, str] | None = None
    _tasks: list["asyncio.Task[None]"] = field(factory=list["asyncio.Task[None]"])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._certificate = RTCCertificate.generateCertificate()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.hang_up()
        self._transport.abort()

    # What is said of it.

    def answer(self, offer: str) -> str:
        """Begin anew, on the same socket, with whoever offers."""
        self._restart()
        answer = self._describe(self.setup)
        self._begin(offer, self.setup)
        return answer

    def offer(self) -> str:
        self._restart()
        return self._describe("actpass")

    def accept(self, answer: str) -> None:
        self._begin(answer, "passive" if _attribute(answer, "setup") == "active" else "active")

    def hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def _restart(self) -> None:
        self.hang_up()
        self._ufrag, self._password = secrets.token_hex(4), secrets.token_hex(12)
        self._remote, self.follows, self.up, self.heard = None, None, False, 0
        self._seen.clear()
        self._answered.clear()
        self._settling = True
        self._repeating = False
        self._rx: Session | None = None
        self._tx: Session | None = None

    def _describe(self, setup: str) -> str:
        host, port = self._transport.get_extra_info("sockname")
        fingerprint = next(each for each in self._certificate.getFingerprints() if each.algorithm == "sha-256")
        lines = [
            "v=0",
            f"o=FreeSWITCH {secrets.randbits(31)} 1 IN IP4 {host}",
            "s=FreeSWITCH",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {port} UDP/TLS/RTP/SAVPF 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            f"a=setup:{setup}",
            f"a=fingerprint:sha-256 {fingerprint.value}",
            f"a=ice-ufrag:{self._ufrag}",
            f"a=ice-pwd:{self._password}",
            f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
            "a=end-of-candidates",
            "a=rtcp-mux",
            "a=sendrecv",
        ]
        return "\r\n".join(lines) + "\r\n"

    def _begin(self, sdp: str, setup: Setup) -> None:
        self._remote = _attribute(sdp, "ice-ufrag"), _attribute(sdp, "ice-pwd")
        _, component, transport, _, host, port = _attribute(sdp, "candidate").split()[:6]
        assert (component, transport.lower()) == ("1", "udp")
        self.follows = self._first = host, int(port)
        self._setup = setup
        self._ssl = SSL.Connection(self._certificate._create_ssl_context(srtp_profiles=SRTP_PROFILES))
        if setup == "active":
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()
        self._spawn(self._check())
        self._spawn(self._talk())

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(job))

    # The network.

    def _delay(self, address: Address) -> float:
        return self.delay + (self.relay_delay if address[0] == self.relay else 0.0)

    def _send(self, data: bytes, address: Address) -> None:
        if self.rng.random() >= self.loss:
            asyncio.get_running_loop().call_later(self._delay(address), self._leave, data, address)

    def _leave(self, data: bytes, address: Address) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, address)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.rng.random() >= self.loss:
            asyncio.get_running_loop().call_later(self._delay(addr), self._arrive, data, addr)

    def _arrive(self, data: bytes, address: Address) -> None:
        if self._remote is None or self._transport.is_closing() or self.loses(data):
            return
        if data[0] < 4:
            self._stun(data, address)
        elif address != self.follows:
            self.counted["dropped"] += 1
        elif 20 <= data[0] < 64:
            if self.lose_first > 0:
                self.lose_first -= 1
            elif self.ready:
                self._handshake(data)
        elif self._rx is not None and not 192 <= data[1] <= 223:
            try:
                self._rx.unprotect(data)
                self.heard += 1
            except SrtpError:
                self.counted["not authentic"] += 1

    # ICE.

    @property
    def ready(self) -> bool:
        """Somebody has checked."""
        return bool(self._seen)

    def _stun(self, data: bytes, address: Address) -> None:
        message = stun.parse_message(data)
        assert self._remote is not None
        if message.message_class != stun.Class.REQUEST:
            self._answered.add(address)
            self._settling = self._settling and address != self._first
            return
        right = message.attributes.get("USERNAME") == f"{self._ufrag}:{self._remote[0]}"
        if not (right and message.check_message_integrity(self._password.encode())):
            self.counted["foreign checks"] += 1
            return
        if ("ICE-CONTROLLING" in message.attributes) == self.controlling:
            self.controlling = not self.controlling
            self.counted["role changes"] += 1
        if not self.up and address != self.follows:
            new = address not in self._seen and address[0] != self.relay
            self._move(address, new or "USE-CANDIDATE" in message.attributes)
        first = not self._seen
        self._seen.add(address)
        ask = self._settling and address not in self._answered
        reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
        reply.attributes["XOR-MAPPED-ADDRESS"] = address
        reply.add_message_integrity(self._password.encode())
        self._send(bytes(reply), address)
        if ask:
            self._ask()
        if first and self._setup == "active":
            self._handshake()

    def _move(self, address: Address, wanted: bool) -> None:
        now = asyncio.get_running_loop().time()
        if not self._settling and now - self._moved > STAY_SECONDS and address[0] != self.relay:
            self.counted["drawn away"] += 1
        elif not (self._settling and wanted):
            return
        self.counted["moves"] += bool(self._seen)
        self.follows, self._moved = address, now
        self._settling = self._settling and address not in self._answered

    async def _check(self) -> None:
        while True:
            self._ask()
            await asyncio.sleep(CHECK_SECONDS)

    def _ask(self) -> None:
        assert self._remote is not None
        assert self.follows is not None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._remote[0]}:{self._ufrag}"
        request.attributes["PRIORITY"] = 2130706431
        request.attributes["ICE-CONTROLLING" if self.controlling else "ICE-CONTROLLED"] = self._tie_breaker
        if self.controlling:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._remote[1].encode())
        self._send(bytes(request), self.follows)

    # DTLS and SRTP.

    def _handshake(self, data: bytes = b"") -> None:
        if data:
            self._ssl.bio_write(data)
        try:
            if self.up:
                self._ssl.recv(1500)
            else:
                self._ssl.do_handshake()
                self._keys()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.counted["DTLS errors"] += 1
        self._flush()
        if not (self.up or self._repeating):
            self._repeating = True
            self._spawn(self._repeat(self._ssl))

    def _flush(self) -> None:
        while True:
            try:
                data = self._ssl.bio_read(1500)
            except SSL.Error:
                return
            assert self.follows is not None
            self._send(data, self.follows)

    async def _repeat(self, ssl: SSL.Connection) -> None:
        """OpenSSL tells how long to wait, and doubles it; what came meanwhile makes it wait anew."""
        while (timeout := ssl.DTLSv1_get_timeout()) is not None and ssl is self._ssl and not self.up:
            await asyncio.sleep(max(timeout, 0.01))
            if ssl is self._ssl and not self.up and ssl.DTLSv1_handle_timeout():
                self.counted["repeated flights"] += 1
                self._flush()

    def _keys(self) -> None:
        name = self._ssl.get_selected_srtp_profile()
        profile = next(each for each in SRTP_PROFILES if each.openssl_profile == name)
        size = profile.key_length + profile.salt_length
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * size)
        mine, theirs = (0, 1) if self._setup == "active" else (1, 0)
        self._tx, self._rx = (
            Session(
                Policy(
                    key=profile.get_key_and_salt(material, which), ssrc_type=kind, srtp_profile=profile.libsrtp_profile
                )
            )
            for which, kind in ((mine, Policy.SSRC_ANY_OUTBOUND), (theirs, Policy.SSRC_ANY_INBOUND))
        )
        self.up = True

    async def _talk(self) -> None:
        ssrc = secrets.randbits(32)
        for number in count():
            await asyncio.sleep(BEAT)
            if self._tx is not None and self.follows is not None:
                packet = pack("!BBHII", 0x80, 0, number & 0xFFFF, 160 * number, ssrc) + b"\xd5" * 160
                self._send(self._tx.protect(packet), self.follows)
