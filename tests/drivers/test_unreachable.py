"""What can never work is said at once, with its address and its cause; what may be over in a moment is tried again."""

import asyncio
import base64
import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

import telnyx_drivers.asyncio
import telnyx_drivers.trio
from telnyx_core.states import SessionState
from telnyx_drivers._client import Client
from telnyx_drivers._reach.happy_eyeballs import connect_tcp
from telnyx_drivers._reach.unreachable import is_for_good
from telnyx_drivers.asyncio import ConnectionFailed, LoginFailed
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World
from tests.drivers.inside import driver_of
from tests.drivers.servers import Raw, Servers

pytestmark = [pytest.mark.anyio, pytest.mark.net]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Real clocks, for real sockets."""
    return str(request.param)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


def client(backend: str, url: str, **options: float) -> Client:
    kind = telnyx_drivers.trio.TelnyxRTC if backend == "trio" else telnyx_drivers.asyncio.TelnyxRTC
    return kind(login_token="t", env=url, connect_timeout=options.get("timeout", 30.0))


def saying(text: bytes) -> Raw:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()
        writer.close()

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", "200"),
    ],
)
async def test_an_http_answer_fails_at_once(
    servers: Servers, anyio_backend_name: str, answer: bytes, words: str
) -> None:
    url = servers.start_raw(saying(answer))
    one = client(anyio_backend_name, url)
    with pytest.raises(ConnectionFailed, match=words) as failed:
        await one.connect()
    assert url.rstrip("/") in str(failed.value)
    assert failed.value.reason is not None, "it does not go on by itself"
    assert one.state is SessionState.IDLE or not one.connected
    await one.disconnect()
    await driver_of(one).aclose()


async def test_nobody_listening_is_tried_again_and_named(anyio_backend_name: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    one = client(anyio_backend_name, f"ws://127.0.0.1:{port}", timeout=0.3)
    with pytest.raises(ConnectionFailed, match="efused") as failed:
        await one.connect()
    assert str(port) in str(failed.value)
    assert failed.value.reason is None, "it goes on trying"
    await one.disconnect()
    await driver_of(one).aclose()


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (ssl.SSLCertVerificationError("self-signed"), True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), True),
        (socket.gaierror(socket.EAI_AGAIN, "no network"), False),
        (ConnectionRefusedError(111, "refused"), False),
        (TimeoutError(), False),
    ],
)
async def test_which_failures_are_for_good(error: Exception, for_good: bool) -> None:
    assert is_for_good(error) is for_good


async def test_after_the_first_success_nothing_is_for_good(make_client: MakeClient, world: World) -> None:
    one = make_client()
    async with one:
        driver_of(one).cannot_work(world.server.line.socket)
        world.server.drop()
        await one.wait_for("telnyx.ready", timeout=10)


def jwt(end: float) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part({'exp': end})}.x"


async def test_a_refused_login_has_the_servers_code_and_words(make_client: MakeClient, world: World) -> None:
    world.server.refuse["login"] = (-32001, "Login Incorrect")
    with pytest.raises(LoginFailed, match="-32001: Login Incorrect"):
        async with make_client():
            pass


async def test_an_expired_token_says_when_it_expired(make_client: MakeClient, world: World) -> None:
    world.server.refuse["login"] = (-32001, "Login Incorrect")
    with pytest.raises(LoginFailed, match="expired at 2001-09-09 01:46:40 UTC"):
        async with make_client(login_token=jwt(1_000_000_000)):
            pass
    with pytest.raises(LoginFailed) as failed:
        async with make_client(login_token=jwt(time.time() + 1_000)):
            pass
    assert "expired" not in str(failed.value)


def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is asked in a thread: a socket that comes back to an address has no need to wait for one."""

    async def connect() -> str:
        with socket.create_server(("127.0.0.1", 0)) as server:
            monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **more: pytest.fail("looked up"))
            made = await connect_tcp("127.0.0.1", server.getsockname()[1])
            with made:
                return str(made.getpeername()[0])

    assert asyncio.run(connect()) == "127.0.0.1"
