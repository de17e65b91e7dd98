"""When a login token ends, as the token itself says (SIG-250). Nothing here proves that a token is genuine."""

import json
from base64 import b64decode
from math import floor
from typing import Final, cast

from telnyx_core.parsing import finite

MAX_TOKEN_CHARS: Final = 65_536
"""Tokens have a few hundred characters; what is longer is none."""

WARNING_LEAD: Final = 120.0
"""Seconds before the end of a token at which 34001 is due (SIG-251)."""


def expiry(token: str) -> float | None:
    """The ``exp`` claim of a JWT in epoch seconds, or ``None`` if there is no such number. Never raises."""
    parts = token.split(".") if len(token) <= MAX_TOKEN_CHARS else []
    if len(parts) != 3:
        return None
    payload = parts[1].rstrip("=")
    try:
        text = b64decode(payload + "=" * (-len(payload) % 4), altchars="-_", validate=True)
        claims: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(claims, dict):
        return None
    return finite(cast("dict[str, object]", claims).get("exp"))


def warning_delay(token: str, wall: float) -> float | None:
    """Seconds until 34001 is due (SIG-251); 0 means now, ``None`` never. ``wall`` is the epoch time in seconds."""
    ends = expiry(token)
    if ends is None or ends <= floor(wall):
        return None
    return max(0.0, ends - floor(wall) - WARNING_LEAD)
