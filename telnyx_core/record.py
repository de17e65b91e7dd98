"""A session written down as JSON, without its secrets, so that another session can be given the same again.

Three kinds of entry: a fact that was received, a command that was given, an action that was taken. Secrets are replaced
by pseudonyms, the same secret always by the same one. The core treats a secret as opaque text, so a session that is fed
the pseudonyms does exactly what the first one did, with pseudonyms in their places.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from attrs import AttrsInstance, evolve, fields, has

from telnyx_core import facts as facts_module
from telnyx_core.actions import (
    Action,
    Notify,
    OpenSocket,
    PrepareMedia,
    Remember,
    SendText,
    Settle,
    UploadReport,
    WriteDebug,
)
from telnyx_core.events import CallUpdated, ErrorRaised, WarningRaised
from telnyx_core.facts import Fact, LocalDescribed, StatsTaken, TextReceived
from telnyx_core.fits import fits
from telnyx_core.ids import MediaId, SocketId
from telnyx_core.json_types import Json, JsonObject, JsonView
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader
from telnyx_core.quality.reading_record import reading_from_record, reading_record
from telnyx_core.token import expiry
from telnyx_core.wire import encode, mapping

COMMANDS: Final = (
    "connect",
    "disconnect",
    "leave",
    "login",
    "is_registered",
    "clear_reconnect_token",
    "new_call",
    "answer",
    "hangup",
    "hold",
    "unhold",
    "toggle_hold",
    "dtmf",
    "message",
    "set_muted",
    "set_deaf",
    "set_source",
    "set_max_bit_rate",
    "resume_media",
    "reject_media",
    "flush_report",
    "send_conversation_message",
    "send_ai_item",
)
"""The commands of a `Session`, which is everything that an application can do to one."""

SECRET_MEMBERS: Final = frozenset(
    {"passwd", "password", "login_token", "voice_sdk_id", "sessid", "session_id", "credential", "access_token"}
)
"""Members whose value lets a stranger log in or take a session over, wherever they stand in a frame."""
_SESSION_MEMBERS: Final = frozenset({"peerId", "connectionId"})
"""Members of debug frames that have the session's id in them, once there is one (DBG-010)."""

_SDP_SECRET: Final = re.compile(r"(?m)^(a=(?:ice-pwd|crypto|key-mgmt):)([^\r\n]+)|^(k=)([^\r\n]+)")
_QUERY_SECRET: Final = re.compile(r"([?&]voice_sdk_id=)([^&#]+)")
_FACTS: Final[Mapping[str, type[AttrsInstance]]] = {
    name: value for name, value in vars(facts_module).items() if isinstance(value, type) and has(value)
}


class Scrubber:
    """Secrets to pseudonyms, one to one, for the length of one record."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, secret: str) -> str:
        return self._names.setdefault(secret, f"secret-{len(self._names) + 1}")

    def token(self, token: str) -> str:
        """A login token's stand-in keeps the expiry, which the core reads, and nothing else."""
        end = expiry(token)
        if end is None:
            return self.name(token)
        claim = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
        return self._names.setdefault(token, f"e30.{claim}.secret-{len(self._names) + 1}")

    def value(self, value: Json, member: str = "") -> Json:
        match value:
            case str():
                if member in SECRET_MEMBERS and value:
                    return self._names[value] if value in self._names else self.name(value)
                if member in _SESSION_MEMBERS:
                    return self._names.get(value, value)
                return self._sdp(value) if "a=" in value or "k=" in value else value
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {name: self.value(item, name) for name, item in value.items()}
            case _:
                return value

    def text(self, text: str) -> str:
        """One frame. What is not a JSON object is reduced to its kind: it may hold anything."""
        try:
            frame = cast("Json", json.loads(text))
        except (ValueError, RecursionError):
            return "#" if text.startswith("#") else "?"
        return encode(cast("JsonObject", self.value(frame))) if isinstance(frame, dict) else "[]"

    def url(self, url: str) -> str:
        return _QUERY_SECRET.sub(lambda found: found[1] + self.name(found[2]), url)

    def _sdp(self, text: str) -> str:
        return _SDP_SECRET.sub(lambda found: (found[1] or found[3]) + self.name(found[2] or found[4]), text)


def options_record(options: ClientOptions, scrubber: Scrubber) -> JsonObject:
    """What `ClientOptions.from_mapping` needs to build them again; credentials are pseudonyms."""
    plain = _differences(options, ClientOptions(login="-", password="-"))  # noqa: S106
    for name in ("login_token", "login", "password"):
        plain.pop(name, None)
    record = cast("JsonObject", scrubber.value(plain))
    if options.login_token is not None:
        record["login_token"] = scrubber.token(options.login_token)
    if options.login is not None:
        record["login"] = options.login
    if options.password is not None:
        record["password"] = scrubber.name(options.password)
    if options.ice_servers is not None:
        record["ice_servers"] = [_without_secrets(server, scrubber) for server in options.ice_servers]
    return record


def call_options_record(options: CallOptions, scrubber: Scrubber) -> JsonObject:
    record = _differences(options, CallOptions())
    if options.ice_servers is not None:
        record["ice_servers"] = [_without_secrets(server, scrubber) for server in options.ice_servers]
    return record


def arguments_record(arguments: Mapping[str, object], scrubber: Scrubber) -> JsonObject:
    """The arguments of a command by name."""
    record: JsonObject = {}
    for name, value in arguments.items():
        match value:
            case CallOptions():
                record[name] = call_options_record(value, scrubber)
            case Mapping() if name == "credentials":
                record[name] = {
                    member: scrubber.token(item)
                    if member == "login_token" and isinstance(item, str)
                    else scrubber.value(_plain(item), member)
                    for member, item in cast("Mapping[str, object]", value).items()
                }
            case _:
                record[name] = scrubber.value(_plain(value))
    return record


def arguments_from_record(record: JsonView) -> dict[str, object]:
    """What `arguments_record` wrote, as the command takes it."""
    arguments: dict[str, object] = {}
    for name, value in record.items():
        if name == "options" and isinstance(value, dict):
            arguments[name] = CallOptions.from_mapping(value)
        elif name == "custom_headers" and isinstance(value, list):
            pairs = [entry for entry in value if isinstance(entry, dict)]
            arguments[name] = tuple(CustomHeader(str(entry["name"]), str(entry["value"])) for entry in pairs)
        elif isinstance(value, list):
            arguments[name] = tuple(value)
        else:
            arguments[name] = value
    return arguments


def fact_record(fact: Fact, scrubber: Scrubber) -> JsonObject:
    match fact:
        case TextReceived(_, text):
            fact = evolve(fact, text=scrubber.text(text))
        case LocalDescribed():
            fact = evolve(fact, sdp=str(scrubber.value(fact.sdp)))
        case StatsTaken(media, reading):
            return {"is": type(fact).__name__, "media": media, "reading": reading_record(reading)}
        case _:
            pass
    return {"is": type(fact).__name__, **_members(fact)}


def fact_from_record(record: JsonView) -> Fact:
    """Raises `ValueError` for anything but what `fact_record` makes."""
    kind = record.get("is")
    cls = _FACTS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"not a fact: {kind!r}")
    known = {attribute.name for attribute in fields(cls)}
    members: dict[str, object] = {name: value for name, value in record.items() if name in known}
    if kind == StatsTaken.__name__:
        members["reading"] = reading_from_record(mapping(record, "reading"))
    for attribute in fields(cls):
        if attribute.name in members and not fits(members[attribute.name], attribute.type):
            raise ValueError(f"not a {kind}: {attribute.name}")
    try:
        return cast("Fact", cls(**members))
    except TypeError as error:
        raise ValueError(f"not a {kind}: {error}") from None


def action_record(action: Action, scrubber: Scrubber) -> JsonObject:
    """Enough to tell one action from another, and to show it; frames whole, events by what they say in short."""
    name = type(action).__name__
    match action:
        case SendText(socket, text):
            return {"is": name, "socket": socket, "text": scrubber.text(text)}
        case OpenSocket(socket, url):
            return {"is": name, "socket": socket, "url": scrubber.url(url)}
        case Notify(event):
            return {"is": name, "event": type(event).__name__, **_brief(action)}
        case Settle(ticket, outcome):
            return {"is": name, "ticket": ticket, "outcome": type(outcome).__name__}
        case Remember():
            return {"is": name}
        case UploadReport(_, segment):
            flush = None if segment.flush is None else segment.flush.type
            entries, logs = len(segment.entries), len(segment.logs)
            return {"is": name, "call": segment.call.id, "flush": flush, "entries": entries, "logs": logs}
        case PrepareMedia(servers, force_relay):
            return {"is": name, "servers": len(servers), "force_relay": force_relay}
        case WriteDebug(report, _, written):
            return {"is": name, "report": report, "entries": len(written)}
        case _:
            members = _members(action)
            config = members.pop("config", None)
            short: JsonObject = {"is": name, **cast("JsonObject", scrubber.value(members))}
            if isinstance(config, dict):
                short["role"] = config.get("role")
            return short


def handle(record: JsonView) -> tuple[SocketId | None, MediaId | None]:
    """The handle that a fact's or an action's record speaks of."""
    socket, media = record.get("socket"), record.get("media")
    return (
        SocketId(socket) if isinstance(socket, int) else None,
        MediaId(media) if isinstance(media, int) else None,
    )


def _brief(action: Notify) -> JsonObject:
    match action.event:
        case CallUpdated(call):
            return {"call": call.id, "state": call.state.value}
        case ErrorRaised(error=error, call=call):
            return {"call": call, "code": error.code, "name": error.name, "fatal": error.fatal}
        case WarningRaised(warning=warning, call=call):
            return {"call": call, "code": warning.code, "name": warning.name}
        case event:
            call = getattr(event, "call", None)
            return {"call": call} if isinstance(call, str) else {}


def _members(instance: object) -> JsonObject:
    return {attribute.name: _plain(getattr(instance, attribute.name)) for attribute in fields(type(instance))}  # type: ignore[arg-type]


def _plain(value: object) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {name: _plain(item) for name, item in cast("Mapping[str, object]", value).items()}
        case tuple() | list():
            return [_plain(item) for item in cast("Sequence[object]", value)]
        case _ if has(type(value)):
            return _members(value)
        case _:
            return None


def _differences(options: ClientOptions | CallOptions, default: ClientOptions | CallOptions) -> JsonObject:
    """The members that are not as by default; callables and credentials of servers are never among them."""
    record: JsonObject = {}
    for attribute in fields(type(options)):
        value = getattr(options, attribute.name)
        if value != getattr(default, attribute.name) and attribute.name != "ice_servers":
            plain = _plain(value)
            record[attribute.name] = (
                {name: item for name, item in plain.items() if item is not None} if isinstance(plain, dict) else plain
            )
    return record


def _without_secrets(server: object, scrubber: Scrubber) -> Json:
    plain = _plain(server)
    assert isinstance(plain, dict), "an ICE server"
    kept: JsonObject = {"urls": plain["urls"]}
    for name in ("username", "credential"):
        secret = plain.get(name)
        if isinstance(secret, str):
            kept[name] = scrubber.name(secret)
    return kept
