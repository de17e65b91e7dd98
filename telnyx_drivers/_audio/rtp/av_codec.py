# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""FFmpeg's audio codecs, one payload at a time. (PyAV's annotations leave its packets half unknown.)"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from av import AudioFrame, CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from telnyx_drivers._audio.frames import Samples


class AvEncoder:
    """Mono PCM16 to payloads; the input must be whole frames of the codec."""

    def __init__(self, name: str, rate: int, *, bit_rate: int | None = None, options: Mapping[str, str]) -> None:
        context = CodecContext.create(name, "w")
        assert isinstance(context, AudioCodecContext)
        context.format, context.layout, context.sample_rate = "s16", "mono", rate
        context.time_base = Fraction(1, rate)
        context.options = dict(options)
        if bit_rate is not None:
            context.bit_rate = bit_rate
        self._context = context
        self._rate = rate
        self._pts = 0

    def encode(self, samples: Samples) -> bytes:
        frame = AudioFrame(format="s16", layout="mono", samples=samples.size)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = self._rate
        frame.pts = self._pts
        self._pts += samples.size
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class AvDecoder:
    """Payloads to mono PCM16; nothing for a payload that is broken."""

    def __init__(self, name: str, rate: int) -> None:
        context = CodecContext.create(name, "r")
        assert isinstance(context, AudioCodecContext)
        context.format, context.layout, context.sample_rate = "s16", "mono", rate
        self._context = context

    def decode(self, payload: bytes) -> Samples:
        try:
            frames = self._context.decode(Packet(payload)) if payload else []
        except FFmpegError:
            frames = []
        parts = [frame.to_ndarray().reshape(-1).astype(np.int16, copy=False) for frame in frames]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)
