"""The log of one call, kept for its report (LOG-010 to LOG-015).

Adding an entry costs one append: it is formatted, and its secrets are removed, only when it is read.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from math import isfinite
from operator import itemgetter
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core._wire.redaction import PLAIN, Redactor
from telnyx_core._wire.utc import iso
from telnyx_core.options import DebugLogLevel

Level: TypeAlias = DebugLogLevel

MAX_ENTRIES: Final = 1_000  # the default of ``debugLogMaxEntries`` (LOG-010)
_RANKS: Final[Mapping[Level, int]] = {"debug": 0, "info": 1, "warn": 2, "error": 3}  # LOG-001
MAX_FRAME: Final = 16_384
"""Characters of a frame that is kept whole: an SDP is a third of it. A thousand larger ones would fill a memory."""
MAX_TEXT: Final = 2_000  # characters; longer texts, such as an SDP, are cut (LOG-014)
_DEPTH: Final = 8


@frozen
class LogEntry:
    """One log entry. ``wall`` is epoch seconds. ``context`` may hold secrets: `record` removes them."""

    wall: float
    level: Level
    message: str
    context: JsonView | None = field(default=None, repr=False)

    def record(self, redactor: Redactor = PLAIN) -> JsonObject:
        """The entry as JSON (LOG-011), without secrets (LOG-013), with long texts cut (LOG-014)."""
        message = redactor.plain(self.message)
        entry: JsonObject = {"timestamp": iso(self.wall), "level": self.level, "message": message}
        if self.context:
            entry["context"] = _shortened(redactor.value(dict(self.context)), _DEPTH)
        return entry


_Numbered: TypeAlias = tuple[int, LogEntry]


@define
class CommonLog:
    """Entries that name no call and so belong to the log of every call (LOG-012); stored once for all calls."""

    least: Level = "debug"
    """The lowest level that is kept (``debugLogLevel``)."""
    most: int = MAX_ENTRIES
    """Most entries for each call (``debugLogMaxEntries``)."""
    _entries: deque[_Numbered] = field(init=False)
    _numbers: int = field(default=0, init=False)
    written: int = field(default=0, init=False)
    """How many entries there have been."""

    def __attrs_post_init__(self) -> None:
        self._entries = deque(maxlen=self.most)

    def keeps(self, level: Level) -> bool:
        return _RANKS[level] >= _RANKS[self.least]

    def number(self) -> int:
        """The sequence number of the next entry, here or in the log of a call: it keeps the order of both."""
        self._numbers += 1
        return self._numbers

    def frame(self, wall: float, direction: Literal["SEND", "RECV"], frame: JsonView, size: int) -> None:
        if self.keeps("debug"):
            self._entries.append((self.number(), _frame_entry(wall, direction, frame, size)))
            self.written += 1

    def since(self, written: int) -> Iterable[_Numbered]:
        """The entries after the first ``written`` ones, as far as they are still kept."""
        return islice(self._entries, max(0, len(self._entries) - (self.written - written)), None)


@define
class LogBook:
    """The entries of one call that have not been sent; the oldest go when there are too many."""

    _common: CommonLog = field(factory=CommonLog)
    _entries: deque[_Numbered] = field(init=False)
    _read: int = field(init=False)
    """How much of the common log was there before, or has been sent."""

    def __attrs_post_init__(self) -> None:
        self._entries = deque(maxlen=self._common.most)
        self._read = self._common.written

    def __len__(self) -> int:
        return min(len(self._entries) + self._common.written - self._read, self._common.most)

    def note(self, wall: float, level: Level, message: str, context: JsonView | None = None) -> None:
        if self._common.keeps(level):
            self._entries.append((self._common.number(), LogEntry(wall, level, message, context)))

    def frame(self, wall: float, direction: Literal["SEND", "RECV"], frame: JsonView, size: int) -> None:
        """A frame of ``size`` characters, that names this call, was sent or received."""
        if self._common.keeps("debug"):
            self._entries.append((self._common.number(), _frame_entry(wall, direction, frame, size)))

    def entries(self) -> tuple[LogEntry, ...]:
        """All entries; they are kept."""
        numbered = sorted((*self._entries, *self._common.since(self._read)), key=itemgetter(0))
        return tuple(entry for _, entry in numbered[-self._common.most :])

    def drain(self) -> tuple[LogEntry, ...]:
        """All entries; they are removed (LOG-015)."""
        entries = self.entries()
        self._entries.clear()
        self._read = self._common.written
        return entries


def _frame_entry(wall: float, direction: Literal["SEND", "RECV"], frame: JsonView, size: int) -> LogEntry:
    context = frame if size <= MAX_FRAME else {"method": frame.get("method"), "characters": size}
    return LogEntry(wall, "debug", direction, context)


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
