import numpy as np
import pytest
from rich.console import Console

from telnyx_drivers._audio.levels import LevelMeter
from telnyx_drivers._tools.cli.meters import BARS, Meters, Strip, bar
from telnyx_drivers._webrtc.call_audio import CallAudio


@pytest.mark.parametrize(
    ("level", "drawn"), [(0.0, BARS[0]), (0.001, BARS[0]), (0.0282, BARS[4]), (0.3, BARS[8]), (1.0, BARS[8])]
)
def test_a_bar_stands_for_decibels(level: float, drawn: str) -> None:
    """0.0282 is -31 dB, the middle of -50 to -12."""
    assert bar(level) == drawn


def test_a_strip_shows_the_latest_samples() -> None:
    meter = LevelMeter()
    strip = Strip(meter, width=3)
    for level in (10_000, 0, 10_000):
        meter.add(np.full(160, level, np.int16), 8_000)
        strip.sample()
    assert str(strip) == BARS[8] + " " + BARS[8]
    strip.sample()
    assert str(strip) == " " + BARS[8] + " ", "nothing passed since the last sample"


def test_both_directions_stand_below_each_other() -> None:
    audio = CallAudio()
    meters = Meters(audio, "echo")
    audio.push(np.full(160, 900, np.int16), 8_000)
    audio.sent_level.add(np.full(160, 10_000, np.int16), 8_000)
    meters.sample()
    console = Console(width=40)
    with console.capture() as captured:
        console.print(meters)
    assert [line.split() for line in captured.get().splitlines()] == [["you", BARS[8]], ["echo", bar(900 / 32_768)]]
