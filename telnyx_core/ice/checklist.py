"""Candidate pairs and the order in which they are checked (RFC 8445 section 6.1).

Every check is a request of its own, never the repeat of an earlier one: an answer then tells the round trip, and each
says what holds at its time, the role and the nomination. A pair is checked again and again until it answers: no pair is
given up before the agent is, so that a path that opens late is found. Foundations order the checks; a pair is not held
back for long because another one of its foundation is unanswered.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, TypeAlias

from attrs import define, field

from telnyx_core.ice.candidate import Candidate, CandidateType
from telnyx_core.ice.stun import Address
from telnyx_core.ice.transaction import Timing

MAX_PAIRS: Final = 100
"""RFC 8445 section 6.1.2.5."""


class PairState(Enum):
    """RFC 8445 section 6.1.2.6, without Frozen."""

    WAITING = "waiting"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@define(eq=False)
class Base:
    """What a check is sent from: a socket of this host, or the relayed address on a TURN server."""

    candidate: Candidate
    preference: int
    """The local preference: the same for a peer-reflexive candidate of it."""

    @property
    def address(self) -> Address:
        return self.candidate.address

    @property
    def relayed(self) -> bool:
        return self.candidate.type is CandidateType.RELAYED


Way: TypeAlias = tuple[Address, Address]
"""The base and the remote address: a reflexive candidate and its base make one pair, not two."""


@define(eq=False)
class Pair:
    base: Base
    remote: Candidate
    priority: int = 0
    state: PairState = PairState.WAITING
    due: float = 0.0
    """When an unanswered check is sent again."""
    interval: float = 0.0
    checked_at: float | None = None
    answered_at: float | None = None
    round_trip: float = 0.0
    """Seconds, of its first answer."""
    nominated_at: float | None = None
    """When the far end last nominated it."""
    requests: int = 0
    answers: int = 0
    """Checks sent, and those that were answered."""
    heard: bool = False
    """The far end has shown here that it knows the password: its packets are accepted."""
    mapped: Address | None = None
    """How the far end sees us."""
    followed: bool = False
    """Other pairs have waited for this one; they do that once."""

    @property
    def way(self) -> Way:
        return self.base.address, self.remote.address

    @property
    def relayed(self) -> bool:
        return self.base.relayed or self.remote.type is CandidateType.RELAYED

    @property
    def foundation(self) -> tuple[str, str]:
        return self.base.candidate.foundation, self.remote.foundation

    @property
    def unfinished(self) -> bool:
        return self.state in (PairState.WAITING, PairState.IN_PROGRESS)

    def rank(self, *, controlling: bool) -> None:
        """Set the priority (RFC 8445 section 6.1.2.3)."""
        ours, theirs = self.base.candidate.priority, self.remote.priority
        g, d = (ours, theirs) if controlling else (theirs, ours)
        self.priority = (min(g, d) << 32) + 2 * max(g, d) + (g > d)


@define(eq=False)
class Checklist:
    timing: Timing
    pairs: dict[Way, Pair] = field(factory=dict[Way, Pair])
    _free_at: float = 0.0
    """When the pacing allows the next check."""

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs.values())

    def add(self, pair: Pair) -> bool:
        """Whether there was room. When the list is full, a better pair takes the place of the worst that is idle."""
        if len(self.pairs) >= MAX_PAIRS:
            idle = [each for each in self if each.state in (PairState.WAITING, PairState.FAILED) and not each.heard]
            worst = min(idle, key=lambda each: each.priority, default=None)
            if worst is None or worst.priority >= pair.priority:
                return False
            del self.pairs[worst.way]
        self.pairs[pair.way] = pair
        return True

    def best(self) -> Pair | None:
        """The pair of the highest priority that has answered."""
        working = (each for each in self if each.state is PairState.SUCCEEDED)
        return max(working, key=lambda each: each.priority, default=None)

    def next_due(self, wanted: Callable[[Pair], bool]) -> float | None:
        """When `take` will have a pair."""
        times = (0.0 if each.state is PairState.WAITING else each.due for each in self if _open(each, wanted))
        first = min(times, default=None)
        return None if first is None else max(first, self._free_at)

    def take(self, wanted: Callable[[Pair], bool], now: float) -> Pair | None:
        """The pair to be checked now, if the pacing allows one: repeats that are due first, then by priority."""
        due = self.next_due(wanted)
        if due is None or due > now:
            return None
        candidates = [each for each in self if _open(each, wanted)]
        busy = {each.foundation for each in candidates if each.state is PairState.IN_PROGRESS}

        def rank(each: Pair) -> tuple[bool, bool, int]:
            return each.state is PairState.WAITING, each.foundation in busy, -each.priority

        ready = (each for each in candidates if each.state is PairState.WAITING or each.due <= now)
        return min(ready, key=rank)

    def checked(self, pair: Pair, now: float) -> None:
        """A check has been sent. Repeats leave every second turn to pairs that have not been checked yet."""
        if pair.unfinished:
            many = 2 * self.timing.pacing * sum(each.state is PairState.IN_PROGRESS for each in self)
            doubled = min(2 * pair.interval, self.timing.repeat_longest) or self.timing.repeat
            pair.interval = doubled
            pair.state, pair.due = PairState.IN_PROGRESS, now + max(doubled, many)
        pair.checked_at = now
        pair.requests += 1
        self._free_at = now + self.timing.pacing


def _open(pair: Pair, wanted: Callable[[Pair], bool]) -> bool:
    return pair.unfinished and wanted(pair)
