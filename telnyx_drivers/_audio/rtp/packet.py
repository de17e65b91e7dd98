"""RTP packets (RFC 3550 section 5.1), and counters that wrap."""

from struct import Struct

from attrs import define

_HEADER = Struct("!BBHII")
HEADER_BYTES = _HEADER.size
"""Of the packets that we make: they have neither CSRCs nor extensions nor padding."""
_EXTENSION = Struct("!HH")


@define(slots=True)
class RtpPacket:
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    def serialize(self) -> bytes:
        second = (self.marker << 7) | self.payload_type
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def parse(data: bytes) -> RtpPacket | None:
    """The packet without CSRCs, extensions and padding; ``None`` when its lengths contradict each other."""
    if len(data) < 12:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    start, end = 12, len(data)
    if first & 0x3F:
        start += 4 * (first & 0x0F)
        if first & 0x10:
            if end < start + 4:
                return None
            start += 4 + 4 * int(_EXTENSION.unpack_from(data, start)[1])
        if first & 0x20:
            end -= data[-1]
            if data[-1] == 0:
                return None
        if start > end:
            return None
    return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[start:end])


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP on one port, by the second byte (RFC 5761 section 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


class Unwrapper:
    """Turns a counter that wraps into one that does not, by the nearest distance to the last value seen."""

    def __init__(self, bits: int) -> None:
        self._mask = (1 << bits) - 1
        self._half = 1 << (bits - 1)
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        last = self._last
        if last is None:
            unwrapped = value
        else:
            ahead = (value - last) & self._mask
            unwrapped = last + (ahead if ahead < self._half else ahead - self._mask - 1)
        self._last = unwrapped
        return unwrapped
