"""The acceptance scenarios of calls.md section 18 and of media.md section 12 that the core decides.

CALL-970 and CALL-971 are about callbacks, which the core has none of.
"""

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import ApplyRemote, Failed, StopTone
from telnyx_core.events import CallUpdated, ErrorRaised, ToneChanged
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import REMOTE_SDP, Rig


def test_call_950_outbound_happy_path() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    assert rig.states(call) == ["new", "requesting", "trying", "ringing", "active"]
    assert len(rig.frames("invite")) == 1
    assert [method for _, method in rig.acknowledged] == ["telnyx_rtc.ringing", "telnyx_rtc.answer"]
    assert [(event.kind, event.action) for event in rig.heard_of(ToneChanged)] == [
        ("ringback", "start"),
        ("ringback", "stop"),
    ]


def test_call_951_media_then_answer() -> None:
    rig = Rig.registered()
    call = rig.outbound("early")
    rig.request("answer", callID=call)
    assert rig.states(call)[-2:] == ["early", "active"]
    assert sum(isinstance(action, ApplyRemote) for action in rig.actions) == 1


def test_call_952_answer_before_the_media_is_in_place() -> None:
    rig = Rig.registered()
    call = rig.outbound("trying")
    rig.request("media", callID=call, sdp=REMOTE_SDP)
    rig.request("answer", callID=call)
    rig.remote_applied()
    assert rig.states(call)[-2:] == ["early", "active"]


def test_call_953_invite_reply_after_the_answer() -> None:
    rig = Rig.registered()
    call = rig.outbound("requesting")
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    rig.reply("invite")
    assert rig.states(call) == ["new", "requesting", "active"]


def test_call_954_invite_error() -> None:
    rig = Rig.registered()
    call = rig.outbound("requesting")
    rig.reply("invite", error=(-32002, "CALL ERROR"))
    rig.reply("bye", error=(-32002, "CALL DOES NOT EXIST"))
    assert rig.codes == [40005]
    assert rig.states(call)[-2:] == ["hangup", "destroy"]
    assert len(rig.frames("bye")) == 1
    ended = rig.heard_of(CallUpdated)[-1].call.ended
    assert ended is not None
    assert (ended.cause, ended.cause_code) == ("NORMAL_TEMPORARY_FAILURE", 41)


def test_call_955_hang_up_before_the_description() -> None:
    rig = Rig.registered()
    call = rig.dial()
    rig.media_ok()
    rig.hangup(call)
    assert rig.sent == []
    assert rig.states(call) == ["new", "hangup", "destroy"]


def test_call_956_bye_before_the_answers_reply() -> None:
    rig = Rig.registered()
    call = rig.inbound("answering")
    rig.request("bye", callID=call)
    rig.clear()
    rig.reply("answer")
    assert rig.events == []
    assert rig.codes == []


def test_call_957_inbound_reject() -> None:
    rig = Rig.registered()
    call = rig.ring()
    rig.hangup(call)
    assert rig.params("bye")["causeCode"] == 17
    assert StopTone(call, "ringtone") in rig.actions


def test_call_958_answer_twice_quickly() -> None:
    rig = Rig.registered()
    call = rig.ring()
    rig.answer(call)
    rig.answer(call)
    rig.describe_answer()
    assert len(rig.frames("answer")) == 1
    assert rig.codes == [33006]


def test_call_959_two_inbound_calls() -> None:
    rig = Rig.registered()
    first, second = rig.ring("b1"), rig.ring("b2")
    rig.answer(first)
    rig.describe_answer(first)
    rig.reply("answer")
    assert rig.info(second).state.value == "ringing"
    assert rig.ledger.tones == {(second, "ringtone")}
    assert rig.codes == [33010]


def test_call_960_hold_that_the_server_does_not_do() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.hold(call)
    rig.reply("modify", {"holdState": "active"})
    assert rig.info(call).state.value == "active"
    assert rig.events == []


def test_call_961_hold_timeout() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    ticket = rig.hold(call)
    rig.advance(10)
    assert isinstance(rig.outcomes[ticket], Failed)
    assert rig.codes == [44001, 36003]
    assert rig.info(call).state.value == "active"


def test_call_962_hang_up_twice() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.hangup(call)
    rig.reply("bye")
    assert len(rig.frames("bye")) == 1
    assert rig.states(call)[-2:] == ["hangup", "destroy"]


def test_call_963_hang_up_on_a_dead_socket() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.hangup(call)
    assert rig.states(call)[-1] == "destroy"
    assert rig.codes == [44003]
    rig.ready()
    rig.clear()
    rig.attach(call)
    assert len(rig.acknowledged) == 1
    assert len(rig.frames("bye")) == 1


def test_call_964_bye_unanswered() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hangup(call)
    rig.advance(5)
    assert rig.states(call)[-1] == "destroy"


def test_call_965_disconnect_with_three_calls() -> None:
    rig = Rig.registered()
    for _ in range(3):
        rig.outbound("active")
    rig.clear()
    rig.disconnect()
    assert rig.times("bye") == [0.0, 0.0, 0.0]
    rig.advance(10)
    assert rig.at_rest


def test_call_966_one_of_two_is_listed() -> None:
    rig = Rig.registered(reattachWait=0)
    kept, gone = rig.outbound("active"), rig.outbound("active")
    rig.come_back(kept)
    assert [event.call for event in rig.heard_of(ErrorRaised)] == [gone]
    assert not rig.frames("bye")
    assert list(rig.session.calls) == [kept]


def test_call_967_attach_then_an_empty_list() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.advance(0)
    rig.open()
    rig.login_ok()
    rig.attach(call)
    rig.client_ready()
    assert rig.info(call).state.value == "recovering"
    assert rig.codes == []


def test_call_968_attach_of_a_held_and_muted_call() -> None:
    rig = Rig.registered()
    headers: list[JsonObject] = [{"name": "X-Ref", "value": "1"}]
    call = rig.outbound("held", customHeaders=headers)
    rig.set_muted(call, True)
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    info = rig.info(call)
    assert (info.state.value, info.muted, info.direction, info.recovered_call_id) == ("held", True, "outbound", call)
    assert [header.name for header in info.custom_headers] == ["X-Ref"]


def test_call_969_punt_with_keep_alive() -> None:
    rig = Rig.registered(keepConnectionAliveOnSocketClose=True)
    call = rig.outbound("active")
    rig.clear()
    rig.request("punt")
    assert rig.states(call) == []
    rig.lose(1000)
    assert rig.state is SessionState.BACKOFF


def test_call_972_function_call_and_its_output() -> None:
    rig = Rig.registered()
    rig.say(
        {
            "jsonrpc": "2.0",
            "id": "f91d",
            "method": "ai_conversation",
            "params": {
                "type": "conversation.item.created",
                "item": {"type": "function_call", "call_id": "fc_1", "name": "lookup", "arguments": '{"q":1}'},
            },
        }
    )
    rig.session.send_ai_item({"type": "function_call_output", "call_id": "fc_1", "output": "{}"}, now=rig.now)
    rig.drain()
    (frame,) = rig.sent
    assert "id" not in frame
    assert frame["params"] == {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "fc_1", "output": "{}"},
    }


def test_call_973_anonymous_call() -> None:
    rig = Rig.registered(anonymous_login={"target_id": "a"})
    rig.invite("")
    dialog = rig.params("invite")["dialogParams"]
    assert isinstance(dialog, dict)
    assert dialog["destination_number"] == ""


def test_call_974_renewal_on_a_held_call_with_early_media_history() -> None:
    rig = Rig.registered()
    call = rig.outbound("early")
    rig.request("answer", callID=call)
    rig.peer("connected")
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"})
    rig.clear()
    rig.peer("failed")
    rig.media_ok()
    rig.describe()
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied()
    rig.peer("connected")
    assert rig.heard_of(CallUpdated) == []
    assert rig.info(call).state.value == "held"


def test_call_975_dialog_params() -> None:
    rig = Rig.registered(
        iceServers=[{"urls": "turn:t", "username": "u", "credential": "c"}], ringtoneFile="/r.wav", debug=True
    )
    rig.invite()
    dialog = rig.params("invite")["dialogParams"]
    assert isinstance(dialog, dict)
    assert not {"iceServers", "ringtoneFile", "debug", "micId", "id"} & set(dialog)
