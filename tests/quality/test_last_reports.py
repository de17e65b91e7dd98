"""What a process that ends without closing its clients still tells the platform (STATS-246)."""

import asyncio
import datetime
import json
import logging
import os
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telnyx_core.gateway.events import CallReportReceived
from telnyx_core.session import Session
from telnyx_drivers._reach.http_post import HttpPoster
from telnyx_drivers._services import last_reports
from telnyx_drivers._services.last_reports import LastReports, send_last_reports
from telnyx_drivers.gateway import Gateway
from tests.programs import end_of, running
from tests.quality import test_call_report as made

NAME = "gw.example.org"
"""Resolves nowhere: nobody may look it up."""


class Platform:
    """An HTTP server on a thread of its own. ``answering=False``: it accepts, and says nothing ever."""

    def __init__(self, *, answering: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.port = 0
        self._answering = answering
        self._tls = tls
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    @contextmanager
    def running(self) -> Iterator["Platform"]:
        self._thread.start()
        assert self._ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._leave.set)
            self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._leave.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            [length] = [line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length")]
            body = await reader.readexactly(int(length))
            if not self._answering:
                await self._leave.wait()
            self.heads.append(head.lower())
            self.bodies.append(json.loads(body))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def a_call(port: int, scheme: str = "ws") -> Session:
    """One with a live call, whose server has a name that nobody can resolve."""
    rig, _ = made.active(env=f"{scheme}://{NAME}:{port}/")
    rig.advance(3)
    return rig.session


@contextmanager
def client(session: Session, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[None]:
    last = LastReports(session, tls)
    last.address = address
    yield
    last.close()
    last.close()


def test_live_calls_are_told_of_at_the_address_that_is_known() -> None:
    """The name of the server is in the headers, and is not looked up."""
    with Platform().running() as platform, client(a_call(platform.port)):
        send_last_reports()
    [body] = platform.bodies
    assert (body["flushReason"], body["segment"]) == ({"type": "page-unload"}, 0)
    assert len(body["stats"]) == 3
    assert f"host: {NAME}:{platform.port}" in platform.heads[0]
    assert "x-call-report-id: report-7" in platform.heads[0]


def test_what_waits_goes_before_and_the_parts_are_numbered_on() -> None:
    """STATS-224."""
    with Platform().running() as platform:
        rig, call = made.active(env=f"ws://{NAME}:{platform.port}/")
        rig.advance(2)
        rig.takes_reports = False
        rig.session.flush_report(call, now=rig.now)
        rig.drain()
        rig.advance(2)
        with client(rig.session):
            send_last_reports()
    told = [(body["segment"], body["flushReason"]["type"], len(body["stats"])) for body in platform.bodies]
    assert told == [(0, "manual", 2), (1, "page-unload", 2)]


def test_the_end_of_the_process_is_not_held_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """STATS-410: a platform that does not answer is waited for no longer than all of it may take."""
    monkeypatch.setattr(last_reports, "SECONDS", 0.3)
    with Platform(answering=False).running() as platform, client(a_call(platform.port)):
        send_last_reports()
    assert "not all call reports were sent in time" in caplog.text


@pytest.mark.parametrize("address", ["", "127.0.0.1"])
def test_nothing_is_sent_where_nothing_is_left_or_nobody_was_reached(address: str) -> None:
    with (
        Platform().running() as platform,
        client(made.reporting().session if address else a_call(platform.port), None, address),
    ):
        send_last_reports()
    assert platform.bodies == []


def test_after_its_end_a_client_tells_nothing() -> None:
    with Platform().running() as platform:
        with client(a_call(platform.port)):
            pass
        send_last_reports()
    assert platform.bodies == []


def test_a_fork_does_not_speak_for_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Platform().running() as platform, client(a_call(platform.port)):
        monkeypatch.setattr(os, "getpid", lambda: -1)
        send_last_reports()
    assert platform.bodies == []


def test_a_fault_of_ours_does_not_disturb_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = a_call(1)

    def broken(to: object, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(session, "hand_uploads_over", broken)
    with client(session), caplog.at_level(logging.ERROR):
        send_last_reports()
    assert "broke" in caplog.text


@pytest.mark.parametrize("name", [NAME, "other.example.org"])
def test_the_server_is_verified_by_its_name_wherever_it_is(tmp_path: Path, name: str) -> None:
    certificate = self_signed(tmp_path, name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def post(port: int) -> int:
        poster = HttpPoster(trusting, "127.0.0.1")
        try:
            return (await poster.post(f"https://{NAME}:{port}/call_report", {}, b"{}")).status
        finally:
            await poster.aclose()

    with Platform(tls=server).running() as platform:
        if name == NAME:
            assert asyncio.run(post(platform.port)) == 200
        else:
            with pytest.raises(OSError, match="certificate"):
                asyncio.run(post(platform.port))


def self_signed(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


ASYNCHRONOUS = """
import os, sys, anyio
if sys.argv[1] == "trio":
    from telnyx_drivers.trio import TelnyxRTC
else:
    from telnyx_drivers.asyncio import TelnyxRTC
async def main():
    client = TelnyxRTC(login="alice", password="pw", env=os.environ["TELNYX_RTC_URL"])
    await client.connect()
    call = await client.new_call("tone")
    await call.wait_for_state("active", timeout=20)
    await anyio.sleep(1.6)
anyio.run(main, backend=sys.argv[1])
"""
SYNCHRONOUS = """
import os, time
from telnyx_drivers.sync import TelnyxRTC
client = TelnyxRTC(login="alice", password="pw", env=os.environ["TELNYX_RTC_URL"])
client.connect()
client.new_call("tone").wait_for_state("active", timeout=20)
time.sleep(1.6)
"""


@asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(users={"alice": "pw"}) as it:
        yield it


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
@pytest.mark.parametrize("program", ["asyncio", "trio", "sync"])
def test_a_program_that_just_ends(tmp_path: Path, program: str) -> None:
    """Nobody has closed the client, and the platform knows of the call all the same.

    The call is hung up where the loop has the time for it (SIG-236), and its report is then the last one of a call;
    else what was not sent yet goes when the process does.
    """
    script = tmp_path / "it.py"
    script.write_text(SYNCHRONOUS if program == "sync" else ASYNCHRONOUS)

    async def story() -> None:
        async with gateway() as it:
            async with running(str(script), program, user="alice", password="pw", url=it.url) as process:
                ended = await end_of(process)
            assert ended.status == 0, ended.err
            taken = await it.wait_for(CallReportReceived)
            assert taken.report.get("flushReason") in (None, {"type": "page-unload"})
            stats = taken.report["stats"]
            assert isinstance(stats, list)
            assert stats

    asyncio.run(story())


def test_a_part_that_is_asked_for_is_no_last_word() -> None:
    """Whether anything follows from this process decides whether the numbering is forgotten."""
    [segment] = a_call(1).unsent_reports()
    assert segment.last
    assert not segment.final
    assert evolve(segment, flush=None).last
