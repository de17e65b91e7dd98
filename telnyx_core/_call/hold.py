"""Hold commands of one call: one in flight, the others in order behind it (CALL-133, CALL-134, CALL-360 ff.).

A command whose reply was lost is *in doubt*: the application was told that it failed, and the server may have carried
it out. A call that this side takes for active could then stay on hold and silent, so its state is sent once more.
"""

from collections import deque
from collections.abc import Callable

from attrs import frozen

from telnyx_core._call_host import CallHost
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_QUEUED_MODIFIES
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import string
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import Done, Failed
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.ids import CallId, Ticket


@frozen
class _Command:
    action: str
    ticket: Ticket | None
    """``None``: no command of the application; it repeats the state that the call is believed to have."""
    again: bool = False
    """It repeats a command of which the server's reply said that it was not carried out."""


class HoldQueue:
    def __init__(self, call: CallId, host: CallHost, dialog: Callable[[], JsonObject]) -> None:
        self._call = call
        self._host = host
        self._dialog = dialog
        self._waiting: deque[_Command] = deque()
        self._sent: _Command | None = None
        self._doubt = False

    def in_doubt(self) -> None:
        """An earlier process may have changed the hold state, so the state believed here is sent (CALL-533)."""
        self._doubt = True

    def ask(self, action: str, ticket: Ticket) -> None:
        """Queue a command; `next` sends it when its turn has come."""
        if len(self._waiting) >= MAX_QUEUED_MODIFIES:
            self.refuse(ticket, Failure(FailureKind.PROTOCOL, "too many hold commands wait"))
        else:
            self._waiting.append(_Command(action, ticket))

    def next(self, now: float, *, held: bool, connected: bool) -> None:
        """Send what is due; ``held`` is the state that the call is believed to have.

        A command that the server did not carry out is sent again once media is ``connected``, and a moment later:
        before that the server does not count the call as answered, and replies to ``hold`` with "active" (PS-009).
        """
        if self._sent is not None:
            return
        if self._doubt:
            self._doubt = False
            self._waiting.appendleft(_Command("hold" if held else "unhold", None))
        if not self._waiting:
            return
        early = not connected or self._host.timers.is_set(Timer.HOLD_AGAIN, self._call)
        if self._waiting[0].again and early:
            return
        self._sent = self._waiting.popleft()
        params: JsonObject = {"action": self._sent.action, "dialogParams": self._dialog()}
        self._host.request(Purpose.HOLD, m.MODIFY, params, now, call=self._call, ticket=self._sent.ticket)

    def replied(self, result: JsonView, error: Failure | None, now: float, *, held: bool) -> bool:
        """The reply to the command in flight; is the call held now? What the server says decides (CALL-222)."""
        command = self._sent
        if command is None:
            return held
        self._sent = None
        if error is not None:
            self._doubt = error.kind is FailureKind.REQUEST_TIMEOUT
            self._refuse(command, error)
            return held
        asked = command.action == "hold" or (command.action == "toggleHold" and not held)
        said = {"held": True, "active": False, "unheld": False}.get(string(result, "holdState") or "", asked)
        if said == asked:
            if command.ticket is not None:
                self._host.settle(command.ticket, Done(result))
        elif command.again:
            self._refuse(command, Failure(FailureKind.PROTOCOL, f"the server says {string(result, 'holdState')!r}"))
        else:
            self._waiting.appendleft(_Command("hold" if asked else "unhold", command.ticket, again=True))
            self._host.timers.set(Timer.HOLD_AGAIN, now + timeouts.HOLD_AGAIN, self._call)
        return said

    def refuse(self, ticket: Ticket, failure: Failure) -> None:
        """Report error 44001 and fail the ticket; the hold state stays as it was (CALL-362)."""
        self._host.error(ErrorCode.HOLD_FAILED, call=self._call, original=failure)
        self._host.settle(ticket, Failed(failure))

    def fail_all(self, failure: Failure) -> None:
        self._doubt = self._doubt or self._sent is not None
        for command in self._take_all():
            self._refuse(command, failure)

    def drop_all(self, failure: Failure) -> None:
        """The call has ended: fail the tickets without error events, because the end is reported anyway (CALL-431)."""
        for command in self._take_all():
            if command.ticket is not None:
                self._host.settle(command.ticket, Failed(failure))

    def _refuse(self, command: _Command, failure: Failure) -> None:
        if command.ticket is not None:
            self.refuse(command.ticket, failure)

    def _take_all(self) -> list[_Command]:
        commands = [command for command in (self._sent, *self._waiting) if command is not None]
        self._sent = None
        self._waiting.clear()
        return commands
