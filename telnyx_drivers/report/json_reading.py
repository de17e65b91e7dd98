"""Small questions to JSON that somebody else wrote: an answer of the right type, or none."""

from datetime import UTC, datetime
from math import isfinite

from telnyx_core.json_types import Json, JsonObject


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
    found = at(value, *names)
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        return None
    return float(found)


def whole(value: Json, *names: str) -> int | None:
    found = number(value, *names)
    return None if found is None else int(found)


def moment(value: Json, *names: str) -> float | None:
    """ISO-8601, or epoch milliseconds, as epoch seconds."""
    found = at(value, *names)
    if isinstance(found, str):
        try:
            parsed = datetime.fromisoformat(found)
        except ValueError:
            return None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    stamp = number(found)
    return None if stamp is None else stamp / 1000
