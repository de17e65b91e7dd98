"""ICE servers, SIP headers and codecs, as an application writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._options.values import (
    Codec,
    CustomHeader,
    IceServer,
    read_codecs,
    read_custom_headers,
    read_ice_servers,
)
from telnyx_core.errors import InvalidCallParameters, OptionsError


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_header_can_add_a_line(name: str, value: str) -> None:
    try:
        (header,) = read_custom_headers([{"name": name, "value": value}])
    except InvalidCallParameters:
        assert not name.isalnum() or not name.isascii() or any(char in value for char in "\r\n\0")
    else:
        assert header == CustomHeader(name, value)
        assert not any(char in name + value for char in "\r\n\0")
        assert name
        assert not any(char in name for char in " :")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", 7])
def test_a_header_stays_on_its_line(value: object) -> None:
    with pytest.raises(InvalidCallParameters, match="must be a string without line breaks"):
        read_custom_headers([{"name": "X-Order", "value": value}])


def test_a_header_that_is_refused_is_named_by_its_place() -> None:
    with pytest.raises(InvalidCallParameters, match=r"^custom_headers\[1\]\.value must be"):
        read_custom_headers([CustomHeader("X-A", "1"), CustomHeader("X-B", "1\r\nX-C: 2")])


def test_a_server_that_is_none_loses_its_urls_and_the_good_ones_stay() -> None:
    good = {"urls": "stun:a", "username": None}
    servers = read_ice_servers(
        [good, 7, {"urls": 7}, {"urls": ["turn:b", 7], "credential": 7}, {"urls": ["turn:b", 7]}]
    )
    assert [server.urls for server in servers] == [("stun:a",), (), (), (), ("turn:b",)]
    with pytest.raises(OptionsError, match="ice_servers"):
        read_ice_servers("stun:a")


def test_a_credential_is_not_shown() -> None:
    assert "pl4nt3d" not in repr(IceServer("turn:b", "pl4nt3d", "pl4nt3d"))
    assert "pl4nt3d" not in repr(CustomHeader("X-Key", "pl4nt3d"))


def test_codecs_in_either_spelling() -> None:
    read = read_codecs(
        [{"mimeType": "audio/opus", "clockRate": 48_000}, {"mime_type": "audio/PCMU", "clock_rate": 8_000}]
    )
    assert read == (Codec("audio/opus", 48_000), Codec("audio/PCMU", 8_000))


@pytest.mark.parametrize(
    ("codec", "problem"),
    [
        ({"mimeType": "audio/opus"}, r"^preferred_codecs\[0\]\.clock_rate \(clockRate\) is missing$"),
        ({"mimeType": "audio/opus", "clockRate": 0}, "must be at least 1, not 0"),
        ({"mimeType": 7, "clockRate": 1}, "must be a string, not int"),
        ({"mimeTyp": "a", "clockRate": 1}, "did you mean 'mimeType'"),
    ],
)
def test_a_codec_that_is_none_is_refused(codec: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidCallParameters, match=problem):
        read_codecs([codec])
