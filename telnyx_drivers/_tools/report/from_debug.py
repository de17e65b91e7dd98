"""A debug file, or the timeline of a report, as a story: ours, or the reference's (DBG-010 to DBG-014)."""

import json
from collections.abc import Iterable
from typing import Final, cast, get_args

from attrs import define, evolve, field

from telnyx_core._wire.codec import call_id
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._tools.cli.ladder import frame_label
from telnyx_drivers._tools.report.call_timeline import (
    CallTimeline,
    Change,
    Fact,
    Lane,
    Level,
    Message,
    Note,
    Path,
    Sample,
    Side,
    Story,
)
from telnyx_drivers._tools.report.fold import folded
from telnyx_drivers._tools.report.from_w3c import reading
from telnyx_drivers._tools.report.json_reading import items, moment, number, obj, text, whole
from telnyx_drivers._tools.report.paths import path
from telnyx_drivers._tools.report.samples import SHORTEST, sample

_LANES: Final[dict[str, Lane]] = {
    "onicegatheringstatechange": "gathering",
    "oniceconnectionstatechange": "ice",
    "ondtlsstatechange": "dtls",
    "onconnectionstatechange": "peer",
    "callState": "call",
}


@define
class _Timeline:
    call: str = ""
    samples: list[Sample] = field(factory=list[Sample])
    changes: list[Change] = field(factory=list[Change])
    notes: list[Note] = field(factory=list[Note])
    paths: list[Path] = field(factory=list[Path])
    candidates: list[str] = field(factory=list[str])
    messages: list[Message] = field(factory=list[Message])
    options: JsonObject = field(factory=dict[str, Json])
    _last: dict[str, tuple[float, StatsSnapshot]] = field(factory=dict[str, tuple[float, StatsSnapshot]])

    def add(self, entry: JsonObject) -> None:
        at = moment(entry, "timestamp")
        if at is None:
            return
        event, tag, peer, data = text(entry, "event"), text(entry, "tag"), text(entry, "peerId"), obj(entry, "data")
        lane = _LANES.get(event)
        if lane is not None:
            self.changes.append(Change(at, lane, text(entry, "data"), "" if lane == "call" else peer))
            self._say(at, "media" if lane != "call" else "app", f"{lane} {text(entry, 'data')}", entry)
        elif event == "stats":
            self._read(at, peer, data)
        elif tag == "signaling":
            self._frame(at, event, data)
        elif event in ("warning", "error"):
            level: Level = "warning" if event == "warning" else "error"
            self.notes.append(Note(at, level, whole(data, "code"), text(data, "name")))
        elif event == "onicecandidate":
            if candidate := text(data, "candidate"):
                self.candidates.append(candidate)
            self._say(at, "media", "candidate" if candidate else "end of candidates", entry)
        elif event:
            if event == "addConnection":
                self.options = data
            self._say(at, "media", event, entry)

    def _say(self, at: float, side: Side, label: str, entry: JsonObject) -> None:
        error = text(entry, "error")
        said = f"{label} failed" if error else label
        self.messages.append(Message(at, side, said, side == "app", bool(error), detail=error))

    def _frame(self, at: float, event: str, frame: JsonObject) -> None:
        detail = json.dumps(frame)
        label, bad = frame_label(detail)
        self.call = self.call or call_id(obj(frame, "params")) or ""
        self.messages.append(Message(at, "server", label, event == "send", bad, detail=detail))

    def _read(self, at: float, peer: str, data: JsonObject) -> None:
        inbound, outbound, remote = (
            next(iter(items(data, *names)), cast("JsonObject", {}))
            for names in (("audio", "inbound"), ("audio", "outbound"), ("remote", "audio", "inbound"))
        )
        said = number(outbound, "audioLevel")
        after = reading(
            inbound=inbound,
            outbound=outbound,
            remote_inbound=remote,
            pair=obj(data, "connection"),
            said=number(outbound, "track", "audioLevel") if said is None else said,
        )
        before = self._last.get(peer)
        self._last[peer] = (at, after)
        if before is None:
            self.samples.append(sample(at, None, after, 0.0))
        elif at - before[0] > SHORTEST:
            self.samples.append(sample(at, before[1], after, at - before[0]))
        found = path(at, after)
        if found is not None and (not self.paths or evolve(self.paths[-1], at=at) != found):
            self.paths.append(found)


def is_timeline(entries: Iterable[JsonObject]) -> bool:
    first = next(iter(entries), None)
    return first is not None and "event" in first and "tag" in first


def read_debug(entries: Iterable[JsonObject]) -> Story:
    made = _Timeline()
    for entry in entries:
        made.add(entry)
    times = [change.at for change in made.changes] + [each.at for each in made.samples]
    states = [change for change in made.changes if change.lane == "call"]
    active = [change.at for change in states if change.state == "active"]
    ended = [change.at for change in states if change.state in ("hangup", "destroy")]
    call = CallTimeline(
        id=made.call or "unknown",
        started_at=min(times, default=None),
        active_at=min(active, default=None),
        ended_at=min(ended, default=max(times, default=None)),
        recovered=any(change.state == "recovering" for change in states),
        facts=_facts(made.options),
        samples=tuple(made.samples),
        changes=tuple(made.changes),
        notes=tuple(made.notes),
        paths=tuple(made.paths),
        candidates=tuple(made.candidates),
    )
    return Story(source="debug file", made_by="", calls=(call,), messages=tuple(folded(made.messages)))


def _facts(added: JsonObject) -> tuple[Fact, ...]:
    options, peer = obj(added, "options"), obj(added, "peerConfiguration")
    servers = [text(url) for server in items(peer, "iceServers") for url in _urls(server)]
    rows = (
        Fact("Role", text(options, "role")),
        Fact("ICE policy", text(peer, "iceTransportPolicy")),
        Fact("ICE servers", ", ".join(servers)),
        Fact("Trickle", text(options, "trickle")),
    )
    return tuple(row for row in rows if row.value)


def _urls(server: JsonObject) -> list[str]:
    urls = server.get("urls")
    return [str(url) for url in urls] if isinstance(urls, list) else [text(server, "urls")]


assert set(_LANES.values()) < set(get_args(Lane))
