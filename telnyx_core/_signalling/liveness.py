"""Whether the socket still works: keepalive, probes, and the decision to replace it (signaling.md 4.9, 4.10)."""

from typing import Final

from telnyx_core._signalling import messages as m
from telnyx_core._signalling.health import Health, HealthMonitor, Source, Verdict
from telnyx_core._signalling.link import Intent, Link
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time import timeouts
from telnyx_core._time.timers import Timer
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.ids import CallId
from telnyx_core.states import SessionState

_AT_LEAST: Final = 0.1
"""Least seconds between two health checks: a busy socket is not checked for each frame."""


class Liveness:
    def __init__(self, link: Link) -> None:
        self.monitor = HealthMonitor()
        self.dispatched = False
        """A JSON frame was received since the keepalive was armed (SIG-255)."""
        self._link = link
        self._offline = False

    def start(self, now: float) -> None:
        self.monitor.start(now)
        self._arm(now)

    def talking(self, now: float) -> None:
        """There is a call now: silence on the socket is checked sooner."""
        if self._link.connected:
            self._arm(now)

    def _arm(self, now: float) -> None:
        due = self.monitor.due(now, talking=self._link.owner.has_calls)
        self._link.timers.set(Timer.HEALTH_CHECK, max(due, now + _AT_LEAST))

    def stop(self) -> None:
        self._link.timers.stop(Timer.HEALTH_CHECK)
        self._link.timers.stop(Timer.KEEPALIVE)
        self.monitor.waiting.clear()

    def registered(self, now: float) -> None:
        """READY: the keepalive begins (SIG-255). Frames that were received before do not count."""
        self.dispatched = False
        self._link.timers.set(Timer.KEEPALIVE, now + timeouts.KEEPALIVE)

    def keep_alive(self, now: float) -> None:
        """Ping if nothing was received. With calls, stamp the session id: the process may die without a chance to."""
        link = self._link
        if not self.dispatched:
            link.request(Purpose.PING, m.PING, {}, now)
        self.dispatched = False
        if link.owner.has_calls:
            link.identity.stamp(now)
        link.timers.set(Timer.KEEPALIVE, now + timeouts.KEEPALIVE)

    def check(self, now: float) -> None:
        link = self._link
        if link.draining or link.measuring or link.state is SessionState.LOGGING_IN:
            # The drain, the speed test or the login has a deadline of its own, so silence needs no probe.
            link.timers.set(Timer.HEALTH_CHECK, now + timeouts.QUIET)
            return
        self._arm(now)
        match self.monitor.check(now, talking=link.owner.has_calls):
            case Verdict.PROBE:
                self.probe(now)
            case Verdict.RECOVER:
                self.recover(next(iter(self.monitor.waiting.values()), "no answer to the probe"), "probe", now)
            case Verdict.FINE:
                pass

    def probe(self, now: float) -> None:
        if self._link.connected and self.monitor.probed_at is None:
            self.monitor.probed_at = now
            self._link.request(Purpose.PROBE, m.PING, {}, now)
        if self._link.connected:
            self._arm(now)

    def occupied(self) -> None:
        """A speed test begins: the server answers in order, so a ping would only wait behind it."""
        self.dispatched = True

    def answered(self, now: float) -> None:
        """The speed test is over. A probe that waited behind it gets its full time from now on."""
        self.monitor.confirmed(now)
        if self.monitor.probed_at is not None:
            self.monitor.probed_at = now
        self._arm(now)

    def probe_answered(self, now: float) -> None:
        """The probe was answered, perhaps by an error: either proves that both directions work (SIG-266)."""
        self.monitor.probe_answered(now)
        self._arm(now)
        waiting = dict(self.monitor.waiting)
        self.monitor.waiting.clear()
        for call, reason in waiting.items():
            self._link.owner.renew_media(call, reason, now)

    def media_failed(self, call: CallId, reason: str, now: float) -> None:
        """One call's media failed. If the socket is healthy, the fault is in the media path, which is renewed at once;
        if it is in doubt, a probe decides first. Without a socket the re-attach repairs both (SIG-268).
        """
        if not self._link.connected:
            return
        if self.monitor.health(now) is Health.HEALTHY:
            self._link.owner.renew_media(call, reason, now)
        else:
            self.monitor.waiting[call] = reason
            self.probe(now)

    def recover(self, reason: str, source: Source, now: float) -> None:
        """The signalling path is broken: close the socket. So this happens once for each socket (SIG-262, T28)."""
        link = self._link
        if not link.connected:
            return
        self.monitor.waiting.clear()
        link.owner.report_warning(WarningCode.SIGNALING_RECOVERY_REQUIRED, {"reason": reason, "source": source})
        if link.draining:
            link.owner.end_calls(now, bye=False)
            link.drained(now)
        else:
            link.close(Intent.RECOVER, now, within=timeouts.CLOSE_SILENT)

    def went_offline(self, now: float) -> None:
        """Report error 48001, once in each offline period (SIG-272)."""
        if not self._offline:
            self._offline = True
            self._link.owner.report_error(ErrorCode.NETWORK_OFFLINE)
            self.monitor.suspicion = True
            self.probe(now)

    def resumed(self, now: float) -> None:
        """The host slept. The server may have dropped the socket meanwhile without a packet to tell us (SIG-482)."""
        self.monitor.suspicion = True
        self.probe(now)

    def came_online(self, now: float) -> None:
        self._offline = False
        if self._link.connected and now - self.monitor.last_in >= timeouts.RECENT:
            self.probe(now)
