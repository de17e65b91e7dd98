"""A call's RTP and RTCP in the clear, as a capture file that Wireshark opens.

Classic pcap of raw IPv4. Addresses and ports are made up, always the same two: what is on the network is encrypted, and
where it goes is nobody's business. Wireshark's RTP player plays the file; ``tshark -d udp.port==5004,rtp`` reads it.
"""

from pathlib import Path
from struct import Struct, pack
from threading import Lock
from typing import BinaryIO, Final

from telnyx_drivers.media.audio.recorder import create_private
from telnyx_drivers.media.audio.sources import Background, OnFault
from telnyx_drivers.media.audio.wakeup import CallSoon, Wakeup

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


class Capture:
    """One call's capture, private to its owner (mode 0600)."""

    def __init__(
        self,
        path: Path,
        *,
        background: Background,
        call_soon: CallSoon,
        on_fault: OnFault,
        on_gap: OnFault | None = None,
    ) -> None:
        """``on_fault`` is told what breaks it off, ``on_gap`` each time that the disk begins to be too slow.

        Raises ``OSError`` when the file cannot be made.
        """
        self.path = path
        self.packets = 0
        self.lost = 0
        """Blocks of packets that the disk was too slow for."""
        self.error: Exception | None = None
        self._background = background
        self._on_fault = on_fault
        self._on_gap = on_gap
        self._finished = Wakeup(call_soon)
        self._file: BinaryIO = create_private(path)
        self._block = bytearray(header())
        self._waiting: list[bytes] = []
        self._written = 0
        self._writing = self._behind = self._stopping = self._closed = False
        self._lock = Lock()

    @property
    def ended(self) -> bool:
        """True once the file is closed."""
        return self._closed

    def packet(self, data: bytes, sent: bool, wall: float) -> None:
        """A packet in the clear, at ``wall`` epoch seconds. Media loop; never waits."""
        if self._stopping:
            return
        self._block += record(data, sent, wall)
        self.packets += 1
        if len(self._block) >= _BLOCK:
            with self._lock:
                gap = self._hand_over()
            self._go_on(gap)

    async def stop(self) -> None:
        """Stop, and wait until the file is complete. Idempotent. Raises what broke the capture off."""
        self.close()
        await self._finished.wait_until(lambda: self._closed)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Stop. Idempotent, any thread."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            gap = self._hand_over()
        self._go_on(gap)

    def _go_on(self, gap: bool) -> None:
        if gap and self._on_gap is not None:  # not under the lock: the application may be told at once
            self._on_gap(OSError(f"{self.path.name} is written more slowly than packets come"))
        self._write_soon()

    def _hand_over(self) -> bool:
        """True: the block is lost, and it is the first since everything was written."""
        gap = False
        block, self._block = self._block, bytearray()
        if len(self._waiting) >= _MOST_WAITING:
            self.lost += 1
            gap, self._behind = not self._behind, True
        elif block:
            self._waiting.append(bytes(block))
        return gap

    def _write_soon(self) -> None:
        with self._lock:
            if self._writing or self._closed:
                return
            self._writing = True
        self._background(self._write)

    def _write(self) -> None:
        """Background: write what is there, one job at a time."""
        while (block := self._next()) is not None:
            if self.error is None:
                try:
                    if self._written + len(block) > MAX_BYTES:
                        raise OSError(f"{self.path.name} is as large as a capture may be")
                    self._file.write(block)
                    self._file.flush()
                    self._written += len(block)
                except OSError as error:
                    self.error = error
                    self._stopping = True
                    self._on_fault(error)
        if self._stopping:
            self._finish()

    def _next(self) -> bytes | None:
        with self._lock:
            if self._waiting:
                return self._waiting.pop(0)
            self._writing = self._behind = False
            return None

    def _finish(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error
        self._finished.fire()


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
