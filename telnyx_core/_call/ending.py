"""The end of a call: the BYE and the wait for its reply, the last reading of the media, the release (CALL-420 to 440).

Two things may be awaited, one after the other: the server's reply to our BYE, which has a deadline (`Timer.BYE_GUARD`),
and the last reading of the media, which has another (`Timer.LAST_READING`). Then the call is destroyed.
"""

from typing import Protocol

from telnyx_core._call_host import CallHost
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time import timeouts
from telnyx_core._time.timers import Timer
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import Done
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import Cause
from telnyx_core.ids import CallId, Ticket
from telnyx_core.states import CallInput, CallState


class EndingCall(Protocol):
    """The call, as its end sees it."""

    @property
    def id(self) -> CallId: ...

    @property
    def state(self) -> CallState: ...

    @property
    def known(self) -> bool:
        """The server knows of the call."""
        ...

    @property
    def can_send(self) -> bool:
        """Requests about this call can be sent now."""
        ...

    def dialog(self) -> JsonObject: ...

    def move(self, given: CallInput) -> None: ...

    def release(self, now: float, *, reading: bool) -> None:
        """Stop everything that the call holds; with a ``reading`` its peer stays for a last one."""
        ...

    def destroyed(self, now: float) -> None:
        """Release what is left, give the final report, and be `CallState.DESTROY`."""
        ...


class Ending:
    """Made when a call ends, and there until it is destroyed."""

    def __init__(
        self, call: EndingCall, host: CallHost, cause: Cause, *tickets: Ticket, explained: bool = False
    ) -> None:
        """``explained``: an error about this end was reported; that the BYE fails as well would add nothing."""
        self.cause = cause
        self.tickets = list(tickets)
        """Of the hang-ups, to be settled at the end (CALL-390)."""
        self._call = call
        self._host = host
        self._explained = explained
        self._confirmed: bool | None = None
        """Not ``None``: only the last reading is awaited. It says whether the server confirmed the end."""

    def by_us(self, now: float, *, bye: bool, purge: bool, confirmed: bool) -> None:
        """Media stops at once, in parallel with the BYE (CALL-420 to CALL-423)."""
        call, host = self._call, self._host
        if purge:
            call.move(CallInput.PURGE)
        call.move(CallInput.END)
        call.release(now, reading=bye and host.usable)
        if not bye or not call.known:
            self.destroy(now, confirmed=confirmed or not call.known)
        elif call.can_send:
            # The timer is set first: a BYE that cannot be sent fails at once, which destroys the call and its timers.
            host.timers.set(Timer.BYE_GUARD, now + timeouts.BYE_GUARD, call.id)
            host.request(Purpose.BYE, m.BYE, m.bye_params(self.cause, call.dialog()), now, call=call.id)
        else:
            why = "the socket is down; the server hears it after it is back"
            self._bye_failed(Failure(FailureKind.NOT_CONNECTED, why))
            self.destroy(now, confirmed=False)

    def by_server(self, now: float) -> None:
        """The server has sent a BYE."""
        self._call.move(CallInput.END)
        self._call.release(now, reading=True)
        self._await_reading(now, confirmed=True)

    def bye_replied(self, error: Failure | None, now: float) -> None:
        """The reply to our BYE. The error "no such call" (-32002) confirms the end just as a result does (CALL-425)."""
        if self._call.state is not CallState.HANGUP or self._confirmed is not None:
            return
        gone = error is None or error.code == -32002
        if not gone and error is not None and error.kind is not FailureKind.REQUEST_TIMEOUT:
            self._bye_failed(error)
        self._await_reading(now, confirmed=gone)

    def reading_over(self, now: float) -> None:
        """The last reading has arrived, or its time is over (STATS-013)."""
        if self._confirmed is not None:
            self.destroy(now, confirmed=self._confirmed)

    def destroy(self, now: float, *, confirmed: bool) -> None:
        self._call.destroyed(now)
        for ticket in self.tickets:
            self._host.settle(ticket, Done())
        self.tickets.clear()
        self._host.call_ended(self._call.id, now, confirmed=confirmed)

    def _bye_failed(self, failure: Failure) -> None:
        if not self._explained:
            self._host.error(ErrorCode.BYE_SEND_FAILED, call=self._call.id, original=failure)

    def _await_reading(self, now: float, *, confirmed: bool) -> None:
        """The server knows that the call is over, or will not be asked: only the last reading can delay the release."""
        if self._host.timers.is_set(Timer.LAST_READING, self._call.id):
            self._confirmed = confirmed
        else:
            self.destroy(now, confirmed=confirmed)
