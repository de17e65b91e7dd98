"""Watching over the media of an answered call, renewing it, replacing it: media.md section 5 and 12."""

import pytest

from telnyx_core.actions import ClosePeer, CreateOffer, Done, OpenPeer, UseMedia
from telnyx_core.events import CallUpdated, ErrorRaised, PeerConnectionFailure, WarningRaised
from telnyx_core.facts import NegotiationFailed
from telnyx_core.ids import CallId, MediaId
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import REMOTE_SDP, Rig

S = SessionState


def talking(until: str = "active", **options: object) -> tuple[Rig, CallId]:
    """An answered call on a server that pings, so that the signalling is healthy whenever we look."""
    rig = Rig.registered(r=0.5, **options)
    rig.always("ping", {})
    call = rig.outbound(until)
    rig.clear()
    return rig, call


def pass_time(rig: Rig, seconds: float) -> None:
    """With a server that says something every second."""
    until = rig.now + seconds
    while rig.now < until:
        rig.advance(min(1.0, until - rig.now))
        if rig.session.connected:
            rig.request("event", eventChannel="x")


def renewal(rig: Rig, call: CallId) -> MediaId:
    """The peer that renews; its description is on its way."""
    media = rig.peers[call][-1]
    rig.media_ok(media)
    rig.describe("v=0\r\na=renewed\r\n", media)
    return media


def connect_renewal(rig: Rig, call: CallId) -> None:
    media = renewal(rig, call)
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied(media)
    rig.peer("connected", media)


def warned(rig: Rig) -> list[int]:
    return [event.code for event in rig.heard_of(WarningRaised)]


# 5.1 Evidence.


def test_a_short_interruption_is_only_told() -> None:
    """MEDIA-210, MEDIA-215, MEDIA-603, MEDIA-709: 2.9 s, then connected."""
    rig, _ = talking()
    rig.peer("disconnected")
    pass_time(rig, 2.9)
    rig.peer("connected")
    pass_time(rig, 30)
    assert rig.codes == [33001]
    assert not rig.frames("modify")


def test_a_longer_interruption_renews_the_media() -> None:
    """MEDIA-210, MEDIA-217 to MEDIA-224, MEDIA-710: 36004, updateMedia, its reply, connected; no update of the call."""
    rig, call = talking()
    old = rig.peers[call][-1]
    rig.peer("disconnected")
    pass_time(rig, 3)
    assert rig.codes == [33001, 36004]
    new = renewal(rig, call)
    assert rig.params("modify")["action"] == "updateMedia"
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied(new)
    assert ClosePeer(old) not in rig.actions
    rig.peer("connected", new)
    assert rig.actions[-2:] == [UseMedia(new), ClosePeer(old)]
    assert rig.heard_of(CallUpdated) == []
    pass_time(rig, 40)
    assert rig.codes == [33001, 36004]


def renewed(rig: Rig, call: CallId) -> list[MediaId | None]:
    """Whose path each offer of a renewal restarts."""
    first = rig.peers[call][0]
    opened = [action for action in rig.actions if isinstance(action, OpenPeer) and action.media != first]
    return [action.config.renews for action in opened if action.config.role == "offer"]


def test_a_path_is_restarted_in_place_first_and_what_does_not_last_is_replaced() -> None:
    """MEDIA-214: the certificate and the packet streams live on where the far end keeps its own."""
    rig, call = talking()
    old = rig.peers[call][-1]
    rig.peer("disconnected")
    pass_time(rig, 3)
    assert renewed(rig, call) == [old]
    connect_renewal(rig, call)
    pass_time(rig, 1)
    rig.peer("disconnected", rig.peers[call][-1])
    pass_time(rig, 3)
    assert renewed(rig, call) == [old, None]


def test_a_far_end_that_does_not_keep_its_certificate_gets_another_path_at_once() -> None:
    rig, call = talking()
    old = rig.peers[call][-1]
    rig.peer("disconnected")
    pass_time(rig, 3)
    restarted = renewal(rig, call)
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_refused("another certificate", restarted)
    assert renewed(rig, call) == [old, None]
    assert ClosePeer(restarted) in rig.actions
    assert ClosePeer(old) not in rig.actions
    connect_renewal(rig, call)
    assert rig.actions[-2:] == [UseMedia(rig.peers[call][-1]), ClosePeer(old)]
    assert rig.codes == [33001, 36004], "no failure is told of"


def test_after_a_re_attach_a_path_is_replaced() -> None:
    """The server begins the handshake of each renewal anew then, whatever certificate it is told."""
    rig, call = talking()
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach", {"callID": call}, call=call)
    rig.peer("connected", call)
    rig.restart_media(call)
    assert renewed(rig, call) == [None]


@pytest.mark.parametrize("state", ["failed", "closed"])
def test_a_failed_peer_is_evidence_at_once(state: str) -> None:
    """MEDIA-211, MEDIA-213, CALL-542, CALL-626, SIG-412: warning 33004, and the event of its own."""
    rig, call = talking()
    rig.peer(state)
    assert rig.codes == [33004, 36004]
    (failure,) = rig.heard_of(PeerConnectionFailure)
    assert (failure.call, failure.warning.code) == (call, 33004)


def test_one_failure_is_one_renewal() -> None:
    """MEDIA-211, MEDIA-232: disconnected, then failed."""
    rig, call = talking()
    rig.peer("disconnected")
    pass_time(rig, 1)
    rig.peer("failed")
    rig.peer("failed", rig.peers[call][0])
    pass_time(rig, 4)
    assert warned(rig).count(36004) == 1


@pytest.mark.parametrize("until", ["trying", "ringing", "early"])
def test_nothing_is_renewed_before_the_answer(until: str) -> None:
    """MEDIA-200, MEDIA-245, MEDIA-565, MEDIA-715, CALL-906."""
    rig, _ = talking(until)
    rig.peer("disconnected")
    pass_time(rig, 5)
    rig.peer("failed")
    pass_time(rig, 5)
    assert rig.codes == [33001, 33004]
    assert rig.sent == [] or not rig.frames("modify")


def test_an_answered_call_has_fifteen_seconds_to_connect_and_then_one_end() -> None:
    """MEDIA-246, MEDIA-608, PS-008: until then nothing but checks; a server ends a call whose media was never up for an
    ``updateMedia``.
    """
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("ringing")
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    rig.clear()
    pass_time(rig, 14.9)
    assert rig.codes == []
    assert not rig.frames("modify")
    pass_time(rig, 0.2)
    assert rig.codes == [49001]
    assert not rig.frames("modify")
    assert (rig.params("bye")["cause"], rig.params("bye")["causeCode"]) == ("DESTINATION_OUT_OF_ORDER", 27)


def test_a_peer_that_fails_before_it_was_ever_connected_is_the_end() -> None:
    """MEDIA-246: nothing can come of it any more, so nobody waits."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("ringing")
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    rig.clear()
    rig.peer("failed")
    assert rig.codes == [33004, 49001]
    assert rig.params("bye")["causeCode"] == 27


def test_media_that_takes_long_is_waited_for() -> None:
    """MEDIA-246: a path that is closed for its first ten seconds."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("ringing")
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    rig.clear()
    pass_time(rig, 10)
    rig.peer("connected")
    pass_time(rig, 30)
    assert rig.codes == []
    assert not rig.frames("modify")


def test_a_call_that_connected_in_time_is_left_alone() -> None:
    rig, _ = talking()
    pass_time(rig, 20)
    assert rig.codes == []


# 5.2 The episode.


def test_a_renewal_asks_for_a_fresh_peer_beside_the_old_one() -> None:
    """MEDIA-217, MEDIA-234: muted as the call is."""
    rig, call = talking()
    rig.set_muted(call, True)
    rig.peer("failed")
    assert len(rig.ledger.peers) == 2
    assert rig.ledger.peers[rig.peers[call][-1]].config.muted is True
    rig.media_ok()
    assert rig.actions[-1] == CreateOffer(rig.peers[call][-1])
    assert UseMedia(rig.peers[call][-1]) not in rig.actions


@pytest.mark.parametrize("until", ["active", "held"])
def test_a_renewed_path_carries_our_audio_from_the_moment_it_is_connected(until: str) -> None:
    """MEDIA-224, MEDIA-234, PS-045, CALL-808, CALL-974: a far end that sends nothing is normal, so its audio is not
    waited for. The state is as it was.
    """
    rig, call = talking(until)
    rig.peer("failed")
    new = renewal(rig, call)
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied(new)
    assert UseMedia(new) not in rig.actions
    rig.peer("connected", new)
    assert UseMedia(new) in rig.actions
    assert rig.info(call).state.value == until
    assert rig.heard_of(CallUpdated) == []


@pytest.mark.parametrize("how", ["no sdp", "error"])
def test_a_renewal_that_the_server_refuses_is_tried_again_and_costs_no_socket(how: str) -> None:
    """MEDIA-221, MEDIA-225, MEDIA-228, MEDIA-235, SIG-270, CALL-621: 47001, and once more three seconds later."""
    rig, call = talking()
    rig.peer("failed")
    renewal(rig, call)
    if how == "error":
        rig.reply("modify", error=(-32002, "CALL DOES NOT EXIST"))
    else:
        rig.reply("modify", {"action": "updateMedia"})
    assert rig.codes == [33004, 36004, 47001]
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.fatal, error.call) == (False, call)
    pass_time(rig, 2.9)
    assert rig.codes == [33004, 36004, 47001]
    pass_time(rig, 0.2)
    assert rig.codes == [33004, 36004, 47001, 36004]
    assert rig.state is S.READY
    assert rig.info(call).state.value == "active"


def test_a_renewal_that_is_not_answered_has_the_socket_asked_not_condemned() -> None:
    """MEDIA-222, MEDIA-609, SIG-066: one call's media is no reason to cost the others their socket; a probe decides."""
    rig, call = talking()
    rig.peer("failed")
    renewal(rig, call)
    pings = len(rig.frames("ping"))
    pass_time(rig, 10)
    assert len(rig.frames("ping")) == pings + 1
    assert rig.codes == [33004, 36004, 47001]
    assert rig.state is S.READY


def test_a_renewal_that_never_gets_a_description_ends() -> None:
    """MEDIA-223, MEDIA-604: fifteen seconds; the reference forgets it."""
    rig, _ = talking()
    rig.peer("failed")
    pass_time(rig, 14.9)
    assert 47001 not in rig.codes
    pass_time(rig, 0.2)
    assert rig.codes == [33004, 36004, 47001]


@pytest.mark.parametrize("stage", ["source", "offer", "remote"])
def test_a_renewal_that_the_engine_refuses_never_ends_the_call(stage: str) -> None:
    """MEDIA-226, MEDIA-557: 47001 with the original error; 40001, 40003, 40004 and 42001 are not raised."""
    rig, call = talking()
    rig.peer("failed")
    new = rig.peers[call][-1]
    if stage == "source":
        rig.media_refused("permission", at=new)
    elif stage == "offer":
        rig.media_ok(new)
        rig.tell(NegotiationFailed(new, "create_offer", "why"))
    else:
        renewal(rig, call)
        rig.reply("modify", {"sdp": "junk"})
        rig.remote_refused("junk", new)
    assert rig.codes == [33004, 36004, 47001]
    assert ClosePeer(new) in rig.actions
    assert rig.info(call).state.value == "active"


def test_a_renewal_without_success_is_tried_again_at_growing_distances() -> None:
    """MEDIA-227 to MEDIA-229, MEDIA-233, MEDIA-605, MEDIA-606, MEDIA-712: 15 s to connect, then 3, 6, 12 s of
    pause; the socket is sound, and stays.
    """
    rig, call = talking()
    rig.peer("failed")
    for attempt, pause in enumerate((3, 6, 12, 24, 30, 30), 1):
        new = renewal(rig, call)
        rig.reply("modify", {"sdp": REMOTE_SDP})
        rig.remote_applied(new)
        pass_time(rig, 15)
        assert ClosePeer(new) in rig.actions
        assert warned(rig).count(36004) == attempt
        pass_time(rig, pause - 0.1)
        assert warned(rig).count(36004) == attempt
        pass_time(rig, 0.2)
        assert warned(rig).count(36004) == attempt + 1
    assert rig.state is S.READY


def test_a_renewed_peer_that_fails_is_given_up_at_once() -> None:
    """MEDIA-227: nobody waits for what cannot come."""
    rig, call = talking()
    rig.peer("failed")
    new = renewal(rig, call)
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied(new)
    rig.peer("failed", new)
    assert ClosePeer(new) in rig.actions
    pass_time(rig, 3.1)
    assert warned(rig) == [33004, 36004, 36004]


def test_media_that_comes_back_during_the_pause_needs_no_second_attempt() -> None:
    """MEDIA-229: only while the evidence is still true."""
    rig, call = talking()
    old = rig.peers[call][-1]
    rig.peer("disconnected")
    pass_time(rig, 3)
    new = renewal(rig, call)
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied(new)
    pass_time(rig, 15)
    rig.peer("connected", old)
    pass_time(rig, 20)
    assert warned(rig).count(36004) == 1
    assert 36003 not in rig.codes


def test_success_is_forgiven_after_half_a_minute() -> None:
    """MEDIA-224, MEDIA-607: the pauses begin anew."""
    rig, call = talking()
    for _ in range(4):
        rig.peer("failed")
        new = renewal(rig, call)
        rig.reply("modify", {"sdp": REMOTE_SDP})
        rig.remote_applied(new)
        rig.peer("connected", new)
        pass_time(rig, 30.1)
    rig.peer("failed")
    escalated(rig, call)
    rig.clear()
    pass_time(rig, 3.1)
    assert rig.codes == [36004]


@pytest.mark.parametrize("state", ["disconnected", "failed", "closed"])
def test_the_end_of_a_peer_that_is_being_replaced_is_no_failure(state: str) -> None:
    """MEDIA-211: the server lets go of the old one as soon as it is asked for a new one. No 33004, no event."""
    rig, call = talking()
    old = rig.peers[call][-1]
    rig.peer("disconnected")
    pass_time(rig, 3)
    new = renewal(rig, call)
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied(new)
    rig.clear()
    rig.peer(state, old)
    rig.peer("connected", new)
    pass_time(rig, 10)
    assert rig.codes == []
    assert rig.heard_of(PeerConnectionFailure) == []


@pytest.mark.parametrize("how", ["bye", "hangup", "attach", "loss"])
def test_a_renewal_ends_silently_with_what_it_served(how: str) -> None:
    """MEDIA-231."""
    rig, call = talking()
    rig.peer("failed")
    new = renewal(rig, call)
    rig.clear()
    match how:
        case "bye":
            rig.request("bye", callID=call)
        case "hangup":
            rig.hangup(call)
        case "attach":
            rig.attach(call)
        case _:
            rig.lose()
    assert ClosePeer(new) in rig.actions
    pass_time(rig, 4)
    assert not {47001, 36003, 44001} & set(rig.codes)


# 5.3 What the others feel of it.


def escalated(rig: Rig, call: CallId) -> None:
    renewal(rig, call)
    rig.reply("modify", error=(-32002, "no"))


def recovered(rig: Rig, call: CallId) -> None:
    rig.lose(1000)
    rig.ready(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    rig.peer("connected", call)


def test_nothing_of_a_call_s_media_replaces_the_socket() -> None:
    """MEDIA-235, MEDIA-237: whatever fails, and however often, the other calls go on undisturbed."""
    rig, call = talking()
    other = rig.outbound("active")
    rig.clear()
    rig.peer("failed", call)
    for pause in (3, 6, 12, 24, 30, 30, 30):
        escalated(rig, call)
        pass_time(rig, pause + 0.1)
    assert 36003 not in rig.codes
    assert rig.state is S.READY
    assert rig.states(other) == []


def test_after_an_attach_the_pauses_begin_anew() -> None:
    """MEDIA-231: a failure after it is renewed at once, and again three seconds later."""
    rig, call = talking()
    rig.peer("failed")
    for pause in (3.1, 6.1):
        escalated(rig, call)
        pass_time(rig, pause)
    recovered(rig, call)
    rig.clear()
    rig.peer("failed")
    assert rig.codes == [33004, 36004]
    escalated(rig, call)
    rig.clear()
    pass_time(rig, 3.1)
    assert rig.codes == [36004]


# Make before break.


@pytest.mark.parametrize("keep", [False, True])
def test_an_attach_breaks_nothing_before_the_new_peer_is_connected(keep: bool) -> None:
    """CALL-532, architecture: for both values of the option."""
    rig, call = talking(keepConnectionAliveOnSocketClose=keep)
    old = rig.peers[call][-1]
    rig.come_back(call)
    rig.clear()
    rig.attach(call)
    new = rig.peers[call][-1]
    rig.describe_answer(new)
    rig.reply("attach")
    assert UseMedia(new) not in rig.actions
    assert ClosePeer(old) not in rig.actions
    rig.peer("connected", new)
    assert rig.actions[-2:] == [UseMedia(new), ClosePeer(old)]


def test_the_old_peer_stays_until_the_new_one_is_connected() -> None:
    """CALL-532, CALL-709: however long that takes."""
    rig, call = talking()
    old = rig.peers[call][-1]
    rig.come_back(call)
    rig.attach(call)
    new = rig.peers[call][-1]
    rig.describe_answer(new)
    pass_time(rig, 3)
    rig.reply("attach")
    rig.clear()
    pass_time(rig, 12)
    assert ClosePeer(old) not in rig.actions
    rig.peer("connected", new)
    assert [action for action in rig.actions if isinstance(action, UseMedia | ClosePeer)] == [
        UseMedia(new),
        ClosePeer(old),
    ]


def test_a_call_with_one_peer_has_nothing_to_switch() -> None:
    rig, _ = talking()
    pass_time(rig, 10)
    assert not any(isinstance(action, UseMedia | ClosePeer) for action in rig.actions)


def test_a_dead_peer_is_replaced_at_once() -> None:
    rig, call = talking()
    rig.lose()
    rig.peer("failed")
    rig.ready(call)
    rig.clear()
    rig.attach(call)
    old, new = rig.peers[call]
    assert UseMedia(new) in rig.actions
    assert ClosePeer(old) in rig.actions


@pytest.mark.parametrize("keep", [False, True])
def test_an_offer_of_the_very_same_transport_keeps_the_peer(keep: bool) -> None:
    """Architecture: with keep-alive a healthy peer stays in use after the re-attach, with no audible gap."""
    rig, call = talking(keepConnectionAliveOnSocketClose=keep)
    rig.come_back(call)
    rig.clear()
    rig.attach(call, REMOTE_SDP)
    assert (len(rig.peers[call]) == 1) is keep
    if keep:
        assert rig.frames("attach")
        rig.reply("attach")
        assert rig.info(call).state.value == "active"
        assert not any(isinstance(action, ClosePeer | UseMedia) for action in rig.actions)


@pytest.mark.parametrize("why", ["other credentials", "no credentials", "not connected"])
def test_any_other_offer_gets_a_new_peer(why: str) -> None:
    rig, call = talking(keepConnectionAliveOnSocketClose=True)
    if why == "not connected":
        rig.peer("disconnected")
    rig.come_back(call)
    sdp = {"other credentials": REMOTE_SDP.replace("there", "else"), "no credentials": "v=0\r\n"}.get(why, REMOTE_SDP)
    rig.attach(call, sdp)
    assert len(rig.peers[call]) == 2


def test_two_descriptions_without_a_transport_do_not_name_the_same_one() -> None:
    """CALL-532: nothing says that the peer can stay, so there is a new one."""
    bare = "v=0\r\nm=audio 20000 RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
    rig = Rig.registered(keepConnectionAliveOnSocketClose=True)
    call = rig.invite()
    rig.reply("invite")
    rig.request("answer", callID=call, sdp=bare)
    rig.remote_applied()
    rig.peer("connected")
    rig.come_back(call)
    rig.attach(call, bare)
    assert len(rig.peers[call]) == 2


@pytest.mark.parametrize("reply", ["answer", "error"])
def test_a_reply_to_a_renewal_that_is_over_changes_nothing(reply: str) -> None:
    """MEDIA-231, CALL-010: an attach has taken its place."""
    rig, call = talking()
    rig.peer("failed")
    renewal(rig, call)
    rig.attach(call)
    rig.clear()
    if reply == "answer":
        rig.reply("modify", {"sdp": REMOTE_SDP})
    else:
        rig.reply("modify", error=(-32002, "CALL DOES NOT EXIST"))
    assert rig.actions == []


def test_a_call_that_is_attached_while_a_probe_is_out_is_not_renewed() -> None:
    """MEDIA-218, SIG-271: the evidence was about the peer that has been replaced."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.advance(10)
    rig.peer("failed")
    rig.attach(call)
    rig.clear()
    rig.reply("ping")
    assert rig.codes == []
    assert len(rig.peers[call]) == 2


@pytest.mark.parametrize("how", ["by itself", "because the application asked"])
def test_a_path_that_works_again_before_the_probe_is_answered_is_not_renewed(how: str) -> None:
    """MEDIA-216b: the answer makes us decide again, and there is no evidence left."""
    rig = Rig.registered(r=0.5)
    call = rig.outbound("active")
    rig.clear()
    rig.peer("disconnected")
    rig.advance(3.1)
    if how == "by itself":
        rig.peer("connected")
    else:
        rig.restart_media(call)
        connect_renewal(rig, call)
    peers = len(rig.peers[call])
    rig.reply("ping")
    assert rig.codes == [33001]
    assert len(rig.peers[call]) == peers


def test_evidence_against_a_path_that_is_being_renewed_costs_no_socket() -> None:
    """MEDIA-218: the renewal under way deals with it. As evidence it would have the silent socket closed after 5 s."""
    rig = Rig.registered(r=0.5)
    call = rig.outbound("active")
    rig.clear()
    rig.peer("disconnected")
    rig.advance(0.5)
    ticket = rig.restart_media(call)
    rig.advance(7)
    assert rig.times("ping") == [2]
    assert rig.codes == [33001]
    connect_renewal(rig, call)
    assert rig.outcomes[ticket] == Done()


def test_a_peer_that_is_replaced_while_it_gathers_sends_nothing_any_more() -> None:
    """Its window closes for nobody."""
    rig, call = talking(maxReconnectAttempts=0)
    rig.always("gatewayState", {})
    rig.peer("failed")
    rig.come_back(call)
    rig.attach(call)
    rig.remote_applied()
    rig.media_ok()
    rig.describe("v=0\r\na=first\r\n", complete=False)
    rig.candidate()
    rig.come_back(call)
    rig.attach(call)
    rig.clear()
    pass_time(rig, 6)
    assert not rig.frames("attach")


def test_silence_while_recovering_is_no_failure() -> None:
    """SRV-008: the server may stop sending at once."""
    rig, call = talking()
    rig.peer("disconnected")
    rig.lose()
    rig.clear()
    rig.ready(call)
    pass_time(rig, 4)
    assert not {36003, 36004} & set(rig.codes)


def test_a_re_attach_of_a_live_call_renegotiates() -> None:
    """SRV-009: the server attaches a call that was never lost."""
    rig, call = talking("held")
    rig.attach(call)
    assert rig.states(call) == ["recovering"]
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.states(call) == ["recovering", "held"]


def test_a_hold_in_flight_fails_when_the_call_is_attached_anew() -> None:
    """SIG-144, CALL-363: its reply may never come; a later one is ignored."""
    rig, call = talking()
    ticket = rig.hold(call)
    rig.attach(call)
    assert ticket in rig.outcomes
    assert 44001 in rig.codes
    rig.clear()
    rig.reply("modify", {"holdState": "held"})
    assert rig.states(call) == []
    rig.describe_answer(call)
    rig.reply("attach")
    assert rig.states(call) == ["active"]


@pytest.mark.parametrize("until", ["requesting", "answering", "new"])
def test_an_attach_does_not_overtake_a_request_of_the_call(until: str) -> None:
    """SIG-144: one negotiation at a time; acknowledged, and the reply to our own request decides."""
    rig = Rig.registered()
    call = rig.inbound("answering") if until == "answering" else rig.outbound(until)
    rig.clear()
    ident = rig.attach(call)
    assert rig.acknowledged == [(ident, "telnyx_rtc.attach")]
    assert rig.info(call).state.value == until
    if until != "new":
        rig.reply("answer" if until == "answering" else "invite")
        assert rig.info(call).state.value == ("active" if until == "answering" else "trying")
