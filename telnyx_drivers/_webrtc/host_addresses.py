"""The addresses of this host.

A call asks for them whenever it makes a peer, and again before it uses candidates that were gathered in advance. On
Linux the kernel is asked directly (rtnetlink(7)), which takes about as long as one system call does. Elsewhere, and
where a sandbox forbids that, ifaddr asks the C library: it takes milliseconds, in which no audio is sent.
"""

import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

import ifaddr

_HEADER: Final = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence number, port."""
_ADDRESS: Final = struct.Struct("=BBBBI")
"""ifaddrmsg: family, length of the prefix, flags, scope, interface."""
_ATTRIBUTE: Final = struct.Struct("=HH")
"""rtattr: length, type."""
_DONE, _ERROR, _NEWADDR, _GETADDR = 3, 2, 20, 22
_DUMP: Final = 0x1 | 0x300
"""NLM_F_REQUEST, NLM_F_DUMP."""
_OF_LINK: Final = 253
"""RT_SCOPE_LINK: of use only together with an interface, which a candidate cannot name."""
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SECONDS: Final = 1.0
"""For the kernel's answer, which is there at once."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


def host_addresses() -> list[str]:
    """Every address of this host but loopback and those of one link only."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, struct.error):
            return list(_of_kernel())
    return list(_of_library())


def _of_kernel() -> Iterator[str]:
    family: int = getattr(socket, "AF_NETLINK")  # noqa: B009  # typeshed has it on Linux only
    with socket.socket(family, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(_HEADER.pack(_HEADER.size + _ADDRESS.size, _GETADDR, _DUMP, 1, 0) + _ADDRESS.pack(0, 0, 0, 0, 0))
        while True:
            messages = memoryview(kernel.recv(65_536))
            while messages:
                length, kind, *_ = _HEADER.unpack_from(messages)
                if kind == _DONE:
                    return
                if kind == _ERROR or length < _HEADER.size:
                    raise OSError("the kernel tells no addresses")
                if kind == _NEWADDR and (address := _address(messages[_HEADER.size : length])) is not None:
                    yield address
                messages = messages[_aligned(length) :]


def _address(message: memoryview) -> str | None:
    family, _, _, scope, _ = _ADDRESS.unpack_from(message)
    attributes = dict(_attributes(message[_ADDRESS.size :]))
    # Of a link between two hosts, the first is ours and the second the other end's.
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if packed is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    text = str(ipaddress.ip_address(packed))
    return None if text in _LOOPBACK or (family == socket.AF_INET6 and scope == _OF_LINK) else text


def _attributes(data: memoryview) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind, bytes(data[_ATTRIBUTE.size : length])
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _of_library() -> Iterator[str]:
    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            address, scope = (each.ip, 0) if isinstance(each.ip, str) else (each.ip[0], each.ip[2])
            if scope == 0 and address not in _LOOPBACK:
                yield address
