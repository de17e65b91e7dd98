"""HTTP as it is met outside: answers of servers that mean no good, or cannot do better."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core.ids import CallId
from telnyx_drivers._reach.http_get import fetch
from telnyx_drivers._reach.http_post import HttpAnswer, HttpPoster
from telnyx_drivers._reach.retry_after import seconds_of
from tests.drivers.servers import Raw, Servers
from tests.drivers.test_sockets import certificate  # noqa: F401  # a fixture

pytestmark = [pytest.mark.anyio, pytest.mark.net]
MOST = 1 << 16


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


def answering(answer: bytes, seen: list[str]) -> Raw:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        seen.append(request.decode("latin-1"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


def start(servers: Servers, answer: bytes, seen: list[str] | None = None) -> str:
    return servers.start_raw(answering(answer, [] if seen is None else seen)).replace("ws:", "http:")


def answer(status: str = "200 OK", body: bytes = b"{}", **headers: str) -> bytes:
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{named}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def post(url: str, headers: dict[str, str] | None = None, trust: ssl.SSLContext | None = None) -> int:
    return (await answer_to_post(url, headers, trust)).status


async def answer_to_post(
    url: str, headers: dict[str, str] | None = None, trust: ssl.SSLContext | None = None
) -> HttpAnswer:
    poster = HttpPoster(trust)
    try:
        with anyio.fail_after(10):
            return await poster.post(url, headers or {}, b"{}")
    finally:
        await poster.aclose()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_no_redirect_is_followed(servers: Servers, status: str) -> None:
    stranger: list[str] = []
    url = start(servers, answer(status, Location=start(servers, answer(), stranger)))
    assert await post(url) == int(status[:3])
    with pytest.raises(OSError, match=status[:3]):
        await fetch(url, most=MOST)
    assert stranger == []


@pytest.mark.parametrize("location", [":Upgrade: h2c", "http://[", "http://a:99999999/", "//", "\xff", ""])
async def test_a_redirection_to_nonsense_is_no_answer(servers: Servers, location: str) -> None:
    """Found by the fuzzer: the library reads where a redirection leads also where none is followed."""
    url = start(servers, answer("302 Found", Location=location))
    with pytest.raises(OSError, match=r".+"):
        await fetch(url, most=MOST)
    with contextlib.suppress(OSError):
        assert await post(url) == 302


async def test_neither_proxies_nor_stored_passwords_of_the_environment_are_used(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []
    stranger: list[str] = []
    proxy = start(servers, answer(), stranger)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.upper(), proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password pl4nt3d\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    url = start(servers, answer(), seen)
    assert await post(url) == 200
    assert await fetch(url, most=MOST) == b"{}"
    assert len(seen) == 2
    assert "uthorization" not in "".join(seen)
    assert stranger == []


async def test_a_certificate_that_nobody_has_signed_is_refused(servers: Servers, certificate: Path) -> None:  # noqa: F811
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    url = servers.start_raw(answering(answer(), []), ssl=context).replace("ws:", "https:")
    with pytest.raises(OSError, match=r"(?i)certificate"):
        await post(url)
    with pytest.raises(OSError, match=r"(?i)certificate"):
        await fetch(url, most=MOST)
    trust = ssl.create_default_context(cafile=str(certificate))
    assert await post(url, trust=trust) == 200
    assert await fetch(url, most=MOST, ssl=trust) == b"{}"


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Busy"])
async def test_an_overloaded_server_says_when_to_come_again(servers: Servers, status: str) -> None:
    code = int(status[:3])
    assert await answer_to_post(start(servers, answer(status, Retry_After="17"))) == HttpAnswer(code, 17.0)
    assert await answer_to_post(start(servers, answer(status, Retry_After="whenever"))) == HttpAnswer(code)
    assert await answer_to_post(start(servers, answer("500 Broken", Retry_After="17"))) == HttpAnswer(500)


@pytest.mark.parametrize("layers", [1, 2])
async def test_nothing_compressed_is_unpacked(servers: Servers, layers: int) -> None:
    """A thousand times a thousand: forty kilobytes would be ten gigabytes."""
    body = b"\0" * 10_000_000
    for _ in range(layers):
        body = gzip.compress(body)
    encoding = ", ".join(["gzip"] * layers)
    url = start(servers, answer(body=body, Content_Encoding=encoding))
    with pytest.raises(OSError, match="compresses"):
        await fetch(url, most=MOST)
    assert await post(url) == 200


async def test_what_is_too_long_is_not_read_to_its_end(servers: Servers) -> None:
    with pytest.raises(ValueError, match="more than 65536"):
        await fetch(start(servers, answer(body=b"x" * 10 * MOST)), most=MOST)


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\0" * 99, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"A" * 200_000],
)
async def test_nonsense_is_no_answer(servers: Servers, nonsense: bytes) -> None:
    url = start(servers, nonsense)
    with pytest.raises(OSError):  # noqa: PT011  # whatever the library says
        await post(url)
    with pytest.raises(OSError):  # noqa: PT011
        await fetch(url, most=MOST)


@pytest.mark.parametrize("ident", ["Büro-7", "a\r\nx-evil: 1", "\ud83d", "a b", "", "x" * 300, "a/b?c=d&e%20"])
async def test_any_call_id_can_be_sent(servers: Servers, ident: str) -> None:
    seen: list[str] = []
    home = ReportEndpoint("http://h", "h", "report-7", voice_sdk_id="V")
    assert await post(start(servers, answer(), seen), home.headers(CallId(ident))) == 200
    assert "\r\nx-evil" not in seen[0]
    assert seen[0].count("x-call-id:") == 1


async def test_what_no_header_can_carry_is_an_error_of_the_request(servers: Servers) -> None:
    with pytest.raises(OSError, match="ascii"):
        await post(start(servers, answer()), {"x-call-id": "Büro"})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), (" 120 ", 120.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), (None, None), ("-1", None), ("٣", None)],
)
async def test_when_to_come_again(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header) == seconds
