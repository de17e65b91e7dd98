"""A call's RTP and RTCP in the clear, as a capture file that Wireshark opens.

Classic pcap of raw IPv4. Addresses and ports are made up, always the same two: what is on the network is encrypted, and
the real addresses are private. Wireshark's RTP player plays the file; ``tshark -d udp.port==5004,rtp`` reads it.
"""

from pathlib import Path
from struct import Struct, pack
from typing import Final

from telnyx_drivers._audio.background_file import BackgroundFile
from telnyx_drivers._audio.sources import Background, OnFault
from telnyx_drivers._audio.wakeup import CallSoon

HERE: Final = (bytes((192, 0, 2, 1)), 5004)
THERE: Final = (bytes((192, 0, 2, 2)), 5004)
"""Documentation addresses (RFC 5737): no packet to them was ever on a network."""

MAX_BYTES: Final = 1 << 30
"""A day of a call; beyond it the capture stops."""
_RAW_IPV4: Final = 228
_BLOCK: Final = 32_768
"""Bytes that are written at once: three seconds of a call."""
_MOST_WAITING: Final = 64
"""Blocks that a slow disk may be behind; then packets are lost and counted, never memory."""
_RECORD = Struct("<IIII")
_IP = Struct("!BBHHHBBH4s4s")
_UDP = Struct("!HHHH")


class Capture(BackgroundFile):
    """One call's capture."""

    def __init__(
        self,
        path: Path,
        *,
        background: Background,
        call_soon: CallSoon,
        on_fault: OnFault,
        on_gap: OnFault | None = None,
    ) -> None:
        """As `BackgroundFile`."""
        super().__init__(
            path,
            most_blocks=_MOST_WAITING,
            most_bytes=MAX_BYTES,
            background=background,
            call_soon=call_soon,
            on_fault=on_fault,
            on_gap=on_gap,
        )
        self.packets = 0
        self._block = bytearray(header())

    def packet(self, data: bytes, sent: bool, wall: float) -> None:
        """A packet in the clear, at ``wall`` epoch seconds. Media loop; never waits."""
        if self._stopping:
            return
        self._block += record(data, sent, wall)
        self.packets += 1
        if len(self._block) >= _BLOCK:
            self._block_ready()

    def _take_block(self) -> bytes:
        block, self._block = self._block, bytearray()
        return bytes(block)

    def _write_block(self, block: bytes) -> None:
        self._file.write(block)
        self._file.flush()

    def _close_file(self) -> None:
        self._file.close()


def header() -> bytes:
    """Of the file: version 2.4, microseconds, raw IPv4."""
    return pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _RAW_IPV4)


def record(data: bytes, sent: bool, wall: float) -> bytes:
    """One packet, with the IP and UDP headers that it might have had."""
    source, target = (HERE, THERE) if sent else (THERE, HERE)
    size = 28 + len(data)
    ip = _IP.pack(0x45, 0, size, 0, 0x4000, 64, 17, 0, source[0], target[0])
    ip = _IP.pack(0x45, 0, size, 0, 0x4000, 64, 17, checksum(ip), source[0], target[0])
    udp = _UDP.pack(source[1], target[1], size - 20, 0)  # no checksum, as RFC 768 allows
    seconds = int(wall)
    return _RECORD.pack(seconds & 0xFFFF_FFFF, int((wall - seconds) * 1_000_000), size, size) + ip + udp + data


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
