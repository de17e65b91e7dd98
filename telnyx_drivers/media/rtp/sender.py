"""The sending half of a leg: audio and digits to packets, and the reports about them."""

from collections.abc import Callable

from telnyx_drivers.media.audio.frames import FRAMES_PER_SECOND, Samples
from telnyx_drivers.media.rtp.codecs import Encoder
from telnyx_drivers.media.rtp.packet import RtpPacket
from telnyx_drivers.media.rtp.rtcp import ReportBlock, SenderReport, ntp_time
from telnyx_drivers.media.rtp.telephone_event import DigitSender


class RtpSender:
    """One stream. ``sequence`` and ``timestamp`` are where it begins; both should be random (RFC 3550 section 5.1)."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        payload_type: int,
        ssrc: int,
        sequence: int,
        timestamp: int,
        digits: DigitSender | None = None,
        digits_payload_type: int = 0,
    ) -> None:
        self.ssrc = ssrc
        self.packets = self.octets = 0
        self.digits = digits
        self._encoder = encoder
        self._payload_type = payload_type
        self._digits_payload_type = digits_payload_type
        self._sequence = sequence & 0xFFFF
        self._timestamp = timestamp & 0xFFFF_FFFF
        self._step = encoder.clock_rate // FRAMES_PER_SECOND
        self._marker = True
        self._event_timestamp = 0

    @property
    def sample_rate(self) -> int:
        """Of the audio that `next` wants."""
        return self._encoder.sample_rate

    @property
    def clock_rate(self) -> int:
        return self._encoder.clock_rate

    def skip(self, frames: int) -> None:
        """Time has passed in which nothing could be sent: the far end must see a pause, not late packets."""
        self._timestamp = (self._timestamp + frames * self._step) & 0xFFFF_FFFF
        self._marker = True

    def next(self, pull: Callable[[int], Samples]) -> bytes:
        """The packet for the next 20 ms. ``pull`` gives the audio; it is called also where a digit takes its place."""
        samples = pull(self._encoder.sample_rate)
        event = self.digits.next() if self.digits is not None and self.digits.busy else None
        if event is None:
            payload = self._encoder.encode(samples)
            packet = self._packet(self._payload_type, self._marker, self._timestamp, payload)
            self._marker = False
        else:
            if event.begins:
                self._event_timestamp = self._timestamp
            packet = self._packet(self._digits_payload_type, event.first, self._event_timestamp, event.payload)
        self._timestamp = (self._timestamp + self._step) & 0xFFFF_FFFF
        return packet

    def report(self, wall: float, blocks: tuple[ReportBlock, ...]) -> SenderReport:
        """A sender report for ``wall``, epoch seconds."""
        return SenderReport(self.ssrc, ntp_time(wall), self._timestamp, self.packets, self.octets, blocks)

    def limit(self, bits_per_second: int) -> bool:
        """Send at most so much payload; false when the codec has one rate only."""
        return self._encoder.limit(bits_per_second)

    def hear_report(self, block: ReportBlock) -> None:
        """The far end's view of this stream."""
        self._encoder.expect_loss(block.fraction_lost)

    def _packet(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return RtpPacket(payload_type, marker, sequence, timestamp, self.ssrc, payload).serialize()
