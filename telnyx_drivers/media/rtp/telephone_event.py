"""Digits inside the audio stream (RFC 4733): ``telephone-event`` payloads, both ways."""

from collections import deque
from struct import Struct
from typing import Final

from attrs import frozen

_PAYLOAD = Struct("!BBH")
DIGITS: Final = "0123456789*#ABCD"
_VOLUME: Final = 10
"""-10 dBm0, what telephones send."""
_END_REPEATS: Final = 3
"""RFC 4733 section 2.5.1.4: the last packet is sent three times, because everything hangs on it."""
_SILENT_SECONDS: Final = 0.2
"""An event of which nothing is heard for so long has ended unheard."""
_LONGEST: Final = 0xFFFF


@frozen
class HeardDigit:
    digit: str
    duration: float
    """Seconds."""


class DigitReceiver:
    """Fed with the payloads of one stream; tells each digit once, when it has ended."""

    def __init__(self, clock_rate: int) -> None:
        self._clock = clock_rate
        self._timestamp: int | None = None
        self._event = 0
        self._duration = 0
        self._told = True
        self._last_at = 0.0

    @property
    def open(self) -> bool:
        """True while a digit has begun and not ended."""
        return not self._told

    def receive(self, timestamp: int, payload: bytes, now: float) -> list[HeardDigit]:
        """An event packet arrived. Broken ones, and events that are no digits, mean nothing."""
        if len(payload) < 4:
            return []
        event, flags, duration = _PAYLOAD.unpack_from(payload)
        if event >= len(DIGITS):
            return []
        heard: list[HeardDigit] = []
        if timestamp != self._timestamp:
            if self._timestamp is not None and (timestamp - self._timestamp) & 0xFFFF_FFFF >= 1 << 31:
                return []  # A straggler of an event that is over.
            heard += self._tell()
            self._timestamp, self._event, self._duration, self._told = timestamp, event, 0, False
        self._last_at = now
        self._duration = max(self._duration, duration)
        if flags & 0x80:
            heard += self._tell()
        return heard

    def expire(self, now: float) -> list[HeardDigit]:
        """Time passes: an event whose end was lost is over all the same."""
        if self._told or now - self._last_at < _SILENT_SECONDS:
            return []
        return self._tell()

    def _tell(self) -> list[HeardDigit]:
        if self._told:
            return []
        self._told = True
        return [HeardDigit(DIGITS[self._event], self._duration / self._clock)]


@frozen
class EventPacket:
    payload: bytes
    first: bool
    """The marker bit; and the timestamp of the whole event is that of this packet."""


class DigitSender:
    """Digits waiting to be sent, one packet for each 20 ms in place of audio."""

    def __init__(self, clock_rate: int) -> None:
        self._step = clock_rate // 50
        self._queue: deque[tuple[int, int, int]] = deque()
        self._elapsed = 0
        self._ends_left = 0
        self._rest = 0

    @property
    def busy(self) -> bool:
        return bool(self._queue) or self._rest > 0

    def send(self, digits: str, duration: float = 0.1, gap: float = 0.05) -> None:
        """Queue digits, each ``duration`` seconds long with ``gap`` seconds of audio after it.

        Raises ``ValueError`` for anything but ``0-9 * # A-D``, or for lengths outside 0.04 to 2 seconds.
        """
        if not all(digit in DIGITS for digit in digits.upper()):
            raise ValueError(f"digits are any of {DIGITS}, not {digits!r}")
        if not (0.04 <= duration <= 2 and 0.02 <= gap <= 2):
            raise ValueError(f"digit {duration} s, gap {gap} s: a digit takes 0.04 to 2 s, a gap 0.02 to 2 s")
        frames, rests = round(duration * 50), round(gap * 50)
        self._queue.extend((DIGITS.index(digit), frames * self._step, rests) for digit in digits.upper())

    def next(self) -> EventPacket | None:
        """The packet for the next 20 ms, or ``None``: then it is audio's turn."""
        if self._rest > 0:
            self._rest -= 1
            return None
        if not self._queue:
            return None
        event, length, rests = self._queue[0]
        first = self._elapsed == 0
        if self._ends_left:
            self._ends_left -= 1
        else:
            self._elapsed += self._step
            if self._elapsed >= length:
                self._ends_left = _END_REPEATS - 1
        end = self._elapsed >= length
        packet = EventPacket(_PAYLOAD.pack(event, (0x80 if end else 0) | _VOLUME, min(self._elapsed, _LONGEST)), first)
        if end and self._ends_left == 0:
            self._queue.popleft()
            self._elapsed, self._rest = 0, rests
        return packet
