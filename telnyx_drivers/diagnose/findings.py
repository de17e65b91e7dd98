"""The findings of a diagnosis as values, before they are judged (quality.md 8.4, 8.5).

Times are seconds here and milliseconds in the documents, whose names are those of the platform's own diagnosis.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import field, frozen

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.stats.mos import mos
from telnyx_core.stats.snapshot import PairStats, StatsSnapshot

Protocol: TypeAlias = Literal["udp", "tcp", "tls"]
Layer: TypeAlias = Literal["signaling", "server"]
_Read: TypeAlias = Callable[[StatsSnapshot], tuple[int | None, int | None]]
"""Packets and bytes of one direction."""


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


@frozen(kw_only=True)
class Probe:
    """One address that was tried by itself: the signalling server, or one STUN or TURN URL."""

    layer: Layer
    url: str
    host: str
    port: int
    protocol: Protocol
    seconds: float | None = None
    """Until it had answered; ``None``: it has not."""
    address: str | None = None
    """How a STUN server sees this host, or what a TURN server relays from."""
    unreachable: bool = False
    """Nothing came back at all, or the connection was refused: what a firewall does."""
    error: str | None = None
    """Holds no secret."""

    @property
    def ok(self) -> bool:
        return self.error is None

    def document(self) -> JsonObject:
        return {
            "server": {"urls": self.url},
            "established": self.ok,
            "port": self.port,
            "protocol": self.protocol,
            "timeMs": milliseconds(self.seconds),
            "address": self.address,
            "error": self.error,
        }


@frozen(kw_only=True)
class Candidate:
    address: str
    port: int
    kind: str
    """host, srflx or relay."""
    url: str | None = None
    """Of the server that gave it."""
    vpn: bool = False

    def document(self) -> JsonObject:
        return {
            "address": self.address,
            "port": self.port,
            "candidateType": self.kind,
            "protocol": "udp",
            "url": self.url,
            "networkType": "vpn" if self.vpn else None,
        }


@frozen(kw_only=True)
class IceFindings:
    """What ICE found on the test call (DIAG-040 to DIAG-047)."""

    candidates: tuple[Candidate, ...]
    pair: PairStats | None
    gathering_complete: bool
    ice_state: str
    servers: tuple[str, ...] = ()
    """The URLs that were configured, each as `telnyx_drivers._webrtc.ice_plan` writes it."""
    forced_relay: bool = False

    def count(self, kind: str) -> int:
        return sum(candidate.kind == kind for candidate in self.candidates)

    @property
    def only_host(self) -> bool:
        return self.count("host") == len(self.candidates)

    @property
    def turn_required(self) -> bool:
        return self.pair is not None and self.pair.local.candidate_type == "relay" and not self.forced_relay

    @property
    def interfaces(self) -> int:
        return len({candidate.address for candidate in self.candidates if candidate.kind == "host"})

    @property
    def silent_servers(self) -> tuple[str, ...]:
        """Servers that gave no candidate."""
        spoke = {candidate.url for candidate in self.candidates}
        return tuple(url for url in self.servers if url not in spoke)

    def document(self) -> JsonObject:
        kinds = ("host", "srflx", "prflx", "relay")
        known = bool(self.candidates)
        return {
            "candidateCounts": {kind: self.count(kind) for kind in kinds},
            "candidates": [candidate.document() for candidate in self.candidates],
            "hasRelayCandidate": self.count("relay") > 0,
            "onlyHostCandidates": self.only_host,
            "selectedPair": None if self.pair is None else _pair(self.pair),
            "hasSelectedPair": self.pair is not None,
            "isTurnRequired": self.turn_required,
            **({"hasMultipleNetworkInterfaces": self.interfaces > 1} if known else {}),
            **({"vpnDetected": any(candidate.vpn for candidate in self.candidates)} if known else {}),
            "iceGatheringState": "complete" if self.gathering_complete else "gathering",
            "iceConnectionState": self.ice_state,
            "candidateGatheringCompleted": self.gathering_complete,
            "gatheringComplete": self.gathering_complete,
            "serverCandidateComparison": [self._comparison(url) for url in self.servers],
        }

    def _comparison(self, url: str) -> JsonObject:
        given = [candidate for candidate in self.candidates if candidate.url == url]
        return {
            "urls": url,
            "hasCandidates": bool(given),
            "candidateType": given[0].kind if given else None,
            "candidates": [candidate.document() for candidate in given],
            "candidateCount": len(given),
        }


def _pair(pair: PairStats) -> JsonObject:
    def end(address: str, port: int, kind: str) -> JsonObject:
        return {"address": address, "port": port, "candidateType": kind}

    local, remote = pair.local, pair.remote
    return {
        "local": end(local.address, local.port, local.candidate_type),
        "remote": end(remote.address, remote.port, remote.candidate_type),
        "state": pair.state,
    }


@frozen(kw_only=True)
class Spread:
    """Seconds."""

    least: float
    greatest: float
    average: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(least=min(known), greatest=max(known), average=sum(known) / len(known))

    def document(self) -> JsonObject:
        return {
            "min": milliseconds(self.least),
            "max": milliseconds(self.greatest),
            "average": milliseconds(self.average),
        }


@frozen(kw_only=True)
class Flow:
    """One direction of the audio (DIAG-055)."""

    packets: int
    octets: int
    packets_delta: int
    octets_delta: int
    bitrate: float | None
    """Bits per second."""

    @property
    def flowing(self) -> bool:
        return self.packets_delta > 0 or self.octets_delta > 0

    def document(self) -> JsonObject:
        return {
            "flowing": self.flowing,
            "packets": self.packets,
            "bytes": self.octets,
            "packetsDelta": self.packets_delta,
            "bytesDelta": self.octets_delta,
        }


@frozen(kw_only=True)
class Sample:
    at: float
    """Monotonic seconds."""
    reading: StatsSnapshot = field(repr=False)


@frozen(kw_only=True)
class NetworkFindings:
    """DIAG-050 to DIAG-055, from the samples of one call."""

    rtt: Spread | None
    jitter: Spread | None
    loss: float | None
    """0 to 1, of the worse direction."""
    inbound: Flow | None
    outbound: Flow | None
    lost: int | None
    samples: int

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "NetworkFindings":
        readings = [sample.reading for sample in samples]
        inbound = Spread.of(reading.jitter for reading in readings)
        outbound = Spread.of(reading.remote_jitter for reading in readings)
        jitters = [spread for spread in (inbound, outbound) if spread is not None]
        last = readings[-1] if readings else None
        losses = [] if last is None else [*_fractions(last), *(each.remote_fraction_lost for each in readings)]
        known = [loss for loss in losses if loss is not None]
        return cls(
            rtt=Spread.of(reading.round_trip_time for reading in readings),
            jitter=max(jitters, key=lambda spread: spread.average, default=None),
            loss=max(known, default=None),
            inbound=_flow(samples, lambda reading: (reading.packets_received, reading.bytes_received)),
            outbound=_flow(samples, lambda reading: (reading.packets_sent, reading.bytes_sent)),
            lost=None if last is None else last.packets_lost,
            samples=len(samples),
        )

    @property
    def mos(self) -> float | None:
        """1 to 5, of the averages (STATS-040)."""
        if self.rtt is None or self.jitter is None or self.loss is None:
            return None
        return mos(1000 * self.jitter.average, 1000 * self.rtt.average, 100 * self.loss)

    def document(self) -> JsonObject:
        flows: Mapping[str, Flow | None] = {"inbound": self.inbound, "outbound": self.outbound}
        shown: JsonObject = {name: flow.document() for name, flow in flows.items() if flow is not None}
        bitrates: JsonObject = {name: _whole(flow.bitrate) for name, flow in flows.items() if flow is not None}
        sent, received = self.outbound, self.inbound
        return {
            "rtt": None if self.rtt is None else self.rtt.document(),
            "jitter": None if self.jitter is None else self.jitter.document(),
            "packets": {
                "packetsSent": None if sent is None else sent.packets,
                "packetsReceived": None if received is None else received.packets,
                "packetsLost": self.lost,
                "packetLossFraction": None if self.loss is None else round(self.loss, 4),
            },
            "bytes": {
                "bytesSent": None if sent is None else sent.octets,
                "bytesReceived": None if received is None else received.octets,
            },
            "bitrate": bitrates,
            "mos": None if self.mos is None else round(self.mos, 2),
            **shown,
        }


def _fractions(reading: StatsSnapshot) -> list[float | None]:
    lost, received = reading.packets_lost, reading.packets_received
    if lost is None or received is None or received + lost <= 0:
        return [None]
    return [max(0, lost) / (received + max(0, lost))]


def _flow(samples: Sequence[Sample], read: _Read) -> Flow | None:
    counted = [(sample.at, packets, octets) for sample in samples for packets, octets in [read(sample.reading)]]
    known = [(at, packets, octets) for at, packets, octets in counted if packets is not None and octets is not None]
    if not known:
        return None
    (begin, first_packets, first_octets), (end, packets, octets) = known[0], known[-1]
    return Flow(
        packets=packets,
        octets=octets,
        packets_delta=packets - first_packets,
        octets_delta=octets - first_octets,
        bitrate=8 * (octets - first_octets) / (end - begin) if end > begin else None,
    )


def _whole(value: float | None) -> Json:
    return None if value is None else round(value)
