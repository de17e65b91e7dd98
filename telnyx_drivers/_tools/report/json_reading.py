"""Reading foreign JSON: a value of the expected type, or none."""

from datetime import UTC, datetime
from typing import Final

from telnyx_core._wire.json_types import Json, JsonObject

_MOST: Final = 1e15
"""What a counter may say, or a time in milliseconds; whatever is beyond it was not measured."""
_YEAR_10000: Final = 253_402_300_800.0


def at(value: Json, *names: str) -> Json:
    """The member that a row of names leads to; ``None`` where the way ends before."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def obj(value: Json, *names: str) -> JsonObject:
    found = at(value, *names)
    return found if isinstance(found, dict) else {}


def items(value: Json, *names: str) -> list[JsonObject]:
    """The objects of an array."""
    found = at(value, *names)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: Json, *names: str) -> str:
    """A text, or a number as one; otherwise empty."""
    found = at(value, *names)
    if isinstance(found, bool):
        return str(found).lower()
    return str(found) if isinstance(found, str | int | float) else ""


def number(value: Json, *names: str) -> float | None:
    """One that can have been measured."""
    found = at(value, *names)
    if isinstance(found, bool) or not isinstance(found, int | float) or not -_MOST < found < _MOST:
        return None
    return float(found)


def whole(value: Json, *names: str) -> int | None:
    found = number(value, *names)
    return None if found is None else int(found)


def moment(value: Json, *names: str) -> float | None:
    """ISO-8601, or epoch milliseconds, as epoch seconds from 1970 to 9999."""
    found = at(value, *names)
    if isinstance(found, str):
        try:
            parsed = datetime.fromisoformat(found)
        except ValueError:
            return None
        seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    else:
        stamp = number(found)
        if stamp is None:
            return None
        seconds = stamp / 1000
    return seconds if 0 <= seconds < _YEAR_10000 else None
