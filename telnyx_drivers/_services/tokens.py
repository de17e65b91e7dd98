"""Login tokens that the application provides when they are needed (signaling.md 4.7, 4.8).

The provider is asked before connecting, when the token in use is about to end (34001), and when credentials are
refused (46xxx); only one request runs at a time, whatever causes it. A token goes to `Session.login`: on a live socket
it renews the login and leaves the calls alone; without a socket it is kept for the next one.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import anyio
from attrs import define, field

from telnyx_core._signalling.token import MAX_TOKEN_CHARS
from telnyx_core.actions import Done, Failed, Outcome
from telnyx_core.catalogue import ErrorCode, WarningCode, make_error
from telnyx_core.errors import Failure, FailureKind, OptionsError, TelnyxError
from telnyx_core.events import ErrorRaised, Event, Ready, WarningRaised
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.worker import OwnThread
from telnyx_drivers._exceptions import DriverFailed, TokenProviderFailed
from telnyx_drivers._guard import ApplicationFault, isolated

TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
"""Returns a login token; always of the same user. One that is not ``async`` may block: it runs in a thread."""
Use: TypeAlias = Callable[[str], Awaitable[Outcome]]
Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]], Callable[[], None]], object]

PATIENCE: Final = 30.0
"""Seconds for one answer of the provider."""
PAUSE: Final = 30.0
"""Seconds at least between two renewals before the end: a token may be given out with less life than the notice."""

_METHODS: Final = ("login_token", "login", "password", "passwd", "anonymous_login")
_STAND_IN: Final = "token-provider"
_REFUSALS: Final = frozenset({ErrorCode.LOGIN_FAILED, ErrorCode.INVALID_CREDENTIALS, ErrorCode.AUTHENTICATION_REQUIRED})


def with_stand_in(options: Mapping[str, object]) -> Mapping[str, object]:
    """Options of a client with a provider: where they name no login method, a token's place is kept."""
    return options if any(options.get(name) for name in _METHODS) else {**options, "login_token": _STAND_IN}


@define(eq=False)
class _Question:
    done: anyio.Event = field(factory=anyio.Event)
    urgent: anyio.Event = field(factory=anyio.Event)
    awaited: bool = False
    """A caller waits and gets the failure."""
    answered: bool = False
    accepted: bool = False
    failure: Exception | None = None


class Tokens:
    """``use`` gives a token to the session; ``report`` raises an error event; ``registered`` tells the state.

    Raises `OptionsError` when ``first``, the login token of the options, is missing: another login method was chosen.
    """

    def __init__(
        self,
        provider: TokenProvider,
        first: str | None,
        *,
        use: Use,
        spawn: Spawn,
        report: Callable[[TelnyxError], None],
        registered: Callable[[], bool],
    ) -> None:
        if first is None:
            raise OptionsError("choose one login method: token_provider goes alone, or with a first login_token")
        self._provider = provider
        self._provided = first == _STAND_IN
        """The token in use, or the lack of one, is the provider's."""
        self._use = use
        self._spawn = spawn
        self._report = report
        self._registered = registered
        self._question: _Question | None = None
        self._last: _Question | None = None
        self._answered_at: float | None = None
        self._again: float | None = None
        """There is reason for a further question, after such a pause."""
        self._refused = False
        """Credentials were refused, and since then no login has led to a registration."""

    async def before_connect(self) -> None:
        """Have the session hold a token. Raises `TokenProviderFailed`."""
        if not self._provided:
            self._provided = True  # the one in the options comes first, once
            return
        question = self._ask()
        question.awaited = True
        await question.done.wait()
        if question.failure is not None:
            raise question.failure

    async def renewed(self) -> bool:
        """After credentials were refused: whether the provider gave others that were accepted."""
        while self._question is not None:
            await self._question.done.wait()
        return self._last is not None and self._last.accepted

    def heard(self, event: Event) -> None:
        """Every event of the session, in order: some of them are reasons to ask."""
        match event:
            case Ready():
                self._refused = False
            case WarningRaised() if event.code == WarningCode.TOKEN_EXPIRING_SOON:
                self._ask(PAUSE)
            case ErrorRaised() if event.code in _REFUSALS and not _late(event) and not is_mistake(event):
                if self._question is None:
                    self._last = None
                if not self._refused:
                    self._refused = True
                    self._ask()
            case _:
                pass

    def _ask(self, pause: float = 0.0) -> _Question:
        question = self._question
        if question is None:
            question = self._question = _Question()
            self._spawn(lambda: self._answer(question, pause), lambda: self._over(question))
        elif question.answered:
            self._again = pause  # it is about what the answer has led to
        if not pause:
            question.urgent.set()
        return question

    async def _answer(self, question: _Question, pause: float) -> None:
        if self._answered_at is not None:
            with anyio.move_on_at(self._answered_at + pause):
                await question.urgent.wait()
        try:
            token = await _token(self._provider)
            question.answered, self._answered_at = True, anyio.current_time()
            outcome = await self._use(token)
        except TokenProviderFailed as failure:
            question.failure = failure
            if not question.awaited and failure.error is not None:
                logs.client.error("%s", failure)  # else `connect` raises it
                self._report(failure.error)
        except DriverFailed as failure:
            question.failure = failure  # everybody is told already
        else:
            question.accepted = _accepted(outcome)
            if isinstance(outcome, Done) and self._registered():
                self._refused = False

    def _over(self, question: _Question) -> None:
        if not question.answered and question.failure is None:
            question.failure = _failure("the client was closed before it answered")
        self._question, self._last = None, question
        again, self._again = self._again, None
        if again is not None and question.failure is None:
            self._ask(again)
        question.done.set()


def _late(event: ErrorRaised) -> bool:
    """The server has not answered: its socket is replaced, and the credentials are not at fault."""
    original = event.error.original
    return original is not None and original.kind is FailureKind.REQUEST_TIMEOUT


def is_mistake(event: ErrorRaised) -> bool:
    """The application gave unusable credentials: those in use are still good."""
    original = event.error.original
    return original is not None and original.kind is FailureKind.INVALID_CREDENTIALS


def _accepted(outcome: Outcome) -> bool:
    """Without a socket the session has stored them (SIG-246), which is all that was wanted."""
    match outcome:
        case Done():
            return True
        case Failed(failure):
            return failure.kind is FailureKind.NOT_CONNECTED


async def _token(provider: TokenProvider) -> str:
    """Raises `TokenProviderFailed` for whatever is no token. What the provider says goes into no log: it has keys."""
    token: object = None
    with isolated("the token provider", expected=(BaseException,)) as asking, anyio.move_on_after(PATIENCE) as patience:
        token = await _call(provider)
    if asking.fault is not None:
        raised = asking.fault.__cause__ if isinstance(asking.fault, ApplicationFault) else asking.fault
        raise _failure(f"it raised {type(raised).__name__}") from asking.fault
    if patience.cancelled_caught:
        raise _failure(f"no answer within {PATIENCE:g} s")
    if not isinstance(token, str):
        raise _failure(f"it returned {type(token).__name__} instead of a text")
    if not token.strip() or len(token) > MAX_TOKEN_CHARS or not token.isprintable():
        raise _failure("it returned a text that is no token")
    return token


async def _call(provider: TokenProvider) -> object:
    if _is_async(provider):
        answer = provider()
    else:
        thread = OwnThread()
        try:
            answer = await thread.run(provider)
        finally:
            thread.close()
    return await answer if inspect.isawaitable(answer) else answer


def _is_async(provider: object) -> bool:
    return inspect.iscoroutinefunction(provider) or inspect.iscoroutinefunction(type(provider).__call__)


def _failure(text: str) -> TokenProviderFailed:
    failure = Failure(FailureKind.TOKEN_PROVIDER, text)
    error = make_error(ErrorCode.INVALID_CREDENTIALS, failure, fatal=False)
    return TokenProviderFailed(f"the token provider failed: {text}", error=error, failure=failure)
