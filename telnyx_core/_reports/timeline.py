"""The timeline of one peer, with ``debug``: what happened to it, entry by entry (DBG-010, DBG-021)."""

from collections import deque
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import PLAIN, Redactor
from telnyx_core._wire.utc import iso

Tag: TypeAlias = Literal["getUserMedia", "peer", "connection", "track", "stats", "call", "signaling"]
"""The last two exist only in this client, not in the JS SDK."""

MAX_ENTRIES: Final = 20_000  # of one peer (DBG-021)


@frozen
class Entry:
    """One event at ``wall`` (epoch seconds). ``error`` says why it failed, if it did."""

    wall: float
    event: str
    tag: Tag
    data: Json = field(default=None, repr=False)
    error: str | None = None

    def record(self, peer: str, redactor: Redactor = PLAIN) -> JsonObject:
        """The entry as JSON (DBG-010), without secrets. ``peer`` is used for both ids."""
        entry: JsonObject = {
            "event": self.event,
            "tag": self.tag,
            "peerId": peer,
            "connectionId": peer,
            "data": self.data if self.tag == "stats" else redactor.value(self.data),
            "timestamp": iso(self.wall),
        }
        if self.error is not None:
            entry["error"] = redactor.plain(self.error)
        return entry


@define
class Timeline:
    """The timeline of one peer. When it is full, the oldest statistics are dropped first, then the oldest others."""

    _stats: deque[tuple[int, Entry]] = field(factory=lambda: deque[tuple[int, Entry]]())
    _others: deque[tuple[int, Entry]] = field(factory=lambda: deque[tuple[int, Entry]]())
    _serial: int = 0

    def add(self, entry: Entry) -> None:
        self._serial += 1
        (self._stats if entry.tag == "stats" else self._others).append((self._serial, entry))
        if len(self._stats) + len(self._others) > MAX_ENTRIES:
            (self._stats or self._others).popleft()

    def entries(self) -> tuple[Entry, ...]:
        """In the order in which they were added."""
        return tuple(entry for _, entry in sorted((*self._stats, *self._others), key=lambda pair: pair[0]))
