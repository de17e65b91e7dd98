"""Calls of ours, from the first offer to the answer: calls.md 6.2, row by row."""

import pytest

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import ApplyRemote, CreateOffer, OpenPeer, OpenSource, StartTone, StopTone, UseMedia
from telnyx_core.errors import InvalidCallParameters, NotConnected, NotReady
from telnyx_core.events import CallUpdated, Cause, ErrorRaised, ToneChanged, UserMediaError, WarningRaised
from telnyx_core.facts import NegotiationFailed
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP, Rig

BUSY = Cause("USER_BUSY", 17)


def ended(rig: Rig, call: CallId) -> Cause | None:
    causes = [event.call.ended for event in rig.heard_of(CallUpdated) if event.call.id == call]
    return causes[-1]


def tones(rig: Rig) -> list[tuple[str, str]]:
    return [(event.kind, event.action) for event in rig.heard_of(ToneChanged)]


def test_call_310_a_new_call_is_announced_with_its_direction() -> None:
    """CALL-310, CALL-102, CALL-311, MEDIA-030, MEDIA-031: announced first, then its peer, then its source."""
    rig = Rig.registered()
    call = rig.dial("+15551230000", callerName="Me", callerNumber="+1", customHeaders=[{"name": "X-A", "value": "1"}])
    first = rig.heard_of(CallUpdated)[0].call
    assert (first.id, first.state.value, first.direction) == (call, "new", "outbound")
    assert (first.destination_number, first.caller_name, first.caller_number) == ("+15551230000", "Me", "+1")
    assert (first.remote_caller_name, first.remote_caller_number) == ("Outbound Call", "+15551230000")
    assert [type(action) for action in rig.actions][1:] == [OpenPeer, OpenSource, UseMedia]
    assert rig.sent == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"number": ""}, "destinationNumber is missing"),
        ({"id": "taken"}, "exists"),
    ],
    ids=["no destination", "id in use"],
)
def test_call_310_unusable_parameters_are_refused_and_change_nothing(options: JsonObject, why: str) -> None:
    """CALL-020, CALL-025: 44002, raised; no call object, no notification."""
    rig = Rig.registered()
    rig.dial(id="taken")
    rig.clear()
    with pytest.raises(InvalidCallParameters, match=why) as refused:
        rig.dial(**options)
    assert refused.value.code == 44002
    assert rig.session.next_action() is None
    assert list(rig.session.calls) == ["taken"]


def test_call_310_the_session_must_be_ready() -> None:
    """CALL-121."""
    rig = Rig()
    with pytest.raises(NotConnected):
        rig.dial()
    rig.connect()
    with pytest.raises(NotReady):
        rig.dial()
    rig.login_ok()
    with pytest.raises(NotReady):
        rig.dial()
    rig.gateway()
    assert rig.dial() in rig.session.calls


def test_call_311_the_description_is_made_when_the_source_runs() -> None:
    rig = Rig.registered()
    rig.dial()
    rig.clear()
    rig.media_ok()
    assert rig.actions == [CreateOffer(rig.peers[next(iter(rig.peers))][-1])]


def test_call_311_without_audio_no_source_is_opened() -> None:
    """CALL-030, CALL-031, MEDIA-033."""
    rig = Rig.registered()
    call = rig.invite(audio=False, receiveOnlyAudio=True)
    assert not any(isinstance(action, OpenSource) for action in rig.actions)
    config = rig.ledger.peers[rig.peers[call][-1]].config
    assert (config.send_audio, config.receive_audio) == (False, True)
    dialog = rig.params("invite")["dialogParams"]
    assert isinstance(dialog, dict)
    assert dialog["audio"] is False


@pytest.mark.parametrize(("fault", "code"), [("permission", 42001), ("not_found", 42002), ("other", 42003)])
def test_call_312_a_source_that_cannot_be_opened_ends_the_call(fault: str, code: int) -> None:
    """CALL-312, CALL-610, CALL-541, MEDIA-302, MEDIA-311: nothing was sent, so no BYE; never recoverable."""
    rig = Rig.registered(mediaPermissionsRecovery={"enabled": True})
    call = rig.dial()
    rig.media_refused(fault, "no")
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.code, error.fatal, error.recoverable, error.call) == (code, True, False, call)
    (told,) = rig.heard_of(UserMediaError)
    assert (told.call, told.error.code) == (call, code)
    assert rig.states(call) == ["new", "hangup", "destroy"]
    assert rig.sent == []


@pytest.mark.parametrize(("stage", "code"), [("create_offer", 40001), ("set_local", 40003), ("other", 49001)])
def test_call_312_an_engine_that_cannot_describe_ends_the_call(stage: str, code: int) -> None:
    """CALL-613, CALL-623, MEDIA-050, MEDIA-053."""
    rig = Rig.registered()
    call = rig.dial()
    rig.media_ok()
    rig.tell(NegotiationFailed(rig.peers[call][-1], stage, "why"))
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(code, True)]
    assert rig.states(call) == ["new", "hangup", "destroy"]
    assert rig.sent == []


def test_call_313_a_description_that_is_ready_is_sent() -> None:
    rig = Rig.registered()
    call = rig.dial()
    rig.media_ok()
    rig.describe()
    assert rig.states(call) == ["new", "requesting"]
    assert rig.params("invite")["sdp"] == LOCAL_SDP
    order = [type(action).__name__ for action in rig.actions]
    assert order.index("SendText") > order.index("CreateOffer")


def test_call_314_an_engine_that_says_nothing_ends_the_call() -> None:
    """CALL-314, MEDIA-072, MEDIA-551: 40003, no BYE. The reference is stuck."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.dial()
    rig.media_ok()
    rig.advance(15)
    assert rig.codes == [33003, 40003]
    assert rig.states(call) == ["new", "hangup", "destroy"]
    assert not rig.frames("bye")


def test_call_315_the_server_accepts() -> None:
    rig = Rig.registered()
    call = rig.outbound("trying")
    assert rig.states(call) == ["new", "requesting", "trying"]


@pytest.mark.parametrize("until", ["ringing", "early", "active"])
def test_call_316_an_acceptance_that_comes_late_moves_nothing_back(until: str) -> None:
    """CALL-316, CALL-302, CALL-807, CALL-953."""
    rig = Rig.registered()
    call = rig.invite()
    rig.request("ringing", callID=call)
    if until != "ringing":
        rig.request("media", callID=call, sdp=REMOTE_SDP)
        rig.remote_applied()
    if until == "active":
        rig.request("answer", callID=call)
    rig.clear()
    rig.reply("invite")
    assert rig.states(call) == []
    assert rig.info(call).state.value == until


@pytest.mark.parametrize("until", ["requesting", "ringing"])
def test_call_317_the_server_refuses(until: str) -> None:
    """CALL-317, CALL-954: 40005, BYE 41; a failure of that BYE is no event."""
    rig = Rig.registered()
    call = rig.invite()
    if until == "ringing":
        rig.request("ringing", callID=call)
    rig.clear()
    rig.reply("invite", error=(-32002, "CALL ERROR"))
    assert [(event.code, event.fatal, event.call) for event in rig.heard_of(ErrorRaised)] == [(40005, True, call)]
    assert rig.states(call) == ["hangup"]
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("NORMAL_TEMPORARY_FAILURE", 41)
    rig.reply("bye", error=(-32602, "Permission Denied"))
    assert rig.codes == [40005]
    assert rig.states(call) == ["hangup", "destroy"]


def test_call_317_the_server_says_why() -> None:
    """SRV-026: an id in use fails the invite itself, with a cause."""
    rig = Rig.registered()
    call = rig.invite()
    rig.reply(
        "invite", error={"code": -32002, "message": "CALL ERROR", "cause": "DESTINATION_OUT_OF_ORDER", "causeCode": 27}
    )
    assert rig.params("bye")["cause"] == "DESTINATION_OUT_OF_ORDER"
    assert ended(rig, call) == Cause("DESTINATION_OUT_OF_ORDER", 27)


def test_call_318_the_server_says_nothing() -> None:
    """CALL-318, CALL-700: thirty seconds; the socket is not blamed."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.invite()
    for _ in range(3):
        rig.advance(10)
        rig.request("event", eventChannel="x")
    assert rig.codes == [40005]
    assert ended(rig, call) == Cause("RECOVERY_ON_TIMER_EXPIRE", 102)
    assert rig.frames("bye")


@pytest.mark.parametrize("until", ["requesting", "trying"])
def test_call_319_the_far_end_rings(until: str) -> None:
    """CALL-319, CALL-802: state ringing, ids, ringback, acknowledgement."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    ident = rig.request("ringing", callID=call, telnyx_leg_id="leg")
    assert rig.states(call) == ["ringing"]
    assert rig.info(call).telnyx_leg_id == "leg"
    assert StartTone(call, "ringback") in rig.actions
    assert tones(rig) == [("ringback", "start")]
    assert rig.acknowledged == [(ident, "telnyx_rtc.ringing")]


def test_call_320_321_early_media() -> None:
    """CALL-320, CALL-321, MEDIA-433, MEDIA-561, MEDIA-725: early when it is in place, and then the ringback stops."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.clear()
    ident = rig.request("media", callID=call, sdp=REMOTE_SDP)
    assert rig.states(call) == []
    assert [action.kind for action in rig.actions if isinstance(action, ApplyRemote)] == ["answer"]
    assert rig.acknowledged == [(ident, "telnyx_rtc.media")]
    assert tones(rig) == []
    rig.remote_applied()
    assert rig.states(call) == ["early"]
    assert StopTone(call, "ringback") in rig.actions


def test_call_320_early_media_before_the_ringing_sounds_no_ringback() -> None:
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.request("media", callID=call, sdp=REMOTE_SDP)
    rig.request("ringing", callID=call)
    assert rig.states(call)[-1] == "ringing"
    assert tones(rig) == []


def test_call_322_323_an_answer_with_a_description() -> None:
    """CALL-322, CALL-323, CALL-950: the ringback stops at once, active when it is in place."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.clear()
    ident = rig.request("answer", callID=call, sdp=REMOTE_SDP)
    assert tones(rig) == [("ringback", "stop")]
    assert rig.states(call) == []
    assert rig.acknowledged == [(ident, "telnyx_rtc.answer")]
    rig.remote_applied()
    assert rig.states(call) == ["active"]
    assert rig.info(call).answered


@pytest.mark.parametrize("until", ["requesting", "trying"])
def test_call_322_an_answer_may_come_at_once(until: str) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    assert rig.states(call)[-1] == "active"


def test_call_324_325_an_answer_overtakes_the_media() -> None:
    """CALL-324, CALL-325, CALL-952: two notifications, each once; one description."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.clear()
    rig.request("media", callID=call, sdp=REMOTE_SDP)
    rig.request("answer", callID=call)
    assert rig.states(call) == []
    rig.remote_applied()
    assert rig.states(call) == ["early", "active"]
    assert sum(isinstance(action, ApplyRemote) for action in rig.actions) == 1


def test_call_326_an_answer_after_early_media() -> None:
    """CALL-326, CALL-951, SRV-025, MEDIA-508: its description, if any, is not applied a second time."""
    for sdp in (None, REMOTE_SDP):
        rig = Rig.registered()
        call = rig.outbound("early")
        rig.clear()
        ident = rig.request("answer", callID=call, sdp=sdp)
        assert rig.states(call) == ["active"]
        assert not any(isinstance(action, ApplyRemote) for action in rig.actions)
        assert rig.acknowledged == [(ident, "telnyx_rtc.answer")]


def test_call_327_an_answer_without_any_description() -> None:
    """CALL-327, SIG-152: 40004, BYE 88."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.clear()
    rig.request("answer", callID=call)
    assert rig.codes == [40004]
    assert rig.params("bye")["causeCode"] == 88
    assert rig.states(call) == ["hangup"]


@pytest.mark.parametrize("method", ["media", "answer"])
def test_call_328_a_description_that_cannot_be_applied(method: str) -> None:
    """CALL-328, MEDIA-052, CALL-614, PS-027."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.request(method, callID=call, sdp="junk")
    rig.clear()
    rig.remote_refused("no common codec")
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(40004, True)]
    assert rig.params("bye")["causeCode"] == 88
    assert rig.states(call) == ["hangup"]


@pytest.mark.parametrize("until", ["early", "active", "held"])
def test_call_329_media_that_comes_too_late_is_ignored(until: str) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    ident = rig.request("media", callID=call, sdp=REMOTE_SDP)
    assert rig.acknowledged == [(ident, "telnyx_rtc.media")]
    assert rig.states(call) == []
    assert not any(isinstance(action, ApplyRemote) for action in rig.actions)


def test_call_320_a_second_media_is_ignored() -> None:
    """CALL-320: no remote description in use."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.request("media", callID=call, sdp=REMOTE_SDP)
    rig.request("media", callID=call, sdp=REMOTE_SDP)
    rig.request("media", callID=call)
    assert sum(isinstance(action, ApplyRemote) for action in rig.actions) == 1


@pytest.mark.parametrize("until", ["active", "held"])
def test_call_330_an_answer_after_the_answer_brings_ids_only(until: str) -> None:
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    rig.request("answer", callID=call, sdp=REMOTE_SDP, telnyx_leg_id="late")
    assert rig.states(call) == [until]
    assert rig.info(call).telnyx_leg_id == "late"


def test_call_330_while_recovering_too() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.clear()
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    assert rig.info(call).state.value == "recovering"
    assert not any(isinstance(action, ApplyRemote) for action in rig.actions)


def test_call_331_a_call_may_have_a_limit() -> None:
    """CALL-052, CALL-331, CALL-707: from `new_call` to active; NO_ANSWER/19 with BYE."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("ringing", setup_timeout=20)
    rig.advance(19.9)
    assert rig.states(call)[-1] == "ringing"
    rig.advance(0.1)
    assert ended(rig, call) == Cause("NO_ANSWER", 19)
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("NO_ANSWER", 19)


def test_call_331_the_limit_ends_with_the_answer() -> None:
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("active", setup_timeout=20)
    rig.advance(60)
    assert rig.info(call).state.value == "active"


def test_call_331_a_limit_that_strikes_before_the_invite_says_nothing() -> None:
    """CALL-955: nothing was sent, so there is nothing to take back."""
    rig = Rig.registered()
    call = rig.dial(setup_timeout=1)
    rig.advance(1)
    assert rig.states(call) == ["new", "hangup", "destroy"]
    assert rig.sent == []


@pytest.mark.parametrize("until", ["ringing", "early", "active", "held"])
def test_call_332_333_ringing_that_is_repeated_or_late(until: str) -> None:
    """CALL-332, CALL-333: ids only; the tone is not started again."""
    rig = Rig.registered()
    call = rig.outbound(until)
    rig.clear()
    ident = rig.request("ringing", callID=call, telnyx_session_id="s-2")
    assert rig.acknowledged == [(ident, "telnyx_rtc.ringing")]
    assert tones(rig) == []
    assert rig.states(call) == [until]
    assert rig.info(call).telnyx_session_id == "s-2"


def test_a_call_that_ends_while_it_is_prepared_leaves_no_trace() -> None:
    """MEDIA-032, MEDIA-054, CALL-955, CALL-620: no frame at all; late news of its media is dropped."""
    rig = Rig.registered()
    call = rig.dial()
    rig.hangup(call)
    assert rig.states(call) == ["new", "hangup", "destroy"]
    rig.clear()
    rig.media_ok(rig.peers[call][-1])
    rig.describe(at=rig.peers[call][-1])
    assert rig.actions == []
    assert rig.sent == []


def test_a_warning_when_only_this_host_is_a_candidate() -> None:
    """CALL-627, MEDIA-067, MEDIA-704: once; the description is sent."""
    rig = Rig.registered()
    call = rig.dial()
    rig.media_ok()
    rig.describe("v=0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=candidate:2 1 udp 1 ::1 9 typ host\r\n")
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33005, call)]
    assert len(rig.frames("invite")) == 1


@pytest.mark.parametrize(
    "sdp",
    [
        "v=0\r\n",
        "v=0\r\na=candidate:1 1 udp 1 1.1.1.1 9 typ host\r\na=candidate:2 1 udp 1 2.2.2.2 9 typ relay\r\n",
    ],
    ids=["no candidates", "a relay"],
)
def test_no_warning_without_candidates_or_with_a_better_one(sdp: str) -> None:
    """MEDIA-071: a description without candidates is sent."""
    rig = Rig.registered()
    rig.dial()
    rig.media_ok()
    rig.describe(sdp)
    assert rig.codes == []
    assert len(rig.frames("invite")) == 1
