# pyright: reportPrivateUsage=false
"""Every private name of aioice and pylibsrtp that this package uses, and of asyncio's own sockets; no other file does.

Everything else that is used of them is documented, or is an ordinary method that `ice_agent.Agent` replaces by
inheritance; those are listed as well. A test checks all of them against live objects, so that an upgrade which moves a
name fails there and not in a call.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

from aioice import Connection
from aioice.ice import CandidatePair, StunProtocol
from aioice.turn import TurnClientMixin, TurnTransport
from pylibsrtp import SRTP_MAX_TRAILER_LEN
from pylibsrtp import Error as SrtpError
from pylibsrtp import Session as SrtpSession

PRIVATE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "agent": ("_check_list", "_nominated", "_pair_remote_candidate", "_protocols", "_tie_breaker"),
    "srtp": ("_buffer", "_cdata", "_srtp"),
    "turn": ("_TurnTransport__close_task", "_TurnTransport__inner_protocol"),
    "turn client": ("_send",),
    "udp transport": ("_read_ready", "_sock", "max_size"),
}
"""Attributes of live objects, by the role of the object."""
UNDOCUMENTED: Final[Mapping[str, tuple[str, ...]]] = {
    "agent": (
        "build_request",
        "check_complete",
        "check_incoming",
        "check_start_task",
        "get_component_candidates",
        "protocol_lost",
        "query_consent",
        "request_received",
        "sort_check_list",
        "switch_role",
    ),
    "turn client": ("channel_refresh_at", "lifetime", "peer_to_channel", "request_with_retry"),
}
"""Not private by their names, but promised nowhere."""


# The ICE agent


def check_list(agent: Connection) -> list[CandidatePair]:
    return agent._check_list


def nominated(agent: Connection) -> CandidatePair | None:
    """The selected pair."""
    return agent._nominated.get(1)


def select(agent: Connection, pair: CandidatePair) -> None:
    """Use another pair than the one that the library has selected."""
    agent._nominated[1] = pair


def sockets(agent: Connection) -> list[StunProtocol]:
    """The agent's own list: it pairs and closes what is in it."""
    return agent._protocols


def pair_again(agent: Connection) -> None:
    """Pair a socket that came late with the remote candidates that are known."""
    for remote in agent.remote_candidates:
        agent._pair_remote_candidate(remote)
    agent.sort_check_list()


def set_tie_breaker(agent: Connection, number: int) -> None:
    agent._tie_breaker = number


# TURN


def turn_client(transport: TurnTransport) -> TurnClientMixin:
    client = vars(transport)["_TurnTransport__inner_protocol"]
    assert isinstance(client, TurnClientMixin)
    return client


def turn_send(client: TurnClientMixin) -> Callable[[bytes], None]:
    """Sends bytes to the server as they are."""
    return client._send


def turn_closing(transport: TurnTransport) -> "asyncio.Task[None] | None":
    """Waits for the server to confirm that the allocation is given back."""
    task: asyncio.Task[None] | None = vars(transport)["_TurnTransport__close_task"]
    return task


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
