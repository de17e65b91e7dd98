"""Fault injection: rules that each match some frames and do one thing to them.

A rule names the frames it means by where they are in a conversation (`Fault.on`), by method and by user, and which
occurrence of them it strikes. Counting is per rule, so two rules with ``nth=1`` both strike the first match.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from telnyx_core._wire.json_types import Json, JsonView

Place: TypeAlias = Literal["request", "reply", "push"]
"""A client's request, the gateway's reply to one, or a request that the gateway makes."""


@frozen
class Drop:
    """Lose the socket: before the frame has had its effect, or right after it.

    With a ``code`` the WebSocket is closed with it; without, the connection is aborted (1006 at the client).
    """

    when: Literal["before", "after"] = "before"
    """``before`` the matching frame has its effect, or ``after`` it."""
    code: int | None = None
    """The WebSocket's close code; see RFC 6455."""
    reason: str = ""
    """The words beside it."""


@frozen
class Swallow:
    """The frame is lost: a request is not processed, a reply or push not sent."""


@frozen
class Refuse:
    """Answer the request with this error instead of processing it. Only for ``on="request"``."""

    code: int = -32002
    """The error's code."""
    message: str = "CALL ERROR"
    """Its words."""
    members: JsonView = field(factory=dict[str, Json])
    """What the error holds besides."""


@frozen
class Delay:
    """The frame takes effect ``seconds`` later; frames behind it may overtake it."""

    seconds: float
    """How long each matching message is held back."""


@frozen
class Duplicate:
    """The frame takes effect twice."""


@frozen
class Garble:
    """The frame arrives as ``text``, or cut in half."""

    text: str | None = None
    """What is sent in its place."""


Effect: TypeAlias = Drop | Swallow | Refuse | Delay | Duplicate | Garble


@frozen(kw_only=True)
class Fault:
    """One rule. ``method=None`` and ``user=None`` match all; ``nth=None`` strikes every match."""

    do: Effect
    on: Place = "request"
    method: str | None = None
    user: str | None = None
    nth: int | None = 1

    def __attrs_post_init__(self) -> None:
        if isinstance(self.do, Refuse) and self.on != "request":
            raise ValueError("only a request can be refused")
        if self.nth is not None and self.nth < 1:
            raise ValueError("occurrences count from 1")


@define
class _Armed:
    fault: Fault
    seen: int = 0


class FaultTable:
    """The rules in force, with what each has seen so far."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._armed = [_Armed(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        self._armed.clear()

    def strike(self, place: Place, method: str, user: str | None) -> Fault | None:
        """The first rule that strikes this frame. Every rule that matches it has counted it."""
        struck: Fault | None = None
        for armed in self._armed:
            fault = armed.fault
            if fault.on != place or fault.method not in (None, method) or fault.user not in (None, user):
                continue
            armed.seen += 1
            if struck is None and fault.nth in (None, armed.seen):
                struck = fault
        return struck
