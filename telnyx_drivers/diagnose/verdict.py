"""Judging the findings: one verdict, and the reasons for it (quality.md 8.7). Pure functions of values."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from attrs import frozen

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers.diagnose.findings import Flow, IceFindings, NetworkFindings, Probe, Spread

Verdict: TypeAlias = Literal["inconclusive", "ready", "degraded", "blocked", "permission_denied"]
Source: TypeAlias = Literal["signaling", "server", "ice", "network", "diagnostic"]

_PRIORITY: Final[tuple[Verdict, ...]] = ("inconclusive", "ready", "degraded", "blocked", "permission_denied")
_RTT: Final = (0.3, 0.5)
_JITTER: Final = (0.03, 0.1)
_LOSS: Final = (0.02, 0.05)
"""From where a value is degraded, and from where it is poor (DIAG-140); seconds, seconds, of 1."""
_LEAST_BITRATE: Final = 8_000
"""Bits per second: less is no speech."""
_WHOLE_RATE: Final = 40.0
"""Packets per second, of the fifty that are sent: with these the network brings all that there is."""
_NAMES: Final = {"udp": "UDP", "tcp": "TCP", "tls": "TLS over TCP"}


@frozen
class Note:
    """A reason or a warning; ``code`` is for programs."""

    code: str
    message: str
    source: Source

    def document(self) -> JsonObject:
        return {"code": self.code, "message": self.message, "source": self.source}


@frozen
class Judgement:
    """What one part comes to; ``None``: nothing was assessed."""

    verdict: Verdict | None
    reasons: tuple[Note, ...] = ()
    warnings: tuple[Note, ...] = ()


def combine(judgements: Iterable[Judgement]) -> Judgement:
    """The worst of them, with every reason; nothing assessed at all is inconclusive."""
    parts = list(judgements)
    verdicts: list[Verdict] = [part.verdict for part in parts if part.verdict is not None]
    return Judgement(
        max(verdicts or ["inconclusive"], key=_PRIORITY.index),
        tuple(dict.fromkeys(note for part in parts for note in part.reasons)),
        tuple(dict.fromkeys(note for part in parts for note in part.warnings)),
    )


def of_signaling(probe: Probe | None, failure: str | None = None) -> Judgement:
    """The way to the signalling server; ``failure`` is what went wrong after that."""
    if probe is None:
        return Judgement(None)
    if not probe.ok:
        return Judgement("blocked", (_signaling(probe),))
    if failure is not None:
        return Judgement("blocked", (Note("login_failed", failure, "signaling"),))
    return Judgement("ready")


def _signaling(probe: Probe) -> Note:
    if probe.unreachable:
        text = f"TCP port {probe.port} to {probe.host} seems to be blocked, or no server is there: {probe.error}."
        return Note("port_blocked", text, "signaling")
    return Note("signaling_unreachable", f"{probe.url} cannot be used: {probe.error}.", "signaling")


def of_servers(probes: Sequence[Probe], *, alone: bool) -> Judgement:
    """Every STUN and TURN URL by itself (DIAG-154, DIAG-155). ``alone``: nothing else is assessed."""
    if not probes:
        return Judgement(None)
    failed = [probe for probe in probes if not probe.ok]
    if not failed:
        return Judgement("ready")
    reasons = (*_blocked(probes), *(_failed(probe) for probe in failed))
    return Judgement("blocked" if alone and len(failed) == len(probes) else "degraded", reasons)


def _failed(probe: Probe) -> Note:
    return Note("ice_server_failed", f"{probe.url} gave nothing: {probe.error}.", "server")


def _blocked(probes: Sequence[Probe]) -> Iterator[Note]:
    """A port is called blocked where nothing comes back on it although the same host answers on another."""
    silent = [probe for probe in probes if not probe.ok and probe.unreachable]
    by_udp = [probe for probe in probes if probe.protocol == "udp"]
    others = [probe for probe in probes if probe.protocol != "udp"]
    if len(by_udp) > 1 and all(probe in silent for probe in by_udp) and any(probe.ok for probe in others):
        ports = ", ".join(str(port) for port in dict.fromkeys(probe.port for probe in by_udp))
        text = f"UDP seems to be blocked altogether (ports {ports}); audio has to go over TCP, which adds delay."
        yield Note("port_blocked", text, "server")
        silent = [probe for probe in silent if probe.protocol != "udp"]
    for probe in silent:
        answering = next((each for each in probes if each.ok and each.host == probe.host), None)
        if answering is not None:
            text = (
                f"{_NAMES[probe.protocol]} port {probe.port} to {probe.host} seems to be blocked: {probe.error}, "
                f"while {_NAMES[answering.protocol]} port {answering.port} answers."
            )
            yield Note("port_blocked", text, "server")


def of_ice(ice: IceFindings, answering: Collection[str] = ()) -> Judgement:
    """The candidates (DIAG-100 to DIAG-108). ``answering``: servers that are silent only as the call needed no more."""
    if not ice.candidates:
        return Judgement("inconclusive", (Note("ice_no_candidates", "No address was found at all.", "ice"),))
    reasons: list[Note] = []
    warnings: list[Note] = []
    verdict: Verdict = "ready"
    only_host = Note("ice_only_host_candidates", "Only addresses of this machine were found, none from outside.", "ice")
    if ice.only_host and ice.pair is None:
        reasons.append(only_host)
        verdict = "degraded"
    elif ice.only_host and ice.servers:
        warnings.append(only_host)
    if ice.turn_required:
        reasons.append(Note("ice_turn_required", "Audio gets through by a relay only, which adds delay.", "ice"))
        verdict = "degraded"
    if not ice.gathering_complete:
        reasons.append(Note("ice_gathering_timeout", "Not every server had answered when the call was placed.", "ice"))
        verdict = "degraded"
    if ice.pair is None and ice.ice_state != "new":
        reasons.append(Note("ice_no_selected_pair", "No way for audio was found between the two ends.", "ice"))
        verdict = "blocked"
    silent = (url for url in ice.silent_servers if url not in answering)
    warnings += [Note("ice_server_no_candidates", f"{url} gave the call no address.", "ice") for url in silent]
    if ice.interfaces > 1:
        warnings.append(Note("ice_multiple_interfaces", "This machine has several network interfaces.", "ice"))
    if any(candidate.vpn for candidate in ice.candidates):
        warnings.append(Note("ice_vpn_detected", "One of them belongs to a VPN.", "ice"))
    return Judgement(verdict, tuple(reasons), tuple(warnings))


def of_network(network: NetworkFindings) -> Judgement:
    """The test call's loss, delay and bit rate (DIAG-120 to DIAG-124, DIAG-140)."""
    reasons = [*_figures(network), *_bitrates(network)]
    warnings: list[Note] = []
    verdicts: list[Verdict] = ["degraded"] if reasons else []
    match quality(network):
        case "poor":
            reasons.append(Note("network_poor_quality", "The network is too poor for a conversation.", "network"))
            verdicts.append("blocked")
        case "fair":
            warnings.append(Note("network_fair_quality", "The network is fair: speech may be cut at times.", "network"))
            verdicts.append("degraded")
        case "good":
            verdicts.append("ready")
        case "unknown":
            pass
    flows = [flow for flow in (network.inbound, network.outbound) if flow is not None and network.samples > 1]
    flowing = [flow for flow in flows if flow.flowing]
    if len(flowing) == 2:
        verdicts.append("ready")
    elif flowing:
        text = "Audio flows in one direction only."
        reasons.append(Note("network_one_way_audio", text, "network"))
        verdicts.append("blocked")
    elif flows:
        reasons.append(Note("network_no_audio_flow", "No audio flows.", "network"))
        verdicts.append("blocked")
    return Judgement(max(verdicts, key=_PRIORITY.index, default=None), tuple(reasons), tuple(warnings))


def quality(network: NetworkFindings) -> Literal["unknown", "good", "fair", "poor"]:
    """DIAG-056: the worst of the figures."""
    figures = _measured(network)
    if not figures or not network.samples:
        return "unknown"
    if any(value >= poor for value, (_, poor), _ in figures):
        return "poor"
    return "fair" if any(value >= degraded for value, (degraded, _), _ in figures) else "good"


_Figure: TypeAlias = tuple[float, tuple[float, float], Note]


def _measured(network: NetworkFindings) -> list[_Figure]:
    figures: list[_Figure] = []

    def spread(found: Spread | None, bounds: tuple[float, float], code: str, name: str) -> None:
        if found is not None:
            text = f"{name} is {1000 * found.average:.0f} ms on average."
            figures.append((found.average, bounds, Note(code, text, "network")))

    spread(network.rtt, _RTT, "network_high_rtt", "The round trip")
    spread(network.jitter, _JITTER, "network_high_jitter", "Jitter")
    if network.loss is not None:
        note = Note("network_packet_loss", f"{100 * network.loss:.1f} % of the packets are lost.", "network")
        figures.append((network.loss, _LOSS, note))
    return figures


def _figures(network: NetworkFindings) -> Iterator[Note]:
    return (note for value, (degraded, _), note in _measured(network) if value >= degraded)


def _bitrates(network: NetworkFindings) -> Iterator[Note]:
    directions: tuple[tuple[str, Flow | None], ...] = (("received", network.inbound), ("sent", network.outbound))
    for name, flow in directions:
        if flow is not None and flow.flowing and flow.bitrate is not None and _is_thin(flow.bitrate, flow):
            text = f"Only {flow.bitrate / 1000:.1f} kbit/s are {name}."
            yield Note("network_low_bitrate", text, "network")


def _is_thin(bitrate: float, flow: Flow) -> bool:
    """Few bits, and few packets: a silent far end sends as many packets as ever, with next to nothing in them."""
    rate = flow.packets_delta * bitrate / (8 * flow.octets_delta) if flow.octets_delta else 0.0
    return bitrate < _LEAST_BITRATE and rate < _WHOLE_RATE


def not_established(failure: str | None) -> Judgement:
    """The test call did not come about (DIAG-022, DIAG-160)."""
    if failure is None:
        text = "The test call was not established in time."
        return Judgement("inconclusive", (Note("call_setup_timeout", text, "diagnostic"),))
    return Judgement("blocked", (Note("diagnostic_run_error", failure, "diagnostic"),))
