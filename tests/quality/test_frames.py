"""``telnyx.stats.frame`` on the virtual clock (quality.md sections 1 and 3.1)."""

import pytest

from telnyx_core._quality.summary import next_beat
from telnyx_core.actions import TakeStats
from telnyx_core.catalogue import WarningCode
from telnyx_core.events import StatsFrame, WarningRaised
from telnyx_core.ids import CallId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.rig import REMOTE_SDP, Rig
from telnyx_core.testing.wire import EPOCH
from tests.quality.readings import healthy, since


def active(**options: object) -> tuple[Rig, CallId]:
    """A call that has just become active, with an engine that reads whenever it is asked to."""
    rig = Rig.registered(**options)
    rig.always("ping")
    rig.metered = True
    call = rig.outbound()
    rig.reading = since(rig.now)
    rig.clear()
    return rig, call


def frames(rig: Rig) -> list[tuple[float, StatsFrame]]:
    """With the seconds at which they came."""
    return [
        (at, action.event)
        for at, action in rig.timeline
        if hasattr(action, "event") and isinstance(action.event, StatsFrame)
    ]


@pytest.mark.parametrize(
    ("options", "seconds", "times"),
    [
        ({}, 12.0, [5.0, 10.0]),
        ({"callReportInterval": 3000}, 10.0, [3.0, 6.0, 9.0]),
        ({"callReportInterval": 500}, 2.2, [0.5, 1.0, 1.5, 2.0]),
        ({"callReportInterval": 2500}, 11.0, [3.0, 5.0, 8.0, 10.0]),
        ({"enableCallReports": False, "debug": True}, 6.0, [5.0]),
        ({"enableCallReports": False}, 60.0, []),
    ],
)
def test_a_frame_every_interval(options: dict[str, object], seconds: float, times: list[float]) -> None:
    """STATS-116, STATS-500 to STATS-502: at the first reading that the interval has passed by."""
    rig, _ = active(**options)
    rig.advance(seconds)
    assert [at for at, _ in frames(rig)] == times


def test_nothing_is_read_where_nobody_wants_to_know() -> None:
    """STATS-502."""
    rig, call = active(enableCallReports=False)
    rig.reading = since(rig.now, round_trip_time=3.0)
    rig.advance(60)
    rig.hangup(call)
    rig.reply("bye", call=call)
    assert not any(isinstance(action, TakeStats) for action in rig.actions)
    assert not rig.heard_of(WarningRaised)


def test_what_a_frame_says() -> None:
    """STATS-100 to STATS-110, in the documents' units and names."""
    rig, call = active()
    rig.advance(5)
    [(_, frame)] = frames(rig)
    assert (frame.call, frame.timestamp) == (call, EPOCH + 5)
    assert (frame.rtt, frame.jitter, frame.packet_loss) == (40.0, 5.0, 0.0)
    assert (frame.packets_sent, frame.bytes_received) == (250, 40_000)
    assert (frame.audio_level, frame.local_audio_level) == (0.2, 0.1)
    assert frame.mos == pytest.approx(4.3974, abs=5e-5), "a vector of STATS-040"
    assert frame.quality == "excellent"
    record = frame.to_mapping()
    assert record["callId"] == call
    assert record["timestamp"] == round((EPOCH + 5) * 1000)
    assert record["rtt"] == 40.0
    for name, kind in (("inboundAudio", "inbound-rtp"), ("remoteInboundAudio", "remote-inbound-rtp")):
        entry = record[name]
        assert isinstance(entry, dict)
        assert entry["type"] == kind
    inbound = frame.inbound_audio
    assert inbound is not None
    assert (inbound["jitter"], inbound["packetsReceived"]) == (0.005, 250), "seconds, as the W3C has them"


def test_an_engine_that_knows_nothing_gives_frames_that_say_so() -> None:
    """STATS-036: unknown is ``None``, never a number that stands for it."""
    rig, _ = active()
    rig.reading = lambda now: StatsSnapshot()
    rig.advance(5)
    [(_, frame)] = frames(rig)
    assert {frame.rtt, frame.jitter, frame.packet_loss, frame.mos, frame.quality, frame.packets_sent} == {None}
    assert frame.inbound_audio is None


def test_loss_is_that_of_the_time_since_the_frame_before() -> None:
    """STATS-104."""
    rig, _ = active()
    start = rig.now
    rig.reading = lambda now: healthy(now - start, packets_lost=10 if now - start > 5 else 0)
    rig.advance(15)
    assert [frame.packet_loss for _, frame in frames(rig)] == [0.0, pytest.approx(100 * 10 / 260), 0.0]


def test_hold_and_mute_are_told() -> None:
    """STATS-110, STATS-011: reading goes on while held."""
    rig, call = active()
    rig.set_muted(call, True)
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"}, call=call)
    rig.advance(5)
    [(_, frame)] = frames(rig)
    assert (frame.held, frame.muted) == (True, True)


def test_unhold_does_not_start_the_clock_anew() -> None:
    """STATS-012."""
    rig, call = active()
    rig.advance(3)
    rig.hold(call)
    rig.reply("modify", {"holdState": "held"}, call=call)
    rig.unhold(call)
    rig.reply("modify", {"holdState": "active"}, call=call)
    rig.advance(7)
    assert [at for at, _ in frames(rig)] == [5.0, 10.0]


def test_a_stall_is_not_made_up_for() -> None:
    """STATS-116: after half a minute in which nothing ran there is one frame, and the beat is kept."""
    rig, _ = active()
    rig.now += 32.5
    rig.advance(3)
    assert [at for at, _ in frames(rig)] == [32.5, 35.0]


def test_a_reading_that_fails_is_left_out() -> None:
    """STATS-010."""
    rig, _ = active()
    start, read = rig.now, rig.reading
    rig.reading = lambda now: None if 4.5 < now - start < 6.5 else read(now)
    rig.advance(11)
    assert [at for at, _ in frames(rig)] == [7.0, 10.0]


def test_no_frame_after_the_hang_up() -> None:
    """STATS-116: the BYE waits for its reply for longer than the next frame would."""
    rig, call = active()
    rig.advance(4.9)
    rig.hangup(call)
    rig.advance(4)
    assert frames(rig) == []


def test_over_a_re_attach_the_call_counts_on() -> None:
    """STATS-011, STATS-313: new counters are no loss and no negative rate, and what was counted is kept."""
    rig, call = active()
    rig.advance(10)
    rig.come_back(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.reading = since(rig.now)
    rig.clear()
    rig.advance(10)
    (_, first), (_, second) = frames(rig)
    assert (first.packets_received, second.packets_received) == (750, 1000)
    assert (first.packet_loss, second.packet_loss) == (0.0, 0.0)
    assert first.inbound_audio is not None
    assert first.inbound_audio["packetsReceived"] == 250, "the peer's own"


def test_a_warning_is_not_raised_for_the_time_before_the_re_attach() -> None:
    """STATS-313."""
    rig, call = active()
    rig.reading = since(rig.now, round_trip_time=0.5)
    rig.advance(2)
    rig.come_back(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    rig.reading = since(rig.now, round_trip_time=0.5)
    rig.clear()
    rig.advance(2)
    assert WarningCode.HIGH_RTT not in rig.codes
    rig.advance(1)
    assert WarningCode.HIGH_RTT in rig.codes


@pytest.mark.parametrize(
    ("origin", "step", "now", "expected"),
    [(0, 5, 0, 5), (0, 5, 4.99, 5), (0, 5, 5, 10), (0.3, 5, 5.3, 10.3), (0, 0.1, 0.3, 0.4), (7, 1, 100.5, 101)],
)
def test_the_next_beat(origin: float, step: float, now: float, expected: float) -> None:
    assert next_beat(origin, step, now) == pytest.approx(expected)
