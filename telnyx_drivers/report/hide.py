"""A story without its people: numbers, names and addresses become stand-ins, the same one always the same.

Secrets are not the business here: they were never in the story.
"""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final, cast

from attrs import evolve

from telnyx_core.json_types import Json
from telnyx_drivers.report.story import CallStory, End, Message, Path, Story

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
"""Members of frames that say who somebody is, with the kind of stand-in."""
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6: Final = re.compile(r"(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_NUMBER: Final = re.compile(r"(?<![\w.:-])\+\d{7,15}(?!\d)")
_KEPT: Final = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104  # not bound to: they say nothing


class Stand:
    """Gives out the stand-ins."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}

    def name(self, kind: str, value: str) -> str:
        if not value:
            return value
        count = sum(known == kind for known, _ in self._names)
        return self._names.setdefault((kind, value), f"{kind} {count + 1}")

    def text(self, text: str) -> str:
        """Free text: what looks like an address or a number."""
        for address in (_IPV4, _IPV6):
            text = address.sub(lambda found: self._address(found[0]), text)
        return _NUMBER.sub(lambda found: self.name("number", found[0]), text)

    def value(self, value: Json, member: str = "") -> Json:
        match value:
            case str():
                kind = _MEMBERS.get(member)
                return self.text(value) if kind is None else self.name(kind, value)
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {name: self.value(item, name) for name, item in value.items()}
            case _:
                return value

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


def without_people(story: Story) -> Story:
    """A copy that may be shown to strangers."""
    stand = Stand()
    return evolve(
        story,
        calls=tuple(_call(call, stand) for call in story.calls),
        messages=tuple(_message(message, stand) for message in story.messages),
    )


def _call(call: CallStory, stand: Stand) -> CallStory:
    return evolve(
        call,
        local_number=stand.name("number", call.local_number),
        remote_number=stand.name("number", call.remote_number),
        facts=tuple(evolve(fact, value=stand.text(fact.value)) for fact in call.facts),
        paths=tuple(_path(path, stand) for path in call.paths),
        candidates=tuple(stand.text(candidate) for candidate in call.candidates),
    )


def _path(path: Path, stand: Stand) -> Path:
    return evolve(path, local=_end(path.local, stand), remote=_end(path.remote, stand))


def _end(end: End, stand: Stand) -> End:
    return evolve(end, address=stand.text(end.address))


def _message(message: Message, stand: Stand) -> Message:
    return evolve(message, label=stand.text(message.label), detail=stand.detail(message.detail))
