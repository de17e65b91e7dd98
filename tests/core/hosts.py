"""What a part of a call asks of its session, written down instead of done."""

from typing import cast

from attrs import define, field

from telnyx_core import Timer
from telnyx_core._call_host import CallHost
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time.timers import TimerTable
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import Outcome
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import ClientOptions

CALL = CallId("11111111-1111-4111-8111-111111111111")
LOST = Failure(FailureKind.REQUEST_TIMEOUT, "no reply")


@define
class Host:
    options: ClientOptions = field(factory=lambda: ClientOptions(login_token="t"))  # no secret
    timers: TimerTable = field(factory=TimerTable)
    generation: int = 1
    connected: bool = True
    usable: bool = True
    login_refused: bool = False
    sent: list[JsonObject] = field(factory=list[JsonObject])
    settled: list[tuple[Ticket, Outcome]] = field(factory=list[tuple[Ticket, Outcome]])
    errors: list[ErrorCode] = field(factory=list[ErrorCode])

    def request(
        self,
        purpose: Purpose,
        method: str,
        params: JsonObject,
        now: float,
        *,
        call: CallId,
        ticket: Ticket | None = None,
    ) -> None:
        self.sent.append(params)

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        self.settled.append((ticket, outcome))

    def error(self, code: ErrorCode, *, call: CallId, original: Failure | None = None) -> None:
        self.errors.append(code)

    def unusable(self) -> Failure:
        return Failure(FailureKind.NOT_CONNECTED, "no socket")

    def due(self, timer: Timer) -> float | None:
        """When the timer of the call is due."""
        at = self.timers.armed.get((timer, CALL))
        return None if at is None else at[0]

    @property
    def as_host(self) -> CallHost:
        """For a part that asks no more than what is here."""
        return cast("CallHost", self)
