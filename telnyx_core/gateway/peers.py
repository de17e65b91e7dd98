"""The media of legs: peers are opened, negotiated, connected and replaced here."""

from typing import Protocol

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    OpenPeer,
    PeerConfig,
    SendDigits,
    UseMedia,
)
from telnyx_core.facts import (
    CandidateFound,
    DigitHeard,
    LocalDescribed,
    MediaFact,
    NegotiationFailed,
    PeerState,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
)
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.legs import Leg, Peer, Purpose
from telnyx_core.gateway.sdp import (
    Kind,
    disguise,
    fingerprints_of,
    first_codec,
    has_telephone_event,
    setup_of,
    stream_of,
    with_setup,
    with_stream,
)
from telnyx_core.ids import MediaId


class PeerNews(Protocol):
    """What the owner of the legs is told about their peers."""

    def described(self, peer: Peer) -> None: ...

    def remote_applied(self, peer: Peer) -> None: ...

    def negotiation_failed(self, peer: Peer) -> None: ...

    def connected(self, peer: Peer) -> None: ...

    def disconnected(self, peer: Peer) -> None: ...

    def candidate(self, peer: Peer, found: CandidateFound) -> None: ...

    def end_of_candidates(self, peer: Peer) -> None: ...

    def digit(self, peer: Peer, digit: str) -> None: ...


class Peers:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._peers: dict[MediaId, Peer] = {}

    def open(self, leg: Leg, purpose: Purpose, offer: str | None = None, *, renews: bool = False) -> Peer:
        """A new peer for the leg: it answers ``offer``, or makes one. The first is used at once."""
        answers = purpose in (Purpose.ACCEPT, Purpose.UPDATE)
        assert answers == (offer is not None), "a peer answers an offer exactly when there is one"
        options = self._context.options
        peer = Peer(self._context.media(), leg, purpose, renews=renews)
        self._peers[peer.media] = peer
        leg.peers.append(peer)
        renewed: MediaId | None = None
        if offer is not None:
            # As the platform does: with the certificate that is known the association lives on, over a new ICE session.
            before, leg.fingerprints, current = leg.fingerprints, fingerprints_of(offer), leg.current
            if before and before == leg.fingerprints and current is not None and current.connected:
                renewed = current.media
        config = PeerConfig(
            role="answer" if answers else "offer",
            ice_servers=(),
            prefetch=False,
            trickle=self._trickles_out(peer),
            preferred_codecs=options.codecs,
            renews=renewed,
        )
        self._context.act(OpenPeer(peer.media, leg.call, config))
        if leg.current is None:
            self._use(peer)
        if offer is None:
            self._context.act(CreateOffer(peer.media))
        else:
            self._context.act(ApplyRemote(peer.media, "offer", with_setup(offer, leg.setup)))
        return peer

    def answer(self, peer: Peer, sdp: str) -> None:
        """The client's answer to the offer of this peer."""
        peer.answer_taken = True
        if peer.leg.codec is None:
            peer.leg.codec = first_codec(sdp)
        peer.leg.setup, peer.leg.fingerprints = setup_of(sdp), fingerprints_of(sdp)
        self._context.act(ApplyRemote(peer.media, "answer", sdp))

    def add_candidate(self, leg: Leg, candidate: str, sdp_mid: str | None, index: int) -> None:
        """For the peer that is being negotiated; kept until its remote description is applied."""
        if not leg.peers:
            return
        peer = leg.peers[-1]
        if peer.remote_applied:
            self._context.act(AddCandidate(peer.media, candidate, sdp_mid, index))
        elif len(peer.candidates) < self._context.options.limits.candidates:
            peer.candidates.append((candidate, sdp_mid, index))

    def send_digits(self, peer: Peer, digits: str) -> None:
        self._context.act(SendDigits(peer.media, digits))

    def close(self, peer: Peer) -> None:
        if self._peers.pop(peer.media, None) is not None:
            peer.leg.peers.remove(peer)
            if peer.leg.current is peer:
                peer.leg.current = None
            self._context.act(ClosePeer(peer.media))

    def close_all(self, leg: Leg) -> None:
        for peer in list(leg.peers):
            self.close(peer)

    def close_pending(self, leg: Leg) -> None:
        """Give up whatever is being negotiated beside the peer in use."""
        for peer in list(leg.peers):
            if peer is not leg.current:
                self.close(peer)

    def received(self, fact: MediaFact, news: PeerNews) -> None:
        peer = self._peers.get(fact.media)
        if peer is None:
            return  # Late news of a peer that was closed.
        match fact:
            case LocalDescribed(sdp=sdp, complete=complete):
                self._described(peer, news, sdp, complete=complete)
            case CandidateFound() as found:
                if self._trickles_out(peer):
                    news.candidate(peer, found)
            case RemoteApplied():
                peer.remote_applied = True
                if peer.purpose in (Purpose.ACCEPT, Purpose.UPDATE):
                    self._context.act(CreateAnswer(peer.media))
                for candidate in peer.candidates:
                    self._context.act(AddCandidate(peer.media, *candidate))
                peer.candidates.clear()
                news.remote_applied(peer)
            case RemoteRefused() | NegotiationFailed():
                news.negotiation_failed(peer)
            case PeerStateChanged(state=state):
                self._state_changed(peer, news, state)
            case DigitHeard(digit=digit):
                news.digit(peer, digit)
            case _:
                pass  # The gateway opens no sources, asks for no statistics, and does not act on silence.

    def _described(self, peer: Peer, news: PeerNews, sdp: str, *, complete: bool) -> None:
        first = peer.sdp is None and (complete or self._trickles_out(peer))
        if first:
            peer.sdp = self._disguised(peer, sdp)
            news.described(peer)
        if complete and self._trickles_out(peer) and peer.media in self._peers:
            news.end_of_candidates(peer)

    def _disguised(self, peer: Peer, sdp: str) -> str:
        leg, quirks = peer.leg, self._context.options.quirks
        leg.stream = leg.stream or stream_of(sdp)
        sdp = with_stream(sdp, leg.stream)
        match peer.purpose:
            case Purpose.ACCEPT:
                leg.codec = first_codec(sdp)
                leg.setup = {"active": "passive", "passive": "active"}.get(setup_of(sdp) or "")
                return disguise(sdp, quirks, "answer")
            case Purpose.UPDATE:
                return disguise(sdp, quirks, "answer")
            case Purpose.INVITE:
                return disguise(sdp, quirks, "invite")
            case Purpose.ATTACH:
                kind: Kind = "renewal" if peer.renews else "attach"
                digits = leg.client_offer is not None and has_telephone_event(leg.client_offer)
                return disguise(sdp, quirks, kind, codec=leg.codec, telephone_event=digits)

    def _state_changed(self, peer: Peer, news: PeerNews, state: PeerState) -> None:
        if state == "connected" and not peer.connected:
            peer.connected = peer.ever_connected = peer.leg.connected_once = True
            self._make_current(peer)
            news.connected(peer)
        elif state in ("failed", "closed"):
            peer.connected = False
            news.disconnected(peer)

    def _make_current(self, peer: Peer) -> None:
        """Make before break: the old peer is closed only when the new one is connected (CALL-532)."""
        leg = peer.leg
        if leg.current is not peer:
            self._use(peer)
        for older in leg.peers[: leg.peers.index(peer)]:
            self.close(older)

    def _use(self, peer: Peer) -> None:
        peer.leg.current = peer
        self._context.act(UseMedia(peer.media))

    def _trickles_out(self, peer: Peer) -> bool:
        """An ``attach`` is answered with complete SDP on both sides (CALL-535)."""
        return peer.leg.trickles and self._context.options.quirks.trickle_out and peer.purpose is not Purpose.ATTACH
