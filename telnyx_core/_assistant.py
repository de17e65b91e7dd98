"""What a caller and an AI assistant said to each other, put together from the server's ``ai_conversation`` messages."""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import evolve

from telnyx_core._time.limits import MAX_IMAGES, MAX_NAME_CHARS, MAX_SAID_CHARS, MAX_TRANSCRIPT_CHARS, MAX_UTTERANCES
from telnyx_core._wire.codec import mapping, string
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.events import TranscriptItem

_ROLES: Final[Mapping[str, Literal["user", "assistant"]]] = {"user": "user", "assistant": "assistant"}


class Conversation:
    """One at a time: the messages name no call, and a client talks to one assistant."""

    def __init__(self) -> None:
        self.widget_settings: JsonObject | None = None
        self._items: dict[str, TranscriptItem] = {}
        self._chars = 0
        self._open: dict[str, str | None] = {}
        """Items of which more may come, with the response that each belongs to."""

    @property
    def transcript(self) -> tuple[TranscriptItem, ...]:
        return tuple(self._items.values())

    def clear(self) -> None:
        """Another conversation begins."""
        self._items.clear()
        self._open.clear()
        self._chars = 0

    def heard(self, params: JsonView, wall: float) -> list[TranscriptItem]:
        """The items that a message changes, in order, as they are then (AI-030 to AI-035)."""
        settings = params.get("widget_settings")
        if isinstance(settings, dict):
            self.widget_settings = settings
        match params.get("type"):
            case "conversation.item.created":
                return self._created(mapping(params, "item"), wall)
            case "response.text.delta":
                return self._delta(params, wall)
            case str(kind) if kind.endswith(".done"):
                owners = (params, mapping(params, "item"), mapping(params, "response"))
                names = {string(owner, name) for owner in owners for name in ("id", "item_id", "response_id")} - {None}
                return self._close([item for item, of in self._open.items() if item in names or of in names])
            case _:
                return []

    def end(self) -> list[TranscriptItem]:
        """The call is over: nothing more comes of what was begun (AI-033)."""
        return self._close(list(self._open))

    def _created(self, item: JsonObject, wall: float) -> list[TranscriptItem]:
        ident = _identifier(item, "id")
        if ident is None:
            return []
        changed = self._go_on_to(ident)
        role = _ROLES.get(string(item, "role") or "")
        if item.get("type") != "message" or role is None:
            return changed
        partial = item.get("status") != "completed"
        text, images = _content(item.get("content"))
        if text or images:
            began = known.timestamp if (known := self._items.get(ident)) is not None else wall
            said = TranscriptItem(id=ident, role=role, content=text, partial=partial, images=images, timestamp=began)
            return changed + self._put(said)
        return changed if partial else changed + self._close([ident])

    def _delta(self, params: JsonView, wall: float) -> list[TranscriptItem]:
        ident, more = _identifier(params, "item_id"), string(params, "delta")
        if ident is None or more is None:
            return []
        changed = self._go_on_to(ident)
        known = self._items.get(ident) or TranscriptItem(id=ident, role="assistant", content="", timestamp=wall)
        self._open[ident] = _identifier(params, "response_id")
        return changed + self._put(evolve(known, content=(known.content + more)[:MAX_SAID_CHARS], partial=True))

    def _go_on_to(self, ident: str) -> list[TranscriptItem]:
        """The assistant says one thing after the other: what it said before is complete."""
        return self._close([each for each in self._open if each != ident and self._items[each].role == "assistant"])

    def _close(self, idents: list[str]) -> list[TranscriptItem]:
        changed = list[TranscriptItem]()
        for ident in idents:
            self._open.pop(ident, None)
            if ident in self._items:
                changed += self._put(evolve(self._items[ident], partial=False))
        return changed

    def _put(self, said: TranscriptItem) -> list[TranscriptItem]:
        """Keep it in its place; nothing where it says the same as before. The oldest make room."""
        known = self._items.get(said.id)
        if said.partial:
            self._open.setdefault(said.id, None)
        else:
            self._open.pop(said.id, None)
        if said == known:
            return []
        self._items[said.id] = said
        self._chars += _size(said) - (0 if known is None else _size(known))
        while len(self._items) > MAX_UTTERANCES or (self._chars > MAX_TRANSCRIPT_CHARS and len(self._items) > 1):
            oldest = next(iter(self._items))
            self._chars -= _size(self._items.pop(oldest))
            self._open.pop(oldest, None)
        return [said]


def _identifier(members: JsonView, name: str) -> str | None:
    ident = string(members, name)
    return ident if ident is None or len(ident) <= MAX_NAME_CHARS else None


def _size(said: TranscriptItem) -> int:
    return len(said.content) + sum(map(len, said.images))


def _content(content: Json) -> tuple[str, tuple[str, ...]]:
    """The text of a message and the URLs of its images (AI-013)."""
    if isinstance(content, str):
        return content[:MAX_SAID_CHARS], ()
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    text = "".join(string(part, "text") or string(part, "transcript") or "" for part in parts)
    images = (string(mapping(part, "image_url"), "url") for part in parts)
    return text[:MAX_SAID_CHARS], tuple(url for url in images if url is not None)[:MAX_IMAGES]
