"""JSON text to typed frames, and back. The only module that sees what ``json`` returns before it has a type."""

import json
from math import isfinite
from typing import Final, TypeAlias, cast

from attrs import Factory, field, frozen

from telnyx_core._time.limits import (
    MAX_FRAME_CHARS,
    MAX_FRAME_PARTS,
    MAX_ID_CHARS,
    MAX_NAME_CHARS,
    MAX_SDP_CHARS,
    MAX_WORDS_CHARS,
)
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.ids import CallId

ServerId: TypeAlias = int | str
"""The server numbers its requests and names its AI frames; both are echoed with their type (SIG-056)."""

NOT_JSON: Final = "not JSON"
_BLANKS: Final = " \t\n\r"
"""White space around JSON (RFC 8259 section 2)."""

# Escaping everything beyond ASCII keeps a lone surrogate in a header or a name from breaking the socket's encoder.
_encoder: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False, allow_nan=False)


def _finite(text: str) -> float:
    """Python reads ``NaN``, ``Infinity`` and ``1e999``; none of them could be written again (RFC 8259 section 6)."""
    number = float(text)
    if not isfinite(number):
        raise ValueError("not a finite number")
    return number


_decoder: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


@frozen
class ServerError:
    """The ``error`` of a reply (SIG-072)."""

    code: int | None
    message: str
    members: JsonView = field(repr=False, factory=dict[str, Json])


@frozen
class Reply:
    """The answer to one of our requests."""

    id: ServerId
    result: JsonObject = field(repr=False)
    error: ServerError | None
    voice_sdk_id: str | None = field(repr=False)
    frame: JsonObject = field(repr=False)


def _its_call(request: "Request") -> CallId | None:
    return call_id(request.params)


@frozen
class Request:
    """A request or a notification (``id`` is ``None``) of the server."""

    id: ServerId | None
    method: str
    params: JsonObject = field(repr=False)
    voice_sdk_id: str | None = field(repr=False)
    frame: JsonObject = field(repr=False)
    call: CallId | None = field(init=False, repr=False, default=Factory(_its_call, takes_self=True))
    """The call that it speaks of."""


@frozen
class Plain:
    """Text that is not JSON, such as the speed test's (SIG-090)."""

    text: str = field(repr=False)


@frozen
class Garbage:
    """A frame that means nothing (SIG-088); ``reason`` says why, without quoting it."""

    reason: str


Frame: TypeAlias = Reply | Request | Plain | Garbage


def encode(frame: JsonObject) -> str:
    return _encoder.encode(frame)


def parse(text: str) -> Json:
    """JSON that can be written again. Raises `ValueError`, which says why, without quoting it."""
    if len(text) > MAX_FRAME_CHARS:
        raise ValueError(f"frame of {len(text)} characters")
    if (parts := text.count("[") + text.count("{") + text.count(",")) > MAX_FRAME_PARTS:
        raise ValueError(f"frame of {parts} parts")
    try:
        value, end = _decoder.raw_decode(text := text.strip(_BLANKS))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError(NOT_JSON) from None
    if end != len(text):
        raise ValueError(NOT_JSON)
    return cast("Json", value)


def decode(text: str) -> Frame:
    """Read one text frame. Total: whatever the text, one of the four kinds comes back."""
    try:
        value = parse(text)
    except ValueError as error:
        return Plain(text) if text.startswith("#") and len(text) <= MAX_FRAME_CHARS else Garbage(str(error))
    if not isinstance(value, dict):
        return Garbage("not a JSON object")
    voice_sdk_id = identifier(value, "voice_sdk_id")
    ident = value.get("id")
    if not isinstance(ident, int | str) or isinstance(ident, bool):
        ident = None
    method = value.get("method")
    if isinstance(method, str) and "result" not in value and "error" not in value:
        if len(method) > MAX_NAME_CHARS:
            return Garbage("method name too long")
        params = value.get("params")
        return Request(ident, method, params if isinstance(params, dict) else {}, voice_sdk_id, value)
    if ident is None:
        return Garbage("neither a method nor an id")
    result = value.get("result")
    return Reply(
        ident,
        result if isinstance(result, dict) else {},
        _server_error(value.get("error")),
        voice_sdk_id,
        value,
    )


def batch(text: str) -> list[str] | None:
    """The members of a JSON-RPC 2.0 batch, as texts; ``None`` where the text is none or an empty one (section 6)."""
    try:
        value = parse(text)
    except ValueError:
        return None
    return [_encoder.encode(member) for member in value] if isinstance(value, list) and value else None


def _server_error(value: Json) -> ServerError | None:
    if not value:
        return None
    if not isinstance(value, dict):
        return ServerError(None, str(value)[:MAX_NAME_CHARS])
    code, message = value.get("code"), value.get("message")
    return ServerError(
        code if isinstance(code, int) and not isinstance(code, bool) else None,
        message[:MAX_WORDS_CHARS] if isinstance(message, str) else "",
        value,
    )


def call_id(params: JsonView) -> CallId | None:
    """The call that a message speaks of (SIG-103)."""
    ident = string(params, "callID")
    if ident is None and isinstance(dialog := params.get("dialogParams"), dict):
        ident = string(dialog, "callID") or string(dialog, "callId")
    return CallId(ident) if ident is not None and len(ident) <= MAX_NAME_CHARS else None


def string(members: JsonView, name: str) -> str | None:
    """A non-empty string member, or ``None``."""
    value = members.get(name)
    return value if isinstance(value, str) and value else None


def words(members: JsonView, name: str) -> str | None:
    """As `string`, for what people read: cut where it is too long for that."""
    text = string(members, name)
    return None if text is None else text[:MAX_WORDS_CHARS]


def description(members: JsonView) -> str | None:
    """The ``sdp`` of a message; ``None`` where it is missing, empty, or too long to be one."""
    text = string(members, "sdp")
    return text if text is None or len(text) <= MAX_SDP_CHARS else None


def is_ident(text: str) -> bool:
    """Whether a text can be an id that goes into URLs, headers and file names: visible ASCII, and not too much."""
    return 0 < len(text) <= MAX_ID_CHARS and text.isascii() and text.isprintable() and " " not in text


def identifier(members: JsonView, name: str) -> str | None:
    """A member that can be such an id, or ``None``."""
    value = members.get(name)
    return value if isinstance(value, str) and is_ident(value) else None


def integer(members: JsonView, name: str) -> int | None:
    """An integer member, also when it was sent as a string of digits."""
    value = members.get(name)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return None


def mapping(members: JsonView, name: str) -> JsonObject:
    """An object member; an empty object where there is none."""
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def strings(members: JsonView, name: str) -> tuple[str, ...] | None:
    """The strings of an array member; ``None`` where there is no array."""
    value = members.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else None
