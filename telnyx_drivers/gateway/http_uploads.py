"""The gateway's port: WebSockets, and HTTP uploads of call reports and recordings.

The platform takes them by HTTP on the host that clients signal to. A connection shows which of the two it is
with its first bytes; until then it belongs to neither, and has a time limit.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeAlias, cast

from attrs import frozen
from websockets.asyncio.server import ServerConnection

from telnyx_core._wire.json_types import Json, JsonObject

REPORT: Final = "/call_report"
RECORDING: Final = "/call_recording"
OPEN_SECONDS: Final = 10.0
"""For the first bytes, and for a whole upload."""
MAX_HEAD: Final = 16_384
MAX_BODY: Final = 4 * 1_048_576
"""The reference's reports are about 40 kB for each minute of a call, in pieces of three minutes."""
MAX_PARTS: Final = 400_000
"""Brackets and commas in a body, each of which may stand for an object of sixty bytes; the reference's have a tenth."""
MAX_AT_ONCE: Final = 16
"""Uploads under way: more are told to come again."""

_PART: Final = 64
_POST: Final = b"POST "


@frozen
class Upload:
    """A call report, or part of a recording, as it came; header names are lower case."""

    path: str
    headers: dict[str, str]
    report: JsonObject
    cost: int = 0
    """Bytes of memory, about."""


Take: TypeAlias = Callable[[Upload], None]


class HttpUploads:
    """Every TCP connection from its first moment, so that none can outlive the gateway."""

    def __init__(self, take: Take) -> None:
        self.take = take
        self.uploads = 0
        """How many are under way."""
        self._transports: set[asyncio.BaseTransport] = set()

    def door(self) -> type[ServerConnection]:
        """For the ``create_connection`` of websockets' ``serve``."""

        class Door(_Door):
            reception = self

        return Door

    def arrived(self, transport: asyncio.BaseTransport) -> None:
        self._transports.add(transport)

    def left(self, transport: asyncio.BaseTransport) -> None:
        self._transports.discard(transport)

    def abort(self) -> None:
        for transport in list(self._transports):
            cast("asyncio.Transport", transport).abort()


class _Door(ServerConnection):
    reception: HttpUploads

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._first: bytes | None = b""
        """What came before it was clear what it is; ``None`` afterwards."""
        self._arrived = cast("asyncio.Transport", transport)
        self.reception.arrived(transport)
        self._hurry = self.loop.call_later(OPEN_SECONDS, self._arrived.abort)

    def data_received(self, data: bytes) -> None:
        if self._first is None:
            super().data_received(data)
            return
        self._first += data
        if self._first != _POST and _POST.startswith(self._first):
            return
        first, self._first = self._first, None
        self._hurry.cancel()
        if first.startswith(_POST):
            upload = _Upload(self.reception)
            self._arrived.set_protocol(upload)
            upload.connection_made(self._arrived)
            upload.data_received(first)
        else:
            super().connection_made(self._arrived)
            super().data_received(first)

    def eof_received(self) -> None:
        if self._first is None:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reception.left(self._arrived)
        self._hurry.cancel()
        if self._first is None:
            super().connection_lost(exc)


class _Upload(asyncio.Protocol):
    """One request, one response, and the connection is closed."""

    def __init__(self, reception: HttpUploads) -> None:
        self._reception = reception
        self._received = bytearray()
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._reception.uploads += 1
        self._hurry = asyncio.get_running_loop().call_later(OPEN_SECONDS, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._done:
            return
        if self._reception.uploads > MAX_AT_ONCE:
            self._respond(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._received += data
        head, separator, body = bytes(self._received).partition(b"\r\n\r\n")
        if not separator:
            if len(self._received) > MAX_HEAD:
                self._respond(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        path, headers = _parse_head(head)
        length = headers.get("content-length", "")
        if path not in (REPORT, RECORDING):
            self._respond(HTTPStatus.NOT_FOUND)
        elif not length.isascii() or not length.isdigit():
            self._respond(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > 9 or int(length) > MAX_BODY:
            self._respond(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif len(body) >= int(length):
            self._take(path, headers, body[: int(length)])

    def connection_lost(self, exc: Exception | None) -> None:
        self._reception.uploads -= 1
        self._reception.left(self._transport)
        self._hurry.cancel()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        parts = sum(map(body.count, (b"[", b"{", b",")))
        if parts > MAX_PARTS:
            self._respond(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            report = cast("Json", json.loads(body))
        except (ValueError, RecursionError):
            report = None
        if not isinstance(report, dict) or not headers.get("x-call-report-id"):
            self._respond(HTTPStatus.BAD_REQUEST)
            return
        self._respond(HTTPStatus.OK)
        self._reception.take(Upload(path, headers, report, len(body) + _PART * parts))

    def _respond(self, status: HTTPStatus) -> None:
        self._done = True
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        self._transport.write(f"{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
        self._transport.close()


def _parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """The path without its query, and the headers. What is no header is left out."""
    request, *lines = head.decode("latin-1").split("\r\n")
    words = request.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return (words[1].partition("?")[0] if len(words) > 1 else ""), headers
