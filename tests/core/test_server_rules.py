"""What the client makes of Telnyx's own server, rule by rule; each test quotes its rule."""

from typing import Any, get_args

import pytest
from attrs import evolve

from telnyx_core._signalling import messages as m
from telnyx_core._wire.json_types import Json
from telnyx_core.actions import Done, Failed, Remember, SendDigits
from telnyx_core.events import CallUpdated, ErrorRaised, FrameIgnored
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader, Region
from telnyx_core.states import CallState, SessionState
from telnyx_core.testing import EPOCH, WONDERLAND, Rig, Sim
from telnyx_core.testing.scripted import LOCAL_SDP, REMOTE_SDP

WITHOUT_DIGITS = REMOTE_SDP.replace(" 110\r", "\r").replace("a=rtpmap:110 telephone-event/48000\r\n", "")
ONLY_PRIVATE = "".join(f"{line}\r\n" for line in LOCAL_SDP.splitlines() if "srflx" not in line) + (
    "a=candidate:1 1 udp 2130706431 192.168.1.2 40000 typ host\r\n"
)
VARIABLES: dict[str, Json] = {
    "Core-UUID": "d70c2cb3-cf48-455a-afae-df1ecd94a04a",
    "FreeSWITCH-Hostname": "node-7",
    "telnyx_rtc_svar_parent_call_id": "c-1",
    "odd": 7,
}


def test_the_node_of_a_call_has_a_name_for_support() -> None:
    """PS-023: "`variables`"; its name and its id, and nothing of the rest."""
    rig = Rig.registered()
    call = rig.outbound("active")
    assert rig.session.call(call).node == ""
    rig.request("display", callID=call, display_number="1", variables=VARIABLES)
    known = evolve(rig.session.call(call), variables={k: v for k, v in VARIABLES.items() if isinstance(v, str)})
    assert known.node == "node-7 d70c2cb3-cf48-455a-afae-df1ecd94a04a"


def digits_sent(rig: Rig) -> list[tuple[float, str]]:
    params: list[Any] = [(at, frame["params"]) for at, frame in rig.sent_at if frame.get("method") == "telnyx_rtc.info"]
    return [(at, said["dtmf"]) for at, said in params]


def test_a_call_that_is_not_to_be_recovered_ends_with_the_socket() -> None:
    """PS-007: "`dialogParams.recoverCall: false`: the call ends at the loss instead of being detached."."""
    rig = Rig.registered()
    kept = rig.outbound("active")
    call = rig.outbound("active", recover=False)
    dialogs: list[Any] = [frame["params"] for frame in rig.frames("invite")]
    assert [said["dialogParams"].get("recoverCall") for said in dialogs] == [None, False]
    rig.lose()
    assert rig.states(call)[-2:] == ["hangup", "destroy"]
    assert rig.states(kept)[-1] == "recovering"
    cause = rig.heard_of(CallUpdated)[-1].call.ended or rig.heard_of(CallUpdated)[-2].call.ended
    assert cause is None or cause.cause_code == 27


def test_a_call_that_is_not_to_be_recovered_is_not_remembered_for_another_process() -> None:
    """PS-007."""
    rig = Rig.registered()
    rig.outbound("active", recover=False)
    assert not [action for action in rig.actions if isinstance(action, Remember) and action.values.get("calls")]
    rig.clear()
    rig.outbound("active")
    assert [action for action in rig.actions if isinstance(action, Remember) and action.values.get("calls")]


# A login that is refused: PS-013.


def refused(rig: Rig, code: int, said: str) -> None:
    rig.login_refused(code, said)
    if rig.state is SessionState.CLOSING:
        rig.lose(1000)
        rig.wait_for(SessionState.CONNECTING)
        rig.open()


@pytest.mark.parametrize(("code", "said"), [(-32001, "Login Incorrect"), (-32001, "LOGIN INCORRECT"), (-32000, "no")])
def test_a_first_login_is_tried_on_two_other_nodes(code: int, said: str) -> None:
    """PS-013: "close, skip the node (`skip_last_voice_sdk_id`), at most two more tries, not fatal meanwhile"."""
    rig = Rig(r=0.5)
    begun = rig.now
    rig.connect()
    rig.request("telnyx_rtc.ping", voice_sdk_id="VSDK-9")
    refused(rig, code, said)
    refused(rig, code, said)
    assert rig.codes == []
    assert all("skip_last_voice_sdk_id" in url or "voice_sdk_id" not in url for url in rig.urls[1:])
    refused(rig, code, said)
    assert (rig.state, rig.codes, len(rig.urls)) == (SessionState.AUTH_FAILED, [46001], 3)
    (error,) = rig.heard_of(ErrorRaised)
    assert error.fatal
    assert error.error.original is not None
    assert (error.error.original.code, error.error.original.text) == (code, said)
    assert rig.now - begun <= 4, "whoever has mistyped a password does not wait long"
    rig.ask_to_connect()
    rig.login_refused(code, said)
    assert rig.state is SessionState.CLOSING, "who asks again is served again"


@pytest.mark.parametrize("said", ["Credential expired", "Authentication Failure"])
@pytest.mark.parametrize("code", [-32001, -32000])
@pytest.mark.parametrize("known", [False, True])
def test_what_no_node_will_take_is_final_at_once(code: int, said: str, known: bool) -> None:
    """PS-013: ""Credential expired" and "Authentication Failure" are final.", also of credentials that were good."""
    rig = Rig.registered() if known else Rig()
    if known:
        rig.lose()
        rig.wait_for(SessionState.CONNECTING)
        rig.open()
    else:
        rig.connect()
    rig.login_refused(code, said)
    assert rig.state is SessionState.AUTH_FAILED
    assert rig.codes[-1] == 46001


@pytest.mark.parametrize(("members", "tries"), [({"autoReconnect": False}, 1), ({"maxReconnectAttempts": 1}, 2)])
def test_no_more_sockets_than_the_application_allows(members: dict[str, Json], tries: int) -> None:
    """PS-013 within the options; what is told at the end is the refusal and not that the attempts are used up."""
    rig = Rig(**members)
    rig.connect()
    for _ in range(tries):
        refused(rig, -32001, "Login Incorrect")
    assert (rig.state, rig.codes, len(rig.urls)) == (SessionState.AUTH_FAILED, [46001], tries)


# The end of a login: PS-012.


def test_a_login_with_an_end_is_renewed_ahead_of_it() -> None:
    """PS-012: "at that time the socket is closed with **1000** and calls detach [...]. Renew ahead of it."."""
    sim = Sim(gateway=evolve(WONDERLAND, login_lasts=100.0))
    alice = sim.ready()
    call = alice.new_call("echo")
    sim.run(1000)
    assert CallState.RECOVERING not in alice.states(call)
    assert alice.state_of(call) is CallState.ACTIVE
    logins = len(alice.requests("login"))
    assert 10 <= logins <= 20


@pytest.mark.parametrize(
    ("left", "renewed_at"), [(300, 270.0), (40, 20.0), (11, 5.5), (9, None), (-5, None), ("soon", None)]
)
def test_when_a_login_is_renewed(left: int | str, renewed_at: float | None) -> None:
    """PS-012: thirty seconds ahead, or at half its time; not at the speed of the network."""
    rig = Rig(login="alice", password="secret")
    rig.connect()
    rig.always("ping", {})
    ends: Json = left if isinstance(left, str) else int(EPOCH + rig.now) + left
    rig.reply("login", {"message": "logged in", "sessid": "session-1", "auth-expires": ends})
    rig.client_ready()
    rig.gateway()
    begun = rig.now
    rig.clear()
    rig.advance(400)
    times = [at - begun for at in rig.times("login")]
    assert times[:1] == ([] if renewed_at is None else [pytest.approx(renewed_at, abs=1.0)])


# Digits: PS-020, PS-021.


def test_pauses_are_never_sent_and_the_pieces_are_paced() -> None:
    """PS-020: "never put `,` `w` `W` on the wire; split there and pace the pieces by the client's own timer (0.5 s for
    w, 1 s for W, 2 s for a comma, as by `rtp`)"."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.always("info", {"message": "SENT"})
    begun = rig.now
    ticket = rig.dtmf(call, "12w34,5W")
    assert digits_sent(rig) == [(begun, "12")]
    rig.advance(10)
    assert [(round(at - begun, 6), text) for at, text in digits_sent(rig)] == [(0.0, "12"), (1.0, "34"), (3.5, "5")]
    assert rig.outcomes[ticket] == Done({})


def test_a_command_of_digits_waits_for_the_one_before() -> None:
    """PS-020: in order, whoever asks first."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.always("info", {"message": "SENT"})
    tickets = [rig.dtmf(call, "1w2"), rig.dtmf(call, "3"), rig.dtmf(call, "w")]
    rig.advance(5)
    assert [text for _, text in digits_sent(rig)] == ["1", "2", "3"]
    assert all(isinstance(rig.outcomes[ticket], Done) for ticket in tickets)


@pytest.mark.parametrize("how", ["lost", "hangup", "refused", "without SENT"])
def test_digits_that_were_not_sent_fail_once_and_leave_no_timer(how: str) -> None:
    """PS-020: "The reply `SENT` proves delivery; a reply without it means the call is unknown."."""
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.dtmf(call, "1w2")
    if how == "lost":
        rig.lose()
    elif how == "hangup":
        rig.hangup(call)
    elif how == "refused":
        rig.reply("info", error=(-32002, "CALL ERROR"))
    else:
        rig.reply("info", {})
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    rig.advance(5)
    assert [text for _, text in digits_sent(rig)] == ["1"]


def test_too_many_digits_that_wait_are_refused() -> None:
    """Every queue has a bound."""
    rig = Rig.registered()
    call = rig.outbound("active")
    outcome = rig.outcomes[rig.dtmf(call, "1w" * 300)]
    assert isinstance(outcome, Failed)
    assert "too many" in outcome.failure.text
    assert digits_sent(rig) == []


def test_the_hook_flash_goes_to_the_server_only() -> None:
    """PS-020: "Accept `F`."."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.dtmf(call, "1F")
    assert digits_sent(rig)[-1][1] == "1F"
    with pytest.raises(ValueError, match="not DTMF digits"):
        rig.session.dtmf(call, "F", "rtp", now=rig.now)


@pytest.mark.parametrize("takes", [True, False])
def test_digits_in_the_audio_fall_back_to_messages(takes: bool) -> None:
    """PS-021: "`via="rtp"` without telephone-event falls back to `info`"."""
    rig = Rig.registered()
    call = rig.ring(sdp=REMOTE_SDP if takes else WITHOUT_DIGITS)
    rig.answer(call)
    rig.describe_answer(call)
    rig.reply("answer", {})
    rig.peer("connected", call)
    rig.session.dtmf(call, "5", "rtp", now=rig.now)
    rig.drain()
    assert [text for _, text in digits_sent(rig)] == ([] if takes else ["5"])
    assert any(isinstance(action, SendDigits) for action in rig.actions) is takes


# What the server says beside the call: PS-022 to PS-025.


def test_a_call_without_ringing_becomes_active() -> None:
    """PS-022: "a SIP leg's 180 is silent (`trying` then `active`); `display` follows the answer"."""
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied(call)
    rig.peer("connected", call)
    rig.request("display", callID=call, display_name="9196", display_number="9196", display_direction="inbound")
    assert rig.states(call) == ["new", "requesting", "trying", "active"]
    assert rig.info(call).extension == "9196"


def test_variables_are_the_application_s() -> None:
    """PS-023: "Give them to the application (`call.info.variables`)"."""
    rig = Rig.registered()
    call = rig.ring(variables=VARIABLES)
    assert rig.info(call).variables == {name: value for name, value in VARIABLES.items() if name != "odd"}
    rig.request("display", callID=call, display_number="1")
    other = rig.outbound("trying")
    rig.request("answer", callID=other, sdp=REMOTE_SDP, variables={"Core-UUID": "x"})
    assert rig.info(other).variables == {"Core-UUID": "x"}
    assert "node-7" not in repr(rig.info(call)), "whatever a service puts in there is for its application only"


def test_headers_at_the_top_level_are_headers() -> None:
    """PS-024: "Custom headers of the server may stand at the **top level** of params with a prefix"."""
    rig = Rig.registered()
    listed: dict[str, Json] = {"custom_headers": [{"name": "X-A", "value": "1"}]}
    params: dict[str, Json] = {"telnyx_rtc_h_X-Hello": "world", "telnyx_rtc_h_odd": 7, "dialogParams": listed}
    call = CallId("b1c2")
    rig.request("invite", callID=call, sdp=REMOTE_SDP, **params)
    assert rig.info(call).custom_headers == (CustomHeader("X-Hello", "world"), CustomHeader("X-A", "1"))


def test_user_variables_go_as_the_server_keeps_them() -> None:
    """PS-025: "strings and booleans are kept, numbers and objects vanish without a word: convert or refuse"."""
    given: dict[str, Json] = {"a": "x", "b": True, "c": 7, "d": {"e": [1, None]}, "f": None}
    assert m.kept(given) == {"a": "x", "b": True, "c": "7", "d": '{"e":[1,null]}'}


# Ends: PS-026, PS-027, PS-029, PS-040.


def test_a_cause_by_its_code_carries_its_name() -> None:
    """PS-026 and Q.850: whoever hangs up with 34 says NORMAL_CIRCUIT_CONGESTION."""
    for code, name in ((34, "NORMAL_CIRCUIT_CONGESTION"), (816, "DECLINE"), (802, "ALLOTTED_TIMEOUT")):
        rig = Rig.registered()
        call = rig.outbound("active")
        rig.session.hangup(call, now=rig.now, cause_code=code)
        rig.drain()
        assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == (name, code)


def test_a_cause_of_a_name_that_is_unknown_goes_with_its_code_and_comes_with_it() -> None:
    """PS-028: "a bye with an unknown cause name falls to causeCode", so a code of ours stands beside every name."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call, cause="LUNCH_BREAK", cause_code=31)
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("LUNCH_BREAK", 31)
    theirs = rig.outbound("active")
    rig.request("bye", callID=theirs, cause="LUNCH_BREAK", causeCode=699)
    ended = rig.heard_of(CallUpdated)[-1].call.ended
    assert ended is not None
    assert (ended.cause, ended.cause_code) == ("LUNCH_BREAK", 699)


@pytest.mark.parametrize("batch", [False, True])
def test_the_servers_word_for_text_that_is_no_json_costs_nothing(batch: bool) -> None:
    """PS-030: "Text that is not JSON is answered -32600; batches are answered by a batch". It names no call."""
    rig = Rig.registered()
    call = rig.outbound("active")
    answer = '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}'
    rig.clear()
    rig.say(f"[{answer}]" if batch else answer)
    assert [type(event) for event in rig.events] == [FrameIgnored]
    assert (rig.sent, rig.session.call(call).state) == ([], CallState.ACTIVE)


@pytest.mark.parametrize(("said", "code"), [("CODEC ERROR", 88), ("MEDIA ERROR", 88), ("CALL ERROR", 41)])
def test_a_refused_answer_is_followed_by_a_bye_that_is_not_busy(said: str, code: int) -> None:
    """PS-027: "the client must send the bye, and with **88**, never USER_BUSY 17: the caller of an answered call must
    not hear busy."."""
    rig = Rig.registered()
    call = rig.inbound("answering")
    rig.reply("answer", error=(-32002, said))
    assert rig.params("bye")["causeCode"] == code
    assert rig.codes[-1] == 40005
    assert rig.states(call)[-1] == "hangup"


def test_a_frame_that_is_too_long_is_refused_before_it_is_sent() -> None:
    """PS-029: "Refuse it before sending, in bytes, with the size in the message."."""
    rig = Rig.registered()
    call = rig.outbound("active")
    for text, fits in (("\u20ac" * 160_000, True), ("\u20ac" * 170_000, False)):
        rig.clear()
        ticket = rig.message(call, "them", text)
        assert bool(rig.frames("info")) is fits
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    assert "bytes" in outcome.failure.text
    assert "1,000,000" in outcome.failure.text


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("inbound", [False, True])
def test_a_refusal_of_private_candidates_says_so(inbound: bool, late: bool) -> None:
    """PS-040: "If only private hosts were offered and 88 or CODEC ERROR comes within a second, the failure says that no
    candidate could be used and that STUN/TURN was not reached."."""
    rig = Rig.registered()
    if inbound:
        call = rig.ring()
        rig.answer(call)
        rig.remote_applied(call)
        rig.media_ok(call)
        rig.describe(ONLY_PRIVATE, call)
    else:
        call = rig.dial()
        rig.media_ok(call)
        rig.describe(ONLY_PRIVATE, call)
        rig.reply("invite", {"message": "CALL CREATED", "callID": call})
    rig.advance(2.0 if late else 0.1)
    if inbound:
        rig.reply("answer", error=(-32002, "CODEC ERROR"))
    else:
        rig.request("bye", callID=call, causeCode=88, cause="INCOMPATIBLE_DESTINATION")
    errors = [event.error.original for event in rig.heard_of(ErrorRaised)]
    told = any(failure is not None and "no STUN or TURN server was reached" in failure.text for failure in errors)
    assert told is not late


# Another process: how a call comes back.


def test_a_dialled_call_that_another_process_takes_over_is_outbound_with_its_parties() -> None:
    """As recorded: the attach of a dialled call says `"display_direction": "inbound"`, the caller first."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.leave()
    remembered = [action.values for action in rig.actions if isinstance(action, Remember)][-1]
    again = Rig(remembered=remembered)
    again.ready(call)
    again.attach(
        call,
        caller_id_number="+15550001111",
        caller_id_name="Me",
        callee_id_name="Outbound Call",
        callee_id_number="9196",
        display_direction="inbound",
    )
    (info,) = again.session.calls.values()
    assert info.direction == "outbound"
    assert (info.destination_number, info.caller_number) == ("9196", "+15550001111")
    assert (info.remote_caller_name, info.remote_caller_number) == ("Outbound Call", "9196")


def test_every_named_call_id_is_a_call_id() -> None:
    """PS-004: "`clientReady.reattached_sessions` lists **call ids** (channel uuid = callID"."."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.ready(call)
    rig.attach(call)
    assert rig.info(CallId(call)).state.value == "recovering"


def test_a_cancel_is_busy_as_long_as_487_is_only_planned() -> None:
    """PS-031: "487/ORIGINATOR_CANCEL for the cancel of an own unanswered call is planned; reject stays 17": such rules
    are never on by default, and whoever wants one says so.
    """
    rig = Rig.registered()
    rig.hangup(rig.outbound("ringing"))
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("USER_BUSY", 17)
    rig.hangup(rig.outbound("ringing"), cause="ORIGINATOR_CANCEL")
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("ORIGINATOR_CANCEL", 487)
    rig.hangup(rig.inbound("ringing"))
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("USER_BUSY", 17)


def test_the_regions_are_those_of_the_server() -> None:
    """PS-047: "Regions: us-east, us-central, us-west, ca-central, eu, apac, south-asia"."""
    regions = ("us-east", "us-central", "us-west", "ca-central", "eu", "apac", "south-asia")
    assert get_args(Region) == regions
    for region in regions:
        rig = Rig(region=region)
        rig.ask_to_connect()
        assert rig.urls == [f"wss://{region}.rtc.telnyx.com/"]
