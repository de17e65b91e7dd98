"""Logging in: on each new socket, again on a live one, and once more after a rejection that may be temporary.

signaling.md 3.2, 3.3, 4.7, 4.8, and SIG-077, SIG-218.
"""

from typing import Final

from telnyx_core._signalling import messages as m
from telnyx_core._signalling.link import Intent, Link
from telnyx_core._signalling.requests import Purpose
from telnyx_core._signalling.token import expiry
from telnyx_core._time import timeouts
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import identifier, integer
from telnyx_core._wire.json_types import JsonView
from telnyx_core.actions import Done, Failed, Outcome, Settle
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.ids import Ticket
from telnyx_core.options import ClientOptions
from telnyx_core.states import SessionInput, SessionState

_MAX_RETRIES: Final = 2
_REJECTED: Final = -32001
_NOT_LOGGED_IN: Final = -32000
_FINAL: Final = ("credential expired", "authentication failure")
"""Server messages, in upper or lower case, for credentials that no other node will accept either (PS-013)."""
_RESTARTABLE: Final = frozenset({SessionState.REGISTERING, SessionState.AUTH_FAILED})


class Login:
    def __init__(self, link: Link) -> None:
        self.succeeded = False
        """A login has succeeded on the current socket."""
        self.resumes = False
        """The last login asked for a former session (SIG-342)."""
        self.rejected = False
        """The server refused the last login for good (T35)."""
        self._link = link
        self._sent: ClientOptions | None = None
        """The options that the login under way was sent with."""
        self._again = False
        self._asked: list[Ticket] = []
        """Tickets that wait for the next login."""
        self.tickets: list[Ticket] = []
        """Tickets that wait for the login under way."""
        self._retries = 0
        self._good: ClientOptions | None = None
        self._omit_session = False
        self._repeated_at = float("-inf")
        """When a login was last repeated without the application's asking, on any socket."""

    def restart(self) -> None:
        """A new series of attempts begins."""
        self.rejected = False
        self._retries = 0

    def forget_socket(self) -> None:
        self.succeeded = self._again = False
        self._sent = None
        self._asked = self.tickets + self._asked
        self.tickets = []

    def refuse_all(self, failure: Failure) -> None:
        """Fail every ticket that waits for a login: there will be none."""
        self.tickets, self._asked = self.tickets + self._asked, []
        self._settle(Failed(failure))

    def use(self, options: ClientOptions, ticket: Ticket | None, now: float, *, same_user: bool) -> None:
        """New credentials; on a live socket they are used at once (SIG-245, SIG-246)."""
        link = self._link
        if not options.same_credentials(link.options):
            self._retries = 0
            if not link.connected and not same_user:
                link.identity.forget_session(token=True)  # the session belongs to the former user (SIG-235)
        link.options = options
        self.rejected = False
        live = link.connected and not link.draining
        if ticket is None:
            pass  # nobody waits for the outcome
        elif live or link.state is SessionState.CONNECTING:
            self._asked.append(ticket)
        else:
            failure = Failure(FailureKind.NOT_CONNECTED, "there is no socket", method=m.LOGIN)
            link.owner.act(Settle(ticket, Failed(failure)))
        if live:
            self.repeat(now)

    def repeat(self, now: float) -> None:
        """Log in again on this socket, after a login that is under way (SIG-249)."""
        self.rejected = False
        self._again = True
        self._once_more(now)

    def send(self, now: float) -> None:
        link = self._link
        identity = link.identity
        wanted = identity.session_id is not None and (link.owner.has_calls or bool(identity.markers))
        resume = wanted or (identity.voice_sdk_id is not None and not link.first_canary)
        session_id: str | None = None
        if resume and (wanted or not self._omit_session):
            # On a socket that is logged in, the session id is valid whatever its age (SIG-233).
            session_id = identity.session_id if self.succeeded else identity.resumable(now, wanted=wanted)
        self._omit_session = False
        self.stop()  # whatever was put off, this is it
        self.rejected = False  # the rejection was of an earlier login
        self.resumes = resume
        self._sent = link.options
        self.tickets, self._asked = self.tickets + self._asked, []
        method, params = m.login_params(link.options, reconnection=resume, session_id=session_id)
        purpose = Purpose.LOGIN if link.state is SessionState.LOGGING_IN else Purpose.RELOGIN
        link.request(purpose, method, params, now)

    def accepted(self, purpose: Purpose, result: JsonView, now: float) -> None:
        """A login succeeded, the first on its socket (T09) or a later one (T27b). The caller goes on to register."""
        assert self._sent is not None, "a login was sent"
        self._good, self._sent = self._sent, None
        self.succeeded = True
        self.restart()
        self._link.identity.logged_in(identifier(result, "sessid"), now)
        self._note_expiry(self._good.login_token, now)
        self._renew_ahead(self._good.login_token, integer(result, "auth-expires"), now)
        self._settle(Done(result))
        if purpose is Purpose.LOGIN:
            self._link.move(SessionInput.LOGGED_IN)
        elif self._link.state is SessionState.READY:
            self._link.logged_in_anew()

    def failed(self, purpose: Purpose, failure: Failure, now: float) -> None:
        if failure.kind is FailureKind.STALE_REQUEST:
            return  # the next socket logs in again
        self._sent = None
        link = self._link
        rejected = failure.code == _REJECTED
        if purpose is Purpose.LOGIN and self._may_be_passing(failure):  # T10b: another node may accept it
            self._retries += 1
            link.identity.skip_last_once = True
            self._omit_session = self._retries == _MAX_RETRIES
            link.close(Intent.RECOVER, now)
            return
        self._retries = 0  # only retries in a row are counted: the application may try again
        timed_out = failure.kind is FailureKind.REQUEST_TIMEOUT
        self._settle(Failed(failure))
        link.owner.report_error(ErrorCode.LOGIN_FAILED, original=failure, fatal=False if timed_out else None)
        if not timed_out:  # its socket is replaced, and the credentials are not at fault
            link.credentials_refused()
        if purpose is Purpose.LOGIN and not timed_out:  # T10, T11; after a timeout the socket goes (T12)
            self.rejected = rejected
            self.succeeded = False  # an earlier login, perhaps of another user, no longer counts
            link.move(SessionInput.LOGIN_REJECTED)
        self._once_more(now)

    def lost(self, failure: Failure, now: float) -> None:
        """-32000 on a request: log in again on this socket, once at a time (SIG-077).

        A server may accept every login and refuse what follows. So that this is no busy loop, logins that are repeated
        for this reason are at least ten seconds apart.
        """
        link = self._link
        link.owner.report_error(ErrorCode.AUTHENTICATION_REQUIRED, original=failure, fatal=not link.auto_reconnect)
        link.credentials_refused()
        if self._sent is None and link.connected and not link.draining:
            due = self._repeated_at + timeouts.REQUEST
            if now < due:
                link.timers.set(Timer.LOGIN_AGAIN, due)
            else:
                self.again(now)

    def again(self, now: float) -> None:
        """Log in again because a request was refused; not while the session is ending."""
        if not self._link.draining:
            self._repeated_at = now
            self.send(now)

    def stop(self) -> None:
        self._link.timers.stop(Timer.LOGIN_AGAIN)

    def settled(self, now: float) -> None:
        """A login has ended: start the next one, if one was asked for meanwhile (SIG-249)."""
        self._once_more(now)

    def _once_more(self, now: float) -> None:
        link = self._link
        if self._again and self._sent is None and link.connected and not link.draining:
            self._again = False
            if link.state in _RESTARTABLE:
                link.timers.stop(Timer.REG_POLL)
                link.timers.stop(Timer.REGISTRATION_WATCH)
                link.move(SessionInput.RELOGIN)
            self.send(now)

    def _may_be_passing(self, failure: Failure) -> bool:
        """Whether another node may accept this login: a new credential needs seconds to reach all nodes (PS-013), and
        if the same credentials worked a moment ago, the fault is the node's (SIG-218).
        """
        if self._retries == _MAX_RETRIES or not self._link.another_attempt:
            return False
        said = failure.text.lower()
        if any(final in said for final in _FINAL):
            return False
        if failure.code == _REJECTED:
            known = self._good is not None and self._good.same_credentials(self._link.options)
            return "login incorrect" in said or (known and self.resumes)
        return failure.code == _NOT_LOGGED_IN

    def _settle(self, outcome: Outcome) -> None:
        for ticket in self.tickets:
            self._link.owner.act(Settle(ticket, outcome))
        self.tickets.clear()

    def _renew_ahead(self, token: str | None, ends: int | None, now: float) -> None:
        """Log in again before the login expires: then the server closes the socket, and calls are cut (PS-012).

        A token that expires no later cannot renew it (warning 34001 announces its end). A login of only a few seconds
        is not renewed, because that would be a busy loop.
        """
        token_ends = expiry(token) if token is not None else None
        if ends is None or (token_ends is not None and token_ends <= ends):
            return
        left = ends - self._link.wall(now)
        if left > timeouts.REQUEST:
            self._link.timers.set(Timer.LOGIN_AGAIN, now + max(left / 2, left - timeouts.LOGIN_NOTICE))

    def _note_expiry(self, token: str | None, now: float) -> None:
        """Set warning 34001 for two minutes before the token expires (SIG-250 to SIG-252)."""
        link = self._link
        link.timers.stop(Timer.TOKEN_EXPIRY)
        end = expiry(token) if token is not None else None
        if end is None:
            return
        left = end - int(link.wall(now))
        if left > 0:
            link.timers.set(Timer.TOKEN_EXPIRY, now + max(0.0, left - timeouts.TOKEN_NOTICE))
