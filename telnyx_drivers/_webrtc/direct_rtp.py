"""The default `RtpPath`: datagrams go straight to a jitter buffer, and one clock for all legs takes 20 ms from it and
sends 20 ms, in plain calls.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from attrs import define

from telnyx_core.actions import DEFAULT_TONE, DigitTone
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.rtp import pacer, rtcp
from telnyx_drivers._audio.rtp.codecs import Decoder, Encoder, make_decoder, make_encoder
from telnyx_drivers._audio.rtp.jitter_buffer import QUANTUM
from telnyx_drivers._audio.rtp.libopus import OpusSettings
from telnyx_drivers._audio.rtp.packet import HEADER_BYTES, parse
from telnyx_drivers._audio.rtp.receiver import RtpReceiver
from telnyx_drivers._audio.rtp.sender import RtpSender
from telnyx_drivers._audio.rtp.telephone_event import DigitSender
from telnyx_drivers._webrtc.rtp_path import AgreedAudio, RtpPath, RtpStats, RtpWiring

_log = logs.of_module(__name__)

_REPORT_BEATS: Final = (25, 75)
"""Beats between two reports, at random (RFC 3550 section 6.2): half a second to one and a half."""
_INSTANT: Final = 1e-6
_LONGEST_WAIT: Final = 2 * QUANTUM
"""Seconds for which a beat is put off when its packet is late: less than half a beat, so that code which passes the
audio on every 20 ms usually has it in time."""


class DirectRtpPath:
    """Implements `RtpPath`."""

    def __init__(self, wiring: RtpWiring, opus: OpusSettings | None = None) -> None:
        self._wiring = wiring
        self._opus = opus or OpusSettings()
        self._leg: Leg | None = None

    def start(self, agreed: AgreedAudio) -> None:
        self._leg = Leg(self._wiring, agreed, self._opus)

    def send_digits(self, digits: str, tone: DigitTone = DEFAULT_TONE) -> bool:
        sender = self._leg.sender.digits if self._leg is not None else None
        if sender is None:
            return False
        sender.send(digits, tone)
        return True

    def limit_bit_rate(self, bits_per_second: int) -> bool:
        """Spend at most so much on what is sent (MEDIA-046); false before `start` and for codecs of one rate."""
        return self._leg is not None and self._leg.sender.limit(bits_per_second)

    @property
    def sending_digits(self) -> bool:
        sender = self._leg.sender.digits if self._leg is not None else None
        return sender is not None and sender.busy

    def stats(self) -> RtpStats:
        return RtpStats() if self._leg is None else self._leg.stats()

    async def stop(self) -> None:
        if self._leg is not None:
            self._leg.stop()


@define
class _Traffic:
    """Everything in one direction, RTP and RTCP."""

    packets: int = 0
    octets: int = 0

    def count(self, packet: bytes) -> None:
        self.packets += 1
        self.octets += len(packet)


class Leg:
    """A path that runs."""

    def __init__(self, wiring: RtpWiring, agreed: AgreedAudio, opus: OpusSettings) -> None:
        self._wiring = wiring
        self._agreed = agreed
        self._tap = wiring.tap or _untapped
        self._clock = asyncio.get_running_loop().time
        # The system's time is set and slewed while a call runs, and a report would come back before it was sent: RFC
        # 3550 section 4 asks for the same clock in all reports, not for the right time.
        self._epoch = time.time() - self._clock()
        self._heard = False
        self._round_trip: float | None = None
        self._round_trip_total = 0.0
        self._round_trip_count = 0
        self._sent = _Traffic()
        self._received = _Traffic()
        self._header_bytes_received = 0
        self._remote: rtcp.ReportBlock | None = None
        self._remote_sender: rtcp.SenderReport | None = None
        self._dice = secrets.SystemRandom()
        self._until_report = self._dice.randint(*_REPORT_BEATS)
        payload_type, encoder = _encoder(agreed, opus)
        events = {rate: number for number, rate in agreed.telephone_events.items()}
        # RFC 4733 wants the clock of the audio; what the far end takes is what counts.
        event_rate = encoder.clock_rate if encoder.clock_rate in events else min(events, default=0)
        self.sender = RtpSender(
            encoder,
            payload_type=payload_type,
            ssrc=wiring.ssrc,
            # The far end's rollover counter begins at 0 with the first packet that it gets (RFC 3711 section 3.3.1):
            # if we began shortly before a wrap and lost packets up to it, nothing could be decrypted.
            sequence=self._dice.getrandbits(15),
            timestamp=self._dice.getrandbits(32),
            digits=DigitSender(event_rate) if events else None,
            digits_payload_type=events.get(event_rate, 0),
            silence_suppression=agreed.silence_suppression,
            noise_taken=agreed.comfort_noise,
        )
        self._receiver = RtpReceiver(
            _decoders(agreed),
            events=agreed.telephone_events,
            heard_digit=lambda heard: wiring.digit(heard.digit, heard.duration),
            rng=np.random.default_rng(),
        )
        self._wire = wiring.wire(self._on_rtp, self._on_rtcp)
        self._stop_speaking = pacer.join(self._speak)
        self._stop_hearing: Callable[[], None] | None = None
        self._hear_from = 0.0
        self._waited = 0.0
        """Seconds for which the next beat to be heard has been put off, because its packet may come yet."""

    def stats(self) -> RtpStats:
        heard = self._receiver.stats
        remote, remote_sender = self._remote, self._remote_sender
        return RtpStats(
            packets_sent=self.sender.packets,
            bytes_sent=self.sender.octets,
            packets_received=heard.totals.packets,
            bytes_received=heard.totals.octets,
            packets_lost=heard.totals.lost if heard.totals.packets else None,
            jitter=heard.totals.jitter if heard.totals.packets else None,
            round_trip=self._round_trip,
            round_trip_total=self._round_trip_total if self._round_trip_count else None,
            round_trip_count=self._round_trip_count,
            header_bytes_sent=HEADER_BYTES * self.sender.packets,
            header_bytes_received=self._header_bytes_received,
            transport_packets_sent=self._sent.packets,
            transport_bytes_sent=self._sent.octets,
            transport_packets_received=self._received.packets,
            transport_bytes_received=self._received.octets,
            packets_discarded=heard.buffer.packets_discarded,
            packets_late=heard.buffer.packets_late,
            fec_packets_received=heard.buffer.fec_packets_received,
            concealed_samples=heard.buffer.concealed_samples,
            concealment_events=heard.buffer.concealment_events,
            samples_received=heard.samples_received,
            inserted_samples=heard.inserted_samples,
            removed_samples=heard.removed_samples,
            jitter_buffer_delay=heard.buffer.jitter_buffer_delay,
            jitter_buffer_target_delay=heard.buffer.jitter_buffer_target_delay,
            jitter_buffer_emitted_count=heard.buffer.jitter_buffer_emitted_count,
            remote_packets_lost=None if remote is None else remote.packets_lost,
            remote_fraction_lost=None if remote is None else remote.fraction_lost,
            remote_jitter=None if remote is None else remote.jitter / self.sender.clock_rate,
            remote_packets_sent=None if remote_sender is None else remote_sender.packets,
            remote_bytes_sent=None if remote_sender is None else remote_sender.octets,
        )

    def stop(self) -> None:
        """Send RTCP BYE and release everything. Idempotent."""
        self._stop_speaking()
        if self._stop_hearing is not None:
            self._stop_hearing()
        self._send_report(bye=True)
        self._wire.close()

    def _hear(self, due: float, skipped: int) -> None:
        receiver = self._receiver
        if due < self._hear_from - _INSTANT:
            return
        waited = self._waited
        if waited < _LONGEST_WAIT and receiver.awaits(due) and self._clock() - due < QUANTUM:
            self._hear_at(due + QUANTUM)
            self._waited = waited + QUANTUM
            return
        audio = receiver.beat(due)
        if audio is not None:
            self._wiring.port.push(audio, receiver.sample_rate, due)
        self._waited = 0.0
        if waited and receiver.filling:
            # The packet did not come: the packets after it are as early as before.
            self._hear_at(due + pacer.BEAT - waited)
        elif shift := receiver.shift(due):
            self._hear_at(due + pacer.BEAT + shift)

    def _hear_at(self, time: float) -> None:
        """Let beats be heard from then on: packets that come evenly are played as soon as they may be."""
        if self._stop_hearing is not None:
            self._stop_hearing()
        self._hear_from = time
        self._stop_hearing = pacer.join(self._hear, time)

    def _speak(self, due: float, skipped: int) -> None:
        if skipped:
            self.sender.skip(skipped)
        if self._agreed.sends and self._wire.open:
            packet = self.sender.next(lambda rate: self._wiring.port.pull(rate, due))
            if packet is not None:
                self._tap(packet, True)
                self._sent.count(packet)
                self._wire.send(packet)
        else:
            # Audio of that time is lost, not kept for later.
            self._wiring.port.pull(self.sender.sample_rate, due)
        self._until_report -= 1
        if self._until_report <= 0:
            self._until_report = self._dice.randint(*_REPORT_BEATS)
            self._send_report()

    def _on_rtp(self, data: bytes) -> None:
        self._tap(data, False)
        self._received.count(data)
        packet = parse(data)
        if packet is None or not self._agreed.receives:
            return
        self._header_bytes_received += len(data) - len(packet.payload)
        now = self._clock()
        if self._receiver.receive(packet, now) and not self._heard:
            self._heard = True
            self._hear_at(now + self._receiver.target_delay)
            self._wiring.heard()

    def _on_rtcp(self, data: bytes) -> None:
        self._tap(data, False)
        self._received.count(data)
        now = self._clock()
        ntp_now = rtcp.ntp_time(self._epoch + now)
        for message in rtcp.parse(data):
            match message:
                case rtcp.SenderReport(ssrc=ssrc, ntp=ntp):
                    self._remote_sender = message
                    reception = self._receiver.reception
                    if reception is not None and reception.ssrc == ssrc:
                        reception.sender_report(ntp, now)
                    self._on_blocks(message.blocks, ntp_now)
                case rtcp.ReceiverReport():
                    self._on_blocks(message.blocks, ntp_now)
                case rtcp.Bye():
                    # A call ends by signalling; a server sends BYE whenever it replaces a stream.
                    _log.debug("the far end ends streams %s", message.ssrcs)

    def _on_blocks(self, blocks: tuple[rtcp.ReportBlock, ...], ntp_now: int) -> None:
        for block in blocks:
            if block.ssrc == self.sender.ssrc:
                self._remote = block
                self.sender.hear_report(block)
                round_trip = block.round_trip(ntp_now)
                if round_trip is not None:
                    self._round_trip = round_trip
                    self._round_trip_total += round_trip
                    self._round_trip_count += 1

    def _send_report(self, *, bye: bool = False) -> None:
        if not self._wire.open:
            return
        reception = self._receiver.reception
        now = self._clock()
        blocks = () if reception is None else (reception.report(now),)
        report = (
            self.sender.report(self._epoch + now, blocks)
            if self.sender.packets
            else rtcp.ReceiverReport(self.sender.ssrc, blocks)
        )
        packet = rtcp.compound(report, self._wiring.cname, (self.sender.ssrc,) if bye else ())
        self._tap(packet, True)
        self._sent.count(packet)
        self._wire.send_rtcp(packet)


def _untapped(packet: bytes, sent: bool) -> None:
    """The tap of a path that is not captured: does nothing."""


def _encoder(agreed: AgreedAudio, opus: OpusSettings) -> tuple[int, Encoder]:
    for codec in agreed.codecs:
        encoder = make_encoder(codec.name, opus)
        if encoder is not None:
            return codec.payload_type, encoder
    raise AssertionError("negotiated only codecs that were never offered")


def _decoders(agreed: AgreedAudio) -> dict[int, Decoder]:
    """By every number that may come; several of one codec are one stream, and have one decoder."""
    made = {name: make_decoder(name) for name in {codec.name.lower() for codec in agreed.codecs}}
    named = {codec.payload_type: made[codec.name.lower()] for codec in agreed.codecs}
    return {payload_type: decoder for payload_type, decoder in named.items() if decoder is not None}


def direct_rtp_path(wiring: RtpWiring, opus: OpusSettings | None = None) -> RtpPath:
    return DirectRtpPath(wiring, opus or OpusSettings())
