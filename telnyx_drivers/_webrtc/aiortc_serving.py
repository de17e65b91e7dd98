# pyright: reportPrivateUsage=false
"""Choice of the ICE path as the platform's server does it, for a peer that stands in for that server.

It has one address and needs no more than one of the client's. While it starts, it follows the first check that comes
from an address which it does not know yet, nominating or not, and then the last one that nominates; DTLS and RTP from
any other address are dropped. Once the handshake is over it stays where it is, unless nothing has come from there for
long. It checks where it is, twice a second, and has OpenSSL's own patience with the handshake.
"""

import asyncio
from collections.abc import Coroutine
from typing import Final

from aiortc import RTCRtpTransceiver

from telnyx_drivers._webrtc.aiortc_private import Message, StunProtocol, connection_of, dtls_of, nominated
from telnyx_drivers._webrtc.aiortc_socket import Address, door_of
from telnyx_drivers._webrtc.aiortc_starting import nominate

CHECK_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 6.0
"""Without a check from where it is, after which it follows one from elsewhere: three consent checks of a client."""


class Following:
    """Made before anything is gathered."""

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self._dtls = dtls_of(transceiver)
        self._connection = connection = connection_of(transceiver)
        self._door = door_of(connection)
        self._socket: StunProtocol | None = None
        self._seen: set[Address] = set()
        self._checked = 0.0
        self._received = connection.request_received
        connection.request_received = self._on_check  # type: ignore[method-assign]
        connection.query_consent = self._begin  # type: ignore[method-assign]

    def _on_check(self, message: Message, addr: Address, protocol: StunProtocol) -> None:
        now = asyncio.get_running_loop().time()
        starting = self._dtls.state != "connected"
        wanted = addr not in self._seen or "USE-CANDIDATE" in message.attributes
        if wanted if starting else now - self._checked > SILENCE_SECONDS:
            self._door.only, self._socket = addr, protocol
        self._seen.add(addr)
        if addr == self._door.only:
            self._checked = now
        self._received(message, addr, protocol)
        self._stay()

    def _stay(self) -> None:
        """Whatever the library has selected."""
        for pair in self._connection._check_list if self._connection._nominated else ():
            if pair.protocol is self._socket and pair.remote_addr == self._door.only:
                self._connection._nominated[1] = pair

    def _begin(self) -> Coroutine[object, object, None]:
        self._stay()
        nominate(self._connection)
        self._door.open()
        return self._check()

    async def _check(self) -> None:
        while nominated(self._connection) is not None:
            await asyncio.sleep(CHECK_SECONDS)
            self._stay()
            nominate(self._connection)
