"""The door of the embedded gateway: call reports by HTTP beside WebSockets, and connections that are neither."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from telnyx_core.gateway.events import CallRecordingReceived, CallReportReceived, ClientConnected
from telnyx_drivers.gateway import Gateway, server
from telnyx_drivers.gateway import http_uploads as reception
from tests.gateway.test_server import gateway, phone
from tests.media.rig import run

pytestmark = pytest.mark.net

HEADERS = {"content-type": "application/json", "x-call-report-id": "r1", "x-call-id": "c1", "x-voice-sdk-id": "V"}


async def http(gw: Gateway, *pieces: bytes) -> tuple[int, bytes]:
    """Send the pieces apart from each other; the response's status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    response = await reader.read()
    writer.close()
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def post(report: Any, path: str = "/call_report", **headers: str) -> bytes:
    body = report if isinstance(report, bytes) else json.dumps(report).encode()
    lines = {
        **HEADERS,
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body


def test_a_call_report_is_taken_and_told() -> None:
    """SIG-187."""

    async def main() -> None:
        async with gateway() as gw:
            assert await http(gw, post({"summary": {"callId": "c1"}})) == (200, b"{}")
            event = await gw.wait_for(CallReportReceived)
            assert (event.call, event.call_report_id) == ("c1", "r1")
            assert event.report == {"summary": {"callId": "c1"}}

    run(main())


def test_a_recording_is_taken_and_told() -> None:
    async def main() -> None:
        async with gateway() as gw:
            body = {"track": "local", "packets": []}
            assert await http(gw, post(body, "/call_recording")) == (200, b"{}")
            event = await gw.wait_for(CallRecordingReceived)
            assert (event.call, event.track, event.recording) == ("c1", "local", body)
            assert "packets" not in repr(event)
            assert not any(isinstance(event, CallReportReceived) for event in gw.history)

    run(main())


def test_a_report_may_come_in_pieces() -> None:
    async def main() -> None:
        async with gateway() as gw:
            whole = post({"a": "b" * 100}, "/call_report?x=1")
            assert (await http(gw, whole[:2], whole[2:5], whole[5:60], whole[60:-10], whole[-10:]))[0] == 200
            assert (await gw.wait_for(CallReportReceived)).report == {"a": "b" * 100}

    run(main())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (post({}, "/elsewhere"), 404),
        (post({}, content_length=""), 411),
        (post({}, content_length="-1"), 411),
        (post({}, content_length=str(reception.MAX_BODY + 1)), 413),
        (post({}, content_length="9" * 20), 413),
        (post({}, x_call_report_id=""), 400),
        (post(b"not json"), 400),
        (post([1]), 400),
        (b"POST /call_report HTTP/1.1\r\n" + b"x" * 20_000, 431),
        (b"POST \r\n\r\n", 404),
    ],
    ids=range(10),
)
def test_what_is_no_report_is_refused(request_bytes: bytes, status: int) -> None:
    async def main() -> None:
        async with gateway() as gw:
            assert (await http(gw, request_bytes))[0] == status
            assert not any(isinstance(event, CallReportReceived) for event in gw.history)

    run(main())


def test_websockets_go_in_also_when_their_first_bytes_dawdle() -> None:
    async def main() -> None:
        async with gateway() as gw:
            client = await phone(gw.url)
            await client.login()
            await client.connection.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
            writer.write(b"G")
            await asyncio.sleep(0.01)
            writer.write(
                b"ET /?a=1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert (await reader.readline()).startswith(b"HTTP/1.1 101")
            await gw.wait_for(ClientConnected, lambda event: event.query == {"a": "1"})
            writer.close()

    run(main())


@pytest.mark.parametrize("said", [b"", b"PO", b"POST /call_report HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n"], ids=range(4))
def test_a_connection_that_says_too_little_does_not_outlive_the_gateway(said: bytes) -> None:
    async def main() -> None:
        async with gateway() as gw:
            reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
            writer.write(said)
            await asyncio.sleep(0.02)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()

    run(main(), timeout=8)


@pytest.mark.parametrize("said", [b"", b"POST /call_report HTTP/1.1\r\n"], ids=range(2))
def test_a_connection_that_dawdles_is_cut_off(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "OPEN_SECONDS", 0.05)

    async def main() -> None:
        async with gateway() as gw:
            reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
            writer.write(said)
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()

    run(main())


def test_a_client_that_leaves_at_the_door() -> None:
    async def main() -> None:
        async with gateway() as gw:
            _, writer = await asyncio.open_connection("127.0.0.1", gw.port)
            writer.write_eof()
            await asyncio.sleep(0.02)
            writer.close()
            async with connect(gw.url):
                await gw.wait_for(ClientConnected)

    run(main())


def test_uploads_are_kept_by_the_byte_and_not_by_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches the port may send any number: the oldest are forgotten."""
    monkeypatch.setattr(server, "MAX_UPLOADED", 5_000)

    async def main() -> None:
        async with gateway() as gw:
            for number in range(20):
                assert (await http(gw, post({"n": number, "pad": "x" * 1_000})))[0] == 200
            kept = [event.report["n"] for event in gw.history if isinstance(event, CallReportReceived)]
            assert kept == [16, 17, 18, 19]

    run(main())


def test_a_body_that_would_be_many_times_as_large_in_memory_is_refused() -> None:
    async def main() -> None:
        async with gateway() as gw:
            body = b'{"a":[' + b"[]," * 1_000_000 + b"[]]}"
            assert (await http(gw, post(body)))[0] == 413
            assert not any(isinstance(event, CallReportReceived) for event in gw.history)

    run(main())


def test_more_uploads_at_once_than_there_is_room_for_are_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "MAX_AT_ONCE", 2)

    async def main() -> None:
        async with gateway() as gw:
            begun = [await asyncio.open_connection("127.0.0.1", gw.port) for _ in range(2)]
            for _, writer in begun:
                writer.write(post({"a": 1})[:50])
            await asyncio.sleep(0.05)
            assert (await http(gw, post({"a": 1})))[0] == 503
            for _, writer in begun:
                writer.close()
            await asyncio.sleep(0.05)
            assert (await http(gw, post({"a": 1})))[0] == 200

    run(main())
