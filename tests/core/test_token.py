"""Reading ``exp`` of a login token (SIG-250)."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._signalling.token import MAX_TOKEN_CHARS, expiry


def jwt(payload: str, *, padded: bool = False) -> str:
    part = urlsafe_b64encode(payload.encode()).decode()
    return f"aGVhZA.{part if padded else part.rstrip('=')}.c2ln"


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("exp", "read"), [("1700000000", 1.7e9), ("1700000000.5", 1.7e9 + 0.5), ("-1", -1.0)])
def test_the_end_of_a_token(exp: str, read: float, padded: bool) -> None:
    assert expiry(jwt(f'{{"exp": {exp}, "sub": "x"}}', padded=padded)) == read


def test_the_alphabet_is_base64url() -> None:
    """SIG-546: ``-`` and ``_`` are letters here, and plain base64 decoding would fail on them."""
    token = jwt('{"who": "~~~???>>>", "exp": 5}')
    assert set("-_") & set(token.split(".")[1])
    assert expiry(token) == 5.0


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "a..c",
        "a.!!!!.c",
        "a.é.c",
        jwt('{"exp": 5}').replace(".e", ".!e"),
        jwt("[1]"),
        jwt("{}"),
        jwt('{"exp": "1700000000"}'),
        jwt('{"exp": true}'),
        jwt('{"exp": null}'),
        jwt('{"exp": NaN}'),
        jwt('{"exp": Infinity}'),
        jwt('{"exp": 1e999}'),
        jwt(f'{{"exp": {"9" * 400}}}'),
        jwt(f'{{"exp": {"9" * 5000}}}'),
        jwt("[" * 20_000),
        "a." + "A" * MAX_TOKEN_CHARS + ".c",
        jwt(f'{{"exp": 5, "pad": "{"x" * MAX_TOKEN_CHARS}"}}'),
    ],
    ids=lambda token: f"{len(token)} {token[:40]}",
)
def test_anything_else_has_no_end(token: str) -> None:
    assert expiry(token) is None


@given(st.text() | st.builds(jwt, st.text(alphabet=st.characters(exclude_categories=["Cs"]))))
def test_garbage_never_raises(token: str) -> None:
    assert expiry(token) is None or isinstance(expiry(token), float)


@given(st.floats(allow_nan=False, allow_infinity=False), st.dictionaries(st.text(), st.integers()))
def test_what_was_written_is_read(exp: float, others: dict[str, int]) -> None:
    assert expiry(jwt(json.dumps({**others, "exp": exp}))) == exp
