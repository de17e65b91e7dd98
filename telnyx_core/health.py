"""Whether the signalling path can be trusted (signaling.md 4.10): two clocks, a probe, a verdict."""

from enum import Enum
from typing import Literal, TypeAlias

from attrs import define, field

from telnyx_core import timeouts
from telnyx_core.ids import CallId

Source: TypeAlias = Literal["probe", "request"]
"""What showed that the socket is broken (36003's ``source``). A call's dead media never does (MEDIA-235)."""


class Health(Enum):
    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    UNHEALTHY = "unhealthy"


class Verdict(Enum):
    FINE = "fine"
    PROBE = "probe"
    RECOVER = "recover"


@define
class HealthMonitor:
    """Starts with each open socket. Inbound traffic alone does not prove that what we send arrives (SIG-264)."""

    last_in: float = 0.0
    last_out_ok: float = 0.0
    probed_at: float | None = None
    waiting: dict[CallId, str] = field(factory=dict[CallId, str])
    """Calls whose media failed while the socket is in doubt, and how: a probe's answer will decide (SIG-271)."""

    def start(self, now: float) -> None:
        self.last_in = self.last_out_ok = now
        self.probed_at = None
        self.waiting.clear()

    def heard(self, now: float) -> None:
        self.last_in = now

    def confirmed(self, now: float) -> None:
        """A request of ours was answered, in time or late (SIG-263)."""
        self.last_out_ok = now

    def probe_answered(self, now: float) -> None:
        self.probed_at = None
        self.last_in = self.last_out_ok = now

    def check(self, now: float) -> Verdict:
        """The three-second check (SIG-261)."""
        if self.probed_at is not None:
            return Verdict.RECOVER if now - self.probed_at >= timeouts.PROBE else Verdict.FINE
        if now - self.last_in >= timeouts.INBOUND_SILENCE or now - self.last_out_ok >= timeouts.OUTBOUND_SILENCE:
            return Verdict.PROBE
        return Verdict.FINE

    def health(self, now: float) -> Health:
        """Of an open socket (SIG-267)."""
        if self.probed_at is not None or now - self.last_in >= timeouts.RECENT:
            return Health.UNKNOWN
        return Health.HEALTHY
