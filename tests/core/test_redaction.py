"""The one table of secrets: what is hidden stays hidden in every form, and what is none stays readable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._wire.json_types import Json
from telnyx_core._wire.redaction import (
    DEPTH,
    HIDDEN,
    PLAIN,
    Redactor,
    digits_as_zeros,
    is_secret_name,
    redact,
    redact_text,
)

SECRET = "Hunter2-and-more"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@given(values)
def test_it_is_hidden_once_and_for_all(value: Json) -> None:
    assert redact(redact(value)) == redact(value)


@given(values)
def test_a_json_text_stays_one(value: Json) -> None:
    json.loads(redact_text(json.dumps(value)))


@pytest.mark.parametrize(
    "name", ["passwd", "loginToken", "login_token", "X-Api-Key", "Authorization", "ice-pwd", "sessid"]
)
def test_a_secret_name_hides_whatever_it_has(name: str) -> None:
    for value in (SECRET, [SECRET], {"a": SECRET}):
        assert SECRET not in json.dumps(redact({name: value}))
    assert SECRET not in redact_text(f'it said "{name}": "{SECRET}", and went')
    assert SECRET not in json.dumps(redact({"name": name, "value": SECRET}))


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {SECRET}",
        f"token {JWT} refused",
        f"wss://alice:{SECRET}@rtc.example/",
        f"sip:alice:{SECRET}@example.com",
        f"a=ice-pwd:{SECRET}",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}",
        f"--password {SECRET}",
        f"Cookie: a=1; b={SECRET}",
    ],
)
def test_a_shape_is_hidden_wherever_it_stands(text: str) -> None:
    for shown in (redact_text(text), redact_text(f"before {text} after"), json.dumps(redact({"note": text}))):
        assert SECRET not in shown
        assert JWT not in shown


@given(st.text("abcXYZ&/=?#\"'\\\n 123", min_size=4, max_size=30))
def test_a_known_secret_is_hidden_where_it_is_quoted(secret: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    for text in (f"<{secret}>", f"({secret}) was refused"):
        shown = redactor.plain(text)
        assert secret not in shown or secret in HIDDEN


def test_a_short_known_secret_is_hidden_as_a_word_alone() -> None:
    redactor = Redactor()
    redactor.learn("call")
    assert redactor.plain("the call was recalled") == f"the {HIDDEN} was recalled"


@pytest.mark.parametrize(
    "value", [{"method": "telnyx_rtc.invite"}, {"authentication": "by token"}, {"author": "Ann"}, {"has_token": True}]
)
def test_what_is_no_secret_stays(value: Json) -> None:
    assert redact(value) == value


def test_user_variables_are_the_applications_own() -> None:
    shown = redact({"userVariables": {"account": SECRET, "push_when_active": True}})
    assert shown == {"userVariables": {"account": HIDDEN, "push_when_active": True}}


def test_what_is_nested_too_deep_is_hidden_as_a_whole() -> None:
    value: Json = SECRET
    for _ in range(DEPTH + 1):
        value = [value]
    assert SECRET not in json.dumps(redact(value))


def test_digits_keep_their_number_and_their_pauses_alone() -> None:
    assert digits_as_zeros("12w3,#*AdW9") == "00w0,0000W0"
    assert PLAIN.value({"dtmf": "1234"}) == {"dtmf": HIDDEN}


@pytest.mark.parametrize("name", ["passphrase", "sshPassphrase", "passcode", "PassKey", "user-pass", "apiKey", "cvv"])
def test_a_name_of_a_secret_is_known_in_each_spelling(name: str) -> None:
    assert is_secret_name(name)
