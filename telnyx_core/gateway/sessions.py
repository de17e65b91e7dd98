"""Logins, the sessions they open or resume, and the gateway states they are told (signaling.md 3.2 to 3.6)."""

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from telnyx_core._signalling.messages import ANONYMOUS_LOGIN, CLIENT_READY, GATEWAY_STATE, LOGIN, PUNT
from telnyx_core._time.limits import MAX_NAME_CHARS
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import Request, mapping, string
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.gateway import auth
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import ClientLoggedIn, LoginRefused, StateTold
from telnyx_core.gateway.records import ClientSocket, Session, expiry
from telnyx_core.ids import CallId

AUTHENTICATION_REQUIRED: Final = -32000
AUTHENTICATION_FAILED: Final = -32001
REGISTERED: Final = frozenset({"REGED", "REGISTER"})
_SECRETS: Final = frozenset({"passwd", "password", "login_token"})


@frozen
class LoginResult:
    """A login that succeeded.

    ``back``: the session was known, and this is not the socket it was on. ``left``: the session that was on this
    socket before.
    """

    session: Session
    back: bool
    left: Session | None


class Sessions:
    def __init__(self, context: Context, lines: Lines) -> None:
        self.expired: set[str] = set()
        """Tokens that are no longer good."""
        self._context = context
        self._lines = lines
        self._sessions: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def online(self, user: str) -> list[Session]:
        """The sessions of a user that can be called, the longest logged in first."""
        return [session for session in self if session.user == user and session.line is not None]

    # Login.

    def user_of(self, line: ClientSocket, request: Request) -> str | None:
        """Whom a request is for: at a login, the user who asks to be let in."""
        if request.method == LOGIN:
            return auth.claimed_user(request.params, self._context.options)
        return auth.ANONYMOUS if request.method == ANONYMOUS_LOGIN else line.user

    def login(self, line: ClientSocket, request: Request) -> LoginResult | None:
        """Let a client in, or refuse it and keep its socket usable."""
        options, params = self._context.options, request.params
        if request.method == ANONYMOUS_LOGIN:
            verdict = auth.check_anonymous(params, options)
        else:
            wall = line.epoch + self._context.now
            verdict = auth.check_login(params, options, wall=wall, expired=self.expired)
        wanted = string(params, "sessid")
        if wanted is not None and len(wanted) > MAX_NAME_CHARS:
            wanted = None
        known = None if wanted is None else self._sessions.get(wanted)
        if isinstance(verdict, auth.Granted) and known is not None and known.user != verdict.user:
            verdict = auth.Denied("Session in use")
        if isinstance(verdict, auth.Denied):
            self._context.notify(LoginRefused(line.socket, self.user_of(line, request), verdict.reason))
            self._lines.refuse(line, request, AUTHENTICATION_FAILED, verdict.reason)
            return None
        if known is not None and known.forgotten and known.line is not line:
            known = None
        session = known or self._open(verdict.user, wanted)
        self._let_expire(line)
        session.assistant = verdict.assistant
        session.early_sdp = mapping(params, "loginParams").get("early_sdp_answer") is True
        back = known is not None and known.line is not line
        left = self._occupy(line, session)
        said = kept_variables({name: value for name, value in params.items() if name not in _SECRETS})
        self._context.notify(ClientLoggedIn(line.socket, session.user, session.id, back, said))
        self._lines.reply(line, request, {"message": "logged in", **expiry(line), "sessid": session.id})
        return LoginResult(session, back, left)

    def _let_expire(self, line: ClientSocket) -> None:
        lasts = self._context.options.login_lasts
        if lasts is not None:
            line.expires = self._context.now + lasts
            self._context.timers.set(Timer.TOKEN_EXPIRY, line.expires, line)

    def expired_login(self, line: ClientSocket) -> None:
        """The socket is closed in good order, and calls wait for a login that is good."""
        self._lines.close(line, 1000)

    def _open(self, user: str, wanted: str | None) -> Session:
        """A new session, under the id the client asked for if it did: mobile clients choose their own (SIG-115)."""
        ident = wanted or self._context.uuid()
        session = Session(ident, user, self._context.token(), self._context.uuid())
        self._sessions[ident] = session
        return session

    def surplus(self) -> Session | None:
        """The oldest session without a socket, when more are remembered than there may be sockets (`Limits`)."""
        if len(self._sessions) <= 2 * self._context.options.limits.sockets:
            return None
        return next((session for session in self if session.line is None), None)

    def _occupy(self, line: ClientSocket, session: Session) -> Session | None:
        previous, old = line.session, session.line
        self._context.timers.stop_all(session)
        session.line, line.session = line, session
        line.polls, line.pushed = 0, None
        if line.query.get("skip_last_voice_sdk_id") == "true" and old is not line:
            session.voice_sdk_id = self._context.token()  # Another node was asked for (SIG-016).
        if previous is session:
            previous = None
        if previous is not None:
            previous.line = None
            self._wait_for(previous)
        if old is not None and old is not line:
            # One session, two sockets: the older one gets a punt and is closed (SRV-024).
            self._lines.push(old, PUNT, {})
            self._lines.close(old, 1000, "punt")
        return previous

    # Ready, and the states of the gateway.

    def expect(self, session: Session, calls: Iterable[CallId], *, attaches: bool) -> None:
        """These calls continue with this login. The client is told that it is ready after their attaches, or before."""
        session.attaching = list(calls)
        wait = attaches and self._context.options.quirks.attach_before_ready
        session.offering = set(session.attaching) if wait else set()
        if not session.offering:
            self.ready(session)

    def announced(self, session: Session, call: CallId) -> None:
        """The call's ``attach`` is out."""
        if call in session.offering:
            session.offering.discard(call)
            if not session.offering:
                self.ready(session)

    def dropped(self, session: Session, call: CallId) -> None:
        """The call has ended: there is nothing to wait for any more."""
        if call in session.attaching:
            session.attaching.remove(call)
        self.announced(session, call)

    def ready(self, session: Session) -> None:
        """``clientReady`` with the calls of this login."""
        line = session.line
        assert line is not None, "nothing is waited for once the socket is gone"
        by_session = self._context.options.quirks.ready_lists_session
        listed: list[Json] = [session.id if by_session else call for call in session.attaching]
        self._lines.push(line, CLIENT_READY, {"reattached_sessions": listed})
        for number, (delay, _) in enumerate(self._context.options.push_states):
            self._context.timers.set(Timer.REG_POLL, self._context.now + delay, (line, number))

    def scheduled_push(self, line: ClientSocket, number: int) -> None:
        self.push_state(line, self._context.options.push_states[number][1])

    def push_state(self, line: ClientSocket, state: str) -> None:
        line.pushed = state
        self._told(line, state)
        self._lines.push(line, GATEWAY_STATE, self._report(line, state))

    def tell_state(self, line: ClientSocket, request: Request) -> None:
        script = self._context.options.registration
        state = line.pushed or script[min(line.polls, len(script) - 1)]
        line.polls += 1
        self._told(line, state)
        self._lines.reply(line, request, {"params": self._report(line, state), **sessid(line)})

    def _told(self, line: ClientSocket, state: str) -> None:
        self._context.notify(StateTold(line.socket, line.user or "", state))

    def _report(self, line: ClientSocket, state: str) -> JsonObject:
        report: JsonObject = {"state": state}
        if line.session is not None and state in REGISTERED:
            report["call_report_id"] = line.session.call_report_id
            report["dc"] = self._context.options.dc
            report["region"] = self._context.options.region
        return report

    # Loss.

    def lost(self, line: ClientSocket) -> Session | None:
        """The session that has now lost its socket, if this was its socket."""
        for number in range(len(self._context.options.push_states)):
            self._context.timers.stop(Timer.REG_POLL, (line, number))
        session = line.session
        if session is None or session.line is not line:
            return None
        session.line = None
        self._wait_for(session)
        return session

    def _wait_for(self, session: Session) -> None:
        session.attaching.clear()
        session.offering.clear()
        session.channels.clear()
        window = 0.0 if session.forgotten else self._context.options.reattach_window
        self._context.timers.set(Timer.ORPHAN, self._context.now + window, session)

    def forget(self, session: Session) -> None:
        self._context.timers.stop_all(session)
        if self._sessions.get(session.id) is session:
            del self._sessions[session.id]


def sessid(line: ClientSocket) -> JsonObject:
    """Results commonly carry the session id."""
    return {} if line.session is None else {"sessid": line.session.id}


def kept_variables(params: JsonView) -> JsonObject:
    """What the platform keeps of ``userVariables``, here and in ``dialogParams``: strings and booleans."""
    kept = dict(params)
    variables, dialog = params.get("userVariables"), params.get("dialogParams")
    if isinstance(variables, dict):
        kept["userVariables"] = {name: value for name, value in variables.items() if isinstance(value, str | bool)}
    if isinstance(dialog, dict):
        kept["dialogParams"] = kept_variables(dialog)
    return kept


def logged_in(line: ClientSocket) -> Session:
    """The session of a line whose request was let through."""
    assert line.session is not None, "only logins are served before a login"
    return line.session
