"""The server's attach: before and after clientReady, unknown, unwanted, repeated, missing (signaling.md 5.4, 5.5)."""

import pytest
from attrs import evolve

from telnyx_core._wire.codec import encode
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import Cause
from telnyx_core.gateway import Delay, Fault, Garble, Quirks, Refuse, Swallow
from telnyx_core.states import SessionState
from telnyx_core.testing import WONDERLAND, Connecting, Sim, SimClient
from telnyx_core.testing.media import sdp_of
from tests.scenarios.story import (
    ACTIVE,
    HELD,
    KEEPING,
    RECOVERING,
    at_the_phone,
    call_and_talk,
    ended,
    spoken_to,
    talking,
)


def with_quirks(**quirks: bool):
    return evolve(WONDERLAND, quirks=Quirks(**quirks))


def say(sim: Sim, client: SimClient, method: str, params: JsonObject, ident: int = 99_001) -> None:
    """The gateway says something that it would not say of itself."""
    frame: JsonObject = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}
    sim.gateway.send(client.wire.far_socket, encode(frame), now=sim.now)
    sim.settle()


def offer(call: str, name: str = "stranger") -> JsonObject:
    return {
        "callID": call,
        "sdp": sdp_of(name, "offer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",)),
        "caller_id_number": "+15550001111",
        "callee_id_number": "alice",
    }


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_the_attach_comes_before_or_after_client_ready(before: bool) -> None:
    """SRV-020, SIG-328: either order recovers the call."""
    sim, alice, call = talking(gateway=with_quirks(attach_before_ready=before))
    alice.wire.drop()
    sim.run(5)
    methods = [frame.text for frame in alice.wire.log if frame.way == "down" and frame.socket == 2]
    attach = next(index for index, text in enumerate(methods) if '"telnyx_rtc.attach"' in text)
    ready = next(index for index, text in enumerate(methods) if "clientReady" in text)
    assert (attach < ready) is before
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert 48501 not in alice.errors()


def test_the_list_names_the_session_once_for_each_call() -> None:
    """SIG-137: as mod_verto does; it says nothing of which, so the attach decides."""
    sim, alice, call = talking(gateway=with_quirks(ready_lists_session=True))
    alice.wire.drop()
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_list_names_no_call_and_the_attach_is_lost() -> None:
    """SIG-327: the media still flows, so the call takes commands within three seconds; the server agrees."""
    sim, alice, call = talking(options=KEEPING, gateway=with_quirks(ready_lists_session=True))
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    sim.run(3)
    assert alice.state_of(call) is ACTIVE
    sim.run(130)
    assert alice.state_of(call) is ACTIVE
    assert call in sim.gateway.calls
    assert 48501 not in alice.errors()


def test_the_list_names_no_call_and_one_without_media_is_hung_up_in_the_end() -> None:
    """SIG-327: the server may hold the call, so its end is said."""
    sim, alice, call = talking(options=KEEPING, gateway=with_quirks(ready_lists_session=True))
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    alice.media.fail(call)
    sim.run(160)
    assert ended(alice, call)
    assert call not in sim.gateway.calls


def test_the_call_was_not_kept() -> None:
    """SIG-321: 48501, then the end, and no BYE."""
    sim, alice, call = talking()
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(1)
    sim.gateway.forget_sessions(now=sim.now)
    alice.wire.heal()
    sim.run(10)
    assert ended(alice, call)
    assert alice.cause_of(call) == Cause("RECOVERY_ON_TIMER_EXPIRE", 102)
    assert alice.errors()[-1] == 48501
    assert alice.requests("telnyx_rtc.bye") == []


@pytest.mark.parametrize("options", [KEEPING], ids=["keeping"])
def test_the_attach_never_comes_and_the_media_is_fine(options) -> None:
    """SIG-326, CALL-517: listed, no attach, but the peer is alive: the call goes on as it is."""
    sim, alice, call = talking(options=options)
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    sim.run(2)
    assert alice.state_of(call) is RECOVERING
    sim.run(1)
    assert alice.state_of(call) is ACTIVE
    peer = alice.media.peer_in_use(call)
    assert peer.state == "connected"
    sim.run(60)
    assert alice.state_of(call) is ACTIVE


def test_the_attach_never_comes_and_a_held_call_stays_held() -> None:
    sim, alice, call = talking()
    alice.hold(call)
    sim.run(1)
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    sim.run(20)
    assert alice.state_of(call) is HELD


def test_the_attach_never_comes_and_the_media_is_gone() -> None:
    """SIG-326: fifteen seconds, then 48501 and the end."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    alice.media.fail(call)
    sim.run(30)
    assert ended(alice, call)
    assert 48501 in alice.errors()


def test_neither_attach_nor_list_ever_comes() -> None:
    """SIG-304: without any verdict the call is given up two minutes after the loss."""
    sim, alice, call = talking()
    for method in ("telnyx_rtc.attach", "telnyx_rtc.clientReady"):
        sim.gateway.add_fault(Fault(do=Swallow(), on="push", method=method, nth=None), now=sim.now)
    alice.wire.drop()
    lost = sim.now
    sim.run_until(lambda: ended(alice, call), within=300)
    assert 119 < sim.now - lost < 160
    assert alice.state is SessionState.READY


def test_a_call_that_was_never_answered_is_kept_and_its_second_attach_never_comes() -> None:
    """CALL-516: attached while it rang, lost and kept: there is no conversation to go on with, and it does not wait."""
    sim, alice = at_the_phone()
    call = alice.new_call("ring")
    sim.run(1)
    sim.gateway.add_fault(Fault(do=Swallow(), on="request", method="telnyx_rtc.attach"), now=sim.now)
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.clientReady"), now=sim.now)
    say(sim, alice, "telnyx_rtc.attach", offer(call))
    sim.run(1)
    alice.wire.drop()
    sim.run(5)
    assert alice.state_of(call) is RECOVERING
    say(sim, alice, "telnyx_rtc.clientReady", {"reattached_sessions": [call]})
    sim.run(140)
    assert ended(alice, call)
    assert 48501 in alice.errors()


def test_the_attach_comes_late() -> None:
    """Within the fifteen seconds all is well."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Delay(12.0), on="push", method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    sim.run(20)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_an_attach_for_a_call_that_nobody_knows() -> None:
    """SIG-343: warning 35002, acknowledged, ignored."""
    sim, alice, call = talking()
    say(sim, alice, "telnyx_rtc.attach", offer("11111111-2222-3333-4444-555555555555"))
    sim.run(5)
    assert alice.warnings() == [35002]
    assert list(alice.calls) == [call]
    assert alice.requests("telnyx_rtc.attach") == []


def test_an_attach_for_a_call_that_has_ended() -> None:
    """SIG-340, PS-005: a call that ended by a confirmed BYE is not called back to life; the server hears so again."""
    sim, alice, call = talking()
    alice.hangup(call)
    sim.run(1)
    say(sim, alice, "telnyx_rtc.attach", offer(call))
    sim.run(5)
    assert ended(alice, call)
    assert len(alice.requests("telnyx_rtc.bye")) == 2
    assert alice.warnings() == []


def test_an_attach_without_a_description_keeps_the_call_as_it_is() -> None:
    """SIG-345, CALL-539."""
    sim, alice, call = talking()
    params = offer(call)
    del params["sdp"]
    say(sim, alice, "telnyx_rtc.attach", params)
    sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.requests("telnyx_rtc.attach") == []


def test_the_server_renegotiates_a_live_call() -> None:
    """SRV-009: an attach on a healthy socket is a re-attach."""
    sim, alice, call = spoken_to()
    sim.gateway.renegotiate(call, now=sim.now)
    sim.run(5)
    assert alice.states(call)[-2:] == [RECOVERING, ACTIVE]
    assert sim.media_flows(call)
    assert len(alice.ledger.peers) == 1


def test_the_server_renegotiates_twice_on_one_socket() -> None:
    """CALL-537 speaks of an attach that is still being answered; a later one counts."""
    sim, alice, call = spoken_to()
    for _ in range(2):
        sim.gateway.renegotiate(call, now=sim.now)
        sim.run(5)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_the_answer_to_the_attach_is_refused() -> None:
    """SIG-347, CALL-384: 40005, and a BYE."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Refuse(), method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    sim.run(5)
    assert ended(alice, call)
    assert 40005 in alice.errors()
    assert len(alice.requests("telnyx_rtc.bye")) == 1
    assert not sim.gateway.calls


def test_the_answer_to_the_attach_is_never_answered() -> None:
    """CALL-384: ten seconds, 40005, and the socket is given up with it."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Swallow(), method="telnyx_rtc.attach"), now=sim.now)
    alice.wire.drop()
    sim.run(60)
    assert ended(alice, call)
    assert 40005 in alice.errors()
    assert not sim.gateway.calls


def test_the_attach_s_description_cannot_be_used() -> None:
    """40004 and the end: a call without media is none."""
    sim, alice, call = talking()
    alice.media.remote_trouble.append("made of nothing")
    alice.wire.drop()
    sim.run(5)
    assert ended(alice, call)
    assert 40004 in alice.errors()
    assert not sim.gateway.calls


def test_hang_up_in_the_middle_of_a_recovery() -> None:
    """CALL-385: a call that was answered ends normally, whatever its state (SIG-577)."""
    sim, alice, call = talking()
    alice.wire.drop()
    sim.run_until(lambda: bool(alice.heard("telnyx_rtc.attach")))
    assert alice.state_of(call) is RECOVERING
    alice.hangup(call)
    sim.run(5)
    assert ended(alice, call)
    assert alice.cause_of(call) == Cause("NORMAL_CLEARING", 16)
    assert not sim.gateway.calls


def test_a_bye_in_the_middle_of_a_recovery() -> None:
    sim, alice, call = talking()
    alice.wire.drop()
    sim.run_until(lambda: bool(alice.heard("telnyx_rtc.attach")))
    sim.gateway.hangup(call, now=sim.now)
    sim.run(15)
    assert ended(alice, call)
    assert 40005 not in alice.errors()


def test_the_list_is_garbled() -> None:
    """SIG-327: no array, no verdict; the attach still counts."""
    sim, alice, call = talking()
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "telnyx_rtc.clientReady",
        "params": {"reattached_sessions": "x"},
    }
    fault = Fault(do=Garble(encode(frame)), on="push", method="telnyx_rtc.clientReady")
    sim.gateway.add_fault(fault, now=sim.now)
    alice.wire.drop()
    sim.run(10)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_a_list_with_another_s_calls_ends_ours() -> None:
    """SIG-322."""
    sim, alice, call = talking()
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "telnyx_rtc.clientReady",
        "params": {"reattached_sessions": ["11111111-2222-3333-4444-555555555555"]},
    }
    sim.gateway.add_fault(Fault(do=Swallow(), on="push", method="telnyx_rtc.attach"), now=sim.now)
    fault = Fault(do=Garble(encode(frame)), on="push", method="telnyx_rtc.clientReady")
    sim.gateway.add_fault(fault, now=sim.now)
    alice.wire.drop()
    sim.run(5)
    assert ended(alice, call)
    assert 48501 in alice.errors()


def test_a_call_made_on_the_new_socket_is_not_judged_by_its_list() -> None:
    """SIG-321: only calls that were there before."""
    sim, alice = at_the_phone()
    call = call_and_talk(sim, alice)
    say(sim, alice, "telnyx_rtc.clientReady", {"reattached_sessions": []})
    sim.run(5)
    assert alice.state_of(call) is ACTIVE


def test_an_attach_that_comes_before_the_login_is_accepted() -> None:
    """Its answer cannot be sent yet. The call does not wait for ever; when the server offers it again, it recovers."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Delay(1.0), on="reply", method="login"), now=sim.now)
    alice.wire.drop()
    sim.run(0.3)
    assert alice.requests("telnyx_rtc.attach") == []
    sim.run(200)
    assert ended(alice, call) or alice.state_of(call) is ACTIVE
    assert set(alice.calls) == set(sim.gateway.calls)
