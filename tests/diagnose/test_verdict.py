"""Rows of the verdict's table, one by one (quality.md 8.7)."""

import pytest
from attrs import evolve

from telnyx_core.stats.snapshot import CandidateStats, PairStats, StatsSnapshot
from telnyx_drivers.diagnose import verdict
from telnyx_drivers.diagnose.findings import Candidate, Flow, IceFindings, NetworkFindings, Probe, Sample, Spread
from telnyx_drivers.diagnose.verdict import Judgement

HOST = Candidate(address="192.0.2.1", port=1, kind="host")
REFLEXIVE = Candidate(address="198.51.100.1", port=1, kind="srflx", url="stun:s:3478")
RELAY = Candidate(address="203.0.113.1", port=1, kind="relay", url="turn:t:3478?transport=udp")


def pair(kind: str = "host") -> PairStats:
    local = CandidateStats(address="192.0.2.1", port=1, candidate_type=kind)
    return PairStats(id="p", local=local, remote=evolve(local, address="192.0.2.9", candidate_type="host"))


GOOD_ICE = IceFindings(
    candidates=(HOST, REFLEXIVE, RELAY),
    pair=pair(),
    gathering_complete=True,
    ice_state="completed",
    servers=("stun:s:3478", "turn:t:3478?transport=udp"),
)


def codes(judgement: Judgement) -> tuple[str | None, list[str], list[str]]:
    return (
        judgement.verdict,
        [note.code for note in judgement.reasons],
        [note.code for note in judgement.warnings],
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("ready", [], [])),  # DIAG-108
        ({"candidates": (), "servers": ()}, ("inconclusive", ["ice_no_candidates"], [])),  # DIAG-100
        (
            {"candidates": (HOST,)},
            ("ready", [], ["ice_only_host_candidates", "ice_server_no_candidates", "ice_server_no_candidates"]),
        ),  # DIAG-101, DIAG-106
        ({"candidates": (HOST,), "servers": ()}, ("ready", [], [])),  # nobody else was to be asked
        (
            {"candidates": (HOST,), "servers": (), "pair": None, "ice_state": "new"},
            ("degraded", ["ice_only_host_candidates"], []),
        ),  # DIAG-102
        ({"pair": pair("relay")}, ("degraded", ["ice_turn_required"], [])),  # DIAG-103
        ({"pair": pair("relay"), "forced_relay": True}, ("ready", [], [])),
        ({"pair": None, "ice_state": "failed"}, ("blocked", ["ice_no_selected_pair"], [])),  # DIAG-104
        ({"pair": None, "ice_state": "new"}, ("ready", [], [])),
        ({"gathering_complete": False}, ("degraded", ["ice_gathering_timeout"], [])),  # DIAG-105
        ({"candidates": (HOST, REFLEXIVE)}, ("ready", [], ["ice_server_no_candidates"])),  # DIAG-106
        (
            {"candidates": (HOST, evolve(HOST, address="192.0.2.2", vpn=True), REFLEXIVE, RELAY)},
            ("ready", [], ["ice_multiple_interfaces", "ice_vpn_detected"]),
        ),  # DIAG-107
    ],
)
def test_ice(change: dict[str, object], expected: object) -> None:
    assert codes(verdict.of_ice(evolve(GOOD_ICE, **change))) == expected  # type: ignore[arg-type]


def test_a_server_that_the_call_did_not_need_is_no_worry() -> None:
    """DIAG-106: of several that answer, a call asks the first."""
    spare = evolve(
        GOOD_ICE, servers=(*GOOD_ICE.servers, "turn:spare:3478?transport=tcp", "turn:dead:3478?transport=tcp")
    )
    judged = verdict.of_ice(spare, {"turn:spare:3478?transport=tcp"})
    assert codes(judged) == ("ready", [], ["ice_server_no_candidates"])
    assert judged.warnings[0].message == "turn:dead:3478?transport=tcp gave the call no address."


def flow(packets: int = 250, octets: int = 40_000, bitrate: float | None = 64_000) -> Flow:
    return Flow(packets=300, octets=50_000, packets_delta=packets, octets_delta=octets, bitrate=bitrate)


def level(seconds: float) -> Spread:
    return Spread(least=seconds, greatest=seconds, average=seconds)


GOOD_NETWORK = NetworkFindings(
    rtt=level(0.05), jitter=level(0.002), loss=0.0, inbound=flow(), outbound=flow(), lost=0, samples=5
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("ready", [], [])),  # DIAG-122
        ({"rtt": level(0.299)}, ("ready", [], [])),
        ({"rtt": level(0.3)}, ("degraded", ["network_high_rtt"], ["network_fair_quality"])),
        ({"rtt": level(0.5)}, ("blocked", ["network_high_rtt", "network_poor_quality"], [])),
        ({"jitter": level(0.03)}, ("degraded", ["network_high_jitter"], ["network_fair_quality"])),
        ({"jitter": level(0.1)}, ("blocked", ["network_high_jitter", "network_poor_quality"], [])),
        ({"loss": 0.02}, ("degraded", ["network_packet_loss"], ["network_fair_quality"])),
        ({"loss": 0.05}, ("blocked", ["network_packet_loss", "network_poor_quality"], [])),
        ({"inbound": flow(bitrate=7_999)}, ("degraded", ["network_low_bitrate"], [])),
        ({"inbound": flow(0, 0, 0.0)}, ("blocked", ["network_one_way_audio"], [])),  # DIAG-123
        ({"inbound": None}, ("blocked", ["network_one_way_audio"], [])),
        (
            {"inbound": flow(0, 0, 0.0), "outbound": flow(0, 0, 0.0)},
            ("blocked", ["network_no_audio_flow"], []),
        ),  # DIAG-124
        (
            {"rtt": None, "jitter": None, "loss": None, "inbound": None, "outbound": None, "samples": 0},
            (None, [], []),
        ),
    ],
)
def test_network(change: dict[str, object], expected: object) -> None:
    assert codes(verdict.of_network(evolve(GOOD_NETWORK, **change))) == expected  # type: ignore[arg-type]


def test_the_quality_is_unknown_without_figures() -> None:
    """DIAG-056."""
    assert verdict.quality(GOOD_NETWORK) == "good"
    assert verdict.quality(evolve(GOOD_NETWORK, rtt=None, jitter=None, loss=None)) == "unknown"
    assert verdict.quality(evolve(GOOD_NETWORK, samples=0)) == "unknown"


def probe(port: int, protocol: str = "udp", *, host: str = "turn.test", error: str | None = None) -> Probe:
    return Probe(
        layer="server",
        url=f"{host}:{port}",
        host=host,
        port=port,
        protocol=protocol,  # type: ignore[arg-type]
        unreachable=error is not None and "401" not in error,
        error=error,
    )


SILENT = "no answer within 5 s"


def test_a_port_is_named_when_the_same_host_answers_on_another() -> None:
    """DIAG-154, and the port that is blocked."""
    judged = verdict.of_servers([probe(3478, error=SILENT), probe(3478, "tcp")], alone=False)
    assert codes(judged) == ("degraded", ["port_blocked", "ice_server_failed"], [])
    assert judged.reasons[0].message == (
        "UDP port 3478 to turn.test seems to be blocked: no answer within 5 s, while TCP port 3478 answers."
    )
    assert judged.reasons[1].message == "turn.test:3478 gave nothing: no answer within 5 s."


def test_all_of_udp_is_named_at_once() -> None:
    probes = [
        probe(3478, error=SILENT),
        probe(19302, host="stun.test", error=SILENT),
        probe(443, "tls"),
    ]
    judged = verdict.of_servers(probes, alone=False)
    assert [note.code for note in judged.reasons] == ["port_blocked", "ice_server_failed", "ice_server_failed"]
    assert "UDP seems to be blocked altogether (ports 3478, 19302)" in judged.reasons[0].message


@pytest.mark.parametrize(
    "probes",
    [
        [probe(3478, error=SILENT), probe(3478, "tcp", host="other.test")],  # the host may be down
        [probe(3478, error="it refuses (401)"), probe(3478, "tcp")],  # it answered
        [probe(3478, error=SILENT), probe(3478, "tcp", error=SILENT)],
    ],
)
def test_no_port_is_blamed_without_evidence(probes: list[Probe]) -> None:
    judged = verdict.of_servers(probes, alone=False)
    assert "port_blocked" not in [note.code for note in judged.reasons]
    assert judged.verdict == "degraded"


def test_servers_that_are_all_there_is_are_judged_more_severely() -> None:
    """DIAG-155."""
    nothing = [probe(3478, error=SILENT)]
    assert verdict.of_servers(nothing, alone=True).verdict == "blocked"
    assert verdict.of_servers(nothing, alone=False).verdict == "degraded"
    assert verdict.of_servers([probe(1), *nothing], alone=True).verdict == "degraded"
    assert verdict.of_servers([probe(1)], alone=True).verdict == "ready"
    assert verdict.of_servers([], alone=True).verdict is None


def test_signaling() -> None:
    good = Probe(layer="signaling", url="wss://r/", host="r", port=443, protocol="tls", seconds=0.1)
    assert codes(verdict.of_signaling(good)) == ("ready", [], [])
    assert codes(verdict.of_signaling(None)) == (None, [], [])
    assert codes(verdict.of_signaling(good, "wrong password")) == ("blocked", ["login_failed"], [])
    silent = evolve(good, seconds=None, error=SILENT, unreachable=True)
    assert codes(verdict.of_signaling(silent)) == ("blocked", ["port_blocked"], [])
    assert verdict.of_signaling(silent).reasons[0].message.startswith("TCP port 443 to r seems to be blocked")
    untrusted = evolve(good, seconds=None, error="its certificate is not trusted")
    assert codes(verdict.of_signaling(untrusted)) == ("blocked", ["signaling_unreachable"], [])


def test_a_call_that_did_not_come_about() -> None:
    """DIAG-022, DIAG-160."""
    assert codes(verdict.not_established(None)) == ("inconclusive", ["call_setup_timeout"], [])
    assert codes(verdict.not_established("USER_BUSY")) == ("blocked", ["diagnostic_run_error"], [])


def test_the_worst_part_decides_and_every_reason_is_kept_once() -> None:
    one, other = verdict.Note("a", "A", "ice"), verdict.Note("b", "B", "network")
    parts = [
        Judgement("ready", (), (other,)),
        Judgement("degraded", (one,)),
        Judgement(None),
        Judgement("ready", (one,)),
    ]
    assert verdict.combine(parts) == Judgement("degraded", (one,), (other,))
    assert verdict.combine([*parts, Judgement("blocked")]).verdict == "blocked"
    assert verdict.combine([Judgement("inconclusive"), Judgement("ready")]).verdict == "ready"
    assert verdict.combine([Judgement(None)]).verdict == "inconclusive"


def sample(at: float, **reading: object) -> Sample:
    return Sample(at=at, reading=StatsSnapshot(**reading))  # type: ignore[arg-type]


def test_figures_come_from_the_samples() -> None:
    """DIAG-050 to DIAG-055."""
    found = NetworkFindings.of(
        [
            sample(
                10.0,
                round_trip_time=0.1,
                jitter=0.004,
                remote_jitter=0.001,
                packets_received=100,
                bytes_received=16_000,
                packets_sent=100,
                bytes_sent=16_000,
                packets_lost=0,
                remote_fraction_lost=0.25,
            ),
            sample(11.0, jitter=0.006),
            sample(
                12.0,
                round_trip_time=0.3,
                jitter=0.002,
                remote_jitter=0.003,
                packets_received=190,
                bytes_received=32_000,
                packets_sent=200,
                bytes_sent=32_000,
                packets_lost=10,
                remote_fraction_lost=0.0,
            ),
        ]
    )
    assert found.rtt == Spread(least=0.1, greatest=0.3, average=pytest.approx(0.2))  # type: ignore[arg-type]
    assert found.jitter == Spread(least=0.002, greatest=0.006, average=pytest.approx(0.004))  # type: ignore[arg-type]
    assert found.loss == 0.25, "the worse direction, at its worst"
    assert found.inbound is not None
    assert (found.inbound.packets, found.inbound.packets_delta, found.inbound.bitrate) == (190, 90, 64_000)
    document = found.document()
    assert document["rtt"] == {"min": 100.0, "max": 300.0, "average": 200.0}
    assert document["packets"] == {
        "packetsSent": 200,
        "packetsReceived": 190,
        "packetsLost": 10,
        "packetLossFraction": 0.25,
    }
    assert document["bitrate"] == {"inbound": 64_000, "outbound": 64_000}


def test_no_sample_is_nothing_known() -> None:
    found = NetworkFindings.of([])
    assert (found.rtt, found.jitter, found.loss, found.inbound, found.mos) == (None, None, None, None, None)
    assert "inbound" not in found.document()
    only = NetworkFindings.of([sample(1.0, packets_received=5, bytes_received=100, packets_sent=5, bytes_sent=100)])
    assert only.inbound is not None
    assert not only.inbound.flowing
    assert codes(verdict.of_network(only)) == (None, [], []), "one sample says nothing of a flow"


def test_the_candidates_are_counted_and_the_way_taken_is_shown() -> None:
    """DIAG-040 to DIAG-046."""
    second = evolve(HOST, address="192.0.2.2", vpn=True)
    document = evolve(GOOD_ICE, candidates=(*GOOD_ICE.candidates, second)).document()
    assert document["candidateCounts"] == {"host": 2, "srflx": 1, "prflx": 0, "relay": 1}
    assert document["selectedPair"] == {
        "local": {"address": "192.0.2.1", "port": 1, "candidateType": "host"},
        "remote": {"address": "192.0.2.9", "port": 1, "candidateType": "host"},
        "state": GOOD_ICE.pair.state,  # type: ignore[union-attr]
    }
    shown = ("hasRelayCandidate", "hasSelectedPair", "hasMultipleNetworkInterfaces", "vpnDetected", "gatheringComplete")
    assert all(document[name] is True for name in shown)
    assert document["onlyHostCandidates"] is document["isTurnRequired"] is False
    nothing = IceFindings(candidates=(), pair=None, gathering_complete=False, ice_state="new").document()
    assert nothing["onlyHostCandidates"] is True
    assert nothing["iceGatheringState"] == "gathering"
    assert not {"vpnDetected", "hasMultipleNetworkInterfaces"} & nothing.keys(), "unknown"


def test_what_each_server_gave_is_compared() -> None:
    """DIAG-047."""
    comparison = evolve(GOOD_ICE, candidates=(HOST, REFLEXIVE)).document()["serverCandidateComparison"]
    assert [(entry["urls"], entry["hasCandidates"], entry["candidateType"]) for entry in comparison] == [  # type: ignore[union-attr, index, call-overload]
        ("stun:s:3478", True, "srflx"),
        ("turn:t:3478?transport=udp", False, None),
    ]
