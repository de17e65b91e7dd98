"""One request to one STUN or TURN server, without a peer; or why it gives nothing."""

import asyncio
import contextlib
import ssl
from random import SystemRandom
from typing import cast

from telnyx_core.ice import Address, stun
from telnyx_core.ice.stun import Attr, Kind, Method, StunError
from telnyx_core.ice.transaction import Transaction, fresh_id
from telnyx_drivers._webrtc.ice import (
    UNREACHED,
    Gathering,
    GatheringTimeouts,
    ServerFailure,
    reason_of,
    refusal,
    resolve,
)
from telnyx_drivers._webrtc.ice_plan import IcePlan, StunServer, TurnServer
from telnyx_drivers._webrtc.ice_transport import IceTransport


async def bind(server: StunServer, patience: float) -> str | ServerFailure:
    """The address that the server sees. ``patience`` is in seconds."""
    transport: asyncio.DatagramTransport | None = None
    try:
        async with asyncio.timeout(patience):
            loop = asyncio.get_running_loop()
            address = await resolve(server.host, server.port), server.port
            transport, client = await loop.create_datagram_endpoint(lambda: _Client(patience), remote_addr=address)
            return (await client.answer).host
    except _Refused as refused:
        return refusal(server.url, *refused.error, patience)
    except OSError as error:
        return ServerFailure(server.url, UNREACHED, reason_of(error, patience))
    finally:
        if transport is not None:
            transport.close()


async def allocate(server: TurnServer, tls: ssl.SSLContext | None, patience: float) -> str | ServerFailure:
    """The address that the server relays from. ``tls`` replaces what the system trusts."""
    timeouts = GatheringTimeouts(attempt=patience)
    path = IceTransport(Gathering(plan=IcePlan(turns=(server,)), relay_only=True, patience=timeouts, tls=tls))
    try:
        await path.open()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(path.ask_servers(), patience)
        if path.candidates:
            return path.candidates[0].address.host
        return next(iter(path.failures), refusal(server.url, UNREACHED, "no answer", patience))
    finally:
        await path.close()


class _Refused(Exception):
    def __init__(self, error: tuple[int, str]) -> None:
        super().__init__()
        self.error = error


class _Client(asyncio.DatagramProtocol):
    """On a connected socket, which hears of a port that is closed."""

    def __init__(self, patience: float) -> None:
        self._loop = loop = asyncio.get_running_loop()
        name = fresh_id(SystemRandom())
        request = stun.encode(Method.BINDING, Kind.REQUEST, name)
        self._transaction = Transaction(name, request, loop.time() + patience, loop.time())
        self.answer: asyncio.Future[Address] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self._ask()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        with contextlib.suppress(StunError):
            message = stun.decode(data)
            if message.transaction_id != self._transaction.id or self.answer.done():
                return
            mapped = message.address(Attr.XOR_MAPPED_ADDRESS) or message.address(Attr.MAPPED_ADDRESS)
            if message.kind is Kind.SUCCESS and mapped is not None:
                self.answer.set_result(mapped)
            elif message.kind is Kind.ERROR and message.error is not None:
                self.answer.set_exception(_Refused(message.error))

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)

    def _ask(self) -> None:
        if not self.answer.done() and not self._transport.is_closing():
            self._transport.sendto(self._transaction.sent(self._loop.time()))
            self._loop.call_at(self._transaction.due, self._ask)
