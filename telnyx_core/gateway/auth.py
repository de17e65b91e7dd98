"""Who may log in: passwords, tokens and the ids of assistants."""

import base64
import json
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias, cast

from attrs import frozen

from telnyx_core._time.limits import MAX_NAME_CHARS
from telnyx_core._wire.codec import string
from telnyx_core._wire.json_types import Json, JsonView
from telnyx_core.gateway.options import Assistant, GatewayOptions

ANONYMOUS: Final = "anonymous"
"""The user name of sessions that logged in without credentials."""


@frozen
class Granted:
    user: str
    assistant: Assistant | None = None


@frozen
class Denied:
    reason: str


Verdict: TypeAlias = Granted | Denied


def claimed_user(params: JsonView, options: GatewayOptions) -> str | None:
    """The user that a login names, whether or not it will succeed."""
    token = string(params, "login_token")
    if token is not None:
        return _token_user(token, options)
    return string(params, "login")


def check_login(params: JsonView, options: GatewayOptions, *, wall: float, expired: AbstractSet[str]) -> Verdict:
    """The token is preferred when both are given. ``wall`` is the epoch time in seconds."""
    token = string(params, "login_token")
    if token is not None:
        user = _token_user(token, options)
        if user is None or token in expired:
            return Denied("JWT token authentication failed")
        expiry = token_expiry(token) if options.respect_token_expiry else None
        if expiry is not None and expiry <= wall:
            return Denied("JWT token authentication failed")
        return Granted(user)
    name, password = string(params, "login"), string(params, "passwd")
    if name is None or password is None or options.users.get(name) != password:
        return Denied("Login Incorrect")
    return Granted(name)


def check_anonymous(params: JsonView, options: GatewayOptions) -> Verdict:
    target = string(params, "target_id")
    if string(params, "target_type") != "ai_assistant" or target is None:
        return Denied("Invalid target")
    assistant = options.assistants.get(target)
    return Denied("Target does not allow anonymous login") if assistant is None else Granted(ANONYMOUS, assistant)


def token_expiry(token: str) -> float | None:
    """The ``exp`` of a JWT in epoch seconds (RFC 7519); ``None`` where there is none to read."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    body = parts[1]
    try:
        claims = cast("Json", json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (ValueError, RecursionError):
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return float(expiry) if isinstance(expiry, int | float) and not isinstance(expiry, bool) else None


def _token_user(token: str, options: GatewayOptions) -> str | None:
    user = options.tokens.get(token)
    if user is None and options.token_user is not None:
        user = options.token_user(token)
    return user if user is not None and len(user) <= MAX_NAME_CHARS else None
