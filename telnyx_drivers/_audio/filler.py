"""What fills the silence while a call has nothing to say."""

from typing import Final

import numpy as np

from telnyx_drivers._audio.audio_input import AudioInput
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, mix

_FADE_IN: Final = 0.3
"""Seconds until it has its full level."""


class Filler:
    """Sounds once nothing else has for ``after`` seconds, and ends within the first 20 ms of whatever comes next."""

    def __init__(self, voice: AudioInput, after: float) -> None:
        self._voice = voice
        self._after = round(after * FRAMES_PER_SECOND)
        self._quiet = 0
        """Beats since anything else sounded."""
        self._gain = 0.0

    @property
    def sounding(self) -> bool:
        return self._gain > 0

    @property
    def ended(self) -> bool:
        return self._voice.ended

    def beat(self, others: Samples | None, rate: int) -> Samples | None:
        """The next 20 ms: what else sounds, or this; where one follows the other, both."""
        if others is None:
            self._quiet += 1
            if self._quiet <= self._after:
                return None
            before, self._gain = self._gain, min(self._gain + 1 / (_FADE_IN * FRAMES_PER_SECOND), 1.0)
            return self._faded(before, self._gain, rate)
        self._quiet = 0
        if not self._gain:
            return others
        before, self._gain = self._gain, 0.0
        tail = self._faded(before, 0.0, rate)
        return others if tail is None else mix(others, tail)

    def close(self) -> None:
        self._voice.close()

    def _faded(self, before: float, after: float, rate: int) -> Samples | None:
        samples = self._voice.read(rate)
        if samples is None or before == after:
            return samples
        faded: Samples = np.rint(samples * np.linspace(before, after, samples.size)).astype(np.int16)
        return faded
