"""What happened to one call, kept for its report (LOG-010 to LOG-015).

Writing an entry costs an append: what it says is put into words, and its secrets taken out, when it is read.
"""

from collections import deque
from math import isfinite
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from telnyx_core.json_types import Json, JsonObject, JsonView
from telnyx_core.quality.published import iso
from telnyx_core.redaction import redact

Level: TypeAlias = Literal["debug", "info", "warn", "error"]

MAX_ENTRIES: Final = 1_000  # LOG-010
MAX_FRAME: Final = 16_384
"""Characters of a frame that is kept whole: an SDP is a third of it. A thousand larger ones would fill a memory."""
MAX_TEXT: Final = 2_000  # LOG-014
_DEPTH: Final = 8


@frozen
class LogEntry:
    """``wall`` is epoch seconds. ``context`` is as it was met: `record` cleans it."""

    wall: float
    level: Level
    message: str
    context: JsonView | None = field(default=None, repr=False)

    def record(self) -> JsonObject:
        """LOG-011, without secrets (LOG-013), long texts cut (LOG-014)."""
        entry: JsonObject = {"timestamp": iso(self.wall), "level": self.level, "message": self.message}
        if self.context:
            entry["context"] = _shortened(redact(dict(self.context)), _DEPTH)
        return entry


@define
class LogBook:
    """The entries of one call that have not been sent; the oldest go when there are too many."""

    _entries: deque[LogEntry] = field(factory=lambda: deque[LogEntry](maxlen=MAX_ENTRIES))

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, wall: float, level: Level, message: str, context: JsonView | None = None) -> None:
        self._entries.append(LogEntry(wall, level, message, context))

    def frame(self, wall: float, direction: Literal["SEND", "RECV"], frame: JsonView, size: int) -> None:
        """A frame of ``size`` characters was sent or received."""
        context = frame if size <= MAX_FRAME else {"method": frame.get("method"), "characters": size}
        self._entries.append(LogEntry(wall, "debug", direction, context))

    def drain(self) -> tuple[LogEntry, ...]:
        """Everything that is kept, which is then kept no longer (LOG-015)."""
        entries = tuple(self._entries)
        self._entries.clear()
        return entries


def _shortened(value: Json, depth: int) -> Json:
    match value:
        case str():
            return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
        case float():
            return value if isfinite(value) else None
        case list():
            return [_shortened(item, depth - 1) for item in value] if depth else "…"
        case dict():
            return {name: _shortened(item, depth - 1) for name, item in value.items()} if depth else "…"
        case _:
            return value
