"""Missing media, from the readings to the recovery of the path (STATS-306, STATS-307, STATS-314, MEDIA-212)."""

from collections.abc import Callable

import pytest

from telnyx_core.ids import CallId
from telnyx_core.quality.snapshot import StatsSnapshot
from telnyx_core.testing.rig import Rig
from tests.quality.readings import healthy
from tests.quality.test_frames import active

INBOUND, OUTBOUND = 32001, 32002
RENEWAL, SIGNALLING = 36004, 36003


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


def test_no_inbound_media_renews_the_path() -> None:
    """STATS-510: bytes frozen at the entry of 10 s; three entries later the path is renewed, over a sound socket."""
    rig, call = outage("bytes_received", "packets_received")
    rig.advance(10)
    rig.say({"jsonrpc": "2.0", "id": 77, "method": "telnyx_rtc.ping", "params": {}})  # the socket was heard just now
    rig.advance(2.9)
    assert rig.codes == []
    rig.advance(0.1)
    assert rig.codes == [INBOUND, RENEWAL]
    assert len(rig.peers[call]) == 2, "a second peer is built beside the first"


def test_no_outbound_media_renews_it_as_well() -> None:
    rig, _ = outage("bytes_sent", "packets_sent")
    rig.advance(12)
    rig.say({"jsonrpc": "2.0", "id": 77, "method": "telnyx_rtc.ping", "params": {}})
    rig.advance(1)
    assert rig.codes == [OUTBOUND, RENEWAL]


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
    rig.mute(call)
    rig.advance(14)
    assert rig.codes == [OUTBOUND]


def test_every_warning_is_evidence_anew() -> None:
    """STATS-314: the renewal that the first one began has failed, and 15 s later nothing has come."""
    rig, call = outage("bytes_received", "packets_received")
    rig.advance(10)
    rig.say({"jsonrpc": "2.0", "id": 77, "method": "telnyx_rtc.ping", "params": {}})
    rig.advance(3)
    rig.clear()
    rig.media_ok(call)
    rig.describe(at=call)
    rig.reply("modify", error=(-32602, "no"), call=call)
    assert rig.codes[0] == 47001
    assert SIGNALLING in rig.codes, "what cannot be renewed is for the socket to mend (MEDIA-225)"


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
