"""``enableCallRecording``: both directions of a call as synthesised RTP packets for the platform (quality.md 7).

Not the platform's own recording, and not `CallHandle.record`, which writes a file here. Consent is the application's
business. One `CallRecorder` belongs to one call; two tracks, each with a buffer of its own, are sent every few seconds.
"""

import base64
import json
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from threading import Lock
from typing import Final

import numpy as np
from attrs import define, field, frozen

from telnyx_core._reports.recording import FRAMES_A_SECOND, PACKET_COST
from telnyx_core._reports.segment import MAX_BODY, ReportEndpoint
from telnyx_core._wire.json_types import JsonObject
from telnyx_core._wire.utc import iso
from telnyx_core.ids import CallId
from telnyx_core.options import RecordedTrack as Side
from telnyx_drivers._audio.frames import Samples, silence
from telnyx_drivers._audio.resampler import Resampler

_GAP: Final = 4
"""Frames that one direction is behind the other when that counts as silence: both tracks are to stay as long as the
call.
"""
_MOST_SILENT: Final = 500
"""Frames (10 s) of silence that stand for time in which nothing ran. Longer gaps show in the timestamps alone:
hours of silence would push the recorded speech out of the buffer.
"""
_ENVELOPE: Final = 1_000
"""Bytes for what stands around the packets, and for each of them beside its payload."""
_AROUND_PACKET: Final = 140


@frozen
class RecordedPacket:
    """20 ms of one track: mono 32 bit floats, little endian (REC-011)."""

    sequence: int
    timestamp: int
    wall: float
    payload: bytes = field(repr=False)

    @property
    def cost(self) -> int:
        return len(self.payload) + PACKET_COST


@define
class TrackBuffer:
    """One track: packets that have not been sent. Any thread."""

    rate: int
    most: int
    """Bytes, by `RecordedPacket.cost` (REC-012)."""
    ssrc: int
    _packets: deque[RecordedPacket] = field(factory=lambda: deque[RecordedPacket]())
    _cost: int = 0
    _sequence: int = 0
    _timestamp: int = 0
    next: int = 0
    """Number of the call's frame that comes next."""
    _overflowed: bool = False
    _resampler: Resampler | None = None
    _lock: Lock = field(factory=Lock)

    def add(self, samples: Samples, rate: int, wall: float) -> bool:
        """Add a piece of audio. True: older audio was dropped for it, for the first time since `take` (REC-012)."""
        if self._resampler is None or self._resampler.source != rate:
            self._resampler = Resampler(rate, self.rate)
        audio = self._resampler.process(samples)
        if not audio.size:
            return False
        payload = (audio.astype("<f4") / np.float32(32_768)).tobytes()
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet = RecordedPacket(self._sequence, self._timestamp, wall, payload)
        self.skip(audio.size)
        with self._lock:
            self._packets.append(packet)
            self._cost += packet.cost
            return self._shrink()

    @property
    def source_rate(self) -> int | None:
        """Of what came last, in hertz."""
        return None if self._resampler is None else self._resampler.source

    def skip(self, samples: int) -> None:
        """Let time pass that has no packet."""
        self._timestamp = (self._timestamp + samples) & 0xFFFF_FFFF

    def take(self) -> tuple[RecordedPacket, ...]:
        """Take all packets out."""
        with self._lock:
            packets = tuple(self._packets)
            self._packets.clear()
            self._cost, self._overflowed = 0, False
            return packets

    def _shrink(self) -> bool:
        dropped = False
        while self._cost > self.most and len(self._packets) > 1:
            self._cost -= self._packets.popleft().cost
            dropped = True
        first = dropped and not self._overflowed
        self._overflowed = self._overflowed or dropped
        return first


@frozen(kw_only=True)
class Heading:
    """The members that each segment of one track has."""

    call: str
    call_report_id: str
    voice_sdk_id: str | None = field(repr=False)
    recording: str
    side: Side
    rate: int
    ssrc: int
    started_at: float


class CallRecorder:
    """The recorder of one call: a tap of its audio (`CallAudio.add_tap`) with a buffer for each track."""

    def __init__(
        self,
        call: CallId,
        *,
        sides: Sequence[Side],
        rate: int,
        most: int,
        overflowed: Callable[[], None],
        wall: Callable[[], float],
        rng: Random,
    ) -> None:
        """``rate`` in samples per second, ``most`` in bytes for each track.

        ``overflowed`` is called on the media's thread, once for each track and segment.
        """
        self.call = call
        self.sides = tuple(sides)
        self.held = False
        """The call is on hold: sent audio is recorded as silence, and the track continues (REC-010)."""
        self._rate = rate
        self._overflowed = overflowed
        self._wall = wall
        self._started_at = wall()
        self._id = recording_id(call, self._started_at)
        self._tracks = {side: TrackBuffer(rate, most, rng.getrandbits(32)) for side in sides}
        self._start: int | None = None
        """Number of the call's frame with which the recording begins."""
        self._ended = False
        self._open = set(sides)
        """Tracks whose last segment has not been written."""

    @property
    def over(self) -> bool:
        """The last segment of each track is written."""
        return not self._open

    @property
    def ended(self) -> bool:
        return self._ended

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        """20 ms that were sent, as frame ``at`` of the call. Media loop."""
        self._put("local", silence(samples.size) if self.held else samples, rate, at)

    def heard(self, samples: Samples, rate: int, at: int) -> None:
        """20 ms that were heard. Media loop."""
        self._put("remote", samples, rate, at)

    def close(self) -> None:
        """Take no more audio; what is here can still be sent. Idempotent, any thread."""
        self._ended = True

    def segment(self, side: Side, home: ReportEndpoint, *, final: bool) -> tuple[bytes, ...]:
        """What there is of one track; empty for nothing (REC-015). Any thread: it takes its time."""
        track = self._tracks[side]
        if final:
            self._open.discard(side)
        heading = Heading(
            call=self.call,
            call_report_id=home.call_report_id,
            voice_sdk_id=home.voice_sdk_id,
            recording=self._id,
            side=side,
            rate=self._rate,
            ssrc=track.ssrc,
            started_at=self._started_at,
        )
        return bodies(heading, track.take(), final=final, ended_at=self._wall())

    def _put(self, side: Side, samples: Samples, rate: int, at: int) -> None:
        if self._ended:
            return
        if self._start is None:
            self._start = at
        frame = at - self._start
        for other, behind in self._tracks.items():
            # While a peer is renewed nothing is heard, and while nothing runs there is nothing at all.
            self._catch_up(behind, frame if other == side else frame - _GAP, rate)
        track = self._tracks.get(side)
        if track is not None and frame == track.next:
            self._add(track, samples, rate)

    def _catch_up(self, track: TrackBuffer, frame: int, rate: int) -> None:
        missing, rate = frame - track.next, track.source_rate or rate
        for _ in range(min(missing, _MOST_SILENT)):
            self._add(track, silence(rate // FRAMES_A_SECOND), rate)
        if missing > _MOST_SILENT:
            track.skip((missing - _MOST_SILENT) * self._rate // FRAMES_A_SECOND)
            track.next = frame

    def _add(self, track: TrackBuffer, samples: Samples, rate: int) -> None:
        track.next += 1
        if track.add(samples, rate, self._wall()):
            self._overflowed()


def recording_id(call: str, wall: float) -> str:
    """The recording's id: the call's id, and its start in epoch milliseconds, in base 36 (REC-014)."""
    return f"{call}-{_base36(round(wall * 1000))}"


def bodies(
    heading: Heading, packets: Sequence[RecordedPacket], *, final: bool, ended_at: float, limit: int = MAX_BODY
) -> tuple[bytes, ...]:
    """The packets as JSON, in as many parts as the size of one demands (REC-014, REC-017)."""
    made: list[bytes] = []
    part: list[RecordedPacket] = []
    size = _ENVELOPE
    for packet in packets:
        grown = size + _AROUND_PACKET + (len(packet.payload) + 2) // 3 * 4
        if part and grown > limit:
            made.append(_body(heading, part, final=final, ended_at=ended_at))
            part, grown = [], _ENVELOPE + grown - size
        part.append(packet)
        size = grown
    if part:
        made.append(_body(heading, part, final=final, ended_at=ended_at))
    return tuple(made)


def _body(heading: Heading, packets: Sequence[RecordedPacket], *, final: bool, ended_at: float) -> bytes:
    envelope: JsonObject = {
        "call_report_id": heading.call_report_id,
        "call_id": heading.call,
        "recording_id": heading.recording,
        "segment": "final" if final else "intermediate",
        "track": heading.side,
        "codec": "pcm-f32-le",
        "sample_rate": heading.rate,
        "channels": 1,
        "started_at": iso(heading.started_at),
        "ended_at": iso(ended_at),
        "packet_count": len(packets),
        "byte_count": sum(len(packet.payload) for packet in packets),
    }
    if heading.voice_sdk_id is not None:
        envelope["voice_sdk_id"] = heading.voice_sdk_id
    # In small steps: each step holds the interpreter lock, and another thread has audio to send.
    listed = ",".join(_packet(packet, heading.ssrc) for packet in packets)
    head = json.dumps(envelope, separators=(",", ":"))
    return f'{head[:-1]},"packets":[{listed}]}}'.encode()


def _packet(packet: RecordedPacket, ssrc: int) -> str:
    return (
        f'{{"rtp_seq":{packet.sequence},"rtp_ts":{packet.timestamp},"rtp_ssrc":{ssrc},'
        f'"captured_at":"{iso(packet.wall)}","payload_b64":"{base64.b64encode(packet.payload).decode()}"}}'
    )


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text or "0"
