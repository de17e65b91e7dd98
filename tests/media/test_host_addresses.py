"""The addresses of this host, as the kernel tells them, and as the C library does."""

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any, Self

import ifaddr
import pytest

from telnyx_drivers._webrtc import host_addresses as module
from telnyx_drivers._webrtc.host_addresses import host_addresses

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="there is no rtnetlink")

DONE, ERROR, NEW_ADDRESS, OTHER = 3, 2, 20, 16
ADDRESS, LOCAL, LABEL = 1, 2, 3
ANYWHERE, LINK = 0, 253


def message(kind: int, body: bytes = b"") -> bytes:
    data = struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body
    return data + bytes(-len(data) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + bytes(-len(data) % 4)


def told(*attributes: tuple[int, str | bytes], scope: int = ANYWHERE) -> bytes:
    """One address, as rtnetlink(7) tells it."""
    packed = [
        (kind, each if isinstance(each, bytes) else ipaddress.ip_address(each).packed) for kind, each in attributes
    ]
    length = max(len(value) for kind, value in packed if kind != LABEL)
    family = socket.AF_INET if length == 4 else socket.AF_INET6
    body = struct.pack("=BBBBI", family, 24, 0, scope, 2)
    return message(NEW_ADDRESS, body + b"".join(attribute(kind, value) for kind, value in packed))


def kernel(monkeypatch: pytest.MonkeyPatch, *answers: bytes | OSError) -> None:
    """A kernel that says this."""

    class Kernel:
        def __init__(self, *_: object) -> None:
            self.answers: Iterator[bytes | OSError] = iter(answers)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def settimeout(self, seconds: float) -> None:
            assert seconds > 0, "a kernel that says nothing stops no call"

        def send(self, data: bytes) -> None:
            assert struct.unpack_from("=IHHII", data)[:3] == (len(data), 22, 0x301)

        def recv(self, size: int) -> bytes:
            match next(self.answers):
                case OSError() as error:
                    raise error
                case data:
                    return data

    monkeypatch.setattr(module.socket, "socket", Kernel)


def library(monkeypatch: pytest.MonkeyPatch, *ips: Any) -> None:
    each = [ifaddr.IP(ip, 24, "eth0") for ip in ips]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", each)])


@on_linux
def test_the_kernel_tells_what_the_library_finds() -> None:
    assert sorted(host_addresses()) == sorted(module._of_library())


@on_linux
def test_an_answer_of_several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback and what is of one link only are left out; of a link between two hosts, this end's address counts."""
    kernel(
        monkeypatch,
        told((ADDRESS, "127.0.0.1"), (LOCAL, "127.0.0.1"))
        + told((ADDRESS, "192.0.2.9"), (LOCAL, "192.0.2.1"))
        + message(OTHER, bytes(6)),
        told((ADDRESS, "2001:db8::1")) + told((ADDRESS, "fe80::1"), scope=LINK) + told((ADDRESS, "::1")),
        message(DONE, bytes(4)),
    )
    assert host_addresses() == ["192.0.2.1", "2001:db8::1"]


@on_linux
@pytest.mark.parametrize(
    "answer",
    [
        PermissionError(1, "Operation not permitted"),
        TimeoutError(),
        message(ERROR, struct.pack("=i", -1)),
        b"\0" * 16,
        b"short",
        message(NEW_ADDRESS, b"\2"),
    ],
    ids=["forbidden", "silent", "refused", "empty", "short", "shorter"],
)
def test_where_the_kernel_tells_nothing_the_library_does(
    answer: bytes | OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel(monkeypatch, answer)
    library(monkeypatch, "192.0.2.7")
    assert host_addresses() == ["192.0.2.7"]


def test_elsewhere_the_library_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "darwin")
    library(monkeypatch, "127.0.0.1", "192.0.2.7", ("::1", 0, 0), ("fe80::7", 0, 2), ("2001:db8::7", 0, 0))
    assert host_addresses() == ["192.0.2.7", "2001:db8::7"]
