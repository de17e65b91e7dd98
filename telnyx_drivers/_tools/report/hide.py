"""A story without personal data: numbers, names and addresses get replacements, the same value always the same one.

Secrets are not handled here: a story never has any.
"""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final, cast

from attrs import evolve

from telnyx_core._wire.json_types import Json
from telnyx_core._wire.redaction import digits_as_zeros
from telnyx_drivers._tools.report.call_timeline import CallTimeline, End, Message, Path, Story

_MEMBERS: Final[Mapping[str, str]] = {
    name: "number" if "number" in name.lower() else "name"
    for name in (
        "caller_id_number",
        "caller_id_name",
        "callee_id_number",
        "callee_id_name",
        "remote_caller_id_number",
        "remote_caller_id_name",
        "destination_number",
        "display_number",
        "display_name",
        "callerNumber",
        "callerName",
        "destinationNumber",
        "remoteCallerNumber",
        "remoteCallerName",
    )
}
"""Members of frames that identify a person, with the kind of replacement."""
_MORE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("login", "from", "to", "user", "username", "displayName", "cnam"), "name"),
    "body": "message",
    "email": "email",
}
"""Further members that identify a person, or hold what a person wrote."""
_DIALLED: Final = frozenset({"dtmf", "digits", "digit"})
"""Members that hold keys, hidden as a journal hides them: it can be replayed still."""
_OPAQUE: Final = frozenset({"sdp", "candidate", "callID", "callId", "id", "jsonrpc", "method", "sessid"})
"""Members whose digits are no telephone numbers."""
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6: Final = re.compile(r"(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_URI: Final = re.compile(r"\b(sips?|tel|mailto):([^\s<>\"';,@]+)(@[^\s<>\"';,]+)?", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_DISPLAY: Final = re.compile(
    r"\"([^\"<>]{1,80})\"(?=\s*<sips?:)|(?<![\w\"])([^\s\"<>:,;][^\"<>:,;]{0,80}?)(?=\s*<sips?:)"
)
"""The name before a SIP address (RFC 3261 section 20.10)."""
_NUMBER: Final = re.compile(r"(?<![\w.:/-])\+?\(?\d[\d ().-]{5,22}\d(?![\w-])")
_E164: Final = re.compile(r"(?<![\w.:-])\+\d{7,15}(?!\d)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DIGITS: Final = range(7, 20)
"""How many a number of a person, or of a card, has."""
_KEPT: Final = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104  # not bound to: they say nothing


class Pseudonyms:
    """Hands out the replacements."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._learned: dict[str, str] = {}
        """Names that a member has told: they are looked for in every text."""

    def name(self, kind: str, value: str) -> str:
        if not value:
            return value
        if kind == "number":
            value = _plain(value)
        count = sum(known == kind for known, _ in self._names)
        stand = self._names.setdefault((kind, value), f"{kind} {count + 1}")
        if kind == "name" and len(value) > 2:
            self._learned[value] = stand
        return stand

    def text(self, text: str, *, numbers: bool = True) -> str:
        """Free text: what looks like an address, a number or a name, and every name that is known."""
        text = _DISPLAY.sub(lambda found: self.name("name", (found[1] or found[2]).strip()), text)
        text = _URI.sub(self._uri, text)
        text = _EMAIL.sub(lambda found: self.name("email", found[0]), text)
        text = self.addresses(text)
        if numbers:
            text = _NUMBER.sub(lambda found: self._number(found[0]), text)
        for known, stand in self._learned.items():
            if known in text:
                text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", stand, text)
        return text

    def addresses(self, text: str) -> str:
        """As `text`, but only what has one unmistakable form: addresses of hosts, and numbers with a plus (E.164)."""
        for address in (_IPV4, _IPV6):
            text = address.sub(lambda found: self._address(found[0]), text)
        return _E164.sub(lambda found: self.name("number", found[0]), text)

    def value(self, value: Json, member: str = "") -> Json:
        match value:
            case str():
                if member in _DIALLED:
                    return digits_as_zeros(value)
                kind = _MEMBERS.get(member, _MORE.get(member))
                if kind is not None:
                    return self.name("number" if kind == "name" and _is_number(value) else kind, value)
                return self.text(value, numbers=member not in _OPAQUE)
            case list():
                return [self.value(item, member) for item in value]
            case dict():
                return {name: self.value(item, name) for name, item in value.items()}
            case int() if member in _DIALLED and not isinstance(value, bool):
                return digits_as_zeros(str(value))
            case int() if member in _MORE and not isinstance(value, bool):
                return self.name(_MORE[member], str(value))
            case _:
                return value

    def _uri(self, found: re.Match[str]) -> str:
        person, host = found[2], found[3] or ""
        kind = "number" if _is_number(person) else "name"
        return f"{found[1]}:{self.name(kind, person)}{'@host' if host else ''}"

    def _number(self, text: str) -> str:
        if _DATE.match(text) or not _is_number(text):
            return text
        return self.name("number", text)

    def detail(self, detail: str) -> str:
        """A frame, or text."""
        try:
            value = cast("Json", json.loads(detail))
        except (ValueError, RecursionError):
            return self.text(detail)
        return json.dumps(self.value(value))

    def _address(self, text: str) -> str:
        try:
            ip_address(text)
        except ValueError:
            return text  # a time of day, a fingerprint, a version
        return text if text in _KEPT else self.name("address", text)


def _is_number(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    return digits in _DIGITS and not any(character.isalpha() for character in text)


def _plain(number: str) -> str:
    """One number, however it is spelled."""
    digits = "".join(character for character in number if character.isdigit())
    return digits or number


def anonymize(story: Story) -> Story:
    """A copy without personal data."""
    stand = Pseudonyms()
    for message in story.messages:
        stand.detail(message.detail)  # learn every name first, so that it is hidden in earlier messages too
    return evolve(
        story,
        calls=tuple(_call(call, stand) for call in story.calls),
        messages=tuple(_message(message, stand) for message in story.messages),
        remarks=tuple(stand.text(remark) for remark in story.remarks),
    )


def _call(call: CallTimeline, stand: Pseudonyms) -> CallTimeline:
    return evolve(
        call,
        local_number=stand.name("number", call.local_number),
        remote_number=stand.name("number", call.remote_number),
        facts=tuple(evolve(fact, value=stand.text(fact.value)) for fact in call.facts),
        notes=tuple(evolve(note, said=stand.text(note.said)) for note in call.notes),
        ended_by=stand.text(call.ended_by),
        paths=tuple(_path(path, stand) for path in call.paths),
        candidates=tuple(stand.text(candidate) for candidate in call.candidates),
    )


def _path(path: Path, stand: Pseudonyms) -> Path:
    return evolve(path, local=_end(path.local, stand), remote=_end(path.remote, stand))


def _end(end: End, stand: Pseudonyms) -> End:
    return evolve(end, address=stand.text(end.address))


def _message(message: Message, stand: Pseudonyms) -> Message:
    return evolve(message, label=stand.text(message.label), detail=stand.detail(message.detail))
