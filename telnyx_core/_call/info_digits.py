"""Digits that go as ``info`` messages, with the pauses between them kept here (CALL-135).

The server passes on ``w`` and ``W`` as if they were digits, and drops a comma (PS-020): so no pause is ever put on the
wire. Digits are split at their pauses, and what comes after a pause is sent when it is over.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import frozen

from telnyx_core._call_host import CallHost
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time.limits import MAX_QUEUED_DIGITS
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import string
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import Done, Failed
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.ids import CallId, Ticket

PAUSES: Final = {"w": 0.5, "W": 1.0, ",": 2.0}
"""Seconds, as in the audio stream."""
DIGIT_SECONDS: Final = 0.25
"""About what the server takes to play one: a pause counts from the end of the digits before it."""


@frozen
class _Piece:
    pause: float
    text: str
    """Empty where a command ends with a pause, or is nothing else."""
    ticket: Ticket


class InfoDigits:
    """The digits of one call, in order. A command is settled once all its pieces were taken, or one was refused."""

    def __init__(self, call: CallId, host: CallHost, dialog: Callable[[], JsonObject]) -> None:
        self._call = call
        self._host = host
        self._dialog = dialog
        self._waiting: deque[_Piece] = deque()
        self._open: dict[Ticket, int] = {}
        """How many pieces of each command the server has not taken yet."""
        self._free_at = 0.0
        """When the digits that were sent last have been heard."""

    def ask(self, digits: str, ticket: Ticket, now: float) -> None:
        pieces = [_Piece(pause, text, ticket) for pause, text in _split(digits)]
        if len(self._waiting) + len(pieces) > MAX_QUEUED_DIGITS:
            self._host.settle(ticket, Failed(Failure(FailureKind.PROTOCOL, "too many digits wait")))
            return
        self._open[ticket] = len(pieces)
        self._waiting.extend(pieces)
        self.due(now)

    def due(self, now: float) -> None:
        """Send what can go, and wait for the rest."""
        while self._waiting:
            piece = self._waiting[0]
            at = self._free_at + piece.pause if piece.pause else 0.0
            if at > now:
                self._host.timers.set(Timer.DIGITS, at, self._call)
                return
            if not self._host.usable:
                self.fail_all(self._host.unusable())
                return
            del self._waiting[0]
            self._free_at = max(self._free_at, now) + DIGIT_SECONDS * len(piece.text)
            if piece.text:
                params: JsonObject = {"dtmf": piece.text, "dialogParams": self._dialog()}
                self._host.request(Purpose.DIGITS, m.INFO, params, now, call=self._call, ticket=piece.ticket)
            else:
                self._taken(piece.ticket, {})

    def replied(self, ticket: Ticket, result: JsonView, error: Failure | None) -> None:
        """The reply to one piece. A result without ``SENT`` means that the server does not know the call (PS-020)."""
        if ticket not in self._open:
            return  # It failed before.
        if error is None and string(result, "message") != "SENT":
            error = Failure(FailureKind.PROTOCOL, "the server did not send the digits: it does not know the call")
        if error is None:
            self._taken(ticket, result)
            return
        del self._open[ticket]
        self._waiting = deque(piece for piece in self._waiting if piece.ticket != ticket)
        self._host.settle(ticket, Failed(error))

    def fail_all(self, failure: Failure) -> None:
        self._host.timers.stop(Timer.DIGITS, self._call)
        self._waiting.clear()
        for ticket in self._open:
            self._host.settle(ticket, Failed(failure))
        self._open.clear()

    def _taken(self, ticket: Ticket, result: JsonView) -> None:
        self._open[ticket] -= 1
        if not self._open[ticket]:
            del self._open[ticket]
            self._host.settle(ticket, Done(result))


def _split(digits: str) -> list[tuple[float, str]]:
    """Digits, each run of them with the pause before it."""
    pieces: list[tuple[float, str]] = []
    pause, text = 0.0, ""
    for char in digits:
        if char not in PAUSES:
            text += char
            continue
        if text:
            pieces.append((pause, text))
            pause, text = 0.0, ""
        pause += PAUSES[char]
    return [*pieces, (pause, text)]
