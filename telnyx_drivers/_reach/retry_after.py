"""``Retry-After``: when a server that is overloaded wants to be asked again (RFC 9110 section 10.2.3)."""

import time
from email.utils import parsedate_to_datetime


def seconds_of(header: str | None) -> float | None:
    """Seconds from now, from the header's value: a number, or a date. ``None`` for anything else."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
