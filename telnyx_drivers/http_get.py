"""One file from a web server, on any loop. Needs the ``http`` extra."""

import ssl as tls
from typing import Final

import anyio
import anyio.to_thread
import httpx2

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
    client = await anyio.to_thread.run_sync(make)
    try:
        with anyio.move_on_after(SECONDS) as patience:
            async with client, client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise OSError(f"the server answers {response.status_code}")
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > most:
                        patience.cancel()  # an iteration left otherwise would not be cleaned up at once
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OSError(str(error) or type(error).__name__) from error
    if len(body) > most:
        raise ValueError(f"more than {most} bytes")
    if patience.cancelled_caught:
        raise TimeoutError(f"no answer within {SECONDS:g} s")
    return bytes(body)
