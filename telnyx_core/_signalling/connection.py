"""The session without its calls: one socket at a time, and the reconnection when it is lost (signaling.md 1 to 4).

Comments such as T01 name rows of the transition table (signaling.md 4.2). `Login`, `Registrar` and `Liveness` each hold
one part of it; this module opens and closes the socket, and routes frames, replies and deadlines.
"""

from random import Random

from telnyx_core._signalling import messages as m
from telnyx_core._signalling.identity import Identity
from telnyx_core._signalling.link import Intent, Owner
from telnyx_core._signalling.liveness import Liveness
from telnyx_core._signalling.login import Login
from telnyx_core._signalling.registrar import Registrar
from telnyx_core._signalling.requests import CALL_PURPOSES, DISTRUSTED, Pending, Purpose, RequestTable, new_uuid
from telnyx_core._signalling.speed import SpeedTest
from telnyx_core._signalling.token_renewal import TokenRenewal
from telnyx_core._signalling.url import build_url
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_SENT_BYTES, MAX_UNATTENDED
from telnyx_core._time.reconnect import backoff, first, hurried
from telnyx_core._time.timers import Timer, TimerTable
from telnyx_core._wire.codec import Garbage, Plain, Reply, Request, ServerError, decode, encode, mapping, strings
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import AbandonSocket, CloseSocket, Done, Failed, Notify, OpenSocket, SendText, Settle
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import (
    CloseReason,
    FrameIgnored,
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
    TokenFact,
)
from telnyx_core.ids import CallId, SocketId, Ticket
from telnyx_core.options import ClientOptions
from telnyx_core.states import SessionInput, SessionState, move_session

S, Given = SessionState, SessionInput

_WITH_SOCKET = frozenset({S.LOGGING_IN, S.REGISTERING, S.READY, S.GATEWAY_WAIT, S.AUTH_FAILED})


_FALLS_FOR_A_CALL = 20
"""How often a server may lose us right after a registration before attempts that can save a call slow down, too."""


class Connection:
    def __init__(
        self, options: ClientOptions, *, rng: Random, timers: TimerTable, identity: Identity, owner: Owner
    ) -> None:
        self.options = options
        self.state = S.IDLE
        self.generation = SocketId(0)
        self._complete_sdp_on = SocketId(0)
        """The socket on which the server last said that it knows no ``candidate`` (SRV-030)."""
        self.identity = identity
        self.rng = rng
        self.timers = timers
        self.owner = owner
        self.auto_reconnect = options.auto_reconnect
        self.first_canary = False
        self.call_report_voice_sdk_id: str | None = None
        self.url = ""
        """The URL of the newest socket."""
        self.last_close: SocketClosed | None = None
        self.login = Login(self)
        self.registrar = Registrar(self)
        self.liveness = Liveness(self)
        self.renewal = TokenRenewal(self)
        self._speed = SpeedTest(self)
        self.requests = RequestTable(timers)
        self.unattended: dict[Json, None] = {}
        """Ids of `send_unattended`, oldest first."""
        self.socket: SocketId | None = None
        self._open = False
        self._intent = Intent.RECOVER
        self._reason = CloseReason.LOST
        self._draining: Intent | None = None
        self._reconnect_wanted = False
        self._attempts = 0
        self._hurried = 0
        """Attempts in a row to save a call. The application's maximum does not count them: it must not end a call that
        the server still keeps."""
        self._falls = 0
        """Registrations in a row after each of which the socket was lost at once."""
        self._ready_at: float | None = None
        """When this socket was registered."""
        self._last_attempt = 0.0
        self._not_before = float("-inf")
        """When an overloaded server wants the next attempt, at the earliest (``Retry-After``)."""
        self._opened_in = 0.0
        """Seconds that the last socket took to open."""
        self._canary_built = False
        self._regional_fallback = False
        self._punted_at: float | None = None
        self._wall_offset = 0.0

    # Looking.

    @property
    def connected(self) -> bool:
        return self._open and self.state in _WITH_SOCKET

    @property
    def usable(self) -> bool:
        """Requests of the application and of calls can be sent (SIG-082)."""
        return self.connected and self.registrar.was_ready and self._draining is None

    @property
    def logged_in(self) -> bool:
        return self.connected and self.login.succeeded

    @property
    def draining(self) -> bool:
        """Calls are being ended so that the socket can be closed."""
        return self._draining is not None

    @property
    def measuring(self) -> bool:
        return self._speed.running

    @property
    def another_attempt(self) -> bool:
        maximum = self.options.max_reconnect_attempts
        return self.auto_reconnect and not self.draining and (maximum == 0 or self._attempts < maximum)

    @property
    def trickles(self) -> bool:
        """Candidates can be sent one by one, as far as is known of the server behind this socket."""
        return self._complete_sdp_on != self.generation

    def wall(self, now: float) -> float:
        """Epoch seconds; correct once a socket has been open."""
        return now + self._wall_offset

    # Commands.

    def connect(self, now: float) -> None:
        match self.state:
            case _ if self.draining:  # T06, just before the close: connect again after it
                self._reconnect_wanted = True
            case S.IDLE | S.EXHAUSTED:  # T01: all counters start anew
                self._start_afresh(now)
            case S.BACKOFF:  # T02: do not wait any longer
                self.timers.stop(Timer.RECONNECT)
                self.move(Given.CONNECT)
                self._open_socket(now)
            case S.AUTH_FAILED if self.connected:  # T04: the socket is good, only the login was refused
                self.login.repeat(now)
            case S.AUTH_FAILED:  # T05: the refused socket has closed since
                self._start_afresh(now)
            case S.CLOSING:  # T06: a close may take seconds; connect again after it
                self._reconnect_wanted = True
            case _:  # T03: connecting or connected already
                pass

    def disconnect(self, now: float) -> None:
        """End the session: BYE for every call, a short wait for the replies, then close (SIG-280 to SIG-284)."""
        self._reconnect_wanted = False
        match self.state:
            case S.IDLE:
                pass
            case S.CONNECTING:  # the attempt is abandoned: no `SocketOpen` may follow (SIG-284)
                self._abandon_attempt(now)
                self._without_socket(CloseReason.DISCONNECTED, now)
            case S.BACKOFF | S.EXHAUSTED:  # T30: there is no socket to close
                self._without_socket(CloseReason.DISCONNECTED, now)
            case S.AUTH_FAILED if not self.connected:
                self._without_socket(CloseReason.DISCONNECTED, now)
            case S.CLOSING:
                self.owner.end_calls(now, bye=False)
                self._intent, self._reason = Intent.DISCONNECT, CloseReason.DISCONNECTED
            case _:  # T29: a socket is open, so the BYEs go first
                self.drain(Intent.DISCONNECT, CloseReason.DISCONNECTED, now)

    def leave(self, now: float) -> None:
        """Close without BYE, so that a later process can take up the calls (CALL-860).

        A `disconnect` that is under way is completed: its BYEs have been sent already.
        """
        self._reconnect_wanted = False
        match self.state:
            case S.IDLE:
                pass
            case _ if self.draining:
                pass
            case S.CONNECTING:
                self._abandon_attempt(now)
                self._without_socket(CloseReason.LEFT, now)
            case S.CLOSING:
                if self._intent is Intent.RECOVER:
                    self.owner.leave_calls(now)
                    self._intent, self._reason = Intent.DISCONNECT, CloseReason.LEFT
            case _ if not self.connected:
                self._without_socket(CloseReason.LEFT, now)
            case _:
                if self.login.succeeded:
                    self.identity.stamp(now)  # the session id is known to be good until now (SIG-231)
                self.owner.leave_calls(now)
                self._reason = CloseReason.LEFT
                self.close(Intent.DISCONNECT, now)

    def relocate(self, options: ClientOptions, now: float) -> None:
        """The options name another server: the next socket is opened there, at once where there is one now."""
        self.options, self._regional_fallback = options, False
        if self.draining or not (self.connected or self.state is S.CONNECTING):
            return
        self._reconnect_wanted = True  # nothing has failed, so no backoff
        if self.connected:
            self.close(Intent.RECOVER, now)
        else:
            self._abandon("another region is wanted", now)

    def ask_registered(self, ticket: Ticket, now: float) -> None:
        """Ask for the gateway state. An error, a timeout or any unregistered state settles with False (SIG-129)."""
        if self.logged_in:
            self.request(Purpose.IS_REGISTERED, m.GATEWAY_STATE, {}, now, ticket=ticket)
        else:
            self.owner.act(Settle(ticket, Done({"registered": False})))

    def check_speed_test(self, size: int) -> None:
        """Raises `ValueError` and `Busy` where `speed_test` cannot be done."""
        self._speed.check(size)

    def speed_test(self, size: int, ticket: Ticket, now: float) -> None:
        self.liveness.occupied()
        self._speed.begin(size, ticket, now)

    def network(self, change: NetworkChange, now: float) -> None:
        """The host reports a change of its network (SIG-272, SIG-273). Back online, a backoff ends early (T40)."""
        if change == "offline":
            self.liveness.went_offline(now)
            return
        if change == "resumed":
            self.liveness.resumed(now)
        else:
            self.liveness.came_online(now)
        if self.state is S.BACKOFF and now >= max(self._last_attempt + timeouts.PATH_CHANGE_PAUSE, self._not_before):
            self.timers.stop(Timer.RECONNECT)
            self._retry(now)

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
        assert self.socket is not None, "a request needs a socket (SIG-081)"
        ident = new_uuid(self.rng)
        frame: JsonObject = {"jsonrpc": "2.0", "id": ident, "method": method}
        if method in (m.PING, m.GATEWAY_STATE):
            if self.identity.voice_sdk_id is not None:
                frame["voice_sdk_id"] = self.identity.voice_sdk_id
        elif call is not None and method != m.AI_CONVERSATION:
            params = {"sessid": self.identity.session_id or "", **params}
        frame["params"] = params
        pending = Pending(method, purpose, call, ticket, now)
        if self.requests.full:
            failure = Failure(FailureKind.PROTOCOL, "too many requests wait", method=method)
            self._settle(pending, failure, None, {}, now)
            return
        text = encode(frame)
        if why := _too_long(text):
            self._settle(pending, Failure(FailureKind.PROTOCOL, why, method=method), None, {}, now)
            return
        self.requests.add(ident, pending, now)
        self._put(frame, text, call)

    def tell(self, method: str, params: JsonObject) -> None:
        """A frame without id, to which nothing is answered (SIG-054)."""
        self._send(_notification(method, params), None)

    def check_size(self, method: str, params: JsonObject) -> None:
        """Raise `ValueError` for what `tell` must not send: no reply would say that the socket was lost by it."""
        if too_long := _too_long(encode(_notification(method, params))):
            raise ValueError(too_long)

    def say(self, text: str) -> None:
        assert self.socket is not None, "the caller has checked that there is a socket"
        self.owner.act(SendText(self.socket, text))

    def send_unattended(self, frame: JsonObject, drop_if_backlog_over: int | None = None) -> bool:
        """A frame on whose reply nothing depends; False where it cannot be sent now (SIG-186, DBG-005, DBG-006)."""
        if not self.logged_in or self.socket is None:
            return False
        self.unattended[frame["id"]] = None
        if len(self.unattended) > MAX_UNATTENDED:
            del self.unattended[next(iter(self.unattended))]
        self.owner.act(SendText(self.socket, encode(frame), drop_if_backlog_over))
        return True

    def acknowledge(self, request: Request) -> None:
        """Reply that a server request arrived (SIG-060). A notification has no id, so no reply is possible."""
        if request.id is not None and self.socket is not None and self.connected:
            ack: JsonObject = {"jsonrpc": "2.0", "id": request.id, "result": {"method": request.method}}
            self._send(ack, request.call)

    def _send(self, frame: JsonObject, call: CallId | None) -> None:
        self._put(frame, encode(frame), call)

    def _put(self, frame: JsonObject, text: str, call: CallId | None) -> None:
        self.say(text)
        self.owner.saw_frame("SEND", frame, len(text), call)

    # Facts and deadlines.

    def handle_fact(self, fact: SocketFact, now: float) -> None:
        """Handle one fact. Late facts of earlier sockets are ignored (SIG-085, T41)."""
        if fact.socket != self.socket:
            return
        match fact:
            case TextReceived(_, text):
                if self.connected:
                    self._text(text, now)
            case BinaryReceived():
                self.liveness.monitor.heard(now)
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
                self.liveness.check(now)
            case Timer.KEEPALIVE:
                self.liveness.keep_alive(now)
            case Timer.REGISTRATION_WATCH | Timer.REG_POLL:
                self.registrar.watch(now)  # armed again: the reply may name no state
                self.registrar.ask(now)
            case Timer.GATEWAY_RETRY:
                self.registrar.retry_gateway(now)
            case Timer.RECONNECT:
                self._retry(now)
            case Timer.TOKEN_EXPIRY:
                self.owner.report_warning(WarningCode.TOKEN_EXPIRING_SOON, {})
                self.renewal.expiring(now)
            case Timer.TOKEN_ASK:
                self.renewal.ask()
            case Timer.LOGIN_AGAIN:
                self.login.again(now)
            case Timer.SPEED_TEST:
                self._speed.timed_out()
            case Timer.DISCONNECT_BYE:
                self.owner.end_calls(now, bye=False)
                self.drained(now)
            case Timer.CONNECT_TIMEOUT:
                self._abandon("CONNECT_TIMEOUT", now, error=f"no connection within {timeouts.CONNECT:g} s")
            case Timer.CLOSE_SAFETY:
                self._abandon("STUCK_WS_TIMEOUT", now)
            case _:
                raise AssertionError(f"not a deadline of a connection: {timer.name}")

    # The socket.

    def _start_afresh(self, now: float) -> None:
        self._attempts = self._hurried = self._falls = 0
        self.auto_reconnect = self.options.auto_reconnect
        self.login.restart()
        self.registrar.registration.restart()
        self.owner.begun()
        self.move(Given.CONNECT)
        self._open_socket(now)

    def _retry(self, now: float) -> None:  # T39, T40
        self.move(Given.RETRY)
        self._open_socket(now)

    def _open_socket(self, now: float) -> None:
        self.generation = SocketId(self.generation + 1)
        self.socket, self._open = self.generation, False
        self._last_attempt = now
        self.identity.begin_socket()
        token = self.identity.voice_sdk_id
        target = build_url(
            self.options,
            voice_sdk_id=token,
            first_canary=not self._canary_built,
            skip_last=self.options.skip_last_voice_sdk_id or self.identity.skip_last_once,
            regional_fallback=self._regional_fallback,
        )
        self.first_canary = target.canary and token is not None and not self._canary_built
        self._canary_built = self._canary_built or target.canary
        self.call_report_voice_sdk_id = target.voice_sdk_id
        self.url = target.url
        self.timers.set(Timer.CONNECT_TIMEOUT, now + self._patience(now))
        self.owner.act(OpenSocket(self.generation, target.url))

    def _patience(self, now: float) -> float:
        """Seconds to wait for a socket to open. While a call can be saved the wait is shorter, because a new attempt is
        faster than TCP's retransmission of a lost packet.
        """
        until = self.owner.saved_until(now)
        if until is None or until <= now:
            return timeouts.CONNECT
        return min(timeouts.CONNECT, max(hurried(self._hurried + 16, until - now, self.rng), 3 * self._opened_in))

    def _opened(self, wall: float, now: float) -> None:  # T08
        if self.state is not S.CONNECTING:
            return
        self._opened_in = now - self._last_attempt
        self._open = True
        self._wall_offset = wall - now
        self.identity.set_wall(wall, now)
        self.timers.stop(Timer.CONNECT_TIMEOUT)
        self.move(Given.SOCKET_OPENED)
        self.owner.act(Notify(SocketOpen(self.generation)))
        self.liveness.start(now)
        self.login.send(now)

    def _refused(self, reason: str, now: float) -> None:  # T07
        if self.state is not S.CONNECTING:
            return
        self._forget_socket(now)
        self.move(Given.SOCKET_REFUSED)
        self.owner.end_calls(now, bye=False)
        failure = Failure(FailureKind.SOCKET, reason)
        self.owner.report_error(ErrorCode.WEBSOCKET_CONNECTION_FAILED, original=failure)
        self._rest(CloseReason.REFUSED)

    def _abandon(self, reason: str, now: float, *, error: str = "") -> None:
        """The socket neither opens nor closes in time: give it up, and treat it as lost (SIG-034, SIG-277)."""
        self.owner.act(AbandonSocket(self.generation))
        self._closed(SocketClosed(self.generation, 1006, reason, clean=False, error=error), now)

    def close(self, intent: Intent, now: float, *, within: float = timeouts.CLOSE_SAFETY) -> None:
        """Ask the socket to close, with a limit for the wait (SIG-276). A drain's intent takes precedence."""
        assert self._open, "only an open socket is closed"
        self._intent, self._draining = self._draining or intent, None
        self.move(Given.CLOSE)
        self._fail_pending("the socket is being closed", now)
        self._stop_timers()
        self.owner.act(CloseSocket(self.generation))
        self.timers.set(Timer.CLOSE_SAFETY, now + within)

    def drain(self, intent: Intent, reason: CloseReason, now: float) -> None:
        """End all calls with BYE, then close (SIG-280, SIG-221 b). A second drain only replaces intent and reason."""
        self._reason = reason
        if self.draining:
            self._draining = intent
            return
        self.registrar.stop()
        self.owner.end_calls(now, bye=True)
        self._draining = intent
        if self.owner.has_calls:
            self.timers.set(Timer.DISCONNECT_BYE, now + timeouts.DISCONNECT_BYE)
        else:
            self.drained(now)

    def drained(self, now: float) -> None:
        """The last call has ended. If a drain waited for that, close the socket."""
        if self._draining is not None:
            intent, self._draining = self._draining, None
            self.close(intent, now)

    def _closed(self, fact: SocketClosed, now: float) -> None:
        """The socket is gone: once for each socket, and every close code means the same (SIG-240, SIG-243)."""
        self.last_close = fact
        if fact.error:
            self.owner.report_error(ErrorCode.WEBSOCKET_ERROR, original=Failure(FailureKind.SOCKET, fact.error))
            self.owner.act(Notify(SocketError(fact.socket, fact.error)))
        intent = self._draining or (self._intent if self.state is S.CLOSING else Intent.RECOVER)
        self._draining = None
        logged_in = self.login.succeeded
        if logged_in and self.identity.session_id is not None:
            self.identity.stamp(now)  # the session id was good until now (SIG-231)
        # The regional host did not even open: the next attempts use the host without the region (SIG-007).
        if not self._open and self.options.region is not None and not self._reconnect_wanted:
            self._regional_fallback = True
        self._forget_socket(now)
        self.owner.act(Notify(SocketClose(fact.socket, fact.code, fact.reason, fact.clean)))
        match intent:
            case Intent.RECOVER:
                self._lost(now, fact.retry_after, logged_in=logged_in)
            case Intent.DISCONNECT:
                self.owner.end_calls(now, bye=False)
                self.move(Given.LOST_FINAL)
                self._rest(self._reason)
            case Intent.PUNT:
                self.move(Given.LOST_FINAL)
                self._warn_final("server_punt")
                self._rest(CloseReason.PUNTED)
            case Intent.FATAL:
                self.move(Given.LOST_EXHAUSTED)
                self._rest(CloseReason.EXHAUSTED)
        if self._reconnect_wanted:  # T06: as T01
            self._reconnect_wanted = False
            self._attempts = self._hurried = 0
            self.connect(now)

    def _lost(self, now: float, retry_after: float | None, *, logged_in: bool) -> None:
        maximum = self.options.max_reconnect_attempts
        until = self.owner.saved_until(now)
        saving = until is not None and until > now
        if self.login.rejected:  # T35: the same credentials would be refused again
            self.move(Given.LOST_REJECTED)
            self._warn_final("login_failed")
            self.owner.end_calls(now, bye=False)
            self._rest(CloseReason.REFUSED)
        elif not self.auto_reconnect:  # T34: switched off, or off after a punt or a failed gateway
            self.move(Given.LOST_FINAL)
            self._warn_final("auto_reconnect_disabled")
            self.owner.end_calls(now, bye=False)
            self._rest(CloseReason.LOST)
        # T33: attempts that can still save a call are not limited.
        elif 0 < maximum <= self._attempts and not saving and not self._reconnect_wanted:
            self.move(Given.LOST_EXHAUSTED)
            self.owner.end_calls(now, bye=False)
            failure = Failure(FailureKind.SOCKET, f"{maximum} attempts to reconnect have failed")
            self.owner.report_error(ErrorCode.RECONNECTION_EXHAUSTED, original=failure)
            self._rest(CloseReason.EXHAUSTED)
        else:  # T32: try again
            self.owner.socket_lost(now, logged_in=logged_in)
            if self._ready_at is not None:
                fell = self.state is not S.CLOSING and now - self._ready_at < timeouts.STEADY
                self._falls = self._falls + 1 if fell else 0
                self._ready_at = None
            self.move(Given.LOST_RETRY)
            due = self._next_attempt(now, until if saving else None)
            self._not_before = now + min(retry_after or 0.0, timeouts.RETRY_AFTER)
            self.timers.set(Timer.RECONNECT, max(due, self._not_before))

    def _next_attempt(self, now: float, until: float | None) -> float:
        """When to try again; ``until`` is when the server forgets the calls.

        A registration starts the count of attempts anew (SIG-244). Losses right after each registration are counted on,
        so that a server that fails because all clients come back at once is not asked at full speed.
        """
        if until is None:
            self._attempts += 1
            # With a live call every second of delay is heard. Without one the delay is random, so that many clients do
            # not come back at the same moment.
            tried = max(self._attempts, self._falls)
            if tried > 1:
                return now + backoff(tried, self.rng)
            return now if self.owner.has_calls else now + first(self.options.reconnect_spread, self.rng)
        self._hurried += 1
        tried = max(self._hurried, self._falls - _FALLS_FOR_A_CALL)
        if tried == 1:
            return max(now, self._last_attempt + (timeouts.HURRIED_LEAST if self._falls > 1 else 0.0))
        at = max(now, self._last_attempt + hurried(tried - 1, until - now, self.rng))
        return at if at < until else until + backoff(1, self.rng)

    def _abandon_attempt(self, now: float) -> None:
        assert self.socket is not None, "connecting, so there is a socket"
        self.owner.act(AbandonSocket(self.socket))
        self._forget_socket(now)

    def _without_socket(self, reason: CloseReason, now: float) -> None:
        """End the session where no socket is open that would have to be closed first."""
        if reason is CloseReason.LEFT:
            self.owner.leave_calls(now)
        else:
            self.owner.end_calls(now, bye=False)
        self.move(Given.DISCONNECT)
        self._rest(reason)

    def _rest(self, reason: CloseReason) -> None:
        """The session is over: no further attempt is made until the application asks."""
        self._attempts = self._hurried = 0
        self.timers.stop(Timer.RECONNECT)
        self.timers.stop(Timer.TOKEN_EXPIRY)
        self.renewal.stop()
        # A later login must not resume this session: it may be another user's by then (SIG-235, SIG-291).
        if reason in (CloseReason.DISCONNECTED, CloseReason.PUNTED):
            self.identity.forget_session(token=reason is CloseReason.PUNTED)
            self.owner.forgotten()
        self.login.refuse_all(Failure(FailureKind.NOT_CONNECTED, "the session has ended", method=m.LOGIN))
        self.owner.act(Notify(SessionClosed(reason)))
        self.owner.rested()

    def _warn_final(self, reason: str) -> None:
        self.owner.report_warning(WarningCode.RECONNECTION_FAILED_WITH_NO_AUTO_RECONNECT, {"reason": reason})

    def _forget_socket(self, now: float) -> None:
        self._fail_pending("the socket was lost", now)
        self._stop_timers()
        self.timers.stop(Timer.CONNECT_TIMEOUT)
        self.timers.stop(Timer.CLOSE_SAFETY)
        self.socket, self._open = None, False
        self.unattended.clear()
        self.login.forget_socket()
        self.registrar.forget_socket()

    def _stop_timers(self) -> None:
        self.liveness.stop()
        self.login.stop()
        self.registrar.stop()
        self.timers.stop(Timer.DISCONNECT_BYE)

    # Frames.

    def _text(self, text: str, now: float) -> None:
        self.liveness.monitor.heard(now)
        frame = decode(text)
        match frame:
            case Reply():
                self._reply(frame, len(text), now)
            case Request():
                self._request_came(frame, len(text), now)
            case Plain(plain):
                if not self._speed.heard(plain):
                    self.owner.act(Notify(FrameIgnored("text that is not JSON")))
                elif not self.measuring:
                    self.liveness.answered(now)
            case Garbage(reason):
                self.owner.act(Notify(FrameIgnored(reason)))

    def _reply(self, reply: Reply, size: int, now: float) -> None:
        self._take_token(reply.voice_sdk_id)
        self.liveness.dispatched = True
        if reply.id in self.unattended:
            self.liveness.monitor.confirmed(now)
            del self.unattended[reply.id]
            return
        pending = self.requests.take(reply.id)
        self.liveness.monitor.confirmed(now, pending.at if pending is not None and pending.prompt else None)
        self.owner.saw_frame("RECV", reply.frame, size, None if pending is None else pending.call)
        if pending is None:
            self.owner.act(Notify(SocketMessage(reply.frame, size)))
            self.registrar.handle_report(m.gateway_report(mapping(reply.result, "params")), now)
            return
        failure: Failure | None = None
        if reply.error is not None:
            # The server may quote what we logged in with; the text goes into exceptions, which get printed.
            said = self.owner.redactor.plain(reply.error.message)
            failure = Failure(FailureKind.SERVER_ERROR, said, reply.error.code, pending.method)
        elif pending.method == m.GATEWAY_STATE:
            # Gateway states are shown although a request of ours waited for them (SIG-407).
            self.owner.act(Notify(SocketMessage(reply.frame, size)))
        self._settle(pending, failure, reply.error, reply.result, now)

    def _request_came(self, request: Request, size: int, now: float) -> None:
        self.owner.saw_frame("RECV", request.frame, size, request.call)
        self._take_token(request.voice_sdk_id)
        self.liveness.dispatched = True
        pending = self.requests.take(request.id)
        if pending is not None:  # the server echoes some of our requests instead of replying (SIG-065)
            self.liveness.monitor.confirmed(now)
            self._settle(pending, None, None, {}, now)
            return
        self.owner.act(Notify(SocketMessage(request.frame, size)))
        match request.method:
            case m.PING:
                if self.logged_in:  # before the login the server would refuse the reply with -32000 (SIG-132)
                    self.request(Purpose.PING, m.PING, {}, now)
            case m.CLIENT_READY:
                self.owner.reattached(strings(request.params, "reattached_sessions"), now)
                self.owner.came_back(now)
                self.registrar.ask(now)
            case m.GATEWAY_STATE:
                self.registrar.handle_report(m.gateway_report(request.params), now)
            case m.PUNT:
                self.acknowledge(request)
                self._punt(now)
            case _:
                self.owner.server_said(request, size, now)

    def _settle(
        self, pending: Pending, failure: Failure | None, server: ServerError | None, result: JsonView, now: float
    ) -> None:
        """The one outcome of a request."""
        purpose, ticket = pending.purpose, pending.ticket
        logging_in = purpose in (Purpose.LOGIN, Purpose.RELOGIN)
        if failure is not None and failure.code == -32000 and self.login.succeeded and not logging_in:
            self.login.lost(failure, now)
        match purpose:
            case Purpose.LOGIN | Purpose.RELOGIN:
                self._login_settled(purpose, failure, result, now)
            case Purpose.GATEWAY_STATE:
                self.registrar.handle_report(m.gateway_report(mapping(result, "params")), now)
            case Purpose.IS_REGISTERED:
                report = m.gateway_report(mapping(result, "params"))
                assert ticket is not None, "asked for by a command"
                registered = report is not None and report.state in ("REGED", "REGISTER")
                self.owner.act(Settle(ticket, Done({"registered": registered})))
                self.registrar.handle_report(report, now)
            case Purpose.PROBE:
                if failure is None or failure.kind is FailureKind.SERVER_ERROR:
                    self.liveness.probe_answered(now)
            case Purpose.TICKET:
                assert ticket is not None, "asked for by a command"
                self.owner.act(Settle(ticket, Done(result) if failure is None else Failed(failure)))
            case Purpose.UNATTENDED:
                # A server that does not know ``candidate`` needs complete descriptions from now on (SRV-030).
                if failure is not None and failure.code == m.UNKNOWN_METHOD:
                    self._complete_sdp_on = self.generation
            case Purpose.PING:
                pass
            case _:
                self.owner.call_replied(pending, result, failure, server, now)

    def _login_settled(self, purpose: Purpose, failure: Failure | None, result: JsonView, now: float) -> None:
        if failure is not None:
            self.login.failed(purpose, failure, now)
            return
        self.login.accepted(purpose, result, now)
        if purpose is Purpose.LOGIN:
            self.registrar.logged_in(m.gateway_report(mapping(result, "params")), now)
        self.login.settled(now)

    def _request_timed_out(self, ident: object, now: float) -> None:
        pending = self.requests.take(ident if isinstance(ident, str) else None)
        assert pending is not None, "its deadline is stopped with it"
        failure = Failure(FailureKind.REQUEST_TIMEOUT, "no reply in time", method=pending.method)
        self._settle(pending, failure, None, {}, now)
        if pending.purpose is Purpose.RENEW:  # one call's media must not cost the other calls their socket
            self.liveness.probe(now)
        elif pending.method in DISTRUSTED:
            self.liveness.recover(f"{pending.method} was not answered", "request", now)

    def _fail_pending(self, why: str, now: float) -> None:
        """Requests die with their socket (SIG-068). Those of calls are settled by `Owner.socket_lost`."""
        self._speed.forget_socket(why)
        for pending in self.requests.take_all():
            if pending.purpose not in CALL_PURPOSES:
                failure = Failure(FailureKind.STALE_REQUEST, why, method=pending.method)
                self._settle(pending, failure, None, {}, now)

    def _take_token(self, voice_sdk_id: str | None) -> None:
        if voice_sdk_id is not None:
            self.identity.take_token(voice_sdk_id)
            self.call_report_voice_sdk_id = voice_sdk_id

    def _punt(self, now: float) -> None:
        """Another connection took over this session (SIG-290, SIG-291).

        With live media and ``keep_connection_alive_on_socket_close`` we reconnect, but not twice within a minute: two
        clients with one session would otherwise take it from each other endlessly.
        """
        recently = self._punted_at is not None and now - self._punted_at < timeouts.PUNT_GUARD
        self._punted_at = now
        keep = self.options.keep_connection_alive_on_socket_close and self.owner.media_alive
        if keep and not recently and not self.draining:
            self.close(Intent.RECOVER, now)
            return
        self._draining = None
        self.owner.end_calls(now, bye=False)
        self.auto_reconnect = False
        self.close(Intent.PUNT, now)

    def ready(self, now: float) -> None:
        self._ready_at = now
        self.renewal.ready()
        self.liveness.registered(now)

    def credentials_refused(self) -> None:
        self.renewal.refused()

    def logged_in_anew(self) -> None:
        self.renewal.ready()

    def token_came(self, fact: TokenFact, now: float) -> None:
        options = self.renewal.handle_fact(fact, now)
        if options is not None:
            self.owner.redactor.learn(options.login_token)
            self.login.use(options, None, now, same_user=True)

    def registered(self) -> None:
        self._attempts = self._hurried = 0
        self.identity.skip_last_once = False
        self._regional_fallback = False

    def move(self, given: SessionInput) -> None:
        self.state = move_session(self.state, given)


def _notification(method: str, params: JsonObject) -> JsonObject:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _too_long(text: str) -> str | None:
    """Why a frame cannot be sent; it is ASCII."""
    if len(text) <= MAX_SENT_BYTES:
        return None
    return f"a frame of {len(text):,} bytes; the server drops the socket at more than {MAX_SENT_BYTES:,}"
