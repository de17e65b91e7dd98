"""Pending requests: what each reply is for, and when to stop waiting (signaling.md 2.3)."""

from enum import Enum
from random import Random
from typing import Final

from attrs import frozen

from telnyx_core._signalling import messages as m
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_PENDING_REQUESTS
from telnyx_core._time.timers import Timer, TimerTable
from telnyx_core.ids import CallId, Ticket


class Purpose(Enum):
    """Who waits for a reply."""

    LOGIN = "login"
    RELOGIN = "relogin"
    GATEWAY_STATE = "gateway state"
    IS_REGISTERED = "is registered"
    PING = "ping"
    PROBE = "probe"
    INVITE = "invite"
    ANSWER = "answer"
    ATTACH = "attach"
    BYE = "bye"
    LATE_BYE = "late bye"
    HOLD = "hold"
    DIGITS = "digits"
    RENEW = "renew"
    TICKET = "ticket"
    UNATTENDED = "unattended"


CALL_PURPOSES: Final = frozenset(
    {Purpose.INVITE, Purpose.ANSWER, Purpose.ATTACH, Purpose.BYE, Purpose.HOLD, Purpose.DIGITS, Purpose.RENEW}
)

_TIMEOUTS: Final = {m.INVITE: timeouts.INVITE_REPLY}

# Methods that the server answers at once: no reply means that the socket is broken (table in section 2.3).
DISTRUSTED: Final = frozenset({m.MODIFY, m.BYE, m.PING, m.LOGIN, m.ANONYMOUS_LOGIN, m.GATEWAY_STATE, m.ATTACH})


@frozen
class Pending:
    method: str
    purpose: Purpose
    call: CallId | None = None
    ticket: Ticket | None = None
    at: float = 0.0
    """When it was sent."""

    @property
    def prompt(self) -> bool:
        """The server answers without waiting for anything else, so the delay measures the path to it."""
        return self.method in _PROMPT


_PROMPT: Final = frozenset({m.PING, m.GATEWAY_STATE, m.LOGIN, m.ANONYMOUS_LOGIN})


class RequestTable:
    """Pending requests of the current socket by id. Each settles once: by reply, by deadline, or with the socket."""

    __slots__ = ("_timers", "pending")

    def __init__(self, timers: TimerTable) -> None:
        self.pending: dict[str, Pending] = {}
        self._timers = timers

    def __len__(self) -> int:
        return len(self.pending)

    @property
    def full(self) -> bool:
        return len(self.pending) >= MAX_PENDING_REQUESTS

    def add(self, ident: str, pending: Pending, now: float) -> None:
        self.pending[ident] = pending
        if pending.purpose is not Purpose.PROBE:  # judged by the health check instead (SIG-066)
            self._timers.set(Timer.REQUEST, now + _TIMEOUTS.get(pending.method, timeouts.REQUEST), ident)

    def take(self, ident: int | str | None) -> Pending | None:
        """The request that this id belongs to, no longer pending. A number is never ours (SIG-056)."""
        if not isinstance(ident, str):
            return None
        pending = self.pending.pop(ident, None)
        if pending is not None:
            self._timers.stop(Timer.REQUEST, ident)
        return pending

    def take_all(self) -> list[Pending]:
        """Everything still pending, oldest first: the socket has ended (SIG-068)."""
        for ident in self.pending:
            self._timers.stop(Timer.REQUEST, ident)
        everything = list(self.pending.values())
        self.pending.clear()
        return everything


def new_uuid(rng: Random) -> str:
    """A version 4 UUID in lower case, from the session's own random generator (so that a replay repeats it)."""
    value = rng.getrandbits(128) & ~(0xF000 << 64) & ~(0xC000 << 48) | (0x4000 << 64) | (0x8000 << 48)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
