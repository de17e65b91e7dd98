"""The part of a peer that needs no far end: certificate, sockets, candidates.

It can be made before there is a call (`transport_pool`), or together with the peer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from telnyx_core.options import IceServer
from telnyx_drivers._webrtc import aiortc_private as private
from telnyx_drivers._webrtc import aiortc_serving as serving
from telnyx_drivers._webrtc import aiortc_starting as starting
from telnyx_drivers._webrtc import ice_plan, sdp
from telnyx_drivers._webrtc.ice import Gathering, ServerFailure
from telnyx_drivers._webrtc.settings import PeerSettings

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 1.0
"""For TURN servers to confirm that an allocation is given back."""
ABANDON_SECONDS: Final = 1.0
"""For the library to close after that."""

CIPHERS: Final = b":".join(
    b"ECDHE-%s-%s" % (key, cipher)
    for cipher in (b"AES128-GCM-SHA256", b"AES256-GCM-SHA384", b"CHACHA20-POLY1305", b"AES128-SHA", b"AES256-SHA")
    for key in (b"ECDSA", b"RSA")
)
"""What DTLS offers. aiortc alone leaves out RSA, which is what the platform's servers have (SRV-002)."""


class PeerTransport:
    """Made, used and closed on the running loop. Nothing is gathered before `begin`."""

    def __init__(self, servers: Iterable[IceServer], settings: PeerSettings, *, relay_only: bool) -> None:
        policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], iceTransportPolicy=policy))
        self.transceiver = self.pc.addTransceiver("audio")
        self.gathering = Gathering(
            plan=ice_plan.plan(servers),
            relay_only=relay_only,
            loopback=settings.loopback,
            patience=settings.patience,
            addresses=settings.addresses,
            tls=settings.turn_tls,
        )
        private.replace_gathering(self.transceiver, self.gathering.open_hosts)
        if settings.stands_in_for_server:
            serving.Following(self.transceiver)
        else:
            starting.insist_on_pair(self.transceiver)
            starting.Flight(self.transceiver)
        starting.Checks(self.transceiver, serves=settings.stands_in_for_server)
        private.door_of(private.connection_of(self.transceiver)).delay = settings.delay
        private.offer_ciphers(self.transceiver, CIPHERS)
        private.check_raw_certificate(self.transceiver)
        self._gatherer = self.transceiver.receiver.transport.transport.iceGatherer
        self._began = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._library_close: asyncio.Task[None] | None = None

    # Gathering.

    def begin(self) -> None:
        """Start gathering. Idempotent."""
        if self._opening is None:
            self._began = asyncio.get_running_loop().time()
            self._opening = asyncio.create_task(self._gatherer.gather(), name="open ICE sockets")
            self._asking = asyncio.create_task(self._ask(self._opening), name="ask ICE servers")
            self._asking.add_done_callback(lambda _: self.gathering.news.set())

    async def hosts_known(self) -> None:
        """Until the sockets of this host are open. Raises what went wrong with them."""
        self.begin()
        assert self._opening is not None, "begun"
        await asyncio.shield(self._opening)

    @property
    def asking(self) -> bool:
        """More may be found."""
        return self._asking is not None and not self._asking.done()

    async def news(self) -> None:
        """Until something may have been found since this was asked last, or nothing will be any more."""
        await self.gathering.news.wait()
        self.gathering.news.clear()

    async def worthwhile(self) -> None:
        """Until there is no sense in waiting longer; nothing is gathered from then on."""
        await self.hosts_known()
        assert self._asking is not None, "begun"
        now, news = asyncio.get_running_loop().time, self.gathering.news
        while not self._asking.done() and (left := self._began + self.gathering.worth_waiting_for() - now()) > 0:
            news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), left)
        self.stop_asking()
        await asyncio.wait([self._asking])

    def stop_asking(self) -> None:
        """Stop gathering: what has been found is final."""
        if self._asking is not None:
            self._asking.cancel()

    @property
    def candidates(self) -> tuple[sdp.Candidate, ...]:
        """What has been found so far."""
        found = private.connection_of(self.transceiver).local_candidates
        return tuple(filter(None, (sdp.parse_candidate(each.to_sdp()) for each in found)))

    @property
    def failures(self) -> tuple[ServerFailure, ...]:
        return self.gathering.failures

    @property
    def dropped(self) -> Mapping[private.Unwanted, int]:
        """Datagrams that came and were not for this path, by what they looked like."""
        return private.door_of(private.connection_of(self.transceiver)).dropped

    async def _ask(self, opening: "asyncio.Task[None]") -> None:
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            await self.gathering.ask_servers(private.connection_of(self.transceiver))

    # The end.

    def close_library(self) -> "asyncio.Task[None]":
        """Close in a task that is never cancelled: after a first close that was cut short, a second one never ends."""
        if self._library_close is None:
            self._library_close = asyncio.create_task(self.pc.close(), name="close aiortc")
            self._library_close.add_done_callback(complain)
        return self._library_close

    async def close(self) -> None:
        """Close sockets and allocations, within three seconds."""
        if self.dropped:
            log.info("datagrams that were no part of the call: %s", dict(self.dropped))
        tasks = {task for task in (self._opening, self._asking) if task is not None}
        for task in tasks:
            task.cancel()
        await finish(tasks, STOP_SECONDS)
        closing = {self.close_library()}
        if not await finish(closing, STOP_SECONDS):
            private.abandon_turn(private.connection_of(self.transceiver))
            if not await finish(closing, ABANDON_SECONDS):
                log.warning("a peer connection does not close; abandoned")
                self.close_library().cancel()


async def finish(tasks: "set[asyncio.Task[None]]", timeout: float) -> bool:
    """Whether all ended in time. Their exceptions are ignored here: `complain` has reported them."""
    if not tasks:
        return True
    done, pending = await asyncio.wait(tasks, timeout=timeout)
    for task in done:
        if not task.cancelled():
            task.exception()
    return not pending


def complain(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s broke", task.get_name(), exc_info=error)
