"""What is shown of a client, as JSON, and what can be done to its calls."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import CallUpdated, ErrorRaised, StatsFrame, WarningRaised
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._client import Client
from telnyx_drivers._exceptions import TelnyxClientError

if TYPE_CHECKING:
    from telnyx_drivers._audio.levels import LevelTotals

REMARKS: Final = 8
"""Warnings and errors that are shown, the newest."""
_ANSWERED: Final = frozenset({CallState.ACTIVE, CallState.HELD})


class Desk(Protocol):
    """A client here or elsewhere."""

    def snapshot(self) -> JsonView:
        """What there is to show now."""
        ...

    async def do(self, command: JsonView) -> str:
        """``{"do": "hangup", "call": ID}`` and the like: returns what became of it, in a few words."""
        ...


@define
class _Seen:
    """What is remembered of a call between two snapshots."""

    active_at: float | None = None
    mos: float | None = None
    loss: float | None = None
    jitter: float | None = None
    sent: "LevelTotals | None" = None
    heard: "LevelTotals | None" = None


class LocalDesk:
    """The desk of a client of this process. Made before it connects, it misses nothing."""

    def __init__(
        self,
        client: Client,
        clock: Callable[[], float],
        *,
        caller_number: str = "",
        mic_id: str | None = None,
        began: Callable[[CallHandle], object] = lambda call: None,
    ) -> None:
        """``clock`` tells seconds of any one clock. Calls that are dialled use ``mic_id``, and go to ``began``."""
        self._client = client
        self.began = began
        self._caller_number = caller_number
        self._mic_id = mic_id
        self._clock = clock
        self._seen: dict[CallId, _Seen] = {}
        self._remarks: deque[str] = deque(maxlen=REMARKS)
        watch = client._watchers.add  # pyright: ignore[reportPrivateUsage]
        watch(CallUpdated, self._updated)
        watch(StatsFrame, self._frame)
        watch(ErrorRaised, self._told)
        watch(WarningRaised, self._told)

    def _updated(self, event: CallUpdated) -> None:
        if event.call.state in (CallState.DESTROY, CallState.PURGE):
            self._seen.pop(event.call.id, None)
        elif event.call.state in _ANSWERED:
            seen = self._seen.setdefault(event.call.id, _Seen())
            if seen.active_at is None:
                seen.active_at = self._clock()

    def _frame(self, event: StatsFrame) -> None:
        if (seen := self._seen.get(event.call)) is not None:
            seen.mos, seen.loss, seen.jitter = event.mos, event.packet_loss, event.jitter

    def _told(self, event: ErrorRaised | WarningRaised) -> None:
        self._remarks.append(f"{datetime.now().astimezone():%H:%M:%S} {event.code} {event.name}: {event.message}")

    def snapshot(self) -> JsonObject:
        """As `Desk.snapshot`."""
        calls: list[Json] = [self._call(handle) for handle in self._client.calls.values()]
        remarks: list[Json] = [*self._remarks]
        return {"state": self._client.state.value, "calls": calls, "remarks": remarks}

    def _call(self, handle: CallHandle) -> JsonObject:
        info, seen = handle.info, self._seen.get(handle.id, _Seen())
        outbound = info.direction == "outbound"
        sent, heard = self._levels(handle, seen)
        return {
            "id": info.id,
            "direction": info.direction,
            "far_end": (info.destination_number if outbound else info.remote_caller_number) or "unknown",
            "state": info.state.value,
            "seconds": None if seen.active_at is None else self._clock() - seen.active_at,
            "muted": info.muted,
            "mos": seen.mos,
            "loss": seen.loss,
            "jitter": seen.jitter,
            "sent": sent,
            "heard": heard,
        }

    def _levels(self, handle: CallHandle, seen: _Seen) -> tuple[float | None, float | None]:
        """The loudness of what was sent and heard since the last snapshot, 0 to 1."""
        if seen.active_at is None or not handle.live:
            return None, None
        audio = handle.audio
        sent, heard = audio.sent_level.totals, audio.heard_level.totals
        levels = (
            None if seen.sent is None else sent.level_since(seen.sent),
            None if seen.heard is None else heard.level_since(seen.heard),
        )
        seen.sent, seen.heard = sent, heard
        return levels

    async def do(self, command: JsonView) -> str:
        """As `Desk.do`. What is asked for wrongly, or cannot be done now, is said and no exception."""
        try:
            return await self._do(command)
        except (TelnyxClientError, LocalProtocolError, ValueError) as error:
            return f"Not done: {error}"

    async def _do(self, command: JsonView) -> str:
        what = command.get("do")
        if what == "dial":
            number = _text(command, "number")
            dialled = await self._client.new_call(number, caller_number=self._caller_number, mic_id=self._mic_id)
            self.began(dialled)
            return f"Calling {number}."
        call = self._client.call(_text(command, "call"))
        if call is None:
            return "That call is over."
        match what:
            case "answer":
                await call.answer()
                return "Answered."
            case "hangup":
                await call.hangup()
                return "Hung up."
            case "mute":
                return "Muted." if call.toggle_mute() else "Not muted any more."
            case "hold":
                done = await call.toggle_hold()
                return f"The call is {call.state.value}." if done else "The server refused."
            case "digits":
                digits = _text(command, "digits")
                await call.dtmf(digits)
                return f"Pressed {digits}."
            case _:
                raise ValueError(f"there is no command {what!r}")


def _text(command: Mapping[str, Json], name: str) -> str:
    value = command.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing")
    return value
