"""``enableCallRecording``: what is kept of a call's audio, and how it is written for the platform (quality.md 7)."""

import asyncio
import base64
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._reports.recording import PACKET_COST, part_period
from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core.actions import PostBody
from telnyx_core.facts import UploadWritten
from telnyx_core.gateway.events import CallRecordingReceived
from telnyx_core.ids import CallId, UploadId
from telnyx_core.options import ClientOptions, RecordedTrack
from telnyx_core.testing.wire import EPOCH
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._services.call_recording import (
    CallRecorder,
    TrackBuffer,
    recording_id,
)
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers.asyncio import TelnyxRTC, Tone
from telnyx_drivers.gateway import Gateway

CALL = CallId("0b1c")
HOME = ReportEndpoint("https://gw.example.org/call_report", "gw.example.org", "report-7", "VSDK-1")
LOUD = np.full(960, 16_384, dtype=np.int16)
QUIET = np.zeros(960, dtype=np.int16)


class Clock:
    def __init__(self) -> None:
        self.now = EPOCH

    def __call__(self) -> float:
        return self.now


class Bench:
    """A recorder, and what became of it."""

    def __init__(
        self, *, sides: Sequence[RecordedTrack] = ("local", "remote"), rate: int = 48_000, most: int = 8_000_000
    ) -> None:
        self.clock = Clock()
        self.overflows = 0
        self.said = self.listened = 0
        """Frames of the call that each direction has reached."""
        self.recorder = CallRecorder(
            CALL, sides=sides, rate=rate, most=most, overflowed=self._overflowed, wall=self.clock, rng=Random(3)
        )

    def _overflowed(self) -> None:
        self.overflows += 1

    def say(self, frames: int, said: Samples = LOUD, rate: int = 48_000) -> None:
        for _ in range(frames):
            at = max(self.said, self.listened - 1)
            self.recorder.sent(said, rate, at)
            self.said = at + 1
            self.clock.now = round(self.clock.now + 0.02, 3)

    def hear(self, frames: int, heard: Samples = LOUD, rate: int = 48_000) -> None:
        for _ in range(frames):
            at = max(self.listened, self.said)
            self.recorder.heard(heard, rate, at)
            self.listened = at + 1
            self.clock.now = round(self.clock.now + 0.02, 3)

    def talk(self, frames: int) -> None:
        for _ in range(frames):
            self.recorder.heard(QUIET, 48_000, self.said)
            self.listened = self.said + 1
            self.say(1)

    def segment(self, side: RecordedTrack, *, final: bool = True) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies(side, final=final)]

    def bodies(self, side: RecordedTrack, *, final: bool = True) -> tuple[bytes, ...]:
        return self.recorder.segment(side, HOME, final=final)


def audio(segments: Sequence[dict[str, Any]]) -> "np.ndarray[Any, np.dtype[np.float32]]":
    packets = [packet for segment in segments for packet in segment["packets"]]
    return np.concatenate([np.frombuffer(base64.b64decode(packet["payload_b64"]), dtype="<f4") for packet in packets])


def member(segments: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [packet[name] for segment in segments for packet in segment["packets"]]


@pytest.mark.parametrize("side", ["local", "remote"])
def test_a_second_is_fifty_packets(side: RecordedTrack) -> None:
    """REC-200, REC-011."""
    bench = Bench()
    bench.talk(50)
    [segment] = bench.segment(side)
    assert (segment["packet_count"], segment["byte_count"]) == (50, 192_000)
    assert member([segment], "rtp_seq") == list(range(1, 51))
    assert member([segment], "rtp_ts") == list(range(0, 48_000, 960))
    assert len(set(member([segment], "rtp_ssrc"))) == 1
    assert member([segment], "captured_at")[:2] == ["2027-01-15T08:00:00.000Z", "2027-01-15T08:00:00.020Z"]
    assert set(audio([segment])) == {0.5 if side == "local" else 0.0}


def test_what_is_told_of_a_segment() -> None:
    """REC-014: all of it but the packets is exactly this."""
    bench = Bench()
    bench.talk(50)
    [first] = bench.segment("remote", final=False)
    bench.clock.now += 2
    bench.talk(1)
    [last] = bench.segment("remote")
    for segment in (first, last):
        del segment["packets"]
    assert first == {
        "call_report_id": "report-7",
        "call_id": "0b1c",
        "voice_sdk_id": "VSDK-1",
        "recording_id": recording_id("0b1c", EPOCH),
        "segment": "intermediate",
        "track": "remote",
        "codec": "pcm-f32-le",
        "sample_rate": 48_000,
        "channels": 1,
        "started_at": "2027-01-15T08:00:00.000Z",
        "ended_at": "2027-01-15T08:00:01.000Z",
        "packet_count": 50,
        "byte_count": 192_000,
    }
    assert last == {
        **first,
        "segment": "final",
        "ended_at": "2027-01-15T08:00:03.020Z",
        "packet_count": 1,
        "byte_count": 3_840,
    }


def test_a_server_without_a_token_is_told_of_none() -> None:
    bench = Bench()
    bench.talk(1)
    [body] = bench.recorder.segment("local", evolve(HOME, voice_sdk_id=None), final=True)
    assert "voice_sdk_id" not in json.loads(body)


def test_the_name_of_a_recording() -> None:
    """REC-014: the time in milliseconds, in base 36."""
    assert recording_id("c", 1_795_000_000.123) == f"c-{np.base_repr(1_795_000_000_123, 36).lower()}"
    assert recording_id("c", 0) == "c-0"


def test_the_next_segment_goes_on_where_the_last_one_ended() -> None:
    """REC-011: numbers and times go through."""
    bench = Bench()
    bench.talk(50)
    bench.segment("local", final=False)
    bench.talk(2)
    last = bench.segment("local")
    assert member(last, "rtp_seq") == [51, 52]
    assert member(last, "rtp_ts") == [48_000, 48_960]


def test_numbers_and_times_go_round() -> None:
    """REC-011: modulo 2^16 and 2^32."""
    track = TrackBuffer(48_000, 8_000_000, ssrc=1)
    track._sequence, track._timestamp = 0xFFFF - 1, 0xFFFF_FFFF - 959
    for _ in range(3):
        track.add(QUIET, 48_000, EPOCH)
    packets = track.take()
    assert [packet.sequence for packet in packets] == [0xFFFF, 0, 1]
    assert [packet.timestamp for packet in packets] == [0xFFFF_FFFF - 959, 0, 960]


def test_nothing_is_sent_of_a_track_on_which_there_was_nothing() -> None:
    """REC-015."""
    assert Bench().bodies("local") == ()


def test_only_what_was_asked_for() -> None:
    """REC-005."""
    bench = Bench(sides=["remote"])
    bench.talk(3)
    assert bench.recorder.sides == ("remote",)
    assert bench.segment("remote")[0]["packet_count"] == 3
    with pytest.raises(KeyError):
        bench.segment("local")


def test_the_oldest_goes_and_is_told_once() -> None:
    """REC-201, REC-012: 25 packets of 3840 and 160 bytes are 100 000; once for each track and segment."""
    bench = Bench(most=100_000)
    bench.talk(25)
    assert bench.overflows == 0
    bench.talk(10)
    assert bench.overflows == 2
    segment = bench.segment("local", final=False)
    assert member(segment, "rtp_seq") == list(range(11, 36))
    bench.talk(25)
    assert bench.overflows == 2
    bench.talk(5)
    assert bench.overflows == 3, "the other track has not been sent, so that this is no news"
    bench.segment("remote")
    bench.talk(26)
    assert bench.overflows == 4


@pytest.mark.parametrize("had", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("wanted", [8_000, 16_000, 48_000])
def test_a_rate_is_kept_whatever_the_call_has(had: int, wanted: int) -> None:
    """REC-011: what is said of the rate is true; a tone keeps its pitch."""
    bench = Bench(rate=wanted)
    tone = Tone(440.0)
    for _ in range(100):
        said = tone.read(had)
        assert said is not None
        bench.say(1, said, had)
    [segment] = bench.segment("local")
    heard = audio([segment])
    assert segment["sample_rate"] == wanted
    assert heard.size == pytest.approx(2 * wanted, rel=0.01)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert np.argmax(spectrum) * wanted / heard.size == pytest.approx(440, abs=1)
    stamps = member([segment], "rtp_ts")
    sizes = [len(base64.b64decode(each)) // 4 for each in member([segment], "payload_b64")]
    assert list(np.diff(stamps)) == sizes[:-1]


def test_a_call_may_change_its_rate() -> None:
    """A re-attach may agree on another codec."""
    bench = Bench(rate=16_000)
    bench.say(50, LOUD[:160], 8_000)
    bench.say(50, LOUD, 48_000)
    assert audio(bench.segment("local")).size == pytest.approx(32_000, rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "most", "rate", "period"),
    [
        (15.0, 8_000_000, 48_000, 15.0),
        (60.0, 8_000_000, 48_000, 19.231),
        (15.0, 100_000, 48_000, 1.0),
        (0.5, 8_000_000, 48_000, 0.5),
        (240.0, 8_000_000, 8_000, 83.333),
        (0.0, 8_000_000, 48_000, 0.0),
    ],
)
def test_how_often_it_is_sent(wanted: float, most: int, rate: int, period: float) -> None:
    """REC-002, REC-013."""
    options = ClientOptions(
        anonymous_login={"target_type": "ai_assistant", "target_id": "a"},
        call_recording_flush_interval=wanted,
        call_recording_max_buffer_bytes=most,
        call_recording_sample_rate=rate,
    )
    assert part_period(options) == pytest.approx(period, abs=0.001)


def test_what_is_said_on_hold_is_not_recorded() -> None:
    """REC-010: the track goes on, silent. Nobody heard it either."""
    bench = Bench()
    bench.recorder.held = True
    bench.talk(10)
    bench.recorder.held = False
    bench.talk(10)
    sound = audio(bench.segment("local"))
    assert set(sound[:9_600]) == {0.0}
    assert set(sound[9_600:]) == {0.5}


def test_both_tracks_stay_as_long_as_the_call() -> None:
    """While a peer is renewed nothing is heard: that is silence, but not at the first frame that is late."""
    bench = Bench()
    bench.talk(20)
    bench.say(2)
    assert bench.segment("remote", final=False)[0]["packet_count"] == 20
    bench.say(48)
    bench.talk(20)
    local, remote = bench.segment("local"), bench.segment("remote")
    assert (local[0]["packet_count"], remote[0]["packet_count"]) == (90, 70)
    assert member(remote, "rtp_seq") == list(range(21, 91))


def test_nothing_is_taken_after_the_end() -> None:
    bench = Bench()
    bench.talk(2)
    bench.recorder.close()
    bench.talk(2)
    assert bench.recorder.ended
    assert bench.segment("local")[0]["packet_count"] == 2


def test_a_call_that_ends_lets_go_of_it() -> None:
    bench, call = Bench(), CallAudio()
    call.add_tap(bench.recorder)
    call.pull(48_000)
    call.push(LOUD, 48_000)
    call.close()
    assert bench.recorder.ended
    assert (bench.segment("local")[0]["packet_count"], bench.segment("remote")[0]["packet_count"]) == (1, 1)
    late = Bench()
    call.add_tap(late.recorder)
    assert late.recorder.ended


@pytest.mark.parametrize("muted", [False, True])
def test_what_is_said_while_muted_is_not_recorded(muted: bool) -> None:
    """REC-010, MEDIA-405."""
    bench, call = Bench(), CallAudio()
    call.add_voice(Tone(440.0))
    call.add_tap(bench.recorder)
    call.set_muted(muted)
    for _ in range(10):
        call.pull(48_000)
    assert np.any(audio(bench.segment("local"))) != muted


def test_a_long_segment_goes_in_parts() -> None:
    """REC-017: none is larger than 1 900 000 bytes, each has the same word, and together they are the whole."""
    bench = Bench()
    bench.talk(750)
    made = bench.bodies("local", final=False)
    assert len(made) == 3
    assert all(len(body) <= 1_900_000 for body in made)
    assert all(len(body) > 1_700_000 for body in made[:-1]), "they are not cut smaller than they need be"
    parts = [json.loads(body) for body in made]
    assert {part["segment"] for part in parts} == {"intermediate"}
    assert member(parts, "rtp_seq") == list(range(1, 751))
    assert sum(part["packet_count"] for part in parts) == 750
    assert [len(part["packets"]) for part in parts] == [part["packet_count"] for part in parts]


def test_nothing_of_it_is_shown() -> None:
    """It is what people said."""
    bench = Bench()
    bench.talk(1)
    [body] = bench.bodies("local")
    orders = [PostBody(UploadId(1), HOME.url, {}, body), UploadWritten(UploadId(1), (body,))]
    assert all("payload" not in repr(order) for order in orders)
    assert "VSDK-1" not in repr(HOME)


@given(
    st.lists(st.one_of(st.integers(1, 12).map(lambda n: ("add", n)), st.just(("take", 0)))),
    st.integers(1, 20),
)
def test_a_buffer_holds_what_is_newest_in_order_and_no_more_than_it_may(
    steps: list[tuple[str, int]], room: int
) -> None:
    """REC-012."""
    most = room * (3_840 + PACKET_COST)
    track = TrackBuffer(48_000, most, ssrc=1)
    added = 0
    expected: list[int] = []
    for step, count in steps:
        match step:
            case "add":
                expected += range(added + 1, added + count + 1)
                added += count
                for _ in range(count):
                    track.add(QUIET, 48_000, EPOCH)
            case _:
                track.take()
                expected = []
        expected = expected[-room:]
    assert [packet.sequence for packet in track.take()] == expected


@pytest.mark.net
@pytest.mark.media
@pytest.mark.slow
def test_a_real_call_comes_to_the_gateway() -> None:
    """What is said is on one track, what the echo says on the other, both true to the ear; a body for each."""

    async def story() -> list[dict[str, Any]]:
        async with Gateway(users={"alice": "secret"}) as gateway:
            options = {"enable_call_recording": True, "call_recording_sample_rate": 16_000}
            async with TelnyxRTC(login="alice", password="secret", env=gateway.url, **options) as client:
                call = await client.new_call("echo")
                await call.wait_for_state("active", timeout=20)
                await call.play(Tone(440.0))
                await asyncio.sleep(3)
                await call.hangup()
            came = [event for event in gateway.history if isinstance(event, CallRecordingReceived)]
            return sorted((dict(event.recording) for event in came), key=lambda body: str(body["track"]))

    bodies = asyncio.run(story())
    assert [body["track"] for body in bodies] == ["local", "remote"]
    for body in bodies:
        heard = audio([body])
        assert heard.size / 16_000 == pytest.approx(3, abs=0.8)
        middle = heard[16_000:32_000]
        assert np.argmax(np.abs(np.fft.rfft(middle * np.hanning(middle.size)))) == pytest.approx(440, abs=3)
        assert np.max(np.abs(middle)) > 0.01
