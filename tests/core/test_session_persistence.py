"""What outlives a socket, and with a store a process: signaling.md 4.5 and 5.3, seen from the session."""

import pytest

from telnyx_core._wire.codec import mapping
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import Remember
from telnyx_core.events import ErrorRaised
from telnyx_core.ids import CallId
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import EPOCH, Rig

S = SessionState


def remembered(rig: Rig) -> JsonView:
    """What a store would hold now."""
    values = [action.values for action in rig.actions if isinstance(action, Remember)]
    return values[-1] if values else {}


def stored(age: float = 10.0, *calls: str) -> JsonObject:
    return {
        "voice_sdk_id": "V-old",
        "session_id": "session-1",
        "session_id_stored_at": EPOCH - age,
        "calls": [{"id": call, "held": False} for call in calls],
    }


def next_login(rig: Rig) -> JsonObject:
    """Lose the socket, open the next, and see what is asked for."""
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    return rig.params("login")


def test_a_fresh_client_announces_nothing() -> None:
    """SIG-114, SIG-115."""
    rig = Rig()
    rig.connect()
    assert rig.urls == ["wss://rtc.telnyx.com/"]
    assert rig.params("login")["reconnection"] is False
    assert "sessid" not in rig.params("login")


def test_the_token_goes_into_the_url_and_the_session_into_the_login() -> None:
    """SIG-013, SIG-114, SIG-115."""
    rig = Rig.registered()
    params = next_login(rig)
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1"
    assert (params["reconnection"], params["sessid"]) == (True, "session-1")


@pytest.mark.parametrize(("outage", "resumes"), [(120.0, True), (120.5, False), (600.0, False)])
def test_a_session_can_be_resumed_for_two_minutes(outage: float, resumes: bool) -> None:
    """SIG-231, SIG-232: counted from the loss; inclusive. With a call there is no limit (PS-002)."""
    rig = Rig.registered(r=0.5, maxReconnectAttempts=0)
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.now = outage
    rig.open()
    assert ("sessid" in rig.params("login")) is resumes
    assert rig.params("login")["reconnection"] is True


def test_failed_attempts_do_not_renew_the_stamp() -> None:
    """SIG-231, SIG-589: an outage of ten minutes."""
    rig = Rig.registered(r=0.5, maxReconnectAttempts=0)
    rig.lose()
    while rig.now < 600:
        rig.wait_for(S.CONNECTING)
        rig.lose(error="unreachable")
    rig.wait_for(S.CONNECTING)
    rig.open()
    assert "sessid" not in rig.params("login")


def test_a_long_life_is_no_age() -> None:
    """SIG-231: the stamp is of the loss, not of the login."""
    rig = Rig.registered()
    rig.always("ping", {})
    rig.advance(3_600)
    assert next_login(rig)["sessid"] == "session-1"


def test_the_values_are_written_down_when_they_change() -> None:
    """SIG-230."""
    rig = Rig()
    rig.connect()
    assert not remembered(rig)
    rig.login_ok("s-7", "V-7")
    assert remembered(rig) == {"voice_sdk_id": "V-7", "session_id": "s-7", "session_id_stored_at": EPOCH}
    rig.clear()
    rig.gateway()
    rig.request("ping")
    assert not remembered(rig)
    rig.say({"jsonrpc": "2.0", "id": 1, "method": "telnyx_rtc.event", "params": {}, "voice_sdk_id": "V-8"})
    assert remembered(rig)["voice_sdk_id"] == "V-8"


def test_the_stamp_is_written_at_a_loss() -> None:
    """SIG-231."""
    rig = Rig.registered()
    rig.advance(5)
    rig.clear()
    rig.lose()
    assert remembered(rig)["session_id_stored_at"] == EPOCH + 5


def test_nothing_that_is_written_is_a_credential_or_a_description() -> None:
    """SIG-316."""
    rig = Rig.registered(login_token="the.secret.token")
    rig.outbound("active")
    rig.lose()
    said = str([dict(action.values) for action in rig.actions if isinstance(action, Remember)])
    assert "secret" not in said
    assert "v=0" not in said


# A former process.


def test_a_former_process_is_resumed() -> None:
    """SIG-232, SIG-114."""
    rig = Rig(remembered=stored(30.0))
    rig.connect()
    assert rig.urls == ["wss://rtc.telnyx.com/?voice_sdk_id=V-old"]
    assert (rig.params("login")["reconnection"], rig.params("login")["sessid"]) == (True, "session-1")


def test_a_former_process_that_is_too_old_is_only_a_hint_where_to_go() -> None:
    rig = Rig(remembered=stored(121.0))
    rig.connect()
    assert rig.params("login")["reconnection"] is True
    assert "sessid" not in rig.params("login")


@pytest.mark.parametrize("junk", [{}, {"voice_sdk_id": 5, "session_id": [], "calls": 3}, {"x": "y"}])
def test_a_store_with_junk_counts_as_empty(junk: JsonObject) -> None:
    """SIG-230, SIG-317."""
    rig = Rig(remembered=junk)
    rig.connect()
    assert rig.urls == ["wss://rtc.telnyx.com/"]
    assert rig.params("login")["reconnection"] is False


def test_a_call_of_a_former_process_that_the_server_lost_is_reported_once() -> None:
    """SIG-332, CALL-536: with the call's id, and no call object."""
    rig = Rig(remembered=stored(30.0, "a", "b"))
    rig.connect()
    rig.login_ok("session-1")
    rig.client_ready("b")
    rig.client_ready("b")
    assert [(event.code, event.call) for event in rig.heard_of(ErrorRaised)] == [(48501, "a")]
    assert not rig.session.calls
    assert remembered(rig)["calls"] == [{"id": "b", "held": False}]


def test_calls_of_another_session_are_forgotten_silently() -> None:
    """SIG-331."""
    rig = Rig(remembered=stored(300.0, "a"))
    rig.connect()
    rig.login_ok("session-2")
    rig.client_ready()
    assert rig.codes == []
    assert "calls" not in remembered(rig)


def test_without_a_verdict_the_markers_stay() -> None:
    """SIG-327, SIG-330."""
    rig = Rig(remembered=stored(30.0, "a"))
    rig.connect()
    rig.login_ok("session-1")
    rig.request("clientReady")
    rig.gateway()
    assert rig.codes == []
    assert remembered(rig)["calls"] == [{"id": "a", "held": False}]


@pytest.mark.parametrize("held", [False, True])
def test_a_call_of_a_former_process_comes_back_with_its_attach(held: bool) -> None:
    """SIG-342, CALL-533: held or not is what the marker says."""
    values = stored(30.0)
    values["calls"] = [{"id": "a", "held": held}]
    rig = Rig(remembered=values)
    rig.connect()
    rig.login_ok("session-1")
    rig.attach("a")
    rig.client_ready("a")
    rig.describe_answer("a")
    rig.reply("attach")
    assert rig.states("a") == ["recovering", "held" if held else "active"]
    assert rig.info("a").recovered_call_id == "a"
    assert rig.codes == []


def test_the_headers_of_a_call_are_known_to_the_process_that_takes_it_over() -> None:
    """CALL-531, SIG-316: also where the server does not say them again; what it says counts for more."""
    first = Rig.registered()
    call = first.inbound("active", dialogParams={"custom_headers": [{"name": "X-Ref", "value": "42"}]})
    values = remembered(first)
    for said, known in ((None, ("X-Ref", "42")), ({"name": "X-New", "value": "1"}, ("X-New", "1"))):
        rig = Rig(remembered=values)
        rig.connect()
        rig.login_ok("session-1")
        rig.attach(call, dialogParams={"custom_headers": [] if said is None else [said]})
        assert [(each.name, each.value) for each in rig.info(call).custom_headers] == [known]
        kept = {"name": known[0], "value": known[1]}
        assert remembered(rig)["calls"] == [{"id": call, "held": False, "custom_headers": [kept]}]


def test_headers_that_would_fill_the_store_are_not_remembered() -> None:
    """A store that grew too large to be read again would lose every call."""
    rig = Rig.registered()
    headers: list[Json] = [{"name": "X-Ref", "value": "42"}, {"name": "X-Long", "value": "x" * 5_000}]
    call = rig.inbound("active", dialogParams={"custom_headers": headers})
    assert remembered(rig)["calls"] == [{"id": call, "held": False, "custom_headers": headers[:1]}]


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_the_bandwidth_that_the_server_asks_for_holds_in_the_process_that_takes_a_call_over(direction: str) -> None:
    """CALL-045."""
    rig = Rig(remembered=stored(30.0, "a"))
    rig.connect()
    rig.login_ok("session-1")
    asked: JsonObject = {"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 40}
    rig.attach("a", mediaSettings=asked, display_direction="inbound" if direction == "outbound" else "outbound")
    assert rig.info("a").direction == direction
    rig.describe_answer("a")
    assert mapping(rig.params("attach"), "dialogParams")["mediaSettings"] == asked


def test_two_calls_of_a_former_process_come_back() -> None:
    """SRV-020: two calls give two attaches, and both are known. The reference takes the first that arrives."""
    rig = Rig(remembered=stored(30.0, "a", "b"))
    rig.connect()
    rig.login_ok("session-1")
    rig.attach("a")
    rig.attach("b")
    rig.client_ready("a", "b")
    for call in ("a", "b"):
        rig.describe_answer(call)
        rig.reply("attach")
    assert [rig.states(call) for call in ("a", "b")] == [["recovering", "active"]] * 2
    assert 35002 not in rig.codes


def test_live_calls_are_written_down_with_the_stamp_and_gone_when_they_end() -> None:
    """SIG-316: a process that dies leaves its calls to the next."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("held")
    rig.advance(35)
    assert remembered(rig)["calls"] == [{"id": call, "held": True}]
    assert remembered(rig)["session_id_stored_at"] == EPOCH + 35
    rig.hangup(call)
    rig.reply("bye")
    assert "calls" not in remembered(rig)


def test_a_call_that_was_never_answered_is_not_written_down() -> None:
    """mod_verto attaches answered calls only."""
    rig = Rig.registered()
    rig.always("ping", {})
    rig.outbound("ringing")
    rig.advance(35)
    assert "calls" not in remembered(rig)


# Forgetting.


def test_clearing_the_token_counts_from_the_next_socket_on() -> None:
    """SIG-234: this one goes on as it is, and its frames, which name the token, do not bring it back."""
    rig = Rig.registered()
    rig.clear_reconnect_token()
    rig.say({"jsonrpc": "2.0", "id": 1, "method": "telnyx_rtc.ping", "params": {}, "voice_sdk_id": "VSDK-1"})
    rig.invite()
    assert rig.params("invite")["sessid"] == "session-1"
    params = next_login(rig)
    assert rig.urls[-1] == "wss://rtc.telnyx.com/"
    assert params["reconnection"] is False
    assert "sessid" not in params
    rig.login_ok("session-2", "V-2")
    rig.gateway()
    assert next_login(rig)["sessid"] == "session-2"


def test_clearing_the_token_without_a_socket_counts_at_once() -> None:
    rig = Rig(remembered=stored(10.0))
    rig.clear_reconnect_token()
    rig.connect()
    assert rig.urls == ["wss://rtc.telnyx.com/"]
    assert rig.params("login")["reconnection"] is False


def test_clearing_the_token_empties_the_store() -> None:
    rig = Rig.registered()
    rig.clear_reconnect_token()
    rig.request("ping")
    assert remembered(rig) == {}
    assert any(isinstance(action, Remember) for action in rig.actions)


def test_disconnect_forgets_the_session_and_keeps_the_token() -> None:
    """SIG-235, SIG-555."""
    rig = Rig.registered()
    rig.disconnect()
    rig.lose(1000)
    assert remembered(rig) == {"voice_sdk_id": "VSDK-1"}
    rig.connect()
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1"
    assert rig.params("login")["reconnection"] is True
    assert "sessid" not in rig.params("login")


def test_other_credentials_after_a_disconnect_forget_the_token_too() -> None:
    """SIG-235: else the server answers "Session in use", or attaches another user's calls."""
    rig = Rig.registered()
    rig.disconnect()
    rig.lose(1000)
    rig.login({"login_token": "x.y.z"})
    rig.connect()
    assert rig.urls[-1] == "wss://rtc.telnyx.com/"
    assert rig.params("login")["reconnection"] is False


def test_the_same_credentials_after_a_disconnect_keep_the_token() -> None:
    rig = Rig.registered()
    rig.disconnect()
    rig.lose(1000)
    rig.login({"login_token": "header.payload.signature", "userVariables": {"a": 1}})
    rig.connect()
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1"


def test_a_punt_forgets_everything() -> None:
    """SIG-291."""
    rig = Rig.registered()
    rig.request("punt")
    rig.lose(1000)
    assert remembered(rig) == {}
    rig.connect()
    assert rig.urls[-1] == "wss://rtc.telnyx.com/"


def test_exhaustion_forgets_nothing() -> None:
    """The application may connect again within the server's patience."""
    rig = Rig.registered(maxReconnectAttempts=1, r=0.5)
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.lose(error="refused")
    assert rig.state is S.EXHAUSTED
    rig.connect()
    assert rig.params("login")["sessid"] == "session-1"


def test_two_clients_share_nothing() -> None:
    """SIG-230, SIG-297, SIG-550."""
    one, other = Rig.registered(), Rig(seed=1)
    other.connect()
    assert other.urls == ["wss://rtc.telnyx.com/"]
    assert one.session.session_id != other.session.session_id


# The canary.


def test_the_first_canary_socket_announces_no_reconnection() -> None:
    """SIG-014, SIG-020, SIG-556."""
    rig = Rig(remembered=stored(10.0), useCanaryRtcServer=True)
    rig.connect()
    assert rig.urls == ["wss://rtc.telnyx.com/?canary=true"]
    assert rig.params("login")["reconnection"] is False
    assert "sessid" not in rig.params("login")
    rig.login_ok()
    rig.gateway()
    assert next_login(rig)["reconnection"] is True
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1&canary=true"


def test_the_canary_rule_belongs_to_the_session() -> None:
    """SIG-019: the reference arms it again with every gateway failure."""
    rig = Rig.registered(useCanaryRtcServer=True, r=0.0)
    for _ in range(2):
        rig.gateway("FAIL_WAIT")
        rig.wait_for(S.CLOSING)
        rig.lose(1000)
        rig.wait_for(S.CONNECTING)
        assert "voice_sdk_id=VSDK-1" in rig.urls[-1]
        rig.open()
        rig.login_ok()
        rig.gateway()


# The region.


def test_a_regional_host_that_cannot_be_reached_is_left_for_the_time_being() -> None:
    """SIG-007: for the following attempts of the series, until the next READY."""
    rig = Rig(region="eu")
    rig.ask_to_connect()
    rig.lose(error="unreachable")
    rig.wait_for(S.CONNECTING)
    assert rig.urls == ["wss://eu.rtc.telnyx.com/", "wss://rtc.telnyx.com/"]
    rig.ready()
    rig.lose()
    rig.wait_for(S.CONNECTING)
    assert rig.urls[-1].startswith("wss://eu.rtc.telnyx.com/")


def test_a_regional_host_that_worked_is_not_left() -> None:
    rig = Rig.registered(region="eu")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    assert rig.urls[-1].startswith("wss://eu.rtc.telnyx.com/")


def test_every_change_of_a_marker_is_remembered_with_all_the_others() -> None:
    """SIG-316: a process that is killed right after it comes back to each call as it was; what was said stays said."""
    rig = Rig.registered()
    told: list[JsonView] = []

    def is_remembered(**calls: bool) -> bool:
        told.append(remembered(rig))
        rig.clear()
        return told[-1]["calls"] == [{"id": call, "held": held} for call, held in calls.items()]

    rig.inbound("active", "one")
    assert is_remembered(one=False)
    rig.inbound("active", "two")
    assert is_remembered(one=False, two=False)
    rig.hold(CallId("one"))
    rig.reply("modify", {"holdState": "held"})
    assert is_remembered(one=True, two=False)
    rig.request("bye", callID="two")
    assert is_remembered(one=True)
    assert told[1]["calls"] == [{"id": "one", "held": False}, {"id": "two", "held": False}]


def test_what_did_not_change_is_not_remembered_again() -> None:
    """SIG-316: the call was away for a moment, but not its marker."""
    rig = Rig.registered(keep_connection_alive_on_socket_close=True)
    rig.always("ping", {})
    call = rig.outbound("active")
    rig.come_back(call)
    rig.clear()
    rig.advance(15)
    assert rig.states(call) == ["active"]
    assert remembered(rig) == {}


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("asked", [None, False, True])
def test_whether_a_call_goes_through_a_relay_is_remembered(asked: bool | None, client: bool) -> None:
    """SIG-316: ``forceRelayCandidate`` of the call's own options; the client's are the later client's to say."""
    first = Rig.registered(force_relay_candidate=client)
    call = first.outbound("active", force_relay_candidate=asked)
    first.leave()
    kept = remembered(first)
    marker: JsonObject = {"id": call, "held": False}
    assert kept["calls"] == [marker if asked is None else {**marker, "force_relay_candidate": asked}]
    rig = Rig(remembered=kept, force_relay_candidate=client)
    rig.ready(call)
    rig.attach(call)
    assert rig.ledger.peers[rig.peers[call][-1]].config.force_relay is (client if asked is None else asked)
    assert remembered(rig)["calls"] == kept["calls"], "and for the process after that"


@pytest.mark.parametrize("junk", ["yes", 1, None, [], {}])
def test_junk_about_a_relay_in_a_store_counts_as_absent(junk: Json) -> None:
    first = Rig.registered()
    call = first.outbound("active")
    first.leave()
    kept = {**remembered(first), "calls": [{"id": call, "held": False, "force_relay_candidate": junk}]}
    rig = Rig(remembered=kept)
    rig.ready(call)
    rig.attach(call)
    assert rig.ledger.peers[rig.peers[call][-1]].config.force_relay is False
