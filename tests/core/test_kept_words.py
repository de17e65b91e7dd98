"""What a server says is kept as long as a call lives, and its tombstone after that: nothing of it is of any length.

Three hundred invites with long names kept 264 MB, and three hundred byes with long causes 95 MB.
"""

import gc
import sys

from telnyx_core._signalling import messages as m
from telnyx_core._time.limits import (
    MAX_HEADERS,
    MAX_HEADERS_CHARS,
    MAX_NAME_CHARS,
    MAX_SDP_CHARS,
    MAX_WORDS_CHARS,
)
from telnyx_core._wire.codec import Reply, decode, description
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.errors import FailureKind
from telnyx_core.events import ErrorRaised
from telnyx_core.testing.rig import Rig

LONG = "N" * 300_000


def size_of(value: object, seen: set[int] | None = None) -> int:
    """Bytes of an object and of everything that it alone leads to."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, type) or callable(value):
        return 0
    seen.add(id(value))
    return sys.getsizeof(value) + sum(size_of(each, seen) for each in gc.get_referents(value))


def test_a_call_and_its_tombstone_keep_little_of_a_long_invite_and_a_long_bye() -> None:
    rig = Rig.registered(enable_call_reports=True)
    before = size_of(rig.session)
    headers: list[Json] = [{"name": "X-A", "value": LONG}]
    call = rig.ring(
        "b1",
        caller_id_name=LONG, callee_id_number=LONG, client_state=LONG, variables={"a": LONG, LONG: "b"},
        dialogParams={"custom_headers": headers}, **{"telnyx_sip_header_X-B": LONG},
    )  # fmt: skip
    rig.clear()
    assert size_of(rig.session) - before < 100_000
    rig.request("bye", callID=call, cause=LONG, sipReason=LONG, sip_call_id=LONG)
    assert size_of(rig.session) - before < 100_000


def test_words_are_cut_and_the_rest_is_left_out() -> None:
    params: JsonObject = {
        "caller_id_name": LONG, "client_state": LONG, "variables": {"a": LONG, "n" * (MAX_NAME_CHARS + 1): "b"},
        "dialogParams": {"custom_headers": [{"name": str(number), "value": "v"} for number in range(1_000)]},
    }  # fmt: skip
    offered = m.offered(params)
    assert offered.caller_name == LONG[:MAX_WORDS_CHARS]
    assert offered.client_state is None
    assert len(offered.headers) == MAX_HEADERS
    assert m.variables(params) == {"a": LONG[:MAX_WORDS_CHARS]}
    params["dialogParams"] = {"custom_headers": [{"name": "a", "value": "v"}, {"name": "b", "value": LONG}]}
    assert [header.name for header in m.custom_headers(params)] == ["a"]
    assert m.client_state({"client_state": "s" * MAX_HEADERS_CHARS}) == "s" * MAX_HEADERS_CHARS


def test_a_description_has_a_length() -> None:
    assert description({"sdp": "v" * MAX_SDP_CHARS}) == "v" * MAX_SDP_CHARS
    assert description({"sdp": "v" * (MAX_SDP_CHARS + 1)}) is None


def test_variables_do_not_pile_up_over_a_calls_life() -> None:
    rig = Rig.registered()
    call = rig.ring("b1")
    for number in range(20):
        rig.request("ringing", callID=call, variables={f"v{number}-{each}": "x" for each in range(m.MAX_VARIABLES)})
    kept = rig.session.call(call).variables
    assert len(kept) == m.MAX_VARIABLES
    assert f"v19-{m.MAX_VARIABLES - 1}" in kept


def test_the_text_of_an_error_is_cut() -> None:
    reply = decode('{"jsonrpc":"2.0","id":"1","error":{"code":-1,"message":"' + LONG + '"}}')
    assert isinstance(reply, Reply)
    assert reply.error is not None
    assert reply.error.message == LONG[:MAX_WORDS_CHARS]
    reply = decode('{"jsonrpc":"2.0","id":"1","error":"' + LONG + '"}')
    assert isinstance(reply, Reply)
    assert reply.error is not None
    assert reply.error.message == LONG[:MAX_NAME_CHARS]


def test_the_event_of_a_refused_login_is_no_longer_than_that() -> None:
    rig = Rig()
    rig.connect()
    rig.login_refused(message=LONG)
    (event,) = rig.heard_of(ErrorRaised)
    assert event.error.original is not None
    assert event.error.original.kind is FailureKind.SERVER_ERROR
    assert event.error.original.text == LONG[:MAX_WORDS_CHARS]
