"""When a login token ends, as the token itself says (SIG-250). Nothing here proves that a token is genuine."""

import json
from base64 import b64decode
from typing import Final, cast

from telnyx_core._options.parsing import finite

MAX_TOKEN_CHARS: Final = 65_536
"""Tokens have a few hundred characters; what is longer is none."""


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
