"""A recording as the outline of its two directions, small enough for a page."""

import wave
from pathlib import Path
from typing import Final

import numpy as np
from attrs import field, frozen

COLUMNS: Final = 1200
"""More than a screen shows at once, and a few kilobytes."""
_BLOCK: Final = 1 << 20


@frozen
class Outline:
    """For each column the loudest sample, -127 to 127 being full scale: above the line, and below it."""

    seconds: float
    channels: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = field(repr=False)
    """One for mono; two for stereo: what was said, what was heard."""


def outline(path: Path, columns: int = COLUMNS) -> Outline:
    """Of a 16 bit WAV file, mono or stereo, read piece by piece. Raises `OSError`, or `ValueError` for any other."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2 or file.getnchannels() not in (1, 2):
                raise ValueError("not 16 bit mono or stereo")
            channels, frames = file.getnchannels(), file.getnframes()
            width = max(1, -(-frames // columns))
            count = -(-frames // width) if frames else 0
            highs = np.zeros((count, channels), dtype=np.int16)
            lows = np.zeros((count, channels), dtype=np.int16)
            step = max(1, _BLOCK // width) * width
            for begin in range(0, frames, step):
                block = np.frombuffer(file.readframes(step), dtype="<i2").reshape(-1, channels)
                edges = np.arange(0, len(block), width)
                if not len(edges):
                    break
                first = begin // width
                highs[first : first + len(edges)] = np.maximum.reduceat(block, edges)
                lows[first : first + len(edges)] = np.minimum.reduceat(block, edges)
            seconds = frames / file.getframerate()
    except (wave.Error, EOFError) as error:
        raise ValueError(f"no WAV file: {error}") from None
    scaled = [(np.rint(side / 258).astype(int)) for side in (highs, lows)]
    return Outline(
        seconds,
        tuple((tuple(scaled[0][:, each].tolist()), tuple(scaled[1][:, each].tolist())) for each in range(channels)),
    )
