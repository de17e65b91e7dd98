"""Both drivers' sockets against a real WebSocket server on loopback: exactly one end for each beginning."""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

import telnyx_drivers.asyncio
import telnyx_drivers.trio
from telnyx_core.actions import SendText
from telnyx_core.facts import BinaryReceived, Fact, SocketClosed, SocketOpened, SocketRefused, TextReceived
from telnyx_core.ids import SocketId
from telnyx_drivers._asyncio import AsyncioDriver
from telnyx_drivers._client import MAX_FRAME, Client
from telnyx_drivers._driver import INBOX_TEXTS, MAX_FRAGMENTS, MAX_OUTBOX, TOO_LONG, Backlog, Driver, Line
from telnyx_drivers._trio import TrioDriver
from telnyx_drivers._webrtc.ports import AnyLoop
from tests.drivers.conftest import held_now
from tests.drivers.fakes import Server, World
from tests.drivers.servers import Raw, Servers

pytestmark = [pytest.mark.anyio, pytest.mark.net]
ONE = SocketId(1)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Real clocks: the sockets are real."""
    return str(request.param)


class Facts:
    """A driver without a session: what its lines tell is kept, and, if wanted, also fills the inbox."""

    def __init__(self, backend: str, tls: ssl.SSLContext | None = None) -> None:
        base: type[Any] = TrioDriver if backend == "trio" else AsyncioDriver
        self.told, self._heard = anyio.create_memory_object_stream[Fact](10_000)
        self.most_texts = 0
        self.filling = False
        facts = self

        class Telling(base):  # type: ignore[misc]
            def tell(self, fact: Fact) -> None:
                facts.told.send_nowait(fact)
                if facts.filling:
                    super().tell(fact)
                    facts.most_texts = max(
                        facts.most_texts, sum(isinstance(each, TextReceived) for each in self._inbox)
                    )

        self.driver: Driver = Telling(None, None, None, ssl=tls)

    def dial(self, url: str) -> Line:
        return self.driver._dial(ONE, url)

    async def next(self) -> Fact:
        with anyio.fail_after(10):
            return await self._heard.receive()

    @property
    def none_yet(self) -> bool:
        return self._heard.statistics().current_buffer_used == 0

    async def no_more(self) -> None:
        await self.driver.cancel_tasks()
        assert self.none_yet
        assert not self.driver._tasks  # type: ignore[attr-defined]
        self.close()

    def close(self) -> None:
        self.told.close()
        self._heard.close()


@pytest.fixture
def make_facts(anyio_backend_name: str) -> Iterator[Callable[..., Facts]]:
    made: list[Facts] = []

    def make(tls: ssl.SSLContext | None = None) -> Facts:
        made.append(Facts(anyio_backend_name, tls))
        return made[-1]

    yield make
    for facts in made:
        facts.close()


@pytest.fixture(scope="module")
def all_servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def servers(all_servers: Servers) -> Iterator[Servers]:
    yield all_servers
    all_servers.stop()


MakeFacts: TypeAlias = Callable[..., Facts]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def opened(facts: Facts) -> None:
    assert isinstance(await facts.next(), SocketOpened)


async def failed(facts: Facts) -> str:
    """The text of an end that is not clean."""
    end = await facts.next()
    assert isinstance(end, SocketClosed), end
    assert (end.code, end.clean) == (1006, False)
    await facts.no_more()
    return end.error


async def test_frames_go_both_ways_and_a_polite_close_is_clean(servers: Servers, make_facts: MakeFacts) -> None:
    facts = make_facts()
    line = facts.dial(servers.start(echo))
    beginning = await facts.next()
    assert isinstance(beginning, SocketOpened)
    assert beginning.wall > 1_700_000_000
    line.send("eins")
    line.send("zw\u00f6lf")
    assert await facts.next() == TextReceived(ONE, "eins")
    assert await facts.next() == TextReceived(ONE, "zw\u00f6lf")
    line.close()
    line.close()
    end = await facts.next()
    assert isinstance(end, SocketClosed)
    assert (end.code, end.clean, end.error) == (1000, True, "")
    line.send("late")
    line.close()
    line.abandon()
    await facts.no_more()


async def test_what_was_sent_before_the_close_arrives(servers: Servers, make_facts: MakeFacts) -> None:
    heard: list[object] = []

    async def listen(connection: ServerConnection) -> None:
        await asyncio.sleep(0.05)
        heard.extend([message async for message in connection])

    facts = make_facts()
    line = facts.dial(servers.start(listen))
    await opened(facts)
    for number in range(50):
        line.send(f"bye {number}")
    line.close()
    assert isinstance(await facts.next(), SocketClosed)
    servers.stop()
    assert heard == [f"bye {number}" for number in range(50)]


async def test_the_servers_close_is_told_with_its_words(servers: Servers, make_facts: MakeFacts) -> None:
    async def goodbye(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close(4014, "gateway down")

    facts = make_facts()
    facts.dial(servers.start(goodbye))
    await opened(facts)
    assert await facts.next() == TextReceived(ONE, "last words")
    assert await facts.next() == SocketClosed(ONE, 4014, "gateway down", clean=True)
    await facts.no_more()


async def test_a_dropped_connection_is_1006_and_not_clean(servers: Servers, make_facts: MakeFacts) -> None:
    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    facts = make_facts()
    facts.dial(servers.start(drop))
    await opened(facts)
    await failed(facts)


async def test_nobody_listening_is_an_error_with_its_text(servers: Servers, make_facts: MakeFacts) -> None:
    """SIG-033: an attempt that fails later is a close with 1006, never a refusal."""
    url = servers.start(echo)
    servers.stop()
    facts = make_facts()
    facts.dial(url)
    error = await failed(facts)
    assert "127.0.0.1" in error


async def test_an_http_refusal_is_an_error_with_its_status(servers: Servers, make_facts: MakeFacts) -> None:
    facts = make_facts()
    facts.dial(servers.start(echo, process_request=lambda connection, request: connection.respond(403, "no")))
    assert await failed(facts) == "server rejected WebSocket connection: HTTP 403", "and no page of theirs"


async def test_a_handshake_cut_short_is_told_at_once(servers: Servers, make_facts: MakeFacts) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    facts = make_facts()
    facts.dial(servers.start_raw(hang_up))
    assert await failed(facts)


async def test_a_handshake_answered_with_nonsense(servers: Servers, make_facts: MakeFacts) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        writer.close()

    facts = make_facts()
    facts.dial(servers.start_raw(babble))
    assert await failed(facts)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/", "no url", "ws://a/#fragment"])
async def test_a_url_that_cannot_be_is_refused(make_facts: MakeFacts, url: str) -> None:
    """SIG-032."""
    facts = make_facts()
    facts.dial(url)
    assert isinstance(await facts.next(), SocketRefused)
    await facts.no_more()


async def test_path_query_and_host_arrive_as_given(servers: Servers, make_facts: MakeFacts) -> None:
    seen: list[str] = []

    async def look(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.extend([connection.request.path, connection.request.headers["Host"]])

    facts = make_facts()
    url = servers.start(look)
    facts.dial(url + "rtc?voice_sdk_id=a%20b&x=1")
    await opened(facts)
    await facts.next()
    assert seen == ["/rtc?voice_sdk_id=a%20b&x=1", url.removeprefix("ws://").rstrip("/")]


async def test_binary_frames_are_told_by_size(servers: Servers, make_facts: MakeFacts) -> None:
    async def send(connection: ServerConnection) -> None:
        await connection.send(b"\x00" * 7)
        await connection.wait_closed()

    facts = make_facts()
    line = facts.dial(servers.start(send))
    await opened(facts)
    assert await facts.next() == BinaryReceived(ONE, 7)
    line.close()
    await facts.next()


async def test_a_message_beyond_the_limit_ends_the_connection(servers: Servers, make_facts: MakeFacts) -> None:
    async def flood(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await connection.send("x" * (MAX_FRAME + 1))
            await connection.wait_closed()

    facts = make_facts()
    facts.dial(servers.start(flood))
    await opened(facts)
    assert await failed(facts) == f"1009 {TOO_LONG}" == "1009 a message of more than 1 MB was received"


async def test_a_message_of_endless_empty_fragments_ends_the_connection(
    servers: Servers, make_facts: MakeFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never becomes too long: asyncio kept every fragment for ever with websockets 15, and trio still would."""
    monkeypatch.setattr("telnyx_drivers._trio._MOST_WITHOUT_MESSAGE", 3 * MAX_FRAGMENTS)

    async def flood(connection: ServerConnection) -> None:
        connection.transport.write(b"\x01\x00" + b"\x00\x00" * 2 * MAX_FRAGMENTS)
        await connection.wait_closed()

    facts = make_facts()
    facts.dial(servers.start(flood))
    await opened(facts)
    assert await failed(facts) == "1009 a message of more than 4096 fragments was received"


async def test_a_message_in_many_fragments_is_one_message(servers: Servers, make_facts: MakeFacts) -> None:
    async def send(connection: ServerConnection) -> None:
        await connection.send(["a", "", "\U0001f44b", "b"])
        await connection.send([b"12", b"", b"345"])
        await connection.wait_closed()

    facts = make_facts()
    line = facts.dial(servers.start(send))
    await opened(facts)
    assert await facts.next() == TextReceived(ONE, "a\U0001f44bb")
    assert await facts.next() == BinaryReceived(ONE, 5)
    line.close()
    await facts.next()


async def test_text_that_is_no_utf8_ends_the_connection(servers: Servers, make_facts: MakeFacts) -> None:
    async def garble(connection: ServerConnection) -> None:
        connection.transport.write(b"\x81\x02\xff\xfe")
        with contextlib.suppress(ConnectionClosed):
            await connection.recv()

    facts = make_facts()
    facts.dial(servers.start(garble))
    await opened(facts)
    assert await failed(facts)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and says nothing."""
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("how", ["close", "abandon"])
async def test_closing_during_the_handshake(servers: Servers, make_facts: MakeFacts, how: str) -> None:
    """SIG-284: no `SocketOpened` may follow; one end after a close, none after an abandon."""
    facts = make_facts()
    line = facts.dial(servers.start_raw(hang))
    await anyio.sleep(0.05)
    if how == "close":
        line.close()
        assert await facts.next() == SocketClosed(ONE, 1006, "", clean=False)
    else:
        line.abandon()
        await anyio.sleep(0.05)
    await facts.no_more()


async def test_closing_before_the_task_has_even_begun(make_facts: MakeFacts) -> None:
    facts = make_facts()
    line = facts.dial("ws://127.0.0.1:9/")
    line.close()
    assert await facts.next() == SocketClosed(ONE, 1006, "", clean=False)
    await facts.no_more()


async def test_an_abandoned_socket_is_gone_on_both_sides_and_silent(servers: Servers, make_facts: MakeFacts) -> None:
    gone = threading.Event()

    async def never_close(connection: ServerConnection) -> None:
        await connection.wait_closed()
        gone.set()

    facts = make_facts()
    line = facts.dial(servers.start(never_close))
    await opened(facts)
    line.abandon()
    assert await anyio.to_thread.run_sync(gone.wait, 10)
    await facts.no_more()


async def accept_and_ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shakes hands, and never says anything again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(row.split(": ")[1] for row in head.split("\r\n") if row.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    await hang(reader, writer)


async def test_a_peer_that_ignores_our_close_is_left_to_the_sessions_deadline(
    servers: Servers, make_facts: MakeFacts
) -> None:
    """SIG-277: the session waits five seconds, then abandons."""
    facts = make_facts()
    line = facts.dial(servers.start_raw(accept_and_ignore))
    await opened(facts)
    line.close()
    await anyio.sleep(0.1)
    assert facts.none_yet
    line.abandon()
    await anyio.sleep(0.05)
    await facts.no_more()


async def test_a_flood_waits_on_the_servers_side(servers: Servers, make_facts: MakeFacts) -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send("x" * 10_000)
                sent += 1

    facts = make_facts()
    facts.filling = True
    line = facts.dial(servers.start(flood))
    before = -1
    while sent != before:
        before = sent
        await anyio.sleep(0.1)
    assert facts.most_texts == INBOX_TEXTS
    line.abandon()
    await facts.driver.cancel_tasks()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed one for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
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


async def test_what_can_be_spared_is_not_sent_while_too_much_waits(servers: Servers, make_facts: MakeFacts) -> None:
    """DBG-006: a server that reads nothing for a while; what is spared never comes, the rest does, in order."""
    reading, over = asyncio.Event(), threading.Event()
    heard: list[str] = []

    async def slow(connection: ServerConnection) -> None:
        await reading.wait()
        heard.extend([str(message)[:8] async for message in connection])
        over.set()

    facts = make_facts()
    line = facts.dial(servers.start(slow, max_size=None))
    await opened(facts)
    facts.driver._lines[ONE] = line
    large = "whatever" * (1 << 21)
    for text, drop_if_backlog_over in (
        ("in time ", 0),
        (large, None),
        ("can wait", len(large)),
        ("too late", len(large)),
    ):
        facts.driver.perform(SendText(ONE, text, drop_if_backlog_over))
        if text == "in time ":
            await drained(line)
    assert line.backlog == len(large) + len("can wait")
    facts.driver.perform(SendText(ONE, "in order"))
    servers.loop.call_soon_threadsafe(reading.set)
    await drained(line)
    line.close()
    await facts.next()
    await facts.no_more()
    assert await anyio.to_thread.run_sync(over.wait, 10)
    assert heard == ["in time ", "whatever", "can wait", "in order"]


async def drained(line: Line) -> None:
    with anyio.fail_after(20):
        while line.backlog:  # noqa: ASYNC110  # nobody tells
            await anyio.sleep(0.01)


async def test_an_unknown_certificate_is_not_accepted_and_a_trusted_one_is(
    servers: Servers, make_facts: MakeFacts, certificate: Path
) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    url = servers.start(echo, ssl=server_side)
    careful = make_facts()
    careful.dial(url)
    assert "certificate" in (await failed(careful)).lower()
    trusting = make_facts(ssl.create_default_context(cafile=str(certificate)))
    line = trusting.dial(url)
    await opened(trusting)
    line.send("secret")
    assert await trusting.next() == TextReceived(ONE, "secret")
    line.close()
    end = await trusting.next()
    assert isinstance(end, SocketClosed)
    assert end.clean


async def test_tls_settings_do_not_matter_without_tls(servers: Servers, make_facts: MakeFacts) -> None:
    facts = make_facts(ssl.create_default_context())
    line = facts.dial(servers.start(echo))
    await opened(facts)
    line.close()
    await facts.next()


class RealLine:
    """Lets the in-memory `Server` answer over a real connection."""

    def __init__(self, server: Server) -> None:
        self.outbox: asyncio.Queue[str] = asyncio.Queue()
        server.lines.append(self)  # type: ignore[arg-type]

    def deliver(self, frame: dict[str, Any]) -> None:
        self.outbox.put_nowait(json.dumps(frame))


async def test_connect_call_hangup_again_and_again_leaks_nothing(servers: Servers, anyio_backend_name: str) -> None:
    world = World()
    make: type[Client] = telnyx_drivers.asyncio.TelnyxRTC
    if anyio_backend_name == "trio":
        make = telnyx_drivers.trio.TelnyxRTC

    async def gateway(connection: ServerConnection) -> None:
        line = RealLine(world.server)

        async def write() -> None:
            while True:
                await connection.send(await line.outbox.get())

        writer = asyncio.ensure_future(write())
        async for message in connection:
            world.server.heard(line, json.loads(message))  # type: ignore[arg-type]
        writer.cancel()

    async def held() -> object:
        await anyio.sleep(0.05)  # the server's side closes as well
        return held_now()

    async def cycle(url: str) -> None:
        async with make(login_token="t", env=url, engine=AnyLoop(world.engine)) as client:
            call = await client.new_call("+1555")
            await call.wait_for_state("active", timeout=10)
            assert await call.hold()
            await call.hangup()

    url = servers.start(gateway)
    await cycle(url)
    before = await held()
    for _ in range(10):
        await cycle(url)
    assert await held() == before
    assert all(engine.closed and not engine.open for engine in world.engines)


# A server, or a network, that means no good.


def answering(head: bytes, seen: list[str] | None = None) -> Raw:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request.decode())
        writer.write(head)
        await writer.drain()
        writer.close()

    return answer


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("target", ["https://portal.example/login", "ws://127.0.0.1:{port}/x", "/there", "nonsense:"])
async def test_a_redirect_is_not_followed_and_not_the_end(
    servers: Servers, make_facts: MakeFacts, status: int, target: str
) -> None:
    """A captive portal, or a balancer, answers for a while; whoever it names is not given the login."""
    seen: list[str] = []
    elsewhere = servers.start_raw(answering(b"", seen))
    location = target.format(port=elsewhere.rstrip("/").rpartition(":")[2])
    head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    facts = make_facts()
    facts.dial(servers.start_raw(answering(head.encode())))
    end = await facts.next()
    assert isinstance(end, SocketClosed), "the next attempt may find the server"
    assert str(status) in end.error
    assert seen == []
    await facts.no_more()


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("", None), ("9" * 30, None)])
async def test_a_server_that_is_overloaded_says_when_to_come_again(
    servers: Servers, make_facts: MakeFacts, header: str, seconds: float | None
) -> None:
    """RFC 9110 section 10.2.3."""
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    facts = make_facts()
    facts.dial(servers.start_raw(answering(head.encode())))
    end = await facts.next()
    assert isinstance(end, SocketClosed)
    assert end.retry_after == seconds
    await facts.no_more()


async def test_the_environments_proxies_and_stored_passwords_are_not_used(
    servers: Servers, make_facts: MakeFacts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []
    url = servers.start_raw(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", seen))
    stranger: list[str] = []
    proxy = servers.start_raw(answering(b"HTTP/1.1 200 OK\r\n\r\n", stranger)).replace("ws:", "http:")
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.upper(), proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pl4nt3d\n")
    monkeypatch.setenv("NETRC", str(netrc))
    facts = make_facts()
    facts.dial(url)
    await facts.next()
    assert len(seen) == 1
    assert "uthorization" not in seen[0]
    assert stranger == []
    await facts.no_more()


async def test_the_first_address_of_a_name_may_be_a_black_hole(
    servers: Servers, make_facts: MakeFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8305: a network whose IPv6 leads nowhere must not cost more than a moment."""

    async def quiet(connection: ServerConnection) -> None:
        await connection.wait_closed()

    port = int(servers.start(quiet).rstrip("/").rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.bind(("127.0.0.2", port))
        hole.listen(0)
        for _ in range(3):  # a full queue of connections: further ones are dropped, as by a firewall
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        real = socket.getaddrinfo

        def resolve(host: str | bytes, *rest: Any, **more: Any) -> Any:
            if host in ("dual.test", b"dual.test"):
                ends = [(address, port) for address in ("127.0.0.2", "127.0.0.1")]
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", end) for end in ends]
            return real(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        facts = make_facts()
        line = facts.dial(f"ws://dual.test:{port}/")
        await opened(facts)
        line.close()
        await facts.next()
        await facts.no_more()


@pytest.mark.parametrize("flood", ["acknowledgements", "pings"])
async def test_a_server_that_does_not_read_is_left(servers: Servers, make_facts: MakeFacts, flood: str) -> None:
    """What we owe it must not fill the memory: our answers to its requests, and the pongs to its pings."""
    over = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        if flood == "pings":
            ping = bytes([0x89, 125]) + b"p" * 125
            while not connection.transport.is_closing():
                connection.transport.write(ping * 200)
                await connection.drain()
        await over.wait()
        connection.transport.abort()

    facts = make_facts()
    if flood == "pings" and isinstance(facts.driver, TrioDriver):
        pytest.skip("its reader waits while a pong does, and so does the server")
    line = facts.dial(servers.start(deaf, max_size=None, ping_interval=None))
    await opened(facts)
    if flood == "acknowledgements":
        for _ in range(40):
            line.send("a" * (1 << 20))
    end = await facts.next()
    servers.loop.call_soon_threadsafe(over.set)
    assert isinstance(end, SocketClosed)
    assert "does not read" in end.error
    await facts.no_more()


async def test_one_large_frame_of_the_applications_is_no_reproach(servers: Servers, make_facts: MakeFacts) -> None:
    backlog = Backlog()
    assert backlog.add(MAX_OUTBOX * 10)
    assert backlog.add(MAX_OUTBOX)
    assert not backlog.add(1)


async def test_binary_frames_wait_for_the_session_like_texts(servers: Servers, make_facts: MakeFacts) -> None:
    async def flood(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(INBOX_TEXTS * 4):
                await connection.send(b"")
        await connection.wait_closed()

    facts = make_facts()
    facts.filling = True
    line = facts.dial(servers.start(flood))
    await opened(facts)
    for _ in range(INBOX_TEXTS):
        assert isinstance(await facts.next(), BinaryReceived)
    await anyio.sleep(0.1)
    assert facts.none_yet, "the reader waits"
    line.abandon()
    await facts.no_more()
