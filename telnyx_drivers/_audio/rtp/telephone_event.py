"""Digits inside the audio stream (RFC 4733): ``telephone-event`` payloads, both ways.

Events are sent and heard one at a time, each in packets of its own; redundancy (RFC 2198, ``red``) is neither offered
nor read: the last packet of an event goes out three times, and an event whose end is lost ends all the same.
"""

from collections import deque
from struct import Struct
from typing import Final

from attrs import frozen

from telnyx_core.actions import DEFAULT_TONE, DigitTone

_PAYLOAD = Struct("!BBH")
DIGITS: Final = "0123456789*#ABCD"
_END_REPEATS: Final = 3
"""The last packet of an event is sent three times, because its loss would lose the end (RFC 4733 section 2.5.1.4)."""
_SILENT_SECONDS: Final = 0.2
"""An event without packets for so long has ended; its end was lost."""
_OTHER_WAY: Final = 0.06
"""Seconds by which packets of a stream that takes over may come earlier or later than those before."""
_MOST_UNITS: Final = 0xFFFF
"""Longest duration of one event segment. A longer event continues in the next segment (RFC 4733 section 2.5.1.3)."""
_NEARLY: Final = 0x1000
"""Units that may be missing at the end of a segment of which the last packets were lost."""
_MISORDERED: Final = 0x8000


@frozen
class HeardDigit:
    digit: str
    duration: float
    """Seconds."""


@frozen
class _Press:
    """A key that is pressed, or was pressed last."""

    event: int
    timestamp: int
    """Of its segment."""
    duration: int
    """Of its segment, in clock units."""
    before: int = 0
    """Clock units in earlier segments."""
    began: float = 0.0


class DigitReceiver:
    """Fed with the event packets of one stream; tells each digit once, when it has ended.

    Packets are put in order by their sequence numbers: timestamps tell which event a packet belongs to, but a sender
    may begin to count anew. The marker bit is not relied on; many senders leave it out.
    """

    def __init__(self, clock_rate: int, before: "DigitReceiver | None" = None) -> None:
        """``before``: that of the stream from which this one takes over, once it has finished."""
        self._clock = clock_rate
        self._press: _Press | None = None
        self._open = False
        self._sequence: int | None = None
        self._cut: _Press | None = None if before is None else before._cut
        """A key that was still down when the stream before it ended, and has been told."""
        self._last_at: float = 0.0 if before is None else before._last_at

    @property
    def open(self) -> bool:
        """True while a digit has begun and not ended."""
        return self._open

    def receive(self, sequence: int, timestamp: int, payload: bytes, now: float) -> list[HeardDigit]:
        """An event packet arrived. Broken packets, and events that are no digits, are ignored."""
        if len(payload) < 4:
            return []
        event, flags, duration = _PAYLOAD.unpack_from(payload)
        if event >= len(DIGITS):
            return []
        press = self._press
        if self._sequence is not None and (sequence - self._sequence) & 0xFFFF >= _MISORDERED:
            # Overtaken on the way: it may be longer than what has been heard of a key that is still down.
            if press is not None and self._open and (event, timestamp) == (press.event, press.timestamp):
                self._lengthen(press, duration, now)
            return []
        self._sequence = sequence
        heard: list[HeardDigit] = []
        cut, self._cut = self._cut, None
        if cut is not None and self._is_still_down(cut, event, duration, now):
            press = _Press(event, timestamp, duration)
        if press is None or not self._continues(press, event, timestamp, duration, now):
            heard += self._tell()
            press = _Press(event, timestamp, duration, began=now)
            self._open = True
        elif timestamp != press.timestamp:
            press = _Press(event, timestamp, duration, press.before + press.duration, press.began)
        self._lengthen(press, duration, now)
        if flags & 0x80:
            heard += self._tell()
        return heard

    def expire(self, now: float) -> list[HeardDigit]:
        """Time passed: an event whose end was lost is over all the same."""
        return [] if now - self._last_at < _SILENT_SECONDS else self._tell()

    def finish(self) -> list[HeardDigit]:
        """The stream has ended, and with it any digit in progress."""
        self._cut = self._press if self._open else None
        return self._tell()

    def _is_still_down(self, cut: _Press, event: int, duration: int, now: float) -> bool:
        """Whether a key goes on in another stream, where it has been down for as much longer as time has passed."""
        longer = (duration - cut.duration) / self._clock
        return event == cut.event and longer > 0 and abs(longer - (now - self._last_at)) < _OTHER_WAY

    def _continues(self, press: _Press, event: int, timestamp: int, duration: int, now: float) -> bool:
        """Whether a packet is of the same pressing of a key."""
        if event != press.event:
            return False
        if timestamp == press.timestamp:
            # An event that has ended only repeats its end; the same key again counts from the beginning.
            return self._open or duration >= press.duration
        if not self._open or now - self._last_at >= _SILENT_SECONDS:
            return False
        follows = timestamp == (press.timestamp + press.duration) & 0xFFFF_FFFF
        return follows or press.duration > _MOST_UNITS - _NEARLY

    def _lengthen(self, press: _Press, duration: int, now: float) -> None:
        self._last_at = now
        self._press = _Press(press.event, press.timestamp, max(press.duration, duration), press.before, press.began)

    def _tell(self) -> list[HeardDigit]:
        press = self._press
        if press is None or not self._open:
            return []
        self._open = False
        duration = (press.before + press.duration) / self._clock
        if press.duration == _MOST_UNITS:
            # A sender that stays at the longest that the field can say: the clock knows better.
            duration = max(duration, self._last_at - press.began)
        return [HeardDigit(DIGITS[press.event], duration)]


@frozen
class EventPacket:
    payload: bytes
    first: bool
    """The marker bit: a key goes down."""
    begins: bool
    """A segment of the event begins now: its packets bear the timestamp of this one."""


@frozen
class _Queued:
    event: int
    frames: int
    rests: int
    volume: int


class DigitSender:
    """Digits waiting to be sent, one packet for each 20 ms in place of audio."""

    def __init__(self, clock_rate: int) -> None:
        """``clock_rate`` of the events, which need not be that of the audio."""
        self.clock_rate = clock_rate
        self._step = clock_rate // 50
        self._queue: deque[_Queued] = deque()
        self._frames = 0
        """Sent of the digit that is being sent."""
        self._segment = 0
        """Clock units of it in earlier segments."""
        self._ends_left = 0
        self._rest = 0

    @property
    def busy(self) -> bool:
        return bool(self._queue) or self._rest > 0

    def send(self, digits: str, tone: DigitTone = DEFAULT_TONE) -> None:
        """Queue digits. Raises ``ValueError`` for anything but ``0-9 * # A-D``."""
        if not all(digit in DIGITS for digit in digits.upper()):
            raise ValueError(f"digits are any of {DIGITS}, not {digits!r}")
        frames, rests = round(tone.duration * 50), round(tone.gap * 50)
        self._queue.extend(_Queued(DIGITS.index(digit), frames, rests, -tone.volume) for digit in digits.upper())

    def next(self) -> EventPacket | None:
        """The packet for the next 20 ms, or ``None``: then it is audio's turn."""
        if self._rest > 0:
            self._rest -= 1
            return None
        if not self._queue:
            return None
        digit = self._queue[0]
        first = begins = self._frames == 0
        if self._ends_left:
            self._ends_left -= 1
        else:
            self._frames += 1
            if self._frames * self._step - self._segment > _MOST_UNITS:
                self._segment, begins = (self._frames - 1) * self._step, True
            if self._frames >= digit.frames:
                self._ends_left = _END_REPEATS - 1
        end = self._frames >= digit.frames
        elapsed = self._frames * self._step - self._segment
        packet = EventPacket(_PAYLOAD.pack(digit.event, (0x80 if end else 0) | digit.volume, elapsed), first, begins)
        if end and self._ends_left == 0:
            self._queue.popleft()
            self._frames, self._segment, self._rest = 0, 0, digit.rests
        return packet
