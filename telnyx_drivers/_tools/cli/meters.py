"""Sound drawn as it passes: one strip for each direction, growing to the right."""

import math
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from telnyx_drivers._audio.levels import LevelMeter
    from telnyx_drivers._webrtc.call_audio import CallAudio

STEP: Final = 0.1
"""Seconds between two samples, and so what one bar stands for."""
WIDTH: Final = 60
BARS: Final = " ▁▂▃▄▅▆▇█"
QUIETEST, LOUDEST = -50.0, -12.0
"""Decibels of full scale at the lowest and the highest bar: the range in which speech moves."""


class Strip:
    """The loudness of one direction; `sample` it every `STEP`."""

    def __init__(self, meter: "LevelMeter", width: int = WIDTH) -> None:
        self._meter = meter
        self._width = width
        self._seen = meter.totals
        self._bars = ""

    def sample(self) -> None:
        """Add the bar of what passed since the last time."""
        totals = self._meter.totals
        level = totals.level_since(self._seen)
        self._seen = totals
        self._bars = (self._bars + bar(level or 0.0))[-self._width :]

    def __str__(self) -> str:
        return self._bars


class Meters:
    """Both directions of a call, the strips below each other."""

    def __init__(self, audio: "CallAudio", far_end: str) -> None:
        self._rows = (("you", Strip(audio.sent_level), "cyan"), (far_end, Strip(audio.heard_level), "green"))

    def sample(self) -> None:
        for _, strip, _ in self._rows:
            strip.sample()

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for label, strip, colour in self._rows:
            table.add_row(
                Text(f"  {label}", style="dim"), Text(str(strip), style=colour, overflow="crop", no_wrap=True)
            )
        return table


def bar(level: float) -> str:
    """The character for a root mean square of 0 to 1."""
    if level <= 0:
        return BARS[0]
    height = (20 * math.log10(level) - QUIETEST) / (LOUDEST - QUIETEST)
    return BARS[round(min(max(height, 0.0), 1.0) * (len(BARS) - 1))]
