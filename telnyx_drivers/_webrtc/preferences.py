"""A call's preferences, applied to the library: direction and codecs."""

import logging
from collections.abc import Iterable
from typing import Final

from aiortc import RTCRtpSender, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from telnyx_core.actions import PeerConfig
from telnyx_core.options import Codec
from telnyx_drivers._webrtc import aiortc_private as private
from telnyx_drivers._webrtc.sdp import Direction, RtpMap

log = logging.getLogger(__name__)

_HELPERS: Final = frozenset({"telephone-event", "cn", "red", "rtx", "ulpfec"})
"""Formats that accompany codecs; listing them in a preference is no mistake (MEDIA-041)."""


def direction(config: PeerConfig) -> Direction:
    """The audio's SDP direction, from what the call sends and receives (MEDIA-033)."""
    if config.send_audio:
        return "sendrecv" if config.receive_audio else "sendonly"
    return "recvonly" if config.receive_audio else "inactive"


def prefer(transceiver: RTCRtpTransceiver, codecs: Iterable[Codec]) -> None:
    """Only these codecs, in this order (MEDIA-040); with none that is known, every codec in the default order."""
    known = RTCRtpSender.getCapabilities("audio").codecs
    chosen: list[RTCRtpCodecCapability] = []
    for codec in codecs:
        mime_type = codec.mime_type.lower()
        kind, _, name = mime_type.partition("/")
        if kind != "audio" or name in _HELPERS:
            continue
        matches = [
            each
            for each in known
            if each.mimeType.lower() == mime_type
            and each.clockRate == codec.clock_rate
            and codec.channels in (None, each.channels)
        ]
        if not matches:
            log.warning("preferred codec is not known: %s, %s Hz", codec.mime_type, codec.clock_rate)
        chosen += matches
    transceiver.setCodecPreferences(chosen)


def admit(transceiver: RTCRtpTransceiver, offered: Iterable[RtpMap]) -> None:
    """Drop the preference when the far end supports none of it: a call in another codec is better than none."""
    preferred = private.preferred_codecs(transceiver)
    names = {each.mimeType.lower() for each in preferred}
    if preferred and not any(f"audio/{entry.name.lower()}" in names for entry in offered):
        log.warning("the far end speaks none of the preferred codecs")
        transceiver.setCodecPreferences([])
