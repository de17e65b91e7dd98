"""What the media engine reports about a leg's peers, turned into what the leg does next."""

from telnyx_core._signalling.messages import CANDIDATE, END_OF_CANDIDATES, custom_headers
from telnyx_core._time.timers import Timer
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.facts import CandidateFound
from telnyx_core.gateway.calls import CALL_FAILED, Calls
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import CallAttached, CallUpdated, DigitsReceived, MediaConnected, MediaLost
from telnyx_core.gateway.legs import Peer, Purpose, cause
from telnyx_core.gateway.peers import Peers
from telnyx_core.gateway.reattach import Reattach
from telnyx_core.gateway.sessions import sessid


class PeerEvents:
    """Implements `telnyx_core.gateway.peers.PeerNews`."""

    def __init__(self, context: Context, lines: Lines, calls: Calls, peers: Peers, survival: Reattach) -> None:
        self._context = context
        self._lines = lines
        self._calls = calls
        self._peers = peers
        self._survival = survival

    def described(self, peer: Peer) -> None:
        match peer.purpose:
            case Purpose.ACCEPT:
                self._calls.advance(peer.leg)
            case Purpose.INVITE:
                self._calls.offer_ready(peer.leg)
            case Purpose.ATTACH:
                self._survival.offered_again(peer)
            case Purpose.UPDATE:
                self._updated(peer)

    def _updated(self, peer: Peer) -> None:
        """The answer to ``updateMedia`` stands in its result (SRV-029)."""
        assert peer.request is not None, "an update is opened by a request and described once"
        (line, request), peer.request = peer.request, None
        result: JsonObject = {"callID": peer.leg.call, "action": "updateMedia", "sdp": peer.sdp, **sessid(line)}
        self._lines.reply(line, request, result)
        self._context.notify(CallUpdated(peer.leg.call))

    def remote_applied(self, peer: Peer) -> None:
        if peer.request is not None and peer.purpose in (Purpose.INVITE, Purpose.ATTACH):
            (line, request), peer.request = peer.request, None
            leg = peer.leg
            self._lines.reply(line, request, {**self._calls.wording.taken(leg, request.method), **sessid(line)})
            if leg.direction == "inbound" and not leg.answered:
                self._calls.answered_by_client(leg, custom_headers(request.params))
        if peer.purpose is Purpose.ATTACH:
            self._context.timers.stop(Timer.ATTACH_WAIT, peer.leg)
            self._context.notify(CallAttached(peer.leg.call))

    def negotiation_failed(self, peer: Peer) -> None:
        leg = peer.leg
        if peer.request is not None and peer.purpose in (Purpose.INVITE, Purpose.ATTACH):
            # An answer that cannot be used is refused and ends nothing: that is left to the client (PS-027).
            (line, request), peer.request = peer.request, None
            peer.answer_taken = False
            self._lines.refuse(line, request, CALL_FAILED, "CODEC ERROR")
        elif peer.purpose is Purpose.UPDATE:
            if peer.request is not None:
                self._lines.refuse(*peer.request, CALL_FAILED, "CODEC NEGOTIATION ERROR", {"callID": leg.call})
            self._peers.close(peer)
        else:
            self._calls.end(leg, cause("INCOMPATIBLE_DESTINATION"), "gateway")

    def connected(self, peer: Peer) -> None:
        self._context.notify(MediaConnected(peer.leg.call))

    def disconnected(self, peer: Peer) -> None:
        """The media is lost. A call that had media may get it back; one that never had any ends."""
        leg = peer.leg
        if peer is leg.current and peer.ever_connected:
            self._context.notify(MediaLost(leg.call))
            return
        if peer is not leg.current:
            self._peers.close(peer)
            if leg.current is not None and leg.current.connected:
                return
        self._calls.end(leg, cause("DESTINATION_OUT_OF_ORDER"), "gateway")

    def candidate(self, peer: Peer, found: CandidateFound) -> None:
        params: JsonObject = {
            "callID": peer.leg.call,
            "candidate": found.candidate,
            "sdpMid": found.sdp_mid,
            "sdpMLineIndex": found.sdp_m_line_index,
        }
        self._calls.say(peer.leg, CANDIDATE, params)

    def end_of_candidates(self, peer: Peer) -> None:
        self._calls.say(peer.leg, END_OF_CANDIDATES, {"callID": peer.leg.call, "endOfCandidates": True})

    def digit(self, peer: Peer, digit: str) -> None:
        """Report a digit. It is not passed on to another client, because the platform does not do that either."""
        self._context.notify(DigitsReceived(peer.leg.call, digit, "audio"))
