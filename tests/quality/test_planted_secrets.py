"""Secrets planted in a real call, and looked for in everything that is written, told, logged or sent of it.

Promise 6, LOG-013, DBG-011, STATS-231 to STATS-236. What a call itself makes (ICE passwords, the tokens of its session)
is read off the wire and looked for as well.
"""

import asyncio
import json
import logging
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from typer.testing import CliRunner

from telnyx_core._wire.redaction import HIDDEN
from telnyx_core.actions import Action, SendText
from telnyx_core.facts import Fact, TextReceived
from telnyx_core.gateway import Fault, Refuse
from telnyx_core.gateway.events import CallReportReceived, StateTold
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers.asyncio import TelnyxRTC
from telnyx_drivers.gateway import Gateway
from tests.drivers.inside import driver_of
from tests.programs import end_of, running

PASSWORD = "pl4nt3d-Password"
TURN_USER = "pl4nt3d-turn-user"
TURN_PASSWORD = "pl4nt3d-turn-Password"
WRONG = "pl4nt3d-wrong-Password"
HEADER = "pl4nt3d-header"
"""Not a secret: where it is, the texts are those of this call."""

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib3QiLCJleHAiOjQxMDI0NDQ4MDB9"
DIGITS = "4111111111111111"
VARIABLES = (
    "api_key",
    "apiKey",
    "token",
    "refresh-token",
    "clientSecret",
    "pin",
    "note",
    "jwt",
    "private_key",
    "plain",
)
HEADERS = (
    "Authorization",
    "Proxy-Authorization",
    "X-Api-Key",
    "X-Auth-Token",
    "Cookie",
    "X-Password",
    "X-Otp",
    "X-Pwd",
)
SAID = (
    "password={}",
    "pwd: {}",
    '"secret": "{}"',
    "{{'access_token': '{}'}}",
    "note: token={}",
    "Authorization: Bearer {}",
    "it says Basic {} here",
    "https://me:{}@example.org/x",
    "https://example.org/?a=1&api_key={}&b=2",
    '{{\\"passphrase\\": \\"{}\\"}}',
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}",
    "a=ice-pwd:{}",
    "k=base64:{}",
    f"a token {JWT}.{{}} in the middle",
)
"""How a text may hold one: to the far end, and back from the server that quotes it."""
QUOTED = f"bad credentials for alice:{PASSWORD}, {JWT}.pl4nt3d-server-jwt, TURN {TURN_PASSWORD}"


def plants() -> dict[str, str]:
    """Every secret that the application or the server brings in, by where it stands; beside what a call makes."""
    named = {f"user variable {name}": f"pl4nt3d-variable-{name}" for name in VARIABLES}
    named |= {f"call variable {name}": f"pl4nt3d-call-{name}" for name in ("secret", "anything")}
    named |= {f"header {name}": f"pl4nt3d-header-{name}" for name in HEADERS}
    named |= {f"text {form}": f"pl4nt3d-said-{number:02}" for number, form in enumerate(SAID)}
    return named | {
        "password": PASSWORD,
        "TURN user": TURN_USER,
        "TURN password": TURN_PASSWORD,
        "client state": "pl4nt3d-client-state",
        "digits": DIGITS,
        "device": "pl4nt3d-device",
        "quoted token": "pl4nt3d-server-jwt",
    }


TURN = {"urls": "turn:127.0.0.1:9?transport=tcp", "username": TURN_USER, "credential": TURN_PASSWORD}

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]


@define
class Wire:
    """What really went over the socket."""

    sent: list[str] = field(factory=list[str])
    received: list[str] = field(factory=list[str])

    def watch(self, client: TelnyxRTC) -> None:
        driver = driver_of(client)
        perform, tell = driver.perform, driver.tell

        def performed(action: Action) -> None:
            if isinstance(action, SendText):
                self.sent.append(action.text)
            perform(action)

        def told(fact: Fact) -> None:
            if isinstance(fact, TextReceived):
                self.received.append(fact.text)
            tell(fact)

        driver.perform, driver.tell = performed, told  # type: ignore[method-assign]

    def secrets(self) -> set[str]:
        everything = "\n".join((*self.sent, *self.received))
        found = set(re.findall(r"a=ice-pwd:([^\\]+)\\r", everything))
        for member in ("voice_sdk_id", "sessid"):
            found |= set(re.findall(rf'"{member}": ?"([^"]+)"', everything))
        assert len(found) >= 4, "two ICE passwords, a token, a session"
        return found - {HIDDEN} | set(plants().values())

    def debug_frames(self) -> list[str]:
        return [text for text in self.sent if '"debug_report_' in text]


def clean(text: str, secrets: set[str], where: str) -> None:
    shown = [secret for secret in secrets if secret in text]
    assert not shown, f"{where} has {shown}"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that any library says."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("output", ["socket", "file"])
def test_a_call_leaves_no_secret_anywhere(tmp_path: Path, log: pytest.LogCaptureFixture, output: str) -> None:
    journal, packets = tmp_path / "it.journal", tmp_path / "it.pcap"
    wire, events, reports, planted = Wire(), list[Any](), list[Any](), plants()
    assert len(planted) >= 40

    async def story() -> None:
        async with Gateway(users={"alice": PASSWORD}) as gateway:
            gateway.add_fault(Fault(method="telnyx_rtc.modify", on="request", do=Refuse(-1, QUOTED)))
            client = TelnyxRTC.from_mapping(
                {
                    "login": "alice",
                    "password": PASSWORD,
                    "env": gateway.url,
                    "iceServers": [TURN],
                    "debug": True,
                    "debugOutput": output,
                    "debugDir": str(tmp_path),
                    "callReportInterval": 500,
                    "userVariables": {name: planted[f"user variable {name}"] for name in VARIABLES},
                },
                journal=journal,
            )
            wire.watch(client)
            heard = client.events()
            async with client:
                call = await client.new_call(
                    "tone",
                    custom_headers=[
                        {"name": "X-It", "value": HEADER},
                        *({"name": name, "value": planted[f"header {name}"]} for name in HEADERS),
                    ],
                    user_variables={name: planted[f"call variable {name}"] for name in ("secret", "anything")},
                    client_state=f"{JWT}.{planted['client state']}",
                    audio={"deviceToken": planted["device"]},
                )
                await call.wait_for_state("active", timeout=20)
                await call.capture(packets)
                await call.dtmf(DIGITS)
                for form in SAID:
                    await call.message("bob", form.format(planted[f"text {form}"]))
                assert not await call.hold(), "it is refused, with a text that quotes"
                await asyncio.sleep(1.3)
                await call.hangup()
            events.extend([event async for event in heard])
            reports.append((await gateway.wait_for(CallReportReceived)).report)

    asyncio.run(story())
    secrets = wire.secrets()
    for text in wire.sent:
        if PASSWORD in text:
            assert json.loads(text)["method"] == "login"
        clean(text, {TURN_USER, TURN_PASSWORD}, "a frame")
    for text in wire.debug_frames():
        clean(
            text, secrets - {json.loads(text)["debug_report_data"]["peerId"]} if "peerId" in text else secrets, "debug"
        )
    assert bool(wire.debug_frames()) == (output == "socket")
    assert log.text.count("telnyx_rtc.invite") > 0
    clean(log.text, secrets, "the log")
    clean(repr(events), secrets, "the events")
    assert HEADER in json.dumps(reports)
    clean(json.dumps(reports), secrets, "the call report")
    written = {path.name: path for path in tmp_path.iterdir()}
    assert len(written) == (2 if output == "socket" else 3)
    for path in written.values():
        clean(path.read_bytes().decode("latin-1"), secrets, path.name)
    for path in written.values():
        if path != packets:
            for people in ("--show-people", "--hide-people"):
                page, dump = tmp_path / "page.html", tmp_path / "dump.json"
                arguments = ["report", str(path), "-o", str(page), people, "--webrtc-internals", str(dump), "--json"]
                done = CliRunner().invoke(app, arguments)
                assert done.exit_code == Exit.OK, done.output
                clean(page.read_text(), secrets, "the page")
                assert (HEADER in page.read_text()) == (path == journal or output == "file")
                clean(dump.read_text(), secrets, "the dump")
                clean(done.output, secrets, "report")


def test_no_command_says_a_secret(tmp_path: Path) -> None:
    """Whatever becomes of it: success, a refusal, a server that is not there."""
    journal, page = tmp_path / "it.journal", tmp_path / "it.html"
    said: list[str] = []

    async def run(url: str, password: str, *arguments: str, stop: bool = False, gateway: Gateway | None = None) -> int:
        async with running("-m", "telnyx_drivers", *arguments, user="alice", password=password, url=url) as process:
            if gateway is not None and stop:
                await gateway.wait_for(StateTold)
                process.send_signal(signal.SIGTERM)
            ended = await end_of(process)
        said.append(f"{arguments} {ended.out} {ended.err}")
        return ended.status

    async def story() -> None:
        async with Gateway(users={"alice": PASSWORD}) as gateway:
            url = gateway.url
            files = ("--journal", str(journal), "--report", str(page))
            call = ("call", "tone", "--duration", "1", "--header", f"X-It: {HEADER}")
            assert await run(url, PASSWORD, *call, *files) == Exit.OK
            assert await run(url, WRONG, *call, "--json") == Exit.FAILED
            assert await run("ws://127.0.0.1:9", PASSWORD, *call, "--timeout", "1", stop=False) != Exit.OK
            assert await run(url, PASSWORD, "replay", str(journal)) == Exit.OK
            assert await run(url, PASSWORD, "report", str(journal), "--show-people", "--json") == Exit.OK
            assert await run(url, PASSWORD, "diagnose", "--json") in (Exit.OK, Exit.DEGRADED, Exit.FAILED)
            gateway.history.clear()
            listen = ("listen", "--record-dir", str(tmp_path), "--json")
            assert await run(url, PASSWORD, *listen, stop=True, gateway=gateway) == Exit.OK

    asyncio.run(story())
    assert len(said) == 7
    for text in said:
        clean(text, {PASSWORD, WRONG}, "a command")
    for path in (journal, page):
        clean(path.read_text(), {PASSWORD}, path.name)
