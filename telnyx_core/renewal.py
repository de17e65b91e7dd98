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
        """At most one escalation of a call in 30 s (MEDIA-236)."""
        if self.escalated_at is not None and now - self.escalated_at < timeouts.ESCALATION_PAUSE:
            return False
        self.escalated_at = now
        return True
