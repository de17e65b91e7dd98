"""Media engines that carry no media: a **simulation** of descriptions, ICE and the first packets, on a virtual clock.

What is modelled: a peer describes itself, is told the description of its opposite number, and the two are *connected*
a moment after each has applied the other's description, at least one knows candidates of the other, and the path
between them is up both ways. Each end asks the other for consent (RFC 7675), which takes both ways, too: without an
answer and without a packet it is soon ``disconnected``, and without an answer alone it is ``failed`` in the end. Either
way of the path can be cut, and a NAT can forget what it knew. Closing one end is noticed at the other. What is not
modelled: codecs, DTLS, bandwidth, the sound itself. Nothing here proves anything
about `aiortc`; it proves what the core makes of what an engine may report.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Final, Literal, TypeAlias, assert_never

from attrs import define, field

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    MediaAction,
    OpenPeer,
    OpenSource,
    PeerConfig,
    SendDigits,
    SetDeaf,
    SetMaxBitRate,
    SetMuted,
    TakeStats,
    UseMedia,
)
from telnyx_core.facts import (
    CandidateFound,
    DigitHeard,
    DigitsSent,
    LocalDescribed,
    MediaFact,
    MediaHeard,
    NegotiationFailed,
    PeerState,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    SourceFault,
    SourceOpened,
    SourceRefused,
    Stage,
    StatsTaken,
)
from telnyx_core.gateway.actions import Silence, Source
from telnyx_core.ids import CallId, MediaId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.testing.clock import VirtualClock

_UFRAG: Final = "a=ice-ufrag:"
_CANDIDATE: Final = "a=candidate:"
_PACKETS: Final = 50
"""Packets per second."""
_PAYLOAD: Final = 80
"""Bytes of one packet."""
_CARRYING: Final = frozenset[PeerState]({"connected", "disconnected"})
"""Consent has not expired, so it sends."""

Course: TypeAlias = Literal["out", "in"]
"""Of packets, as the engine sees it."""


@define(eq=False)
class Counters:
    """Of packets, until ``at``. Peers that renew one path in place share them."""

    sent: int = 0
    received: int = 0
    at: float = 0.0


@define(eq=False)
class SimPeer:
    """One end of a simulated peer connection."""

    engine: "SimEngine"
    media: MediaId
    call: CallId
    config: PeerConfig
    ufrag: str
    state: PeerState = "new"
    muted: bool = False
    deaf: bool = False
    described: bool = False
    remote_ufrag: str | None = None
    remote_in_place: bool = False
    knows_candidates: bool = False
    heard: bool = False
    closed: bool = False
    counters: Counters = field(factory=Counters)
    binding: int = 0
    """What the NAT in front of its engine knew it by."""
    unanswered_since: float | None = None
    """No check passes both ways any more."""
    replaced: bool = False
    """A server that switches at once (`SimEngine.moves_at_once`) has closed this path."""

    @property
    def negotiated(self) -> bool:
        return not self.closed and self.described and self.remote_in_place

    def lets(self, course: Course) -> bool:
        """Packets of this peer pass its own side of the path."""
        return not self.replaced and self.binding == self.engine.binding and course not in self.engine.cut_courses


class MediaModel:
    """Finds the two ends of each connection and simulates the delays between them. Times are seconds."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.connect_time = 0.08
        """From both ends negotiated to ``connected``."""
        self.notice_time = 0.02
        """Until the first packet, or the news that the far end has closed, arrives."""
        self.tells_closing = True
        """An end that closes says so (DTLS close_notify), and the other is ``closed``; otherwise it times out."""
        self.disconnected_after = 5.0
        """Seconds without a packet and without an answer."""
        self.failed_after = 30.0
        """Seconds without an answer: consent expires (RFC 7675)."""
        self.peers: dict[str, SimPeer] = {}
        self._names = count(1)

    def engine(self, tell: Callable[[MediaFact], None], *, fed: bool = False) -> "SimEngine":
        """An engine whose facts go to ``tell``. ``fed``: it sends only what it is fed, as the gateway's does."""
        return SimEngine(self, tell, fed=fed)

    def name(self) -> str:
        return f"sim{next(self._names)}"

    def partner(self, peer: SimPeer) -> SimPeer | None:
        """The other end, once each has applied the other's description."""
        other = None if peer.remote_ufrag is None else self.peers.get(peer.remote_ufrag)
        if other is None or other.remote_ufrag != peer.ufrag or not (peer.negotiated and other.negotiated):
            return None
        return other

    def passes(self, peer: SimPeer, other: SimPeer) -> bool:
        """What one end sends, if it sends, arrives at the other."""
        return peer.lets("out") and other.lets("in")

    def joined(self, peer: SimPeer, other: SimPeer) -> bool:
        """Both ways: consent is answered."""
        return self.passes(peer, other) and self.passes(other, peer)

    def reconsider(self, peer: SimPeer) -> None:
        """Something has changed at this end: perhaps the two can connect now, or have begun to fail."""
        other = self.partner(peer)
        if other is None or not (peer.knows_candidates or other.knows_candidates):
            return
        if self.joined(peer, other):
            peer.unanswered_since = other.unanswered_since = None
            self.clock.after(self.connect_time, lambda: self._connect(peer, other))
            return
        for end in (peer, other):
            if end.unanswered_since is None:
                end.unanswered_since = self.clock.now
            since = end.unanswered_since
            self.clock.after(self.disconnected_after, partial(self._starve, end, since, "disconnected"))
            self.clock.at(since + self.failed_after, partial(self._starve, end, since, "failed"))

    def _connect(self, peer: SimPeer, other: SimPeer) -> None:
        if self.partner(peer) is other and self.joined(peer, other):
            for end in (peer, other):
                end.engine.change(end, "connected")
            for end in (peer, other):
                self.sound(end)

    def _starve(self, end: SimPeer, since: float, state: PeerState) -> None:
        if end.unanswered_since != since:
            return
        if state == "failed" or (end.state == "connected" and not self.hears(end)):
            end.engine.change(end, state)

    def sound(self, peer: SimPeer) -> None:
        """What this end sends is heard at the other, if it sends at all."""
        if peer.engine.sends(peer.call):
            self.clock.after(self.notice_time, lambda: self._heard(peer))

    def _heard(self, peer: SimPeer) -> None:
        other = self.partner(peer)
        if other is None or not self.hears(other):
            return
        if other.state == "disconnected":
            other.engine.change(other, "connected")
        if not other.heard:
            other.heard = True
            other.engine.report(other, MediaHeard(other.media))

    def hears(self, peer: SimPeer) -> bool:
        """Audio of the far end arrives at this end."""
        other = self.partner(peer)
        return (
            other is not None
            and peer.state in _CARRYING
            and other.state in _CARRYING
            and other.engine.sends(peer.call)
            and self.passes(other, peer)
        )

    def is_heard(self, peer: SimPeer) -> bool:
        """Audio of this end arrives at the far end."""
        other = self.partner(peer)
        return other is not None and peer.state in _CARRYING and other.state in _CARRYING and self.passes(peer, other)

    def read(self, peer: SimPeer) -> StatsSnapshot:
        """Counters as of now: what was true at this reading counts for all the time since the one before."""
        counters = peer.counters
        packets, hears = round((self.clock.now - counters.at) * _PACKETS), self.hears(peer)
        counters.at = self.clock.now
        counters.sent += packets if peer.state in _CARRYING else 0
        counters.received += packets if hears else 0
        return StatsSnapshot(
            packets_sent=counters.sent,
            bytes_sent=counters.sent * _PAYLOAD,
            packets_received=counters.received,
            bytes_received=counters.received * _PAYLOAD,
            packets_lost=0,
            jitter=0.002,
            round_trip_time=0.04,
            local_level=0.1,
            remote_level=0.1 if hears else 0.0,
        )

    def closed(self, peer: SimPeer) -> None:
        """This end has closed; nothing is known of it any more."""
        other = None if peer.remote_ufrag is None else self.peers.get(peer.remote_ufrag)
        self.peers.pop(peer.ufrag, None)
        if other is None or other.remote_ufrag != peer.ufrag:
            return
        if other.state != "connected":
            self.clock.after(self.failed_after, lambda: other.engine.change(other, "failed"))
        elif self.tells_closing and self.passes(peer, other):
            self.clock.after(self.notice_time, lambda: other.engine.change(other, "closed"))
        else:
            self.clock.after(self.disconnected_after, lambda: other.engine.change(other, "disconnected"))
            self.clock.after(self.failed_after, lambda: other.engine.change(other, "failed"))


class SimEngine:
    """The media engine of one client, or of the gateway: `perform` its actions, its facts are told.

    The queues of trouble are used up from the left, one for each occasion.
    """

    def __init__(self, model: MediaModel, tell: Callable[[MediaFact], None], *, fed: bool) -> None:
        self.source_time = 0.01
        self.describe_time = 0.005
        """Until a description is made, or one of the far end's is applied."""
        self.gather_time: float | None = 0.05
        """Until all candidates are found; ``None``: never."""
        self.late_news = False
        """Facts that are under way when their peer is closed are told all the same."""
        self.source_trouble: deque[SourceFault] = deque()
        self.remote_trouble: deque[str] = deque()
        self.local_trouble: deque[Stage] = deque()
        self.moves_at_once = False
        """Close the old path before the new one is connected, as the server does when it is asked to renew a path."""
        self.cut_courses: frozenset[Course] = frozenset()
        self.binding = 0
        self.peers: dict[MediaId, SimPeer] = {}
        self.in_use: dict[CallId, MediaId] = {}
        self._model = model
        self._tell = tell
        self._feeds: dict[CallId, Source] = {}
        self._fed = fed

    # What the driver hands over.

    def perform(self, action: MediaAction) -> None:
        """Ignores what is for a peer that it no longer has, as every driver must."""
        if isinstance(action, OpenPeer):
            self._open(action)
            return
        peer = self.peers.get(action.media)
        if peer is None:
            return
        match action:
            case OpenSource():
                self._open_source(peer)
            case CreateOffer():
                self._describe(peer, "create_offer")
            case CreateAnswer():
                self._describe(peer, "create_answer")
            case ApplyRemote(sdp=sdp):
                self._apply(peer, sdp)
            case AddCandidate(candidate=candidate):
                if candidate:
                    peer.knows_candidates = True
                    self._model.reconsider(peer)
            case UseMedia():
                self.in_use[peer.call] = peer.media
            case SetMuted(muted=muted):
                peer.muted = muted
            case SetDeaf(deaf=deaf):
                peer.deaf = deaf
            case SetMaxBitRate():
                pass
            case SendDigits(digits=digits):
                self.report(peer, DigitsSent(peer.media), 0.15 * len(digits))
            case TakeStats():
                self.report(peer, StatsTaken(peer.media, self._model.read(peer)), 0.001)
            case ClosePeer():
                self._close(peer)
            case _:
                assert_never(action)

    def feed(self, call: CallId, source: Source) -> None:
        """What the client of ``call`` is to hear from now on (the gateway's `Feed`). Silence sends no packets."""
        self._feeds[call] = source
        for peer in list(self.peers.values()):
            if peer.call == call:
                self._model.sound(peer)

    def release(self, call: CallId) -> None:
        self._feeds.pop(call, None)
        self.in_use.pop(call, None)

    def sends(self, call: CallId) -> bool:
        """A client always sends, silence when it is muted; the gateway only what it was told to feed."""
        return not self._fed or not isinstance(self._feeds.get(call, Silence()), Silence)

    # Looking.

    @property
    def path_up(self) -> bool:
        return not self.cut_courses

    def peer_in_use(self, call: CallId) -> SimPeer | None:
        media = self.in_use.get(call)
        return None if media is None else self.peers.get(media)

    def states(self) -> Mapping[MediaId, PeerState]:
        return {media: peer.state for media, peer in self.peers.items()}

    # Faults.

    def cut(self, *courses: Course) -> None:
        """Packets that go these ways (default: both) are lost from now on."""
        self._path_is(frozenset(courses or ("out", "in")))

    def heal(self) -> None:
        """The path is back: what has not failed yet connects again."""
        self._path_is(frozenset())

    def rebind(self) -> None:
        """The NAT forgets its mappings: what was open passes no more, either way; what opens from now on does."""
        self.binding += 1
        self._path_changed()

    def _path_is(self, cut: frozenset[Course]) -> None:
        if cut != self.cut_courses:
            self.cut_courses = cut
            self._path_changed()

    def _path_changed(self) -> None:
        for peer in list(self.peers.values()):
            self._model.reconsider(peer)

    def fail(self, call: CallId) -> None:
        """The peer in use of this call fails now, at this end."""
        peer = self.peer_in_use(call)
        if peer is not None:
            self.change(peer, "failed")

    def hear_digit(self, call: CallId, digit: str, duration: float = 0.1) -> None:
        peer = self.peer_in_use(call)
        if peer is not None:
            self.report(peer, DigitHeard(peer.media, digit, duration))

    def vanish(self) -> None:
        """The process that held these peers is gone, without closing anything."""
        for peer in list(self.peers.values()):
            self._close(peer)

    # Inside.

    def report(self, peer: SimPeer, fact: MediaFact, after: float = 0.0) -> None:
        self._model.clock.after(after, lambda: self._say(peer, fact))

    def _say(self, peer: SimPeer, fact: MediaFact) -> None:
        if not peer.closed or self.late_news:
            self._tell(fact)

    def change(self, peer: SimPeer, state: PeerState) -> None:
        """Set a new state of the peer, unless it has reached a final one."""
        if not peer.closed and peer.state not in (state, "failed", "closed"):
            peer.state = state
            self.report(peer, PeerStateChanged(peer.media, state))

    def _open(self, action: OpenPeer) -> None:
        config = action.config
        peer = SimPeer(self, action.media, action.call, config, self._model.name())
        peer.muted, peer.deaf, peer.counters.at = config.muted, config.deaf, self._model.clock.now
        renewed = None if config.renews is None else self.peers.get(config.renews)
        if renewed is not None:
            peer.counters = renewed.counters
        peer.binding = self.binding
        self.peers[action.media] = self._model.peers[peer.ufrag] = peer

    def _open_source(self, peer: SimPeer) -> None:
        if self.source_trouble:
            fault = self.source_trouble.popleft()
            self.report(peer, SourceRefused(peer.media, fault, f"the source refused: {fault}"), self.source_time)
        else:
            self.report(peer, SourceOpened(peer.media, "simulated microphone"), self.source_time)

    def _describe(self, peer: SimPeer, stage: Stage) -> None:
        if self.local_trouble:
            trouble = self.local_trouble.popleft()
            failed = NegotiationFailed(peer.media, stage if trouble == "other" else trouble, "ordered to fail")
            self.report(peer, failed, self.describe_time)
            return
        clock = self._model.clock
        clock.after(self.describe_time, lambda: self._described(peer))

    def _described(self, peer: SimPeer) -> None:
        if peer.closed and not self.late_news:
            return
        peer.described = True
        self._tell(LocalDescribed(peer.media, sdp_of(peer.ufrag, peer.config.role, ()), complete=False))
        if self.gather_time is not None:
            half, whole = self.gather_time / 2, self.gather_time
            host, reflexive = _candidates(peer.ufrag)
            for candidate, when in ((host, half), (reflexive, whole)):
                found = CandidateFound(peer.media, candidate, sdp_mid="0", sdp_m_line_index=0)
                self.report(peer, found, when)
            complete = sdp_of(peer.ufrag, peer.config.role, (host, reflexive))
            self.report(peer, LocalDescribed(peer.media, complete, complete=True), whole)
        self._negotiating(peer)

    def _apply(self, peer: SimPeer, sdp: str) -> None:
        ufrag = ufrag_of(sdp)
        if self.remote_trouble or ufrag is None:
            reason = self.remote_trouble.popleft() if self.remote_trouble else "no ICE credentials in it"
            self.report(peer, RemoteRefused(peer.media, reason), self.describe_time)
        else:
            self._model.clock.after(self.describe_time, lambda: self._applied(peer, ufrag, sdp))

    def _applied(self, peer: SimPeer, ufrag: str, sdp: str) -> None:
        if peer.closed and not self.late_news:
            return
        peer.remote_ufrag, peer.remote_in_place = ufrag, True
        if self.moves_at_once:
            self._let_go_of_others(peer)
        peer.knows_candidates = peer.knows_candidates or _CANDIDATE in sdp
        self._tell(RemoteApplied(peer.media))
        self._negotiating(peer)

    def _let_go_of_others(self, peer: SimPeer) -> None:
        for other in list(self.peers.values()):
            if other.call == peer.call and other is not peer and not other.replaced:
                other.replaced = True
                self._model.reconsider(other)

    def _negotiating(self, peer: SimPeer) -> None:
        if peer.negotiated and peer.state == "new":
            self.change(peer, "connecting")
            self._model.reconsider(peer)

    def _close(self, peer: SimPeer) -> None:
        peer.closed = True
        self.peers.pop(peer.media, None)
        if self.in_use.get(peer.call) == peer.media:
            del self.in_use[peer.call]
        self._model.closed(peer)


def ufrag_of(sdp: str) -> str | None:
    return next((line.removeprefix(_UFRAG).strip() for line in sdp.splitlines() if line.startswith(_UFRAG)), None)


def _candidates(name: str) -> tuple[str, str]:
    port = 40_000 + int(name.removeprefix("sim")) % 20_000
    return (
        f"candidate:1 1 udp 2130706431 192.0.2.1 {port} typ host",
        f"candidate:2 1 udp 1694498815 198.51.100.1 {port} typ srflx raddr 192.0.2.1 rport {port}",
    )


def sdp_of(name: str, role: str, candidates: tuple[str, ...]) -> str:
    """A description in the shape of RFC 8829 that names a peer by its ``ice-ufrag`` and carries nothing real."""
    lines = (
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 101",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        f"{_UFRAG}{name}",
        f"a=ice-pwd:{name:0<22}",
        f"a=fingerprint:sha-256 {':'.join(['00'] * 32)}",
        f"a=setup:{'actpass' if role == 'offer' else 'active'}",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=sendrecv",
        *(f"a={candidate}" for candidate in candidates),
    )
    return "".join(f"{line}\r\n" for line in lines)
