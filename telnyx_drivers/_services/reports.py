"""Upload of call reports to the platform: with retries, in order, never delaying a call (quality.md 4.4)."""

import logging
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import anyio.lowlevel
import anyio.to_thread
from attrs import define, field

from telnyx_core._reports.segment import MAX_BODY, Line
from telnyx_core.actions import UploadReport
from telnyx_core.ids import CallId
from telnyx_drivers import _logs as logs

if TYPE_CHECKING:
    from telnyx_drivers._reach.http_post import Poster

PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds before each further attempt (STATS-242)."""
ATTEMPT: Final = 10.0
"""Seconds for one attempt (STATS-243)."""
MOST_PAUSE: Final = 60.0
"""Seconds that a server may ask to be left alone; then the part is kept until the next one is sent."""
DRAIN: Final = 10.0
"""Seconds that a client which disconnects waits for its reports (SIG-280)."""
_MOST_WAITING: Final = 8
"""Parts of one call that wait: each is five minutes of it, so the platform has not answered for an hour."""
_REFUSED: Final = frozenset({400, 401, 403, 404, 413})
"""To these no other answer can be expected (STATS-242)."""
_TOO_LARGE: Final = 413

Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]], Callable[[], None]], object]
"""Runs a function in a task, and calls the second one when that has ended in any way (`Driver.spawn`)."""


class Fate(Enum):
    """What became of a body."""

    SENT = auto()
    REFUSED = auto()
    TOO_LARGE = auto()
    FAILED = auto()


@define
class _Queue:
    """One call's."""

    waiting: deque[UploadReport] = field(factory=lambda: deque[UploadReport](maxlen=_MOST_WAITING))
    number: int = 0
    """Of the next part (STATS-224)."""
    kept: tuple[bytes, ...] = ()
    """What could not be sent, to go before the next part (STATS-225)."""
    current: UploadReport | None = None
    """On its way now."""

    def unsent(self) -> "_Queue":
        """What must be sent at the end of the process, if this queue ended now."""
        first = () if self.current is None else (self.current,)
        return _Queue(deque((*first, *self.waiting)), self.number, self.kept)


class Uploads:
    """``make_poster`` is awaited once there is something to send; where it gives ``None``, nothing is sent, ever.

    Raises nothing; what fails is logged, and changes nothing else.
    """

    def __init__(self, spawn: Spawn, make_poster: "Callable[[], Awaitable[Poster | None]]") -> None:
        self._spawn = spawn
        self._make_poster = make_poster
        self._poster: Poster | None = None
        self._making = anyio.Lock()
        self._told = False
        """The warning has been given."""
        self._without = False
        """There is no poster, and will be none."""
        self._queues: dict[CallId, _Queue] = {}
        self._working: set[Hashable] = set()
        self._idle: anyio.Event | None = None

    @property
    def busy(self) -> bool:
        """Something is on its way, or waits to be."""
        return any(queue.current is not None or queue.waiting for queue in list(self._queues.values()))

    def add(self, action: UploadReport) -> None:
        """Send this after everything else of its call. On the loop's own thread."""
        if self._without:
            return
        call = action.segment.call.id
        queue = self._queues.setdefault(call, _Queue())
        if len(queue.waiting) == _MOST_WAITING:
            self.failed("a part of its report", call)
        queue.waiting.append(action)
        if call not in self._working:
            self.run(call, lambda poster: self._empty(queue, poster))

    def run(self, key: Hashable, job: "Callable[[Poster], Awaitable[None]]") -> None:
        """Do something with the poster in a task that `drain` waits for; one at a time for each ``key``."""
        if self._without:
            return
        assert key not in self._working, "one at a time"
        self._working.add(key)
        self._spawn(lambda: self._work(key, job), lambda: self._rest(key))

    def failed(self, what: str, call: CallId) -> None:
        """Log a warning, but only once: a platform that takes no reports would cause one for every call."""
        level = logging.DEBUG if self._told else logging.WARNING
        self._told = True
        logs.reports.log(level, "call %s: %s could not be sent (this warning comes once)", call, what)

    async def drain(self, seconds: float = DRAIN) -> None:
        """Wait for what is on its way, but no longer than that."""
        with anyio.move_on_after(seconds) as patience:
            while self._working:
                if self._idle is None:
                    self._idle = anyio.Event()
                await self._idle.wait()
        if patience.cancelled_caught:
            logs.reports.error("%d call reports were not sent in time", len(self._working))

    async def aclose(self) -> None:
        """Once its tasks have ended."""
        poster, self._poster = self._poster, None
        if poster is not None:
            await poster.aclose()

    async def _work(self, key: Hashable, job: "Callable[[Poster], Awaitable[None]]") -> None:
        try:
            async with self._making:
                if self._poster is None and not self._without:
                    self._poster = await self._make_poster()
                    self._without = self._poster is None
            if self._poster is not None:
                await job(self._poster)
        except Exception:  # noqa: BLE001  # a report is never worth a call
            logs.reports.exception("a report broke on its way")
        finally:
            self._rest(key)

    async def _empty(self, queue: _Queue, poster: "Poster") -> None:
        while queue.waiting:
            queue.current = action = queue.waiting.popleft()
            try:
                await self._send(action, queue, poster)
            except Exception:  # noqa: BLE001  # a report is never worth a call, and one part none of the others
                logs.reports.exception("a report broke on its way")
            queue.current = None
            if action.segment.last:
                self._queues.pop(action.segment.call.id, None)

    async def send_last(self, open_calls: Iterable[UploadReport], poster: "Poster") -> None:
        """Send what is left, the calls side by side, on a loop of its own: nothing of the client's is waited for."""
        queues = {call: queue.unsent() for call, queue in list(self._queues.items())}
        for action in open_calls:
            queues.setdefault(action.segment.call.id, _Queue()).waiting.append(action)
        async with anyio.create_task_group() as group:
            for queue in queues.values():
                group.start_soon(self._send_all, queue, poster)

    async def _send_all(self, queue: _Queue, poster: "Poster") -> None:
        while queue.waiting:
            await self._send(queue.waiting.popleft(), queue, poster)

    async def _send(self, action: UploadReport, queue: _Queue, poster: "Poster") -> None:
        segment, home, call = action.segment, action.home, action.segment.call.id
        headers = home.headers(call)
        while queue.kept:
            await deliver(poster, home.url, headers, queue.kept[0])
            queue.kept = queue.kept[1:]
        lines: list[Line] = []
        for line in segment.lines():
            lines.append(line)
            await anyio.lowlevel.checkpoint()  # other calls' audio is more urgent
        bodies = segment.bodies(queue.number, lines)
        fate = await deliver(poster, home.url, headers, bodies[0])
        if fate is Fate.TOO_LARGE:
            bodies = segment.bodies(queue.number, lines, len(bodies[0]) // 2)
            fate = await deliver(poster, home.url, headers, bodies[0])
        queue.number += len(bodies)
        for index, body in enumerate(bodies):
            if index:
                fate = await deliver(poster, home.url, headers, body)
            if fate is not Fate.SENT:
                self.failed("a part of its report", call)
            if fate is Fate.FAILED:
                left = bodies[index:]
                queue.kept = left if sum(map(len, left)) <= MAX_BODY else ()
                return

    def _rest(self, key: Hashable) -> None:
        """Nothing of this is on its way."""
        self._working.discard(key)
        if not self._working and self._idle is not None:
            self._idle.set()
            self._idle = None


async def deliver(poster: "Poster", url: str, headers: Mapping[str, str], body: bytes) -> Fate:
    """Try, and try again where that may help (STATS-242, STATS-243)."""
    for pause in (*PAUSES, None):
        try:
            with anyio.fail_after(ATTEMPT):
                status = await poster.post(url, headers, body)
        except (OSError, TimeoutError) as error:
            if pause is not None:
                pause = max(pause, min(getattr(error, "retry_after", 0.0), MOST_PAUSE))
            logs.reports.debug("no answer to a call report: %s", str(error) or type(error).__name__)
        else:
            logs.reports.debug("a call report of %d bytes was answered with %d", len(body), status)
            if 200 <= status < 300:
                return Fate.SENT
            if status in _REFUSED:
                return Fate.TOO_LARGE if status == _TOO_LARGE else Fate.REFUSED
        if pause is not None:
            await anyio.sleep(pause)
    return Fate.FAILED


async def http_poster(ssl: tls.SSLContext | None) -> "Poster | None":
    """`HttpPoster`, or ``None`` where the ``http`` extra is not installed, which is logged.

    Made in a thread: importing it and reading certificates would be heard in other calls.
    """
    return await anyio.to_thread.run_sync(make_poster, ssl)


def make_poster(ssl: tls.SSLContext | None, address: str | None = None) -> "Poster | None":
    """As `http_poster`, here and now. With ``address``, that is where every server is, whatever its name."""
    try:
        from telnyx_drivers._reach.http_post import HttpPoster
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("telnyx_"):
            raise
        install = "pip install 'telnyx-rtc[http]', or enable_call_reports=False"
        _say_once(f"call reports are not sent, for {error.name} is missing: {install}")
        return None
    return HttpPoster(ssl, address)


@cache
def _say_once(text: str) -> None:
    """Log an error, which is visible without any set-up: reports are on by default, and users rely on them."""
    logs.reports.error("%s", text)
