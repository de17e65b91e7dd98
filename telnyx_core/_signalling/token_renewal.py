"""When the application is asked for another login token, and what becomes of it (signaling.md 4.7, 4.8).

There are two reasons: the token in use is about to end (34001), and credentials were refused. One request is under way
at a time. A token goes where `Session.login` would put it: on a live socket it renews the login and leaves the calls
alone; without a socket it is kept for the next one.
"""

from telnyx_core._signalling.link import Link
from telnyx_core._time import timeouts
from telnyx_core._time.timers import Timer
from telnyx_core.actions import AskToken
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind, LocalProtocolError
from telnyx_core.facts import TokenProvided, TokenRefused
from telnyx_core.ids import TokenRequest
from telnyx_core.options import ClientOptions


class TokenRenewal:
    def __init__(self, link: Link) -> None:
        self.possible = False
        """The application provides tokens."""
        self._link = link
        self._count = 0
        self._asked: TokenRequest | None = None
        self._given_at = float("-inf")
        self._refused = False
        """Credentials were refused, and since then no login has led to a registration: another token of the same
        provider would hardly be better."""
        self._in_use = False
        """A token that was asked for is what the login under way, or the next one, is sent with."""

    @property
    def hopeful(self) -> bool:
        """Another token is awaited, or one is being tried."""
        return self._asked is not None or self._in_use

    def expiring(self, now: float) -> None:
        """A token may be given out with less life than the notice: hence the pause."""
        due = self._given_at + timeouts.TOKEN_PAUSE
        if self.possible and self._asked is None and now < due:
            self._link.timers.set(Timer.TOKEN_ASK, due)
        else:
            self.ask()

    def refused(self) -> None:
        """Once, until a login has led to a registration."""
        self._in_use = False
        if not self._refused:
            self._refused = self.possible
            self.ask()

    def ready(self) -> None:
        """A login has led to a registration."""
        self._refused = self._in_use = False

    def stop(self) -> None:
        """The session has ended, and nobody is logged in whose token could expire."""
        self._link.timers.stop(Timer.TOKEN_ASK)
        self._asked, self._in_use = None, False

    def ask(self) -> None:
        self._link.timers.stop(Timer.TOKEN_ASK)
        if self.possible and self._asked is None:
            self._count += 1
            self._asked = TokenRequest(self._count)
            self._link.owner.act(AskToken(self._asked))

    def handle_fact(self, fact: TokenProvided | TokenRefused, now: float) -> ClientOptions | None:
        """The options to log in with. `None`: an answer to nothing, or no token."""
        if fact.request != self._asked:
            return None
        self._asked = None
        reason = "it returned a text that is no token"
        if isinstance(fact, TokenProvided):
            self._given_at = now
            try:
                options = self._link.options.with_credentials({"login_token": fact.token})
            except LocalProtocolError:
                pass
            else:
                self._in_use = True
                return options
        else:
            reason = fact.reason
        failure = Failure(FailureKind.TOKEN_PROVIDER, reason)
        self._link.owner.report_error(ErrorCode.INVALID_CREDENTIALS, original=failure, fatal=False)
        return None
