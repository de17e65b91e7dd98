"""The record that all parties of a fleet share: who owns which shard, and what has become of each call.

A *shard* is one session with the server, and so many slots for calls. Its *owner*, a worker, holds it by a *lease* that
it must renew. Every grant has a new *epoch*, which is the *fencing token* of all that the owner says: what comes with
an old one is refused. A worker counts its lease from when it asked, the ledger from when it granted, which is later; so
the old owner has stopped before a new one is granted the shard, whatever the network does, as long as their clocks run
at about the same speed. What time it is matters to neither.

The ledger is a replicated state machine's state: requests are data, and the same ones at the same times bring the same
replies. A store keeps it, and applies one request after the other.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from attrs import asdict, evolve, field, frozen

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.fleet.calls import MAX_TEXT, CallRecord, Outcome, Stage, built, record_from_json, record_to_json
from telnyx_core.fleet.requests import (
    Acquire,
    Beat,
    Close,
    Closed,
    Collect,
    Dial,
    Died,
    Fenced,
    Full,
    HandOver,
    HangUp,
    Lease,
    Noted,
    Open,
    Orders,
    Placed,
    Release,
    Reply,
    Report,
    Request,
    Restarted,
    ShardView,
    Taken,
    Told,
    View,
)

LEASE: Final = 5.0
"""Seconds. Longer: a lost node is missed later; shorter: a busy one is taken for lost."""
HEAD: Final = 60.0
"""Seconds after a head's last beat until workers without calls end."""
PATIENCE: Final = 0.5
"""Seconds that an inbound call rings at most before any worker with a slot may take it, be it the fullest one."""
ENDED_KEPT: Final = 10_000
"""Ended calls that are remembered, so that their keys are not dialled again; a hundred bytes each."""
MOST_SHARDS: Final = 1_000
"""Each is a process; and every request passes over all of them."""


@frozen
class _Shard:
    number: int
    slots: int = 0
    epoch: int = 0
    owner: str | None = None
    until: float = 0.0
    leaving: bool = False
    """The owner is to hand over, as soon as there is an heir."""
    heir: str | None = None
    """A worker that waits for the lease, while the owner is to hand over; or nobody, and it is not waited for one."""
    values: JsonView = field(factory=dict[str, Json], repr=False, hash=False)


@frozen
class _Fleet:
    head: str = ""
    """The one that opened it last."""
    headed_until: float = 0.0
    closed: bool = True
    ends: int = 0
    collected: int = 0


class Ledger:
    """Give it requests in any order; ``now`` is the store's clock in seconds, which only ever grows.

    ``lease`` is how long a lease lasts, in seconds. What a request has changed, `changes` gives as documents to be
    kept; `load` takes them, whoever made them.
    """

    def __init__(self, *, lease: float = LEASE) -> None:
        self.lease = lease
        self._fleet = _Fleet()
        self._shards: dict[int, _Shard] = {}
        self._live: dict[str, CallRecord] = {}
        self._ended: dict[str, CallRecord] = {}
        """In the order in which they ended."""
        self._changed: set[str] = set()

    def apply(self, request: Request, *, now: float) -> Reply:
        """Perform one request. A shard that does not exist changes nothing."""
        match request:
            case Acquire(number, owner):
                return self._acquire(number, owner, now)
            case Report(number, epoch):
                shard = self._owned(number, epoch)
                return Fenced() if shard is None else self._report(shard, request, now)
            case Release(number, epoch, values):
                shard = self._owned(number, epoch)
                if shard is None:
                    return Fenced()
                if values is not None:
                    self._put_shard(evolve(shard, values=values))
                self._vacate(number)
                return Noted()
            case Open():
                self._open(request, now)
                return Noted()
            case Beat(since):
                self._put_fleet(evolve(self._fleet, headed_until=now + HEAD))
                return self._view(since, now)
            case Dial():
                return self._dial(request, now)
            case HangUp(key):
                self._hang_up(key)
                return Noted()
            case Died(number, owner):
                shard = self._shards.get(number)
                if shard is not None and shard.owner == owner:
                    self._vacate(number)
                elif shard is not None and shard.heir == owner:
                    self._put_shard(evolve(shard, heir=None))
                return Noted()
            case HandOver(numbers, at_once):
                for shard in [each for each in self._shards.values() if each.number in numbers]:
                    heir = "" if at_once else shard.heir
                    self._put_shard(evolve(shard, leaving=shard.owner is not None, heir=heir))
                return Noted()
            case Close():
                self._put_fleet(evolve(self._fleet, closed=True))
                return Noted()
            case Collect(number):
                collected = max(self._fleet.collected, min(number, self._fleet.ends))
                self._put_fleet(evolve(self._fleet, collected=collected))
                return Noted()
            case Restarted():
                for shard in self._shards.values():
                    self._put_shard(evolve(shard, until=now + self.lease))
                self._put_fleet(evolve(self._fleet, headed_until=now + HEAD))
                return Noted()
            case _:
                assert_never(request)

    # Leases.

    def _owned(self, number: int, epoch: int) -> _Shard | None:
        """Also after the lease's end, as long as it was not given to another: then nothing has gone wrong."""
        shard = self._shards.get(number)
        return shard if shard is not None and shard.owner is not None and shard.epoch == epoch else None

    def _leased(self, shard: _Shard, now: float) -> bool:
        # A clock that was started anew, with the machine, may be far before the end of a lease of earlier.
        return shard.owner is not None and now < shard.until <= now + self.lease

    def _acquire(self, number: int, owner: str, now: float) -> Reply:
        shard = self._shards.get(number)
        if shard is None:
            return Taken(self.lease)
        if shard.owner != owner:
            if self._leased(shard, now):
                if shard.leaving and shard.heir is None:
                    self._put_shard(evolve(shard, heir=owner))
                return Taken(shard.until - now)
            self._vacate(number)
            shard = _Shard(number, shard.slots, shard.epoch + 1, owner, values=shard.values)
            for record in self._of(number):
                if record.stage is Stage.ACTIVE:
                    self._put(evolve(record, owner=owner, moves=record.moves + 1))
        self._put_shard(evolve(shard, until=now + self.lease))
        return Lease(shard.epoch, self.lease, shard.values, tuple(self._of(number)))

    def _vacate(self, number: int) -> None:
        """The owner is gone. What was not answered is over: the server ends it with the socket."""
        self._put_shard(evolve(self._shards[number], owner=None, leaving=False, heir=None))
        for record in self._of(number):
            if record.stage is Stage.DIALLING:
                self._end(record, Told(key=record.key, stage=Stage.ENDED, outcome=Outcome.UNKNOWN))
            elif record.stage is Stage.RINGING:
                self._end(record, Told(key=record.key, stage=Stage.ENDED, outcome=Outcome.LOST))
        self._tidy(number)

    def _tidy(self, number: int) -> None:
        """A shard that a smaller fleet does not need any more goes with its last call."""
        shard = self._shards.get(number)
        if shard is not None and not shard.slots and shard.owner is None and not self._of(number):
            del self._shards[number]
            self._changed.add(f"shard/{number}")

    # A worker's report.

    def _report(self, shard: _Shard, report: Report, now: float) -> Orders:
        values = shard.values if report.values is None else report.values
        shard = self._put_shard(evolve(shard, until=now + self.lease, values=values))
        declined: set[str] = set()
        elsewhere: set[str] = set()
        for told in report.told:
            record = self._live.get(told.key) or self._ended.get(told.key)
            if record is None:
                if told.stage is Stage.RINGING and self._claims(shard, told, now) is False:
                    declined.add(told.key)
            elif record.shard != shard.number:
                elsewhere.add(told.key)
            elif not record.live:
                if told.stage is not Stage.ENDED:
                    declined.add(told.key)
            elif told.stage is Stage.ENDED:
                self._end(record, told)
            elif told.stage > record.stage:
                self._put(evolve(record, stage=told.stage, owner=shard.owner or ""))
        calls = tuple(self._of(shard.number))
        return Orders(
            self.lease,
            calls,
            frozenset(declined),
            frozenset(elsewhere),
            leave=(shard.leaving and shard.heir is not None) or not (shard.slots or calls),
            closed=self._fleet.closed,
            headed=now < self._fleet.headed_until <= now + HEAD,
        )

    def _claims(self, shard: _Shard, told: Told, now: float) -> bool | None:
        """An inbound call rings at a worker, or at several. True: it may answer; ``None``: not yet; False: never."""
        if self._fleet.closed or shard.leaving or not self._free(shard) or len(told.key) > MAX_TEXT:
            return False
        if told.waited < PATIENCE and shard is not self._emptiest(now):
            return None
        self._put(
            CallRecord(
                key=told.key,
                shard=shard.number,
                call=told.call,
                number=told.number[:MAX_TEXT],
                inbound=True,
                stage=Stage.RINGING,
                owner=shard.owner or "",
            )
        )
        return True

    def _end(self, record: CallRecord, told: Told) -> None:
        fleet = self._put_fleet(evolve(self._fleet, ends=self._fleet.ends + 1))
        del self._live[record.key]
        self._ended[record.key] = evolve(
            record,
            stage=Stage.ENDED,
            outcome=told.outcome or Outcome.COMPLETED,
            cause=told.cause,
            code=told.code,
            error=told.error,
            number_of_end=fleet.ends,
        )
        self._changed.add(f"call/{record.key}")
        if len(self._ended) > ENDED_KEPT:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._changed.add(f"call/{oldest}")
        self._tidy(record.shard)

    # Slots.

    def _of(self, number: int) -> list[CallRecord]:
        return [each for each in self._live.values() if each.shard == number]

    def _free(self, shard: _Shard) -> int:
        return shard.slots - len(self._of(shard.number))

    def _emptiest(self, now: float) -> _Shard | None:
        """Of those with a slot; one that no worker has a lease of only where there is no other."""
        having = [each for each in self._shards.values() if self._free(each) > 0 and not each.leaving]
        return min(having, key=lambda each: (not self._leased(each, now), -self._free(each), each.number), default=None)

    def _dial(self, dial: Dial, now: float) -> Reply:
        known = self._live.get(dial.key) or self._ended.get(dial.key)
        if known is not None:
            return Placed(known, new=False)
        if self._fleet.closed:
            return Closed()
        shard = self._emptiest(now)
        if shard is None:
            return Full()
        options = dict(dial.options)
        record = CallRecord(key=dial.key, shard=shard.number, call=dial.call, number=dial.number, options=options)
        return Placed(self._put(record), new=True)

    def _hang_up(self, key: str) -> None:
        record = self._live.get(key)
        if record is None:
            return
        if record.stage is Stage.ASSIGNED:
            self._end(record, Told(key=key, stage=Stage.ENDED, outcome=Outcome.FAILED, cause="ORIGINATOR_CANCEL"))
        else:
            self._put(evolve(record, hangup=True))

    # Heads.

    def _open(self, request: Open, now: float) -> None:
        again = self._fleet.head == request.head
        self._put_fleet(evolve(self._fleet, head=request.head, closed=False, headed_until=now + HEAD))
        slots = dict(enumerate(request.slots[:MOST_SHARDS]))
        for number in slots.keys() | self._shards.keys():
            shard = self._shards.get(number) or _Shard(number)
            leaving = shard.leaving if again else shard.owner is not None
            self._put_shard(evolve(shard, slots=slots.get(number, 0), leaving=leaving))
            self._tidy(number)

    def _view(self, since: int, now: float) -> View:
        shards = tuple(
            ShardView(
                each.number,
                each.slots,
                each.slots - self._free(each),
                each.owner,
                each.epoch,
                each.until - now if self._leased(each, now) else 0.0,
                each.leaving,
            )
            for each in self._shards.values()
        )
        ended: list[CallRecord] = []
        for each in reversed(self._ended.values()):
            if each.number_of_end <= since:
                break
            ended.append(each)
        return View(
            shards, tuple(self._live.values()), tuple(reversed(ended)), self._fleet.collected, self._fleet.closed
        )

    def concerns(self, number: int | None) -> object:
        """What a worker of this shard, or a head, wants to know of: while it is equal, nothing has changed for it."""
        if number is None:
            owners = tuple((each.number, each.owner, each.leaving) for each in self._shards.values())
            return (owners, self._fleet.closed, self._fleet.ends, tuple(self._live.values()))
        shard = self._shards.get(number)
        leaving = shard is not None and (shard.leaving, shard.heir, shard.owner, shard.epoch)
        return (leaving, self._fleet.closed, tuple(self._of(number)))

    # Kept.

    def _put_fleet(self, fleet: _Fleet) -> _Fleet:
        self._fleet = fleet
        self._changed.add("fleet")
        return fleet

    def _put_shard(self, shard: _Shard) -> _Shard:
        self._shards[shard.number] = shard
        self._changed.add(f"shard/{shard.number}")
        return shard

    def _put(self, record: CallRecord) -> CallRecord:
        self._live[record.key] = record
        self._changed.add(f"call/{record.key}")
        return record

    def changes(self) -> dict[str, JsonObject | None]:
        """What has changed since the last time, as documents by name; ``None``: this one is no more.

        They hold session ids, which are worth a session cookie, and no credentials.
        """
        changed, self._changed = self._changed, set()
        return {name: self._document(name) for name in sorted(changed)}

    def _document(self, name: str) -> JsonObject | None:
        kind, _, which = name.partition("/")
        match kind:
            case "fleet":
                return asdict(self._fleet)
            case "shard":
                shard = self._shards.get(int(which))
                return None if shard is None else asdict(shard, recurse=False)
            case _:
                record = self._live.get(which) or self._ended.get(which)
                return None if record is None else record_to_json(record)

    def load(self, documents: Mapping[str, JsonView | None]) -> None:
        """Take over what another one has changed. Raises ``ValueError`` for what `changes` does not make."""
        ended: list[CallRecord] = []
        for name, document in documents.items():
            kind, _, which = name.partition("/")
            if kind == "fleet" and document is not None:
                self._fleet = built(_Fleet, document)
            elif kind == "shard":
                self._shards.pop(int(which), None)
                if document is not None:
                    self._shards[int(which)] = built(_Shard, document)
            elif kind == "call":
                self._live.pop(which, None)
                self._ended.pop(which, None)
                record = None if document is None else record_from_json(document)
                if record is not None and record.live:
                    self._live[which] = record
                elif record is not None:
                    ended.append(record)
        for record in sorted(ended, key=lambda each: each.number_of_end):
            self._ended[record.key] = record
