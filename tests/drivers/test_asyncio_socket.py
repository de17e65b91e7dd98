"""The asyncio driver's sockets against a real WebSocket server on loopback: exactly one end for each beginning."""

import asyncio
import contextlib
import datetime
import gc
import json
import os
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from telnyx_core.facts import BinaryReceived, Fact, SocketClosed, SocketOpened, SocketRefused, TextReceived
from telnyx_core.ids import SocketId
from telnyx_drivers.asyncio import AsyncioDriver, TelnyxRTC
from telnyx_drivers.client import MAX_FRAME
from telnyx_drivers.driver import INBOX_TEXTS, Line
from tests.drivers.fakes import Server, World

pytestmark = [pytest.mark.anyio, pytest.mark.net]
ONE = SocketId(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Facts(AsyncioDriver):
    """A driver without a session: what its lines tell is kept, and ``turn`` takes it from the inbox."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(None, None, None, ssl=tls)  # type: ignore[arg-type]
        self.facts: asyncio.Queue[Fact] = asyncio.Queue()
        self.most_texts = 0
        self.consuming = True

    def tell(self, fact: Fact) -> None:
        self.facts.put_nowait(fact)
        if not self.consuming:
            super().tell(fact)
            self.most_texts = max(self.most_texts, sum(isinstance(each, TextReceived) for each in self._inbox))

    def dial(self, url: str) -> Line:
        return self._dial(ONE, url)

    async def next(self) -> Fact:
        async with asyncio.timeout(10):
            return await self.facts.get()

    async def no_more(self) -> None:
        await self.cancel_tasks()
        assert self.facts.empty()
        assert not self._tasks


@contextlib.asynccontextmanager
async def serving(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        scheme = "wss" if options.get("ssl") else "ws"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_frames_go_both_ways_and_a_polite_close_is_clean() -> None:
    driver = Facts()
    async with serving(echo) as url:
        line = driver.dial(url)
        opened = await driver.next()
        assert isinstance(opened, SocketOpened)
        assert opened.wall > 1_700_000_000
        line.send("eins")
        line.send("zwei")
        assert await driver.next() == TextReceived(ONE, "eins")
        assert await driver.next() == TextReceived(ONE, "zwei")
        line.close()
        line.close()
        end = await driver.next()
        assert isinstance(end, SocketClosed)
        assert (end.code, end.clean, end.error) == (1000, True, "")
        await driver.no_more()


async def test_what_was_sent_before_the_close_arrives() -> None:
    heard: list[object] = []

    async def listen(connection: ServerConnection) -> None:
        await asyncio.sleep(0.05)
        heard.extend([message async for message in connection])

    driver = Facts()
    async with serving(listen) as url:
        line = driver.dial(url)
        await driver.next()
        for number in range(50):
            line.send(f"bye {number}")
        line.close()
        assert isinstance(await driver.next(), SocketClosed)
    assert heard == [f"bye {number}" for number in range(50)]


async def test_the_servers_close_is_told_with_its_words() -> None:
    async def goodbye(connection: ServerConnection) -> None:
        await connection.close(4014, "gateway down")

    driver = Facts()
    async with serving(goodbye) as url:
        driver.dial(url)
        await driver.next()
        assert await driver.next() == SocketClosed(ONE, 4014, "gateway down", clean=True)
        await driver.no_more()


async def test_a_dropped_connection_is_1006_and_not_clean() -> None:
    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    driver = Facts()
    async with serving(drop) as url:
        driver.dial(url)
        assert isinstance(await driver.next(), SocketOpened)
        end = await driver.next()
        assert isinstance(end, SocketClosed)
        assert (end.code, end.clean) == (1006, False)
        await driver.no_more()


async def test_nobody_listening_is_an_error_with_its_text() -> None:
    """SIG-033: an attempt that fails later is a close with 1006, never a refusal."""
    async with serving(echo) as url:
        pass
    driver = Facts()
    driver.dial(url)
    end = await driver.next()
    assert isinstance(end, SocketClosed)
    assert (end.code, end.clean) == (1006, False)
    assert "refused" in end.error.lower() or "Connect call failed" in end.error
    await driver.no_more()


async def test_an_http_refusal_is_an_error_with_its_status() -> None:
    driver = Facts()
    async with serving(echo, process_request=lambda connection, request: connection.respond(403, "no")) as url:
        driver.dial(url)
        end = await driver.next()
    assert isinstance(end, SocketClosed)
    assert "403" in end.error
    await driver.no_more()


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/", "no url", "ws://a/#fragment"])
async def test_a_url_that_cannot_be_is_refused(url: str) -> None:
    """SIG-032."""
    driver = Facts()
    driver.dial(url)
    assert isinstance(await driver.next(), SocketRefused)
    await driver.no_more()


async def test_binary_frames_are_told_by_size() -> None:
    async def send(connection: ServerConnection) -> None:
        await connection.send(b"\x00" * 7)
        await connection.wait_closed()

    driver = Facts()
    async with serving(send) as url:
        line = driver.dial(url)
        await driver.next()
        assert await driver.next() == BinaryReceived(ONE, 7)
        line.close()
        await driver.next()


async def test_a_message_beyond_the_limit_ends_the_connection() -> None:
    async def flood(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await connection.send("x" * (MAX_FRAME + 1))
            await connection.wait_closed()

    driver = Facts()
    async with serving(flood) as url:
        driver.dial(url)
        await driver.next()
        end = await driver.next()
        assert isinstance(end, SocketClosed)
        assert end.error.startswith("1009")
        await driver.no_more()


async def test_text_that_is_no_utf8_ends_the_connection_not_the_client() -> None:
    async def garble(connection: ServerConnection) -> None:
        connection.transport.write(b"\x81\x02\xff\xfe")
        with contextlib.suppress(ConnectionClosed):
            await connection.recv()

    driver = Facts()
    async with serving(garble) as url:
        driver.dial(url)
        await driver.next()
        end = await driver.next()
        assert isinstance(end, SocketClosed)
        assert end.error.startswith("1007")


async def silent_server() -> tuple[asyncio.Server, str]:
    """Accepts and says nothing: the handshake hangs."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize("how", ["close", "abandon"])
async def test_closing_during_the_handshake(how: str) -> None:
    """SIG-284: no `SocketOpened` may follow; one end after a close, none after an abandon."""
    server, url = await silent_server()
    driver = Facts()
    line = driver.dial(url)
    await asyncio.sleep(0.05)
    if how == "close":
        line.close()
        assert await driver.next() == SocketClosed(ONE, 1006, "", clean=False)
    else:
        line.abandon()
        await asyncio.sleep(0.05)
    await driver.no_more()
    server.close()


async def test_closing_before_the_task_has_even_begun() -> None:
    driver = Facts()
    line = driver.dial("ws://127.0.0.1:9/")
    line.close()
    assert await driver.next() == SocketClosed(ONE, 1006, "", clean=False)
    await driver.no_more()


async def test_an_abandoned_socket_is_gone_on_both_sides_and_silent() -> None:
    gone = asyncio.Event()

    async def never_close(connection: ServerConnection) -> None:
        await connection.wait_closed()
        gone.set()

    driver = Facts()
    async with serving(never_close) as url:
        line = driver.dial(url)
        await driver.next()
        line.abandon()
        async with asyncio.timeout(10):
            await gone.wait()
        await driver.no_more()


async def test_a_peer_that_ignores_our_close_is_left_to_the_sessions_deadline() -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import base64
        import hashlib

        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(row.split(": ")[1] for row in head.split("\r\n") if row.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    driver = Facts()
    line = driver.dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(await driver.next(), SocketOpened)
    line.close()
    await asyncio.sleep(0.1)
    assert driver.facts.empty()
    line.abandon()
    await asyncio.sleep(0.05)
    await driver.no_more()
    server.close()


async def test_a_flood_waits_on_the_servers_side() -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send("x" * 10_000)
                sent += 1

    driver = Facts()
    driver.consuming = False
    async with serving(flood) as url:
        line = driver.dial(url)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert driver.most_texts == INBOX_TEXTS
        line.abandon()
        await driver.cancel_tasks()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    import ipaddress

    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_an_unknown_certificate_is_not_accepted_and_a_trusted_one_is(certificate: Path) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with serving(echo, ssl=server_side) as url:
        careful = Facts()
        careful.dial(url)
        end = await careful.next()
        assert isinstance(end, SocketClosed)
        assert "certificate" in end.error.lower()
        await careful.no_more()
        trusted = Facts(trusting)
        line = trusted.dial(url)
        assert isinstance(await trusted.next(), SocketOpened)
        line.close()
        assert isinstance(await trusted.next(), SocketClosed)


async def test_tls_settings_do_not_matter_without_tls() -> None:
    driver = Facts(ssl.create_default_context())
    async with serving(echo) as url:
        line = driver.dial(url)
        assert isinstance(await driver.next(), SocketOpened)
        line.close()
        await driver.next()


class RealLine:
    """Lets the in-memory `Server` answer over a real connection."""

    def __init__(self, server: Server, connection: ServerConnection) -> None:
        self.connection = connection
        self.outbox: asyncio.Queue[str] = asyncio.Queue()
        server.lines.append(self)  # type: ignore[arg-type]

    def deliver(self, frame: dict[str, Any]) -> None:
        self.outbox.put_nowait(json.dumps(frame))


async def test_connect_call_hangup_again_and_again_leaks_nothing() -> None:
    world = World()

    async def gateway(connection: ServerConnection) -> None:
        line = RealLine(world.server, connection)

        async def write() -> None:
            while True:
                await connection.send(await line.outbox.get())

        writer = asyncio.ensure_future(write())
        async for message in connection:
            world.server.heard(line, json.loads(message))  # type: ignore[arg-type]
        writer.cancel()

    def held() -> tuple[int, int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())

    async def cycle(url: str) -> None:
        async with TelnyxRTC(login_token="t", env=url, engine=world.engine) as client:
            call = await client.new_call("+1555")
            await call.wait_for_state("active", timeout=10)
            assert await call.hold()
            await call.hangup()

    async with serving(gateway) as url:
        await cycle(url)
        await asyncio.sleep(0.05)
        before = held()
        for _ in range(10):
            await cycle(url)
        await asyncio.sleep(0.05)
        assert held() == before
    assert all(engine.closed and not engine.open for engine in world.engines)
