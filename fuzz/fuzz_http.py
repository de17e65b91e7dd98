"""Whatever a web server answers, to a report or to a request for a file: a status, a body, or the one kind of error.

    python fuzz/fuzz_http.py -dict=fuzz/http.dict -max_total_time=600 fuzz/http_corpus

The input is what the server sends. Loopback only.
"""

import asyncio
import ssl
import sys
from collections.abc import Awaitable

import atheris

with atheris.instrument_imports(include=["httpcore2", "httpx2", "h11", "telnyx_drivers"]):
    from telnyx_drivers._reach.http_get import fetch
    from telnyx_drivers._reach.http_post import HttpAnswer, HttpPoster

MOST = 1 << 16
TRUST = ssl.create_default_context()  # made once: it takes longer than everything else


class Server:
    def __init__(self) -> None:
        self.answer = b""
        self.url = ""
        self.poster = HttpPoster(TRUST)

    async def start(self) -> None:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        writer.close()


async def outcome(work: Awaitable[HttpAnswer | bytes]) -> None:
    try:
        async with asyncio.timeout(5):
            got = await work
    except OSError:
        return
    except ValueError as error:
        if "more than" not in str(error):  # `fetch`: the body is too long
            raise
        return
    if isinstance(got, HttpAnswer):
        assert 100 <= got.status <= 999
        assert got.retry_after is None or got.retry_after >= 0
    else:
        assert len(got) <= MOST


LOOP = asyncio.new_event_loop()
SERVER = Server()


def one_input(data: bytes) -> None:
    SERVER.answer = data
    LOOP.run_until_complete(outcome(SERVER.poster.post(SERVER.url, {"x-call-id": "a"}, b"{}")))
    LOOP.run_until_complete(outcome(fetch(SERVER.url, most=MOST, ssl=TRUST)))


if __name__ == "__main__":
    LOOP.run_until_complete(SERVER.start())
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
