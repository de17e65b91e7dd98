"""What one pair of credentials brings: the far end's candidates, the pairs, and which of them are checked and chosen.

It ends with an ICE restart (RFC 8445 section 2.4), and another one takes its place.
"""

from enum import Enum
from typing import Final

from attrs import define, field, frozen

from telnyx_core.ice.candidate import Candidate, CandidateType, Credentials
from telnyx_core.ice.checklist import Base, Checklist, Pair, PairState
from telnyx_core.ice.stun import Address
from telnyx_core.ice.transaction import Timing

MAX_REMOTE: Final = 64
"""Remote candidates of one generation, those that show themselves by a check included."""
MAX_EARLY: Final = 16
"""Checks that came before the far end's description."""
_UNINSISTED: Final = 0.25
"""Seconds. A far end that has not nominated the selected pair for so long has left it for the one that it nominates."""


class Search(Enum):
    """Which pairs are checked although one is selected."""

    ANY = "any"
    BETTER = "better"


@frozen
class HeardCheck:
    """A check of the far end."""

    base: Address
    source: Address
    priority: int
    nominates: bool
    conflicts: bool
    """It was refused, because both ends take themselves for controlling."""


@define(eq=False)
class Generation:
    timing: Timing
    local: Credentials
    remote: Credentials | None = None
    remotes: dict[Address, Candidate] = field(factory=dict[Address, Candidate])
    checklist: Checklist = field(init=False)
    ended: bool = False
    """The far end has said that no candidate is to come."""
    news_at: float = 0.0
    """When something last happened that checks may succeed by."""
    success_at: float | None = None
    pair: Pair | None = None
    """The selected one."""
    followed: Pair | None = None
    """While none is selected, the other pairs wait for this one."""
    follow_until: float = 0.0
    preferred: tuple[Address, Address] | None = None
    """The way of the pair that worked before a restart."""
    hasty: bool = False
    """A selected pair is gone: the next that answers is used at once, whoever nominates."""
    search: Search | None = None
    search_until: float = 0.0
    early: list[HeardCheck] = field(factory=list[HeardCheck])

    def __attrs_post_init__(self) -> None:
        self.checklist = Checklist(self.timing)

    # Candidates and pairs

    def add_remote(self, candidate: Candidate) -> bool:
        """Whether it is new, or says more than a check has."""
        known = self.remotes.get(candidate.address)
        if known is not None and known.type is not CandidateType.PEER_REFLEXIVE:
            return False
        self.remotes[candidate.address] = candidate
        return True

    def learn_remote(self, source: Address, priority: int) -> Candidate | None:
        """The candidate that a check came from (RFC 8445 section 7.3.1.3); ``None``: it is one too many."""
        known = self.remotes.get(source)
        if known is None and not self.full:
            kind = CandidateType.PEER_REFLEXIVE
            known = Candidate(f"prflx{len(self.remotes)}", 1, "udp", priority, source, kind)
            self.remotes[source] = known
        return known

    @property
    def full(self) -> bool:
        return len(self.remotes) >= MAX_REMOTE

    def pair_up(self, base: Base, remote: Candidate, now: float, *, controlling: bool) -> Pair | None:
        """The pair of the two, made if need be; ``None``: there is none, or no room for it."""
        if base.address.version != remote.address.version:
            return None
        pair = self.checklist.pairs.get((base.address, remote.address))
        if pair is not None:
            pair.remote = remote
            pair.rank(controlling=controlling)
            return pair
        pair = Pair(base, remote)
        pair.rank(controlling=controlling)
        if not self.checklist.add(pair):
            return None
        if self.preferred == pair.way and self.pair is None:
            self.follow(pair, now)
        return pair

    # Which pairs are checked

    def wanted(self, pair: Pair) -> bool:
        """Whether this pair is checked at this time."""
        if self.remote is None:
            return False
        if self.pair is not None:
            if self.search is Search.BETTER:
                return pair.priority > self.pair.priority
            return self.search is Search.ANY and pair is not self.pair
        return self.following is None or pair is self.followed

    @property
    def following(self) -> Pair | None:
        """The pair that the others wait for."""
        followed = self.followed
        return followed if followed and self.pair is None and followed.state is not PairState.FAILED else None

    def follow(self, pair: Pair, now: float) -> None:
        if not pair.followed and self.followed is None:
            pair.followed = True
            self.followed, self.follow_until = pair, now + self.timing.follow

    def nominee(self, pair: Pair) -> bool:
        """Whether a controlling agent nominates it: it is selected, or the far end has chosen it by its own check."""
        return pair is self.pair or (self.pair is None and pair is self.followed and pair.heard)

    def look(self, search: Search, now: float) -> None:
        """Check other pairs than the selected one, for a while."""
        self.search, self.search_until = search, now + self.timing.patience
        for pair in self.checklist:
            if self.wanted(pair):
                pair.state, pair.interval = PairState.WAITING, 0.0

    def lose(self, now: float) -> None:
        """The selected pair is gone: everything is checked again, and the first answer decides."""
        self.hasty, self.success_at, self.news_at = True, None, now
        for pair in self.checklist:
            pair.state, pair.interval = PairState.WAITING, 0.0

    # Which pair is chosen

    def prefers(self, pair: Pair, now: float) -> bool:
        """Whether a pair that works and that the far end nominates takes the place of the selected one.

        Where it nominates several, the best of those that it insists on. A better one that it nominated before it
        turned to the chosen one is not where it is now.
        """
        chosen = self.pair
        if chosen is None or chosen.nominated_at is None or now - chosen.nominated_at > _UNINSISTED:
            return chosen is not pair
        later = pair.nominated_at is not None and pair.nominated_at >= chosen.nominated_at
        return pair.priority > chosen.priority and later

    def best(self, *, controlling: bool) -> Pair | None:
        """The pair to select: while other pairs wait for one, nothing but that one."""
        following = self.following
        if controlling and following is not None and not self.hasty:
            return following if following.state is PairState.SUCCEEDED else None
        return self.checklist.best()

    def decision_at(self, best: Pair | None, *, controlling: bool) -> float | None:
        """When the best pair that works is selected without more ado."""
        if self.pair is not None or best is None or self.success_at is None:
            return None
        if self.hasty:
            return self.success_at
        if not controlling:
            return self.success_at + self.timing.unnominated
        direct = any(pair.unfinished and not pair.relayed for pair in self.checklist)
        return self.success_at + (self.timing.relay_acceptance if best.relayed and direct else 0.0)

    @property
    def patience_at(self) -> float | None:
        """When it has failed, if nothing answers."""
        return self.news_at + self.timing.patience if self.remote is not None and self.pair is None else None
