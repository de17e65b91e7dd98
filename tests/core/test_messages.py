"""The readers of inbound messages: signaling.md 3, calls.md 5.3 and 7."""

import pytest

from telnyx_core._signalling import messages as m
from telnyx_core._time.limits import MAX_HEADERS_CHARS, MAX_NAME_CHARS
from telnyx_core._wire.codec import call_id
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.events import Cause
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader

BUSY = Cause("USER_BUSY", 17)


@pytest.mark.parametrize(
    ("params", "call"),
    [
        ({"callID": "a"}, "a"),
        ({"callID": "a", "dialogParams": {"callID": "b"}}, "a"),
        ({"dialogParams": {"callID": "b"}}, "b"),
        ({"dialogParams": {"callId": "c"}}, "c"),
        ({"callID": "", "dialogParams": {"callID": "b"}}, "b"),
        ({"callID": 7}, None),
        ({"dialogParams": "b"}, None),
        ({}, None),
        ({"callID": "x" * MAX_NAME_CHARS}, "x" * MAX_NAME_CHARS),
        ({"callID": "x" * (MAX_NAME_CHARS + 1)}, None),
    ],
    ids=range(10),
)
def test_which_call_a_message_speaks_of(params: JsonObject, call: str | None) -> None:
    """SIG-103: older servers and candidates name it inside the dialog parameters."""
    assert call_id(params) == call


def test_an_offer_is_read_with_care() -> None:
    """SIG-107, SIG-145: all members but the call id are optional."""
    assert m.offered({}) == m.Offered(None, "", "", "", "", (), None)
    assert m.offered(
        {
            "sdp": "v=0",
            "caller_id_name": "Alice",
            "caller_id_number": "+1",
            "callee_id_name": "Me",
            "callee_id_number": "gencred",
            "client_state": "c3Q=",
            "dialogParams": {"custom_headers": [{"name": "X-Ref", "value": "42"}]},
        }
    ) == m.Offered("v=0", "Alice", "+1", "Me", "gencred", (CustomHeader("X-Ref", "42"),), "c3Q=")


@pytest.mark.parametrize("headers", [None, "X", {}, [None, 1, "a", {}, {"name": "X"}, {"name": 1, "value": "2"}]])
def test_headers_that_are_no_pairs_of_text_are_left_out(headers: Json) -> None:
    assert m.custom_headers({"dialogParams": {"custom_headers": headers}}) == ()


def test_both_spellings_of_the_client_state() -> None:
    """CALL-027, SIG-155."""
    assert m.client_state({"client_state": "a", "clientState": "b"}) == "a"
    assert m.client_state({"clientState": "b"}) == "b"


@pytest.mark.parametrize(
    ("params", "cause"),
    [
        ({}, BUSY),
        ({"cause": "CALL_REJECTED", "causeCode": 21}, Cause("CALL_REJECTED", 21)),
        ({"cause": "LOSE_RACE", "causeCode": 702}, Cause("LOSE_RACE", 702)),
        ({"cause": "ALLOTTED_TIMEOUT"}, Cause("ALLOTTED_TIMEOUT", 802)),
        ({"cause": "SOMETHING_NEW"}, Cause("SOMETHING_NEW", None)),
        ({"causeCode": 487}, Cause("ORIGINATOR_CANCEL", 487)),
        ({"causeCode": "16"}, Cause("NORMAL_CLEARING", 16)),
        ({"causeCode": 9999}, Cause(None, 9999)),
        ({"cause": 5, "causeCode": True}, BUSY),
        (
            {"cause": "USER_BUSY", "causeCode": 17, "sipCode": 486, "sipReason": "Busy Here", "sip_call_id": "8f"},
            Cause("USER_BUSY", 17, 486, "Busy Here", "8f"),
        ),
        ({"sipCode": 487}, Cause("USER_BUSY", 17, 487)),
    ],
    ids=range(11),
)
def test_how_the_far_end_says_that_a_call_ended(params: JsonObject, cause: Cause) -> None:
    """CALL-402, CALL-403, CALL-410: a missing half is looked up, unknown values pass through, nothing given is the
    default."""
    assert m.bye_cause(params, BUSY) == cause


CAUSES = {
    "UNALLOCATED_NUMBER": 1,
    "NORMAL_CLEARING": 16,
    "USER_BUSY": 17,
    "NO_ANSWER": 19,
    "CALL_REJECTED": 21,
    "NORMAL_TEMPORARY_FAILURE": 41,
    "INCOMPATIBLE_DESTINATION": 88,
    "MANDATORY_IE_MISSING": 96,
    "RECOVERY_ON_TIMER_EXPIRE": 102,
    "ORIGINATOR_CANCEL": 487,
    "ALLOTTED_TIMEOUT": 802,
    "INVALID_GATEWAY": 808,
}


@pytest.mark.parametrize(("cause", "code"), CAUSES.items(), ids=CAUSES)
def test_the_table_of_causes(cause: str, code: int) -> None:
    """CALL-410 to CALL-410k, PS-026."""
    assert m.bye_cause({"cause": cause}, BUSY).cause_code == code
    assert m.bye_cause({"causeCode": code}, BUSY).cause == cause


@pytest.mark.parametrize("state", [None, "", 5, "x" * (MAX_NAME_CHARS + 1)])
def test_a_gateway_report_without_a_usable_state_is_none(state: Json) -> None:
    assert m.gateway_report({"state": state}) is None
    assert m.gateway_report({}) is None


def test_a_gateway_report_brings_ids_along() -> None:
    """SIG-127, SIG-138."""
    assert m.gateway_report({"state": "TRYING"}) == m.GatewayReport("TRYING", None, None, None, None)
    assert m.gateway_report(
        {"state": "REGED", "call_report_id": "r", "dc": "ch1", "region": "eu", "reattached_sessions": ["a", 5]}
    ) == m.GatewayReport("REGED", "r", "ch1", "eu", ("a",))


def test_a_bye_says_what_is_known_and_leaves_out_what_is_not() -> None:
    """SIG-154, CALL-203: the two SIP members are null when unknown, ``sipReason`` is absent."""
    dialog: JsonObject = {"callID": "a"}
    assert m.bye_params(Cause("USER_BUSY", 17), dialog) == {
        "sipCode": None,
        "sip_call_id": None,
        "dialogParams": {"callID": "a"},
        "cause": "USER_BUSY",
        "causeCode": 17,
    }
    assert m.bye_params(Cause("ODD", None, 480, "Gone", "id"), dialog) == {
        "sipCode": 480,
        "sip_call_id": "id",
        "dialogParams": {"callID": "a"},
        "cause": "ODD",
        "sipReason": "Gone",
    }
    assert m.bye_params(Cause(None, 999), dialog)["causeCode"] == 999
    assert "cause" not in m.bye_params(Cause(None, 999), dialog)


def test_the_call_ids_of_both_kinds_are_texts() -> None:
    assert isinstance(call_id({"callID": "a"}), str)
    assert call_id({"callID": "a"}) == CallId("a")


def test_headers_may_fill_the_room_that_there_is() -> None:
    """One character more, and the last of them is left out."""
    headers: list[Json] = [{"name": "X-A", "value": "b" * (MAX_HEADERS_CHARS - 6)}, {"name": "X-B", "value": ""}]
    assert [header.name for header in m.custom_headers({"dialogParams": {"custom_headers": headers}})] == ["X-A", "X-B"]
    headers[1] = {"name": "X-B", "value": "c"}
    assert [header.name for header in m.custom_headers({"dialogParams": {"custom_headers": headers}})] == ["X-A"]
