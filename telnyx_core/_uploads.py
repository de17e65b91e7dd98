"""Call reports and recordings on their way: what is posted, in which order, and when again (quality.md 4.4 and 7).

The parts of one queue go one after the other: those of a call's report, and those of each track of its recording. The
queues do not wait for each other. The driver writes a part as JSON and posts what it is given; every attempt, pause and
number is decided here.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, assert_never

from attrs import define, field, frozen

from telnyx_core._reports.recording import RecordedPart
from telnyx_core._reports.segment import MAX_BODY, Segment
from telnyx_core._time.timers import Timer, TimerTable
from telnyx_core.actions import (
    AbandonPost,
    GiveUpUpload,
    PostBody,
    RecordCall,
    UploadAction,
    WriteRecording,
    WriteReport,
)
from telnyx_core.facts import PostAnswered, PostFailed, UploadFact, UploadWritten
from telnyx_core.ids import CallId, UploadId
from telnyx_core.options import RecordedTrack

PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds before each further attempt (STATS-242)."""
LONGEST_PAUSE: Final = 60.0
"""Seconds that a server may ask to be left alone; then the part is kept until the next one is sent."""
MOST_WAITING: Final = 8
"""Parts of one queue that wait: each is minutes of it, so the platform has not answered for half an hour or more."""
MOST_AT_ONCE: Final = 32
"""Queues whose parts are under way: when a socket is lost, a thousand calls have one at the same moment."""

ATTEMPT: Final = 10.0
"""Seconds for one attempt (STATS-243)."""
LEAVING: Final = 10.0
"""Seconds that a client which disconnects waits for its reports (SIG-280, STATS-245)."""

_REFUSED: Final = frozenset({400, 401, 403, 404, 413})
"""To the same body no other answer can be expected (STATS-242)."""
_TOO_LARGE: Final = 413

Part: TypeAlias = Segment | RecordedPart
Key: TypeAlias = CallId | tuple[CallId, RecordedTrack]
"""Of a queue: a call's report, or one track of its recording."""


def _call(part: Part) -> CallId:
    return part.call.id if isinstance(part, Segment) else part.call


def _key(part: Part) -> Key:
    return part.call.id if isinstance(part, Segment) else (part.call, part.track)


@frozen
class _Owner:
    """Of a deadline. Not the call's id, which owns the deadlines of the call itself."""

    key: Key


@define
class _Queue:
    newest: Part
    """Says where everything in this queue goes."""
    waiting: deque[Part] = field(factory=lambda: deque[Part]())
    """Parts that are not under way yet."""
    number: int = 0
    """Of the next body (STATS-224)."""
    kept: tuple[bytes, ...] = ()
    """Bodies that could not be sent; they go before the next part (STATS-225)."""
    part: Part | None = None
    """Under way."""
    bodies: tuple[bytes, ...] = ()
    """What is still to be sent of it, once it is written."""
    divisible: bool = False
    """None of it has been taken or refused yet, so it can be written again in smaller pieces, once: the audio of a
    recording is gone by then.
    """
    attempt: int = 0
    upload: UploadId | None = None
    """What the driver is doing; ``None`` in a pause, and at rest."""


def _within(most: int, bodies: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The newest of them, as many as have room in ``most`` bytes."""
    while sum(map(len, bodies)) > most:
        bodies = bodies[1:]
    return bodies


class UploadQueues:
    """Orders go to ``act``. Deadlines are set in ``timers``; when one is over, `timed_out` has to be called.

    A part is written by the driver itself, so that has no deadline but the end of the session; a post has one.
    """

    def __init__(self, act: Callable[[UploadAction], None], timers: TimerTable) -> None:
        self._act = act
        self._timers = timers
        self.queues: dict[Key, _Queue] = {}
        self.working: set[Key] = set()
        self._next: dict[Key, None] = {}
        """Queues that wait until another one is done, in order."""
        self._uploads: dict[UploadId, Key] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        """Something is under way, or waits to be."""
        return bool(self.working)

    def has(self, key: Key) -> bool:
        """Something of this queue is under way, or waits to be."""
        return key in self.working or key in self._next

    def add(self, part: Part, now: float) -> None:
        """Send this part after everything else of its queue."""
        key = _key(part)
        queue = self.queues.setdefault(key, _Queue(part))
        queue.newest = part
        if len(queue.waiting) == MOST_WAITING:
            queue.waiting.popleft()
            self._give_up(key, "the platform is too slow")
        queue.waiting.append(part)
        if key not in self.working:
            self._next[key] = None
            self._start_more(now)

    def leave(self, now: float) -> None:
        """The session has ended: what is not sent within `LEAVING` is given up."""
        if self.busy:
            self._timers.set(Timer.UPLOADS_END, now + LEAVING)

    def stay(self) -> None:
        """The session begins again."""
        self._timers.stop(Timer.UPLOADS_END)

    def rest_of(self, open_calls: Iterable[Segment], to: "UploadQueues", now: float) -> None:
        """Have another one send what is left here, and the parts of calls that have not ended. Changes nothing here.

        A body that is written keeps its number, and is not written anew: others of its part may have arrived. Audio
        that is not written yet is left: only the driver of the call has it.
        """
        for key, queue in list(self.queues.items()):
            again = () if queue.part is None or queue.bodies else (queue.part,)
            waiting = deque(part for part in (*again, *queue.waiting) if isinstance(part, Segment))
            to.queues[key] = _Queue(queue.newest, deque[Part](waiting), queue.number, queue.kept + queue.bodies)
        for segment in open_calls:
            to.queues.setdefault(segment.call.id, _Queue(segment)).waiting.append(segment)
        to._next.update(dict.fromkeys(key for key, queue in to.queues.items() if queue.kept or queue.waiting))
        to._start_more(now)

    def handle_fact(self, fact: UploadFact, now: float) -> None:
        """One for an upload that was abandoned changes nothing."""
        key = self._uploads.pop(fact.upload, None)
        if key is None:
            return
        queue = self.queues[key]
        queue.upload = None
        self._timers.stop(Timer.UPLOAD_LIMIT, _Owner(key))
        match fact:
            case UploadWritten(_, bodies):
                queue.bodies = bodies
                queue.number += len(bodies)
                self._go_on(key, queue, now)
            case PostAnswered(_, status, retry_after):
                self._answered(key, queue, status, retry_after, now)
            case PostFailed(_, reason):
                self._try_again(key, queue, reason, None, now)
            case _:
                assert_never(fact)

    def timed_out(self, timer: Timer, owner: object, now: float) -> None:
        if timer is Timer.UPLOADS_END:
            for key in (*self.working, *self._next):
                self._forget(key, "the client has left")
            return
        assert isinstance(owner, _Owner), "owned by a call's queue"
        queue = self.queues[owner.key]
        if timer is Timer.UPLOAD_AGAIN:
            self._post(owner.key, queue, now)
        else:
            self._abandon(queue)
            self._try_again(owner.key, queue, f"no answer within {ATTEMPT:g} s", None, now)

    # Inside.

    def _start_more(self, now: float) -> None:
        while self._next and len(self.working) < MOST_AT_ONCE:
            key = next(iter(self._next))
            del self._next[key]
            self.working.add(key)
            self._go_on(key, self.queues[key], now)

    def _go_on(self, key: Key, queue: _Queue, now: float) -> None:
        if queue.kept or queue.bodies:
            queue.attempt = 0
            self._post(key, queue, now)
        elif queue.part is not None:
            self._part_over(key, queue, now)
        elif queue.waiting:
            queue.part = part = queue.waiting.popleft()
            queue.divisible = isinstance(part, Segment)
            self._write(key, queue, part, MAX_BODY)
        else:
            self._rest(key, now)

    def _write(self, key: Key, queue: _Queue, part: Part, limit: int) -> None:
        upload = self._new_upload(key, queue)
        if isinstance(part, Segment):
            self._act(WriteReport(upload, part, queue.number, limit))
        else:
            self._act(WriteRecording(upload, part))

    def _post(self, key: Key, queue: _Queue, now: float) -> None:
        body, part = (queue.kept or queue.bodies)[0], queue.newest
        upload = self._new_upload(key, queue)
        self._timers.set(Timer.UPLOAD_LIMIT, now + ATTEMPT, _Owner(key))
        self._act(PostBody(upload, part.url, part.home.headers(_call(part)), body))

    def _answered(self, key: Key, queue: _Queue, status: int, retry_after: float | None, now: float) -> None:
        part = queue.part
        if 200 <= status < 300:
            self._settled(key, queue, now)
        elif status == _TOO_LARGE and part is not None and not queue.kept and queue.divisible:
            queue.divisible = False
            size, queue.number = len(queue.bodies[0]), queue.number - len(queue.bodies)
            queue.bodies = ()
            self._write(key, queue, part, size // 2)
        elif status in _REFUSED:
            self._give_up(key, f"the platform answers {status}")
            self._settled(key, queue, now)
        else:
            self._try_again(key, queue, f"the platform answers {status}", retry_after, now)

    def _try_again(self, key: Key, queue: _Queue, reason: str, retry_after: float | None, now: float) -> None:
        newest = queue.newest
        if queue.attempt < len(PAUSES):
            pause = max(PAUSES[queue.attempt], min(retry_after or 0.0, LONGEST_PAUSE))
            queue.attempt += 1
            self._timers.set(Timer.UPLOAD_AGAIN, now + pause, _Owner(key))
        elif isinstance(newest, RecordedPart) and not newest.last:
            left, queue.bodies = queue.kept or queue.bodies, ()
            queue.kept = _within(newest.keeps, left)
            if len(queue.kept) < len(left):
                self._give_up(key, reason)
            queue.waiting.clear()  # the driver has its audio still, for the part that comes after these bodies
            self._part_over(key, queue, now)
        elif queue.kept or isinstance(newest, RecordedPart):
            self._give_up(key, reason)
            self._settled(key, queue, now)
        else:
            left, queue.bodies = queue.bodies, ()
            if queue.part is not None and not queue.part.last and sum(map(len, left)) <= MAX_BODY:
                queue.kept = left
            else:
                self._give_up(key, reason)
            self._part_over(key, queue, now)

    def _settled(self, key: Key, queue: _Queue, now: float) -> None:
        """Nothing more is to be done about the body that was posted."""
        if queue.kept:
            queue.kept = queue.kept[1:]
        else:
            queue.bodies, queue.divisible = queue.bodies[1:], False
        self._go_on(key, queue, now)

    def _part_over(self, key: Key, queue: _Queue, now: float) -> None:
        part, queue.part = queue.part, None
        if part is not None and part.last:
            queue.number = 0  # whoever has the call next counts anew
            if not queue.waiting:
                del self.queues[key]
        if queue.waiting:
            self._go_on(key, queue, now)
        else:
            self._rest(key, now)

    def _rest(self, key: Key, now: float) -> None:
        """Nothing of this queue is under way."""
        self.working.discard(key)
        self._start_more(now)
        if not self.busy:
            self.stay()

    def _forget(self, key: Key, reason: str) -> None:
        queue = self.queues.pop(key)
        self._abandon(queue)
        self._timers.stop_all(_Owner(key))
        self.working.discard(key)
        self._next.pop(key, None)
        self._give_up(key, reason)
        if isinstance(queue.newest, RecordedPart):
            self._act(RecordCall(queue.newest.call, "dropped"))

    def _abandon(self, queue: _Queue) -> None:
        upload, queue.upload = queue.upload, None
        if upload is not None:
            del self._uploads[upload]
            self._act(AbandonPost(upload))

    def _give_up(self, key: Key, reason: str) -> None:
        if isinstance(key, tuple):
            self._act(GiveUpUpload(key[0], "recording", reason))
        else:
            self._act(GiveUpUpload(key, "report", reason))

    def _new_upload(self, key: Key, queue: _Queue) -> UploadId:
        self._count += 1
        queue.upload = upload = UploadId(self._count)
        self._uploads[upload] = key
        return upload
