"""Telnyx's REST API as far as a client needs it: telephony credentials, their tokens, the transfer. ``http`` extra.

Telnyx's own package offers the same; loading it takes more than five seconds of a processor and 85 MB, for one request.
"""

import json
import os
from typing import Final
from urllib.parse import quote

from attrs import frozen

from telnyx_core._wire.json_types import Json, JsonView
from telnyx_drivers._arguments import text
from telnyx_drivers._exceptions import AccountFailed

API_KEY: Final = "TELNYX_API_KEY"
BASE_URL: Final = "https://api.telnyx.com/v2"
MOST_LISTED: Final = 250
"""Credentials, the longest page of the API: an account with more has a way of its own to keep them apart."""
SECONDS: Final = 20.0
"""For one request: it ends before the client gives its provider up."""
MOST_BYTES: Final = 1_000_000

_HINT: Final = "this needs an HTTP client, which an extra brings: pip install 'telnyx-rtc[http]'"


@frozen
class Credential:
    """A telephony credential: a SIP user of a connection, for which tokens can be made."""

    id: str
    name: str
    sip_username: str
    expired: bool

    @classmethod
    def from_json(cls, value: Json) -> "Credential":
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            raise AccountFailed("Telnyx's API told of a credential without its id")
        id, name, user = (str(value.get(member) or "") for member in ("id", "name", "sip_username"))
        return cls(id, name, user, value.get("expired") is True)


class TelnyxTokenProvider:
    """Makes login tokens with an account's API key: for the ``token_provider`` of a client that runs on a server.

    ``credential_id`` names a telephony credential. ``api_key`` is that of the account, by default the variable
    ``TELNYX_API_KEY``, and ``base_url`` is where the API is, by default Telnyx's own. Each use is one request, which
    the client makes in a thread. Raises `AccountFailed` without a key, and where the API refuses or is not reached. ::

        TelnyxRTC(token_provider=TelnyxTokenProvider(credential_id="..."))

    An API key opens the whole account: it belongs on a server, never in a program that is handed out.
    """

    def __init__(self, *, credential_id: str, api_key: str | None = None, base_url: str = BASE_URL) -> None:
        text(empty=False)("credential_id", credential_id)
        self._credential_id = credential_id
        self._account = Account(api_key=api_key, base_url=base_url)

    def __call__(self) -> str:
        """A new token of the credential, a JWT that is good for 24 hours."""
        return self._account.make_token(self._credential_id)


class Account:
    """One account, by its API key. Every method is one request and blocks; each raises `AccountFailed`."""

    def __init__(self, *, api_key: str | None = None, base_url: str = BASE_URL) -> None:
        key = api_key or os.environ.get(API_KEY)
        if not key:
            raise AccountFailed(f"no API key: set {API_KEY}")
        self._key = key
        self._base_url = base_url

    def make_token(self, credential_id: str) -> str:
        """A login token of this credential."""
        made = self._ask("POST", f"telephony_credentials/{quote(credential_id, safe='')}/token").strip()
        if made.count(".") != 2 or not made.isprintable():
            raise AccountFailed("Telnyx's API gave something that is no token")
        return made

    def create_credential(self, connection_id: str, name: str) -> Credential:
        """A new credential of this connection."""
        return Credential.from_json(self._data("POST", {"connection_id": connection_id, "name": name}))

    def credentials(self) -> tuple[Credential, ...]:
        """Those of the account, at most `MOST_LISTED`."""
        listed = self._data("GET", query=f"?page[size]={MOST_LISTED}")
        if not isinstance(listed, list):
            raise AccountFailed("Telnyx's API gave no list of credentials")
        return tuple(map(Credential.from_json, listed))

    def transfer(self, call_control_id: str, body: JsonView) -> None:
        """Call Control's command ``transfer``: the API has taken it when this returns."""
        self._ask("POST", f"calls/{quote(call_control_id, safe='')}/actions/transfer", body)

    def _data(self, method: str, body: JsonView | None = None, query: str = "") -> Json:
        try:
            document: Json = json.loads(self._ask(method, f"telephony_credentials{query}", body))
        except (ValueError, RecursionError):
            raise AccountFailed("Telnyx's API gave something that is no JSON") from None
        if not isinstance(document, dict) or "data" not in document:
            raise AccountFailed("Telnyx's API gave an answer without data")
        return document["data"]

    def _ask(self, method: str, path: str, body: JsonView | None = None) -> str:
        try:
            import httpx2

            from telnyx_drivers._reach.http_get import reason
        except ModuleNotFoundError as error:
            raise AccountFailed(_HINT) from error
        try:
            headers = {"authorization": f"Bearer {self._key}", "accept-encoding": "identity"}
            # No proxy and no stored password of the environment, and no redirection: the key goes to one place.
            with (
                httpx2.Client(trust_env=False, timeout=SECONDS) as client,
                client.stream(
                    method, f"{self._base_url}/{path}", headers=headers, json=None if body is None else dict(body)
                ) as response,
            ):
                answer = b""
                for piece in response.iter_raw():
                    answer += piece
                    if len(answer) > MOST_BYTES:
                        raise AccountFailed(f"Telnyx's API answered with more than {MOST_BYTES} bytes")
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise AccountFailed(self._said(f"Telnyx's API was not reached: {reason(error)}")) from None
        said = answer.decode(errors="replace")
        if not 200 <= response.status_code < 300:
            raise AccountFailed(self._said(f"Telnyx's API refused with {response.status_code}: {said}"))
        return said

    def _said(self, text: str) -> str:
        """The cause in a line, without the key, should the server have quoted it."""
        return " ".join(text.replace(self._key, "[api key]").split())[:500]
