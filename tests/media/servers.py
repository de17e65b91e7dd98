"""A STUN server and a TURN server (RFC 8489, RFC 8656) small enough to read, for loopback only."""

import asyncio
import hashlib
import struct
from typing import Any

from aioice import stun
from attrs import define, field

REALM, NONCE = "test", b"nonce"
Address = tuple[str, int]


def reply(request: stun.Message, key: bytes = b"", error: tuple[int, str] | None = None, **attributes: Any) -> bytes:
    kind = stun.Class.RESPONSE if error is None else stun.Class.ERROR
    message = stun.Message(
        message_method=request.message_method, message_class=kind, transaction_id=request.transaction_id
    )
    if error is not None:
        message.attributes["ERROR-CODE"] = error
    message.attributes.update({name.replace("_", "-"): value for name, value in attributes.items()})
    if key:
        message.add_message_integrity(key)
    return bytes(message)


class StunServer(asyncio.DatagramProtocol):
    """Answers where a request came from, or what ``mapped`` says instead: a NAT in one line."""

    def __init__(self, mapped: Address | None = None) -> None:
        self.mapped = mapped
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        request = stun.parse_message(data)
        self.transport.sendto(reply(request, XOR_MAPPED_ADDRESS=self.mapped or addr), addr)


@define(eq=False)
class Allocation(asyncio.DatagramProtocol):
    """One relayed address. What arrives there from a host that is permitted goes to the client: by the channel of its
    sender, or as an indication."""

    server: "TurnServer"
    client: Address
    channels: dict[int, Address] = field(factory=dict)
    permitted: set[str] = field(factory=set)
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for channel, peer in self.channels.items():
            if peer == addr:
                self.server.relayed += 1
                self.server.transport.sendto(struct.pack("!HH", channel, len(data)) + data, self.client)
                return
        if addr[0] in self.permitted:
            self.server.relayed += 1
            told = stun.Message(message_method=stun.Method.DATA, message_class=stun.Class.INDICATION)
            told.attributes.update({"XOR-PEER-ADDRESS": addr, "DATA": data})
            self.server.transport.sendto(bytes(told), self.client)


@define(eq=False)
class TurnServer(asyncio.DatagramProtocol):
    """``mute`` stops answering: what a dead server looks like."""

    username: str = "user"
    credential: str = "secret"
    mute: bool = False
    relayed: int = 0
    refreshed: int = 0
    allocations: dict[Address, Allocation] = field(factory=dict)
    transport: Any = None
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.mute:
            return
        if data[0] & 0xC0 == 0x40:
            channel, length = struct.unpack("!HH", data[:4])
            allocation = self.allocations[addr]
            allocation.transport.sendto(data[4 : 4 + length], allocation.channels[channel])
            return
        message = stun.parse_message(data)
        if message.message_class is stun.Class.INDICATION:
            if message.message_method is stun.Method.SEND and addr in self.allocations:
                peer = message.attributes["XOR-PEER-ADDRESS"]
                if peer[0] in self.allocations[addr].permitted:
                    self.allocations[addr].transport.sendto(message.attributes["DATA"], peer)
            return
        task = asyncio.create_task(self._serve(message, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: stun.Message, client: Address) -> None:
        key = hashlib.md5(f"{self.username}:{REALM}:{self.credential}".encode()).digest()
        if not (request.attributes.get("USERNAME") == self.username and request.check_message_integrity(key)):
            self.transport.sendto(reply(request, error=(401, "Unauthorized"), REALM=REALM, NONCE=NONCE), client)
            return
        match request.message_method:
            case stun.Method.ALLOCATE:
                await self._allocate(request, client, key)
            case stun.Method.CHANNEL_BIND:
                peer = request.attributes["XOR-PEER-ADDRESS"]
                self.allocations[client].channels[request.attributes["CHANNEL-NUMBER"]] = peer
                self.allocations[client].permitted.add(peer[0])
                self.transport.sendto(reply(request, key), client)
            case stun.Method.CREATE_PERMISSION if client in self.allocations:
                self.allocations[client].permitted.add(request.attributes["XOR-PEER-ADDRESS"][0])
                self.transport.sendto(reply(request, key), client)
            case stun.Method.REFRESH | stun.Method.CREATE_PERMISSION if client not in self.allocations:
                self.transport.sendto(reply(request, key, error=(437, "Allocation Mismatch")), client)
            case stun.Method.REFRESH:
                self.refreshed += 1
                if request.attributes.get("LIFETIME") == 0:
                    self.allocations.pop(client).transport.close()
                self.transport.sendto(reply(request, key, LIFETIME=request.attributes.get("LIFETIME", 600)), client)
            case _:
                raise AssertionError(request)

    async def _allocate(self, request: stun.Message, client: Address, key: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, allocation = await loop.create_datagram_endpoint(
            lambda: Allocation(self, client), local_addr=("127.0.0.1", 0)
        )
        self.allocations[client] = allocation
        relayed = allocation.transport.get_extra_info("sockname")
        answer = reply(request, key, XOR_RELAYED_ADDRESS=relayed, XOR_MAPPED_ADDRESS=client, LIFETIME=600)
        self.transport.sendto(answer, client)

    def forget(self) -> None:
        """As if it had been started again."""
        for allocation in self.allocations.values():
            allocation.transport.close()
        self.allocations.clear()

    def close(self) -> None:
        self.forget()
        self.transport.close()


async def serve(server: Any, host: str = "127.0.0.1") -> int:
    """Start a server on loopback and return its port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=(host, 0))
    port: int = transport.get_extra_info("sockname")[1]
    return port
