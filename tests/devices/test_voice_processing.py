"""A microphone in a room with a loudspeaker: WebRTC's processing between fake devices (issue 15, item 9; CALL-030)."""

import logging
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from telnyx_core._wire.json_types import Json
from telnyx_drivers._audio import voice_processing
from telnyx_drivers._audio.decode import open_decoder
from telnyx_drivers._audio.devices import Microphone, microphone, open_speaker
from telnyx_drivers._audio.frames import AudioFrame, Samples
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.voice_processing import VoiceProcessing
from tests.devices.fake_portaudio import FakePortAudio, device

pytestmark = pytest.mark.anyio

DELAY = 5
"""Blocks of 20 ms from what the loudspeaker is given to what the microphone hears of it: two devices and the air."""
RETURN = 0.3
"""Of the loudspeaker's amplitude comes back, 10 dB less."""


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def library() -> None:
    pytest.importorskip("pywebrtc_audio")


def speech(name: str, rate: int, seconds: float) -> Samples:
    """Speech over and over, an eighth as loud as there is."""
    decoder = open_decoder(Path(str(files("telnyx_drivers") / "_assets" / name)))
    pieces: list[Samples] = []
    source = rate
    while (piece := decoder.read()) is not None:
        samples, source = piece
        pieces.append(samples)
    decoder.close()
    spoken = Resampler(source, rate).process(np.concatenate(pieces)).astype(np.float64)
    spoken *= 4_096 / np.abs(spoken).max()
    return np.resize(np.rint(spoken).astype(np.int16), int(seconds * rate))


def decibels(samples: NDArray[np.float64] | Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-3))


class Desk:
    """A loudspeaker and a microphone without hardware; what one plays comes back to the other."""

    def __init__(self, speaker_rate: int = 48_000, microphone_rate: int = 48_000) -> None:
        self.fake = FakePortAudio([device("Speaker", 0, 1, speaker_rate), device("Microphone", 1, 0, microphone_rate)])
        self.speaker_rate, self.rate = speaker_rate, microphone_rate

    async def talk(self, far: Samples, near: Samples, constraints: dict[str, Json]) -> tuple[Samples, Samples]:
        """What the microphone heard, and what the call was given of it."""
        loudspeaker = await open_speaker("Speaker", portaudio=self.fake)
        source = await microphone("Microphone", portaudio=self.fake)(constraints)
        voice = source.voice
        assert isinstance(voice, Microphone)
        out, into = self.fake.streams
        back = Resampler(self.speaker_rate, self.rate)
        air = np.zeros(DELAY * self.rate // 50, np.int16)
        heard: list[Samples] = []
        given: list[Samples] = []
        for index in range(near.size * 50 // self.rate):
            size, block = self.speaker_rate // 50, self.rate // 50
            loudspeaker.write(AudioFrame(far[index * size : (index + 1) * size].tobytes(), self.speaker_rate))
            air = np.concatenate((air, back.process(out.say())))
            here, air = air[:block] * RETURN, air[block:]
            heard.append(np.rint(here + near[index * block : (index + 1) * block]).astype(np.int16))
            into.hear(heard[-1])
            samples = voice.read(self.rate)
            given.append(np.zeros(block, np.int16) if samples is None else samples.copy())
        voice.close()
        loudspeaker.close()
        return np.concatenate(heard), np.concatenate(given)


@pytest.mark.parametrize(("speaker_rate", "microphone_rate"), [(48_000, 48_000), (44_100, 16_000)])
async def test_the_far_end_does_not_hear_itself_and_hears_us(speaker_rate: int, microphone_rate: int) -> None:
    desk = Desk(speaker_rate, microphone_rate)
    far = speech("hello.wav", speaker_rate, 10)
    near = np.zeros(10 * microphone_rate, np.int16)
    ours = slice(7 * microphone_rate, 9 * microphone_rate)
    near[ours] = speech("question.ogg", microphone_rate, 2)
    heard, given = await desk.talk(far, near, {"autoGainControl": False})
    alone = slice(2 * microphone_rate, 7 * microphone_rate)
    assert decibels(heard[alone]) - decibels(given[alone]) > 30, "echo return loss is enhanced by so many dB"
    assert decibels(given[ours]) == pytest.approx(decibels(near[ours]), abs=4), "double talk does not mute us"


async def test_an_echo_stays_where_nobody_wants_it_away() -> None:
    desk = Desk()
    far = speech("hello.wav", 48_000, 3)
    heard, given = await desk.talk(
        far,
        np.zeros(far.size, np.int16),
        {"echoCancellation": False, "noiseSuppression": {"exact": False}, "autoGainControl": {"ideal": False}},
    )
    late = 960  # the buffer between the clocks of a microphone and of a call
    np.testing.assert_array_equal(given[late:], heard[:-late])


async def test_noise_of_a_room_is_suppressed_and_speech_is_not() -> None:
    desk = Desk(16_000, 16_000)
    near = speech("question.ogg", 16_000, 8).astype(np.float64)
    near[: 4 * 16_000] = 0
    near += np.random.default_rng(1).normal(0, 60, near.size)
    heard, given = await desk.talk(
        np.zeros(near.size, np.int16), np.rint(near).astype(np.int16), {"autoGainControl": False}
    )
    quiet, spoken = slice(2 * 16_000, 4 * 16_000), slice(5 * 16_000, 8 * 16_000)
    assert decibels(heard[quiet]) - decibels(given[quiet]) > 15
    assert decibels(given[spoken]) == pytest.approx(decibels(heard[spoken]), abs=3)


async def test_a_quiet_voice_is_raised() -> None:
    desk = Desk()
    near = (speech("question.ogg", 48_000, 8) * 0.1).astype(np.int16)
    heard, given = await desk.talk(np.zeros(near.size, np.int16), near, {})
    assert decibels(given[4 * 48_000 :]) - decibels(heard[4 * 48_000 :]) > 10


@pytest.mark.parametrize(
    ("constraint", "wanted"),
    [(True, True), (False, False), ({"exact": False}, False), ({"ideal": False}, False), ("all", True), (None, True)],
)
def test_call_030_a_constraint_goes_before_the_microphones_own_switch(constraint: Json, wanted: bool) -> None:
    for name, member in (
        ("echoCancellation", "echo_cancellation"),
        ("noiseSuppression", "noise_suppression"),
        ("autoGainControl", "auto_gain_control"),
    ):
        chosen = VoiceProcessing().under({name: constraint, "channelCount": 1})
        assert chosen == VoiceProcessing(**{member: wanted})


def test_without_the_library_the_log_says_once_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    voice_processing._library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            rooms = [voice_processing.ROOM.enter(48_000, VoiceProcessing()) for _ in range(2)]
    finally:
        voice_processing._library.cache_clear()
    assert rooms == [None, None]
    assert [record.getMessage() for record in caplog.records] == [
        "microphones have no echo cancellation, noise suppression and gain control: pip install 'telnyx-rtc[devices]'"
    ]
