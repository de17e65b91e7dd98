"""A whole leg on a virtual clock, with pacer, digits, noise and recording: through stalls, and through histories."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telnyx_core.actions import DigitTone
from telnyx_drivers.media.audio.frames import Samples
from telnyx_drivers.media.audio.recorder import Recording
from telnyx_drivers.media.call_audio import CallAudio
from telnyx_drivers.media.rtp.g711 import PCMU
from telnyx_drivers.media.rtp.libopus import OpusSettings
from telnyx_drivers.media.rtp.packet import RtpPacket, parse
from telnyx_drivers.media.rtp.path import Leg, OnData
from telnyx_drivers.media.rtp_path import AgreedAudio, RtpCodec, RtpWiring
from tests.audio.helpers import call_audio, read_wav, sine
from tests.audio.histories import EVENT, NARROW, NOISE, PERFECT_SECONDS, Far, Step, histories
from tests.drivers.clock import VirtualClockLoop

DELAY = 0.05
CLICK: Samples = np.full(160, 12_000, dtype=np.int16)


def on_virtual_time(test: Callable[[VirtualClockLoop], Awaitable[None]]) -> None:
    loop = VirtualClockLoop()

    async def main() -> None:
        await test(loop)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@define
class Wire:
    loop: VirtualClockLoop
    sent: list[tuple[float, bytes]] = field(factory=list[tuple[float, bytes]])
    open: bool = True
    deliver: OnData | None = None

    def plug(self, on_rtp: OnData, on_rtcp: OnData) -> "Wire":
        self.deliver = on_rtp
        return self

    def send(self, packet: bytes) -> None:
        self.sent.append((self.loop.time(), packet))

    def send_rtcp(self, packet: bytes) -> None:
        pass

    def close(self) -> None:
        self.open = False

    def arrive(self, when: float, packet: RtpPacket) -> None:
        assert self.deliver is not None
        self.loop.call_at(when, self.deliver, packet.serialize())


@define
class Clicks:
    """A voice that clicks once at each of these times, as the loop's clock goes."""

    loop: VirtualClockLoop
    times: list[float]
    ended: bool = False
    error: None = None

    def read(self, rate: int) -> Samples | None:
        if self.times and self.times[0] <= self.loop.time():
            self.times.pop(0)
            return CLICK
        return None

    def close(self) -> None:
        self.ended = True


def leg(audio: CallAudio, wire: Wire, digits: list[str]) -> Leg:
    wiring = RtpWiring(
        transceiver=cast("Any", None),
        port=audio,
        heard=lambda: None,
        digit=lambda digit, seconds: digits.append(digit),
    )
    agreed = AgreedAudio(
        codecs=(RtpCodec(NARROW, "PCMU", 8_000), RtpCodec(111, "opus", 48_000)),
        telephone_events={EVENT: 8_000},
        sends=True,
        receives=True,
    )
    return Leg(wiring, agreed, OpusSettings(), ssrc=7, cname="x", wire=wire.plug)


def stall(loop: VirtualClockLoop, when: float, seconds: float) -> None:
    """The application blocks its loop."""

    def block() -> None:
        loop.virtual_now += seconds

    loop.call_at(when, block)


def record(audio: CallAudio, path: Path) -> Recording:
    """As `CallAudio.record`, without its thread: for which no virtual time would wait."""
    recording = Recording(
        path,
        sample_rate=8_000,
        channels="both",
        background=lambda job: job(),
        call_soon=None,
        on_fault=lambda error: None,
        on_gap=lambda error: None,
    )
    audio.add_tap(recording)
    return recording


STALLS = [(1.3, 0.2), (3.1, 1.5), (5.75, 0.31), (7.2, 3.0), (11.4, 0.07), (12.6, 1.0), (14.5, 2.2), (17.9, 0.5),
          (19.3, 0.33), (20.6, 1.51)]  # fmt: skip
END = 28.0


def test_ten_stalls_leave_a_recording_as_long_as_the_call_with_both_sides_in_step(tmp_path: Path) -> None:
    """13-recording-stall: four stalls of 1.5 s made a file of 10.1 s of a call of 16 s."""

    async def test(loop: VirtualClockLoop) -> None:
        audio, wire, digits = call_audio(), Wire(loop), list[str]()
        path = leg(audio, wire, digits)
        quiet, loud = PCMU.encode(np.zeros(160, dtype=np.int16)), PCMU.encode(CLICK)
        # Both sides clap together: before all stalls, and when the delay is normal again after them.
        claps = [0.9, 27.3, 27.7]
        for number in range(int(END / 0.02)):
            sent = number * 0.02
            payload = loud if any(abs(sent - clap) < 0.005 for clap in claps) else quiet
            wire.arrive(sent + DELAY, RtpPacket(NARROW, False, number, number * 160, 3, payload))
        for when, seconds in STALLS:
            stall(loop, when, seconds)
        audio.add_voice(Clicks(loop, [*claps]))
        reader = audio.audio_in(8_000)
        await asyncio.sleep(0.5)
        recording = record(audio, tmp_path / "call.wav")
        begun = loop.time()
        await asyncio.sleep(END - 0.2 - loop.time())
        ended = loop.time()
        recording.close()
        path.stop()
        samples, rate = read_wav(tmp_path / "call.wav")
        assert samples.shape[0] / rate == pytest.approx(ended - begun, abs=0.04)
        left, right = (
            [int(each[0]) for each in np.split(found, np.flatnonzero(np.diff(found) > 400) + 1)]
            for found in (np.flatnonzero(np.abs(samples[:, side].astype(int)) > 8_000) for side in (0, 1))
        )
        assert len(left) == len(right) == len(claps)
        apart = (np.array(right) - np.array(left)) / rate
        assert np.ptp(apart) <= 0.02 + 1e-9
        assert apart[-1] < DELAY + 0.04
        missed = sum(seconds for _, seconds in STALLS if seconds > 0.08)
        assert recording.lost_seconds == pytest.approx(missed, abs=0.05 * len(STALLS))
        counts = audio.counts
        assert (counts.sent + counts.sent_missed) * 0.02 == pytest.approx(ended, abs=0.05)
        assert counts.sent_missed * 0.02 == pytest.approx(missed, abs=0.05 * len(STALLS))
        audio.close()
        last = [frame async for frame in reader][-1]
        assert last.pts / 8_000 == pytest.approx(ended - DELAY, abs=0.06)

    on_virtual_time(test)


def test_what_plays_through_a_stall_is_played_whole_and_knows_where_it_is(tmp_path: Path) -> None:
    """The position is one of what is played: the far end hears a pause, and the rest after it."""

    async def test(loop: VirtualClockLoop) -> None:
        audio, wire = call_audio(), Wire(loop)
        path = leg(audio, wire, [])
        stall(loop, 1.0, 1.5)
        audio.audio_out.write_nowait(sine(440, 8_000, 2.0), 8_000)
        await asyncio.sleep(5.0)
        path.stop()
        packets = [parse(data) for _, data in wire.sent]
        loud = sum(1 for packet in packets if packet is not None and set(packet.payload) != {0xFF})
        assert loud in (100, 101)
        timestamps = np.array([packet.timestamp for packet in packets if packet is not None], dtype=np.int64)
        steps = (np.diff(timestamps) & 0xFFFF_FFFF) // 160
        assert steps.max() == pytest.approx(75, abs=1), "the far end sees a pause"
        assert int(steps.sum()) == pytest.approx(5.0 * 50, abs=2)

    on_virtual_time(test)


def test_packets_are_played_as_soon_as_they_may_be() -> None:
    """Beats follow the far end's packets, at whatever time of ours they come, and again after an early hiccup."""

    async def test(loop: VirtualClockLoop) -> None:
        for phase in np.arange(0.0, 0.02, 0.0013):
            audio, wire = call_audio(), Wire(loop)
            path, start = leg(audio, wire, []), loop.time()
            heard: list[tuple[float, int]] = []
            push = audio.push

            def pushed(samples: Samples, rate: int, due: float | None = None) -> None:
                heard.append((loop.time(), int(np.abs(samples.astype(int)).max())))  # noqa: B023
                push(samples, rate, due)  # noqa: B023

            audio.push = pushed  # type: ignore[method-assign]
            clicks = {number: start + number * 0.02 + DELAY + phase for number in (20, 900)}
            for number in range(1_000):
                late = 0.2 if 100 <= number < 108 else 0.0
                payload = PCMU.encode(CLICK if number in clicks else np.zeros(160, dtype=np.int16))
                when = start + number * 0.02 + DELAY + phase
                wire.arrive(
                    max(when, start + 2.0 + DELAY + phase + late if late else 0),
                    RtpPacket(NARROW, False, number, number * 160, 3, payload),
                )
            await asyncio.sleep(20.5)
            path.stop()
            for number, arrived in clicks.items():
                first = next(when for when, peak in heard if peak > 8_000 and when >= arrived)
                assert first - arrived <= 0.0151, f"packet {number} at phase {phase}"

    on_virtual_time(test)


def test_a_long_press_is_sent_with_its_length_beside_audio() -> None:
    async def test(loop: VirtualClockLoop) -> None:
        audio, wire = call_audio(), Wire(loop)
        path = leg(audio, wire, [])
        assert path.sender.digits is not None
        path.sender.digits.send("9", DigitTone(duration=3.0, volume=-20))
        await asyncio.sleep(4.0)
        path.stop()
        events = [each for _, data in wire.sent if (each := parse(data)) is not None and each.payload_type == EVENT]
        assert len({each.timestamp for each in events}) == 1
        assert events[-1].payload == bytes((9, 0x80 | 20)) + (24_000).to_bytes(2, "big")

    on_virtual_time(test)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, st.integers(0, 1_000))
def test_whatever_came_before_a_leg_hears_again_and_records_it_all(
    tmp_path: Path, history: list[Step], seed: int
) -> None:
    async def test(loop: VirtualClockLoop) -> None:
        audio, wire, digits = call_audio(), Wire(loop), list[str]()
        far = Far(random.Random(seed))
        far.live(history)
        path = leg(audio, wire, digits)
        recording = record(audio, tmp_path / "call.wav")
        reader = audio.audio_in(8_000)
        tone = PCMU.encode(sine(500, 8_000, 0.02))
        for when, packet in [(each.arrives, each.packet) for each in far.sent] + far.others:
            if packet.payload_type not in (EVENT, NOISE):
                size = int.from_bytes(packet.payload[4:6], "big") * 8_000 // (48_000 if packet.payload_type else 8_000)
                packet.payload_type, packet.payload = NARROW, (tone * 3)[:size]
            wire.arrive(when, packet)
        for start, stop in far.stalls:
            stall(loop, start, stop - start)
        peaks: list[tuple[float, int]] = []

        async def listen() -> None:
            async for frame in reader:
                peak = np.abs(frame.to_numpy().astype(int)).max()
                peaks.append((loop.time(), int(peak)))

        listening = asyncio.create_task(listen())
        end = far.perfect_from + PERFECT_SECONDS
        await asyncio.sleep(end - loop.time())
        ended = loop.time()
        recording.close()
        path.stop()
        audio.close()
        await listening
        loud = [when for when, peak in peaks if peak > 2_000 and when > far.perfect_from + 1]
        assert np.diff([far.perfect_from + 1, *loud, end]).max() < 0.25
        samples, rate = read_wav(tmp_path / "call.wav")
        assert samples.shape[0] / rate == pytest.approx(ended, abs=0.06)
        assert all(digit in "0123456789*#ABCD" for digit in digits)

    on_virtual_time(test)
