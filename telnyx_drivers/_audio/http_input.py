"""Audio from a web server, read as it is played: a file of any length, or a stream without end. Needs ``http``."""

import threading
from collections import deque
from typing import Final
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2

from telnyx_drivers._audio.inputs import PATIENCE, ForwardReader, is_address
from telnyx_drivers._audio.spawn import Spawn
from telnyx_drivers._audio.wakeup import CallSoon, Wakeup
from telnyx_drivers._exceptions import UnplayableAudio
from telnyx_drivers._worker_threads import in_thread

_AHEAD: Final = 256 * 1024
"""Bytes that may wait to be decoded, 16 s of 128 kbit/s; a server that sends faster waits."""
_REDIRECTIONS: Final = 5


class HttpInput:
    """Verifies TLS, uses no proxy, cookie or stored password, and follows few redirections, none from TLS to plain."""

    waits = True

    def __init__(self, url: str, *, call_soon: CallSoon, spawn: Spawn) -> None:
        self._url = url
        self._call_soon = call_soon
        self._spawn = spawn
        self._bodies: list[_Body] = []
        self.name = _public(url)

    def open(self) -> "_Body":
        if not urlsplit(self._url).hostname:
            raise UnplayableAudio(self.name, "it names no server")
        body = _Body(self._url, self._call_soon)
        self._bodies = [body]
        self._call_soon(lambda: self._spawn(body.fetch))
        return body

    def stop(self) -> None:
        for body in self._bodies:
            body.close()


class _Body(ForwardReader):
    """Filled by a task on the application's loop, read by the thread that decodes."""

    def __init__(self, url: str, call_soon: CallSoon) -> None:
        self._url = url
        self._call_soon = call_soon
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._room = Wakeup(call_soon)
        self._scope: anyio.CancelScope | None = None
        self._ended = self._closed = False
        self._error: Exception | None = None

    def read(self, size: int, /) -> bytes:
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self._ended or self._closed, PATIENCE):
                raise TimeoutError(f"nothing came for {PATIENCE:g} s")
            if self._closed:
                return b""
            if not self._pieces:
                if self._error is not None:
                    raise self._error
                return b""
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            self._size -= len(piece)
        self._room.fire()
        return piece

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def fetch(self) -> None:
        """A task of its own; never raises."""
        try:
            with anyio.CancelScope() as self._scope:
                if not self._closed:
                    await self._fetch()
        except Exception as error:  # noqa: BLE001  it is raised where the bytes are waited for
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def _fetch(self) -> None:
        client = await in_thread(_client)
        url = self._url
        async with client:
            for _ in range(_REDIRECTIONS + 1):
                # Bytes that do not come are noticed by the reader, who knows whether any are wanted.
                async with client.stream("GET", url) as response:
                    if response.status_code == 200:
                        async for piece in response.aiter_bytes():
                            await self._put(piece)
                        return
                    if not response.is_redirect:
                        raise OSError(f"the server answers {response.status_code}")
                    onwards = urljoin(url, response.headers.get("location", ""))
                if not is_address(onwards) or (_encrypted(url) and not _encrypted(onwards)):
                    raise OSError("the server points to something that is not fetched")
                url = onwards
        raise OSError(f"the server redirects more than {_REDIRECTIONS} times")

    async def _put(self, piece: bytes) -> None:
        try:
            await self._room.wait_until(lambda: self._size < _AHEAD)
        except anyio.get_cancelled_exc_class():
            # An iteration is cleaned up only by what is thrown inside of it: by the next step.
            assert self._scope is not None, "made before anything is fetched"
            self._scope.cancel()
        with self._changed:
            self._pieces.append(piece)
            self._size += len(piece)
            self._changed.notify_all()


def _encrypted(url: str) -> bool:
    return url[:6].lower() == "https:"


def _client() -> httpx2.AsyncClient:
    # Loading the authorities takes long enough to keep a loop waiting.
    return httpx2.AsyncClient(timeout=None, trust_env=False, headers={"accept-encoding": "identity"})


def _public(url: str) -> str:
    """A URL's query may be a signature, and its user part a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
