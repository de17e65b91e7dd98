"""Call reports on their way: what is posted, in which order, under which numbers, and when again (quality.md 4.4).

The parts of one call go one after the other, and calls do not wait for each other. The driver writes a part as JSON and
posts what it is given; every attempt, pause and number is decided here.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, assert_never

from attrs import define, field, frozen

from telnyx_core._reports.segment import MAX_BODY, ReportEndpoint, Segment
from telnyx_core._time.timers import Timer, TimerTable
from telnyx_core.actions import AbandonPost, GiveUpReport, PostBody, UploadAction, WriteReport
from telnyx_core.facts import PostAnswered, PostFailed, ReportWritten, UploadFact
from telnyx_core.ids import CallId, UploadId

PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds before each further attempt (STATS-242)."""
LONGEST_PAUSE: Final = 60.0
"""Seconds that a server may ask to be left alone; then the part is kept until the next one is sent."""
MOST_WAITING: Final = 8
"""Parts of one call that wait: each is minutes of it, so the platform has not answered for half an hour or more."""
MOST_AT_ONCE: Final = 32
"""Calls whose parts are under way: when a socket is lost, a thousand calls have one at the same moment."""

ATTEMPT: Final = 10.0
"""Seconds for one attempt (STATS-243)."""
LEAVING: Final = 10.0
"""Seconds that a client which disconnects waits for its reports (SIG-280, STATS-245)."""

_REFUSED: Final = frozenset({400, 401, 403, 404, 413})
_TOO_LARGE: Final = 413


def pause_after(attempt: int, retry_after: float | None = None) -> float | None:
    """Seconds before the next attempt after this one, counted from 0; ``None``: there is no other."""
    if attempt == len(PAUSES):
        return None
    return max(PAUSES[attempt], min(retry_after or 0.0, LONGEST_PAUSE))


def refused(status: int) -> bool:
    """To the same body no other answer can be expected (STATS-242)."""
    return status in _REFUSED


@frozen
class _Owner:
    """Of a deadline. Not the call's id, which owns the deadlines of the call itself."""

    call: CallId


@define
class _Queue:
    """One call's."""

    home: ReportEndpoint
    """Of the newest part."""
    waiting: deque[Segment] = field(factory=deque[Segment])
    """Parts that are not under way yet."""
    number: int = 0
    """Of the next body (STATS-224)."""
    kept: tuple[bytes, ...] = ()
    """Bodies that could not be sent; they go before the next part (STATS-225)."""
    part: Segment | None = None
    """Under way."""
    bodies: tuple[bytes, ...] = ()
    """What is still to be sent of it, once it is written."""
    divisible: bool = False
    """None of it has been taken or refused yet, so it can be written again in smaller pieces, once."""
    attempt: int = 0
    upload: UploadId | None = None
    """What the driver is doing; ``None`` in a pause, and at rest."""


class ReportUploads:
    """Orders go to ``act``. Deadlines are set in ``timers``; when one is over, `timed_out` has to be called.

    A part is written by the driver itself, so that has no deadline but the end of the session; a post has one.
    """

    def __init__(self, act: Callable[[UploadAction], None], timers: TimerTable) -> None:
        self._act = act
        self._timers = timers
        self._queues: dict[CallId, _Queue] = {}
        self._working: set[CallId] = set()
        self._next: dict[CallId, None] = {}
        """Calls that wait until another one is done, in order."""
        self._uploads: dict[UploadId, CallId] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        """Something is under way, or waits to be."""
        return bool(self._working)

    def add(self, segment: Segment, now: float) -> None:
        """Send this part after everything else of its call."""
        call = segment.call.id
        queue = self._queues.setdefault(call, _Queue(segment.home))
        queue.home = segment.home
        if len(queue.waiting) == MOST_WAITING:
            queue.waiting.popleft()
            self._give_up(call, "the platform is too slow")
        queue.waiting.append(segment)
        if call not in self._working:
            self._next[call] = None
            self._start_more(now)

    def leave(self, now: float) -> None:
        """The session has ended: what is not sent within `LEAVING` is given up."""
        if self.busy:
            self._timers.set(Timer.UPLOADS_END, now + LEAVING)

    def stay(self) -> None:
        """The session begins again."""
        self._timers.stop(Timer.UPLOADS_END)

    def rest_of(self, open_calls: Iterable[Segment], to: "ReportUploads", now: float) -> None:
        """Have another one send what is left here, and the parts of calls that have not ended. Changes nothing here.

        A body that is written keeps its number, and is not written anew: others of its part may have arrived.
        """
        for call, queue in list(self._queues.items()):
            again = () if queue.part is None or queue.bodies else (queue.part,)
            waiting, kept = deque((*again, *queue.waiting)), queue.kept + queue.bodies
            to._queues[call] = _Queue(queue.home, waiting, queue.number, kept)
        for segment in open_calls:
            to._queues.setdefault(segment.call.id, _Queue(segment.home)).waiting.append(segment)
        to._next.update(dict.fromkeys(call for call, queue in to._queues.items() if queue.kept or queue.waiting))
        to._start_more(now)

    def handle_fact(self, fact: UploadFact, now: float) -> None:
        """One for an upload that was abandoned changes nothing."""
        call = self._uploads.pop(fact.upload, None)
        if call is None:
            return
        queue = self._queues[call]
        queue.upload = None
        self._timers.stop(Timer.UPLOAD_LIMIT, _Owner(call))
        match fact:
            case ReportWritten(_, bodies):
                queue.bodies = bodies
                queue.number += len(bodies)
                self._go_on(call, queue, now)
            case PostAnswered(_, status, retry_after):
                self._answered(call, queue, status, retry_after, now)
            case PostFailed(_, reason):
                self._try_again(call, queue, reason, None, now)
            case _:
                assert_never(fact)

    def timed_out(self, timer: Timer, owner: object, now: float) -> None:
        if timer is Timer.UPLOADS_END:
            for call in (*self._working, *self._next):
                self._forget(call, "the client has left")
            return
        assert isinstance(owner, _Owner), "owned by a call's queue"
        queue = self._queues[owner.call]
        if timer is Timer.UPLOAD_AGAIN:
            self._post(owner.call, queue, now)
        else:
            self._abandon(queue)
            self._try_again(owner.call, queue, f"no answer within {ATTEMPT:g} s", None, now)

    # Inside.

    def _start_more(self, now: float) -> None:
        while self._next and len(self._working) < MOST_AT_ONCE:
            call = next(iter(self._next))
            del self._next[call]
            self._working.add(call)
            self._go_on(call, self._queues[call], now)

    def _go_on(self, call: CallId, queue: _Queue, now: float) -> None:
        if queue.kept or queue.bodies:
            queue.attempt = 0
            self._post(call, queue, now)
        elif queue.part is not None:
            self._part_over(call, queue, now)
        elif queue.waiting:
            queue.part, queue.divisible = queue.waiting.popleft(), True
            self._write(call, queue, queue.part, MAX_BODY)
        else:
            self._rest(call, now)

    def _write(self, call: CallId, queue: _Queue, part: Segment, limit: int) -> None:
        self._act(WriteReport(self._new_upload(call, queue), part, queue.number, limit))

    def _post(self, call: CallId, queue: _Queue, now: float) -> None:
        body = (queue.kept or queue.bodies)[0]
        upload = self._new_upload(call, queue)
        self._timers.set(Timer.UPLOAD_LIMIT, now + ATTEMPT, _Owner(call))
        self._act(PostBody(upload, queue.home.url, queue.home.headers(call), body))

    def _answered(self, call: CallId, queue: _Queue, status: int, retry_after: float | None, now: float) -> None:
        part = queue.part
        if 200 <= status < 300:
            self._settled(call, queue, now)
        elif status == _TOO_LARGE and part is not None and not queue.kept and queue.divisible:
            queue.divisible = False
            size, queue.number = len(queue.bodies[0]), queue.number - len(queue.bodies)
            queue.bodies = ()
            self._write(call, queue, part, size // 2)
        elif refused(status):
            self._give_up(call, f"the platform answers {status}")
            self._settled(call, queue, now)
        else:
            self._try_again(call, queue, f"the platform answers {status}", retry_after, now)

    def _try_again(self, call: CallId, queue: _Queue, reason: str, retry_after: float | None, now: float) -> None:
        pause = pause_after(queue.attempt, retry_after)
        if pause is not None:
            queue.attempt += 1
            self._timers.set(Timer.UPLOAD_AGAIN, now + pause, _Owner(call))
        elif queue.kept:
            self._give_up(call, reason)
            self._settled(call, queue, now)
        else:
            left, queue.bodies = queue.bodies, ()
            if queue.part is not None and not queue.part.last and sum(map(len, left)) <= MAX_BODY:
                queue.kept = left
            else:
                self._give_up(call, reason)
            self._part_over(call, queue, now)

    def _settled(self, call: CallId, queue: _Queue, now: float) -> None:
        """Nothing more is to be done about the body that was posted."""
        if queue.kept:
            queue.kept = queue.kept[1:]
        else:
            queue.bodies, queue.divisible = queue.bodies[1:], False
        self._go_on(call, queue, now)

    def _part_over(self, call: CallId, queue: _Queue, now: float) -> None:
        part, queue.part = queue.part, None
        if part is not None and part.last:
            queue.number = 0  # whoever has the call next counts anew
            if not queue.waiting:
                del self._queues[call]
        if queue.waiting:
            self._go_on(call, queue, now)
        else:
            self._rest(call, now)

    def _rest(self, call: CallId, now: float) -> None:
        """Nothing of this call is under way."""
        self._working.discard(call)
        self._start_more(now)
        if not self.busy:
            self.stay()

    def _forget(self, call: CallId, reason: str) -> None:
        queue = self._queues.pop(call)
        self._abandon(queue)
        self._timers.stop_all(_Owner(call))
        self._working.discard(call)
        self._next.pop(call, None)
        self._give_up(call, reason)

    def _abandon(self, queue: _Queue) -> None:
        upload, queue.upload = queue.upload, None
        if upload is not None:
            del self._uploads[upload]
            self._act(AbandonPost(upload))

    def _give_up(self, call: CallId, reason: str) -> None:
        self._act(GiveUpReport(call, reason))

    def _new_upload(self, call: CallId, queue: _Queue) -> UploadId:
        self._count += 1
        queue.upload = upload = UploadId(self._count)
        self._uploads[upload] = call
        return upload
