"""What a gateway state means for the session: counters and a decision (signaling.md 4.3, 4.4).

The SIP gateway that registers for the client runs through its states on every refresh, so most changes mean nothing.
"""

from enum import Enum, auto
from typing import Final

from attrs import define

MAX_POLLS: Final = 5
MAX_GATEWAY_RETRIES: Final = 5

_REGISTERED: Final = frozenset({"REGED", "REGISTER"})
PENDING: Final = frozenset({"UNREGED", "NOREG"})
_FAILED: Final = frozenset({"FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN"})
_PASSING: Final = frozenset({"TRYING", "EXPIRED", "UNREGISTER"})

KNOWN: Final = _REGISTERED | PENDING | _FAILED | _PASSING


class Decision(Enum):
    READY = auto()
    """Registered after not having been: tell the application."""
    STILL_READY = auto()
    POLL = auto()
    REFUSED = auto()
    """Five times unregistered: the credentials are taken as refused (SIG-213)."""
    GATEWAY_FAILED = auto()
    GATEWAY_GONE = auto()
    """The fifth failure since the last success (SIG-223)."""
    WATCH = auto()
    """The registration is in progress: keep asking."""
    NOTHING = auto()


@define
class Registration:
    registered: bool = False
    polls: int = 0
    retries: int = 0
    failing: bool = False
    """Inside an episode of gateway failure, until success or loss (SIG-220)."""

    def lost(self) -> None:
        """The socket is lost. The retry counter survives, or a failing gateway would be tried endlessly (SIG-220)."""
        self.registered = False
        self.failing = False
        self.polls = 0

    def restart(self) -> None:
        self.lost()
        self.retries = 0

    def handle_state(self, state: str, *, polling: bool) -> Decision:
        """Take in one state. ``polling``: a poll is set already, so another pending state is not counted (SIG-212)."""
        if state in _REGISTERED:
            if state == "REGED":  # REGISTER alone does not end a series of gateway failures (SIG-211)
                self.retries = 0
            self.failing = False
            if self.registered:
                return Decision.STILL_READY
            self.registered = True
            self.polls = 0
            return Decision.READY
        if state in PENDING:
            if self.failing or polling:
                return Decision.NOTHING
            self.registered = False
            self.polls += 1
            if self.polls < MAX_POLLS:
                return Decision.POLL
            self.polls = 0
            return Decision.REFUSED
        if state in _FAILED:
            if self.failing:
                return Decision.NOTHING
            self.registered = False
            self.failing = True
            self.retries += 1
            return Decision.GATEWAY_FAILED if self.retries < MAX_GATEWAY_RETRIES else Decision.GATEWAY_GONE
        if state in _PASSING and not self.failing:
            return Decision.NOTHING if self.registered else Decision.WATCH
        return Decision.NOTHING
