"""Alarms: what an operator is to be told of, once and not again and again."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from attrs import frozen

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import CloseReason, ErrorRaised, SessionClosed, WarningRaised
from telnyx_drivers._client import Client

Severity: TypeAlias = Literal["warning", "error", "critical"]
QUIET: Final = 60.0
_MOST: Final = 1_000
"""Alarms that are remembered, so as not to be repeated; of more, the oldest go."""
_WISHED: Final = frozenset({CloseReason.DISCONNECTED, CloseReason.LEFT})


@frozen(kw_only=True)
class Alarm:
    """One thing that went wrong."""

    severity: Severity
    """``critical``: the session is over, though nobody asked for it, and does not come back by itself."""
    code: int | None
    """Of the catalogue; ``None`` for the end of the session."""
    name: str
    """The same in a word."""
    message: str
    """One sentence."""
    call: str | None
    """The call that it is about, if it is about one."""
    at: float
    """Seconds of the epoch."""

    def to_mapping(self) -> JsonObject:
        """As JSON."""
        return {
            "severity": self.severity,
            "code": self.code,
            "name": self.name,
            "message": self.message,
            "call": self.call,
            "at": self.at,
        }


class Alarms:
    """Calls ``on_alarm`` for each error, each warning, and the end of the session of a client that did not ask for it.

    The same code of the same call is told once in ``quiet`` seconds. ``on_alarm`` is a function, or an asynchronous one
    such as a `Webhook`, which then runs in a task of the client. ::

        Alarms(client, Webhook("https://hooks.example/telephony", secret=secret))
    """

    def __init__(
        self,
        client: Client,
        on_alarm: Callable[[Alarm], object],
        *,
        quiet: float = QUIET,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._on_alarm = on_alarm
        self._quiet = quiet
        self._wall = wall
        self._told: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        watch = client._watchers.add  # pyright: ignore[reportPrivateUsage]
        watch(ErrorRaised, self._error)
        watch(WarningRaised, self._warning)
        watch(SessionClosed, self._closed)

    def _error(self, event: ErrorRaised) -> object:
        return self._tell("error", event.code, event.name, event.message, event.call)

    def _warning(self, event: WarningRaised) -> object:
        return self._tell("warning", event.code, event.name, event.message, event.call)

    def _closed(self, event: SessionClosed) -> object:
        if event.reason in _WISHED:
            return None
        message = f"The session is over: {event.reason.value}."
        return self._tell("critical", None, "SESSION_CLOSED", message, None)

    def _tell(
        self,
        severity: Severity,
        code: int | None,
        name: str,
        message: str,
        call: str | None,
    ) -> object:
        now, key = self._wall(), (name, call)
        before = self._told.pop(key, None)  # the one that came last goes to the end
        if before is not None and now - before < self._quiet:
            self._told[key] = before
            return None
        self._told[key] = now
        if len(self._told) > _MOST:
            self._told.popitem(last=False)
        return self._on_alarm(Alarm(severity=severity, code=code, name=name, message=message, call=call, at=now))
