"""A journal or a debug file in the form that ``chrome://webrtc-internals`` dumps, for the tools that read those.

One entry of ``PeerConnections`` for each peer: its configuration, an ``updateLog`` of what was done and what happened,
and for each member of each statistics object a series of values with a common time axis.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

from attrs import define, field

from telnyx_core._version import VERSION
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import redact
from telnyx_core._wire.utc import iso
from telnyx_core.actions import Action, ApplyRemote, ClosePeer, CreateAnswer, CreateOffer, OpenPeer
from telnyx_core.facts import (
    CandidateError,
    CandidateFound,
    Fact,
    LocalDescribed,
    MediaHeard,
    PeerStateChanged,
    SocketOpened,
    StatsTaken,
    TransportStateChanged,
)
from telnyx_core.ids import MediaId
from telnyx_core.journal.record import fact_from_record
from telnyx_core.journal.recorded_session import Replay
from telnyx_core.stats.w3c import rtc_stats
from telnyx_drivers._tools.report.from_debug import is_timeline
from telnyx_drivers._tools.report.json_reading import items, moment, number, obj, text

_TRANSPORT: Final = {
    "gathering": "icegatheringstatechange",
    "ice": "iceconnectionstatechange",
    "dtls": "dtlsstatechange",
    "signaling": "signalingstatechange",
}
_EVENTS: Final = {
    "onicegatheringstatechange": "icegatheringstatechange",
    "oniceconnectionstatechange": "iceconnectionstatechange",
    "ondtlsstatechange": "dtlsstatechange",
    "onsignalingstatechange": "signalingstatechange",
    "onconnectionstatechange": "connectionstatechange",
    "onicecandidateerror": "icecandidateerror",
    "ontrack": "track",
}


@define
class _Series:
    kind: str
    start: float
    end: float
    values: list[Json]


@define
class _Peer:
    role: str = ""
    """``offer`` or ``answer``: what its own description is."""
    configuration: JsonObject = field(factory=dict[str, Json])
    log: list[JsonObject] = field(factory=list[JsonObject])
    series: dict[str, _Series] = field(factory=dict[str, _Series])

    def note(self, at: float, kind: str, value: str = "") -> None:
        self.log.append({"time": iso(at), "type": kind, "value": value})

    def report(self, at: float, objects: Iterable[JsonObject]) -> None:
        for entry in objects:
            ident, kind = text(entry, "id"), text(entry, "type")
            for name, value in entry.items():
                if name in ("id", "type"):
                    continue
                series = self.series.setdefault(f"{ident}-{name}", _Series(kind, at, at, []))
                series.end = at
                series.values.append(value)

    def record(self) -> JsonObject:
        return {
            "pid": 1,
            "url": f"telnyx-rtc {VERSION}",
            "rtcConfiguration": json.dumps(self.configuration),
            "constraints": "",
            "updateLog": list(self.log),
            "stats": {
                name: {
                    "startTime": iso(series.start),
                    "endTime": iso(series.end),
                    "statsType": series.kind,
                    "values": json.dumps(series.values),
                }
                for name, series in self.series.items()
            },
        }


def _dump(peers: Iterable[tuple[str, _Peer]]) -> JsonObject:
    return {
        "getUserMedia": [],
        "PeerConnections": {f"1-{name}": peer.record() for name, peer in peers},
        "UserAgent": f"telnyx-rtc {VERSION}",
        "UserAgentData": [],
    }


def dump_file(path: Path) -> JsonObject:
    """Of a journal, or of a debug file. Raises `OSError`, or `ValueError` for anything else."""
    written = path.read_text(encoding="utf-8")
    if written.startswith('{"journal"'):
        replay = Replay.from_lines(written.splitlines())
        try:
            return dump_journal(replay)
        except Exception as error:  # a session may trust its driver, and a journal may say anything
            raise ValueError(f"the journal cannot be played: {error}") from error
    value = redact(cast("Json", json.loads(written)))
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    if not is_timeline(entries):
        raise ValueError("neither a journal nor a debug file")
    return dump_timeline(entries)


# From a journal.


def dump_journal(replay: Replay) -> JsonObject:
    """Raises `ValueError` for a journal that cannot be played."""
    peers: dict[MediaId, _Peer] = {}
    wall = number(replay.header, "started") or 0.0
    offset: float | None = None
    for entry, actions in replay.play():
        if entry.now is not None:
            offset = wall - entry.now if offset is None else offset
            wall = entry.now + offset
        record = entry.given.get("fact")
        if isinstance(record, dict):
            fact = fact_from_record(record)
            if isinstance(fact, SocketOpened) and entry.now is not None:
                wall, offset = fact.wall, fact.wall - entry.now
            _note_fact(peers, fact, wall)
        for action in actions:
            _note_action(peers, action, wall)
    return _dump((str(media), peer) for media, peer in peers.items())


def _note_action(peers: dict[MediaId, _Peer], action: Action, at: float) -> None:
    match action:
        case OpenPeer(media, _, config):
            peer = peers[media] = _Peer(config.role)
            peer.configuration = {
                "iceServers": [{"urls": list(server.urls)} for server in config.ice_servers],
                "iceTransportPolicy": "relay" if config.force_relay else "all",
            }
        case CreateOffer(media) | CreateAnswer(media) if media in peers:
            peers[media].note(at, "createOffer" if isinstance(action, CreateOffer) else "createAnswer")
        case ApplyRemote(media, kind, sdp) if media in peers:
            peers[media].note(at, "setRemoteDescription", f"type: {kind}, sdp: {sdp}")
        case ClosePeer(media) if media in peers:
            peers[media].note(at, "close")
        case _:
            pass


def _note_fact(peers: dict[MediaId, _Peer], fact: Fact, at: float) -> None:
    match fact:
        case StatsTaken(media, reading) if media in peers:
            peers[media].report(at, rtc_stats(reading, round(at * 1000)))
        case LocalDescribed(media, sdp, complete=complete) if media in peers:
            if complete:
                peers[media].note(at, "setLocalDescription", f"type: {peers[media].role}, sdp: {sdp}")
        case CandidateFound(media, candidate, sdp_mid=mid, sdp_m_line_index=index) if media in peers:
            peers[media].note(at, "icecandidate", _candidate(candidate, mid, str(index)))
        case CandidateError(media, url, code, reason) if media in peers:
            peers[media].note(at, "icecandidateerror", f"url: {url}, error_code: {code}, error_text: {reason}")
        case TransportStateChanged(media, layer, state) if media in peers:
            peers[media].note(at, _TRANSPORT[layer], state)
        case PeerStateChanged(media, state) if media in peers:
            peers[media].note(at, "connectionstatechange", state)
        case MediaHeard(media) if media in peers:
            peers[media].note(at, "track", "kind: audio")
        case _:
            pass


def _candidate(candidate: str, mid: str, index: str) -> str:
    return f"sdpMid: {mid}, sdpMLineIndex: {index}, candidate: {candidate}"


# From a debug file.


def dump_timeline(entries: Iterable[JsonObject]) -> JsonObject:
    """Of the entries of a debug file, ours or the reference's."""
    peers: dict[str, _Peer] = {}
    for entry in entries:
        at = moment(entry, "timestamp")
        if at is None:
            continue
        peer = peers.setdefault(text(entry, "peerId"), _Peer())
        event, data = text(entry, "event"), obj(entry, "data")
        if event == "addConnection":
            peer.configuration = obj(data, "peerConfiguration")
        elif event == "stats":
            peer.report(at, _objects(data))
        elif event == "onicecandidate":
            if data:  # their end has no place in a dump
                found = _candidate(text(data, "candidate"), text(data, "sdpMid"), text(data, "sdpMLineIndex"))
                peer.note(at, "icecandidate", found)
        elif event in _EVENTS:
            peer.note(at, _EVENTS[event], text(entry, "data") or json.dumps(data))
        elif text(entry, "tag") == "peer":
            kind, sdp = text(data, "type"), text(data, "sdp")
            peer.note(at, event, f"type: {kind}, sdp: {sdp}" if sdp else kind)
    return _dump((str(number), peer) for number, peer in enumerate(peers.values(), 1))


def _objects(data: JsonObject) -> Iterator[JsonObject]:
    for names in (("audio",), ("remote", "audio")):
        for direction in ("inbound", "outbound"):
            yield from items(data, *names, direction)
    pair = obj(data, "connection")
    if pair:
        yield {name: value for name, value in pair.items() if name not in ("local", "remote")}
        yield from (end for name in ("local", "remote") if (end := obj(pair, name)))
