"""What answers a call, by its sound: a human, a machine and its beep, a fax, tones of the network, music, nobody."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from telnyx_drivers._audio.call_tones import CallTone, CallTones, Looks
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.history import History
from telnyx_drivers._audio.in_band_digits import Digit, InBandDigits
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.timeline import Timeline
from telnyx_drivers._audio.wakeup import CallSoon
from telnyx_drivers._audio.windows import HOP, RATE

Kind: TypeAlias = Literal["human", "machine", "beep", "fax", "busy", "ringback", "sit", "music", "silence"]

_HOP_SECONDS: Final = HOP / RATE
_TOGETHER: Final = 5
"""Frames of 20 ms that are looked at together."""
_MOST: Final = 1_024
"""Events that are kept: a busy tone is told once, so that no call has so many; of more, the oldest are dropped."""

_ABOVE_FLOOR: Final = 10.0
"""What sounds has so many times the energy of the floor."""
_QUIETEST: Final = 65.0**2
"""Mean square of what sounds at all: -54 dB of full scale."""
_FLOOR_RISE: Final = 1.07
"""By which the floor may rise in 100 ms."""
_GREETING: Final = 1.75
"""Seconds. People who answer a telephone say less before they wait, a machine says more."""
_WAITS: Final = 0.65
"""Seconds of silence after which what was said is over."""
_CLICK: Final = 12
"""Looks of sound, 120 ms: less is no word."""
_SILENCE: Final = 2.3
"""Seconds."""
_AFTER_RINGBACK: Final = 6.0
"""Seconds: a pause between two rings is no silence."""
_REMEMBERED: Final = 400
"""Looks, four seconds."""
_SETTLED: Final = 0.15
"""Seconds after a tone in which another one would follow, if it were one of several."""
_STEADY_LAG: Final = 8
"""Looks; a note keeps its pitch for 80 ms, a voice does not."""
_STEADY: Final = 0.006
"""By which a steady pitch may move, as a share of it."""
_MUSICAL: Final = 0.18
"""The share of steady looks from which on sound is music."""
_SIT: Final = ((880.0, 1_020.0), (1_340.0, 1_460.0), (1_740.0, 1_810.0))
"""Hertz: special information tones, three that rise (ITU-T E.180)."""


@frozen(kw_only=True)
class Sensed:
    """What is heard from here on. Times are seconds since the first audio of the call, as it was received."""

    kind: Kind
    """What it is."""
    at: float
    """When it began."""
    until: float | None = None
    """When a beep had ended."""


class Sensor:
    """Fed with audio of 8 kHz; tells what it is. Nothing but arithmetic: time is the number of samples."""

    def __init__(self) -> None:
        self._tones = CallTones()
        self._digits = InBandDigits()
        self._now = 0.0
        self._kind: Kind | None = None
        """The latest that was told, but for silence, which is between the rings of one ringback."""
        self._said: Kind | None = None
        """The latest that was told of a voice, as far as it decides about what follows."""
        self._floor = _QUIETEST / _ABOVE_FLOOR
        self._sounded_at = 0.0
        self._silence_told = False
        self._began: float | None = None
        """When the present stretch of sound began."""
        self._sounding: deque[bool] = deque(maxlen=_REMEMBERED)
        """Of each look lately."""
        self._peaks: deque[float] = deque(maxlen=_STEADY_LAG)
        self._looks = self._impure = self._steady = self._tone_count = 0
        """Of the present stretch."""
        self._judged = False
        self._runs: deque[CallTone] = deque(maxlen=4)
        self._waiting: CallTone | None = None
        """A tone that may be a beep, or the first of several."""

    def feed(self, samples: NDArray[np.float32]) -> tuple[Sequence[Sensed], Sequence[Digit]]:
        """The next samples; what is known after them. ``at`` is seconds since the first sample."""
        digits = self._digits.feed(samples)
        ended, looks = self._tones.feed(samples)
        told: list[Sensed] = []
        if looks is not None:
            self._hear(looks, told)
        for tone in ended:
            self._tone_ended(tone, told)
        self._tone_sounds(told)
        self._tone_waits(told)
        self._judge(told)
        return told, digits

    def _tell(self, told: list[Sensed], kind: Kind, at: float, until: float | None = None) -> None:
        if kind == "ringback":
            self._said = None
        elif kind in ("human", "machine", "music"):
            self._said = kind
        if kind == "silence" or kind == "beep" or kind != self._kind:
            if kind != "silence":
                self._kind = kind
            told.append(Sensed(kind=kind, at=max(at, 0.0), until=until))

    # Voices and music.

    def _hear(self, looks: Looks, told: list[Sensed]) -> None:
        threshold = max(self._floor * _ABOVE_FLOOR, _QUIETEST)
        for level, peak, pure in zip(looks.levels.tolist(), looks.peaks.tolist(), looks.pure.tolist(), strict=True):
            self._now += _HOP_SECONDS
            before = self._peaks[0] if len(self._peaks) == _STEADY_LAG else 0.0
            self._peaks.append(peak)
            self._sounding.append(level >= threshold)
            if level < threshold:
                continue
            self._sounded_at, self._silence_told = self._now, False
            if self._began is None:
                self._began, self._judged = self._now, False
                self._looks = self._impure = self._steady = self._tone_count = 0
            self._looks += 1
            self._steady += abs(peak - before) < _STEADY * peak
            if not pure:
                self._impure += 1
        quietest = float(np.partition(looks.levels, len(looks.levels) // 4)[len(looks.levels) // 4])
        self._floor = min(max(min(quietest, self._floor * _FLOOR_RISE), 1.0), 300.0**2)

    def _judge(self, told: list[Sensed]) -> None:
        """What the present stretch of sound is, once that is certain; or that there has been none."""
        quiet = self._now - self._sounded_at
        began = self._began
        if began is not None:
            if not self._judged and self._sounded_at - began >= _GREETING:
                self._judged = True
                self._voice(told, "machine", began)
            if quiet >= _WAITS:
                if not self._judged:
                    self._voice(told, "human", began)
                self._began = None
        patience = _AFTER_RINGBACK if self._kind == "ringback" else _SILENCE
        if quiet >= patience and not self._silence_told:
            self._silence_told = True
            self._tell(told, "silence", self._sounded_at)

    def _voice(self, told: list[Sensed], kind: Kind, began: float) -> None:
        """It is a voice, or music. A machine that goes on is still one, and so is a human."""
        notes = self._tone_count > 0 and self._looks > 0.8 * (self._now - began) / _HOP_SECONDS
        if self._looks < _CLICK or (self._impure < max(0.12 * self._looks, _CLICK) and not notes):
            return  # a click, or tones
        if kind == "machine" and self._steady > _MUSICAL * self._looks:
            self._tell(told, "music", began)
        elif self._said not in ("human", "machine"):
            self._tell(told, kind, began)

    # Tones.

    def _tone_sounds(self, told: list[Sensed]) -> None:
        """Some are known while they sound."""
        tone = self._tones.present
        if tone is None:
            return
        if tone.single and 2_070 < tone.middle < 2_130 and tone.duration > 0.5:
            self._tell(told, "fax", tone.start)
        self._follows(tone, told)

    def _follows(self, tone: CallTone, told: list[Sensed]) -> None:
        """``tone`` comes after others: three that rise, or one again and again."""
        if not self._runs:
            return
        last = self._runs[-1]
        gap = tone.start - last.end
        if len(self._runs) >= 2 and tone.duration > 0.12 and gap < 0.12:
            three = (self._runs[-2], last, tone)
            if all(low < each.middle < high for each, (low, high) in zip(three, _SIT, strict=True)):
                self._waiting = None
                self._tell(told, "sit", three[0].start)
                return
        on = last.duration
        if not (_of_the_network(last) and _of_the_network(tone) and abs(tone.middle - last.middle) < 30):
            return
        if not (on > 0.12 and self._silent(last.start - 0.12, 0.08) and self._silent(last.end + 0.05, gap - 0.09)):
            return  # a voice has such moments, but no silence around them
        if 0.3 < on < 0.52 and 0.1 < gap < 0.29:
            self._waiting = None
            self._tell(told, "ringback", last.start)
        elif on < 0.85 and 0.55 < gap / on < 1.7:
            self._waiting = None
            self._tell(told, "busy", last.start)

    def _tone_ended(self, tone: CallTone, told: list[Sensed]) -> None:
        self._tone_count += 1
        self._follows(tone, told)
        self._runs.append(tone)
        if (
            (_of_the_network(tone) or tone.single)
            and 350 < tone.middle < 2_600
            and self._silent(tone.start - 0.12, 0.08)
        ):
            self._waiting = tone

    def _silent(self, start: float, length: float) -> bool:
        """Nothing sounded then, as far as it is remembered."""
        first = len(self._sounding) - round((self._now - start) / _HOP_SECONDS)
        return not any(list(self._sounding)[max(first, 0) : max(first + round(length / _HOP_SECONDS), 0)])

    def _tone_waits(self, told: list[Sensed]) -> None:
        """A tone that nothing has followed."""
        tone = self._waiting
        if tone is None:
            return
        off = self._now - tone.end
        if off < _SETTLED:
            return
        on, machine = tone.duration, self._said == "machine"
        kind: Kind | None = None
        if off < 2 * _SETTLED and not self._silent(tone.end + 0.06, _SETTLED - 0.06):
            pass  # one note of many
        elif tone.single and not machine and 1_065 < tone.middle < 1_135 and 0.38 < on < 0.62:
            kind = "fax"
        elif tone.single and on < 2.2 and (machine or not _of_the_network(tone)):
            kind = "beep"
        elif _of_the_network(tone) and (on >= 0.9 or (on >= 0.72 and off > 1.25 * on)):
            kind = "ringback"
        elif (_of_the_network(tone) and on >= 0.72) or off <= 1.3:
            return
        elif tone.single and not (_of_the_network(tone) and self._kind in ("ringback", "busy")):
            kind = "beep"
        self._waiting = None
        if kind is not None:
            self._tell(told, kind, tone.start, tone.end if kind == "beep" else None)


def _of_the_network(tone: CallTone) -> bool:
    """Ringback, busy and congestion lie between 350 and 620 Hz, with few exceptions (ITU-T E.180 supplement 2)."""
    return 330 < tone.middle < 660


class Sense(History[Sensed]):
    """What a call sounds like: iterate over the events as they are known, or look at those so far.

    A decision takes at most 2.5 s from where it begins. The iteration ends with the call. ::

        async for sensed in call.sense():
            if sensed.kind == "beep":
                await call.play("message.wav")
    """

    def __init__(self, timeline: Timeline, digit: Callable[[Digit], None], call_soon: CallSoon | None) -> None:
        """``digit`` takes the digits that are found, on the media loop."""
        super().__init__(_MOST, call_soon)
        self._timeline = timeline
        self._digit = digit
        self._sensor = Sensor()
        self._resampler: Resampler | None = None
        self._frames: list[Samples] = []
        self._rate: int = 0
        self._passed = 0
        """Samples of 8 kHz that the sensor has had."""

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        """As a `SampleTap`: what we send is not looked at."""

    def heard(self, samples: Samples, rate: int, at: int) -> None:
        """As a `SampleTap`. Media loop."""
        if rate != self._rate:
            self._rate = rate
            self._frames.clear()
            self._resampler = None if rate == RATE else Resampler(rate, RATE)
        self._frames.append(samples)
        if len(self._frames) < _TOGETHER:
            return
        whole = np.concatenate(self._frames)
        self._frames = []
        if self._resampler is not None:
            whole = self._resampler.process(whole)
        self._passed += whole.size
        told, digits = self._sensor.feed(whole.astype(np.float32))
        # Time that the process did not run is missing in the samples, not in the call.
        begin = self._timeline.heard.exact + 0.02 - self._passed / RATE
        for digit in digits:
            self._digit(digit)
        if told:
            self._add(
                Sensed(kind=each.kind, at=each.at + begin, until=None if each.until is None else each.until + begin)
                for each in told
            )

    def close(self) -> None:
        """The call has ended."""
        self._end()
