"""One HTTP request, on any loop: what call reports are sent with. Needs the ``http`` extra."""

import ssl as tls
from collections.abc import Mapping
from typing import Final, Protocol

import httpx2
from attrs import frozen

from telnyx_drivers._reach.http_get import reason
from telnyx_drivers._reach.retry_after import seconds_of

_BUSY: Final = frozenset({429, 503})


@frozen
class HttpAnswer:
    status: int
    retry_after: float | None = None
    """The seconds after which the server wants to be asked again (RFC 9110 section 10.2.3)."""


class Poster(Protocol):
    """Something that can post."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """The head of the answer. Raises `OSError` when there is none. The caller bounds the time."""
        ...

    async def aclose(self) -> None: ...


class HttpPoster:
    """Verifies TLS, with ``ssl`` where that is given; follows no redirection; uses no proxy and no stored password.

    With ``address`` no name is looked up: every server is there, and is still verified by its name.
    """

    def __init__(self, ssl: tls.SSLContext | None, address: str | None = None) -> None:
        """Reads the trusted certificates: not on a loop that has something else to do."""
        verify = tls.create_default_context() if ssl is None else ssl
        self._address = address
        self._client = httpx2.AsyncClient(verify=verify, timeout=None, trust_env=False)  # the caller bounds it

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        try:
            target, named = httpx2.URL(url), dict(headers)
            extensions: dict[str, str] = {}
            if self._address is not None:
                named["host"], extensions["sni_hostname"] = target.netloc.decode(), target.host
                target = target.copy_with(host=self._address)
            async with self._client.stream(
                "POST", target, headers=named, content=body, extensions=extensions
            ) as response:
                status = response.status_code
                again = seconds_of(response.headers.get("retry-after")) if status in _BUSY else None
                return HttpAnswer(status, again)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:  # the last: what no header can carry
            raise OSError(reason(error)) from error

    async def aclose(self) -> None:
        await self._client.aclose()
