"""What happens to calls when a socket is lost, and how they are re-attached (signaling.md 5, calls.md 9)."""

from typing import Final

from telnyx_core._signalling.messages import ATTACH
from telnyx_core._time.timers import Timer
from telnyx_core.gateway.calls import Calls
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.legs import Leg, Peer, Purpose, cause
from telnyx_core.gateway.peers import Peers
from telnyx_core.gateway.records import Session
from telnyx_core.gateway.sessions import Sessions

CRASH_RECOVERY: Final = 0.4
"""Seconds from ``clientReady`` to the attach of a call that survived a crash of the server."""


class Reattach:
    def __init__(self, context: Context, sessions: Sessions, calls: Calls, peers: Peers) -> None:
        self._context = context
        self._sessions = sessions
        self._calls = calls
        self._peers = peers

    def detach(self, session: Session) -> None:
        """The socket is lost: answered calls wait for their client, others end without a message."""
        for leg in self._calls.of(session):
            if not self._survives(leg):
                self._calls.end(leg, cause("DESTINATION_OUT_OF_ORDER"), "gateway")
                continue
            self._context.timers.stop(Timer.ATTACH_WAIT, leg)
            self._peers.close_pending(leg)
            self._calls.feed_both(leg)

    def _survives(self, leg: Leg) -> bool:
        if not leg.recovers:
            return False
        if not leg.answered:
            return self._context.options.quirks.ringing_survives_loss
        return self._calls.established(leg)

    def bring_back(self, session: Session) -> None:
        """Offer every call of a resumed session again."""
        if session.crashed:
            # The node is ready before it has its calls back from where it had written them down (PS-005).
            session.crashed = False
            self._sessions.expect(session, (), attaches=False)
            self._context.timers.set(Timer.SETUP, self._context.now + CRASH_RECOVERY, session)
            return
        legs = self._calls.of(session)
        self._sessions.expect(session, [leg.call for leg in legs], attaches=True)
        for leg in legs:
            if not leg.answered:
                self._peers.close_all(leg)  # It carried no audio that has to continue.
            self.offer_again(leg)
            self._calls.feed_both(leg)

    def recovered(self, session: Session) -> None:
        """The calls of before the crash are there again, if their client still is."""
        for leg in self._calls.of(session):
            if session.line is not None:
                self.offer_again(leg)
                self._calls.feed_both(leg)

    def offer_again(self, leg: Leg, *, renews: bool = False) -> None:
        """A new offer for a live call. ``renews``: in the middle of it, started by the server."""
        self._peers.close_pending(leg)
        self._peers.open(leg, Purpose.ATTACH, renews=renews)

    def offered_again(self, peer: Peer) -> None:
        """The offer exists: send it."""
        leg = peer.leg
        if leg.answered or leg.direction == "outbound":
            # A client takes its time over a call that still rings.
            limit = self._context.options.attach_limit
            self._context.timers.set(Timer.ATTACH_WAIT, self._context.now + limit, leg)
        if leg.direction == "outbound":
            leg.early = True  # From here on the client needs no SDP in an answer.
        self._calls.say(leg, ATTACH, self._calls.wording.attach(leg, peer.sdp))
        self._sessions.announced(leg.session, leg.call)

    def unanswered(self, leg: Leg) -> None:
        """The client did not take the offer up: go on with the peer it has, if that one is alive."""
        if leg.current is not None and leg.current.connected:
            self._peers.close_pending(leg)
        else:
            self._calls.end(leg, cause("RECOVERY_ON_TIMER_EXPIRE"), "gateway")

    def expire(self, session: Session) -> None:
        """The window is over, and with it the session."""
        for leg in self._calls.of(session):
            self._calls.end(leg, cause("RECOVERY_ON_TIMER_EXPIRE"), "gateway")
        self._sessions.forget(session)
