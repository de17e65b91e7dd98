"""One worker's side of its lease: when to renew it, what to do about each call, and when to stop.

Facts and the time go in, actions and one deadline come out. One request is under way at a time. The lease counts from
when the request was *asked*, so that it ends here before it ends in the ledger; with the margin there is time to leave.
"""

import math
from collections import deque
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from attrs import field, frozen

from telnyx_core._wire.json_types import JsonView
from telnyx_core.fleet.calls import CallRecord, Outcome, Stage
from telnyx_core.fleet.ledger import LEASE
from telnyx_core.fleet.requests import (
    Acquire,
    Closed,
    Fenced,
    Full,
    Lease,
    Noted,
    Orders,
    Placed,
    Release,
    Reply,
    Report,
    Taken,
    Told,
    View,
    WorkerRequest,
)

MARGIN: Final = 0.2
"""Of a lease: what is left for leaving, and for clocks that do not run at the same speed."""
RENEW: Final = 0.2
"""Of a lease: from one renewal to the next, so that three may be lost."""
ASK: Final = 0.2
"""Of a lease: after so long a request or its reply counts as lost."""
RETRY: Final = 0.1
"""Seconds until a store that could not be reached, or a lease that was taken, is asked again."""
RINGS: Final = 0.1
"""Seconds between two requests to be allowed to answer."""
ATTACH: Final = 8.0
"""Seconds from the registration until an answered call that the server has not offered again counts as lost."""
LEAVE: Final = 30.0
"""Seconds that unanswered calls have to be answered, or not, before a worker that is to hand over leaves."""


# Facts.


@frozen
class Replied:
    """The store has applied request ``number``."""

    number: int
    reply: Reply


@frozen
class Unreachable:
    """Request ``number`` failed. It may have been applied all the same."""

    number: int


@frozen
class StoreChanged:
    """Another party has changed the ledger."""


@frozen
class Registered:
    """The client is registered with the server."""


@frozen
class Rang:
    """An inbound call rings. ``key`` is the same at every worker where it does."""

    key: str
    call: str
    number: str


@frozen
class Recovered:
    """The server has offered an answered call again."""

    call: str


@frozen
class Progress:
    """A call rings at the far end, or is answered."""

    key: str
    stage: Stage


@frozen
class Over:
    """A call has ended."""

    key: str
    outcome: Outcome
    cause: str | None = None
    code: int | None = None
    error: str | None = None


@frozen
class Saved:
    """The session's values have changed."""

    values: JsonView = field(repr=False)


@frozen
class Left:
    """The client has left, as `Leave` asked."""


@frozen
class Asked:
    """The process is to end: hand over, as when the ledger says so."""


WorkerFact: TypeAlias = (
    Replied | Unreachable | StoreChanged | Registered | Rang | Recovered | Progress | Over | Saved | Left | Asked
)

# Actions.


@frozen
class Ask:
    """Have the store apply this, and tell with `Replied` or `Unreachable`."""

    number: int
    request: WorkerRequest


@frozen
class Connect:
    """The lease is granted: log in, with these values of the session."""

    values: JsonView = field(repr=False, hash=False)


@frozen
class Place:
    """Dial, once, with the id that the record gives."""

    record: CallRecord


@frozen
class Take:
    """Give this inbound call to the bot."""

    record: CallRecord


@frozen
class Resume:
    """Give this call, which another worker had before, to the bot."""

    record: CallRecord


@frozen
class Decline:
    """There is no slot for this inbound call."""

    key: str


@frozen
class EndCall:
    """Hang this call up."""

    key: str


@frozen
class EndStranger:
    """Hang up a call that the server has kept, and of which the ledger knows nothing."""

    call: str


@frozen
class Leave:
    """End the bots and leave without hanging up; then tell `Left`."""


class Why(StrEnum):
    """Why a worker stops."""

    RELEASED = "released"
    FENCED = "fenced"
    EXPIRED = "expired"


@frozen
class Stop:
    """End the process, and at once where the lease has come to its end: no BYE, no login, nothing."""

    why: Why


WorkerAction: TypeAlias = Ask | Connect | Place | Take | Resume | Decline | EndCall | EndStranger | Leave | Stop


@frozen
class _Ringing:
    call: str
    number: str
    since: float


class Worker:
    """The machine. ``shard`` is what it is to own, ``owner`` its name, which no other worker ever has."""

    def __init__(self, shard: int, owner: str) -> None:
        self.shard = shard
        self.owner = owner
        self.epoch: int | None = None
        """The fencing token, while it has the lease."""
        self.stopped = False
        self._actions: deque[WorkerAction] = deque()
        self._calls: dict[str, CallRecord] = {}
        """The shard's live calls, as the ledger said last."""
        self._mine: set[str] = set()
        """Those that this worker has begun, been allowed to answer, or resumed; also when they are over, until the
        ledger knows."""
        self._ringing: dict[str, _Ringing] = {}
        self._told: dict[str, Told] = {}
        """To be told to the ledger."""
        self._values: JsonView | None = None
        self._ending: set[str] = set()
        self._fence = 0.0
        self._asks = 0
        self._asked: tuple[Ask, float] | None = None
        self._ask_at = 0.0
        """When the lease is to be asked for, or renewed."""
        self._news = False
        """There is something to tell, or to be told, before that."""
        self._pause_until = -math.inf
        """Not before."""
        self._lasts = LEASE
        self._attach_by: float | None = None
        self._leave_by: float | None = None
        self._leaving = False
        self._leave_ordered = False
        self._left = False

    # Looking.

    def next_action(self) -> WorkerAction | None:
        return self._actions.popleft() if self._actions else None

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        if self.stopped:
            return None
        ask_at = max(self._pause_until, -math.inf if self._news else self._ask_at)
        dues = [ask_at if self._asked is None else self._asked[1] + self._lasts * ASK]
        if self.epoch is not None:
            dues.append(self._fence)
        dues += [due for due in (self._attach_by, self._leave_by) if due is not None]
        return min(dues)

    @property
    def fence(self) -> float | None:
        """When the lease ends here, unless it is renewed; ``None`` where there is none to lose."""
        return self._fence or None

    @property
    def margin(self) -> float:
        """Seconds from `fence` until another worker may have the lease."""
        return self._lasts * MARGIN

    # The drive.

    def start(self, *, now: float) -> None:
        """Ask for the lease."""
        self._news = True
        self._ask_if_due(now)

    def receive(self, fact: WorkerFact, *, now: float) -> None:
        """Take note of what has happened. After `Stop` nothing does."""
        if self.stopped:
            return
        if self.epoch is not None and now >= self._fence:
            self._stop(Why.EXPIRED)  # A fact may be read before the deadline that was due earlier.
            return
        match fact:
            case Replied(number, reply):
                if self._asked is not None and self._asked[0].number == number:
                    ask, asked_at = self._asked
                    self._asked = None
                    self._replied(ask.request, reply, asked_at, now)
            case Unreachable(number):
                if self._asked is not None and self._asked[0].number == number:
                    self._asked = None
                    self._news = True
                    self._pause_until = now + RETRY
            case StoreChanged():
                self._news = True
            case Asked():
                self._begin_to_leave(now)
            case Registered():
                if any(each.stage is Stage.ACTIVE for each in self._calls.values()):
                    self._attach_by = now + ATTACH
            case Rang(key, call, number):
                self._ringing[key] = _Ringing(call, number, now)
                self._news = True
            case Recovered(call):
                self._recovered(call)
            case Progress(key, stage):
                self._tell(Told(key=key, stage=stage))
            case Over(key, outcome, cause, code, error):
                if self._ringing.pop(key, None) is None:
                    told = Told(key=key, stage=Stage.ENDED, outcome=outcome, cause=cause, code=code, error=error)
                    self._tell(told)
            case Saved(values):
                self._values = values
                self._news = True
            case Left():
                self._left = True
                self._news = True
            case _:
                assert_never(fact)
        self._ask_if_due(now)

    def handle_timeout(self, *, now: float) -> None:
        """A deadline has passed."""
        if self.stopped:
            return
        if self.epoch is not None and now >= self._fence:
            self._stop(Why.EXPIRED)
            return
        if self._asked is not None and now >= self._asked[1] + self._lasts * ASK:
            self._asked = None
            self._news = True
        if self._attach_by is not None and now >= self._attach_by:
            self._attach_by = None
            for record in self._calls.values():
                if record.stage is Stage.ACTIVE and record.key not in self._mine:
                    self._tell(Told(key=record.key, stage=Stage.ENDED, outcome=Outcome.LOST))
        if self._leave_by is not None and now >= self._leave_by:
            self._leave()
        self._ask_if_due(now)

    # Asking.

    def _ask_if_due(self, now: float) -> None:
        due = now >= self._pause_until and (self._news or now >= self._ask_at)
        if self.stopped or self._asked is not None or not due:
            return
        self._news = False
        if self.epoch is None:
            request: WorkerRequest = Acquire(self.shard, self.owner)
        elif self._left:
            request = Release(self.shard, self.epoch, self._values)
        else:
            waiting = (
                Told(key=key, stage=Stage.RINGING, call=each.call, number=each.number, waited=now - each.since)
                for key, each in self._ringing.items()
            )
            request = Report(self.shard, self.epoch, (*self._told.values(), *waiting), self._values)
        self._asks += 1
        ask = Ask(self._asks, request)
        self._asked = (ask, now)
        self._actions.append(ask)

    def _tell(self, told: Told) -> None:
        before = self._told.get(told.key)
        if before is None or told.stage > before.stage:
            self._told[told.key] = told
        self._news = True

    def _replied(self, request: WorkerRequest, reply: Reply, asked_at: float, now: float) -> None:
        match reply:
            case Lease(epoch, lasts, values, calls):
                self.epoch = epoch
                self._renewed(lasts, asked_at, now)
                self._calls = {each.key: each for each in calls}
                self._actions.append(Connect(values))
                self._begin_calls()
            case Taken(ends_in):
                self._ask_at = now + min(RETRY, ends_in)
            case Orders():
                assert isinstance(request, Report), "orders are the reply to a report"
                self._renewed(reply.lasts, asked_at, now)
                self._ordered(request, reply, now)
            case Fenced():
                self._stop(Why.RELEASED if self._left else Why.FENCED)
            case Noted():
                self._stop(Why.RELEASED)
            case Placed() | Full() | Closed() | View():
                raise AssertionError("no worker asks for these")
            case _:
                assert_never(reply)

    def _renewed(self, lasts: float, asked_at: float, now: float) -> None:
        self._lasts = lasts
        self._fence = asked_at + lasts * (1 - MARGIN)
        self._ask_at = now + lasts * RENEW

    def _ordered(self, request: Report, orders: Orders, now: float) -> None:
        for told in request.told:
            if self._told.get(told.key) == told:
                del self._told[told.key]
        if request.values is self._values:
            self._values = None
        self._calls = {each.key: each for each in orders.calls}
        self._mine &= self._calls.keys()
        self._ending &= self._calls.keys()
        for key in orders.declined:
            if self._ringing.pop(key, None) is not None:
                self._actions.append(Decline(key))
        for key in orders.elsewhere:
            self._ringing.pop(key, None)
        if self._told or self._values is not None or self._left:
            self._news = True
        elif self._ringing:
            self._ask_at = now + RINGS
        idle = not (self._calls or self._ringing)
        if orders.leave or (idle and not orders.headed):
            self._begin_to_leave(now)
        self._begin_calls()
        if self._leaving and not self._unanswered():
            self._leave()

    # Calls.

    def _begin_calls(self) -> None:
        for record in self._calls.values():
            key = record.key
            if key in self._mine:
                if record.hangup and key not in self._ending:
                    self._ending.add(key)
                    self._actions.append(EndCall(key))
                continue
            match record.stage:
                case Stage.ASSIGNED:
                    if not self._leaving:
                        self._tell(Told(key=key, stage=Stage.DIALLING))
                case Stage.DIALLING:
                    if record.hangup:
                        self._tell(_cancelled(key))
                    elif key not in self._told:
                        self._mine.add(key)
                        self._actions.append(Place(record))
                case Stage.RINGING:
                    if self._ringing.pop(key, None) is not None:
                        self._mine.add(key)
                        self._actions.append(Take(record))
                    else:  # The caller gave up before the ledger allowed to answer.
                        self._tell(_cancelled(key))
                case Stage.ACTIVE | Stage.ENDED:
                    pass  # The server has yet to offer it again.

    def _recovered(self, call: str) -> None:
        record = next((each for each in self._calls.values() if each.call == call), None)
        if record is None:
            self._actions.append(EndStranger(call))
        elif record.key not in self._mine:
            self._mine.add(record.key)
            self._actions.append(Resume(record))

    # The end.

    def _unanswered(self) -> bool:
        return any(
            each.key in self._mine and each.stage in (Stage.DIALLING, Stage.RINGING) for each in self._calls.values()
        )

    def _begin_to_leave(self, now: float) -> None:
        if self.epoch is None:
            self._stop(Why.RELEASED)
        elif not self._leaving:
            self._leaving = True
            self._leave_by = now + LEAVE
            self._news = True

    def _leave(self) -> None:
        self._leave_by = None
        if not self._leave_ordered:
            self._leave_ordered = True
            self._actions.append(Leave())

    def _stop(self, why: Why) -> None:
        self.stopped = True
        self.epoch = None
        if why is Why.RELEASED:
            self._fence = 0.0
        self._actions.append(Stop(why))


def _cancelled(key: str) -> Told:
    return Told(key=key, stage=Stage.ENDED, outcome=Outcome.FAILED, cause="ORIGINATOR_CANCEL")
