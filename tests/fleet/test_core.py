"""Leases, slots and keys under loss, delay, partition, crash and clocks that run at different speeds."""

import heapq
import itertools
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telnyx_core.fleet import worker as act
from telnyx_core.fleet.calls import CallRecord, Outcome, Stage
from telnyx_core.fleet.head import Head, KillWorker, StartWorker
from telnyx_core.fleet.ledger import Ledger
from telnyx_core.fleet.requests import (
    Acquire,
    Beat,
    Close,
    Collect,
    Dial,
    Died,
    HandOver,
    HangUp,
    Lease,
    Open,
    Placed,
    Reply,
    Request,
    Restarted,
    View,
)
from telnyx_core.fleet.worker import Worker

SLOTS = (2, 1)


class Process:
    """A worker with a clock of its own, and with a client that does what it is told."""

    def __init__(self, world: "World", shard: int, owner: str) -> None:
        self.world = world
        self.machine = Worker(shard, owner)
        self.rate = world.rng.uniform(0.98, 1.02)
        self.offset = world.rng.uniform(-1e6, 1e6)
        self.cut = False
        """No message to or from the store."""
        self.frozen = False
        self.alive = True
        self.connected = False
        self.has: dict[str, str] = {}
        """The calls that its client has, by key, with their ids."""
        self.rings: dict[str, str] = {}

    @property
    def now(self) -> float:
        return self.world.now * self.rate + self.offset

    @property
    def acts(self) -> bool:
        return self.alive and not self.frozen

    def later(self, delay: float, what: Callable[[], None]) -> None:
        """Something happens here, as soon as the process runs."""

        def run() -> None:
            if self.frozen and self.alive:
                self.world.at(0.1, run)
            elif self.alive:
                what()

        self.world.at(delay, run)

    def receive(self, fact: act.WorkerFact) -> None:
        if self.acts:
            self.machine.receive(fact, now=self.now)
            self.drain()

    def drain(self) -> None:
        while self.alive and (action := self.machine.next_action()) is not None:
            self.perform(action)
        due = self.machine.next_timeout()
        if due is not None and self.alive:
            self.later(max(0.0, (due - self.now) / self.rate) + 1e-9, self.wake)

    def wake(self) -> None:
        due = self.machine.next_timeout()
        if due is not None and due <= self.now:
            self.machine.handle_timeout(now=self.now)
        self.drain()

    def perform(self, action: act.WorkerAction) -> None:
        world = self.world
        match action:
            case act.Ask(number, request):
                self.ask(number, request)
            case act.Connect():
                self.connect()
            case act.Place(record):
                assert self.connected, "it dials under a lease"
                world.dialled[record.key] += 1
                world.assert_owner(self)
                self.has[record.key] = record.call
                world.server[record.call] = (self.machine.shard, record.key, False)
            case act.Take(record):
                world.assert_owner(self)
                assert self.rings.pop(record.key) == record.call
                self.has[record.key] = record.call
                world.taken[record.key] += 1
                world.server[record.call] = (self.machine.shard, record.key, False)
            case act.Resume(record):
                self.has[record.key] = record.call
            case act.Decline(key):
                self.rings.pop(key, None)
            case act.EndCall(key):
                self.later(0.1, lambda: self.over(key, Outcome.COMPLETED))
            case act.EndStranger(call):
                world.server.pop(call, None)
            case act.Leave():
                self.later(world.rng.uniform(0, 1), self.leave)
            case act.Stop(why):
                world.stops[why] += 1
                self.die()

    def ask(self, number: int, request: Request) -> None:
        world = self.world

        def arrive() -> None:
            if self.cut or world.loses():
                return
            reply = world.apply(request, self)
            if not world.loses():
                self.later(world.delay(), lambda: self.answered(number, reply))

        if self.cut and world.rng.random() < 0.5:
            self.later(0.01, lambda: self.receive(act.Unreachable(number)))
        else:
            world.at(world.delay(), arrive)

    def answered(self, number: int, reply: Reply) -> None:
        if not self.cut:
            self.receive(act.Replied(number, reply))

    def connect(self) -> None:
        for other in self.world.processes.values():
            if other is not self and other.machine.shard == self.machine.shard and other.connected:
                # A process that stands still does nothing; when it goes on, its lease has ended.
                assert other.frozen, f"{other.machine.owner} has not stopped yet"
        self.connected = True
        self.later(self.world.rng.uniform(0, 2), self.registered)

    def registered(self) -> None:
        """The server offers the calls that it has kept."""
        world = self.world
        for call, (shard, _, answered) in list(world.server.items()):
            if shard == self.machine.shard and call not in self.has.values():
                if answered and world.rng.random() < 0.9:
                    self.receive(act.Recovered(call))
                else:
                    del world.server[call]
        self.receive(act.Registered())

    def leave(self) -> None:
        self.connected = False
        self.has.clear()
        self.receive(act.Left())

    def over(self, key: str, outcome: Outcome) -> None:
        call = self.has.pop(key, None)
        if call is not None:
            self.world.server.pop(call, None)
            self.receive(act.Over(key, outcome, "NORMAL_CLEARING", 16))

    def die(self) -> None:
        self.alive = self.connected = False
        self.has.clear()
        self.world.gone(self)


class World(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), loss=st.sampled_from([0.0, 0.1, 0.4]), slowest=st.sampled_from([0.01, 0.3]))
    def begin(self, seed: int, loss: float, slowest: float) -> None:
        self.rng = Random(seed)
        self.loss, self.slowest = loss, slowest
        self.now = 0.0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.ledger = Ledger()
        self.clock = 0.0
        self.replica = Ledger()
        self.processes: dict[str, Process] = {}
        self.server: dict[str, tuple[int, str, bool]] = {}
        self.dialled: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.grants: dict[tuple[int, int], str] = {}
        self.keys = itertools.count(1)
        self.asked: set[str] = set()
        self.ends: list[CallRecord] = []
        self.head: Head | None = None
        self.heads = itertools.count(1)
        self.new_head()

    # The world.

    def at(self, delay: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.order), what))

    def loses(self) -> bool:
        return self.rng.random() < self.loss

    def delay(self) -> float:
        return self.rng.uniform(0, self.slowest)

    def apply(self, request: Request, process: Process | None = None) -> Reply:
        reply = self.ledger.apply(request, now=self.now + self.clock)
        changes: Any = json.loads(json.dumps(self.ledger.changes()))
        self.replica.load(changes)
        if isinstance(reply, Lease) and isinstance(request, Acquire):
            assert self.grants.setdefault((request.shard, reply.epoch), request.owner) == request.owner
            assert reply.epoch == max(epoch for shard, epoch in self.grants if shard == request.shard)
        return reply

    def assert_owner(self, process: Process) -> None:
        epoch = process.machine.epoch
        assert epoch is not None
        assert (process.machine.shard, epoch) in self.grants

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.queue and self.queue[0][0] <= end:
            self.now, _, what = heapq.heappop(self.queue)
            what()
        self.now = end

    def new_head(self) -> None:
        head = self.head = Head(f"head{next(self.heads)}", rng=self.rng)
        self.apply(Open(head.name, SLOTS))

        def beat() -> None:
            if self.head is head:
                view = self.apply(Beat(self.ends[-1].number_of_end if self.ends else 0))
                assert isinstance(view, View)
                self.ends += view.ended
                if self.ends:
                    self.apply(Collect(self.ends[-1].number_of_end))
                head.looked(view, now=self.now)
                while (action := head.next_action()) is not None:
                    match action:
                        case StartWorker(shard, owner):
                            self.at(self.rng.uniform(0, 1), lambda shard=shard, owner=owner: self.start(shard, owner))
                        case KillWorker(_, owner):
                            self.processes[owner].die()
                self.at(0.5, beat)

        beat()

    def start(self, shard: int, owner: str) -> None:
        process = self.processes[owner] = Process(self, shard, owner)
        process.machine.start(now=process.now)
        process.drain()

    def gone(self, process: Process) -> None:
        """A head that is there sees its own child end, some time later."""
        head, shard, owner = self.head, process.machine.shard, process.machine.owner

        def seen() -> None:
            if head is not None and self.head is head and owner.startswith(head.name + "-"):
                self.apply(Died(shard, owner))
                head.ended(owner, now=self.now)

        self.at(self.rng.uniform(0, 0.5), seen)

    # What may happen.

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(seconds)

    @rule(again=st.booleans())
    def dial(self, again: bool) -> None:
        key = f"lead-{next(self.keys)}"
        for _ in range(1 + again):
            reply = self.apply(Dial(key, f"call-{key}", "+1555"))
            if isinstance(reply, Placed):
                self.asked.add(key)

    @rule()
    def somebody_calls(self) -> None:
        key = f"caller-{next(self.keys)}"
        for process in self.processes.values():
            if process.acts and process.connected:
                process.rings[key] = f"call-{key}-{process.machine.shard}"
                process.receive(act.Rang(key, process.rings[key], "+1666"))

    @rule(number=st.integers(0, 5), stage=st.sampled_from([Stage.RINGING, Stage.ACTIVE, Stage.ENDED]))
    def a_call_goes_on(self, number: int, stage: Stage) -> None:
        calls = [(each, key) for each in self.processes.values() if each.acts for key in each.has]
        if not calls:
            return
        process, key = calls[number % len(calls)]
        if stage is Stage.ENDED:
            process.over(key, Outcome.COMPLETED)
        else:
            shard, _, answered = self.server[process.has[key]]
            self.server[process.has[key]] = (shard, key, answered or stage is Stage.ACTIVE)
            process.receive(act.Progress(key, stage))

    def some(self, number: int) -> Process | None:
        alive = [each for each in self.processes.values() if each.alive]
        return alive[number % len(alive)] if alive else None

    @rule(number=st.integers(0, 3))
    def a_worker_crashes(self, number: int) -> None:
        if (process := self.some(number)) is not None:
            process.die()

    @rule(number=st.integers(0, 3))
    def a_worker_is_cut_off_or_back(self, number: int) -> None:
        if (process := self.some(number)) is not None:
            process.cut = not process.cut

    @rule(number=st.integers(0, 3))
    def a_worker_stands_still_or_goes_on(self, number: int) -> None:
        if (process := self.some(number)) is not None:
            process.frozen = not process.frozen
            process.wake() if process.acts else None

    @rule(shard=st.integers(0, 1))
    def hand_over(self, shard: int) -> None:
        self.apply(HandOver((shard,)))

    @rule(number=st.integers(0, 5))
    def hang_up(self, number: int) -> None:
        if self.asked:
            self.apply(HangUp(sorted(self.asked)[number % len(self.asked)]))

    @rule(clock=st.floats(-1e5, 1e5))
    def the_store_goes_on_elsewhere(self, clock: float) -> None:
        self.clock = clock
        self.apply(Restarted())

    @precondition(lambda self: self.head is not None)
    @rule()
    def the_head_is_lost(self) -> None:
        self.head = None

    @precondition(lambda self: self.head is None)
    @rule()
    def a_new_head_comes(self) -> None:
        self.new_head()

    # What must hold.

    @invariant()
    def slots_are_exact(self) -> None:
        if not hasattr(self, "ledger"):
            return
        view = self.ledger.apply(Beat(10**9), now=self.now + self.clock) if self.head else None
        if isinstance(view, View):
            for shard in view.shards:
                assert 0 <= shard.in_use <= shard.slots == SLOTS[shard.number]

    @invariant()
    def no_key_is_dialled_twice_or_answered_twice(self) -> None:
        if hasattr(self, "dialled"):
            assert all(count == 1 for count in [*self.dialled.values(), *self.taken.values()])

    @invariant()
    def what_is_kept_is_the_whole(self) -> None:
        if hasattr(self, "replica"):
            self.replica.load(self.ledger.changes())
            assert self.replica._live == self.ledger._live
            assert list(self.replica._ended.items()) == list(self.ledger._ended.items())
            assert self.replica._shards == self.ledger._shards
            assert self.replica._fleet == self.ledger._fleet

    def teardown(self) -> None:
        """Once all is well again every call comes to an end that is told, once and with the truth."""
        if not hasattr(self, "ledger"):
            return
        self.loss = 0.0
        for process in self.processes.values():
            process.cut = False
            if process.frozen:
                process.frozen = False
                process.wake()
        self.new_head()
        self.apply(Close())
        self.run(20)
        for process in list(self.processes.values()):
            for key in list(process.has):
                process.over(key, Outcome.COMPLETED)
        self.run(12)
        for process in list(self.processes.values()):
            for key in list(process.has):
                process.over(key, Outcome.COMPLETED)
        self.run(5)
        assert self.ledger._live == {}, (
            self.now,
            self.ledger._shards,
            self.head._children,
            self.head._not_before,
            [
                (p.machine.owner, p.machine.epoch, p.alive, p.machine.stopped, vars(p.machine))
                for p in self.processes.values()
                if p.alive
            ],
        )
        ends = Counter(each.key for each in self.ends)
        assert all(count == 1 for count in ends.values())
        assert self.asked <= ends.keys()
        for record in self.ends:
            if record.outcome is Outcome.UNKNOWN:
                assert not record.inbound
            if record.outcome is Outcome.COMPLETED:
                assert self.dialled[record.key] or self.taken[record.key]


TestFleet = World.TestCase
TestFleet.settings = settings(max_examples=8, stateful_step_count=30, deadline=None, phases=[Phase.generate])
