"""A client that can do what applications cannot: send a frame of its own, lose its socket, and stay disconnected.

The session sees none of that, so its journal can still be replayed: the reply to such a frame
ends here, and to the session a cut socket is a loss like any other.
"""

import asyncio
import ssl as tls
import uuid
from typing import Final

from telnyx_core._wire.codec import Reply, Request, decode, encode, mapping
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import redact
from telnyx_core.actions import Action, SendText
from telnyx_core.facts import Fact, SocketClosed, TextReceived
from telnyx_core.ids import SocketId
from telnyx_core.session import Session
from telnyx_drivers._asyncio import AsyncioDriver, TelnyxRTC
from telnyx_drivers._driver import Audience, Driver, Line
from telnyx_drivers._tools.prove.evidence import PREFIX
from telnyx_drivers._webrtc.ports import EngineFactory

ANSWERED_WITHIN: Final = 5.0
"""Seconds for the reply to a frame of our own."""
_DIGITS: Final = PREFIX + "info"


class _Nowhere:
    """A `Line` to a server that cannot be reached."""

    backlog = 0

    def __init__(self, driver: Driver, socket: SocketId) -> None:
        self._left = False
        asyncio.get_running_loop().call_soon(self._tell, driver, socket)

    def _tell(self, driver: Driver, socket: SocketId) -> None:
        if not self._left:
            driver.tell(SocketClosed(socket, 1006, "", clean=False, error="kept away"))

    def send(self, text: str) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None:
        self._left = True


class _ProbeDriver(AsyncioDriver):
    def __init__(
        self, session: Session, engine: EngineFactory, audience: Audience, *, ssl: tls.SSLContext | None = None
    ) -> None:
        super().__init__(session, engine, audience, ssl=ssl)
        self.away = False
        self._digits: tuple[SocketId, str] | None = None
        self._asked: dict[str, asyncio.Future[Json]] = {}

    def cut(self) -> None:
        """Cut every socket without a close frame, as a lost network does."""
        for socket, line in list(self._lines.items()):
            line.abandon()
            self.tell(SocketClosed(socket, 1006, "", clean=False, error="cut on purpose"))

    async def press(self, digits: str) -> Json:
        """Send the last digits once more, with these in their place: the reply's ``result`` or ``error``, or ``None``.

        The frame is one that this session has sent itself, because production's gateway reads what stands around the
        digits as well. Raises `RuntimeError` before the session has sent any.
        """
        if self._digits is None or (line := self._lines.get(self._digits[0])) is None:
            raise RuntimeError("no digits have been sent on this socket")
        frame = decode(self._digits[1])
        assert isinstance(frame, Request), "it was one when it was sent"
        ident = str(uuid.uuid4())
        params: JsonObject = {**frame.params, "dtmf": digits}
        asked = self._asked[ident] = asyncio.get_running_loop().create_future()
        line.send(encode({**frame.frame, "id": ident, "params": params}))
        try:
            return redact(await asyncio.wait_for(asked, ANSWERED_WITHIN))
        except TimeoutError:
            return None
        finally:
            del self._asked[ident]

    def perform(self, action: Action) -> None:
        if isinstance(action, SendText) and f'"{_DIGITS}"' in action.text:
            self._digits = (action.socket, action.text)
        super().perform(action)

    def tell(self, fact: Fact) -> None:
        if self._asked and isinstance(fact, TextReceived):
            reply = decode(fact.text)
            if isinstance(reply, Reply) and (asked := self._asked.get(str(reply.id))) is not None:
                if not asked.done():
                    asked.set_result(mapping(reply.frame, "result") or mapping(reply.frame, "error"))
                return
        super().tell(fact)

    def _dial(self, socket: SocketId, url: str) -> Line:
        return _Nowhere(self, socket) if self.away else super()._dial(socket, url)


class Prober(TelnyxRTC):
    """`TelnyxRTC` with control over its socket."""

    _probe: _ProbeDriver

    def _make_driver(self, session: Session, engine: EngineFactory, ssl: tls.SSLContext | None) -> Driver:
        self._probe = _ProbeDriver(session, engine, self, ssl=ssl)
        return self._probe

    async def press(self, digits: str) -> Json:
        """`_ProbeDriver.press`."""
        return await self._probe.press(digits)

    def drop(self) -> None:
        """Lose the socket; the next one opens as usual."""
        self._probe.cut()

    def stay_away(self) -> None:
        """Lose the socket, and fail to reconnect until `come_back`."""
        self._probe.away = True
        self._probe.cut()

    def come_back(self) -> None:
        self._probe.away = False
