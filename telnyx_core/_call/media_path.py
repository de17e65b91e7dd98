"""The media of one call: its peer, the one that replaces it, and what watches over them (media.md section 5).

A call has one peer in use. A re-attach or a renewal builds a second one beside it and switches over once that is
connected: a working peer is never closed before its replacement works. A path works while consent checks are answered
(RFC 7675); missing audio alone proves no fault, because the far end may have nothing to send. `Call` decides which
messages are sent; this module opens, replaces and closes the peers.
"""

from collections import deque
from typing import Protocol, TypeAlias

from attrs import evolve

from telnyx_core._call.microphone import SOURCE_ERRORS
from telnyx_core._call.negotiation import (
    Dialled,
    LocalFailed,
    Negotiation,
    PeerStates,
    Progress,
    RemoteFailed,
    RemoteInPlace,
    SdpReady,
    SourceFailed,
    Unconnected,
)
from telnyx_core._call.renewal import Renewal, RenewalPhase
from telnyx_core._call_host import CallHost
from telnyx_core._signalling.ice_servers import ice_servers_for
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_QUEUED_DIGITS
from telnyx_core._time.timers import Timer
from telnyx_core.actions import (
    DigitTone,
    Done,
    Failed,
    Notify,
    Outcome,
    PeerConfig,
    SendDigits,
    SetDeaf,
    SetMaxBitRate,
    SetMuted,
    UseMedia,
)
from telnyx_core.catalogue import ErrorCode, WarningCode, make_warning
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import DigitReceived, IceServerFailed, MediaStarted, PeerConnectionFailure
from telnyx_core.facts import (
    CandidateError,
    DigitHeard,
    DigitsRefused,
    DigitsSent,
    MediaFact,
    MediaHeard,
    PeerState,
    PeerStateChanged,
    SourceOpened,
    SourceRefused,
)
from telnyx_core.ids import CallId, MediaId, Ticket
from telnyx_core.options import CallOptions

Steps: TypeAlias = tuple[Progress, ...]


class PeerWatcher(Protocol):
    """Observes the peers of a call, and knows which media they carry."""

    @property
    def missing_media(self) -> bool:
        """No audio arrives although the far end should send some; warning 32001 was raised."""
        ...

    def peer_opened(self, media: MediaId, config: PeerConfig) -> None:
        """Called before the peer is ordered."""
        ...

    def peer_closing(self, media: MediaId) -> None: ...


class MediaPath:
    __slots__ = (
        "_call",
        "_digits",
        "_host",
        "_max_bit_rate",
        "_old",
        "_opened",
        "_options",
        "_reattached",
        "_restarts",
        "_source",
        "_started",
        "_watcher",
        "answered",
        "deaf",
        "held",
        "muted",
        "peer",
        "reached",
        "renewal",
        "renewing",
    )

    def __init__(self, call: CallId, options: CallOptions, host: CallHost, watcher: PeerWatcher) -> None:
        self._call = call
        self._options = options
        self._host = host
        self._watcher = watcher
        self._old: Negotiation | None = None
        self._digits: deque[Dialled] = deque()
        """Digits that wait for the new peer: the server may no longer listen on the path that is being replaced."""
        self._restarts: list[Ticket] = []
        """Tickets of `restart`, settled when the renewal under way ends."""
        self._opened = False
        self._reattached = False
        """After a re-attach the server begins the handshake of each renewal anew, whatever certificate it is told."""
        self._started = False
        self.answered = False
        self.reached = False
        """Media was connected once, so the server counts the call as answered. Before that it would end the call
        because of an ``updateMedia`` (PS-008)."""
        self._source = options.mic_id
        self._max_bit_rate: int | None = None
        muted = options.muted_mic_on_start
        self.muted = host.options.muted_mic_on_start if muted is None else muted
        self.deaf = False
        self.held = False
        self.peer: Negotiation | None = None
        self.renewing: Negotiation | None = None
        self.renewal = Renewal()

    # Peers.

    def open_offer(self, now: float) -> None:
        self.peer = self._open("offer", timeouts.GATHER_WINDOW)
        self.peer.start(now)
        self._host.act(UseMedia(self.peer.media))

    def open_answer(self, remote: str, now: float) -> None:
        self.peer = self._open("answer", timeouts.GATHER_WINDOW)
        self.peer.start(now, remote)
        self._host.act(UseMedia(self.peer.media))

    def open_attach(self, remote: str, now: float) -> None:
        """A peer for the server's new offer; the one in use plays on until this one is connected (CALL-532)."""
        self.stop_renewal()
        self._reattached = True
        self.reached = True  # the server offers only answered calls again
        if self.peer is not None and self.peer.alive and self._old is None:
            self._old = self.peer
        elif self.peer is not None:  # failed, or a replacement that was never used
            self._close(self.peer)
        self.peer = self._open("answer", timeouts.GATHER_WINDOW_ATTACH, complete=True)
        self.peer.start(now, remote)
        if self._old is None:
            self._host.act(UseMedia(self.peer.media))

    def restart_answer(self, remote: str, now: float) -> None:
        """The server offers again a call that we were about to answer: start the answer anew (CALL-538)."""
        if self.peer is not None:
            self._close(self.peer)
        self.open_answer(remote, now)

    def same_transport(self, remote: str) -> bool:
        """The offer describes the transport that the peer in use is connected to, so this peer can stay in use."""
        peer = self.peer
        if peer is None or not peer.healthy or peer.local_sdp is None or peer.remote_sdp is None:
            return False
        return _transport(remote) == _transport(peer.remote_sdp) != ()

    def close(self) -> None:
        self.stop_renewal()
        self._close_old()
        if self.peer is not None:
            self._close(self.peer)
            self.peer = None
        self._refuse(self._digits, "the call ended before they could be sent")

    def add_remote_candidate(self, candidate: str, sdp_mid: str | None, index: int) -> None:
        peer = self.renewing or self.peer
        if peer is not None:
            peer.add_remote_candidate(candidate, sdp_mid, index)

    def set_muted(self, muted: bool) -> None:
        """Mute every peer of the call: while one replaces another, the far end may hear either of them."""
        self.muted = muted
        for peer in self._peers():
            self._host.act(SetMuted(peer.media, muted))

    def set_deaf(self, deaf: bool) -> None:
        self.deaf = deaf
        for peer in self._peers():
            self._host.act(SetDeaf(peer.media, deaf))

    def set_max_bit_rate(self, bits_per_second: int | None) -> None:
        """Limit every present and future peer of the call (MEDIA-046)."""
        self._max_bit_rate = bits_per_second
        for peer in self._peers():
            self._host.act(SetMaxBitRate(peer.media, bits_per_second))

    def switch_source(self, source: str | None, ticket: Ticket) -> None:
        """Switch the source of the peer in use. Where none is open there is nothing to switch, and the application
        hears warning 33009 and a failed ticket instead of silence (CALL-139).
        """
        if self.peer is not None and self.peer.alive and self.peer.sourced:
            self.peer.switch_source(source, ticket)
            return
        skipped = WarningCode.AUDIO_INPUT_DEVICE_CHANGE_SKIPPED
        self._host.warn(skipped, call=self._call, details={"deviceId": source})
        self._host.settle(ticket, Failed(Failure(FailureKind.MEDIA, "the call sends no audio")))

    def send_digits(self, digits: str, tone: DigitTone, ticket: Ticket) -> None:
        """Send digits in the audio of the peer in use; while that is being replaced, wait for the new one."""
        if len(self._digits) >= MAX_QUEUED_DIGITS:
            self._host.settle(ticket, Failed(Failure(FailureKind.PROTOCOL, "too many digits wait")))
            return
        self._digits.append(Dialled(digits, tone, ticket))
        self._send_waiting()

    def _send_waiting(self) -> None:
        if not self._digits or self._changing:
            return
        assert self.peer is not None, "the call has media"
        while self._digits:
            dialled = self._digits.popleft()
            self.peer.digits.append(dialled)
            self._host.act(SendDigits(self.peer.media, dialled.digits, dialled.tone))

    @property
    def _changing(self) -> bool:
        """Another peer is about to be used, or will be, because the one in use has failed."""
        if self.renewal.phase is RenewalPhase.BACKOFF:
            return self.peer is None or not self.peer.healthy
        return self.renewing is not None or self._old is not None

    def _refuse(self, digits: deque[Dialled], why: str) -> None:
        while digits:
            self._host.settle(digits.popleft().ticket, Failed(Failure(FailureKind.MEDIA, why)))

    @property
    def states(self) -> PeerStates:
        """Of the peer in use. Before there is one all is new, and afterwards all is closed (W3C WebRTC 4.3)."""
        if self.peer is not None:
            return self.peer.states
        return PeerStates("closed", "closed", "complete", "closed") if self._opened else PeerStates()

    # Facts and deadlines.

    def handle_fact(self, fact: MediaFact, now: float) -> Steps:
        """Handle one fact of a peer; returns what the call has to know of it."""
        peer = next((peer for peer in self._peers() if peer.media == fact.media), None)
        assert peer is not None, "what is released is not told any more"
        steps = peer.handle_fact(fact, now)
        match fact:
            case PeerStateChanged(_, state) if peer is self.renewing:
                if state == "connected":
                    self._switch_to_renewed(now)
                elif state in ("failed", "closed"):
                    self._retry_later(now)
            case PeerStateChanged(_, state) if peer is self.peer:
                steps += self._state_changed(state, now)
            case MediaHeard() if not self._started:
                self._started = True
                self._host.act(Notify(MediaStarted(self._call)))
            case CandidateError(_, url, code, reason):
                self._host.act(Notify(IceServerFailed(self._call, url, code, reason)))
            case SourceOpened() | SourceRefused() if peer.switches:
                self._switched(fact, *peer.switches.popleft())
            case DigitsSent() if peer.digits:
                self._host.settle(peer.digits.popleft().ticket, Done())
            case DigitsRefused(_, reason) if peer.digits:
                self._host.settle(peer.digits.popleft().ticket, Failed(Failure(FailureKind.MEDIA, reason)))
            case DigitHeard(_, digit, duration) if peer is not self.renewing:
                self._host.act(Notify(DigitReceived(self._call, digit, duration)))
            case _:
                pass
        self._send_waiting()
        if peer is self.renewing:
            return self._renewal_steps(steps, now)
        return steps if peer is self.peer else ()  # a replaced peer decides nothing about the call

    def _switched(self, fact: SourceOpened | SourceRefused, source: str | None, ticket: Ticket) -> None:
        """Keep the new source for later peers only if it could be opened (CALL-612)."""
        match fact:
            case SourceOpened():
                self._source = source
                self._host.settle(ticket, Done())
            case SourceRefused(_, fault, reason):
                failure = Failure(FailureKind.MEDIA, reason)
                self._host.error(SOURCE_ERRORS[fault], call=self._call, original=failure, fatal=False)
                self._host.settle(ticket, Failed(failure))

    def timed_out(self, timer: Timer, media: MediaId | None, now: float) -> Steps:
        match timer:
            case Timer.GATHER_WINDOW | Timer.GATHER_SAFETY:
                for peer in (self.peer, self.renewing):
                    if peer is not None and peer.media == media:
                        steps = peer.timed_out(timer)
                        return self._renewal_steps(steps, now) if peer is self.renewing else steps
            case Timer.DISCONNECTED_GRACE:
                return self._evidence("connection_failed", now)
            case Timer.CONNECT_LIMIT:
                return self._evidence("connection_failed", now)
            case Timer.RENEW_LIMIT:
                self.renewal_failed(Failure(FailureKind.MEDIA, "no answer to the renewed media within 15 s"), now)
            case Timer.RENEW_VERIFY:
                self._retry_later(now)
            case Timer.RENEW_BACKOFF:
                self.renewal.stop()
                # The old path works again by itself: the failed attempts no longer count.
                if self.peer is not None and self.peer.healthy:
                    self.renewal.attempts = 0
                    self._send_waiting()
                return self._evidence(self.renewal.reason, now)
            case Timer.EPISODE_RESET:
                self.renewal.attempts = 0
            case _:
                raise AssertionError(f"not a deadline of a media path: {timer.name}")
        return ()

    def established(self, now: float) -> None:
        """The call is active or held: from now on its media is watched (MEDIA-200, MEDIA-246).

        Until the first connection only a time limit applies: the connectivity checks (RFC 8445) must succeed within it.
        A peer that has already failed gets no time.
        """
        self.answered = True
        if self.peer is not None and not self.peer.healthy:
            limit = timeouts.CONNECT_LIMIT if self.peer.alive else 0.0
            self._host.timers.set(Timer.CONNECT_LIMIT, now + limit, self._call)

    def suspended(self) -> None:
        """The socket is lost. A fault of the media now is repaired by the re-attach, not by a renewal, because without
        a socket no renewal can be negotiated (SRV-008, MEDIA-231).
        """
        self.answered = False
        self.stop_renewal()
        self._refuse(self._digits, "the socket was lost before they could be sent")
        self.renewal.attempts = 0
        self._host.timers.stop(Timer.DISCONNECTED_GRACE, self._call)
        self._host.timers.stop(Timer.CONNECT_LIMIT, self._call)

    # Renewal.

    def renew(self, reason: str, now: float) -> None:
        """Renew the media path, where that can be done (MEDIA-218) and is still needed: while a probe was out, the path
        may have come back by itself, or the application may have replaced it.
        """
        if self.can_restart and self.renewal.idle and self.peer is not None and not self.peer.healthy:
            self._begin_renewal(reason, now)

    def restart(self, ticket: Ticket, now: float) -> None:
        """Renew because the application asks for it: at once, also during the pause after a failed attempt."""
        if self.renewal.phase is RenewalPhase.BACKOFF:
            self.stop_renewal()
        self._restarts.append(ticket)
        if self.renewal.idle:
            self._begin_renewal(None, now)

    @property
    def can_restart(self) -> bool:
        """Media was connected, and the server knows it (PS-008)."""
        return self.answered and self.reached and self.peer is not None

    def renewal_answered(self, sdp: str, now: float) -> None:
        """The reply to ``updateMedia`` (MEDIA-220)."""
        if self.renewing is None or self.renewal.phase is not RenewalPhase.WAITING:
            return
        self._host.timers.stop(Timer.RENEW_LIMIT, self._call)
        self.renewal.phase = RenewalPhase.CONNECTING
        self._host.timers.set(Timer.RENEW_VERIFY, now + timeouts.RENEW_VERIFY, self._call)
        self.renewing.apply_answer(sdp)

    def renewal_failed(self, failure: Failure, now: float) -> None:
        """Report error 47001, and try again after a pause (MEDIA-225)."""
        if self.renewing is not None:
            self._host.error(ErrorCode.ICE_RESTART_FAILED, call=self._call, original=failure)
            self._retry_later(now)

    def stop_renewal(self) -> None:
        for timer in (Timer.RENEW_LIMIT, Timer.RENEW_VERIFY, Timer.RENEW_BACKOFF):
            self._host.timers.stop(timer, self._call)
        if self.renewing is not None:
            self._close(self.renewing)
            self.renewing = None
        self.renewal.stop()
        self._restarted(Failed(Failure(FailureKind.MEDIA, "the new path was not connected")))

    def _restarted(self, outcome: Outcome) -> None:
        tickets, self._restarts = self._restarts, []
        for ticket in tickets:
            self._host.settle(ticket, outcome)

    def _begin_renewal(self, reason: str | None, now: float) -> None:
        """``reason`` is ``None`` if the application asked for it: then no fault is known, and no warning is raised."""
        self.renewal.begin(reason or "requested")
        self._host.timers.stop(Timer.EPISODE_RESET, self._call)
        if reason is not None:
            self._host.warn(WarningCode.MEDIA_RECOVERY_REQUIRED, call=self._call, details={"reason": reason})
        peer = self.peer
        # What did not last is not tried again: the next attempt has a path of its own.
        lasts = self.renewal.attempts == 1 or (reason is None and peer is not None and peer.healthy)
        self._offer_renewal(peer if lasts and not self._reattached and peer is not None and peer.alive else None, now)

    def _offer_renewal(self, renews: Negotiation | None, now: float) -> None:
        """``renews``: by an ICE restart of this peer's path; ``None``: by another path."""
        self._host.timers.set(Timer.RENEW_LIMIT, now + timeouts.RENEW_LIMIT, self._call)
        self.renewing = self._open("offer", timeouts.GATHER_WINDOW, renews=renews)
        self.renewing.start(now)

    def _renew_afresh(self, now: float) -> None:
        """The path cannot be restarted: the far end answers with another certificate, or the path is gone."""
        assert self.renewing is not None, "its own news"
        self._host.timers.stop(Timer.RENEW_VERIFY, self._call)
        self._close(self.renewing)
        self.renewal.phase = RenewalPhase.GATHERING
        self._offer_renewal(None, now)

    def _retry_later(self, now: float) -> None:
        """The attempt has failed. The peer in use was kept, and may work again when the pause is over (MEDIA-229)."""
        self.stop_renewal()
        self.renewal.phase = RenewalPhase.BACKOFF
        self._host.timers.set(Timer.RENEW_BACKOFF, now + self.renewal.pause, self._call)
        self._send_waiting()
        self._refuse(self._digits, "the media path is broken, and another one could not be connected")

    def _renewal_steps(self, steps: Steps, now: float) -> Steps:
        """Failures of a renewing peer end the renewal and never the call (MEDIA-226)."""
        passed: list[Progress] = []
        for step in steps:
            match step:
                case SdpReady():
                    self.renewal.phase = RenewalPhase.WAITING
                    passed.append(step)
                case LocalFailed() | RemoteFailed() if self.renewing is not None and self.renewing.renewed is not None:
                    self._renew_afresh(now)
                case LocalFailed(_, reason) | RemoteFailed(_, reason) | SourceFailed(_, reason):
                    self.renewal_failed(Failure(FailureKind.MEDIA, reason), now)
                case RemoteInPlace():
                    pass
                case _:
                    passed.append(step)
        return tuple(passed)

    def _switch_to_renewed(self, now: float) -> None:
        """The new peer is connected: use it at once, without waiting for audio: the far end may be silent."""
        renewed = self.renewing
        assert renewed is not None, "its own news"
        self._host.timers.stop(Timer.RENEW_VERIFY, self._call)
        self._host.timers.set(Timer.EPISODE_RESET, now + timeouts.EPISODE_RESET, self._call)
        self._host.timers.stop(Timer.DISCONNECTED_GRACE, self._call)
        self._host.timers.stop(Timer.CONNECT_LIMIT, self._call)
        self.renewal.stop()
        self.renewing = None
        self._close_old()
        self._old, self.peer = self.peer, renewed
        self._switch_over()
        self._restarted(Done())

    # Watching.

    def media_missing(self, now: float) -> None:
        """The readings show no audio (32001, 32002). Alone this is no failure; with a disconnected peer it ends the
        grace period, because two signs together are enough.
        """
        if self.answered and self.peer is not None and self.peer.state == "disconnected":
            self._evidence("no_media", now)

    def _state_changed(self, state: PeerState, now: float) -> Steps:
        """The state of the peer in use has changed."""
        timers, ours = self._host.timers, self.renewing is not None
        match state:
            case "connected":
                self.reached = True
                timers.stop(Timer.DISCONNECTED_GRACE, self._call)
                timers.stop(Timer.CONNECT_LIMIT, self._call)
                if self._old is not None:
                    self._switch_over()
            case "disconnected" | "failed" | "closed" if ours:
                pass  # already being replaced: the server closed it for that, or its failure is the reason
            case "disconnected":
                self._host.warn(WarningCode.ICE_CONNECTIVITY_LOST, call=self._call)
                if self.answered and self._watcher.missing_media:
                    return self._evidence("no_media", now)
                if self.answered:
                    timers.set(Timer.DISCONNECTED_GRACE, now + timeouts.DISCONNECTED_GRACE, self._call)
            case "failed" | "closed":
                timers.stop(Timer.DISCONNECTED_GRACE, self._call)
                self._host.warn(WarningCode.PEER_CONNECTION_FAILED, call=self._call)
                warning = make_warning(WarningCode.PEER_CONNECTION_FAILED)
                self._host.act(Notify(PeerConnectionFailure(self._call, warning)))
                if self.answered:
                    return self._evidence("ice_failed", now)
            case "new" | "connecting":
                pass
        return ()

    def _evidence(self, reason: str, now: float) -> Steps:
        """The path does not work. If it never did, the call ends; otherwise the session decides what is renewed."""
        if not self.answered or self.peer is None or self.peer.healthy:
            return ()
        if not self.reached:
            return (Unconnected(),)
        if self.renewal.idle:
            self._host.media_failed(self._call, reason, now)
        return ()

    def _switch_over(self) -> None:
        if self.peer is not None:
            self._host.act(UseMedia(self.peer.media))
        if self._old is not None:
            while len(self._old.digits) > 1:  # behind the first one, which may be half sent
                self._digits.appendleft(self._old.digits.pop())
        self._close_old()

    def _peers(self) -> list[Negotiation]:
        return [peer for peer in (self.peer, self.renewing, self._old) if peer is not None]

    def _close_old(self) -> None:
        if self._old is not None:
            self._close(self._old)
            self._old = None

    def _close(self, peer: Negotiation) -> None:
        self._watcher.peer_closing(peer.media)
        peer.close()
        self._refuse(peer.digits, "the media path was given up while they were sent: some may have been heard")
        for _, ticket in peer.switches:
            self._host.settle(ticket, Failed(Failure(FailureKind.MEDIA, "the peer is closed")))
        peer.switches.clear()
        self._host.release_media(peer.media)

    def _open(
        self, role: str, window: float, *, complete: bool = False, renews: Negotiation | None = None
    ) -> Negotiation:
        client, call = self._host.options, self._options
        trickle = client.trickle_ice if call.trickle_ice is None else call.trickle_ice
        relay = client.force_relay_candidate if call.force_relay_candidate is None else call.force_relay_candidate
        prefetch = (
            client.prefetch_ice_candidates if call.prefetch_ice_candidates is None else call.prefetch_ice_candidates
        )
        config = PeerConfig(
            role="offer" if role == "offer" else "answer",
            ice_servers=ice_servers_for(client, call),
            force_relay=relay,
            prefetch=prefetch,
            trickle=trickle and self._host.trickles,
            send_audio=call.audio is not False,
            receive_audio=call.audio is not False or call.receive_only_audio,
            preferred_codecs=call.preferred_codecs,
            use_stereo=call.use_stereo,
            max_kbps=call.max_kbps,
            muted=self.muted,
            deaf=self.deaf,
            max_bit_rate=self._max_bit_rate,
            renews=None if renews is None else renews.media,
        )
        if complete:  # CALL-535: an attach never trickles
            config = evolve(config, trickle=False)
        self._opened = True
        media = self._host.new_media(self._call)
        self._watcher.peer_opened(media, config)
        return Negotiation(
            self._call,
            media,
            config,
            window,
            self._source,
            {} if isinstance(call.audio, bool) else call.audio,
            self._host.timers,
            self._host.act,
            None if renews is None else renews.path,
        )


def _transport(sdp: str) -> tuple[str, ...]:
    """The lines that name an ICE and DTLS transport; equal lines, same transport (RFC 8839, RFC 8122)."""
    marks = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:")
    return tuple(sorted({line.strip() for line in sdp.splitlines() if line.startswith(marks)}))
