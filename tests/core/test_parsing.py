"""What an application wrote is read, or refused with the name of the option and without what was in it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._options.parsing import (
    MAX_JSON_DEPTH,
    Checks,
    Name,
    as_given,
    both_spellings,
    finite,
    milliseconds,
    seed_name,
)
from telnyx_core.errors import OptionsError

CHECKS = Checks(OptionsError, "Thing.")
NAMES = both_spellings({"mime_type": as_given, "max_kbps": as_given})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_json_is_copied_whole(value: dict[str, object]) -> None:
    copy = CHECKS.json_object("it", value)
    assert copy == value
    assert copy is not value


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**64, b"x", {1: 2}, object()])
def test_what_json_cannot_carry_is_refused_with_the_name(value: object) -> None:
    with pytest.raises(OptionsError, match=r"^Thing\.user_variables \(userVariables\) "):
        CHECKS.json_object("user_variables", {"inner": [value]})


def test_nesting_has_an_end() -> None:
    value: object = 1
    for _ in range(MAX_JSON_DEPTH - 1):
        value = [value]
    assert CHECKS.json_object("it", {"a": value})
    with pytest.raises(OptionsError, match="nested more than 32 deep"):
        CHECKS.json_object("it", {"a": [value]})


@given(st.floats(allow_nan=True) | st.integers() | st.booleans() | st.none() | st.text(max_size=3))
def test_seconds_are_within_their_bounds_or_refused(value: object) -> None:
    number = finite(value)
    if number is not None and 0 < number <= 30:
        assert CHECKS.seconds("wait", value, most=30) == number
    else:
        with pytest.raises(OptionsError, match=r"^Thing\.wait must be "):
            CHECKS.seconds("wait", value, most=30)


def test_milliseconds_in_the_place_of_seconds_are_recognised() -> None:
    with pytest.raises(OptionsError, match="were milliseconds meant"):
        CHECKS.seconds("wait", 5_000, most=30)
    assert milliseconds(5_000) == 5.0
    assert milliseconds("5") == "5"
    assert finite(10**400) is None


def test_both_spellings_are_one_option() -> None:
    assert CHECKS.keywords({"mimeType": "a", "sdpASBandwidthKbps": 3}, NAMES) == {"mime_type": "a", "max_kbps": 3}
    assert CHECKS.keywords({"mimeType": None}, NAMES) == {}
    assert CHECKS.keywords({"mimeType": "a", "mime_type": "a"}, NAMES) == {"mime_type": "a"}
    with pytest.raises(OptionsError, match="are the same option, given with different values"):
        CHECKS.keywords({"mimeType": "a", "mime_type": "b"}, NAMES)


def test_a_name_that_is_unknown_is_answered_with_the_right_spelling() -> None:
    with pytest.raises(OptionsError, match="did you mean 'mime_type'"):
        CHECKS.keywords({"mime_typ": "a"}, NAMES)
    with pytest.raises(OptionsError, match=r"has no member 'zzzz'$"):
        CHECKS.keywords({"zzzz": 1}, NAMES)


def test_a_refusal_never_shows_what_was_given() -> None:
    for refuse in (CHECKS.mapping, CHECKS.sequence):
        with pytest.raises(OptionsError) as caught:
            refuse("token", "pl4nt3d")
        assert "pl4nt3d" not in str(caught.value)


def test_a_reader_reads_once() -> None:
    read = CHECKS.keywords({"interval": 500}, {"interval": Name("seconds", milliseconds)})
    assert read == {"seconds": 0.5}
    assert seed_name("setup_timeout") == "timeoutSecs"
    assert seed_name("call_report_interval") == "callReportInterval"


@pytest.mark.parametrize(("number", "fine"), [(None, True), (1, True), (5, True), (0, False), (6, False)])
def test_ranges_include_their_ends(number: int | None, fine: bool) -> None:
    if fine:
        CHECKS.range("count", number, 1, 5)
    else:
        with pytest.raises(OptionsError, match=f"count must be from 1 to 5, not {number}"):
            CHECKS.range("count", number, 1, 5)
