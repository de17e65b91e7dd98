"""The receiving half of a leg: packets in as they come, 20 ms of audio out at every beat."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, assert_never

import numpy as np
from attrs import frozen

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, silence
from telnyx_drivers._audio.rtp import comfort_noise
from telnyx_drivers._audio.rtp.codecs import Decoder
from telnyx_drivers._audio.rtp.comfort_noise import ComfortNoise
from telnyx_drivers._audio.rtp.jitter_buffer import (
    Conceal,
    FecFrom,
    JitterBuffer,
    JitterStats,
    MediaPacket,
    Pace,
    Play,
    Silence,
    Wait,
)
from telnyx_drivers._audio.rtp.packet import RtpPacket
from telnyx_drivers._audio.rtp.reception_statistics import ReceptionStatistics, ReceptionTotals
from telnyx_drivers._audio.rtp.telephone_event import DigitReceiver, HeardDigit
from telnyx_drivers._audio.rtp.waveform import Concealer, Fader, is_quiet, lengthen, shorten

_MOST_PAYLOAD: Final = 1_500
_OLD_STREAM_SECONDS: Final = 0.5
"""An old stream's packets count as a change back only when its successor has been silent for so long."""
_MOST_OLD_STREAMS: Final = 8
"""Servers swap streams now and then; more than a few do not send at once."""


@frozen
class ReceiverStats:
    totals: ReceptionTotals
    """Over all streams of the leg; the jitter is the latest stream's."""
    buffer: JitterStats
    samples_received: int
    """Audio given out, in samples, made up or not (W3C ``totalSamplesReceived``)."""
    inserted_samples: int
    removed_samples: int
    """To change the delay (W3C ``insertedSamplesForDeceleration``, ``removedSamplesForAcceleration``)."""


class RtpReceiver:
    """One leg. ``decoders`` by payload type; ``events`` are the payload types of digits with their clock rate."""

    def __init__(
        self,
        decoders: Mapping[int, Decoder],
        *,
        events: Mapping[int, int],
        heard_digit: Callable[[HeardDigit], None],
        rng: np.random.Generator,
    ) -> None:
        self._decoders = dict(decoders)
        self._events = events
        self._digits = {payload_type: DigitReceiver(rate) for payload_type, rate in events.items()}
        self._heard_digit = heard_digit
        self._payload_type, self._decoder = next(iter(self._decoders.items()))
        self.sample_rate = self._decoder.sample_rate
        """Of what `beat` returned last; changes with the codec that is heard."""
        self._buffer = JitterBuffer(self._decoder.clock_rate)
        self._concealer = Concealer(self._decoder.sample_rate)
        self._fader = Fader(self._decoder.sample_rate)
        self._noise = ComfortNoise(rng)
        self._told_to_pause = False
        self._reception: ReceptionStatistics | None = None
        self._finished = ReceptionTotals()
        self._old_ssrcs: deque[int] = deque(maxlen=_MOST_OLD_STREAMS)
        self._arrived_at = 0.0
        self._stream_begins = False
        self._rest: Samples = silence(0)
        self._begun = False
        self._in_event = self._other_clock = False
        self._samples_received = self._inserted = self._removed = 0

    @property
    def reception(self) -> ReceptionStatistics | None:
        """The stream that is being played."""
        return self._reception

    @property
    def target_delay(self) -> float:
        """Seconds that the jitter buffer means to hold audio back."""
        return self._buffer.target_delay

    def awaits(self, now: float) -> bool:
        """As `JitterBuffer.awaits`, but false while enough audio for a beat is left."""
        return self._rest.size * FRAMES_PER_SECOND < self.sample_rate and self._buffer.awaits(now)

    @property
    def filling(self) -> bool:
        """As `JitterBuffer.filling`."""
        return self._buffer.filling

    def shift(self, now: float) -> float:
        """As `JitterBuffer.shift`."""
        return self._buffer.shift(now)

    @property
    def stats(self) -> ReceiverStats:
        now, before = (self._reception.totals if self._reception else ReceptionTotals()), self._finished
        totals = ReceptionTotals(
            now.packets + before.packets, now.octets + before.octets, now.lost + before.lost, now.jitter
        )
        return ReceiverStats(totals, self._buffer.stats, self._samples_received, self._inserted, self._removed)

    def receive(self, packet: RtpPacket, now: float) -> bool:
        """A packet arrived at ``now`` (seconds, monotonic). False when it is none of this leg's."""
        payload_type, payload = packet.payload_type, packet.payload
        decoder = self._decoders.get(payload_type)
        is_noise = payload_type == comfort_noise.PAYLOAD_TYPE
        if (decoder is None and payload_type not in self._events and not is_noise) or len(payload) > _MOST_PAYLOAD:
            return False
        reception = self._reception
        if reception is None or reception.ssrc != packet.ssrc:
            if packet.ssrc in self._old_ssrcs and now - self._arrived_at < _OLD_STREAM_SECONDS:
                return False
            reception = self._change_stream(packet.ssrc)
        self._arrived_at = now
        newest = reception.add(packet.sequence, packet.timestamp, len(payload), now)
        if decoder is not None:
            if decoder.clock_rate != self._decoder.clock_rate:
                # One late packet of the old stream is no change back; two in a row are, whatever their numbers.
                if not newest and not self._other_clock:
                    self._other_clock = True
                    return True
                self._change_clock(payload_type, reception)
            self._other_clock = False
            duration, pauses, repairs = decoder.describe(payload)
            if duration:
                self._buffer.put(
                    MediaPacket(
                        packet.sequence,
                        packet.timestamp,
                        duration,
                        payload,
                        payload_type,
                        pauses,
                        repairs,
                        decoder.memoryless,
                    ),
                    now,
                )
        elif is_noise:
            self._buffer.put(MediaPacket(packet.sequence, packet.timestamp, 0, payload, payload_type, True), now)
        else:
            self._in_event = True
            for digit in self._digits[payload_type].receive(packet.sequence, packet.timestamp, payload, now):
                self._heard_digit(digit)
        return True

    def beat(self, now: float) -> Samples | None:
        """The 20 ms to be heard at ``now``; ``None`` until the first packet is due."""
        if self._in_event:
            self._expire_digits(now)
        rate = self.sample_rate
        if not self._rest.size:
            samples = self._next(now)
            # The usual case: a packet is a beat.
            if samples is None or (samples.size * FRAMES_PER_SECOND == rate == self.sample_rate):
                self._samples_received += 0 if samples is None else samples.size
                return samples
            self._rest = samples
        return self._cut(now)

    def _cut(self, now: float) -> Samples:
        """One beat of audio, from the rest and the next piece."""
        rate, whole = self.sample_rate, self._rest
        need = rate // FRAMES_PER_SECOND
        while whole.size < need:
            samples = self._next(now, whole.size / rate)
            assert samples is not None, "a stream that has begun has an answer to everything"
            if self.sample_rate == rate:
                whole = np.concatenate((whole, samples))
            else:
                rate, whole = self.sample_rate, samples
                need = rate // FRAMES_PER_SECOND
        self._rest = whole[need:]
        self._samples_received += need
        return whole[:need]

    def _next(self, now: float, ahead: float = 0.0) -> Samples | None:
        """The next piece of audio, of any length; ``None`` when nothing has begun."""
        instruction = self._buffer.get(now, ahead)
        match instruction:
            case Play():
                self._begun = True
                return self._play(instruction)
            case Conceal():
                return self._conceal(self._samples(instruction.duration), instruction.then)
            case FecFrom():
                count = self._samples(instruction.duration)
                repaired = self._decoder.decode_repair(instruction.packet.payload, count)
                if repaired is None or repaired.size != count:
                    return self._conceal(count)
                return self._fader.up(self._concealer.good(repaired))
            case Silence():
                return self._pause(self._samples(instruction.duration))
            case Wait():
                # A stream that took over from another: what was heard last fades out meanwhile.
                return self._concealer.conceal(self.sample_rate // FRAMES_PER_SECOND) if self._begun else None
            case _:
                assert_never(instruction)

    def _play(self, play: Play) -> Samples:
        packet = play.packet
        if packet.payload_type == comfort_noise.PAYLOAD_TYPE:
            self._told_to_pause = False
            self._noise.describe(packet.payload)
            return silence(0)
        if packet.payload_type != self._payload_type:
            self._change_codec(packet.payload_type)
        if self._stream_begins:
            # Another encoder made it. Until now the old state was needed, to fade out.
            self._stream_begins = False
            self._decoder.reset()
            self._noise.reset()
        self._told_to_pause = packet.pauses
        samples = self._fader.up(self._concealer.good(self._decoder.decode(packet.payload)))
        if play.pace is Pace.NORMAL:
            return samples
        paced = change_pace(samples, self.sample_rate, play.pace, play.spare)
        self._removed += max(samples.size - paced.size, 0)
        self._inserted += max(paced.size - samples.size, 0)
        return paced

    def _conceal(self, count: int, then: MediaPacket | None = None) -> Samples:
        if then is not None and then.payload_type == self._payload_type:
            return self._concealer.lead_to(count, self._decoder.decode(then.payload))
        guess = self._decoder.conceal(count)
        if guess is None or guess.size != count:
            return self._concealer.conceal(count)
        return self._fader.down(guess)

    def _pause(self, count: int) -> Samples:
        """Comfort noise: Opus makes its own once it was told to; other codecs send it in packets of its own."""
        guess = self._decoder.conceal(count) if self._told_to_pause else None
        return guess if guess is not None and guess.size == count else self._noise.make(count)

    def _samples(self, duration: int) -> int:
        return max(duration * self._decoder.sample_rate // self._decoder.clock_rate, 1)

    def _expire_digits(self, now: float) -> None:
        for digits in self._digits.values():
            for digit in digits.expire(now):
                self._heard_digit(digit)
        self._in_event = any(digits.open for digits in self._digits.values())

    def _change_stream(self, ssrc: int) -> ReceptionStatistics:
        if self._reception is not None:
            self._finished = self.stats.totals
            self._old_ssrcs.append(self._reception.ssrc)
            self._buffer.reset()
            # The concealer alone continues: it blends from what was heard last.
            self._stream_begins = True
            for digits in self._digits.values():
                for digit in digits.finish():
                    self._heard_digit(digit)
            self._digits = {number: DigitReceiver(rate, self._digits[number]) for number, rate in self._events.items()}
            self._in_event = self._other_clock = False
        self._reception = ReceptionStatistics(ssrc, self._decoder.clock_rate)
        return self._reception

    def _change_clock(self, payload_type: int, reception: ReceptionStatistics) -> None:
        """Another codec with another RTP clock: earlier timestamps say nothing about the later ones."""
        self._change_codec(payload_type)
        reception.change_clock(self._decoder.clock_rate)
        self._buffer.reset(self._decoder.clock_rate)

    def _change_codec(self, payload_type: int) -> None:
        before, self._decoder = self._decoder, self._decoders[payload_type]
        self._payload_type = payload_type
        if self._decoder is before:
            return  # Another number of the same codec.
        self.sample_rate = self._decoder.sample_rate
        self._decoder.reset()
        self._concealer, self._fader = Concealer(self.sample_rate), Fader(self.sample_rate)


def change_pace(samples: Samples, rate: int, pace: Pace, spare: float) -> Samples:
    """One pitch period less, or more, in each 20 ms; at most ``spare`` seconds less."""
    if pace is Pace.LENGTHEN:
        return lengthen(samples, rate)
    if pace is Pace.TRIM and not is_quiet(samples):
        return samples
    pieces: list[Samples] = []
    left, size = round(spare * rate), rate // FRAMES_PER_SECOND
    for start in range(0, samples.size, size):
        piece = samples[start : start + size]
        shorter = shorten(piece, rate, left, even_if_heard=pace is Pace.CUT)
        left -= piece.size - shorter.size
        pieces.append(shorter)
    return np.concatenate(pieces) if len(pieces) > 1 else pieces[0] if pieces else samples
