"""Gathering, trickle, remote candidates: media.md sections 3, 4 and 12, one peer at a time."""

from collections.abc import Iterator

import pytest

from telnyx_core import Timer
from telnyx_core._time.limits import MAX_QUEUED_CANDIDATES
from telnyx_core._wire.json_types import Json
from telnyx_core.actions import AddCandidate, ApplyRemote, ClosePeer, CreateAnswer, CreateOffer, OpenPeer, OpenSource
from telnyx_core.events import WarningRaised
from telnyx_core.facts import RemoteApplied
from telnyx_core.ids import CallId
from telnyx_core.testing.rig import LOCAL_SDP, REMOTE_SDP, Rig
from tests.inside import hub_of

SRFLX = "candidate:2 1 udp 9 203.0.113.7 4615 typ srflx raddr 10.0.0.2 rport 4615"
HOST = "candidate:1 1 udp 9 192.0.2.7 5000 typ host"


def offering(**options: object) -> tuple[Rig, CallId]:
    """A call of ours whose description is being made."""
    rig = Rig.registered(**options)
    rig.always("ping", {})
    call = rig.dial()
    rig.media_ok()
    rig.clear()
    return rig, call


def gathering(**options: object) -> tuple[Rig, CallId]:
    """One whose local description is set, without candidates yet."""
    rig, call = offering(**options)
    rig.describe("v=0\r\n", complete=False)
    return rig, call


def methods(rig: Rig) -> Iterator[str]:
    return (str(frame["method"]).removeprefix("telnyx_rtc.") for frame in rig.sent if "method" in frame)


# Section 3: complete descriptions.


def test_the_window_opens_with_the_first_candidate() -> None:
    """MEDIA-061, MEDIA-064, MEDIA-065, MEDIA-070, MEDIA-700: 10, 30, 400 ms; the description goes out at 1010."""
    rig, _ = gathering()
    for at in (0.010, 0.030, 0.400):
        rig.advance_to(at)
        rig.candidate(SRFLX)
    rig.describe(LOCAL_SDP, complete=False)
    rig.advance_to(1.009)
    assert rig.sent == []
    rig.advance_to(1.5)
    assert rig.times("invite") == [pytest.approx(1.010)]
    assert rig.params("invite")["sdp"] == LOCAL_SDP


def test_a_complete_description_goes_out_at_once() -> None:
    """MEDIA-063, MEDIA-701."""
    rig, _ = gathering()
    rig.advance(0.1)
    rig.candidate()
    rig.advance(0.1)
    rig.describe()
    assert rig.times("invite") == [pytest.approx(0.2)]
    assert not hub_of(rig.session).timers.is_set(Timer.GATHER_WINDOW, rig.peers[next(iter(rig.peers))][-1])


def test_an_attach_waits_five_seconds_for_candidates() -> None:
    """MEDIA-062, MEDIA-702, CALL-535, SIG-142."""
    rig = Rig.registered()
    rig.always("ping", {})
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    rig.remote_applied()
    rig.media_ok()
    rig.describe(LOCAL_SDP, complete=False)
    rig.advance(0.010)
    rig.candidate()
    rig.advance(4.999)
    assert not rig.frames("attach")
    rig.advance(0.001)
    assert rig.frames("attach")


def test_without_any_candidate_it_goes_out_after_fifteen_seconds() -> None:
    """MEDIA-060, MEDIA-066, MEDIA-550, MEDIA-703: 33003; the reference waits for ever."""
    rig, call = gathering()
    rig.advance(14.9)
    assert rig.codes == []
    rig.advance(0.1)
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33003, call)]
    assert rig.frames("invite")


def test_the_wait_counts_from_the_description() -> None:
    """MEDIA-060: not from when it was asked for."""
    rig, _ = offering()
    rig.advance(5)
    rig.describe("v=0\r\n", complete=False)
    rig.advance(14.9)
    assert rig.codes == []
    rig.advance(0.1)
    assert rig.times("invite") == [20.0]


def test_with_some_candidates_the_warning_is_another() -> None:
    """MEDIA-066: 33002. Only where the window did not end it: candidates that come at the very end."""
    rig, call = gathering()
    rig.advance(14.5)
    rig.candidate(SRFLX)
    rig.advance(0.5)
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33002, call)]
    assert len(rig.frames("invite")) == 1
    rig.advance(5)
    assert len(rig.frames("invite")) == 1


def test_candidates_that_were_gathered_ahead_open_the_window_with_the_description() -> None:
    """MEDIA-023, MEDIA-061: prefetching must not change the order of events; there is nothing to send before."""
    rig = Rig.registered()
    rig.always("ping", {})
    rig.dial()
    rig.candidate(SRFLX)
    rig.advance(5)
    rig.media_ok()
    rig.describe(LOCAL_SDP, complete=False)
    assert not rig.frames("invite")
    rig.advance(1)
    assert rig.times("invite") == [6.0]


def test_an_engine_that_never_describes_ends_the_call() -> None:
    """CALL-314, MEDIA-551, and promise 4: every request has a deadline."""
    rig, call = offering()
    rig.advance(14.9)
    assert call in rig.session.calls
    rig.advance(0.1)
    assert rig.codes == [33003, 40003]
    assert call not in rig.session.calls


def test_what_is_found_after_the_description_has_gone_is_ignored() -> None:
    """MEDIA-069."""
    rig, _ = gathering()
    rig.describe()
    rig.clear()
    rig.candidate(SRFLX)
    rig.describe(LOCAL_SDP + "a=later\r\n")
    rig.advance(20)
    assert set(methods(rig)) <= {"ping"}
    assert rig.codes == []


def test_a_call_that_ends_stops_its_gathering() -> None:
    """MEDIA-068."""
    rig, call = gathering()
    rig.candidate(SRFLX)
    rig.hangup(call)
    rig.clear()
    rig.advance(20)
    assert not rig.frames("invite")
    assert not rig.frames("candidate")


def test_only_host_candidates_are_a_warning_by_the_description_that_is_sent() -> None:
    """MEDIA-067, MEDIA-704, CALL-627: once."""
    rig, call = gathering()
    rig.candidate(HOST)
    rig.describe("v=0\r\na=" + HOST + "\r\n", complete=False)
    rig.advance(1)
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33005, call)]


# Section 4: trickle.


def test_an_invite_precedes_its_candidates() -> None:
    """MEDIA-100, MEDIA-101, MEDIA-104, MEDIA-705: one end of candidates."""
    rig, call = offering(trickleIce=True)
    rig.candidate(HOST)
    assert rig.sent == []
    rig.describe("v=0\r\n", complete=False)
    rig.candidate(SRFLX)
    assert list(methods(rig)) == ["invite", "candidate", "candidate"]
    assert rig.params("invite")["trickle"] is True
    rig.describe("v=0\r\n", complete=True)
    rig.describe("v=0\r\n", complete=True)
    assert list(methods(rig)) == ["invite", "candidate", "candidate", "endOfCandidates"]
    assert rig.params("endOfCandidates")["dialogParams"] == {"callID": call}


def test_candidates_of_an_answer_wait_for_the_answer() -> None:
    """MEDIA-102, MEDIA-552, MEDIA-706: the reference may overtake it."""
    rig = Rig.registered(trickleIce=True)
    call = rig.ring()
    rig.answer(call)
    rig.candidate(HOST)
    rig.remote_applied()
    rig.media_ok()
    rig.clear()
    rig.candidate(SRFLX)
    assert rig.sent == []
    rig.describe("v=0\r\n", complete=True)
    assert list(methods(rig)) == ["answer", "candidate", "candidate", "endOfCandidates"]
    assert [frame["params"]["candidate"] for frame in rig.frames("candidate")] == [HOST, SRFLX]


def test_candidates_are_not_sent_while_there_is_no_socket() -> None:
    """SIG-081: nobody is told of it either; the next attach describes everything anew (CALL-535)."""
    rig = Rig.registered(trickleIce=True)
    rig.outbound("trying")
    rig.lose()
    rig.clear()
    rig.candidate(SRFLX)
    rig.describe(complete=True)
    assert (rig.sent, rig.codes) == ([], [])


def test_half_trickle() -> None:
    """MEDIA-105: an engine that gathers first: all candidates in the description, then the end of them."""
    rig, _ = offering(trickleIce=True)
    rig.candidate(HOST)
    rig.candidate(SRFLX)
    rig.describe(f"v=0\r\na={HOST}\r\na={SRFLX}\r\n", complete=True)
    assert list(methods(rig)) == ["invite", "endOfCandidates"]


def test_without_trickle_no_candidate_is_sent() -> None:
    rig, _ = gathering()
    rig.candidate(SRFLX)
    rig.describe()
    assert list(methods(rig)) == ["invite"]


def test_an_attach_never_trickles() -> None:
    """MEDIA-116, CALL-535, CALL-905."""
    rig = Rig.registered(trickleIce=True)
    call = rig.outbound("active")
    rig.come_back(call)
    rig.attach(call)
    assert rig.ledger.peers[rig.peers[call][-1]].config.trickle is False
    rig.remote_applied()
    rig.media_ok()
    rig.clear()
    rig.describe("v=0\r\n", complete=False)
    rig.candidate(SRFLX)
    assert rig.sent == []
    rig.describe()
    assert list(methods(rig)) == ["attach"]


@pytest.mark.parametrize(
    ("client", "option", "trickle"), [(True, None, True), (True, False, False), (False, True, True)]
)
def test_a_call_may_decide_about_trickle_for_itself(client: bool, option: bool | None, trickle: bool) -> None:
    """CALL-040."""
    rig = Rig.registered(trickleIce=client)
    call = rig.invite(**({} if option is None else {"trickleIce": option}))
    assert rig.ledger.peers[rig.peers[call][-1]].config.trickle is trickle
    assert ("trickle" in rig.params("invite")) is trickle


# Remote candidates.


def added(rig: Rig) -> list[str]:
    return [action.candidate for action in rig.actions if isinstance(action, AddCandidate)]


@pytest.mark.parametrize("trickle", [False, True])
def test_remote_candidates_wait_for_the_description(trickle: bool) -> None:
    """MEDIA-110, MEDIA-113, MEDIA-707, SIG-166: in order; whether or not we trickle."""
    rig = Rig.registered(trickleIce=trickle)
    call = rig.outbound("ringing")
    for number in (1, 2, 3):
        rig.request("candidate", callID=call, candidate=f"candidate:{number}", sdpMid="0", sdpMLineIndex=0)
    rig.request("endOfCandidates", callID=call)
    assert added(rig) == []
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    assert added(rig) == []
    rig.remote_applied()
    assert added(rig) == ["candidate:1", "candidate:2", "candidate:3", ""]
    rig.request("candidate", callID=call, candidate="candidate:4")
    assert added(rig)[-1] == "candidate:4"


def test_remote_candidates_of_an_inbound_call_wait_for_its_peer() -> None:
    """MEDIA-110: before the answer there is no peer; a candidate of then is for nobody."""
    rig = Rig.registered()
    call = rig.ring()
    rig.request("candidate", callID=call, candidate="candidate:1")
    assert added(rig) == []
    rig.answer(call)
    rig.request("candidate", callID=call, candidate="candidate:2")
    rig.remote_applied()
    assert added(rig) == ["candidate:2"]


@pytest.mark.parametrize(
    ("params", "action"),
    [
        ({"candidate": "candidate:1", "sdpMid": "audio", "sdpMLineIndex": 2}, ("candidate:1", "audio", 2)),
        ({"candidate": "a=candidate:1"}, ("candidate:1", None, 0)),
        ({"candidate": ""}, ("", None, 0)),
        ({"candidate": None}, ("", None, 0)),
        ({}, ("", None, 0)),
        ({"candidate": "candidate:1", "sdpMid": 5, "sdpMLineIndex": "1"}, ("candidate:1", None, 0)),
        ({"candidate": "candidate:1", "sdpMLineIndex": -1}, ("candidate:1", None, 0)),
        ({"candidate": "candidate:1", "sdpMLineIndex": 99}, ("candidate:1", None, 0)),
        ({"candidate": "candidate:1", "sdpMLineIndex": True}, ("candidate:1", None, 0)),
    ],
    ids=range(9),
)
def test_candidates_of_all_sorts(params: dict[str, Json], action: tuple[str, str | None, int]) -> None:
    """MEDIA-111: with or without prefix; empty or null is the end of candidates."""
    rig = Rig.registered()
    call = rig.outbound("active")
    media = rig.peers[call][-1]
    rig.clear()
    rig.request("candidate", callID=call, **params)
    assert [found for found in rig.actions if isinstance(found, AddCandidate)] == [AddCandidate(media, *action)]


def test_the_older_form_of_a_candidate() -> None:
    """SIG-103, SIG-166."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("candidate", candidate="candidate:1", dialogParams={"callId": call})
    assert added(rig) == ["candidate:1"]


def test_the_queue_of_candidates_has_a_bound() -> None:
    rig = Rig.registered()
    call = rig.outbound("ringing")
    for number in range(MAX_QUEUED_CANDIDATES + 50):
        rig.request("candidate", callID=call, candidate=f"candidate:{number}")
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied()
    assert added(rig) == [f"candidate:{number}" for number in range(MAX_QUEUED_CANDIDATES)]


def test_candidates_of_a_renewal_wait_for_its_own_description() -> None:
    """MEDIA-112, MEDIA-553."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.peer("failed")
    rig.media_ok()
    rig.describe()
    rig.clear()
    rig.request("candidate", callID=call, candidate="candidate:1")
    assert added(rig) == []
    rig.reply("modify", {"sdp": REMOTE_SDP})
    rig.remote_applied()
    assert added(rig) == ["candidate:1"]


def test_after_the_end_candidates_are_dropped() -> None:
    """MEDIA-114."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("bye", callID=call)
    rig.clear()
    ident = rig.request("candidate", callID=call, candidate="candidate:1")
    assert added(rig) == []
    assert rig.acknowledged == [(ident, "telnyx_rtc.candidate")]


# One description each.


def test_a_peer_takes_one_remote_description() -> None:
    """MEDIA-508: whatever comes, and however often it is said to be in place."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    for method in ("media", "media", "answer", "media", "answer"):
        rig.request(method, callID=call, sdp=REMOTE_SDP)
    media = rig.peers[call][-1]
    rig.remote_applied()
    rig.session.receive(RemoteApplied(media), now=rig.now)
    rig.drain()
    assert sum(isinstance(action, ApplyRemote) for action in rig.actions) == 1
    assert rig.states(call)[-2:] == ["early", "active"]


# Configuration.


def test_the_configuration_of_a_peer() -> None:
    """MEDIA-020 to MEDIA-024, MEDIA-040, MEDIA-044, MEDIA-045, MEDIA-708: the call's option before the client's."""
    rig = Rig.registered(
        forceRelayCandidate=True, prefetchIceCandidates=False, iceServers=[{"urls": "stun:stun.example.com"}]
    )
    call = rig.dial(
        forceRelayCandidate=False,
        preferred_codecs=[{"mimeType": "audio/opus", "clockRate": 48000}],
        useStereo=True,
        mediaSettings={"useSdpASBandwidthKbps": True, "sdpASBandwidthKbps": 40},
    )
    config = rig.ledger.peers[rig.peers[call][-1]].config
    assert (config.role, config.force_relay, config.prefetch, config.trickle) == ("offer", False, False, False)
    assert [server.urls for server in config.ice_servers] == [("stun:stun.example.com",)]
    assert [codec.mime_type for codec in config.preferred_codecs] == ["audio/opus"]
    assert (config.use_stereo, config.max_kbps) == (True, 40)
    other = rig.ledger.peers[rig.peers[rig.dial()][-1]].config
    assert (other.force_relay, other.use_stereo, other.max_kbps) == (True, False, None)


def test_the_default_servers() -> None:
    """MEDIA-021, MEDIA-727: in this order."""
    rig = Rig.registered()
    call = rig.dial()
    config = rig.ledger.peers[rig.peers[call][-1]].config
    assert [url for server in config.ice_servers for url in server.urls] == [
        "stun:stun.telnyx.com:3478",
        "stun:stun.l.google.com:19302",
        "turn:turn.telnyx.com:3478?transport=udp",
        "turn:turn.telnyx.com:3478?transport=tcp",
        "turns:turn.telnyx.com:443",
    ]


def test_the_source_is_the_one_that_the_call_names() -> None:
    """CALL-030, CALL-035, MEDIA-410."""
    rig = Rig.registered()
    call = rig.dial(micId="line-1", audio={"echoCancellation": False})
    (opened,) = [action for action in rig.actions if isinstance(action, OpenSource)]
    assert opened == OpenSource(rig.peers[call][-1], "line-1", {"echoCancellation": False})


def test_the_order_of_an_offer_and_of_an_answer() -> None:
    """MEDIA-030 to MEDIA-037."""
    rig = Rig.registered()
    rig.dial()
    rig.media_ok()
    kinds = [type(action) for action in rig.actions]
    assert kinds.index(OpenPeer) < kinds.index(OpenSource) < kinds.index(CreateOffer)
    rig.clear()
    rig.inbound("answering")
    kinds = [type(action) for action in rig.actions]
    assert kinds.index(OpenPeer) < kinds.index(ApplyRemote) < kinds.index(OpenSource) < kinds.index(CreateAnswer)
    assert ClosePeer not in kinds
