"""A session recorded as JSON, without its secrets, so that another session can be given the same inputs again.

Three kinds of entry: a fact that was received, a command that was given, an action that was taken. Secrets are replaced
by pseudonyms, the same secret always by the same one. The core treats a secret as opaque text, so a session that is fed
the pseudonyms does exactly what the first one did, with pseudonyms in their places.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast
from urllib.parse import unquote_plus

from attrs import AttrsInstance, fields, has

from telnyx_core import facts as facts_module
from telnyx_core._signalling.messages import kept
from telnyx_core._signalling.speed import PREFIX, written
from telnyx_core._signalling.token import expiry
from telnyx_core._wire.codec import encode, is_ident, mapping, parse
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core._wire.redaction import Redactor, digits_as_zeros, is_secret_name
from telnyx_core.actions import (
    Action,
    Notify,
    OpenSocket,
    PostBody,
    PrepareMedia,
    Remember,
    SendText,
    Settle,
    WriteDebug,
    WriteRecording,
    WriteReport,
)
from telnyx_core.events import CallUpdated, ErrorRaised, WarningRaised
from telnyx_core.facts import Fact, StatsTaken, TextReceived, TokenProvided, UploadWritten
from telnyx_core.ids import MediaId, SocketId
from telnyx_core.journal.fits import fits
from telnyx_core.journal.reading_record import reading_from_record, reading_record
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader

_SESSION_MEMBERS: Final = frozenset({"peerId", "connectionId", "reattached_sessions"})
"""Members that name a session by its id, or something else (DBG-010, SIG-137)."""
_URL_TOKEN: Final = re.compile(r"([?&]voice_sdk_id=)([^&#]+)")
_MOST_NAMES: Final = 4_096
_MOST_CHARS: Final = 1 << 20
"""Of secrets that have a pseudonym: a server may send a new one with each frame. Then the oldest get a new one."""

_MOST_BYTES: Final = 1 << 26
"""Of one part of a report; a real one has two million or a few more."""

_FACTS: Final[Mapping[str, type[AttrsInstance]]] = {
    name: value for name, value in vars(facts_module).items() if isinstance(value, type) and has(value)
}


class Scrubber(Redactor):
    """Secrets to pseudonyms, one to one, for the length of one record."""

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[str, str] = {}
        """Pseudonyms of the client's own credentials; never forgotten."""
        self._names: dict[str, str] = {}
        """Pseudonyms of all other secrets, the least recently used first."""
        self._chars = 0
        self._count = 0

    def learn(self, *secrets: str | None) -> None:
        super().learn(*secrets)
        self._own.update({secret: self.name(secret) for secret in secrets if secret})

    def name(self, secret: str) -> str:
        """The pseudonym. A login token's keeps the expiry, which the core reads; an unusable id's is unusable."""
        own = self._own.get(secret)
        if own is not None:
            return own
        name = self._names.pop(secret, None)
        if name is None:
            self._chars += len(secret)
            name = self._new_name(secret)
        self._names[secret] = name
        while len(self._names) > _MOST_NAMES or (self._chars > _MOST_CHARS and len(self._names) > 1):
            oldest = next(iter(self._names))
            del self._names[oldest]
            self._chars -= len(oldest)
        return name

    def _new_name(self, secret: str) -> str:
        self._count += 1
        end = expiry(secret)
        if end is None:
            return f"secret-{self._count}" if is_ident(secret) else f"secret {self._count}"
        claim = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
        return f"e30.{claim}.secret-{self._count}"

    def frame(self, text: str) -> str:
        """One frame. What is not a JSON object is reduced to its kind: it may hold anything."""
        try:
            frame = parse(text)
        except ValueError:
            if text.startswith(PREFIX):
                return written(text)
            return "#" if text.startswith("#") else "?"
        return encode(cast("JsonObject", self.value(frame))) if isinstance(frame, dict) else "[]"

    def url(self, url: str) -> str:
        """The routing token in a URL has the pseudonym that it has in frames, where it is not percent-encoded."""
        before, *rest = _URL_TOKEN.split(url)
        parts = [self.plain(before)]
        for key, token, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            parts += (key, self.name(unquote_plus(token)), self.plain(after))
        return "".join(parts)

    def hide(self, secret: str) -> str:
        return self.name(secret)

    def hide_digits(self, digits: str) -> str:
        return digits_as_zeros(digits)

    def hide_whole(self, value: Json) -> Json:
        return self.name(json.dumps(value))

    def _string(self, text: str, member: str) -> str:
        if member in _SESSION_MEMBERS:
            return self._names.get(text, text)
        return super()._string(text, member)


def options_record(options: ClientOptions, scrubber: Scrubber) -> JsonObject:
    """What `ClientOptions.from_mapping` needs to build them again; credentials are pseudonyms."""
    scrubber.learn(options.password, options.login_token)
    plain = _differences(options, ClientOptions(login="-", password="-"))  # noqa: S106
    for name in ("login_token", "login", "password"):
        plain.pop(name, None)
    record = cast("JsonObject", scrubber.value(plain))
    if options.login_token is not None:
        record["login_token"] = scrubber.name(options.login_token)
    if options.login is not None:
        record["login"] = options.login
    if options.password is not None:
        record["password"] = scrubber.name(options.password)
    if options.ice_servers is not None:
        record["ice_servers"] = [_without_secrets(server, scrubber) for server in options.ice_servers]
    return record


def call_options_record(options: CallOptions, scrubber: Scrubber) -> JsonObject:
    record = cast("JsonObject", scrubber.value(_differences(options, CallOptions())))
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
                given = cast("Mapping[str, object]", value)
                for member, item in given.items():
                    if isinstance(item, str) and is_secret_name(member):
                        scrubber.learn(item)
                record[name] = {member: scrubber.value(_plain(item), member) for member, item in given.items()}
            case _:
                record[name] = scrubber.value(_plain(value), name)
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
        case TextReceived(socket, text):
            return {"is": type(fact).__name__, "socket": socket, "text": scrubber.frame(text)}
        case TokenProvided(request, token):
            scrubber.learn(token)
            return {"is": type(fact).__name__, "request": request, "token": scrubber.name(token)}
        case StatsTaken(media, reading):
            return {"is": type(fact).__name__, "media": media, "reading": reading_record(reading)}
        case UploadWritten(upload, bodies):
            return {"is": type(fact).__name__, "upload": upload, "bytes": [len(body) for body in bodies]}
        case _:
            return {"is": type(fact).__name__, **cast("JsonObject", scrubber.value(_members(fact)))}


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
    elif kind == UploadWritten.__name__:
        members["bodies"] = _bodies(record.get("bytes"))
    for attribute in fields(cls):
        if attribute.name in members and not fits(members[attribute.name], attribute.type):
            raise ValueError(f"not a {kind}: {attribute.name}")
    try:
        return cast("Fact", cls(**members))
    except TypeError as error:
        raise ValueError(f"not a {kind}: {error}") from None


def _bodies(sizes: Json) -> tuple[bytes, ...]:
    """Stand-ins for the bodies of a report, of which only the size is recorded: nothing else matters to the core."""
    found = [size for size in sizes if isinstance(size, int) and size >= 0] if isinstance(sizes, list) else []
    if sum(found) > _MOST_BYTES:
        raise ValueError("not a UploadWritten: it is too large")
    return tuple(map(bytes, found))


def action_record(action: Action, scrubber: Scrubber) -> JsonObject:
    """Enough to tell one action from another, and to show it; frames whole, events by what they say in short."""
    name = type(action).__name__
    match action:
        case SendText(socket, text):
            return {"is": name, "socket": socket, "text": scrubber.frame(text)}
        case OpenSocket(socket, url):
            return {"is": name, "socket": socket, "url": scrubber.url(url)}
        case Notify(event):
            return {"is": name, "event": type(event).__name__, **_brief(action)}
        case Settle(ticket, outcome):
            return {"is": name, "ticket": ticket, "outcome": type(outcome).__name__}
        case Remember():
            return {"is": name}
        case WriteReport(upload, segment, number, limit):
            flush = None if segment.flush is None else segment.flush.type
            entries, logs = len(segment.entries), len(segment.logs)
            part: JsonObject = {"call": segment.call.id, "flush": flush, "entries": entries, "logs": logs}
            return {"is": name, "upload": upload, **part, "number": number, "limit": limit}
        case WriteRecording(upload, piece):
            return {"is": name, "upload": upload, "call": piece.call, "track": piece.track, "last": piece.last}
        case PostBody(upload, url, _, body):
            return {"is": name, "upload": upload, "url": scrubber.url(url), "bytes": len(body)}
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
            if attribute.name == "user_variables" and isinstance(plain, dict):
                plain = kept(plain)  # as the server is told them, so that each is hidden under one name
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
            scrubber.learn(secret)
            kept[name] = scrubber.name(secret)
    return kept
