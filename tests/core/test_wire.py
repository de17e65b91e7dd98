"""Text to frames and back: signaling.md 2.1, 2.4 and 2.6."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._time.limits import MAX_FRAME_CHARS, MAX_NAME_CHARS
from telnyx_core._wire.codec import (
    Garbage,
    Plain,
    Reply,
    Request,
    ServerError,
    decode,
    encode,
    integer,
    mapping,
    string,
    strings,
)
from telnyx_core._wire.json_types import Json, JsonObject


def request(frame: JsonObject) -> Request:
    decoded = decode(json.dumps(frame))
    assert isinstance(decoded, Request)
    return decoded


def reply(frame: JsonObject) -> Reply:
    decoded = decode(json.dumps(frame))
    assert isinstance(decoded, Reply)
    return decoded


def test_a_request_of_the_server() -> None:
    frame: JsonObject = {"jsonrpc": "2.0", "id": 7, "method": "telnyx_rtc.ping", "params": {"serno": 1}}
    assert request({**frame, "voice_sdk_id": "V"}) == Request(
        7, "telnyx_rtc.ping", {"serno": 1}, "V", {**frame, "voice_sdk_id": "V"}
    )


@pytest.mark.parametrize("ident", [7, "8", "f91d"])
def test_ids_keep_their_json_type(ident: int | str) -> None:
    """SIG-056: the server numbers its requests and names its AI frames."""
    assert request({"id": ident, "method": "m"}).id == ident
    assert type(request({"id": ident, "method": "m"}).id) is type(ident)


@pytest.mark.parametrize("ident", [None, True, 1.5, [], {}])
def test_what_is_no_id_makes_a_notification(ident: Json) -> None:
    assert request({"id": ident, "method": "m"}).id is None


@pytest.mark.parametrize("params", [None, [], "text", 3])
def test_params_that_are_no_object_count_as_empty(params: Json) -> None:
    """SIG-089."""
    assert request({"id": 1, "method": "m", "params": params}).params == {}
    assert request({"id": 1, "method": "m"}).params == {}


@pytest.mark.parametrize("token", [None, "", 3, ["V"], "V" * 1_025, "V\r\nx: y", "V V", "V\xe9"])
def test_a_token_is_a_text_that_is_not_empty(token: Json) -> None:
    """SIG-057: a truthy value."""
    assert request({"method": "m", "voice_sdk_id": token}).voice_sdk_id is None


def test_a_result_and_an_error() -> None:
    """SIG-072: the error's other members are kept."""
    assert reply({"id": "a", "result": {"message": "PONG"}}).result == {"message": "PONG"}
    assert reply({"id": "a", "result": {"message": "PONG"}}).error is None
    members: JsonObject = {"code": -32002, "message": "CALL ERROR", "cause": "USER_BUSY"}
    assert reply({"id": "a", "error": members}).error == ServerError(-32002, "CALL ERROR", members)


@pytest.mark.parametrize("result", [None, [], "ok", 5])
def test_a_result_that_is_no_object_counts_as_empty(result: Json) -> None:
    """SIG-073: success with what there is."""
    assert reply({"id": "a", "result": result}).result == {}
    assert reply({"id": "a", "result": result}).error is None


@pytest.mark.parametrize("error", [None, {}, "", 0, False, []])
def test_an_error_that_says_nothing_is_none(error: Json) -> None:
    assert reply({"id": "a", "result": {"x": 1}, "error": error}).error is None


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": True, "message": 3}, None, ""),
        ({"code": "-32000"}, None, ""),
        ("no", None, "no"),
        (["a"], None, "['a']"),
        (7, None, "7"),
    ],
)
def test_a_malformed_error_is_an_error_all_the_same(error: Json, code: int | None, message: str) -> None:
    found = reply({"id": "a", "error": error}).error
    assert found is not None
    assert (found.code, found.message) == (code, message)


def test_an_error_of_a_single_endless_text_is_cut() -> None:
    found = reply({"id": "a", "error": "x" * 10_000}).error
    assert found is not None
    assert len(found.message) == MAX_NAME_CHARS


def test_a_result_beside_a_method_is_a_reply() -> None:
    assert isinstance(decode('{"id":"a","method":"m","result":{}}'), Reply)


@pytest.mark.parametrize("text", ["null", "5", "[]", '"text"', "true", "{}", '{"method":5}', '{"result":{}}'])
def test_json_that_is_no_frame_is_garbage(text: str) -> None:
    """SIG-088: the reference raises on null and misbehaves on the others."""
    assert isinstance(decode(text), Garbage)


def test_an_id_alone_is_an_empty_reply() -> None:
    assert decode('{"id":"a"}') == Reply("a", {}, None, None, {"id": "a"})


@pytest.mark.parametrize("text", ["", "hello", "{", '{"a":', "\ud800"])
def test_text_that_is_no_json_is_garbage_and_not_quoted(text: str) -> None:
    """It may hold what is secret."""
    assert decode(text) == Garbage("not JSON")


def test_text_of_the_speed_test_is_plain() -> None:
    """SIG-090."""
    assert decode("#SPU 12") == Plain("#SPU 12")


def test_a_frame_has_an_upper_bound() -> None:
    assert decode(" " * MAX_FRAME_CHARS) == Garbage("not JSON")
    assert decode(" " * (MAX_FRAME_CHARS + 1)) == Garbage(f"frame of {MAX_FRAME_CHARS + 1} characters")


def test_deep_nesting_is_garbage() -> None:
    assert decode("[" * 60_000 + "]" * 60_000) == Garbage("nested too deeply")


def test_a_method_has_an_upper_bound() -> None:
    assert isinstance(decode(json.dumps({"method": "m" * MAX_NAME_CHARS})), Request)
    assert decode(json.dumps({"method": "m" * (MAX_NAME_CHARS + 1)})) == Garbage("method name too long")


def test_a_number_of_five_thousand_digits_is_no_json() -> None:
    """Python refuses to build it; that must not escape."""
    assert decode('{"id": ' + "9" * 5_000 + ', "method": "m"}') == Garbage("not JSON")


@given(st.text())
def test_decode_is_total(text: str) -> None:
    assert isinstance(decode(text), Reply | Request | Plain | Garbage)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FRAMES = st.dictionaries(
    st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "voice_sdk_id", "x"]), JSON, max_size=8
)


@given(FRAMES)
def test_decode_is_total_for_anything_like_a_frame(frame: JsonObject) -> None:
    decoded = decode(json.dumps(frame))
    assert isinstance(decoded, Reply | Request | Garbage)
    if isinstance(decoded, Reply | Request):
        assert decoded.frame == frame


@given(FRAMES)
def test_what_is_encoded_can_be_read_again(frame: JsonObject) -> None:
    assert json.loads(encode(frame)) == frame


def test_frames_are_plain_ascii_without_blanks() -> None:
    """SIG-050; a lone surrogate in a name must not break the socket's encoder."""
    text = encode({"name": "J\u00fcrgen \ud800", "null": None})
    assert text == '{"name":"J\\u00fcrgen \\ud800","null":null}'
    assert text.isascii()


def test_members_are_read_with_care() -> None:
    members: JsonObject = {
        "s": "x",
        "e": "",
        "i": 5,
        "d": "17",
        "b": True,
        "n": None,
        "o": {"a": 1},
        "l": ["a", 1, "b"],
    }
    assert [string(members, name) for name in ("s", "e", "i", "n", "missing")] == ["x", None, None, None, None]
    assert [integer(members, name) for name in ("i", "d", "s", "b", "n", "missing")] == [5, 17, None, None, None, None]
    assert integer({"d": "1234567890"}, "d") is None
    assert integer({"d": "\u0661"}, "d") is None
    assert (mapping(members, "o"), mapping(members, "l")) == ({"a": 1}, {})
    assert (strings(members, "l"), strings(members, "o")) == (("a", "b"), None)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_cannot_be_written_again_is_no_json(number: str) -> None:
    """Python's reader takes them; found by fuzz/fuzz_wire.py."""
    assert decode(f'{{"id":1,"method":"telnyx_rtc.info","params":{{"x":{number}}}}}') == Garbage("not JSON")


def test_a_frame_of_too_many_parts_is_garbage_before_it_is_made() -> None:
    """A megabyte of empty lists is twenty-four in memory."""
    text = '{"id":1,"method":"m","params":{"x":[' + "[]," * 100_000 + "[]]}}"
    assert decode(text) == Garbage(f"frame of {text.count('[') + text.count('{') + text.count(',')} parts")
    few = '{"id":1,"method":"m","params":{"x":[' + "[]," * 30_000 + "[]]}}"
    assert isinstance(decode(few), Request)
