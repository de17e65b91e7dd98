"""The selected pair: its nominations, consent to send (RFC 7675), and whether the far end is still there."""

from math import inf
from random import Random
from typing import Final

from attrs import define, field

from telnyx_core.ice.transaction import Timing

_ROUND_TRIPS: Final = 3.0
"""A far end is not called silent before so many have passed."""
_PAUSE: Final = 2.0
"""Seconds. When packets have come and then none for so long, the far end is asked whether it is there."""


@define(eq=False)
class Consent:
    """Of one selected pair, from the moment of its first answer. Says when to ask again; all times in seconds.

    While the path starts, each request also nominates, in quick succession: a far end may have followed an earlier
    check from another address, and it comes back to the one that nominates last.
    """

    timing: Timing
    rng: Random
    answered_at: float
    round_trip: float
    """Of the last answer."""
    nominate_until: float | None = None
    """``None``: until the path is confirmed."""
    _heard_at: float = field(init=False)
    _ask_at: float = field(init=False)
    _next: float = field(default=0.0, init=False)
    """When to ask again if the last request is answered."""
    _asked_at: float | None = field(default=None, init=False)
    """The first request that is not answered."""
    _doubted_at: float = field(default=inf, init=False)
    _packets: bool = field(default=False, init=False)
    """They have come since the last request."""

    def __attrs_post_init__(self) -> None:
        self._heard_at = self._ask_at = self.answered_at

    @property
    def ask_at(self) -> float:
        """When the next request is due."""
        return min(self._ask_at, self._heard_at + _PAUSE) if self._packets else self._ask_at

    def asked(self, now: float, *, nominates: bool) -> None:
        """A request has been sent. ``nominates``: this end is controlling."""
        self._packets = False
        if self._asked_at is None:
            self._asked_at = now
        if nominates and (self.nominate_until is None or now < self.nominate_until):
            self._ask_at = now + self.timing.nominate
            return
        wait = self.timing.consent * self.rng.uniform(0.8, 1.2)
        self._next = now + wait
        self._ask_at = now + min(wait, max(self.timing.consent_retry, 2 * self.round_trip))

    def answered(self, now: float, round_trip: float) -> None:
        self.answered_at = self._heard_at = now
        self.round_trip = round_trip
        self._asked_at, self._doubted_at = None, inf
        self._ask_at = max(self._ask_at, self._next)

    def heard(self, now: float) -> None:
        """Something else has come on the pair."""
        self._heard_at, self._packets = now, True

    def doubt(self, now: float, quiet: float) -> None:
        """Something says that the pair may be gone. If nothing has come for ``quiet`` seconds, it is asked at once, and
        has less time for its answer.
        """
        if self._doubted_at == inf and now - self._heard_at > quiet:
            self._doubted_at = self._ask_at = now

    @property
    def suspect_at(self) -> float:
        """When the pair counts as broken: a request is not answered and nothing else has come, or packets come and no
        answer does for twice as long.
        """
        if self._asked_at is None:
            return inf
        limit = max(self.timing.disconnected, _ROUND_TRIPS * self.round_trip)
        doubted = self._doubted_at + max(self.timing.consent_retry, _ROUND_TRIPS * self.round_trip)
        return min(max(self._heard_at, self._asked_at) + limit, self._asked_at + 2 * limit, doubted)

    @property
    def expires_at(self) -> float:
        """When consent lapses, if no answer comes until then. Packets do not renew it (RFC 7675 section 5.1)."""
        return self.answered_at + self.timing.consent_expires
