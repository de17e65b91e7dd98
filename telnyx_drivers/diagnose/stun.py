"""One request to one STUN or TURN server, without a peer. `_webrtc.ice.failure_of` puts errors into words."""

import asyncio
import contextlib
import ssl
from typing import Final, cast

from aioice.stun import Class, Message, Method, Transaction, parse_message
from aioice.turn import create_turn_endpoint

from telnyx_drivers._webrtc import private
from telnyx_drivers._webrtc.ice_plan import StunServer, TurnServer

_FAREWELL: Final = 1.0
"""Seconds for a TURN server to confirm that the allocation is given back."""


async def bind(server: StunServer) -> str:
    """The address that the server sees."""
    address = (server.host, server.port)
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(_Client, remote_addr=address)
    try:
        return await client.mapped_address(address)
    finally:
        transport.close()


async def allocate(server: TurnServer, tls: ssl.SSLContext | None) -> str:
    """The address that the server relays from. ``tls`` replaces what the system trusts."""
    relay, _ = await create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=(server.host, server.port),
        username=server.username,
        password=server.credential,
        ssl=(tls or True) if server.transport == "tls" else None,
        transport="udp" if server.transport == "udp" else "tcp",
    )
    relayed: str = relay.get_extra_info("sockname")[0]
    relay.close()
    farewell = private.turn_closing(relay)
    assert farewell is not None, "closing"
    await asyncio.wait([farewell], timeout=_FAREWELL)
    return relayed


class _Client(asyncio.DatagramProtocol):
    """On a connected socket, which hears of a port that is closed."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._transaction: Transaction | None = None
        self._refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        with contextlib.suppress(ValueError):
            message = parse_message(data)
            if self._transaction is not None and message.message_class in (Class.RESPONSE, Class.ERROR):
                self._transaction.response_received(message, addr)

    def error_received(self, exc: Exception) -> None:
        if not self._refused.done():
            self._refused.set_exception(exc)

    def send_stun(self, message: Message, addr: tuple[str, int]) -> None:
        assert self._transport is not None, "connected"
        self._transport.sendto(bytes(message))

    async def mapped_address(self, server: tuple[str, int]) -> str:
        request = Message(message_method=Method.BINDING, message_class=Class.REQUEST)
        self._transaction = transaction = Transaction(request, server, self)

        async def answered() -> str:
            response, _ = await transaction.run()
            return str(response.attributes["XOR-MAPPED-ADDRESS"][0])

        answer = asyncio.create_task(answered())
        try:
            done, _ = await asyncio.wait([answer, self._refused], return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            answer.cancel()
            self._refused.cancel()
