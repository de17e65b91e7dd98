"""Candidates gathered before there is a call (MEDIA-023), and kept valid until one uses them."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from telnyx_core.actions import PeerConfig, PrepareMedia
from telnyx_drivers._webrtc.peer_transport import PeerTransport, complain
from telnyx_drivers._webrtc.settings import PeerSettings

CHECK_SECONDS: Final = 15.0
"""Between two looks at whether the candidates still hold: NATs may forget a binding after 30 s (RFC 4787)."""
REFILL_SECONDS: Final = 1.0
"""Pause after one was taken: its call should be set up before the next one is gathered."""


class TransportPool:
    """At most one transport in advance, for the servers and the policy that were asked for last.

    Made, used and closed on the running loop. ``see_out`` waits for the end of tasks that are about to end.
    """

    def __init__(self, settings: PeerSettings, see_out: "Callable[[asyncio.Task[None]], None]") -> None:
        self._settings = settings
        self._see_out = see_out
        self._wanted: PrepareMedia | None = None
        self._ground: PeerTransport | None = None
        self._checked = 0.0
        self._keeper: asyncio.Task[None] | None = None

    def prepare(self, wanted: PrepareMedia) -> None:
        """Have one ready from now on. Asking for the same again changes nothing."""
        if wanted != self._wanted:
            self._start(wanted, 0.0)

    def take(self, config: PeerConfig) -> PeerTransport | None:
        """The ready transport if it fits this peer and is still valid; the next one is gathered by itself."""
        wanted, ground = self._wanted, self._ground
        if ground is None or wanted is None or not config.prefetch:
            return None
        if (config.ice_servers, config.force_relay) != (wanted.ice_servers, wanted.force_relay):
            return None
        # The wall clock: the other one stands still while a machine sleeps.
        fresh = abs(time.time() - self._checked) < 2 * CHECK_SECONDS and ground.ice.holds
        if fresh:
            self._ground = None
        self._start(wanted, REFILL_SECONDS)
        return ground if fresh else None

    def stop(self) -> None:
        self._wanted = None
        if self._keeper is not None:
            self._keeper.cancel()
            self._see_out(self._keeper)
            self._keeper = None
        self._discard()

    def _start(self, wanted: PrepareMedia, delay: float) -> None:
        self.stop()
        self._wanted = wanted
        self._keeper = asyncio.create_task(self._keep(wanted, delay), name="standby")
        self._keeper.add_done_callback(complain)

    async def _keep(self, wanted: PrepareMedia, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            if self._ground is not None and self._ground.ice.holds:
                self._ground.ice.ask_again()
            else:
                self._discard()
                self._ground = PeerTransport(wanted.ice_servers, self._settings, relay_only=wanted.force_relay)
                self._ground.begin()
            self._checked = time.time()
            await asyncio.sleep(CHECK_SECONDS)

    def _discard(self) -> None:
        if self._ground is not None:
            self._see_out(asyncio.create_task(self._ground.close(), name="close standby"))
            self._ground = None
