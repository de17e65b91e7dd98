"""A call's preferences: direction and codecs."""

from collections.abc import Iterable
from typing import Final

from attrs import evolve

from telnyx_core.actions import PeerConfig
from telnyx_core.options import Codec
from telnyx_drivers import _logs as logs
from telnyx_drivers._webrtc.sdp import CODECS, Direction, RtpMap

log = logs.of_module(__name__)

_HELPERS: Final = frozenset({"telephone-event", "cn", "red", "rtx", "ulpfec"})
"""Formats that accompany codecs; listing them in a preference is no mistake (MEDIA-041)."""


def direction(config: PeerConfig) -> Direction:
    """The audio's SDP direction, from what the call sends and receives (MEDIA-033)."""
    if config.send_audio:
        return "sendrecv" if config.receive_audio else "sendonly"
    return "recvonly" if config.receive_audio else "inactive"


def preferred(codecs: Iterable[Codec]) -> tuple[RtpMap, ...]:
    """Those of these codecs that are known, in this order (MEDIA-040)."""
    chosen: list[RtpMap] = []
    for codec in codecs:
        kind, _, name = codec.mime_type.lower().partition("/")
        if kind != "audio" or name in _HELPERS:
            continue
        matches = [
            each
            for each in CODECS
            if each.name.lower() == name
            and each.clock_rate == codec.clock_rate
            and codec.channels in (None, each.channels)
        ]
        if not matches:
            log.warning("preferred codec is not known: %s, %s Hz", codec.mime_type, codec.clock_rate)
        chosen += matches
    return tuple(chosen)


def in_common(preferred: tuple[RtpMap, ...], theirs: Iterable[RtpMap]) -> tuple[RtpMap, ...]:
    """What both ends speak, as the far end numbers it: in our order if we have preferences, else in theirs.

    A far end that speaks none of the preferred codecs is spoken to in another one: such a call is better than none.
    """
    known = {each.name.lower(): each for each in CODECS}
    common = [evolve(known[each.name.lower()], payload_type=each.payload_type) for each in theirs]
    wanted = [found for each in preferred for found in common if found.name == each.name]
    if preferred and not wanted:
        log.warning("the far end speaks none of the preferred codecs")
    return tuple(dict.fromkeys(wanted or common))
