"""The embedded gateway and its clients in one process, without a socket between them."""

import asyncio
import ssl as tls
from pathlib import Path
from random import Random
from typing import Final, Self

from telnyx_core.facts import SocketClosed, SocketOpened, TextReceived
from telnyx_core.gateway.facts import SocketAccepted
from telnyx_core.gateway.options import Quirks
from telnyx_core.ids import CallId, SocketId
from telnyx_core.session import Session
from telnyx_core.testing.wire import EPOCH
from telnyx_drivers._asyncio import AsyncioDriver, TelnyxRTC
from telnyx_drivers._driver import Driver, Line
from telnyx_drivers._services.reports import Uploads
from telnyx_drivers._webrtc.call_audio import AudioFault
from telnyx_drivers._webrtc.ports import EngineFactory, EngineSetup, Report
from telnyx_drivers.gateway.feeds import Feeds
from telnyx_drivers.gateway.server import Gateway
from telnyx_drivers.testing.virtual_loop import LoopClock
from telnyx_drivers.testing.virtual_media import VirtualEngine, VirtualMedia

USER: Final = "bot"
_PASSWORD: Final = "virtual"  # noqa: S105  # of a gateway that nobody can reach


class VirtualGateway(Gateway):
    """`Gateway` without a port: `VirtualClient` reaches it, and nothing else."""

    media: VirtualMedia

    def __init__(self, seed: int) -> None:
        rng = Random(seed)  # noqa: S311  # the same call in each run
        super().__init__(
            engine=self._virtual_engine, rng=rng, users={USER: _PASSWORD}, quirks=Quirks(no_telephone_event=False)
        )
        self._chance = Random(seed)  # noqa: S311

    async def __aenter__(self) -> Self:
        self.media = VirtualMedia(LoopClock(asyncio.get_running_loop()), self._loses)
        self._engine = self._make_engine(self._tell)
        self._feeds = Feeds(self._engine)
        return self

    @property
    def url(self) -> str:
        return "wss://gateway.test"

    def _virtual_engine(self, report: Report) -> VirtualEngine:
        return VirtualEngine(self.media, report, _unheard)

    def dial(self, driver: Driver, socket: SocketId, url: str) -> Line:
        """A client opens a socket."""
        self._accepted += 1
        far = SocketId(self._accepted)
        cable = _Cable(self, driver, near=socket, far=far)
        self._sockets[far] = _FarEnd(cable)
        asyncio.get_running_loop().call_soon(cable.open, url)
        return _NearEnd(cable)

    def hear(self, fact: SocketAccepted | TextReceived | SocketClosed) -> None:
        """Something came over a cable, or became of one."""
        if isinstance(fact, SocketClosed):
            self._sockets.pop(fact.socket, None)
        self._tell(fact)


def _unheard(call: CallId, fault: AudioFault) -> None:
    """A source of the gateway's own failed: the step of the script that played it raises."""


class _Cable:
    """A WebSocket without a network: frames arrive in their order, at once but not within the call that sends them."""

    def __init__(self, gateway: VirtualGateway, driver: Driver, *, near: SocketId, far: SocketId) -> None:
        self._gateway = gateway
        self._driver = driver
        self._near = near
        self._far = far
        self._soon = asyncio.get_running_loop().call_soon
        self._over = False

    def open(self, url: str) -> None:
        if not self._over:
            wall = EPOCH + asyncio.get_running_loop().time()
            self._gateway.hear(SocketAccepted(self._far, "/" + url.partition("://")[2].partition("/")[2], wall))
            self._driver.tell(SocketOpened(self._near, wall))

    def up(self, text: str) -> None:
        if not self._over:
            self._soon(self._gateway.hear, TextReceived(self._far, text))

    def down(self, text: str) -> None:
        if not self._over:
            self._soon(self._driver.tell, TextReceived(self._near, text))

    def end(self, code: int, reason: str, *, tell_client: bool = True) -> None:
        if self._over:
            return
        self._over = True
        clean = code != 1006
        self._soon(self._gateway.hear, SocketClosed(self._far, code, reason, clean=clean))
        if tell_client:
            self._soon(self._driver.tell, SocketClosed(self._near, code, reason, clean=clean))


class _NearEnd:
    """The client's end. Implements `Line`."""

    backlog = 0

    def __init__(self, cable: _Cable) -> None:
        self._cable = cable
        self.send = cable.up

    def close(self) -> None:
        self._cable.end(1000, "")

    def abandon(self) -> None:
        self._cable.end(1006, "", tell_client=False)


class _FarEnd:
    """The gateway's end. Implements `Outlet`."""

    def __init__(self, cable: _Cable) -> None:
        self._cable = cable
        self.send = cable.down

    def close(self, code: int, reason: str) -> None:
        self._cable.end(code, reason)

    def abort(self) -> None:
        self._cable.end(1006, "")


class _Driver(AsyncioDriver):
    gateway: VirtualGateway

    def _dial(self, socket: SocketId, url: str) -> Line:
        return self.gateway.dial(self, socket, url)


async def _nowhere() -> None:
    """Reports are written and go nowhere, as without the ``http`` extra."""


class VirtualClient(TelnyxRTC):
    """The client of `USER`, with everything that it does for an application."""

    def __init__(self, gateway: VirtualGateway, seed: int, journal: Path | None) -> None:
        self._gateway = gateway
        super().__init__(
            login=USER,
            password=_PASSWORD,
            env=gateway.url,
            ice_servers=[],
            engine=self._engine,
            rng=Random(seed),  # noqa: S311
            journal=journal,
        )

    def _engine(self, setup: EngineSetup) -> VirtualEngine:
        return VirtualEngine(self._gateway.media, setup.report, setup.audio_broke)

    def _make_driver(self, session: Session, engine: EngineFactory, ssl: tls.SSLContext | None) -> Driver:
        driver = _Driver(session, engine, self, ssl=ssl)
        driver.gateway = self._gateway
        driver.uploads = Uploads(driver.spawn, _nowhere, driver.tell, lambda: None)
        return driver
