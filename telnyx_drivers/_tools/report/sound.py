"""A recording small enough to be carried within a page: Opus in WebM, which every browser plays."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final, Protocol, cast

import av
from av.error import FFmpegError

LONGEST: Final = 3_600.0
"""Seconds: fourteen megabytes, nineteen in a page; what is longer is drawn, but not carried."""
_RATE: Final = 48_000
_BITS: Final = 32_000
"""A second, of both directions together."""


class _Encoder(Protocol):
    bit_rate: int

    def encode(self, frame: av.AudioFrame | None) -> Sequence[object]: ...


class _Container(Protocol):
    """As much of PyAV's as is needed, whose own types are not whole."""

    def add_stream(self, codec_name: str, rate: int, *, layout: str) -> _Encoder: ...
    def mux(self, packets: Sequence[object]) -> None: ...


def embedded(path: Path) -> str:
    """A ``data:`` URL. Raises `OSError` or `ValueError` for a file that is no recording."""
    out = BytesIO()
    try:
        with av.open(str(path)) as source, av.open(out, "w", format="webm") as opened:
            target = cast("_Container", opened)
            layout = "stereo" if source.streams.audio[0].codec_context.channels == 2 else "mono"
            stream = target.add_stream("libopus", rate=_RATE, layout=layout)
            stream.bit_rate = _BITS
            resampler = av.AudioResampler(format="s16", layout=layout, rate=_RATE, frame_size=_RATE // 50)
            for frame in source.decode(audio=0):
                for piece in resampler.resample(frame):
                    target.mux(stream.encode(piece))
            for piece in resampler.resample(None):
                target.mux(stream.encode(piece))
            target.mux(stream.encode(None))
    except (FFmpegError, IndexError) as error:
        raise ValueError(f"no recording that can be played: {error}") from None
    return "data:audio/webm;base64," + b64encode(out.getvalue()).decode("ascii")
