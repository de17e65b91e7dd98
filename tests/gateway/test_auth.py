"""Who may log in at the embedded gateway."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._wire.json_types import Json
from telnyx_core.gateway.auth import Denied, Granted, check_anonymous, check_login, token_expiry
from telnyx_core.gateway.options import GatewayOptions


def jwt(claims: object) -> str:
    return f"head.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sign"


ALIVE, OVER = jwt({"exp": 101}), jwt({"exp": 100})
OPTIONS = GatewayOptions(
    respect_token_expiry=True, users={"alice": "secret"}, tokens={"plain": "bob", ALIVE: "bob", OVER: "bob"}
)


@pytest.mark.parametrize(
    ("params", "user"),
    [
        ({"login": "alice", "passwd": "secret"}, "alice"),
        ({"login": "alice", "passwd": "other"}, None),
        ({"login": "alice"}, None),
        ({"login": "nobody", "passwd": "secret"}, None),
        ({"login_token": "plain"}, "bob"),
        ({"login_token": "unknown", "login": "alice", "passwd": "secret"}, None),
        ({"login_token": ALIVE}, "bob"),
        ({"login_token": OVER}, None),
    ],
)
def test_who_is_let_in(params: dict[str, Json], user: str | None) -> None:
    verdict = check_login(params, OPTIONS, wall=100.0, expired=frozenset())
    assert verdict == Granted(user) if user is not None else isinstance(verdict, Denied)


def test_a_token_may_be_taken_back() -> None:
    assert isinstance(check_login({"login_token": "plain"}, OPTIONS, wall=0.0, expired={"plain"}), Denied)


def test_an_assistant_that_is_not_there_lets_nobody_in() -> None:
    assert isinstance(check_anonymous({"target_type": "ai_assistant", "target_id": "none"}, OPTIONS), Denied)


@given(st.text(max_size=60) | st.text("abc.=", max_size=20))
def test_any_text_has_an_expiry_or_none(token: str) -> None:
    assert token_expiry(token) is None or isinstance(token_expiry(token), float)


@pytest.mark.parametrize("claims", [{}, [], {"exp": "soon"}, {"exp": True}, {"exp": None}])
def test_claims_without_a_time_have_no_expiry(claims: object) -> None:
    assert token_expiry(jwt(claims)) is None
