"""Missing media, from the readings to what is done about it (STATS-306, STATS-307, STATS-314, MEDIA-212)."""

from collections.abc import Callable

import pytest

from telnyx_core.events import StatsFrame
from telnyx_core.ids import CallId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from tests.quality.readings import healthy
from tests.quality.test_frames import active

INBOUND, OUTBOUND, SILENCE = 32001, 32002, 31006
RENEWAL = 36004


def freeze(rig: Rig, *names: str, at: float = 10.0) -> Callable[[float], StatsSnapshot]:
    """These counters stand still from ``at`` seconds on."""
    start = rig.now

    def reading(now: float) -> StatsSnapshot:
        stopped = healthy(min(now - start, at))
        return healthy(now - start, **{name: getattr(stopped, name) for name in names})

    return reading


def outage(*names: str, **options: object) -> tuple[Rig, CallId]:
    rig, call = active(**options)
    rig.reading = freeze(rig, *names)
    return rig, call


def test_a_far_end_that_sends_nothing_is_told_once_and_costs_nothing() -> None:
    """STATS-306, STATS-510, MEDIA-212, PS-045: bytes frozen at the entry of 10 s; three entries later it is told. The
    path is connected, so consent is answered: nothing is renewed and no socket is replaced, however long it lasts.
    """
    rig, call = outage("bytes_received", "packets_received")
    rig.always("ping", {})
    rig.advance(12.9)
    assert rig.codes == []
    rig.advance(0.1)
    assert rig.codes == [INBOUND]
    rig.advance(600)
    assert rig.codes == [INBOUND]
    assert len(rig.peers[call]) == 1


def test_a_far_end_that_sends_no_rtcp_is_no_fault() -> None:
    """PS-044: "RTCP may be switched off: round trip then comes from ICE; absence is no warning"."""
    rig, call = active()
    rig.always("ping", {})
    start = rig.now
    unknown = dict.fromkeys(("remote_packets_lost", "remote_fraction_lost", "remote_jitter"))
    rig.reading = lambda now: healthy(now - start, **unknown)
    rig.advance(120)
    assert rig.codes == []
    assert len(rig.peers[call]) == 1
    frames = rig.heard_of(StatsFrame)
    assert {frame.rtt for frame in frames} == {40.0}
    assert all(frame.quality == "excellent" for frame in frames[2:])


def test_a_far_end_that_falls_silent_again_is_told_again() -> None:
    """STATS-310: once in each spell."""
    rig, _ = active()
    rig.always("ping", {})
    start = rig.now
    flows = [True]
    counted = [0]

    def reading(now: float) -> StatsSnapshot:
        counted[0] += 50 if flows[0] else 0
        return healthy(now - start, bytes_received=80 * counted[0], packets_received=counted[0])

    rig.reading = reading
    for now_flows, seconds in ((True, 5), (False, 40), (True, 5), (False, 40)):
        flows[0] = now_flows
        rig.advance(seconds)
    assert rig.codes == [INBOUND, INBOUND]


def test_missing_media_over_a_path_without_consent_renews_it_at_once() -> None:
    """MEDIA-210, MEDIA-212: the checks are not answered and nothing comes: nobody waits three seconds more."""
    rig, call = outage("bytes_received", "packets_received")
    rig.always("ping", {})
    rig.advance(14)
    assert rig.codes == [INBOUND]
    rig.peer("disconnected")
    rig.advance(0.1)
    assert rig.codes == [INBOUND, 33001, RENEWAL]
    assert len(rig.peers[call]) == 2, "a second peer is built beside the first"


def test_no_outbound_media_is_told() -> None:
    """STATS-307: nothing leaves, but the path works: another one would carry no more."""
    rig, call = outage("bytes_sent", "packets_sent")
    rig.always("ping", {})
    rig.advance(13)
    assert rig.codes == [OUTBOUND]
    assert len(rig.peers[call]) == 1


def test_a_renewal_under_way_is_not_warned_of() -> None:
    """STATS-305 to STATS-307: what the path that is being replaced does not carry is no news."""
    rig, call = active()
    rig.always("ping", {})
    start = rig.now
    rig.reading = lambda now: healthy(min(now - start, 5.0), remote_level=0.0)
    rig.advance(5)
    rig.peer("failed")
    rig.clear()
    rig.media_ok(call)
    rig.describe(at=call)
    rig.reply("modify", {"sdp": REMOTE_SDP}, call=call)
    rig.advance(12)
    assert rig.codes == []


def test_rtcp_does_not_hide_an_outage() -> None:
    """STATS-054: bytes are not counted by every engine; packets of audio are."""
    rig, _ = active()
    start = rig.now
    rig.reading = lambda now: healthy(now - start, bytes_received=None, packets_received=min(500, round(50 * now)))
    rig.advance(13)
    assert INBOUND in rig.codes


def test_a_held_call_is_owed_nothing() -> None:
    """STATS-306, STATS-510."""
    rig, call = active()
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"}, call=call)
    rig.reading = freeze(rig, "bytes_received", "packets_received")
    rig.advance(60)
    assert rig.codes == []


def test_a_held_call_that_sends_nothing_is_warned_of_and_left_alone() -> None:
    """STATS-307 warns; MEDIA-212 gives no evidence while held."""
    rig, call = active()
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"}, call=call)
    rig.reading = freeze(rig, "bytes_sent", "packets_sent")
    rig.advance(14)
    assert rig.codes == [OUTBOUND]


def test_a_muted_call_that_sends_nothing_is_warned_of_and_left_alone() -> None:
    rig, call = outage("bytes_sent", "packets_sent")
    rig.set_muted(call, True)
    rig.advance(14)
    assert rig.codes == [OUTBOUND]


@pytest.mark.parametrize("again", [False, True], ids=["before", "after"])
def test_while_the_socket_is_down_missing_media_is_no_fault_of_the_media(again: bool) -> None:
    """SRV-008: the server may be silent until it attaches the call; the outage is known already."""
    rig, call = outage("bytes_received", "packets_received")
    rig.advance(9)
    rig.lose()
    rig.clear()
    rig.advance(0.1)
    if again:
        rig.open()
        rig.login_ok()
    rig.advance(8)
    assert rig.states(call) in ([], ["recovering"])
    assert INBOUND not in rig.codes
    assert RENEWAL not in rig.codes


@pytest.mark.parametrize("lost", [True, False])
def test_silence_is_not_warned_of_while_the_call_is_recovering(lost: bool) -> None:
    """SRV-008: a server that has lost the socket sends nothing, and the outage is known already."""
    rig, call = active()
    rig.always("ping", {})
    start = rig.now
    rig.reading = lambda now: healthy(now - start, remote_level=0.2 if now < start + 5 else 0.0)
    rig.advance(5)
    if lost:
        rig.lose()
    rig.advance(20)
    assert rig.info(call).state.value == ("recovering" if lost else "active")
    assert (SILENCE in rig.codes) is not lost


def test_once_back_it_is_judged_afresh() -> None:
    """STATS-313: three entries after the re-attach, not at once."""
    rig, call = outage("bytes_received", "packets_received")
    rig.advance(12.5)
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.clear()
    rig.advance(3)
    assert INBOUND not in rig.codes
    rig.advance(1.5)
    assert INBOUND in rig.codes
