"""A path that carries one way only, a far end that has nothing to say, a NAT that forgets (media.md 5).

No recovery may make a direction silent that was heard: `SimClient` looks at every action of the core for that.
"""

from collections.abc import Iterable

import pytest

from telnyx_core.events import PeerConnectionFailure, SocketClose, StatsFrame
from telnyx_core.ids import CallId
from telnyx_core.testing import Sim, SimClient
from tests.inside import hub_of
from tests.scenarios.story import ACTIVE, at_the_phone, call_and_talk, talking


def unheard(sim: Sim, alice: SimClient, calls: Iterable[CallId], seconds: float) -> dict[CallId, float]:
    """For how many seconds the far end does not hear us, while time passes."""
    missing = dict.fromkeys(calls, 0.0)
    for _ in range(round(seconds / 0.02)):
        sim.run(0.02)
        for call in missing:
            peer = alice.media.peer_in_use(call)
            missing[call] += 0.0 if peer is not None and sim.model.is_heard(peer) else 0.02
    return missing


@pytest.fixture(params=[False, True], ids=["make before break", "moves at once"])
def moves(request: pytest.FixtureRequest) -> bool:
    """What the server does with the old path when it is asked for a new one."""
    return bool(request.param)


def test_a_far_end_that_sends_nothing_goes_on_hearing_us(moves: bool) -> None:
    """PS-045: silence suppression, hold without music, a mailbox that records. 60 s, and not a packet is missing."""
    sim, alice = at_the_phone()
    sim.gateway_media.moves_at_once = moves
    call = alice.new_call("silence")
    sim.run_until(lambda: alice.state_of(call) is ACTIVE and sim.media_flows(call))
    assert unheard(sim, alice, [call], 60) == {call: 0}
    assert alice.warnings() == [31006, 32001, 31006, 31006, 31006]
    assert alice.requests("telnyx_rtc.modify") == []
    assert alice.all_of(SocketClose) == []


def test_a_server_that_sends_no_rtcp_is_no_fault() -> None:
    """PS-044: "RTCP may be switched off: round trip then comes from ICE; absence is no warning"."""
    sim, alice, _ = talking("tone")
    sim.run(120)
    frames = alice.all_of(StatsFrame)
    assert len(frames) >= 20
    assert {(frame.reading.remote_jitter, frame.reading.remote_round_trip_count) for frame in frames} == {(None, None)}
    assert {frame.rtt for frame in frames} == {40.0}
    assert alice.warnings() == []
    assert len(alice.ledger.peers) == 1


def test_one_call_s_dead_path_costs_the_other_nothing(moves: bool) -> None:
    """MEDIA-237: it is renewed in place, again and again; the other neither recovers nor misses a packet."""
    sim, alice, first = talking()
    sim.gateway_media.moves_at_once = moves
    second = call_and_talk(sim, alice, "tone")
    told = len(alice.states(second))
    peer = alice.media.peer_in_use(first)
    assert peer is not None
    peer.replaced = True
    sim.model.reconsider(peer)
    alice.media.remote_trouble.extend(["nonsense"] * 3)
    assert unheard(sim, alice, [second], 60) == {second: 0}
    assert len(alice.states(second)) == told
    assert alice.all_of(SocketClose) == []
    assert sim.media_flows(first)


def test_while_we_hear_the_far_end_nothing_is_touched(moves: bool) -> None:
    """Our packets are lost on the way out. What is still heard would go silent with a renewal: until consent has
    expired, which ends our sending anyway (RFC 7675), nothing is done. When the way is back, so is the call.
    """
    sim, alice, call = talking("tone")
    sim.gateway_media.moves_at_once = moves
    alice.media.cut("out")
    sim.run(25)
    assert alice.requests("telnyx_rtc.modify") == []
    assert len(alice.ledger.peers) == 1
    alice.media.heal()
    sim.run(2)
    assert sim.media_flows(call)
    assert alice.all_of(PeerConnectionFailure) == []


@pytest.mark.parametrize("courses", [("out",), ("in",), ("out", "in")], ids="+".join)
@pytest.mark.parametrize("seconds", [4, 20, 50])
def test_a_path_that_was_cut_is_whole_again(courses: tuple[str, ...], seconds: float, moves: bool) -> None:
    """Whichever way, and for however long: soon after it is back the call has media both ways, on the same socket."""
    sim, alice, call = talking("tone")
    sim.gateway_media.moves_at_once = moves
    alice.media.cut(*courses)
    sim.run(seconds)
    alice.media.heal()
    sim.run(45)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.all_of(SocketClose) == []


def test_a_nat_that_forgets_is_noticed_and_got_around(moves: bool) -> None:
    """Nothing passes the old mappings any more; a renewed path makes new ones. One renewal, within ten seconds."""
    sim, alice, call = talking("tone")
    sim.gateway_media.moves_at_once = moves
    alice.media.rebind()
    sim.run(10)
    assert sim.media_flows(call)
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["updateMedia"]
    assert 36003 not in alice.warnings()


@pytest.mark.parametrize("number", ["tone", "silence"])
def test_an_own_renewal_is_no_failure(number: str) -> None:
    """The server lets go of the path that we replace: no 33004 and no `PeerConnectionFailure` for that."""
    sim, alice, call = talking(number)
    sim.gateway_media.moves_at_once = True
    sim.model.disconnected_after = 1.0
    alice.spares_what_works = False
    hub_of(alice.session).renew_media(call, "asked for", sim.now)
    alice.drain()
    alice.media.gather_time = 4.0
    sim.run(6)
    assert sim.media_flows(call)
    assert 33004 not in alice.warnings()
    assert 32002 not in alice.warnings()
    assert alice.all_of(PeerConnectionFailure) == []
