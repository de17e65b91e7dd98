"""The two parties of a call: what the server says replaces what was known, and what it leaves out stays."""

from telnyx_core._call.offered import offered_options
from telnyx_core._call.parties import Parties
from telnyx_core._signalling import messages as m
from telnyx_core._wire.json_types import Json
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader

IDS: dict[str, Json] = {
    "telnyx_call_control_id": "control",
    "telnyx_session_id": "session",
    "telnyx_leg_id": "leg",
}
CLIENT = ClientOptions(login_token="t", user_variables={"of": "the client"}, trickle_ice=True)


def parties(**options: object) -> Parties:
    return Parties(CallId("it"), CallOptions(destination_number="+1", **options))  # type: ignore[arg-type]


def test_ids_are_taken_once_and_an_empty_one_takes_nothing_away() -> None:
    it = parties()
    assert it.take_ids(IDS)
    assert not it.take_ids(IDS)
    assert not it.take_ids(dict.fromkeys(IDS, ""))
    assert (it.call_control_id, it.session_id, it.leg_id) == ("control", "session", "leg")


def test_variables_are_merged_bounded_and_alone_no_news() -> None:
    it = parties()
    assert not it.take_ids({"variables": {"telnyx_rtc_svar_a": "1"}})
    first = dict(it.variables)
    assert first
    for number in range(m.MAX_VARIABLES + 5):
        it.take_ids({"variables": {f"telnyx_rtc_svar_v{number}": "x"}})
    assert len(it.variables) == m.MAX_VARIABLES
    assert not first.keys() & it.variables.keys(), "the oldest have gone"


def test_a_call_has_its_own_user_variables_and_trickle_or_those_of_the_client() -> None:
    assert parties().dialog(CLIENT).user_variables == {"of": "the client"}
    assert parties(user_variables={}).dialog(CLIENT).user_variables == {}
    assert parties().dialog(CLIENT).trickle is True
    assert parties(trickle_ice=False).dialog(CLIENT).trickle is False


def test_a_re_attach_that_says_nothing_of_headers_keeps_them() -> None:
    header = CustomHeader("X-A", "1")
    it = parties(custom_headers=(header,), client_state="c3RhdGU=")
    silent = m.offered({"callID": "it"})
    it.take_offer(silent, {})
    assert it.headers == (header,)
    assert it.client_state == "c3RhdGU="


def test_who_called_is_the_far_end_unless_the_call_was_ours() -> None:
    params: dict[str, Json] = {
        "callID": "it",
        "caller_id_name": "Ann",
        "caller_id_number": "1",
        "callee_id_name": "Bob",
        "callee_id_number": "2",
    }
    offer = m.offered(params)
    inbound = offered_options(offer, params, "inbound")
    outbound = offered_options(offer, params, "outbound")
    assert (inbound.caller_number, inbound.remote_caller_number) == ("2", "1")
    assert (outbound.caller_number, outbound.remote_caller_number) == ("1", "2")
    assert (inbound.remote_caller_name, outbound.remote_caller_name) == ("Ann", "Bob")
