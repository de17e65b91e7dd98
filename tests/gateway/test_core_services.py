"""Channels, the speed test, debug reports, and SDP in the platform's dress."""

import pytest

from telnyx_core.facts import CandidateFound, LocalDescribed, RemoteApplied
from telnyx_core.gateway import GatewayOptions, Limits, Quirks
from telnyx_core.gateway.events import FrameRejected, ReportReceived
from telnyx_core.gateway.sdp import Kind, disguise
from tests.gateway.rig import Rig

USERS = {"alice": "secret", "bob": "hush"}


def test_subscriptions_are_new_known_or_nobodys() -> None:
    """SIG-174."""
    rig = Rig()
    client = rig.client()
    assert client.ask("telnyx_rtc.subscribe", {"eventChannel": ["room.chat", "private.x"]}) == {
        "subscribedChannels": ["room.chat"],
        "alreadySubscribedChannels": [],
        "unauthorizedChannels": ["private.x"],
        "sessid": client.sessid,
    }
    assert client.ask("telnyx_rtc.subscribe", {"eventChannel": "room.chat"})["alreadySubscribedChannels"] == [
        "room.chat"
    ]
    error = client.refused("telnyx_rtc.subscribe", {"eventChannel": ["private.x", ""]})
    assert error["unauthorizedChannels"] == ["private.x"]


def test_unsubscribing_tells_known_from_unknown() -> None:
    """SIG-175."""
    client = Rig().client()
    client.ask("telnyx_rtc.subscribe", {"eventChannel": ["a", "b"]})
    result = client.ask("telnyx_rtc.unsubscribe", {"eventChannel": ["a", "c"]})
    assert (result["unsubscribedChannels"], result["notSubscribedChannels"]) == (["a"], ["c"])


def test_subscriptions_are_bounded() -> None:
    client = Rig(GatewayOptions(users=USERS, limits=Limits(channels=2))).client()
    result = client.ask("telnyx_rtc.subscribe", {"eventChannel": ["a", "b", "c"]})
    assert (result["subscribedChannels"], result["unauthorizedChannels"]) == (["a", "b"], ["c"])


def test_a_broadcast_reaches_the_other_subscribers() -> None:
    """SIG-176, SIG-171."""
    rig = Rig()
    alice, bob, other = rig.client("alice"), rig.client("bob"), rig.client("bob")
    for client in (alice, bob):
        client.ask("telnyx_rtc.subscribe", {"eventChannel": "room"})
    alice.ask("telnyx_rtc.broadcast", {"eventChannel": "room", "data": {"hi": 1}})
    (event,) = bob.pushed("telnyx_rtc.event")
    assert (event["params"]["eventChannel"], event["params"]["data"]) == ("room", {"hi": 1})
    assert alice.pushed("telnyx_rtc.event") == other.pushed("telnyx_rtc.event") == []
    assert alice.refused("telnyx_rtc.broadcast", {"data": {}})["code"] == -32602


def test_subscriptions_end_with_the_socket() -> None:
    """SIG-175."""
    rig = Rig()
    alice, bob = rig.client("alice"), rig.client("bob")
    bob.ask("telnyx_rtc.subscribe", {"eventChannel": "room"})
    bob.lose()
    again = rig.connect()
    again.login("bob", "hush", sessid=bob.sessid)
    alice.ask("telnyx_rtc.broadcast", {"eventChannel": "room"})
    assert again.pushed("telnyx_rtc.event") == []


def test_the_speed_test_times_the_upload_and_sends_as_much_back() -> None:
    """SIG-091, SIG-092."""
    rig = Rig()
    client = rig.client()
    client.send("#SPU 2048")
    client.send("#SPB " + "." * 1024)
    rig.wait(0.25)
    client.send("#SPB " + "." * 1024)
    client.send("#SPE")
    up, first, second, down = client.texts[-4:]
    assert up == "#SPU 250"
    assert first == second == "#SPB " + "." * 1024
    assert down == "#SPD 250"


def test_a_speed_test_takes_at_least_a_millisecond_and_its_size_is_bounded() -> None:
    client = Rig(GatewayOptions(users=USERS, limits=Limits(speed_test_blocks=3))).client()
    client.send("#SPU 9")
    for _ in range(10):
        client.send("#SPB x")
    client.send("#SPE")
    assert len(client.texts) == 2 + 5
    assert client.texts[2] == "#SPU 1"
    client.send("#SPE")
    client.send("#SPB x")
    assert len(client.texts) == 2 + 5, "without a beginning there is no test"


def test_a_speed_test_before_the_login_closes_the_socket() -> None:
    """SIG-092."""
    client = Rig().connect()
    client.send("#SPU 9")
    assert client.closed is not None
    assert client.closed[0] == 1008


def test_debug_reports_are_taken() -> None:
    """SIG-186: they have a type and no method."""
    rig = Rig()
    client = rig.client()
    report = {"jsonrpc": "2.0", "id": "r1", "type": "debug_report_data", "debug_report_id": "d", "call_id": "c"}
    client.send(report)
    assert client.take() == [
        {"jsonrpc": "2.0", "id": "r1", "result": {"message": "ok"}, "voice_sdk_id": client.frames[0]["voice_sdk_id"]}
    ]
    (event,) = rig.told(ReportReceived)
    assert (event.kind, event.frame["debug_report_id"]) == ("debug_report_data", "d")
    stranger = rig.connect()
    stranger.send(report)
    assert stranger.frames[-1]["error"]["code"] == -32000
    assert rig.told(FrameRejected)[-1].method == "debug_report_data"


SDP = (
    "v=0\r\na=group:BUNDLE 0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 0 8\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\na=candidate:2 2 udp 1 192.0.2.1 4001 typ host\r\n"
)


def test_an_offer_in_the_platforms_dress() -> None:
    """SRV-001, SRV-003."""
    assert disguise(SDP, Quirks(), "invite").splitlines() == [
        "v=0",
        "m=audio 4000 RTP/SAVPF 0 8",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host",
        "a=candidate:1 2 udp 2130706431 192.0.2.1 4000 typ host",
        "a=candidate:2 2 udp 1 192.0.2.1 4001 typ host",
    ]


def test_an_answer_repeats_the_mid_and_has_no_group() -> None:
    """PS-011."""
    dressed = disguise(SDP, Quirks(), "answer")
    assert "a=mid:0" in dressed
    assert "BUNDLE" not in dressed
    assert "UDP/TLS/RTP/SAVPF" in dressed
    assert dressed.count("a=candidate") == 2


@pytest.mark.parametrize("kind", ["answer", "invite", "attach", "renewal"])
def test_without_quirks_sdp_is_what_the_engine_made(kind: Kind) -> None:
    plain = Quirks(
        no_mid=False, plain_profile=False, double_candidates=False, one_codec=False, no_telephone_event=False
    )
    assert disguise(SDP, plain, kind, codec="PCMA/8000", telephone_event=False) == SDP


def test_sdp_on_the_wire_is_dressed_by_its_role() -> None:
    rig = Rig()
    client = rig.client()
    rig.command("call_user", "alice")
    offer = client.pushed("telnyx_rtc.invite")[0]["params"]["sdp"]
    client.invite("echo")
    answer = client.pushed("telnyx_rtc.answer")[0]["params"]["sdp"]
    assert " RTP/SAVPF" in offer
    assert "UDP/TLS/RTP/SAVPF" in answer
    assert "a=mid" not in offer
    assert "a=mid" in answer


# The gateway trickles.


def test_a_trickling_gateway_sends_its_candidates_one_by_one() -> None:
    """SIG-166, SIG-167."""
    rig = Rig(GatewayOptions(users=USERS, quirks=Quirks(trickle_out=True)), auto_media=False)
    client = rig.client()
    client.request("telnyx_rtc.invite", {**client.invitation("echo", "c1"), "trickle": True})
    (media,) = rig.media_of("c1")
    assert rig.peers[media].config.trickle
    rig.tell(RemoteApplied(media))
    rig.tell(LocalDescribed(media, "v=0\r\n", complete=False))
    rig.tell(CandidateFound(media, "candidate:1", sdp_mid="0", sdp_m_line_index=0))
    rig.tell(LocalDescribed(media, "v=0\r\na=x\r\n", complete=True))
    answer, candidate, end = client.frames[-3:]
    assert answer["params"]["sdp"] == "v=0\r\n"
    assert candidate["params"] == {"callID": "c1", "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}
    assert end["method"] == "telnyx_rtc.endOfCandidates"
    assert end["params"] == {"callID": "c1", "endOfCandidates": True}


def test_a_media_update_says_anew_whether_the_client_trickles() -> None:
    rig = Rig(GatewayOptions(users=USERS, quirks=Quirks(trickle_out=True)))
    client = rig.client()
    call = client.invite("echo")
    for trickles in (True, False):
        params = client.dialog(call, action="updateMedia", sdp="v=0", trickle=trickles)
        client.ask("telnyx_rtc.modify", params)
        assert rig.peers[rig.media_of(call)[-1]].config.trickle is trickles


@pytest.mark.parametrize("trickle_out", [True, False])
def test_a_client_that_does_not_trickle_is_sent_no_candidate(trickle_out: bool) -> None:
    rig = Rig(GatewayOptions(users=USERS, quirks=Quirks(trickle_out=trickle_out)), auto_media=False)
    client = rig.client()
    invitation = client.invitation("echo", "c1")
    client.request("telnyx_rtc.invite", invitation if trickle_out else {**invitation, "trickle": True})
    (media,) = rig.media_of("c1")
    rig.tell(RemoteApplied(media))
    rig.tell(LocalDescribed(media, "v=0\r\n", complete=False))
    rig.tell(CandidateFound(media, "candidate:1", sdp_mid="0", sdp_m_line_index=0))
    assert client.frames[-1]["method"] == "telnyx_rtc.ringing"
    rig.tell(LocalDescribed(media, "v=0\r\n", complete=True))
    assert client.frames[-1]["method"] == "telnyx_rtc.answer"
