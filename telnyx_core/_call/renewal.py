"""Renewal of the media path of a live call, repeated until it succeeds (media.md 5.2).

```text
IDLE --order--> GATHERING --sdp--> WAITING --answer--> CONNECTING --connected--> IDLE (success)
  ^                 |                 |                    |
  |                 '-----------------+--- failed ---------+--> BACKOFF --> IDLE, and evidence again
  '--- end of call, attach, loss
```

The first attempt restarts the path in place (ICE restart). A path that cannot be restarted, or does not last, gives way
to that of a fresh peer in the same call; the state machine is the same. A renewal never affects other calls: the socket
is replaced only if the socket itself is suspect, never because of one call's media.
"""

from enum import Enum, auto
from typing import Final

from attrs import define

from telnyx_core._time import timeouts

_LONGEST: Final = 30.0


class RenewalPhase(Enum):
    IDLE = auto()
    GATHERING = auto()
    WAITING = auto()
    CONNECTING = auto()
    BACKOFF = auto()


@define
class Renewal:
    phase: RenewalPhase = RenewalPhase.IDLE
    attempts: int = 0
    """Attempts in a row that brought no lasting media."""
    reason: str = ""

    @property
    def idle(self) -> bool:
        return self.phase is RenewalPhase.IDLE

    @property
    def pause(self) -> float:
        """Seconds until the next attempt: 3, 6, 12, 24, then 30."""
        return min(timeouts.RENEW_BACKOFF * 2.0 ** min(self.attempts - 1, 16), _LONGEST)

    def begin(self, reason: str) -> None:
        assert self.idle, "one renewal at a time (MEDIA-232)"
        self.phase = RenewalPhase.GATHERING
        self.attempts += 1
        self.reason = reason

    def stop(self) -> None:
        self.phase = RenewalPhase.IDLE
