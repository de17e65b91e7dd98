"""Choice of the ICE path as the platform's server does it, for a peer that stands in for that server.

It has one address and needs no more than one of the client's. While it starts, it follows the first check that comes
from an address which it does not know yet, nominating or not, and then the last one that nominates; DTLS and RTP from
any other address are dropped. Once the handshake is over it stays where it is, unless nothing has come from there for
long. It checks where it is, twice a second, and has OpenSSL's own patience with the handshake.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from aioice import Candidate
from aioice.ice import StunProtocol
from aioice.stun import Message

from telnyx_drivers._webrtc import private
from telnyx_drivers._webrtc.ice_agent import Agent
from telnyx_drivers._webrtc.ice_socket import Address

CHECK_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 6.0
"""Without a check from where it is, after which it follows one from elsewhere: three consent checks of a client."""


class ServingAgent(Agent):
    _checks_others: ClassVar[bool] = True

    def __init__(self, open_hosts: "Callable[[], Awaitable[list[Candidate]]]", *, relay_only: bool = False) -> None:
        super().__init__(open_hosts, relay_only=relay_only)
        self._socket: StunProtocol | None = None
        self._seen: set[Address] = set()
        self._checked = 0.0

    def _before_answer(self, message: Message, came: tuple[StunProtocol, Address]) -> None:
        """It goes where the checks come from, and chooses nothing itself."""

    def request_received(self, message: Message, addr: Address, protocol: StunProtocol) -> None:
        now = asyncio.get_running_loop().time()
        wanted = addr not in self._seen or "USE-CANDIDATE" in message.attributes
        if now - self._checked > SILENCE_SECONDS if self.settled else wanted:
            self.door.only, self._socket = addr, protocol
        self._seen.add(addr)
        if addr == self.door.only:
            self._checked = now
        super().request_received(message, addr, protocol)
        self._stay()

    def _stay(self) -> None:
        """Whatever the library has selected."""
        for pair in private.check_list(self) if private.nominated(self) is not None else ():
            if pair.protocol is self._socket and pair.remote_addr == self.door.only:
                private.select(self, pair)

    def _leave_checks(self) -> None:
        """What the library has ended stays so."""

    def nominate(self) -> None:
        self._stay()
        super().nominate()

    async def _insist(self) -> None:
        while private.nominated(self) is not None:
            await asyncio.sleep(CHECK_SECONDS)
            self.nominate()
