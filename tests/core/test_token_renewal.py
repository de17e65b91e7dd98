"""When the application is asked for another login token, and what becomes of it (signaling.md 4.7, 4.8)."""

import base64
import itertools
import json

from telnyx_core._time.timeouts import TOKEN_NOTICE, TOKEN_PAUSE
from telnyx_core.actions import AskToken
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import FailureKind
from telnyx_core.events import ErrorRaised
from telnyx_core.facts import TokenProvided, TokenRefused
from telnyx_core.ids import TokenRequest
from telnyx_core.journal.record import Scrubber, fact_from_record, fact_record
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import EPOCH, Rig

NOT_LOGGED_IN = (-32000, "Authentication Required")


def jwt(seconds: float) -> str:
    """A token that ends so long after the beginning."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": EPOCH + seconds}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def provided(token: str = "a.first.token") -> Rig:
    rig = Rig(login_token=token)
    rig.provide_tokens()
    rig.connect()
    return rig


def registered(token: str = "a.first.token") -> Rig:
    rig = provided(token)
    rig.login_ok()
    rig.client_ready()
    rig.gateway("REGED")
    rig.always("ping")
    return rig


def asked(rig: Rig) -> list[float]:
    return [at for at, action in rig.timeline if isinstance(action, AskToken)]


def give(rig: Rig, token: str) -> None:
    request = [action.request for action in rig.actions if isinstance(action, AskToken)][-1]
    rig.tell(TokenProvided(request, token))


def tokens(rig: Rig) -> list[object]:
    found: list[object] = []
    for frame in rig.frames("login"):
        params = frame["params"]
        assert isinstance(params, dict)
        found.append(params.get("login_token"))
    return found


def test_another_one_is_asked_for_before_the_end_and_renews_the_login() -> None:
    """SIG-245, SIG-250: on the live socket, whose calls do not notice."""
    rig = registered(jwt(600))
    call = rig.outbound()
    rig.advance_to(700)
    assert asked(rig) == [600 - TOKEN_NOTICE]
    give(rig, jwt(9000))
    assert tokens(rig) == [jwt(600), jwt(9000)]
    rig.login_ok()
    assert rig.states(call)[-1] == "active"
    assert not rig.session.renewing
    rig.advance_to(9000)
    assert len(asked(rig)) == 2


def test_without_a_promise_nothing_is_asked() -> None:
    rig = Rig(login_token=jwt(600))
    rig.connect()
    rig.login_refused()
    assert asked(rig) == []
    other = Rig(login_token=jwt(600))
    other.ready()
    other.advance_to(700)
    assert asked(other) == []


def test_tokens_with_less_life_than_the_notice_are_no_endless_loop() -> None:
    """SIG-251: their warning comes with the login itself."""
    rig = registered(jwt(60))
    for number in range(5):
        rig.advance(1.0 if number == 0 else TOKEN_PAUSE)
        give(rig, jwt(rig.now + 60))
        rig.login_ok()
    times = asked(rig)
    assert len(times) == 5
    assert all(later - earlier >= TOKEN_PAUSE for earlier, later in itertools.pairwise(times))


def test_a_refusal_does_not_wait_for_the_pause() -> None:
    rig = registered(jwt(60))
    rig.advance(0.1)
    give(rig, jwt(61))
    rig.login_ok()
    rig.advance(1.0)
    before = len(asked(rig))
    rig.is_registered()
    rig.reply("gatewayState", error=NOT_LOGGED_IN)
    assert len(asked(rig)) == before + 1


def test_refused_credentials_are_replaced_once() -> None:
    """T10, T27: and when the other ones are refused, too, that is the end of it."""
    rig = provided()
    rig.login_refused()
    assert rig.session.renewing
    give(rig, "a.second.token")
    assert tokens(rig) == ["a.first.token", "a.second.token"]
    assert rig.session.renewing
    rig.login_refused()
    assert not rig.session.renewing
    assert len(asked(rig)) == 1
    assert rig.codes == [ErrorCode.LOGIN_FAILED] * 2


def test_after_a_registration_refused_credentials_are_replaced_again() -> None:
    rig = provided()
    rig.login_refused()
    give(rig, "a.second.token")
    rig.login_ok()
    rig.client_ready()
    rig.gateway("REGED")
    assert rig.state is SessionState.READY
    assert not rig.session.renewing
    rig.is_registered()
    rig.reply("gatewayState", error=NOT_LOGGED_IN)
    assert len(asked(rig)) == 2


def test_many_reasons_at_once_are_one_request() -> None:
    rig = registered(jwt(600))
    rig.advance_to(481)
    for _ in range(3):
        rig.is_registered()
        rig.reply("gatewayState", error=NOT_LOGGED_IN)
    assert len(asked(rig)) == 1


def test_a_server_that_does_not_answer_is_no_reason_to_ask() -> None:
    rig = provided()
    rig.advance(40.0)
    assert asked(rig) == []


def test_a_provider_without_a_token_is_an_error_and_no_end() -> None:
    """46002: what is in use is good until it is refused."""
    for answer in (TokenRefused(TokenRequest(1), "it raised KeyError"), TokenProvided(TokenRequest(1), "")):
        rig = registered(jwt(600))
        rig.advance_to(481)
        rig.tell(answer)
        [error] = [event.error for event in rig.events if isinstance(event, ErrorRaised)]
        assert (error.code, error.fatal) == (ErrorCode.INVALID_CREDENTIALS, False)
        assert error.original is not None
        assert error.original.kind is FailureKind.TOKEN_PROVIDER
        assert rig.state is SessionState.READY
        assert not rig.session.renewing


def test_a_token_that_comes_while_there_is_no_socket_is_for_the_next_one() -> None:
    """SIG-246."""
    rig = registered(jwt(600))
    rig.advance_to(481)
    rig.lose()
    give(rig, "a.second.token")
    rig.ready()
    assert tokens(rig)[-1] == "a.second.token"


def test_an_answer_to_nothing_changes_nothing() -> None:
    rig = registered()
    rig.tell(TokenProvided(TokenRequest(1), "a.second.token"))
    rig.tell(TokenRefused(TokenRequest(2), "why not"))
    assert tokens(rig) == ["a.first.token"]
    assert rig.codes == []


def test_the_end_of_the_session_is_the_end_of_the_request() -> None:
    rig = registered(jwt(60))
    rig.advance(0.1)
    give(rig, jwt(61))
    rig.login_ok()
    rig.advance(1.0)
    rig.disconnect()
    rig.lose(1000, clean=True)
    rig.advance(100.0)
    assert len(asked(rig)) == 1
    assert not rig.session.renewing
    assert rig.at_rest


def test_no_journal_and_no_text_shows_the_token() -> None:
    fact = TokenProvided(TokenRequest(3), "a.secret.token")
    record = fact_record(fact, Scrubber())
    assert "a.secret.token" not in json.dumps(record) + repr(fact)
    assert isinstance(fact_from_record(record), TokenProvided)
