# pyright: reportPrivateUsage=false
"""The start of an ICE path: which pair is used, and how both ends agree on it. The rest of `aiortc_private`.

A telephony server has one address and learns ours from the checks that reach it. While it starts, it follows the first
check from an address that it does not know yet, and then the last one that nominates; what comes from any other address
it drops, DTLS and audio included. aioice nominates with every check and sends none once a pair has answered, so where
there are two addresses, or a relay, the server ends at the pair whose check came last, and hears nothing there.
Therefore the selected pair is nominated repeatedly until the handshake is over, and no other pair is checked.

The handshake's packets are repeated after a tenth of a second, where OpenSSL waits a second: some of them reach the
server before it has come round to the selected pair, and some are lost.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from struct import unpack_from
from typing import Final, TypeAlias, cast

from aioice import Connection
from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message, Transaction
from aiortc import RTCRtpTransceiver
from aiortc.rtcdtlstransport import State
from OpenSSL import SSL

from telnyx_drivers._webrtc.aiortc_private import connection_of, dtls_of, nominated
from telnyx_drivers._webrtc.aiortc_socket import door_of, mangled, sender_of

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
REPEAT_SECONDS: Final = 0.1
"""Until what was said last in the handshake is said again; twice as long each time (RFC 6347 section 4.2.4.1)."""
_LONGEST_REPEAT: Final = 0.4
"""Seconds between two repeats for as long as the handshake lasts. The server may listen elsewhere for a second, and
OpenSSL's next repeats would come after one, three and seven."""
_MOST_REPEATS_AFTER: Final = 4
"""Of the last flight, once the handshake is over here: whether it is over there cannot be seen."""
_MOST_BYTES: Final = 1_200
"""Of handshake records in one datagram."""
_RECORD_HEADER: Final = 13
_HANDSHAKE_RECORDS: Final = range(20, 64)
"""The first byte of DTLS (RFC 7983)."""


# ICE


def insist_on_pair(transceiver: RTCRtpTransceiver) -> None:
    """Nominate the first pair that answers until the handshake is over, and check no other one meanwhile.

    In place of aioice's own consent checks: `consent` says why, and a connection that is closed at the wrong moment
    would never end them. Only a controlling agent nominates; a controlled one follows the other end.
    """
    dtls, connection = dtls_of(transceiver), connection_of(transceiver)
    # The offerer is controlling (RFC 8445 section 6.1.1), but some servers think so of themselves: the larger number
    # keeps the role, and theirs is often made of letters, which leaves the highest bit unset.
    connection._tie_breaker = secrets.randbits(63) | 1 << 63

    def begin() -> Coroutine[object, object, None]:
        # Called when a pair has been selected and before the handshake begins. No coroutine function, because the
        # first nomination must be ahead of the first packet of the handshake.
        _check_no_other(connection)
        nominate(connection)
        door_of(connection).open()
        return insist()

    async def insist() -> None:
        now = asyncio.get_running_loop().time
        connected: float | None = None
        while not connection._closing and (connected is None or now() - connected < AFTER_SECONDS):
            await asyncio.sleep(NOMINATE_SECONDS)
            nominate(connection)
            if connected is None and dtls.state != "connecting":
                connected = now()

    connection.query_consent = begin  # type: ignore[method-assign]


Way: TypeAlias = tuple[StunProtocol, tuple[str, int]]
"""A local socket and a remote address."""


def _way(pair: CandidatePair) -> Way:
    return pair.protocol, pair.remote_addr


class Checks:
    """Repeats the checks of a path that is not connected yet, for as long as it takes; nothing else is sent.

    The pair that the far end has chosen is checked at once, and no other one for a while: the one that it has
    nominated, or, where that is for us to do, the first one that it has checked. A server of this family sends its
    checks to one local address. Once that has answered, a check from any other address draws the server away, and
    where it is then, it stays for a second, whatever we nominate meanwhile.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, *, serves: bool = False) -> None:
        """``serves``: it is the server that is being stood in for, and goes where the checks come from."""
        self._dtls = dtls_of(transceiver)
        self._ice = self._dtls.transport
        self._connection = connection = connection_of(transceiver)
        self._turn = 0
        self._followed: Way | None = None
        self._follow_until = 0.0
        self._ice.add_listener("statechange", self._on_state)
        self._answered: set[Way] = set()
        self._answer = connection.request_received
        if not serves:
            connection.request_received = self._on_request  # type: ignore[method-assign]
        self._check_incoming, self._start_check = connection.check_incoming, connection.check_start_task
        connection.check_incoming = self._on_check  # type: ignore[method-assign]
        connection.check_start_task = self._start_if_wanted  # type: ignore[method-assign]

    def _on_request(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        connection, came = self._connection, (protocol, addr)
        if self._dtls.state in ("new", "connecting"):
            # As the library will do in a moment (RFC 8445 section 7.3.1.1).
            if not connection.ice_controlling and connection._tie_breaker >= message.attributes.get(
                "ICE-CONTROLLED", connection._tie_breaker + 1
            ):
                connection.switch_role(ice_controlling=True)
            if connection.ice_controlling and not self._following:
                self._follow(came)
            # Ahead of the first answer on each pair: by the answer the server knows that it has chosen well, and until
            # then it follows each nomination. It may be elsewhere because of an earlier check that was on its way.
            pair = nominated(connection) or (self._pair(self._followed or came) if connection.remote_password else None)
            if pair is not None and came not in self._answered:
                self._answered.add(came)
                _nominate(connection, pair)
        self._answer(message, addr, protocol)

    def _on_check(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        self._check_incoming(message, addr, protocol)
        if not self._connection.ice_controlling and "USE-CANDIDATE" in message.attributes:
            self._follow((protocol, addr))
        if self._ice.state == "checking" and self._following:
            self._repeat_now()

    def _follow(self, way: Way) -> None:
        self._followed, self._follow_until = way, asyncio.get_running_loop().time() + FOLLOW_SECONDS
        if self._ice.state == "checking":
            for pair in self._connection._check_list:
                if _way(pair) != way and pair.state == CandidatePair.State.IN_PROGRESS:
                    _leave_check(pair)

    @property
    def _following(self) -> bool:
        return self._followed is not None and asyncio.get_running_loop().time() < self._follow_until

    def _pair(self, way: Way) -> CandidatePair | None:
        return next((pair for pair in self._connection._check_list if _way(pair) == way), None)

    def _start_if_wanted(self, pair: CandidatePair) -> None:
        if _way(pair) == self._followed or not self._following or self._ice.state != "checking":
            self._start_check(pair)

    def _on_state(self) -> None:
        if self._ice.state == "checking":
            # It may have been checked before it could check.
            self._follow_until = asyncio.get_running_loop().time() + FOLLOW_SECONDS
            self._later()

    def _later(self) -> None:
        asyncio.get_running_loop().call_later(CHECK_SECONDS, self._repeat)

    def _repeat(self) -> None:
        if self._ice.state == "checking" and not self._connection._closing:
            self._repeat_now()
            self._later()

    def _repeat_now(self) -> None:
        open_checks = [
            (protocol, request, address)
            for protocol in self._connection._protocols
            for transaction in protocol.transactions.values()
            for request, address in [_asked(transaction)]
            # A check that has just been left is still among them.
            if "USERNAME" in request.attributes and (not self._following or (protocol, address) == self._followed)
        ]
        for number in range(min(CHECKS_AT_ONCE, len(open_checks))):
            protocol, request, address = open_checks[(self._turn + number) % len(open_checks)]
            protocol.send_stun(request, address)
        self._turn += CHECKS_AT_ONCE


def _asked(transaction: Transaction) -> tuple[Message, tuple[str, int]]:
    request = mangled(transaction, Transaction, "request")
    assert isinstance(request, Message)
    return request, cast("tuple[str, int]", mangled(transaction, Transaction, "addr"))


def nominate(connection: Connection) -> None:
    """A check of the selected pair; its answer is not awaited. It nominates if this end is controlling."""
    pair = nominated(connection)
    if pair is not None:
        _nominate(connection, pair)


def _nominate(connection: Connection, pair: CandidatePair) -> None:
    if not connection._closing:
        assert connection.remote_password is not None, "the remote description is known"
        request = connection.build_request(pair, nominate=True)
        request.add_message_integrity(connection.remote_password.encode())
        pair.protocol.send_stun(request, pair.remote_addr)


def _leave_check(pair: CandidatePair) -> None:
    """Leave a check that is under way, so that the pair can be checked anew later."""
    if pair.task is not None:
        pair.task.cancel()
    pair.state, pair.task = CandidatePair.State.FROZEN, None


def _check_no_other(connection: Connection) -> None:
    check = connection.check_start_task

    def start_check(pair: CandidatePair) -> None:
        if not connection.ice_controlling:
            check(pair)

    connection.check_start_task = start_check  # type: ignore[method-assign]
    for pair in connection._check_list:
        # The library has just ended these checks, but not forgotten them: when the other end nominates one of these
        # pairs later, it must be checked anew.
        if pair.state == CandidatePair.State.IN_PROGRESS:
            _leave_check(pair)


# DTLS


class Flight:
    """Repeats the last flight that this end has sent in a handshake, until it is over or the limit is reached.

    A repeated record needs a new number, or the other end takes it for a replay. Numbers are plain to see until keys
    are agreed, so all records of that time are numbered here. The last ones of a handshake are encrypted, numbers
    included; they are repeated as they are, which helps when they were lost, and does no harm when they were not.
    """

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self._dtls = dtls = dtls_of(transceiver)
        self._connection = connection_of(transceiver)
        self._said = b""
        self._number = 0
        self._wait = REPEAT_SECONDS
        self._repeats_after = 0
        self._answered = False
        """The other end has sent something since; its answer need not be complete."""
        self._repeat: asyncio.TimerHandle | None = None
        self._receive = dtls.transport._recv
        dtls.transport._recv = self._hear
        dtls._write_ssl = self._say  # type: ignore[method-assign]

    async def _hear(self) -> bytes:
        data: bytes = await self._receive()
        if data and data[0] in _HANDSHAKE_RECORDS:
            self._answered = True
            self._leave_it()
            self._wait = REPEAT_SECONDS
            if self._said and self._dtls._state == State.CONNECTING:
                self._say_again_later()
        return data

    async def _say(self) -> None:
        said = _drain(self._dtls._ssl)
        if not said:
            return
        self._leave_it()
        self._said, self._answered = said, False
        for datagram in self._datagrams():
            await self._dtls.transport._send(datagram)
        if self._dtls._state == State.CONNECTING:
            self._say_again_later()

    def _say_again_later(self) -> None:
        self._repeat = asyncio.get_running_loop().call_later(self._wait, self._say_again)
        self._wait = min(2 * self._wait, _LONGEST_REPEAT)

    def _say_again(self) -> None:
        pair = nominated(self._connection)
        if pair is None or self._dtls._state not in (State.CONNECTING, State.CONNECTED):
            return
        if self._dtls._state == State.CONNECTED:
            self._repeats_after += 1
            if self._answered or self._repeats_after > _MOST_REPEATS_AFTER:
                return
        for datagram in self._datagrams():
            sender_of(pair).sendto(datagram, pair.remote_addr)
        self._say_again_later()

    def _leave_it(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None

    def _datagrams(self) -> list[bytes]:
        datagrams = [b""]
        for record in records(self._said):
            if record[3:5] == bytes(2):
                record = record[:5] + self._number.to_bytes(6) + record[11:]
                self._number += 1
            if len(datagrams[-1]) + len(record) > _MOST_BYTES and datagrams[-1]:
                datagrams.append(b"")
            datagrams[-1] += record
        return datagrams


def records(data: bytes) -> list[bytes]:
    """DTLS records, one after the other (RFC 6347 section 4.1)."""
    found: list[bytes] = []
    while data:
        (length,) = unpack_from("!H", data, _RECORD_HEADER - 2)
        found.append(data[: _RECORD_HEADER + length])
        data = data[_RECORD_HEADER + length :]
    return found


def _drain(ssl: SSL.Connection | None) -> bytes:
    """What OpenSSL wants to send: whole records. The library takes 1500 bytes at a time, and leaves the rest."""
    said = b""
    while ssl is not None:
        try:
            said += ssl.bio_read(65_536)
        except SSL.Error:
            break
    return said
