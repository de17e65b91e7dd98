"""The facts of one peer as entries of its timeline (DBG-010 to DBG-014).

Nothing in them is secret: keys in descriptions are masked, servers have neither user nor credential.
"""

from typing import Final, Literal

from attrs import define, field

from telnyx_core._reports.timeline import Entry
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import redact_text
from telnyx_core.actions import PeerConfig
from telnyx_core.facts import (
    CandidateError,
    CandidateFound,
    DigitHeard,
    DigitsRefused,
    DigitsSent,
    LocalDescribed,
    MediaFact,
    MediaHeard,
    NegotiationFailed,
    PeerState,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    SourceOpened,
    SourceRefused,
    StatsTaken,
    TransportStateChanged,
)
from telnyx_core.stats import w3c
from telnyx_core.stats.interval import Interval, bitrate, growth
from telnyx_core.stats.snapshot import StatsSnapshot

_STATE_EVENTS: Final = {
    "gathering": "onicegatheringstatechange",
    "ice": "oniceconnectionstatechange",
    "dtls": "ondtlsstatechange",
    "signaling": "onsignalingstatechange",
}


@define
class PeerTimeline:
    """Writes the facts of one peer as timeline entries."""

    config: PeerConfig
    states: dict[str, str] = field(factory=lambda: {"connection": "new"})
    _last: tuple[float, StatsSnapshot] | None = None

    def opened(self, wall: float) -> Entry:
        config = self.config
        options: JsonObject = {
            "role": config.role,
            "trickle": config.trickle,
            "prefetch": config.prefetch,
            "sendAudio": config.send_audio,
            "receiveAudio": config.receive_audio,
            "stereo": config.use_stereo,
            "maxKbps": config.max_kbps,
            "codecs": [codec.mime_type for codec in config.preferred_codecs],
        }
        peer: JsonObject = {
            "iceTransportPolicy": "relay" if config.force_relay else "all",
            "iceServers": [{"urls": list(server.urls)} for server in config.ice_servers],
        }
        return Entry(wall, "addConnection", "peer", {"options": options, "peerConfiguration": peer})

    def handle_fact(self, fact: MediaFact, wall: float) -> tuple[Entry, ...]:
        match fact:
            case SourceOpened():
                return (Entry(wall, "getUserMedia", "getUserMedia", {"audio": True}),)
            case SourceRefused(_, fault, reason):
                return (Entry(wall, "getUserMedia", "getUserMedia", {"audio": True}, f"{fault}: {reason}"),)
            case CandidateFound(_, candidate, sdp_mid=mid, sdp_m_line_index=index):
                found: JsonObject = {"candidate": candidate, "sdpMid": mid, "sdpMLineIndex": index}
                return (Entry(wall, "onicecandidate", "connection", found),)
            case CandidateError(_, url, code, reason):
                fault_data: JsonObject = {"errorCode": code, "errorText": reason, "url": url}
                detail: JsonObject = {**fault_data, **self._layers()}
                return (
                    Entry(wall, "onicecandidateerror", "connection", fault_data),
                    Entry(wall, "icecandidateerror-detailed", "connection", detail),
                )
            case LocalDescribed(_, sdp, complete=complete):
                described: JsonObject = {"type": self.config.role, "sdp": redact_text(sdp)}
                entries = [Entry(wall, "setLocalDescription", "peer", described)]
                if complete:
                    entries.append(Entry(wall, "onicecandidate", "connection", None))
                return tuple(entries)
            case RemoteApplied():
                return (Entry(wall, "setRemoteDescription", "peer", {"type": self._remote_kind}),)
            case RemoteRefused(_, reason):
                return (Entry(wall, "setRemoteDescription", "peer", {"type": self._remote_kind}, reason),)
            case NegotiationFailed(_, stage, reason):
                return (Entry(wall, stage, "peer", None, reason),)
            case TransportStateChanged(_, layer, state):
                self.states[layer] = state
                return (Entry(wall, _STATE_EVENTS[layer], "connection", state),)
            case PeerStateChanged(_, state):
                return self._changed(state, wall)
            case MediaHeard():
                return (Entry(wall, "ontrack", "track", {"kind": "audio"}),)
            case DigitHeard(_, digit, duration):
                return (Entry(wall, "digit", "track", {"digit": digit, "duration": duration}),)
            case DigitsSent() | DigitsRefused():
                return ()
            case StatsTaken(_, reading):
                return (self._stats(reading, wall),)

    @property
    def _remote_kind(self) -> str:
        return "offer" if self.config.role == "answer" else "answer"

    def _layers(self) -> JsonObject:
        states = self.states
        return {
            "connectionState": states["connection"],
            "iceConnectionState": states.get("ice"),
            "iceGatheringState": states.get("gathering"),
            "signalingState": states.get("signaling"),
        }

    def _changed(self, state: PeerState, wall: float) -> tuple[Entry, ...]:
        before, self.states["connection"] = self.states["connection"], state
        change = Entry(wall, "onconnectionstatechange", "connection", state)
        if state not in ("failed", "disconnected"):
            return (change,)
        detail: JsonObject = {**self._layers(), "previousConnectionState": before, **self._transport()}
        return change, Entry(wall, "connectionstatechange-detailed", "connection", detail)

    def _transport(self) -> JsonObject:
        """The peer's states and its transport, as of the last reading (DBG-013)."""
        reading = StatsSnapshot() if self._last is None else self._last[1]
        detail: JsonObject = {
            "dtlsState": reading.dtls_state or self.states.get("dtls"),
            "srtpCipher": reading.srtp_cipher,
            "tlsVersion": reading.tls_version,
        }
        pair = reading.pair
        if pair is not None:
            detail |= {
                "localCandidateType": pair.local.candidate_type,
                "remoteCandidateType": pair.remote.candidate_type,
                "candidatePairState": pair.state,
                "selectedCandidatePair": {
                    name: {
                        "address": end.address,
                        "port": end.port,
                        "protocol": end.protocol,
                        "candidateType": end.candidate_type,
                    }
                    for name, end in (("local", pair.local), ("remote", pair.remote))
                },
            }
        return {name: value for name, value in detail.items() if value is not None}

    def _stats(self, reading: StatsSnapshot, wall: float) -> Entry:
        """The entry of one reading (DBG-012). Rates are since the reading before."""
        before, self._last = self._last, (wall, reading)
        earlier, seconds = (None, 0.0) if before is None else (before[1], wall - before[0])
        stamp = round(wall * 1000)
        pair = reading.pair
        connection = None if pair is None else dict(w3c.candidate_pair(reading) or {})
        if connection is not None and pair is not None:
            connection["local"] = w3c.candidate(pair.local, w3c.local_id(pair.id), "local-candidate")
            connection["remote"] = w3c.candidate(pair.remote, w3c.remote_id(pair.id), "remote-candidate")
        sent = _rates(reading, earlier, seconds, "sent") if earlier is not None else {}
        received = _rates(reading, earlier, seconds, "received") if earlier is not None else {}
        data: JsonObject = {
            "audio": {
                "inbound": _items(reading, w3c.inbound_rtp(reading), received, stamp),
                "outbound": _items(reading, w3c.outbound_rtp(reading), sent, stamp),
            },
            "video": {"inbound": [], "outbound": []},
            "connection": connection or {},
            "remote": {
                "audio": {
                    "inbound": _items(reading, w3c.remote_inbound_rtp(reading), {}, stamp),
                    "outbound": _items(reading, w3c.remote_outbound_rtp(reading), {}, stamp),
                },
                "video": {"inbound": [], "outbound": []},
            },
        }
        return Entry(wall, "stats", "stats", data)


def _rates(
    reading: StatsSnapshot, earlier: StatsSnapshot | None, seconds: float, direction: Literal["sent", "received"]
) -> JsonObject:
    """Bits and packets per second."""
    if earlier is None or seconds <= 0:
        return {}
    interval = Interval(earlier, reading, seconds)
    sent = direction == "sent"
    octets = (earlier.bytes_sent, reading.bytes_sent) if sent else (earlier.bytes_received, reading.bytes_received)
    packets = growth(earlier.packets_sent, reading.packets_sent) if sent else interval.received
    rates: dict[str, Json] = {
        "bitrate": bitrate(*octets, seconds),
        "packetRate": None if packets is None else packets / seconds,
    }
    return {name: value for name, value in rates.items() if value is not None}


def _items(reading: StatsSnapshot, entry: JsonObject | None, rates: JsonObject, stamp: int) -> list[Json]:
    if entry is None:
        return []
    codec = reading.codec
    more: JsonObject = {"track": {}, "timestamp": stamp}
    if codec is not None:
        more |= {"clockRate": codec.clock_rate, "mimeType": codec.mime_type, "payloadType": codec.payload_type}
    return [{**entry, **more, **rates}]
