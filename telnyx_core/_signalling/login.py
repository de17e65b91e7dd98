"""Logging in: with each socket, again on a live one, and once more after a rejection that may be passing.

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
"""What the server says, in any case, of credentials that no other node will take either (PS-013)."""
_RESTARTABLE: Final = frozenset({SessionState.REGISTERING, SessionState.AUTH_FAILED})


class Login:
    def __init__(self, link: Link) -> None:
        self.succeeded = False
        """On the current socket."""
        self.resumes = False
        """The last login asked for a former session (SIG-342)."""
        self.rejected = False
        """The server said definitely no to the last login (T35)."""
        self._link = link
        self._sent: ClientOptions | None = None
        """What the login under way was sent with."""
        self._again = False
        self._asked: list[Ticket] = []
        """Wait for the next login."""
        self._tickets: list[Ticket] = []
        """Wait for the login under way."""
        self._retries = 0
        self._good: ClientOptions | None = None
        self._omit_session = False
        self._repeated_at = float("-inf")
        """When a login was last repeated by ourselves, on any socket."""

    def restart(self) -> None:
        """A new series of attempts begins."""
        self.rejected = False
        self._retries = 0

    def forget_socket(self) -> None:
        self.succeeded = self._again = False
        self._sent = None
        self._asked = self._tickets + self._asked
        self._tickets = []

    def refuse_all(self, failure: Failure) -> None:
        """Whoever waits for a login is told that there will be none."""
        self._tickets, self._asked = self._tickets + self._asked, []
        self._settle(Failed(failure))

    def use(self, options: ClientOptions, ticket: Ticket, now: float, *, same_user: bool) -> None:
        """New credentials; on a live socket they are used at once (SIG-245, SIG-246)."""
        link = self._link
        if not options.same_credentials(link.options):
            self._retries = 0
            if not link.connected and not same_user:
                link.identity.forget_session(token=True)  # SIG-235
        link.options = options
        self.rejected = False
        if link.state is SessionState.CONNECTING:
            self._asked.append(ticket)
        elif not link.connected or link.draining:
            failure = Failure(FailureKind.NOT_CONNECTED, "there is no socket", method=m.LOGIN)
            link.owner.act(Settle(ticket, Failed(failure)))
        else:
            self._asked.append(ticket)
            self.repeat(now)

    def repeat(self, now: float) -> None:
        """Log in again on this socket; behind a login that is under way (SIG-249)."""
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
            # On a live socket the id is good by definition (SIG-233).
            session_id = identity.session_id if self.succeeded else identity.resumable(now, wanted=wanted)
        self._omit_session = False
        self.stop()  # whatever was put off, this is it
        self.rejected = False  # that was another one
        self.resumes = resume
        self._sent = link.options
        self._tickets, self._asked = self._tickets + self._asked, []
        method, params = m.login_params(link.options, reconnection=resume, session_id=session_id)
        purpose = Purpose.LOGIN if link.state is SessionState.LOGGING_IN else Purpose.RELOGIN
        link.request(purpose, method, params, now)

    def accepted(self, purpose: Purpose, result: JsonView, now: float) -> None:
        """T09, T27b. The caller goes on with the registration."""
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

    def failed(self, purpose: Purpose, failure: Failure, now: float) -> None:
        if failure.kind is FailureKind.STALE_REQUEST:
            return  # the next socket logs in again
        self._sent = None
        link = self._link
        rejected = failure.code == _REJECTED
        if purpose is Purpose.LOGIN and self._may_be_passing(failure):  # T10b, PS-013, SIG-218
            self._retries += 1
            link.identity.skip_last_once = True
            self._omit_session = self._retries == _MAX_RETRIES
            link.close(Intent.RECOVER, now)
            return
        self._retries = 0  # they count in a row: who asks again is served again
        timed_out = failure.kind is FailureKind.REQUEST_TIMEOUT
        self._settle(Failed(failure))
        link.owner.report_error(ErrorCode.LOGIN_FAILED, original=failure, fatal=False if timed_out else None)
        if purpose is Purpose.LOGIN and not timed_out:  # T10, T11; after a timeout the socket goes (T12)
            self.rejected = rejected
            self.succeeded = False  # also where another user's login had: that one is over
            link.move(SessionInput.LOGIN_REJECTED)
        self._once_more(now)

    def lost(self, failure: Failure, now: float) -> None:
        """-32000 on a request: log in again on this socket, once at a time (SIG-077).

        A server that takes every login and then refuses what follows is not asked again at the speed of the network:
        within ten seconds of a login that was repeated for this reason, the next is put off until they are over.
        """
        link = self._link
        link.owner.report_error(ErrorCode.AUTHENTICATION_REQUIRED, original=failure, fatal=not link.auto_reconnect)
        if self._sent is None and link.connected and not link.draining:
            due = self._repeated_at + timeouts.REQUEST
            if now < due:
                link.timers.set(Timer.LOGIN_AGAIN, due)
            else:
                self.again(now)

    def again(self, now: float) -> None:
        """Log in again because a request was refused; not behind the good-byes."""
        if not self._link.draining:
            self._repeated_at = now
            self.send(now)

    def stop(self) -> None:
        self._link.timers.stop(Timer.LOGIN_AGAIN)

    def settled(self, now: float) -> None:
        """A login has come to its end: the next one that was asked for meanwhile (SIG-249)."""
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
        """Another node may take what this one refuses: a fresh credential takes seconds to reach all of them (PS-013),
        and where the same credentials were good a moment ago, the node is wrong rather than they (SIG-218).
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
        for ticket in self._tickets:
            self._link.owner.act(Settle(ticket, outcome))
        self._tickets.clear()

    def _renew_ahead(self, token: str | None, ends: int | None, now: float) -> None:
        """Log in again before the server's patience ends: then it closes the socket, and calls are cut (PS-012).

        A token that ends no later is no good for that (its own end is warned of), and a login of a few seconds would
        be renewed at the speed of the network.
        """
        token_ends = expiry(token) if token is not None else None
        if ends is None or (token_ends is not None and token_ends <= ends):
            return
        left = ends - self._link.wall(now)
        if left > timeouts.REQUEST:
            self._link.timers.set(Timer.LOGIN_AGAIN, now + max(left / 2, left - timeouts.LOGIN_NOTICE))

    def _note_expiry(self, token: str | None, now: float) -> None:
        """34001 two minutes before the token ends (SIG-250 to SIG-252)."""
        link = self._link
        link.timers.stop(Timer.TOKEN_EXPIRY)
        end = expiry(token) if token is not None else None
        if end is None:
            return
        left = end - int(link.wall(now))
        if left > 0:
            link.timers.set(Timer.TOKEN_EXPIRY, now + max(0.0, left - timeouts.TOKEN_NOTICE))
