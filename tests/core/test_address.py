"""Addresses of servers, as the WHATWG URL standard reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._options.address import is_region, parse_address


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("rtc.telnyx.com", "wss://rtc.telnyx.com/"),
        ("WSS://RTC.telnyx.com:443/", "wss://rtc.telnyx.com/"),
        ("ws://127.0.0.1:8080/a b?c d", "ws://127.0.0.1:8080/a%20b?c%20d"),
        ("ws://[::1]:5", "ws://[::1]:5/"),
        ("wss://bücher.example/#gone", "wss://xn--bcher-kva.example/"),
    ],
)
def test_it_is_read_and_written_again(text: str, read: str) -> None:
    assert str(parse_address(text)) == read
    assert str(parse_address(read)) == read


@pytest.mark.parametrize(
    "text", ["http://a", "ws://", "ws://a:99999", "ws://al:pw@host", "ws://a b", "ws://[fe80::1%25e]"]
)
def test_what_is_none_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(the|user|there)") as refused:
        parse_address(text)
    assert "pw" not in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert str(parse_address(str(address))) == str(address)


@pytest.mark.parametrize(
    ("host", "regional"),
    [
        ("rtc.telnyx.com", "eu.rtc.telnyx.com"),
        ("us.rtcdev.telnyx.com", "eu.rtcdev.telnyx.com"),
        ("a.example", "a.example"),
    ],
)
def test_a_region_goes_before_rtc(host: str, regional: str) -> None:
    assert parse_address(host).in_region("EU").host == regional


@pytest.mark.parametrize(
    ("name", "fits"), [("eu", True), ("apac.sydney", True), ("eu/..", False), ("", False), ("a:1", False)]
)
def test_a_region_changes_no_more_than_the_host(name: str, fits: bool) -> None:
    assert is_region(name) is fits


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("a.localhost.", True), ("127.9.9.9", True), ("[::1]", True), ("localhost.example", False)],
)
def test_what_can_only_mean_this_machine(host: str, here: bool) -> None:
    assert parse_address(host).is_loopback is here
