"""The events of a call's peers, for the platform's visualizer or for a file (DBG-001 to DBG-006, SIG-186).

Only with ``debug``. No reply is awaited; while the socket is down these frames are lost, and nothing depends on them.
"""

from collections import deque
from random import Random
from typing import Final, Literal

from attrs import define, field

from telnyx_core._call_host import CallHost
from telnyx_core._quality.peer_timeline import PeerTimeline
from telnyx_core._reports.log_book import MAX_FRAME
from telnyx_core._reports.timeline import Entry, Tag, Timeline
from telnyx_core._signalling.requests import new_uuid
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import PeerConfig, WriteDebug
from telnyx_core.facts import MediaFact
from telnyx_core.ids import CallId, MediaId

_VERSION: Final = 1
_OURS: Final = frozenset[Tag]({"call", "signaling"})
"""Tags that only this client has: the visualizer knows those of the JS SDK, so these are not sent to it."""
_FORMER: Final = 8
"""Peers of a call whose timelines are kept for its report; a call that is renewed for hours has hundreds."""

_SPARE_STATS: Final = 256 * 1024
"""Characters that may wait for the socket before statistics are left out of the frames (DBG-006)."""
_SPARE_DATA: Final = 4 * _SPARE_STATS
"""The same limit for all other entries; only the frames that begin and end a report are never left out."""

Kind = Literal["debug_report_start", "debug_report_data", "debug_report_stop"]


@define(eq=False)
class _Peer:
    ident: str
    """The ``debug_report_id`` (DBG-003)."""
    story: PeerTimeline
    timeline: Timeline = field(factory=Timeline)
    announced_on: int | None = None
    """The socket on which the start of the report was sent."""


class DebugWatch:
    """The debug reports of one call: one for each peer."""

    def __init__(self, call: CallId, host: CallHost, rng: Random) -> None:
        self._call = call
        self._host = host
        self._rng = rng
        self._to_file = host.options.debug_output == "file"
        self._peers: dict[MediaId, _Peer] = {}
        self._former: deque[_Peer] = deque(maxlen=_FORMER)

    def peer_opened(self, media: MediaId, config: PeerConfig) -> None:
        """A peer is about to be ordered."""
        peer = self._peers[media] = _Peer(new_uuid(self._rng), PeerTimeline(config))
        self._announce(peer)
        self._add(peer, peer.story.opened(self._host.wall))

    def peer_closing(self, media: MediaId) -> None:
        """The peer's last entry is there: write the file, or send the end to the visualizer (DBG-004, DBG-020)."""
        peer = self._peers.pop(media, None)
        if peer is None:
            return
        if self._to_file:
            self._host.act(self._file(peer))
        elif peer.announced_on == self._host.generation:
            self._send(peer, "debug_report_stop")
        self._former.append(peer)

    def handle_fact(self, fact: MediaFact) -> None:
        peer = self._peers.get(fact.media)
        if peer is not None:
            for entry in peer.story.handle_fact(fact, self._host.wall):
                self._add(peer, entry)

    def note(self, event: str, data: Json) -> None:
        """Add an event of the call itself."""
        for peer in self._peers.values():
            self._add(peer, Entry(self._host.wall, event, "call", data))

    def saw_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int) -> None:
        """Add a signalling frame to a file, so that the file alone is enough to understand the call."""
        if self._to_file:
            kept: JsonObject = frame if size <= MAX_FRAME else {"method": frame.get("method"), "characters": size}
            for peer in self._peers.values():
                self._add(peer, Entry(self._host.wall, direction.lower(), "signaling", kept))

    def timeline(self) -> tuple[JsonObject, ...]:
        """The entries of all the call's peers, one peer after the other (STATS-141)."""
        peers = (*self._former, *self._peers.values())
        return tuple(
            entry.record(peer.ident, self._host.redactor) for peer in peers for entry in peer.timeline.entries()
        )

    def unwritten(self) -> tuple[WriteDebug, ...]:
        """The files of the open peers, for a process that is about to die (DBG-020)."""
        return tuple(self._file(peer) for peer in self._peers.values()) if self._to_file else ()

    def _file(self, peer: _Peer) -> WriteDebug:
        return WriteDebug(peer.ident, self._host.wall, peer.timeline.entries())

    def _add(self, peer: _Peer, entry: Entry) -> None:
        peer.timeline.add(entry)
        if not self._to_file and entry.tag not in _OURS:
            self._announce(peer)
            data = entry.record(self._host.session_id or peer.ident, self._host.redactor)
            self._send(peer, "debug_report_data", data, _SPARE_STATS if entry.tag == "stats" else _SPARE_DATA)

    def _announce(self, peer: _Peer) -> None:
        """Send the start of the peer's report once on each socket (DBG-006)."""
        generation = self._host.generation
        if not self._to_file and peer.announced_on != generation and self._send(peer, "debug_report_start"):
            peer.announced_on = generation

    def _send(
        self, peer: _Peer, kind: Kind, data: JsonObject | None = None, drop_if_backlog_over: int | None = None
    ) -> bool:
        if kind != "debug_report_start" and peer.announced_on != self._host.generation:
            return False
        frame: JsonObject = {
            "jsonrpc": "2.0",
            "id": new_uuid(self._rng),
            "type": kind,
            "debug_report_id": peer.ident,
            "debug_report_version": _VERSION,
            "call_id": self._call,
        }
        if data is not None:
            frame["debug_report_data"] = data
        return self._host.send_unattended(frame, drop_if_backlog_over)
