"""A time as text: ISO 8601 in UTC."""

from datetime import UTC, datetime


def iso(wall: float) -> str:
    """Epoch seconds as ISO 8601 in UTC with milliseconds; a time outside the calendar gives the epoch."""
    try:
        moment = datetime.fromtimestamp(wall, UTC)
    except (OverflowError, OSError, ValueError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
