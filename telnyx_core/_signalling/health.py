"""Whether the signalling path works (signaling.md 4.10): the times of the last frame in and the last reply, a probe."""

from enum import Enum
from typing import Literal, TypeAlias

from attrs import define, field

from telnyx_core._time import timeouts
from telnyx_core.ids import CallId
from telnyx_core.stats.latency import Latency

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
    """Starts anew with each socket. Inbound frames alone do not prove that our own frames arrive (SIG-264)."""

    last_in: float = 0.0
    last_out_ok: float = 0.0
    probed_at: float | None = None
    answers_in: float = 0.0
    """Seconds that replies have taken lately, at most; it decays by a tenth with each faster one."""
    latency: Latency | None = None
    """Of this socket."""
    suspicion: bool = False
    """A sign other than silence speaks against the socket: the host has no network, or slept."""
    waiting: dict[CallId, str] = field(factory=dict[CallId, str])
    """Calls whose media failed while the socket is in doubt, and how: a probe's answer will decide (SIG-271)."""

    def start(self, now: float) -> None:
        self.last_in = self.last_out_ok = now
        self.probed_at = self.latency = None
        self.suspicion = False
        self.waiting.clear()

    def heard(self, now: float) -> None:
        self.last_in = now

    def confirmed(self, now: float, asked_at: float | None = None) -> None:
        """A request of ours was answered, in time or late (SIG-263)."""
        self.last_out_ok = now
        if asked_at is not None:
            took = now - asked_at
            self.answers_in = max(took, 0.9 * self.answers_in)
            self.latency = Latency(took, 0.0) if self.latency is None else self.latency.then(took)

    def probe_answered(self, now: float) -> None:
        self.probed_at = None
        self.suspicion = False
        self.last_in = self.last_out_ok = now

    def check(self, now: float, *, talking: bool) -> Verdict:
        """Whether to send a probe, or to give the socket up (SIG-261). ``talking``: there is a call, so ask sooner."""
        if now < self.due(now, talking=talking) - 1e-9:
            return Verdict.FINE
        return Verdict.PROBE if self.probed_at is None else Verdict.RECOVER

    def due(self, now: float, *, talking: bool) -> float:
        """When `check` will no longer return `Verdict.FINE`, if nothing is received until then."""
        if self.probed_at is None:
            quiet = timeouts.QUIET_TALKING if talking or 2 * self.answers_in > timeouts.QUIET else timeouts.QUIET
            return min(self.last_in + quiet, self.last_out_ok + timeouts.OUTBOUND_SILENCE)
        doubt = self.probed_at + max(timeouts.DOUBT, 2 * self.answers_in)
        if self.suspicion or self.waiting:
            return doubt
        silent = max(self.last_in + timeouts.SILENCE, self.probed_at + timeouts.DOUBT)
        return min(silent, self.probed_at + timeouts.PROBE)

    def health(self, now: float) -> Health:
        """The health of an open socket: in doubt while a probe is open or nothing came for 3 s (SIG-267)."""
        if self.probed_at is not None or now - self.last_in >= timeouts.RECENT:
            return Health.UNKNOWN
        return Health.HEALTHY
