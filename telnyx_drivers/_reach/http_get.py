"""One file from a web server, on any loop. Needs the ``http`` extra."""

import ssl as tls
from typing import Final

import anyio
import httpx2

from telnyx_drivers._worker_threads import in_thread

_AS_IT_IS: Final = {"accept-encoding": "identity"}
"""A small compressed body may become a million times as large when it is unpacked (RFC 9110 section 12.5.3)."""
SECONDS: Final = 10.0
"""For the whole of it."""


async def fetch(url: str, *, most: int, ssl: tls.SSLContext | None = None) -> bytes:
    """The body, of at most so many bytes. Verifies TLS; follows no redirection; uses no proxy and no stored password.

    Raises ``OSError`` when there is none, ``TimeoutError`` after `SECONDS`, ``ValueError`` when it is too long.
    """

    def make() -> httpx2.AsyncClient:
        verify = tls.create_default_context() if ssl is None else ssl
        return httpx2.AsyncClient(verify=verify, timeout=None, trust_env=False)  # bounded as a whole, here below

    body = bytearray()
    client = await in_thread(make)
    try:
        with anyio.move_on_after(SECONDS) as patience:
            async with client, client.stream("GET", url, headers=_AS_IT_IS) as response:
                if response.status_code != 200:
                    raise OSError(f"the server answers {response.status_code}")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise OSError("the server compresses, though it was asked not to")
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > most:
                        patience.cancel()  # an iteration left otherwise would not be cleaned up at once
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:  # the last: a redirection to nonsense
        raise OSError(reason(error)) from error
    if len(body) > most:
        raise ValueError(f"more than {most} bytes")
    if patience.cancelled_caught:
        raise TimeoutError(f"no answer within {SECONDS:g} s")
    return bytes(body)


def reason(error: BaseException) -> str:
    """What went wrong, from whichever layer says it."""
    cause: BaseException | None = error
    while cause is not None and not str(cause):
        cause = cause.__cause__ or cause.__context__
    return str(cause or type(error).__name__)
