"""Whether the signalling path can be trusted (signaling.md 4.10): two clocks, a probe, a verdict."""

from enum import Enum
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from telnyx_core import timeouts
from telnyx_core.ids import CallId

Source: TypeAlias = Literal["probe", "request", "peer_failure", "no_rtp"]
"""What made a recovery necessary (36003's ``source``)."""


class Health(Enum):
    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    UNHEALTHY = "unhealthy"


class Verdict(Enum):
    FINE = "fine"
    PROBE = "probe"
    RECOVER = "recover"


@frozen
class Evidence:
    """A call's media failed while the state of the socket is in doubt (SIG-268)."""

    reason: str
    source: Source


@define
class HealthMonitor:
    """Starts with each open socket. Inbound traffic alone does not prove that what we send arrives (SIG-264)."""

    last_in: float = 0.0
    last_out_ok: float = 0.0
    probed_at: float | None = None
    waiting: dict[CallId, Evidence] = field(factory=dict[CallId, Evidence])
    """Media failures that a probe's answer will decide, one for each call (SIG-271)."""

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
