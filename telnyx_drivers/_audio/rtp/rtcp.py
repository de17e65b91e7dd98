"""RTCP: sender and receiver reports, SDES names, BYE (RFC 3550 section 6). Bytes to values, and back."""

from collections.abc import Iterable
from struct import Struct, pack
from typing import Final, TypeAlias

from attrs import frozen

_SENDER_REPORT: Final = 200
_RECEIVER_REPORT: Final = 201
_SOURCE_DESCRIPTION: Final = 202
_BYE: Final = 203
_BLOCK = Struct("!IIIIII")
_SENDER = Struct("!QIII")
_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""


@frozen
class ReportBlock:
    ssrc: int
    fraction_lost: float
    """0 to 1, since the last report."""
    packets_lost: int
    highest_sequence: int
    jitter: int
    """RTP clock units."""
    last_sr: int
    """Middle 32 bits of the NTP time of the last sender report; 0 for none."""
    delay_since_last_sr: float
    """Seconds."""

    def round_trip(self, now_ntp: int) -> float | None:
        """Seconds from our report to this answer, without the time the far end kept it; ``None`` when unknown."""
        if self.last_sr == 0:
            return None
        elapsed = ((now_ntp >> 16) - self.last_sr) & 0xFFFF_FFFF
        if elapsed >= 1 << 31:
            return None
        return max(elapsed / 65_536 - self.delay_since_last_sr, 0.0)


@frozen
class SenderReport:
    ssrc: int
    ntp: int
    """64-bit NTP time at which ``timestamp`` was, on the sender's clocks."""
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@frozen
class ReceiverReport:
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@frozen
class Bye:
    """A source has left. This does not end a call: servers send it whenever they replace a stream."""

    ssrcs: tuple[int, ...]


RtcpMessage: TypeAlias = SenderReport | ReceiverReport | Bye


def ntp_time(wall: float) -> int:
    """64-bit NTP time of an epoch time in seconds."""
    seconds, fraction = divmod(wall + _NTP_EPOCH, 1.0)
    return (int(seconds) & 0xFFFF_FFFF) << 32 | int(fraction * (1 << 32))


def wall_time(ntp: int) -> float:
    """Epoch time in seconds of a 64-bit NTP time."""
    return ntp / (1 << 32) - _NTP_EPOCH


def compound(report: SenderReport | ReceiverReport, cname: str | None, bye: Iterable[int] = ()) -> bytes:
    """A compound packet: it begins with a report and names the sender (RFC 3550 section 6.1)."""
    data = _report(report)
    if cname is not None:
        name = cname.encode()[:255]
        chunk = pack("!IBB", report.ssrc, 1, len(name)) + name + b"\0"
        data += _packet(_SOURCE_DESCRIPTION, 1, chunk + bytes(-len(chunk) % 4))
    leaving = tuple(bye)
    if leaving:
        data += _packet(_BYE, len(leaving), pack(f"!{len(leaving)}I", *leaving))
    return data


def parse(data: bytes) -> list[RtcpMessage]:
    """The reports and BYEs in a compound packet. Anything else, or anything broken, is left out."""
    messages: list[RtcpMessage] = []
    position = 0
    while position + 4 <= len(data):
        first, kind = data[position], data[position + 1]
        length = 4 + 4 * int.from_bytes(data[position + 2 : position + 4], "big")
        if first >> 6 != 2 or position + length > len(data):
            break
        body, count = data[position + 4 : position + length], first & 0x1F
        if first & 0x20 and body:
            body = body[: max(len(body) - body[-1], 0)]
        message = _message(kind, count, body)
        if message is not None:
            messages.append(message)
        position += length
    return messages


def _message(kind: int, count: int, body: bytes) -> RtcpMessage | None:
    if kind == _SENDER_REPORT and len(body) >= 24 + 24 * count:
        ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
        return SenderReport(_word(body), ntp, timestamp, packets, octets, _blocks(body[24:], count))
    if kind == _RECEIVER_REPORT and len(body) >= 4 + 24 * count:
        return ReceiverReport(_word(body), _blocks(body[4:], count))
    if kind == _BYE and len(body) >= 4 * count:
        return Bye(tuple(_word(body[4 * index :]) for index in range(count)))
    return None


def _word(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def _blocks(data: bytes, count: int) -> tuple[ReportBlock, ...]:
    return tuple(_block(data[24 * index : 24 * index + 24]) for index in range(count))


def _block(data: bytes) -> ReportBlock:
    ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack(data)
    lost = loss & 0xFF_FFFF
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=(loss >> 24) / 256,
        packets_lost=lost - (1 << 24) if lost >> 23 else lost,
        highest_sequence=highest,
        jitter=jitter,
        last_sr=last_sr,
        delay_since_last_sr=delay / 65_536,
    )


def _report(report: SenderReport | ReceiverReport) -> bytes:
    blocks = b"".join(_block_bytes(block) for block in report.blocks[:31])
    count = min(len(report.blocks), 31)
    if isinstance(report, ReceiverReport):
        return _packet(_RECEIVER_REPORT, count, pack("!I", report.ssrc) + blocks)
    sender = _SENDER.pack(report.ntp, report.timestamp, report.packets & 0xFFFF_FFFF, report.octets & 0xFFFF_FFFF)
    return _packet(_SENDER_REPORT, count, pack("!I", report.ssrc) + sender + blocks)


def _block_bytes(block: ReportBlock) -> bytes:
    lost = min(max(block.packets_lost, -(1 << 23)), (1 << 23) - 1) & 0xFF_FFFF
    fraction = min(int(block.fraction_lost * 256), 255)
    delay = min(int(block.delay_since_last_sr * 65_536), 0xFFFF_FFFF)
    jitter = min(block.jitter, 0xFFFF_FFFF)
    return _BLOCK.pack(block.ssrc, fraction << 24 | lost, block.highest_sequence, jitter, block.last_sr, delay)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
