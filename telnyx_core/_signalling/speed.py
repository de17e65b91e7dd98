"""The speed test: blocks up, as many down, each way timed by the server (signaling.md 2.7)."""

from typing import Final

from attrs import frozen

from telnyx_core._signalling.link import Link
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_SPEED_TEST_BYTES
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import integer
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import Done, Failed, Settle
from telnyx_core.errors import Busy, Failure, FailureKind
from telnyx_core.ids import Ticket

PREFIX: Final = "#SP"
_BLOCK_BYTES: Final = 1024
_BLOCK: Final = "#SPB " + "." * _BLOCK_BYTES
_METHOD: Final = "speed test"


@frozen
class SpeedTestResult:
    """How fast bytes went each way over the signalling socket, by the server's clock.

    The way down is timed by when the server had written the last block. What fits into its buffers counts as sent, so
    a short test of a fast line says more than the line can do.
    """

    size: int
    """Bytes each way."""
    up_ms: int
    """Milliseconds; 0: less than one, or the server did not say."""
    down_ms: int
    """Milliseconds that the server took to send its blocks."""

    @property
    def up_bits_per_second(self) -> float | None:
        """``None`` where `up_ms` is 0."""
        return _rate(self.size, self.up_ms)

    @property
    def down_bits_per_second(self) -> float | None:
        """``None`` where `down_ms` is 0."""
        return _rate(self.size, self.down_ms)

    @classmethod
    def from_value(cls, value: JsonView) -> "SpeedTestResult":
        """Read the value with which the ticket of `Session.speed_test` was settled."""
        return cls(integer(value, "bytes") or 0, integer(value, "upDur") or 0, integer(value, "downDur") or 0)


class SpeedTest:
    """At most one speed test on a socket. The server's answers do not name their test, so after a test that was given
    up the next one waits for its answer, or for a new socket: the answer would be taken for the wrong test.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asked = False
        self._ticket: Ticket | None = None
        self._size = self._up_ms = 0

    @property
    def running(self) -> bool:
        return self._ticket is not None

    def check(self, size: int) -> None:
        if not 1 <= size <= MAX_SPEED_TEST_BYTES:
            raise ValueError(f"a speed test takes 1 to {MAX_SPEED_TEST_BYTES:,} bytes, not {size}")
        if self._asked:
            raise Busy("a speed test is under way on this socket, or its answer is still to come")

    def begin(self, size: int, ticket: Ticket, now: float) -> None:
        self._asked, self._ticket, self._size, self._up_ms = True, ticket, size, 0
        self._link.timers.set(Timer.SPEED_TEST, now + timeouts.SPEED_TEST)
        self._link.say(f"#SPU {size}")
        for _ in range(-(-size // _BLOCK_BYTES)):
            self._link.say(_BLOCK)
        self._link.say("#SPE")

    def heard(self, text: str) -> bool:
        """False: the text is no answer to a test."""
        if not self._asked or not text.startswith(PREFIX):
            return False
        duration = integer({"ms": text[4:].strip()}, "ms") or 0
        match text[3:4]:
            case "U":
                self._up_ms = duration
            case "D":
                value: JsonObject = {"bytes": self._size, "upDur": self._up_ms, "downDur": duration}
                value["upKps"], value["downKps"] = _kps(self._size, self._up_ms), _kps(self._size, duration)
                self._asked = False
                self._settle(Done(value))
            case _:
                pass
        return True

    def timed_out(self) -> None:
        self._settle(Failed(Failure(FailureKind.REQUEST_TIMEOUT, "no reply in time", method=_METHOD)))

    def forget_socket(self, why: str) -> None:
        self._asked = False
        self._settle(Failed(Failure(FailureKind.STALE_REQUEST, why, method=_METHOD)))

    def _settle(self, outcome: Done | Failed) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._link.timers.stop(Timer.SPEED_TEST)
            self._link.owner.act(Settle(ticket, outcome))


def written(text: str) -> str:
    """A frame of a speed test for a log or journal: its command, without the payload."""
    return text if text[3:4] in ("U", "D") and len(text) < 20 and text[4:].strip().isdecimal() else text[:4]


def _rate(size: int, duration_ms: int) -> float | None:
    return size * 8000 / duration_ms if duration_ms else None


def _kps(size: int, duration_ms: int) -> int:
    """Kibibits per second, as the JS SDK counts them."""
    return round(size * 8 / (duration_ms / 1000) / 1024) if duration_ms else 0
