"""Observation of the media engine's facts on their way to the session."""

import asyncio
import time
from typing import Final

import ifaddr
from attrs import define, evolve, field

from telnyx_core.facts import (
    CandidateFound,
    LocalDescribed,
    MediaFact,
    PeerStateChanged,
    StatsTaken,
    TransportStateChanged,
)
from telnyx_drivers._client import default_engine
from telnyx_drivers._webrtc.ports import EngineSetup, MediaEngine
from telnyx_drivers._webrtc.sdp import parse_candidate
from telnyx_drivers.diagnose.findings import Candidate, IceFindings, Sample

_VPN: Final = ("tun", "tap", "wg", "utun", "ppp")
"""What interfaces that belong to one are called (MEDIA-240)."""


def _vpn_addresses() -> frozenset[str]:
    adapters = [adapter for adapter in ifaddr.get_adapters() if adapter.name.lower().startswith(_VPN)]
    return frozenset(str(ip.ip if ip.is_IPv4 else ip.ip[0]) for adapter in adapters for ip in adapter.ips)


@define(eq=False)
class Observed:
    """What the media engine told of the test call, on its way to the session."""

    candidates: list[Candidate] = field(factory=list[Candidate])
    samples: list[Sample] = field(factory=list[Sample])
    gathering_complete: bool = False
    ice_state: str = "new"
    connected: asyncio.Event = field(factory=asyncio.Event)
    lost: bool = False
    _vpn: frozenset[str] = field(factory=_vpn_addresses)

    def note(self, fact: MediaFact) -> None:
        match fact:
            case CandidateFound(_, text, url=url):
                if (found := parse_candidate(text)) is not None:
                    (host, port), kind = found.address, found.type.value
                    candidate = Candidate(address=host, port=port, kind=kind, url=url, vpn=host in self._vpn)
                    self.candidates.append(candidate)
            case LocalDescribed(complete=True):
                self.gathering_complete = True
            case TransportStateChanged(_, "ice", state):
                self.ice_state = state
            case PeerStateChanged(_, state):
                self.lost = self.lost or state in ("failed", "closed")
                if state == "connected":
                    self.connected.set()
            case StatsTaken(_, reading):
                self.samples.append(Sample(at=time.monotonic(), reading=reading))
            case _:
                pass

    def engine(self, setup: EngineSetup) -> MediaEngine:
        def report(fact: MediaFact) -> None:
            self.note(fact)
            setup.report(fact)

        return default_engine(evolve(setup, report=report))

    def ice(self, servers: tuple[str, ...], *, forced_relay: bool) -> IceFindings:
        pairs = [sample.reading.pair for sample in self.samples if sample.reading.pair is not None]
        return IceFindings(
            candidates=tuple(self.candidates),
            pair=pairs[-1] if pairs else None,
            gathering_complete=self.gathering_complete,
            ice_state=self.ice_state,
            servers=servers,
            forced_relay=forced_relay,
        )
