"""The session's half without calls: socket, login, registration, health, and coming back (signaling.md 1 to 4).

Rows T01 to T42 of the transition table are quoted where they are carried out. Calls are the owner's: they are told of a
loss, of readiness and of what the server said about them, and are asked only two questions (`has_calls`, `media_alive`).
"""

from enum import Enum, auto
from random import Random
from typing import Protocol

from telnyx_core import messages as m
from telnyx_core import timeouts
from telnyx_core.actions import (
    AbandonSocket,
    Action,
    CloseSocket,
    Done,
    Failed,
    Notify,
    OpenSocket,
    SendText,
    Settle,
)
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import Failure, FailureKind, NotConnected
from telnyx_core.events import (
    CloseReason,
    FrameIgnored,
    Ready,
    SessionClosed,
    SocketClose,
    SocketError,
    SocketMessage,
    SocketOpen,
)
from telnyx_core.facts import (
    BinaryReceived,
    NetworkChange,
    SocketClosed,
    SocketFact,
    SocketOpened,
    SocketRefused,
    TextReceived,
)
from telnyx_core.health import Evidence, Health, HealthMonitor, Source, Verdict
from telnyx_core.identity import Identity
from telnyx_core.ids import CallId, SocketId, Ticket
from telnyx_core.json_types import Json, JsonObject, JsonView
from telnyx_core.options import ClientOptions
from telnyx_core.reconnect import backoff, registration_pause
from telnyx_core.registration import KNOWN, Decision, Registration
from telnyx_core.requests import CALL_PURPOSES, DISTRUSTED, Pending, Purpose, RequestTable, new_uuid
from telnyx_core.states import SessionInput, SessionState, move_session
from telnyx_core.timers import Timer, TimerTable
from telnyx_core.token import expiry
from telnyx_core.url import build_url
from telnyx_core.wire import Garbage, Plain, Reply, Request, ServerError, decode, encode, mapping, string

S, Given = SessionState, SessionInput

_WITH_SOCKET = frozenset({S.LOGGING_IN, S.REGISTERING, S.READY, S.GATEWAY_WAIT, S.AUTH_FAILED})
_MAX_LOGIN_RETRIES = 2


class Intent(Enum):
    """Why the current socket is being closed by us."""

    RECOVER = auto()
    DISCONNECT = auto()
    PUNT = auto()
    FATAL = auto()


class Owner(Protocol):
    """What the connection needs from whoever keeps the calls."""

    @property
    def has_calls(self) -> bool: ...

    @property
    def media_alive(self) -> bool:
        """Some live call has a peer that has not failed (SIG-221, SIG-291)."""
        ...

    def act(self, action: Action) -> None: ...

    def report_error(self, code: ErrorCode, *, original: Failure | None = None, fatal: bool | None = None) -> None: ...

    def report_warning(self, code: WarningCode, details: JsonView) -> None: ...

    def server_said(self, request: Request, now: float) -> None:
        """A request that is about calls, events or AI."""
        ...

    def call_replied(
        self, pending: Pending, result: JsonView, error: Failure | None, server: ServerError | None, now: float
    ) -> None: ...

    def reattached(self, sessions: tuple[str, ...], now: float) -> None: ...

    def socket_lost(self, now: float) -> None: ...

    def end_calls(self, now: float, *, bye: bool) -> None: ...

    def renew_media(self, call: CallId, reason: str, source: Source, now: float) -> None: ...


class Connection:
    def __init__(
        self, options: ClientOptions, *, rng: Random, timers: TimerTable, identity: Identity, owner: Owner
    ) -> None:
        self.options = options
        self.state = S.IDLE
        self.generation = SocketId(0)
        self.identity = identity
        self.health = HealthMonitor()
        self.registration = Registration()
        self.call_report_id: str | None = None
        self.call_report_voice_sdk_id: str | None = None
        self.dc: str | None = None
        self.region: str | None = None
        self.was_ready = False
        """Registered at least once on the current socket (SIG-082)."""
        self._owner = owner
        self._rng = rng
        self._timers = timers
        self._requests = RequestTable(timers)
        self._socket: SocketId | None = None
        self._open = False
        self._intent = Intent.RECOVER
        self._reason = CloseReason.LOST
        self._draining: Intent | None = None
        self._reconnect_wanted = False
        self._auto_reconnect = options.auto_reconnect
        self._attempts = 0
        self._last_attempt = 0.0
        self._logged_in = False
        self._ever_logged_in: ClientOptions | None = None
        self._login_pending = False
        self._login_again = False
        self._login_tickets: list[Ticket] = []
        self._login_retries = 0
        self._login_resumes = False
        self._rejected = False
        self._early_registration: m.GatewayReport | None = None
        self._skip_last_once = False
        self._omit_session_once = False
        self._canary_built = False
        self._first_canary = False
        self._regional_fallback = False
        self._recovering = False
        self._pong = False
        self._offline = False
        self._punted_at: float | None = None
        self._wall_offset = 0.0

    # Looking.

    @property
    def connected(self) -> bool:
        return self._open and self.state in _WITH_SOCKET

    @property
    def usable(self) -> bool:
        return self.connected and self.was_ready and self._draining is None

    @property
    def logged_in(self) -> bool:
        return self.connected and self._logged_in

    @property
    def resumed(self) -> bool:
        """This socket's login asked for a former session (SIG-342)."""
        return self._login_resumes

    @property
    def draining(self) -> bool:
        """Calls are being ended so that the socket can be closed."""
        return self._draining is not None

    def wall(self, now: float) -> float:
        return now + self._wall_offset

    # Commands.

    def connect(self, now: float) -> None:
        match self.state:
            case S.IDLE | S.EXHAUSTED:  # T01
                self._start_afresh(now)
            case S.BACKOFF:  # T02
                self._timers.stop(Timer.RECONNECT)
                self._move(Given.CONNECT)
                self._open_socket(now)
            case S.AUTH_FAILED if self.connected:  # T04
                self._move(Given.RELOGIN)
                self._send_login(now)
            case S.AUTH_FAILED:  # T05
                self._start_afresh(now)
            case S.CLOSING:  # T06
                self._reconnect_wanted = True
            case _ if self._draining is not None:
                self._reconnect_wanted = True
            case _:
                pass  # T03

    def disconnect(self, now: float) -> None:
        """SIG-280 to SIG-284; the calls have a moment to say good-bye."""
        self._reconnect_wanted = False
        match self.state:
            case S.IDLE:
                pass
            case S.CONNECTING:  # SIG-284
                assert self._socket is not None, "connecting, so there is a socket"
                self._owner.act(AbandonSocket(self._socket))
                self._forget_socket(now)
                self._owner.end_calls(now, bye=False)
                self._move(Given.DISCONNECT)
                self._rest(CloseReason.DISCONNECTED)
            case S.BACKOFF | S.EXHAUSTED:  # T30
                self._owner.end_calls(now, bye=False)
                self._move(Given.DISCONNECT)
                self._rest(CloseReason.DISCONNECTED)
            case S.AUTH_FAILED if not self.connected:
                self._move(Given.DISCONNECT)
                self._rest(CloseReason.DISCONNECTED)
            case S.CLOSING:
                self._owner.end_calls(now, bye=False)
                self._intent, self._reason = Intent.DISCONNECT, CloseReason.DISCONNECTED
            case _:  # T29
                self._drain(Intent.DISCONNECT, CloseReason.DISCONNECTED, now)

    def login(self, options: ClientOptions, ticket: Ticket, now: float) -> None:
        """New credentials; on a live socket they are used at once (SIG-245, SIG-246)."""
        if not options.same_credentials(self.options):
            self._login_retries = 0
            if not self.connected:
                self.identity.forget_session(token=True)  # SIG-235
        self.options = options
        self._rejected = False
        if self.state is S.CONNECTING:
            self._login_tickets.append(ticket)
        elif not self.connected or self.draining:
            self._owner.act(
                Settle(ticket, Failed(Failure(FailureKind.NOT_CONNECTED, "there is no socket", method=m.LOGIN)))
            )
        else:
            self._login_tickets.append(ticket)
            if self._login_pending:
                self._login_again = True
            else:
                if self.state in (S.REGISTERING, S.AUTH_FAILED):
                    self._move(Given.RELOGIN)
                self._send_login(now)

    def ask_registered(self, ticket: Ticket, now: float) -> None:
        """SIG-129; anything but a registered state is no."""
        if self.logged_in:
            self.request(Purpose.IS_REGISTERED, m.GATEWAY_STATE, {}, now, ticket=ticket)
        else:
            self._owner.act(Settle(ticket, Done({"registered": False})))

    def network(self, change: NetworkChange, now: float) -> None:
        """What the host says of its network (SIG-272, SIG-273, T40)."""
        if change == "offline":
            if not self._offline:
                self._offline = True
                self._owner.report_error(ErrorCode.NETWORK_OFFLINE)
                self._probe(now)
            return
        self._offline = False
        if self.state is S.BACKOFF and now - self._last_attempt >= timeouts.PATH_CHANGE_PAUSE:
            self._timers.stop(Timer.RECONNECT)
            self._retry(now)
        elif self.connected and now - self.health.last_in >= timeouts.RECENT:
            self._probe(now)

    def media_failed(self, call: CallId, reason: str, source: Source, now: float) -> None:
        """Where the fault lies decides what is renewed (SIG-268)."""
        if not self.connected:
            return  # the loss is known; the re-attach will mend it
        if self.health.health(now) is Health.HEALTHY:
            self._owner.renew_media(call, reason, source, now)
        else:
            self.health.waiting[call] = Evidence(reason, source)
            self._probe(now)

    def drained(self, now: float) -> None:
        """The last call has ended."""
        if self._draining is not None:
            intent, self._draining = self._draining, None
            self._timers.stop(Timer.DISCONNECT_BYE)
            self._close(intent, now)

    # Requests.

    def request(
        self,
        purpose: Purpose,
        method: str,
        params: JsonObject,
        now: float,
        *,
        call: CallId | None = None,
        ticket: Ticket | None = None,
    ) -> None:
        """Send a request on the current socket. The caller has checked that there is one."""
        assert self._socket is not None, "a request needs a socket (SIG-081)"
        ident = new_uuid(self._rng)
        frame: JsonObject = {"jsonrpc": "2.0", "id": ident, "method": method}
        if method in (m.PING, m.GATEWAY_STATE):
            if self.identity.voice_sdk_id is not None:
                frame["voice_sdk_id"] = self.identity.voice_sdk_id
        elif call is not None and method != m.AI_CONVERSATION:
            params["sessid"] = self.identity.session_id or ""
        frame["params"] = params
        pending = Pending(method, purpose, call, ticket)
        if self._requests.full:
            self._settle_pending(
                pending, Failure(FailureKind.PROTOCOL, "too many requests wait", method=method), None, {}, now
            )
            return
        self._requests.add(ident, pending, now)
        self._owner.act(SendText(self._socket, encode(frame)))

    def notify_server(self, method: str, params: JsonObject) -> None:
        """A frame without id, to which nothing is answered (SIG-054)."""
        if self._socket is None or not self.usable:
            raise NotConnected("there is no registered socket")
        self._owner.act(SendText(self._socket, encode({"jsonrpc": "2.0", "method": method, "params": params})))

    def acknowledge(self, request: Request) -> None:
        """SIG-060; a notification has nothing to acknowledge."""
        if request.id is not None and self._socket is not None and self._open and self.state is not S.CLOSING:
            ack: JsonObject = {"jsonrpc": "2.0", "id": request.id, "result": {"method": request.method}}
            self._owner.act(SendText(self._socket, encode(ack)))

    # Facts.

    def told(self, fact: SocketFact, now: float) -> None:
        """News of a socket. Of any but the current one there is no news (SIG-085, T41)."""
        if fact.socket != self._socket:
            return
        match fact:
            case TextReceived(_, text):
                if self.state is not S.CLOSING:
                    self._text(text, now)
            case BinaryReceived():
                self.health.heard(now)
            case SocketOpened(_, wall):
                self._opened(wall, now)
            case SocketRefused(_, reason):
                self._refused(reason, now)
            case SocketClosed():
                self._closed(fact, now)

    def timed_out(self, timer: Timer, owner: object, now: float) -> None:
        match timer:
            case Timer.REQUEST:
                self._request_timed_out(owner, now)
            case Timer.HEALTH_CHECK:
                self._check_health(now)
            case Timer.KEEPALIVE:
                self._keep_alive(now)
            case Timer.REGISTRATION_WATCH:
                self._watch(now)
                self._ask_gateway_state(now)
            case Timer.REG_POLL:
                self._ask_gateway_state(now)
            case Timer.GATEWAY_RETRY:
                self._gateway_retry(now)
            case Timer.RECONNECT:
                self._retry(now)
            case Timer.TOKEN_EXPIRY:
                self._owner.report_warning(WarningCode.TOKEN_EXPIRING_SOON, {})
            case Timer.DISCONNECT_BYE:
                self._owner.end_calls(now, bye=False)
                self.drained(now)
            case Timer.CONNECT_TIMEOUT:
                self._abandon("CONNECT_TIMEOUT", now)
            case Timer.CLOSE_SAFETY:
                self._abandon("STUCK_WS_TIMEOUT", now)
            case _:
                raise AssertionError(f"not a deadline of a connection: {timer.name}")

    # The socket.

    def _start_afresh(self, now: float) -> None:
        self._attempts = 0
        self.registration.restart()
        self._auto_reconnect = self.options.auto_reconnect
        self._rejected = False
        self._login_retries = 0
        self._timers.stop(Timer.RECONNECT)
        self._move(Given.CONNECT)
        self._open_socket(now)

    def _retry(self, now: float) -> None:  # T39, T40
        self._move(Given.RETRY)
        self._open_socket(now)

    def _open_socket(self, now: float) -> None:
        self.generation = SocketId(self.generation + 1)
        self._socket, self._open = self.generation, False
        self._last_attempt = now
        token = self.identity.voice_sdk_id
        target = build_url(
            self.options,
            voice_sdk_id=token,
            first_canary=not self._canary_built,
            skip_last=self.options.skip_last_voice_sdk_id or self._skip_last_once,
            regional_fallback=self._regional_fallback,
        )
        self._first_canary = target.canary and token is not None and not self._canary_built
        self._canary_built = self._canary_built or target.canary
        self.call_report_voice_sdk_id = target.voice_sdk_id
        self._timers.set(Timer.CONNECT_TIMEOUT, now + timeouts.CONNECT)
        self._owner.act(OpenSocket(self.generation, target.url))

    def _opened(self, wall: float, now: float) -> None:  # T08
        if self.state is not S.CONNECTING or self._open:
            return
        self._open = True
        self._wall_offset = wall - now
        self.identity.set_wall(wall, now)
        self._timers.stop(Timer.CONNECT_TIMEOUT)
        self._move(Given.SOCKET_OPENED)
        assert self._socket is not None, "this fact named it"
        self._owner.act(Notify(SocketOpen(self._socket)))
        self.health.start(now)
        self._timers.set(Timer.HEALTH_CHECK, now + timeouts.HEALTH_CHECK)
        self._send_login(now)

    def _refused(self, reason: str, now: float) -> None:  # T07
        if self.state is not S.CONNECTING:
            return
        self._forget_socket(now)
        self._move(Given.SOCKET_REFUSED)
        self._owner.end_calls(now, bye=False)
        self._owner.report_error(ErrorCode.WEBSOCKET_CONNECTION_FAILED, original=Failure(FailureKind.SOCKET, reason))
        self._rest(CloseReason.REFUSED)

    def _abandon(self, reason: str, now: float) -> None:
        """The socket neither opens nor closes: let go of it (SIG-034, SIG-277)."""
        assert self._socket is not None, "its deadline was set with it"
        self._owner.act(AbandonSocket(self._socket))
        self._closed(SocketClosed(self._socket, 1006, reason, clean=False, error=reason), now)

    def _close(self, intent: Intent, now: float) -> None:
        """Ask the socket to close, and bound the wait (SIG-276)."""
        assert self._socket is not None, "only an open socket is closed"
        assert self._open, "only an open socket is closed"
        self._intent = intent
        self._move(Given.CLOSE)
        self._fail_pending("the socket is being closed", now)
        self._stop_timers()
        self._owner.act(CloseSocket(self._socket))
        self._timers.set(Timer.CLOSE_SAFETY, now + timeouts.CLOSE_SAFETY)

    def _drain(self, intent: Intent, reason: CloseReason, now: float) -> None:
        """End the calls with BYE, together, then close (SIG-280, SIG-221 b)."""
        self._reason = reason
        self._draining = None
        self._owner.end_calls(now, bye=True)
        self._draining = intent
        if self._owner.has_calls:
            self._timers.set(Timer.DISCONNECT_BYE, now + timeouts.DISCONNECT_BYE)
        else:
            self.drained(now)

    def _closed(self, fact: SocketClosed, now: float) -> None:
        """LOSS, once for each socket, whatever the code (SIG-240, SIG-243)."""
        if fact.error:
            self._owner.report_error(ErrorCode.WEBSOCKET_ERROR, original=Failure(FailureKind.SOCKET, fact.error))
            self._owner.act(Notify(SocketError(fact.socket, fact.error)))
        never_open = not self._open
        intent = self._draining or (self._intent if self.state is S.CLOSING else Intent.RECOVER)
        self._draining = None
        if self._logged_in and self.identity.session_id is not None:
            self.identity.stamp(now)
        if never_open and self.options.region is not None:
            self._regional_fallback = True  # SIG-007
        self._forget_socket(now)
        self._owner.act(Notify(SocketClose(fact.socket, fact.code, fact.reason, fact.clean)))
        match intent:
            case Intent.RECOVER:
                self._lost(now)
            case Intent.DISCONNECT:
                self._owner.end_calls(now, bye=False)
                self._move(Given.LOST_FINAL)
                self._rest(self._reason)
            case Intent.PUNT:
                self._move(Given.LOST_FINAL)
                self._owner.report_warning(
                    WarningCode.RECONNECTION_FAILED_WITH_NO_AUTO_RECONNECT, {"reason": "server_punt"}
                )
                self._rest(CloseReason.PUNTED)
            case Intent.FATAL:
                self._move(Given.LOST_EXHAUSTED)
                self._rest(CloseReason.EXHAUSTED)
        if self._reconnect_wanted:
            self._reconnect_wanted = False
            self.connect(now)

    def _lost(self, now: float) -> None:
        if self._rejected:  # T35
            self._move(Given.LOST_REJECTED)
            self._give_up("login_failed", CloseReason.REFUSED, now)
        elif not self._auto_reconnect:  # T34
            self._move(Given.LOST_FINAL)
            self._give_up("auto_reconnect_disabled", CloseReason.LOST, now)
        elif 0 < self.options.max_reconnect_attempts < self._attempts + 1:  # T33
            self._owner.socket_lost(now)
            self._exhausted(now, "the attempts to reconnect are used up")
        else:  # T32
            self._owner.socket_lost(now)
            self._attempts += 1
            self._move(Given.LOST_RETRY)
            # With a live call every second is heard; without one a fleet must not come back in step.
            at_once = self._attempts == 1 and self._owner.has_calls
            self._timers.set(Timer.RECONNECT, now if at_once else now + backoff(self._attempts, self._rng))

    def _give_up(self, reason: str, rest: CloseReason, now: float) -> None:
        self._owner.report_warning(WarningCode.RECONNECTION_FAILED_WITH_NO_AUTO_RECONNECT, {"reason": reason})
        self._owner.end_calls(now, bye=False)
        self._rest(rest)

    def _exhausted(self, now: float, why: str) -> None:
        self._move(Given.LOST_EXHAUSTED)
        self._owner.end_calls(now, bye=False)
        self._owner.report_error(ErrorCode.RECONNECTION_EXHAUSTED, original=Failure(FailureKind.SOCKET, why))
        self._attempts = 0
        self._rest(CloseReason.EXHAUSTED)

    def _rest(self, reason: CloseReason) -> None:
        """Nothing more happens by itself."""
        self._attempts = 0
        self._timers.stop(Timer.RECONNECT)
        self._timers.stop(Timer.TOKEN_EXPIRY)
        if reason is CloseReason.DISCONNECTED:
            self.identity.forget_session(token=False)  # SIG-235
        elif reason is CloseReason.PUNTED:
            self.identity.forget_session(token=True)
        self._refuse_logins(Failure(FailureKind.NOT_CONNECTED, "the session has ended", method=m.LOGIN))
        self._owner.act(Notify(SessionClosed(reason)))

    def _forget_socket(self, now: float) -> None:
        self._fail_pending("the socket was lost", now)
        self._stop_timers()
        for timer in (Timer.CONNECT_TIMEOUT, Timer.CLOSE_SAFETY):
            self._timers.stop(timer)
        self._socket, self._open = None, False
        self._logged_in = self.was_ready = self._recovering = False
        self._login_pending = self._login_again = False
        self._early_registration = None
        self.health.waiting.clear()
        self.registration.lost()

    def _stop_timers(self) -> None:
        for timer in (
            Timer.KEEPALIVE,
            Timer.HEALTH_CHECK,
            Timer.REG_POLL,
            Timer.GATEWAY_RETRY,
            Timer.REGISTRATION_WATCH,
            Timer.DISCONNECT_BYE,
        ):
            self._timers.stop(timer)

    def _recover(self, reason: str, source: Source, now: float) -> None:
        """The signalling path is considered broken: once for each socket (SIG-262, T28)."""
        if not self.connected or self._recovering:
            return
        self._recovering = True
        self.health.waiting.clear()
        self._owner.report_warning(WarningCode.SIGNALING_RECOVERY_REQUIRED, {"reason": reason, "source": source})
        if self._draining is not None:
            self._owner.end_calls(now, bye=False)
            self.drained(now)
        else:
            self._close(Intent.RECOVER, now)

    recover = _recover

    # Login.

    def _send_login(self, now: float) -> None:
        resume = self.identity.voice_sdk_id is not None and not self._first_canary
        session_id: str | None = None
        if resume and not self._omit_session_once:
            # On a live socket the id is good by definition (SIG-233).
            session_id = self.identity.session_id if self._logged_in else self.identity.resumable(now)
        self._omit_session_once = False
        self._login_resumes = resume
        self._login_pending = True
        method, params = m.login_params(self.options, reconnection=resume, session_id=session_id)
        purpose = Purpose.LOGIN if self.state is S.LOGGING_IN else Purpose.RELOGIN
        self.request(purpose, method, params, now)

    def _login_accepted(self, purpose: Purpose, result: JsonView, now: float) -> None:  # T09, T27b
        self._login_pending = False
        self.identity.logged_in(string(result, "sessid"), now)
        self._ever_logged_in = self.options
        self._logged_in = True
        self._rejected = False
        self._login_retries = 0
        self._note_expiry(now)
        for ticket in self._login_tickets:
            self._owner.act(Settle(ticket, Done(result)))
        self._login_tickets.clear()
        if purpose is Purpose.LOGIN:
            self._move(Given.LOGGED_IN)
            self._watch(now)
            report = m.gateway_report(mapping(result, "params")) or self._early_registration
            self._early_registration = None
            if report is not None:
                self._gateway(report, now)
        self._login_once_more(now)

    def _login_failed(self, purpose: Purpose, failure: Failure, now: float) -> None:
        self._login_pending = False
        if failure.kind is FailureKind.STALE_REQUEST:
            return  # the next socket logs in again
        rejected = failure.code == -32001
        if purpose is Purpose.LOGIN and rejected and self._may_retry_login():  # T10b, SIG-218
            self._login_retries += 1
            if self._login_retries == _MAX_LOGIN_RETRIES:
                self._skip_last_once = self._omit_session_once = True
            self._close(Intent.RECOVER, now)
            return
        timed_out = failure.kind is FailureKind.REQUEST_TIMEOUT
        self._refuse_logins(failure)
        self._owner.report_error(ErrorCode.LOGIN_FAILED, original=failure, fatal=False if timed_out else None)
        if purpose is Purpose.LOGIN and not timed_out:  # T10, T11; T12 is the timeout's own
            self._rejected = rejected
            self._move(Given.LOGIN_REJECTED)
        self._login_once_more(now)

    def _login_once_more(self, now: float) -> None:
        """`login` was called while one was on its way: one after the other (SIG-249)."""
        if self._login_again and self.connected and not self.draining:
            self._login_again = False
            if self.state in (S.REGISTERING, S.AUTH_FAILED):
                self._move(Given.RELOGIN)
            self._send_login(now)

    def _may_retry_login(self) -> bool:
        known = self._ever_logged_in is not None and self._ever_logged_in.same_credentials(self.options)
        return known and self._login_resumes and self._login_retries < _MAX_LOGIN_RETRIES and self._auto_reconnect

    def _refuse_logins(self, failure: Failure) -> None:
        for ticket in self._login_tickets:
            self._owner.act(Settle(ticket, Failed(failure)))
        self._login_tickets.clear()

    def _note_expiry(self, now: float) -> None:
        """34001 two minutes before the token ends (SIG-250 to SIG-252)."""
        self._timers.stop(Timer.TOKEN_EXPIRY)
        token = self.options.login_token
        end = expiry(token) if token is not None else None
        if end is None:
            return
        left = end - int(self.wall(now))
        if left > 0:
            self._timers.set(Timer.TOKEN_EXPIRY, now + max(0.0, left - timeouts.TOKEN_NOTICE))

    # Registration.

    def _ask_gateway_state(self, now: float) -> None:
        if self.logged_in:
            self.request(Purpose.GATEWAY_STATE, m.GATEWAY_STATE, {}, now)

    def _watch(self, now: float) -> None:
        self._timers.set(Timer.REGISTRATION_WATCH, now + timeouts.REGISTRATION_WATCH)

    def _gateway(self, report: m.GatewayReport, now: float) -> None:
        """A gateway state arrived (SIG-210 to SIG-223)."""
        if report.state not in KNOWN:
            return
        if not self._logged_in or self.state is S.LOGGING_IN:  # SIG-202
            self._early_registration = report
            return
        self.call_report_id = report.call_report_id or self.call_report_id
        self.dc = report.dc or self.dc
        self.region = report.region or self.region
        if report.reattached is not None:
            self._owner.reattached(report.reattached, now)
        pending = report.state in ("UNREGED", "NOREG")
        if self.draining or (pending and self.state is S.AUTH_FAILED):  # T17b
            return
        polling = self._timers.is_set(Timer.REG_POLL)
        match self.registration.told(report.state, polling=polling):
            case Decision.READY:
                self._registered(report.state, now)
            case Decision.STILL_READY:
                if report.state == "REGED":
                    self._attempts, self._skip_last_once = 0, False
            case Decision.POLL:  # T16
                if self.state is S.READY:
                    self._move(Given.UNREGISTERED)
                self._timers.stop(Timer.REGISTRATION_WATCH)
                self._timers.set(Timer.REG_POLL, now + registration_pause(self._rng))
            case Decision.REFUSED:  # T17
                if self.state is S.READY:
                    self._move(Given.UNREGISTERED)
                self._timers.stop(Timer.REGISTRATION_WATCH)
                self._move(Given.REGISTRATION_REFUSED)
                failure = Failure(FailureKind.GATEWAY_STATE, "UNREGED|NOREG", method=m.GATEWAY_STATE)
                self._owner.report_error(ErrorCode.LOGIN_FAILED, original=failure)
            case Decision.GATEWAY_FAILED | Decision.GATEWAY_GONE as decision:
                self._gateway_failed(report.state, now, gone=decision is Decision.GATEWAY_GONE)
            case Decision.WATCH:
                if self.state is S.REGISTERING:
                    self._watch(now)
            case Decision.NOTHING:
                pass

    def _registered(self, state: str, now: float) -> None:  # T15, T22, T26
        for timer in (Timer.REG_POLL, Timer.REGISTRATION_WATCH, Timer.GATEWAY_RETRY):
            self._timers.stop(timer)
        self._move(Given.REGISTERED)
        if state == "REGED":
            self._attempts, self._skip_last_once = 0, False
        self._regional_fallback = False
        self.was_ready = True
        self._pong = False
        self._timers.set(Timer.KEEPALIVE, now + timeouts.KEEPALIVE)
        ready = Ready(self.identity.session_id, state, self.region, self.dc, self.call_report_id)
        self._owner.act(Notify(ready))

    def _gateway_failed(self, state: str, now: float, *, gone: bool) -> None:  # T18 to T20
        for timer in (Timer.REG_POLL, Timer.REGISTRATION_WATCH):
            self._timers.stop(timer)
        failure = Failure(FailureKind.GATEWAY_STATE, state, method=m.GATEWAY_STATE)
        self._owner.report_error(ErrorCode.GATEWAY_FAILED, original=failure)
        self._skip_last_once = True
        if gone or not self._auto_reconnect:
            self._owner.end_calls(now, bye=False)
            self._owner.report_error(ErrorCode.RECONNECTION_EXHAUSTED, original=failure)
            self._auto_reconnect = False
            self._close(Intent.FATAL, now)
        else:
            self._move(Given.GATEWAY_FAILED)
            self._timers.set(Timer.GATEWAY_RETRY, now + registration_pause(self._rng))

    def _gateway_retry(self, now: float) -> None:  # T24, SIG-221
        if not self._owner.has_calls or (
            self.options.keep_connection_alive_on_socket_close and self._owner.media_alive
        ):
            self._close(Intent.RECOVER, now)
        else:
            self._drain(Intent.RECOVER, CloseReason.LOST, now)

    # Frames.

    def _text(self, text: str, now: float) -> None:
        self.health.heard(now)
        frame = decode(text)
        match frame:
            case Reply():
                self._reply(frame, now)
            case Request():
                self._request_came(frame, now)
            case Plain():
                self._owner.act(Notify(FrameIgnored("text that is not JSON")))
            case Garbage(reason):
                self._owner.act(Notify(FrameIgnored(reason)))

    def _reply(self, reply: Reply, now: float) -> None:
        self._take_token(reply.voice_sdk_id)
        self._pong = True
        self.health.confirmed(now)
        pending = self._requests.take(reply.id)
        if pending is None:
            self._owner.act(Notify(SocketMessage(reply.frame)))
            report = m.gateway_report(mapping(reply.result, "params"))
            if report is not None and self.connected:
                self._gateway(report, now)
            return
        failure: Failure | None = None
        if reply.error is not None:
            failure = Failure(FailureKind.SERVER_ERROR, reply.error.message, reply.error.code, pending.method)
        self._settle_pending(pending, failure, reply.error, reply.result, now, frame=reply.frame)

    def _request_came(self, request: Request, now: float) -> None:
        pending = self._requests.take(request.id)
        if pending is not None:  # SIG-065: an echo of our own request completes it
            self.health.confirmed(now)
            self._settle_pending(pending, None, None, {}, now)
            return
        self._take_token(request.voice_sdk_id)
        self._pong = True
        self._owner.act(Notify(SocketMessage(request.frame)))
        match request.method:
            case m.PING:
                if self._logged_in and not self.draining:  # SIG-132
                    self.request(Purpose.PING, m.PING, {}, now)
            case m.CLIENT_READY:
                sessions = request.params.get("reattached_sessions")
                if isinstance(sessions, list):
                    self._owner.reattached(tuple(item for item in sessions if isinstance(item, str)), now)
                self._ask_gateway_state(now)
            case m.GATEWAY_STATE:
                report = m.gateway_report(request.params)
                if report is not None:
                    self._gateway(report, now)
            case m.PUNT:
                self.acknowledge(request)
                self._punt(now)
            case _:
                self._owner.server_said(request, now)

    def _settle_pending(
        self,
        pending: Pending,
        failure: Failure | None,
        server: ServerError | None,
        result: JsonView,
        now: float,
        *,
        frame: dict[str, Json] | None = None,
    ) -> None:
        """The one outcome of a request."""
        if (
            failure is not None
            and failure.code == -32000
            and self._logged_in
            and pending.purpose not in (Purpose.LOGIN, Purpose.RELOGIN)
        ):
            self._authentication_lost(failure, now)
        match pending.purpose:
            case Purpose.LOGIN | Purpose.RELOGIN as purpose:
                if failure is None:
                    self._login_accepted(purpose, result, now)
                else:
                    self._login_failed(purpose, failure, now)
            case Purpose.GATEWAY_STATE:
                self._gateway_replied(result, frame, now)
            case Purpose.IS_REGISTERED:
                report = m.gateway_report(mapping(result, "params"))
                registered = report is not None and report.state in ("REGED", "REGISTER")
                assert pending.ticket is not None, "asked for by a command"
                self._owner.act(Settle(pending.ticket, Done({"registered": registered})))
                self._gateway_replied(result, frame, now)
            case Purpose.PROBE:
                if failure is None or failure.kind is FailureKind.SERVER_ERROR:
                    self._probe_answered(now)
            case Purpose.TICKET:
                assert pending.ticket is not None, "asked for by a command"
                self._owner.act(Settle(pending.ticket, Done(result) if failure is None else Failed(failure)))
            case Purpose.PING | Purpose.UNATTENDED:
                pass
            case purpose:
                assert purpose in CALL_PURPOSES or purpose is Purpose.LATE_BYE, purpose.value
                self._owner.call_replied(pending, result, failure, server, now)

    def _gateway_replied(self, result: JsonView, frame: dict[str, Json] | None, now: float) -> None:
        report = m.gateway_report(mapping(result, "params"))
        if frame is not None and report is not None and self.connected:
            self._owner.act(Notify(SocketMessage(frame)))
            self._gateway(report, now)

    def _request_timed_out(self, ident: object, now: float) -> None:
        pending = self._requests.take(ident if isinstance(ident, str) else None)
        assert pending is not None, "its deadline is stopped with it"
        failure = Failure(FailureKind.REQUEST_TIMEOUT, "no reply in time", method=pending.method)
        self._settle_pending(pending, failure, None, {}, now)
        if pending.method in DISTRUSTED:
            self._recover(f"{pending.method} was not answered", "request", now)

    def _fail_pending(self, why: str, now: float) -> None:
        """Requests die with their socket (SIG-068). Those of calls are settled by `Owner.socket_lost`."""
        for pending in self._requests.take_all():
            failure = Failure(FailureKind.STALE_REQUEST, why, method=pending.method)
            if pending.purpose not in CALL_PURPOSES:
                self._settle_pending(pending, failure, None, {}, now)

    def _authentication_lost(self, failure: Failure, now: float) -> None:
        """-32000 on a request: log in again on this socket, once at a time (SIG-077)."""
        self._owner.report_error(ErrorCode.AUTHENTICATION_REQUIRED, original=failure, fatal=not self._auto_reconnect)
        if not self._login_pending and self.connected and not self.draining:
            self._send_login(now)

    def _take_token(self, voice_sdk_id: str | None) -> None:
        if voice_sdk_id is not None:
            self.identity.take_token(voice_sdk_id)
            self.call_report_voice_sdk_id = voice_sdk_id

    def _punt(self, now: float) -> None:
        """Another connection took over this session (SIG-290, SIG-291)."""
        recently = self._punted_at is not None and now - self._punted_at < timeouts.PUNT_GUARD
        self._punted_at = now
        if (
            self.options.keep_connection_alive_on_socket_close
            and self._owner.media_alive
            and not recently
            and not self.draining
        ):
            self._close(Intent.RECOVER, now)
            return
        self._owner.end_calls(now, bye=False)
        self._auto_reconnect = False
        if self.connected:  # ending the last call may have closed the socket already
            self._draining = None
            self._close(Intent.PUNT, now)

    # Health.

    def _keep_alive(self, now: float) -> None:
        """SIG-255: a ping only where nothing was heard; and a stamp for a process that may not live to say good-bye."""
        if not self._pong:
            self.request(Purpose.PING, m.PING, {}, now)
        self._pong = False
        if self._owner.has_calls:
            self.identity.stamp(now)
        self._timers.set(Timer.KEEPALIVE, now + timeouts.KEEPALIVE)

    def _check_health(self, now: float) -> None:
        self._timers.set(Timer.HEALTH_CHECK, now + timeouts.HEALTH_CHECK)
        match self.health.check(now):
            case Verdict.PROBE:
                self._probe(now)
            case Verdict.RECOVER:
                evidence = next(iter(self.health.waiting.values()), None)
                reason = evidence.reason if evidence is not None else "the probe was not answered"
                self._recover(reason, "probe", now)
            case Verdict.FINE:
                pass

    def _probe(self, now: float) -> None:
        if self.connected and self.health.probed_at is None:
            self.health.probed_at = now
            self.request(Purpose.PROBE, m.PING, {}, now)

    def _probe_answered(self, now: float) -> None:
        self.health.probe_answered(now)
        waiting = dict(self.health.waiting)
        self.health.waiting.clear()
        for call, evidence in waiting.items():
            self._owner.renew_media(call, evidence.reason, evidence.source, now)

    def _move(self, given: SessionInput) -> None:
        self.state = move_session(self.state, given)
