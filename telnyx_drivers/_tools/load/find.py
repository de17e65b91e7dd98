"""The largest load that goes well: doubled until one does not, then halved in between."""

from collections.abc import Awaitable, Callable

from attrs import define, field, frozen

from telnyx_drivers._tools.load.outcome import Summary


@frozen
class Trial:
    """So many calls at once, and what became of them."""

    calls: int
    summary: Summary

    def good(self, most: float) -> bool:
        """No call failed, and at most this share of the frames was bad."""
        share = self.summary.bad_share
        return not self.summary.failures and share is not None and share <= most


@define
class Search:
    """Which load to try next."""

    least: int = 1
    most: int = 1_000
    good: int = field(default=0, init=False)
    """The largest that went well."""
    bad: int | None = field(default=None, init=False)
    """The smallest that did not."""

    def next(self) -> int | None:
        """``None``: it is known to an eighth."""
        if self.bad is None:
            after = max(2 * self.good, self.least)
            return None if self.good >= self.most else min(after, self.most)
        middle = (self.good + self.bad) // 2
        return None if self.bad - self.good <= max(self.good // 8, 1) else middle

    def tell(self, calls: int, went_well: bool) -> None:
        """The result of the last trial."""
        if went_well:
            self.good = max(self.good, calls)
        else:
            self.bad = calls if self.bad is None else min(self.bad, calls)


async def find(
    attempt: Callable[[int], Awaitable[Summary]], search: Search, *, most_bad: float
) -> tuple[int, tuple[Trial, ...]]:
    """Try loads until the largest good one is known. Returns it, 0 for none, and every trial."""
    trials: list[Trial] = []
    while (calls := search.next()) is not None:
        trial = Trial(calls, await attempt(calls))
        trials.append(trial)
        search.tell(calls, trial.good(most_bad))
    return search.good, tuple(trials)
