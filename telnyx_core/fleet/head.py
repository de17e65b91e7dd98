"""One head's side: which workers are to run. A head decides nothing about calls, and calls go on without one."""

from collections import deque
from random import Random
from typing import Final, TypeAlias

from attrs import define, frozen

from telnyx_core.fleet.requests import ShardView, View

YOUNG: Final = 10.0
"""Seconds. A worker that ends is replaced at once; one that has ended sooner than this, again and again, is not."""
PAUSE: Final = 0.5
"""Seconds until the second one is, and twice as long each time, up to `LONGEST`."""
LONGEST: Final = 30.0


@frozen
class StartWorker:
    """Start a process that asks for the lease of this shard under this name."""

    shard: int
    owner: str


@frozen
class KillWorker:
    """It does not renew its lease any more, or is not needed: end it, and tell when it has ended."""

    shard: int
    owner: str


HeadAction: TypeAlias = StartWorker | KillWorker


@define
class _Child:
    shard: int
    since: float
    owned: bool = False
    """It has had the lease."""
    killed: bool = False


class Head:
    """The machine. ``name`` is its own, which no other head ever has; owners are named after it."""

    def __init__(self, name: str, *, rng: Random) -> None:
        self.name = name
        self._rng = rng
        self._actions: deque[HeadAction] = deque()
        self._children: dict[str, _Child] = {}
        self._started = 0
        self._early: dict[int, int] = {}
        """By shard: how many workers in a row have ended young."""
        self._not_before: dict[int, float] = {}
        self._ending = False

    @property
    def workers(self) -> int:
        """Those that it has started and that have not ended."""
        return len(self._children)

    def next_action(self) -> HeadAction | None:
        return self._actions.popleft() if self._actions else None

    def end(self) -> None:
        """Start no more workers."""
        self._ending = True

    def looked(self, view: View, *, now: float) -> None:
        """What the ledger is now. To be told at least once a second."""
        for shard in view.shards:
            children = {owner: child for owner, child in self._children.items() if child.shard == shard.number}
            for owner, child in children.items():
                child.owned = child.owned or owner == shard.owner
                hangs = child.owned and owner == shard.owner and shard.ends_in <= 0
                replaced = child.owned and owner != shard.owner and shard.owner is not None
                if (hangs or replaced) and not child.killed:
                    child.killed = True
                    self._actions.append(KillWorker(shard.number, owner))
            waiting = [child for child in children.values() if not child.owned]
            leaving = shard.leaving and shard.owner in children
            if self._needed(shard) and not waiting and (leaving or not children):
                self._start(shard.number, now)

    def _needed(self, shard: ShardView) -> bool:
        return not self._ending and bool(shard.slots or shard.in_use)

    def _start(self, shard: int, now: float) -> None:
        if now < self._not_before.get(shard, now):
            return
        self._started += 1
        owner = f"{self.name}-{self._started}"
        self._children[owner] = _Child(shard, now)
        self._actions.append(StartWorker(shard, owner))

    def ended(self, owner: str, *, now: float) -> None:
        """A worker's process has ended, or its node is gone."""
        child = self._children.pop(owner, None)
        if child is None:
            return
        early = self._early[child.shard] = 0 if now - child.since >= YOUNG else self._early.get(child.shard, 0) + 1
        pause = 0.0 if early < 2 else min(PAUSE * 2 ** min(early - 2, 10), LONGEST)
        self._not_before[child.shard] = now + pause * (1 + self._rng.random() / 4)
