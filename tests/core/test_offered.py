"""The options of a call that the server offers."""

from typing import Literal

import pytest

from telnyx_core._call.offered import offered_options
from telnyx_core._signalling import messages as m
from telnyx_core._wire.json_types import Json, JsonObject

OFFER: JsonObject = {
    "caller_id_name": "Ann",
    "caller_id_number": "100",
    "callee_id_name": "Bob",
    "callee_id_number": "200",
}


@pytest.mark.parametrize(
    ("direction", "ours", "theirs"),
    [("inbound", ("Bob", "200"), ("Ann", "100")), ("outbound", ("Ann", "100"), ("Bob", "200"))],
)
def test_the_parties_are_the_right_way_round(
    direction: Literal["inbound", "outbound"], ours: tuple[str, str], theirs: tuple[str, str]
) -> None:
    options = offered_options(m.offered(OFFER), OFFER, direction)
    assert (options.caller_name, options.caller_number) == ours
    assert (options.remote_caller_name, options.remote_caller_number) == theirs
    assert options.destination_number == "200"


@pytest.mark.parametrize(
    ("asked", "kbps", "expected"),
    [(True, 32, 32), (False, 32, None), ("yes", 32, None), (True, 0, None), (True, True, None), (True, "32", None)],
)
def test_a_bandwidth_counts_where_it_is_on_and_a_positive_number(asked: Json, kbps: Json, expected: int | None) -> None:
    settings: JsonObject = {"useSdpASBandwidthKbps": asked, "sdpASBandwidthKbps": kbps}
    offer: JsonObject = {**OFFER, "mediaSettings": settings}
    assert offered_options(m.offered(offer), offer, "inbound").max_kbps == expected
