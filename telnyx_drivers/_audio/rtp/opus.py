"""Opus, mono: by libopus itself where it can be found, else through FFmpeg, without repair of losses."""

from typing import TypeAlias

from telnyx_drivers._audio.rtp import libopus
from telnyx_drivers._audio.rtp.opus_av import AvOpusDecoder, AvOpusEncoder

OpusEncoder: TypeAlias = libopus.OpusEncoder | AvOpusEncoder
OpusDecoder: TypeAlias = libopus.OpusDecoder | AvOpusDecoder


def opus_encoder(settings: libopus.OpusSettings) -> OpusEncoder:
    library = libopus.load()
    return AvOpusEncoder(settings) if library is None else libopus.OpusEncoder(library, settings)


def opus_decoder() -> OpusDecoder:
    library = libopus.load()
    return AvOpusDecoder() if library is None else libopus.OpusDecoder(library)
