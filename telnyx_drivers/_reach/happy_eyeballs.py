"""A TCP connection to whichever address of a name answers first, on any asyncio loop (RFC 8305).

asyncio's own is not there on every loop, and is off unless it is asked for; trio does the same by itself.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address
from itertools import zip_longest
from typing import Final, TypeAlias

from telnyx_drivers._worker_threads import in_thread

HEAD_START: Final = 0.25
"""Seconds before the next address is tried beside those that have not answered (RFC 8305 section 5)."""

_Info: TypeAlias = "tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]"


async def connect_tcp(host: str, port: int) -> socket.socket:
    """A connected socket. Raises ``OSError``: that of the first address, where none answers."""
    found = _literal(host, port) or await in_thread(partial(_look_up, host, port), abandon_on_cancel=True)
    if not found:
        raise OSError(f"{host} has no address")
    if len(found) == 1:
        return await _connect(found[0])
    waiting = deque(_interleaved(found))
    running: set[asyncio.Task[socket.socket]] = set()
    failures: list[BaseException] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connect(waiting.popleft())))
            done, running = await asyncio.wait(
                running, timeout=HEAD_START if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            good = [task for task in done if task.exception() is None]
            failures += [error for task in done if (error := task.exception()) is not None]
            if good:
                for late in good[1:]:
                    late.result().close()
                return good[0].result()
    finally:
        for task in running:
            task.add_done_callback(_close)
            task.cancel()
    raise failures[0]


async def _connect(info: _Info) -> socket.socket:
    family, kind, protocol, _, address = info
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def _look_up(host: str, port: int) -> list[_Info]:
    return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _literal(host: str, port: int) -> list[_Info]:
    """An address needs no resolver, which would be asked in a thread. One with a zone does (RFC 4007 section 11)."""
    if "%" in host:
        return []
    try:
        version = ip_address(host).version
    except ValueError:
        return []
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Of one that was too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _interleaved(found: Iterable[_Info]) -> list[_Info]:
    """By turns of one family and of another, beginning with the first (RFC 8305 section 4)."""
    families: dict[int, list[_Info]] = {}
    for info in found:
        families.setdefault(info[0], []).append(info)
    return [info for turn in zip_longest(*families.values()) for info in turn if info is not None]
