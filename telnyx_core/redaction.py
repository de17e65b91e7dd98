"""Takes the secrets out of what is about to be written down: frames, SDP, URLs and plain text.

Everything here errs on the side of hiding. Names decide for JSON members, shapes for text: a JSON Web Token is hidden
wherever it stands, SDP lines with key material lose their value (RFC 8839 ``ice-pwd``, RFC 4568 ``crypto``), and a
text that is not JSON is scanned for the same members written ``name=value`` or ``"name": "value"``.
"""

import json
import re
from typing import Final, cast

from telnyx_core.json_types import Json

HIDDEN: Final = "***"
DEPTH: Final = 32
"""Nesting beyond this is hidden as a whole: no real frame comes near it."""

_NAMES: Final = frozenset(
    {
        "passwd",
        "password",
        "login_token",
        "logintoken",
        "token",
        "access_token",
        "refresh_token",
        "authorization",
        "api_key",
        "apikey",
        "secret",
        "credential",
        "credentials",
        "voice_sdk_id",
        "voicesdkid",
        "callreportvoicesdkid",
        "sessid",
        "session_id",
        "sessionid",
        "ice_pwd",
        "icepwd",
    }
)
"""Member names, compared without case and with ``-`` as ``_``. The session ids let a stranger take a session over."""

_RUN: Final = re.compile(r"[\w.-]{12,}")
"""What could be a token: the longest run of its characters, so that no text costs more than one pass."""
_SDP_KEY: Final = re.compile(r"(a=(?:ice-pwd|crypto|key-mgmt):)[^\r\n\\\"]+|(\bk=)[^\r\n\\\"]+", re.IGNORECASE)
_SECRET_NAME: Final = "|".join(sorted(name.replace("_", "[-_]") for name in _NAMES))
_MEMBER: Final = re.compile(
    rf"""(?P<head>(?<![\w-])["']?(?:{_SECRET_NAME})["']?\s*[=:]\s*)"""
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&,;}\]"']+)""",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


def redact(value: Json) -> Json:
    """A copy of a JSON value without its secrets."""
    return _redact(value, DEPTH)


def redact_text(text: str) -> str:
    """A text without its secrets; a JSON text stays one (its white space may change)."""
    try:
        value = cast(Json, json.loads(text))
    except RecursionError:
        return HIDDEN
    except ValueError:
        return _redact_string(_MEMBER.sub(lambda found: found["head"] + HIDDEN, text))
    return json.dumps(_redact(value, DEPTH), ensure_ascii=False, separators=(",", ":"))


def redact_url(url: str) -> str:
    """A URL without user information and without the secret ones of its query's values."""
    return redact_text(url)


def _redact(value: Json, depth: int) -> Json:
    if depth == 0:
        return HIDDEN
    match value:
        case str():
            return _redact_string(value)
        case list():
            return [_redact(item, depth - 1) for item in value]
        case dict():
            return {
                name: HIDDEN if is_secret_name(name) and item not in (None, "") else _redact(item, depth - 1)
                for name, item in value.items()
            }
        case _:
            return value


def is_secret_name(name: str) -> bool:
    return name.lower().replace("-", "_") in _NAMES


def _redact_string(text: str) -> str:
    text = _RUN.sub(lambda found: HIDDEN if "eyJ" in found[0] and "." in found[0] else found[0], text)
    text = _USERINFO.sub(HIDDEN + "@", text)
    return _SDP_KEY.sub(lambda found: (found[1] or found[2]) + HIDDEN, text)
