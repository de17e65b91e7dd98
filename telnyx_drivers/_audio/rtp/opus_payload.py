"""What an Opus packet says about itself, without decoding it (RFC 6716 section 3)."""

from typing import Final

CLOCK_RATE: Final = 48_000
"""RTP always counts Opus at 48 kHz (RFC 7587 section 4.1)."""

_SILK = (480, 960, 1_920, 2_880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_LONGEST: Final = 5_760
"""120 ms."""


def duration(payload: bytes) -> int:
    """Clock units; 0 for a packet that no decoder would take."""
    if not payload:
        return 0
    config, code = payload[0] >> 3, payload[0] & 3
    if code < 3:
        frames = (1, 2, 2)[code]
    elif len(payload) > 1:
        frames = payload[1] & 0x3F
    else:
        return 0
    length = frames * _frame(config)
    return length if length <= _LONGEST else 0


def pauses(payload: bytes) -> bool:
    """A frame with nothing in it: discontinuous transmission has begun."""
    return len(payload) <= 2


def repairs(payload: bytes) -> bool:
    """Whether a copy of the frame before is inside: the LBRR flag of a packet of one SILK frame (section 4.2.3)."""
    if len(payload) < 3 or payload[0] & 3:
        return False
    config = payload[0] >> 3
    if config >= 16:
        return False
    # The flag comes after one voice activity flag for each 20 ms begun.
    flags_before = max(_frame(config) // 960, 1)
    return bool(payload[1] & 0x80 >> flags_before)


def _frame(config: int) -> int:
    if config < 12:
        return _SILK[config & 3]
    return _HYBRID[config & 1] if config < 16 else _CELT[config & 3]
