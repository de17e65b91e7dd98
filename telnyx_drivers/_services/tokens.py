"""The application's provider of login tokens: asked before connecting, and when the session says so (`AskToken`)."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import anyio
from attrs import define, field

from telnyx_core._signalling.token import MAX_TOKEN_CHARS
from telnyx_core.actions import AskToken, Outcome
from telnyx_core.catalogue import ErrorCode, make_error
from telnyx_core.errors import Failure, FailureKind, OptionsError
from telnyx_core.events import ErrorRaised
from telnyx_core.facts import TokenFact, TokenProvided, TokenRefused
from telnyx_core.ids import TokenRequest
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

_METHODS: Final = ("login_token", "login", "password", "passwd", "anonymous_login")
_STAND_IN: Final = "token-provider"


def with_stand_in(options: Mapping[str, object]) -> Mapping[str, object]:
    """Options of a client with a provider: where they name no login method, a token's place is kept."""
    return options if any(options.get(name) for name in _METHODS) else {**options, "login_token": _STAND_IN}


@define(eq=False)
class _Question:
    done: anyio.Event = field(factory=anyio.Event)
    awaited: bool = False
    """A caller waits and gets the failure."""
    request: TokenRequest | None = None
    """The session waits as well."""
    token: str | None = None
    failure: Exception | None = None


class Tokens:
    """``use`` gives the first token to the session, and ``tell`` the answers to what it asks for later.

    Raises `OptionsError` when ``first``, the login token of the options, is missing: another login method was chosen.
    """

    def __init__(
        self,
        provider: TokenProvider,
        first: str | None,
        *,
        use: Use,
        spawn: Spawn,
        tell: Callable[[TokenFact], None],
    ) -> None:
        if first is None:
            raise OptionsError("choose one login method: token_provider goes alone, or with a first login_token")
        self._provider = provider
        self._provided = first == _STAND_IN
        """The token in use, or the lack of one, is the provider's."""
        self._use = use
        self._spawn = spawn
        self._tell = tell
        self._question: _Question | None = None

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

    def perform(self, action: AskToken) -> None:
        self._ask().request = action.request

    def _ask(self) -> _Question:
        """One at a time, whatever causes it."""
        question = self._question
        if question is None:
            question = self._question = _Question()
            self._spawn(lambda: self._answer(question), lambda: self._over(question))
        return question

    async def _answer(self, question: _Question) -> None:
        try:
            question.token = await _token(self._provider)
            if question.awaited:
                await self._use(question.token)
        except (TokenProviderFailed, DriverFailed) as failure:
            question.failure = failure

    def _over(self, question: _Question) -> None:
        self._question = None
        if question.token is None and question.failure is None:
            question.failure = _failure("the client was closed before it answered")
        if question.request is not None and question.token is not None:
            self._tell(TokenProvided(question.request, question.token))
        elif question.request is not None:
            assert question.failure is not None, "neither is impossible"
            logs.client.error("%s", question.failure)
            self._tell(TokenRefused(question.request, _reason(question.failure)))
        question.done.set()


def is_mistake(event: ErrorRaised) -> bool:
    """The application gave unusable credentials: those in use are still good."""
    original = event.error.original
    return original is not None and original.kind is FailureKind.INVALID_CREDENTIALS


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


def _reason(failure: Exception) -> str:
    known = failure.failure if isinstance(failure, TokenProviderFailed) else None
    return str(failure) if known is None else known.text


def _failure(text: str) -> TokenProviderFailed:
    failure = Failure(FailureKind.TOKEN_PROVIDER, text)
    error = make_error(ErrorCode.INVALID_CREDENTIALS, failure, fatal=False)
    return TokenProviderFailed(f"the token provider failed: {text}", error=error, failure=failure)
