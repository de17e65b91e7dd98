"""The part of a peer that needs no far end: certificate, sockets, candidates.

It can be made before there is a call (`transport_pool`), or together with the peer.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from telnyx_core.ice import Candidate
from telnyx_core.options import IceServer
from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc import ice_plan
from telnyx_drivers._webrtc.dtls import DtlsRole, DtlsState, DtlsTransport, Fingerprint
from telnyx_drivers._webrtc.ice import Gathering, ServerFailure
from telnyx_drivers._webrtc.ice_transport import IceParameters, IceState, IceTransport, Unwanted
from telnyx_drivers._webrtc.settings import PeerSettings

log = logs.of_module(__name__)

STOP_SECONDS: Final = 1.0
"""For what is being opened."""
CLOSE_SECONDS: Final = 2.0
"""For the ICE transport; half of them are a TURN server's, to confirm that an allocation is given back."""


class PeerTransport:
    """Made, used and closed on the running loop. Nothing is gathered before `begin`."""

    def __init__(self, servers: Iterable[IceServer], settings: PeerSettings, *, relay_only: bool) -> None:
        gathering = Gathering(
            plan=ice_plan.plan(servers),
            relay_only=relay_only,
            loopback=settings.loopback,
            patience=settings.patience,
            addresses=settings.addresses,
            tls=settings.turn_tls,
        )
        self.ice = IceTransport(
            gathering, timing=settings.timing, serves=settings.stands_in_for_server, delay=settings.delay
        )
        self.ice.on_state = self._on_ice_state
        self.ice.on_renewed = self._on_renewed
        self.dtls = DtlsTransport(self.ice.send, patient=settings.stands_in_for_server)
        self.dtls.on_state = self._on_dtls_state
        self.on_ice: Callable[[IceState], None] = lambda state: None
        self.on_renewed: Callable[[], None] = lambda: None
        self.on_dtls: Callable[[DtlsState], None] = lambda state: None
        self._handshake: tuple[DtlsRole, tuple[Fingerprint, ...]] | None = None
        self._began = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._ice_close: asyncio.Task[None] | None = None

    # Gathering.

    def begin(self) -> None:
        """Start gathering. Idempotent."""
        if self._opening is None:
            self._gather()

    def _gather(self) -> None:
        self._began = asyncio.get_running_loop().time()
        self._opening = asyncio.create_task(self.ice.open(), name="open ICE sockets")
        self._asking = asyncio.create_task(self._ask(self._opening), name="ask ICE servers")
        self._asking.add_done_callback(lambda _: self.ice.news.set())

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
        await self.ice.news.wait()
        self.ice.news.clear()

    async def worthwhile(self) -> None:
        """Until there is no sense in waiting longer; nothing is gathered from then on."""
        await self.hosts_known()
        assert self._asking is not None, "begun"
        now, news = asyncio.get_running_loop().time, self.ice.news
        while not self._asking.done() and (left := self._began + self.ice.worth_waiting_for - now()) > 0:
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
    def candidates(self) -> tuple[Candidate, ...]:
        """What has been found so far."""
        return self.ice.candidates

    @property
    def failures(self) -> tuple[ServerFailure, ...]:
        return self.ice.failures

    @property
    def dropped(self) -> Mapping[Unwanted, int]:
        """Datagrams that came and were not for this path, by what they looked like."""
        return self.ice.dropped

    async def _ask(self, opening: "asyncio.Task[None]") -> None:
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            await self.ice.ask_servers()

    # The path.

    def start(
        self, remote: IceParameters, fingerprints: Iterable[Fingerprint], *, controlling: bool, role: DtlsRole
    ) -> None:
        """Begin the checks; the handshake follows. Idempotent. Needs open sockets."""
        if self._handshake is None:
            self._handshake = role, tuple(fingerprints)
            self.ice.start(remote, controlling=controlling)

    @property
    def usable(self) -> bool:
        """The handshake is over, and consent has not expired: the path may be renewed."""
        return self.dtls.state == "connected" and self.ice.state in ("checking", "completed", "disconnected")

    def renew(self) -> None:
        """Begin an ICE restart, with the addresses that this host has now. What carries the call goes on meanwhile."""
        self.ice.restart()
        self._gather()

    def keeps(self, fingerprints: Iterable[Fingerprint]) -> bool:
        """Whether a far end with these has the certificate of the handshake, so that the association lives on."""
        known = () if self._handshake is None else self._handshake[1]
        return {(name.lower(), value.lower()) for name, value in fingerprints} == {
            (name.lower(), value.lower()) for name, value in known
        }

    def start_again(self, remote: IceParameters, *, controlling: bool) -> None:
        """Begin the checks of a restart; ``on_renewed`` is called when a pair works. Idempotent."""
        self.ice.start(remote, controlling=controlling)

    def _on_renewed(self) -> None:
        self.ice.settle()
        self.on_renewed()

    def _on_ice_state(self, state: IceState) -> None:
        self.on_ice(state)
        if state == "completed" and self._handshake is not None and self.dtls.state == "new":
            self.dtls.start(*self._handshake)
            self.ice.carry(self.dtls.receive)

    def _on_dtls_state(self, state: DtlsState) -> None:
        if state != "connecting":
            self.ice.settle()
        self.on_dtls(state)

    # The end.

    def close_path(self) -> "asyncio.Task[None]":
        """Nothing is sent any more; the task sees to the end of it."""
        if self._ice_close is None:
            self.dtls.close()
            self._ice_close = asyncio.create_task(self.ice.close(), name="close ICE")
            self._ice_close.add_done_callback(complain)
        return self._ice_close

    async def close(self) -> None:
        """Close sockets and allocations, within three seconds."""
        if self.dropped:
            log.info("datagrams that were no part of the call: %s", dict(self.dropped))
        tasks = {task for task in (self._opening, self._asking) if task is not None}
        for task in tasks:
            task.cancel()
        await finish(tasks, STOP_SECONDS)
        closing = {self.close_path()}
        if not await finish(closing, CLOSE_SECONDS):
            log.warning("an ICE transport does not close; abandoned")
            self.close_path().cancel()


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
