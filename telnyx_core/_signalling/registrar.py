"""From login to READY: what the session does for each gateway state (signaling.md 4.3, 4.4)."""

from typing import Final

from telnyx_core._signalling import messages as m
from telnyx_core._signalling.ice_servers import ice_servers_for
from telnyx_core._signalling.link import Intent, Link
from telnyx_core._signalling.registration import KNOWN, PENDING, Decision, Registration
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time import timeouts
from telnyx_core._time.reconnect import registration_pause
from telnyx_core._time.timers import Timer
from telnyx_core.actions import Notify, PrepareMedia
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import Ready
from telnyx_core.options import CallOptions
from telnyx_core.states import SessionInput, SessionState

S, Given = SessionState, SessionInput

_TIMERS: Final = (Timer.REG_POLL, Timer.REGISTRATION_WATCH, Timer.GATEWAY_RETRY)


class Registrar:
    def __init__(self, link: Link) -> None:
        self.registration = Registration()
        self.call_report_id: str | None = None
        self.dc: str | None = None
        self.region: str | None = None
        self.was_ready = False
        """Registered at least once on the current socket (SIG-082)."""
        self._link = link
        self._early: m.GatewayReport | None = None

    def forget_socket(self) -> None:
        self.stop()
        self.registration.lost()
        self.was_ready = False
        self._early = None

    def stop(self) -> None:
        for timer in _TIMERS:
            self._link.timers.stop(timer)

    def logged_in(self, report: m.GatewayReport | None, now: float) -> None:
        """A login succeeded. A gateway state that arrived before its result is handled now (SIG-202)."""
        self.watch(now)
        early, self._early = self._early, None
        if report is not None or early is not None:
            self.handle_report(report or early, now)

    def ask(self, now: float) -> None:
        if self._link.logged_in:
            self._link.request(Purpose.GATEWAY_STATE, m.GATEWAY_STATE, {}, now)

    def watch(self, now: float) -> None:
        self._link.timers.set(Timer.REGISTRATION_WATCH, now + timeouts.REGISTRATION_WATCH)

    def handle_report(self, report: m.GatewayReport | None, now: float) -> None:
        """A gateway state arrived (SIG-210 to SIG-223)."""
        link = self._link
        if report is None or report.state not in KNOWN or not link.connected:
            return
        if not link.logged_in or link.state is S.LOGGING_IN:
            self._early = report
            return
        self.call_report_id = report.call_report_id or self.call_report_id
        self.dc = report.dc or self.dc
        self.region = report.region or self.region
        if report.reattached is not None:
            link.owner.reattached(report.reattached, now)
        # Credentials that were refused stay refused: unregistered states are not counted again (T17b).
        if link.draining or (link.state is S.AUTH_FAILED and report.state in PENDING):
            return
        match self.registration.handle_state(report.state, polling=link.timers.is_set(Timer.REG_POLL)):
            case Decision.READY:
                self._ready(report.state, now)
            case Decision.STILL_READY:
                if report.state == "REGED":
                    link.registered()
            case Decision.POLL:  # T16: a registration takes a moment, so ask again
                self._unregistered()
                link.timers.set(Timer.REG_POLL, now + registration_pause(link.rng))
            case Decision.REFUSED:  # T17: only a new login can help; the socket stays open for it
                self._unregistered()
                link.move(Given.REGISTRATION_REFUSED)
                link.owner.report_error(ErrorCode.LOGIN_FAILED, original=_failure("UNREGED|NOREG"))
            case Decision.GATEWAY_FAILED | Decision.GATEWAY_GONE as decision:
                self._gateway_failed(report.state, now, gone=decision is Decision.GATEWAY_GONE)
            case Decision.WATCH:
                if link.state is S.REGISTERING:
                    self.watch(now)
            case Decision.NOTHING:
                pass

    def retry_gateway(self, now: float) -> None:
        """Try another gateway through a new socket (T24). Calls need no registration, so while there are any the socket
        stays for them, and the gateway state is only asked for again (SIG-221).
        """
        link = self._link
        if link.owner.has_calls:
            self.ask(now)
            self._retry_soon(now)
        else:
            link.close(Intent.RECOVER, now)

    def _ready(self, state: str, now: float) -> None:  # T15, T22, T26
        link = self._link
        self.stop()
        link.move(Given.REGISTERED)
        if state == "REGED":
            link.registered()
        self.was_ready = True
        link.ready(now)
        ready = Ready(link.identity.session_id, state, self.region, self.dc, self.call_report_id)
        link.owner.act(Notify(ready))
        if link.options.prefetch_ice_candidates:
            servers = ice_servers_for(link.options, CallOptions())
            link.owner.act(PrepareMedia(servers, link.options.force_relay_candidate))

    def _unregistered(self) -> None:
        self._link.timers.stop(Timer.REGISTRATION_WATCH)
        if self._link.state is S.READY:
            self._link.move(Given.UNREGISTERED)

    def _gateway_failed(self, state: str, now: float, *, gone: bool) -> None:  # T18 to T20
        link = self._link
        self.stop()
        link.owner.report_error(ErrorCode.GATEWAY_FAILED, original=_failure(state))
        link.identity.skip_last_once = True  # the next socket must reach another node (SIG-222)
        if (gone or not link.auto_reconnect) and not link.owner.has_calls:
            link.owner.report_error(ErrorCode.RECONNECTION_EXHAUSTED, original=_failure(state))
            link.auto_reconnect = False
            link.close(Intent.FATAL, now)
        else:
            link.move(Given.GATEWAY_FAILED)
            self._retry_soon(now)

    def _retry_soon(self, now: float) -> None:
        self._link.timers.set(Timer.GATEWAY_RETRY, now + registration_pause(self._link.rng))


def _failure(state: str) -> Failure:
    return Failure(FailureKind.GATEWAY_STATE, state, method=m.GATEWAY_STATE)
