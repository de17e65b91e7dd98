"""The sending half of a leg: audio and digits to packets, and the reports about them."""

from collections.abc import Callable
from typing import Final

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples
from telnyx_drivers._audio.rtp import comfort_noise, opus_payload
from telnyx_drivers._audio.rtp.codecs import Encoder
from telnyx_drivers._audio.rtp.comfort_noise import Pauses
from telnyx_drivers._audio.rtp.packet import RtpPacket
from telnyx_drivers._audio.rtp.rtcp import ReportBlock, SenderReport, ntp_time
from telnyx_drivers._audio.rtp.telephone_event import DigitSender

_LOSS_REMEMBERED: Final = 0.9
"""Factor for the loss that earlier reports gave; reports come every second or few."""
_LEAST_LOSS: Final = 0.004
"""The least that a report can say of one packet in its interval is 1/256."""


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
        silence_suppression: bool = False,
        noise_taken: bool = False,
    ) -> None:
        """``silence_suppression`` leaves pauses out, by the codec's own means, or else with comfort noise if that is
        ``noise_taken`` by the far end.
        """
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
        self._expected_loss = 0.0
        self._codec_pauses = silence_suppression and encoder.suppress_silence()
        self._pauses = Pauses() if silence_suppression and noise_taken and not self._codec_pauses else None
        self._paused = False

    @property
    def sample_rate(self) -> int:
        """Of the audio that `next` wants."""
        return self._encoder.sample_rate

    @property
    def clock_rate(self) -> int:
        return self._encoder.clock_rate

    def skip(self, frames: int) -> None:
        """Time passed in which nothing could be sent: the far end must see a pause, not late packets."""
        self._timestamp = (self._timestamp + frames * self._step) & 0xFFFF_FFFF
        self._marker = True

    def next(self, pull: Callable[[int], Samples]) -> bytes | None:
        """The packet for the next 20 ms; ``None``: none, in a pause.

        ``pull`` gives the audio; it is called also where a digit takes its place.
        """
        samples = pull(self._encoder.sample_rate)
        event = self.digits.next() if self.digits is not None and self.digits.busy else None
        if event is None:
            packet = self._audio(samples)
        else:
            if event.begins:
                self._event_timestamp = self._timestamp
            packet = self._packet(self._digits_payload_type, event.first, self._event_timestamp, event.payload)
        self._timestamp = (self._timestamp + self._step) & 0xFFFF_FFFF
        return packet

    def _audio(self, samples: Samples) -> bytes | None:
        if self._pauses is not None and self._pauses.add(samples):
            # The first packet after a pause is marked (RFC 3551 section 4.1).
            self._marker = True
            if not self._pauses.describes:
                return None
            return self._packet(comfort_noise.PAYLOAD_TYPE, False, self._timestamp, self._pauses.description())
        payload = self._encoder.encode(samples)
        if self._codec_pauses:
            before, self._paused = self._paused, opus_payload.pauses(payload)
            if before and self._paused:
                self._marker = True
                return None
        packet = self._packet(self._payload_type, self._marker, self._timestamp, payload)
        self._marker = False
        return packet

    def report(self, wall: float, blocks: tuple[ReportBlock, ...]) -> SenderReport:
        """A sender report for ``wall``, epoch seconds."""
        return SenderReport(self.ssrc, ntp_time(wall), self._timestamp, self.packets, self.octets, blocks)

    def limit(self, bits_per_second: int) -> bool:
        """Send at most so much payload; false when the codec has one rate only."""
        return self._encoder.limit(bits_per_second)

    def hear_report(self, block: ReportBlock) -> None:
        """The far end's view of this stream."""
        # At one lost in a hundred most reports tell of none: what was lost lately counts for some reports more.
        self._expected_loss = max(block.fraction_lost, self._expected_loss * _LOSS_REMEMBERED)
        if self._expected_loss < _LEAST_LOSS:
            self._expected_loss = 0.0
        self._encoder.expect_loss(max(self._expected_loss, 0.01) if self._expected_loss else 0.0)

    def _packet(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return RtpPacket(payload_type, marker, sequence, timestamp, self.ssrc, payload).serialize()
