"""What the keys mean: which call is chosen, and what is done to it."""

from typing import Final

from attrs import define

from telnyx_core._wire.json_types import JsonObject, JsonView

HELP: Final = "↑↓ choose   a answer   h hang up   m mute   o hold   0-9 * # digits   q quit"
HELP_DIAL: Final = "d dial   " + HELP
_DIGITS: Final = frozenset("0123456789*#")
_DOING: Final = {"a": "answer", "h": "hangup", "m": "mute", "o": "hold"}
_UP: Final = frozenset({"k", "\x1b[A", "\x1bOA"})
_DOWN: Final = frozenset({"j", "\x1b[B", "\x1bOB"})
_MOST_NUMBER: Final = 200


@define
class Keys:
    """Fed with keys as a terminal sends them."""

    dials: bool = False
    """``d`` begins a number, Enter dials it, Escape drops it."""
    chosen: int = 0
    """The row of the call that keys are for."""
    number: str | None = None
    """What has been typed of a number."""
    over: bool = False
    """It was told to end."""

    def press(self, key: str, snapshot: JsonView) -> JsonObject | None:
        """The command that this key gives, if it gives one."""
        calls = calls_of(snapshot)
        self.chosen = max(min(self.chosen, len(calls) - 1), 0)
        if self.number is not None:
            return self._type(key, self.number)
        if key in ("q", "\x03", "\x04"):
            self.over = True
        elif key == "d" and self.dials:
            self.number = ""
        elif key in _UP:
            self.chosen = max(self.chosen - 1, 0)
        elif key in _DOWN:
            self.chosen = max(min(self.chosen + 1, len(calls) - 1), 0)
        elif calls and key in _DOING:
            return {"do": _DOING[key], "call": calls[self.chosen]["id"]}
        elif calls and key in _DIGITS:
            return {"do": "digits", "call": calls[self.chosen]["id"], "digits": key}
        return None

    def _type(self, key: str, number: str) -> JsonObject | None:
        if key in ("\r", "\n"):
            self.number = None
            return {"do": "dial", "number": number} if number else None
        if key in ("\x1b", "\x03"):
            self.number = None
        elif key in ("\x7f", "\b"):
            self.number = number[:-1]
        elif key.isprintable() and len(key) == 1 and len(number) < _MOST_NUMBER:
            self.number = number + key
        return None


def calls_of(snapshot: JsonView) -> list[JsonObject]:
    """The calls of a snapshot, in the order in which they are shown."""
    calls = snapshot.get("calls")
    return [each for each in calls if isinstance(each, dict)] if isinstance(calls, list) else []
