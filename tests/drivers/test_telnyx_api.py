"""Tokens from an account's API key, against a far end that checks every request.

Paths, methods, members and statuses are those of the published API (v2, telephony credentials).
"""

import asyncio
import base64
import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import anyio
import pytest
from typer.testing import CliRunner, Result

import telnyx_drivers.trio as trio_client
from telnyx_drivers._services.telnyx_api import Account
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers.asyncio import AccountFailed, InvalidCallState, TelnyxRTC, TelnyxTokenProvider, TokenProviderFailed
from telnyx_drivers.gateway import Gateway, GatewayThread

KEY = "KEY0123456789_abcdefghij"


def jwt(credential: str) -> str:
    parts = ({"alg": "HS512"}, {"exp": 4_000_000_000, "sub": credential})
    text = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*text, "c2lnbmF0dXJl"])


class TelnyxApi(BaseHTTPRequestHandler):
    """Two credentials of one account. What a request has that the API does not know is refused, as it does."""

    protocol_version = "HTTP/1.1"
    wrong: list[str]
    transfers: list[tuple[str, dict[str, object]]]

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if not self._allowed():
            return
        if target.path != "/v2/telephony_credentials":
            self._refuse(404, "10005", "Resource not found")
        else:
            if parse_qs(target.query).keys() - {"page[size]", "page[number]"}:
                self.wrong.append(f"query {target.query}")
            page = int(parse_qs(target.query).get("page[number]", ["1"])[0])
            data = [
                {
                    "id": "cred-1",
                    "name": "bots",
                    "sip_username": "genc1",
                    "expired": False,
                    "resource_id": "connection:7",
                },
                {"id": "cred-2", "name": "old \x1b[31m", "sip_username": "genc2", "expired": True},
            ]
            meta = {"page_number": page, "page_size": 250, "total_pages": 1, "total_results": 2}
            self._answer(200, json.dumps({"data": data, "meta": meta}), "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed():
            return
        if self.path == "/v2/telephony_credentials":
            given = json.loads(body)
            if given.keys() - {"connection_id", "name", "tag", "expires_at"}:
                self.wrong.append(f"members {sorted(given)}")
            if given.get("connection_id") != "7":
                self._refuse(422, "10015", "connection_id is not one of yours")
                return
            made = {
                "data": {"id": "cred-9", "name": given["name"], "sip_username": "genc9", "sip_password": "hidden-9"}
            }
            self._answer(201, json.dumps(made), "application/json")
        elif self.path in ("/v2/telephony_credentials/cred-1/token", "/v2/telephony_credentials/cred-9/token"):
            if body not in (b"", b"{}"):
                self.wrong.append(f"a body: {body!r}")
            self._answer(201, jwt(self.path.split("/")[3]), "text/plain")
        elif transferred := re.fullmatch("/v2/calls/([^/]+)/actions/transfer", self.path):
            given = json.loads(body)
            self.transfers.append((unquote(transferred[1]), given))
            known = {"to", "from", "from_display_name", "client_state", "command_id", "custom_headers", "timeout_secs"}
            if given.keys() - known or not 5 <= given.get("timeout_secs", 30) <= 600:
                self.wrong.append(f"members {sorted(given)}")
            if given["to"] == "+1555999":
                self._refuse(422, "90018", "Call has already ended")
                return
            self._answer(200, json.dumps({"data": {"result": "ok"}}), "application/json")
        else:
            self._refuse(404, "10005", "Resource not found")

    def _allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self._refuse(401, "10009", f"Authentication failed for {self.headers.get('Authorization')}")
        return False

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "detail": detail}]}), "application/json")

    def _answer(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def transfers() -> list[tuple[str, dict[str, object]]]:
    """What the API is asked to transfer: the call's id there, and the body."""
    return []


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, transfers: list[tuple[str, dict[str, object]]]) -> Iterator[str]:
    handler = type("Handler", (TelnyxApi,), {"wrong": [], "transfers": transfers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v2"
    monkeypatch.setenv("TELNYX_BASE_URL", url)
    monkeypatch.setenv("TELNYX_API_KEY", KEY)
    monkeypatch.delenv("TELNYX_CREDENTIAL_ID", raising=False)
    yield url
    server.shutdown()
    server.server_close()
    assert handler.wrong == []


def test_a_client_logs_in_with_tokens_that_its_account_makes(api: str) -> None:
    provider = TelnyxTokenProvider(credential_id="cred-1", base_url=api)
    assert KEY not in repr(provider)

    async def main() -> None:
        async with (
            Gateway(tokens={jwt("cred-1"): "alice"}) as gateway,
            TelnyxRTC(token_provider=provider, env=gateway.url, ice_servers=[]) as client,
        ):
            assert await client.is_registered()

    asyncio.run(main())


def test_a_credential_of_another_account_is_told_at_connect(api: str) -> None:
    async def main() -> None:
        async with Gateway(tokens={jwt("cred-1"): "alice"}) as gateway:
            provider = TelnyxTokenProvider(credential_id="cred-3", base_url=api)
            with pytest.raises(TokenProviderFailed) as raised:
                await TelnyxRTC(token_provider=provider, env=gateway.url).connect()
        assert isinstance(raised.value.__cause__, AccountFailed)
        assert "404" in str(raised.value.__cause__)

    asyncio.run(main())


def test_what_the_api_quotes_of_the_key_is_not_repeated(api: str) -> None:
    wrong = f"{KEY}-wrong"
    with pytest.raises(AccountFailed, match=r"refused with 401.*\[api key\]") as raised:
        Account(api_key=wrong, base_url=api).make_token("cred-1")
    assert wrong not in str(raised.value)


def test_an_api_that_cannot_be_reached_is_said_so() -> None:
    with pytest.raises(AccountFailed, match="was not reached"):
        Account(api_key=KEY, base_url="http://127.0.0.1:9/v2").make_token("cred-1")


@pytest.mark.media
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_is_transferred_by_its_call_control_id(
    api: str, transfers: list[tuple[str, dict[str, object]]], backend: str
) -> None:
    kind = trio_client.TelnyxRTC if backend == "trio" else TelnyxRTC

    async def main(url: str) -> None:
        async with kind(login="alice", password="secret", env=url, ice_servers=[]) as client:
            call = await client.new_call("ring")
            with pytest.raises(InvalidCallState, match="call_control_id"):
                await call.transfer("+15551230000", base_url=api)
            await call.wait_for_state("ringing", timeout=10)
            await call.transfer("+15551230000", base_url=api)
            await call.transfer(
                "sip:desk@example.com",
                caller_number="+1555",
                caller_name="Desk",
                custom_headers=[{"name": "X-Why", "value": "bot"}],
                client_state="c3RhdGU=",
                timeout=1.2,
                base_url=api,
            )
            with pytest.raises(AccountFailed, match=r"refused with 422.*Call has already ended"):
                await call.transfer("+1555999", base_url=api)
            with pytest.raises(AccountFailed, match="was not reached"):
                await call.transfer("+1555", base_url="http://127.0.0.1:9/v2")
            ident = call.info.telnyx_call_control_id
            await call.hangup()
            with pytest.raises(InvalidCallState, match="the call has ended"):
                await call.transfer("+1555", base_url=api)
        assert {control for control, _ in transfers} == {ident}
        commands = [str(body.pop("command_id")) for _, body in transfers]
        assert len(set(map(UUID, commands))) == 3
        assert [body for _, body in transfers[:2]] == [
            {"to": "+15551230000"},
            {
                "to": "sip:desk@example.com",
                "from": "+1555",
                "from_display_name": "Desk",
                "custom_headers": [{"name": "X-Why", "value": "bot"}],
                "client_state": "c3RhdGU=",
                "timeout_secs": 5,
            },
        ]

    with GatewayThread(lambda: Gateway(users={"alice": "secret"})) as gateway:
        anyio.run(main, gateway.url, backend=backend)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", *arguments])


def document(result: Result) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(result.stdout.splitlines()[-1])
    return loaded


def test_a_shell_takes_the_token(api: str) -> None:
    made = run("--credential", "cred-1")
    assert made.exit_code == Exit.OK
    assert made.stdout == f"export TELNYX_LOGIN_TOKEN={jwt('cred-1')}\n"


def test_a_file_takes_the_token_and_is_private(api: str, tmp_path: Path) -> None:
    file = tmp_path / "login.env"
    made = run("--create", "7", "--name", "night", "--env-file", str(file), "--json")
    assert made.exit_code == Exit.OK
    told = document(made)
    assert told["credential"] == "cred-9"
    assert told["expires_at"] == 4_000_000_000
    assert jwt("cred-9") in file.read_text(encoding="utf-8")
    assert jwt("cred-9") not in made.output
    assert "hidden-9" not in made.output
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert run("--credential", "cred-1", "--env-file", str(tmp_path / "link")).exit_code == Exit.USAGE


def test_the_credentials_of_an_account_are_listed(api: str) -> None:
    assert document(run("--list", "--json"))["credentials"] == [
        {"id": "cred-1", "name": "bots", "sip_username": "genc1", "expired": False},
        {"id": "cred-2", "name": "old \x1b[31m", "sip_username": "genc2", "expired": True},
    ]
    shown = run("--list").stdout
    assert "cred-1" in shown
    assert "expired" in shown
    assert "\x1b[31m " not in shown


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], Exit.USAGE, "--credential"),
        (["--credential", "cred-1", "--create", "7"], Exit.USAGE, "--credential"),
        (["--credential", "cred-3"], Exit.FAILED, "404"),
        (["--create", "8"], Exit.FAILED, "connection_id is not one of yours"),
    ],
)
def test_what_goes_wrong_is_told(api: str, arguments: list[str], status: Exit, said: str) -> None:
    failed = run(*arguments)
    assert failed.exit_code == status
    assert said in " ".join(failed.stderr.split())
    assert document(run(*arguments, "--json"))["ok"] is False


def test_without_a_key_nothing_is_tried(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELNYX_API_KEY")
    failed = run("--credential", "cred-1")
    assert failed.exit_code == Exit.USAGE
    assert "TELNYX_API_KEY" in failed.stderr
