"""aioice's agent, with a start of our own: which pair is used, and how both ends agree on it.

A telephony server has one address and learns ours from the checks that reach it. While it starts, it follows the first
check from an address that it does not know yet, and then the last one that nominates; what comes from any other address
it drops, DTLS and audio included. aioice nominates with every check and sends none once a pair has answered, so where
there are two addresses, or a relay, the server ends at the pair whose check came last, and hears nothing there.
Therefore the selected pair is nominated repeatedly until the handshake is over, and no other pair is checked.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, TypeAlias

from aioice import Candidate, Connection, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message

from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import private
from telnyx_drivers._webrtc.ice_socket import Address, Door, IceSocket, open_socket

log = logs.of_module(__name__)

NOMINATE_SECONDS: Final = 0.1
"""Between two nominations of the selected pair: as long as the server may listen elsewhere."""
CHECK_SECONDS: Final = 0.1
"""Between two repeats of the checks that have not been answered. aioice waits twice as long each time, so that a path
that opens after six seconds would be found by chance only."""
CHECKS_AT_ONCE: Final = 16
"""Repeated in one go, in turn if there are more: an eighth of a megabit per second."""
AFTER_SECONDS: Final = 1.0
"""For so long after our own handshake: the server's may not be over, and a late check of another pair may reach it."""
FOLLOW_SECONDS: Final = 1.5
"""For so long after the far end has nominated a pair, no other one is checked. A server nominates once a second."""

Way: TypeAlias = tuple[StunProtocol, Address]
"""A local socket and a remote address."""


def _way(pair: CandidatePair) -> Way:
    return pair.protocol, pair.remote_addr


class Agent(Connection):
    """Repeats the checks of a path that is not connected yet, for as long as it takes; nothing else is sent.

    The pair that the far end has chosen is checked at once, and no other one for a while: the one that it has
    nominated, or, where that is for us to do, the first one that it has checked. A server of this family sends its
    checks to one local address. Once that has answered, a check from any other address draws the server away, and
    where it is then, it stays for a second, whatever we nominate meanwhile.

    The first pair that answers is nominated until `settled`, in place of aioice's own consent checks: `consent` says
    why, and a connection that is closed at the wrong moment would never end them. Only a controlling agent nominates; a
    controlled one follows the other end.
    """

    _checks_others: ClassVar[bool] = False
    """Also while it is controlling, and a pair is selected."""

    def __init__(self, open_hosts: "Callable[[], Awaitable[list[Candidate]]]", *, relay_only: bool = False) -> None:
        """``open_hosts`` finds the local candidates that are there at once, instead of aioice's fixed recipe."""
        policy = TransportPolicy.RELAY if relay_only else TransportPolicy.ALL
        super().__init__(ice_controlling=False, transport_policy=policy)
        # The offerer is controlling (RFC 8445 section 6.1.1), but some servers think so of themselves: the larger
        # number keeps the role, and theirs is often made of letters, which leaves the highest bit unset.
        self._strength = secrets.randbits(63) | 1 << 63
        private.set_tie_breaker(self, self._strength)
        self.door = Door(self)
        self.selected: Callable[[], None] = _nothing
        """Called once, when the first pair has answered."""
        self.lost: Callable[[], None] = _nothing
        """Called when the socket of the selected pair is lost."""
        self.settled = False
        """The handshake over this path has ended, well or not; to be set by whoever does it."""
        self.closed = False
        self._open_hosts = open_hosts
        self._late: list[Candidate] = []
        self._state: str = "new"
        self._turn = 0
        self._followed: Way | None = None
        self._follow_until = 0.0
        self._answered: set[Way] = set()

    # Candidates of this end

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        return await self._open_hosts()

    @property
    def found(self) -> tuple[Candidate, ...]:
        """What has been found so far."""
        return (*self.local_candidates, *self._late)

    def add(self, candidate: Candidate, socket: IceSocket | None = None) -> None:
        """Add a late candidate. One with a socket of its own is paired with the remote candidates."""
        self._late.append(candidate)
        if socket is not None:
            private.sockets(self).append(socket)
            private.pair_again(self)

    def make_socket(self) -> IceSocket:
        return IceSocket(self, self.door)

    async def open_sockets(self, addresses: list[str]) -> list[IceSocket]:
        """One on each of these addresses of this host that can be had."""
        opened: list[IceSocket] = []
        for address in addresses:
            # One by one: a call that is cancelled while it opens several would lose those that it has opened.
            try:
                opened.append(await open_socket(self, self.door, address))
            except OSError as error:
                log.info("no socket on %s: %s", address, error)
        return opened

    # Checks

    async def connect(self) -> None:
        """Until a pair has answered. Raises ``ConnectionError``."""
        self._state = "checking"
        # The far end may have checked before this one could.
        self._follow_until = _now() + FOLLOW_SECONDS
        self._later()
        try:
            await super().connect()
        except ConnectionError:
            self._state = "failed"
            raise

    async def close(self) -> None:
        self.closed = True
        await super().close()

    def request_received(self, message: Message, addr: Address, protocol: StunProtocol) -> None:
        if not self.settled:
            self._before_answer(message, (protocol, addr))
        super().request_received(message, addr, protocol)

    def _before_answer(self, message: Message, came: Way) -> None:
        # As the library will do in a moment (RFC 8445 section 7.3.1.1).
        if not self.ice_controlling and self._strength >= message.attributes.get("ICE-CONTROLLED", self._strength + 1):
            self.switch_role(ice_controlling=True)
        if self.ice_controlling and not self._following:
            self._follow(came)
        # Ahead of the first answer on each pair: by the answer the server knows that it has chosen well, and until
        # then it follows each nomination. It may be elsewhere because of an earlier check that was on its way.
        pair = private.nominated(self) or (self._pair(self._followed or came) if self.remote_password else None)
        if pair is not None and came not in self._answered:
            self._answered.add(came)
            self._nominate(pair)

    def check_incoming(self, message: Message, addr: Address, protocol: StunProtocol) -> None:
        super().check_incoming(message, addr, protocol)
        if not self.ice_controlling and "USE-CANDIDATE" in message.attributes:
            self._follow((protocol, addr))
        if self._state == "checking" and self._following:
            self._repeat_now()

    def _follow(self, way: Way) -> None:
        self._followed, self._follow_until = way, _now() + FOLLOW_SECONDS
        if self._state == "checking":
            for pair in private.check_list(self):
                if _way(pair) != way and pair.state == CandidatePair.State.IN_PROGRESS:
                    _leave_check(pair)

    @property
    def _following(self) -> bool:
        return self._followed is not None and _now() < self._follow_until

    def _pair(self, way: Way) -> CandidatePair | None:
        return next((pair for pair in private.check_list(self) if _way(pair) == way), None)

    def check_start_task(self, pair: CandidatePair) -> None:
        if self._state == "checking":
            wanted = _way(pair) == self._followed or not self._following
        else:
            wanted = self._state == "new" or not self.ice_controlling or self._checks_others
        if wanted:
            super().check_start_task(pair)

    def _later(self) -> None:
        asyncio.get_running_loop().call_later(CHECK_SECONDS, self._repeat)

    def _repeat(self) -> None:
        if self._state == "checking" and not self.closed:
            self._repeat_now()
            self._later()

    def _repeat_now(self) -> None:
        open_checks = [
            (protocol, request, address)
            for protocol in private.sockets(self)
            if isinstance(protocol, IceSocket)
            for request, address in protocol.asked.values()
            # A check that has just been left is still among them.
            if "USERNAME" in request.attributes and (not self._following or (protocol, address) == self._followed)
        ]
        for number in range(min(CHECKS_AT_ONCE, len(open_checks))):
            protocol, request, address = open_checks[(self._turn + number) % len(open_checks)]
            protocol.send_stun(request, address)
        self._turn += CHECKS_AT_ONCE

    # The selected pair

    def check_complete(self, pair: CandidatePair) -> None:
        super().check_complete(pair)
        if self._state == "checking" and private.nominated(self) is not None:
            # Here and not in `query_consent`, which the library calls up to 20 ms later.
            self._state = "completed"
            self._leave_checks()
            self.nominate()
            self.selected()

    async def query_consent(self) -> None:
        # The library has just ended all checks, but not forgotten them, and each must be checked anew when the other
        # end nominates its pair later.
        self._leave_checks()
        await self._insist()

    async def _insist(self) -> None:
        settled: float | None = None
        while not self.closed and (settled is None or _now() - settled < AFTER_SECONDS):
            await asyncio.sleep(NOMINATE_SECONDS)
            self.nominate()
            if settled is None and self.settled:
                settled = _now()

    def nominate(self) -> None:
        """A check of the selected pair; its answer is not awaited. It nominates if this end is controlling."""
        pair = private.nominated(self)
        if pair is not None:
            self._nominate(pair)

    def _nominate(self, pair: CandidatePair) -> None:
        if not self.closed:
            assert self.remote_password is not None, "the remote description is known"
            request = self.build_request(pair, nominate=True)
            request.add_message_integrity(self.remote_password.encode())
            pair.protocol.send_stun(request, pair.remote_addr)

    def _leave_checks(self) -> None:
        for pair in private.check_list(self):
            if pair.state == CandidatePair.State.IN_PROGRESS:
                _leave_check(pair)

    def protocol_lost(self, protocol: StunProtocol) -> None:
        pair = private.nominated(self)
        super().protocol_lost(protocol)
        if pair is not None and pair.protocol is protocol:
            self.lost()

    async def probe(self) -> None:
        """One STUN binding request on the selected pair (RFC 7675). Raises ``TransactionError`` when not answered.

        It also nominates the pair again, if this end is controlling, so that a server that has left the pair comes
        back. Raises ``ConnectionError`` without a pair.
        """
        pair = private.nominated(self)
        if pair is None or self.remote_password is None:
            raise ConnectionError("no pair is selected")
        await pair.protocol.request(
            self.build_request(pair, nominate=True),
            pair.remote_addr,
            integrity_key=self.remote_password.encode(),
            retransmissions=2,
        )


def _leave_check(pair: CandidatePair) -> None:
    """Leave a check that is under way, so that the pair can be checked anew later."""
    if pair.task is not None:
        pair.task.cancel()
    pair.state, pair.task = CandidatePair.State.FROZEN, None


def _nothing() -> None:
    """Called where nothing else is to be called."""


def _now() -> float:
    return asyncio.get_running_loop().time()
