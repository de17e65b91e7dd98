"""Comfort noise (RFC 3389): the sound of the far end's pauses, and the description of this end's."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.pcm import to_int16

PAYLOAD_TYPE: Final = 13
_TAPS: Final = 64
_MOST_COEFFICIENTS: Final = 16


_SILENT_DB: Final = -55.0
"""dBov. Anything quieter is a pause, whatever the room's noise level is."""
_LOUDEST_DB: Final = -35.0
"""dBov. Anything louder is sent, even if it is always so loud."""
_ABOVE_FLOOR_DB: Final = 6.0
_FLOOR_RISE_DB: Final = 0.05
"""For each frame: in a room that grows louder the pauses come back within seconds."""
_HANGOVER: Final = 10
"""Frames of a pause that are sent all the same, because words end quietly."""
_REPEAT: Final = 50
"""Frames after which noise is described again: a packet may be lost, and the room may change (section 5)."""


class Pauses:
    """Finds the pauses in the audio to send: frames that need not be sent."""

    def __init__(self) -> None:
        self.level = -127.0
        """Of the latest silent frame, in dBov."""
        self._floor = 0.0
        self._silent = 0

    def add(self, samples: Samples) -> bool:
        """Add the next 20 ms; true: they are part of a pause."""
        values = samples.astype(np.float32)
        power = float(values @ values) / max(samples.size, 1)
        level = 10 * np.log10(power / 32_768**2 + 1e-13)
        self._floor = min(level, self._floor + _FLOOR_RISE_DB)
        if level < max(_SILENT_DB, min(self._floor + _ABOVE_FLOOR_DB, _LOUDEST_DB)):
            self._silent += 1
            self.level = level
        else:
            self._silent = 0
        return self._silent > _HANGOVER

    @property
    def describes(self) -> bool:
        """True when it is time to send a description of the noise."""
        return (self._silent - _HANGOVER - 1) % _REPEAT == 0

    def description(self) -> bytes:
        """The payload: the level in -dBov."""
        return bytes([min(round(-self.level), 127)])


class ComfortNoise:
    """Silence until the far end has described its noise; then noise of that level and spectrum."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._level = 0.0
        self._shape: NDArray[np.float64] = np.ones(1)

    def reset(self) -> None:
        """Another stream begins, which has not described its noise yet."""
        self._level, self._shape = 0.0, np.ones(1)

    def describe(self, payload: bytes) -> None:
        """A comfort noise payload: the level in -dBov, then reflection coefficients of an all-pole model."""
        if not payload:
            return
        self._level = 32_768 * 10 ** (-(payload[0] & 0x7F) / 20)
        reflections = [(byte - 127) / 128 for byte in payload[1 : 1 + _MOST_COEFFICIENTS]]
        self._shape = _impulse_response(reflections)

    def make(self, count: int) -> Samples:
        if self._level < 1:
            return silence(count)
        white = self._rng.standard_normal(count + self._shape.size - 1)
        coloured = np.convolve(white, self._shape, mode="valid") * self._level
        return to_int16(coloured.astype(np.float32))


def _impulse_response(reflections: list[float]) -> NDArray[np.float64]:
    """Of the lattice filter with these reflection coefficients, scaled to leave the energy of noise as it is."""
    predictor: list[float] = []
    for reflection in reflections:
        predictor = [a + reflection * b for a, b in zip(predictor, reversed(predictor), strict=True)]
        predictor.append(reflection)
    response = np.zeros(_TAPS if predictor else 1)
    for index in range(response.size):
        past = response[max(index - len(predictor), 0) : index][::-1]
        response[index] = (1.0 if index == 0 else 0.0) - float(np.dot(predictor[: past.size], past))
    # An almost unstable filter would ring without end: its response is cut off, and it must not overflow either.
    response = np.clip(np.nan_to_num(response), -1e6, 1e6)
    scaled: NDArray[np.float64] = response / np.sqrt(np.sum(response**2))
    return scaled
