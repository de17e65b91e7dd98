# pyright: reportPrivateUsage=false
"""Every private name of pylibsrtp and of asyncio's own sockets that this package uses; no other file does.

A test checks all of them against live objects, so that an upgrade which moves a name fails there and not in a call.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

from pylibsrtp import SRTP_MAX_TRAILER_LEN
from pylibsrtp import Error as SrtpError
from pylibsrtp import Session as SrtpSession

PRIVATE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "srtp": ("_buffer", "_cdata", "_srtp"),
    "udp transport": ("_read_ready", "_sock", "max_size"),
}
"""Attributes of live objects, by the role of the object."""


# Sockets


def limit_datagrams(transport: asyncio.BaseTransport, most_bytes: int) -> None:
    if hasattr(transport, "max_size"):
        transport.max_size = most_bytes  # pyright: ignore[reportAttributeAccessIssue]


def readable_socket(transport: asyncio.BaseTransport) -> socket.socket | None:
    """The datagram socket of a transport that is told when it can be read, and leaves there what it is not told of.

    Only asyncio's own transport does; others read all, or read ahead.
    """
    found = getattr(transport, "_sock", None) if hasattr(transport, "_read_ready") else None
    return found if isinstance(found, socket.socket) and found.type is socket.SOCK_DGRAM else None


# SRTP


def srtp_call(session: SrtpSession, name: str) -> Callable[[bytes], bytes]:
    """One of libsrtp's two functions for RTP, without what `Session` adds to each call: a third of the time.

    Raises `SrtpError` as they do, and ``ValueError`` for a packet that leaves no room for a tag.
    """
    buffer, data, srtp = (getattr(session, each) for each in PRIVATE_NAMES["srtp"])
    room: bytearray = buffer
    state: object = srtp[0]
    binding = import_module("pylibsrtp._binding")
    function: Callable[[object, object, object], int] = getattr(binding.lib, name)
    length: list[int] = binding.ffi.new("int *")
    longest = len(room) - SRTP_MAX_TRAILER_LEN

    def call(packet: bytes) -> bytes:
        length[0] = size = len(packet)
        if size > longest:
            raise ValueError("packet is too long")
        room[:size] = packet
        if function(state, data, length):
            raise SrtpError(name)
        return bytes(room[: length[0]])

    return call
