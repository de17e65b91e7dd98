"""Renewing the media path of a live call: episodes of at most two attempts (media.md 5.2).

```text
IDLE --order--> GATHERING --sdp--> WAITING --answer--> VERIFYING --media back--> IDLE (success)
  ^                 |                 |                    |
  |                 '-----------------+--- failed ---------+--> the call escalates (5.3)
  '--- end of call, attach, loss      '--- verify again: BACKOFF --> GATHERING
```

An engine that cannot restart ICE offers a fresh peer in the same call; the state machine is the same.
"""

from enum import Enum, auto

from attrs import define

from telnyx_core import timeouts
from telnyx_core.health import Source


class RenewalPhase(Enum):
    IDLE = auto()
    GATHERING = auto()
    WAITING = auto()
    VERIFYING = auto()
    BACKOFF = auto()


@define
class Renewal:
    phase: RenewalPhase = RenewalPhase.IDLE
    attempts: int = 0
    reason: str = ""
    source: Source = "peer_failure"
    escalated_at: float | None = None
    recovered_at: float | None = None
    """When the last escalation had brought new media, until something fails again."""
    relapses: int = 0
    """How often in a row that media failed again within half a minute."""
    _escalating: bool = False

    @property
    def idle(self) -> bool:
        return self.phase is RenewalPhase.IDLE

    @property
    def spent(self) -> bool:
        """No further attempt in this episode (MEDIA-233)."""
        return self.attempts >= timeouts.RENEW_ATTEMPTS

    def begin(self, reason: str, source: Source) -> None:
        assert self.phase in (RenewalPhase.IDLE, RenewalPhase.BACKOFF), "one renewal at a time (MEDIA-232)"
        self.phase = RenewalPhase.GATHERING
        self.attempts += 1
        self.reason, self.source = reason, source

    def stop(self) -> None:
        self.phase = RenewalPhase.IDLE

    def may_escalate(self, now: float) -> bool:
        """At most one escalation of a call in 30 s, and no third where two did not help (MEDIA-236)."""
        paused = self.escalated_at is not None and now - self.escalated_at < timeouts.ESCALATION_PAUSE
        if paused or self.relapses >= timeouts.RELAPSES:
            return False
        self.escalated_at = now
        self._escalating = True
        return True

    def recovered(self, now: float) -> None:
        """The call has been attached anew."""
        if self._escalating:
            self._escalating, self.recovered_at = False, now

    def failed_again(self, now: float) -> None:
        if self.recovered_at is not None:
            soon = now - self.recovered_at < timeouts.ESCALATION_PAUSE
            self.relapses = self.relapses + 1 if soon else 0
            self.recovered_at = None
