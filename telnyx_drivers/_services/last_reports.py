"""Call reports of a process that ends without closing its clients: sent within two seconds, or lost (STATS-246).

At the interpreter's exit no thread can start, so no name can be looked up: the reports go to the
address of the last open socket, on an event loop made for it.
"""

import atexit
import math
import os
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import anyio

from telnyx_core._time.timers import TimerTable
from telnyx_core._uploads import UploadQueues
from telnyx_core.actions import UploadAction
from telnyx_core.facts import UploadFact
from telnyx_core.session import Session
from telnyx_drivers import _endings as endings
from telnyx_drivers import _logs as logs
from telnyx_drivers._services.reports import Uploads, make_poster

if TYPE_CHECKING:
    from telnyx_drivers._reach.http_post import Poster

SECONDS: Final = 2.0
"""For all clients together (STATS-410)."""
_CLOSING: Final = 0.2


class LastReports:
    """One client's, from its start until `close`."""

    def __init__(self, session: Session, ssl: tls.SSLContext | None) -> None:
        self.address = ""
        """Where the server is; nothing is sent to a server that was never reached."""
        self._session = session
        self._ssl = ssl
        self._process = os.getpid()
        _clients.append(self)

    def close(self) -> None:
        """Nothing is left. Idempotent."""
        if self in _clients:
            _clients.remove(self)

    def poster(self) -> "Poster | None":
        """``None`` where there is nothing to send, or no way to."""
        ours = self._process == os.getpid()  # false in a fork, which has a copy of its parent's calls
        if ours and self.address and (self._session.uploading or self._session.unsent_reports()):
            return make_poster(self._ssl, self.address)
        return None

    async def send(self, poster: "Poster") -> None:
        try:
            await carry(self._session.hand_uploads_over, poster)
        finally:
            with anyio.move_on_after(_CLOSING, shield=True):
                await poster.aclose()


_clients: Final[list[LastReports]] = []


@atexit.register
def send_last_reports() -> None:
    """Send them. Raises nothing: the rest of the exit must still run."""
    try:
        ready = [(client, poster) for client in _clients if (poster := client.poster()) is not None]
        if ready:
            anyio.run(_send, ready)
    except Exception:  # noqa: BLE001
        logs.reports.exception("the last call reports broke on their way")


endings.finish_with(send_last_reports)


async def _send(ready: "Sequence[tuple[LastReports, Poster]]") -> None:
    with anyio.move_on_after(SECONDS) as patience:
        async with anyio.create_task_group() as group:
            for client, poster in ready:
                group.start_soon(client.send, poster)
    if patience.cancelled_caught:
        logs.reports.error("the process ends, and not all call reports were sent in time")


async def carry(hand_over: Callable[[UploadQueues, float], None], poster: "Poster") -> None:
    """Send what ``hand_over`` gives, on the loop that runs this: the client's own may have ended."""
    actions: deque[UploadAction] = deque()
    facts: deque[UploadFact] = deque()
    timers = TimerTable()
    rest = UploadQueues(actions.append, timers)
    news = anyio.Event()

    def tell(fact: UploadFact) -> None:
        facts.append(fact)
        news.set()

    async def given() -> "Poster":
        return poster

    async with anyio.create_task_group() as group:

        def spawn(work: Callable[[], Awaitable[None]], ended: Callable[[], None]) -> None:
            group.start_soon(_to_its_end, work, ended)

        uploads = Uploads(spawn, given, tell)
        hand_over(rest, anyio.current_time())
        while True:
            while actions:
                uploads.perform(actions.popleft())
            if not rest.busy:
                return
            due = timers.next_at()
            with anyio.move_on_at(math.inf if due is None else due):
                await news.wait()
            news = anyio.Event()
            now = anyio.current_time()
            while facts:
                rest.handle_fact(facts.popleft(), now)
            for key in timers.expired(now):
                rest.timed_out(key.timer, key.owner, now)


async def _to_its_end(work: Callable[[], Awaitable[None]], ended: Callable[[], None]) -> None:
    try:
        await work()
    finally:
        ended()
