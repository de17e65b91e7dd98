"""One call: its dialog with the server, from the first offer to the last release (calls.md section 6).

Private: the session is the only caller. A call acts only through its `CallHost`; it knows neither the socket nor its
siblings. `MediaPath` opens and closes the media; the messages about it are sent here.
"""

from random import Random
from typing import Literal

from telnyx_core._call.causes import (
    BUSY,
    INCOMPATIBLE,
    LOST,
    NO_ANSWER,
    NORMAL,
    TEMPORARY_FAILURE,
    UNREACHABLE,
    LastDescription,
    refusal,
)
from telnyx_core._call.ending import Ending
from telnyx_core._call.hold import HoldQueue
from telnyx_core._call.info_digits import InfoDigits
from telnyx_core._call.media_path import MediaPath
from telnyx_core._call.microphone import SOURCE_ERRORS, MicrophoneRecovery, Phase
from telnyx_core._call.negotiation import (
    CandidateReady,
    CandidatesEnded,
    GatheringSlow,
    LocalFailed,
    Progress,
    RemoteFailed,
    RemoteInPlace,
    SdpReady,
    SourceFailed,
    SourceReady,
    Unconnected,
)
from telnyx_core._call.parties import Parties
from telnyx_core._call.recording import CallRecording
from telnyx_core._call.renewal import RenewalPhase
from telnyx_core._call.retention import Retention, Unattached
from telnyx_core._call_host import CallHost
from telnyx_core._quality.establishment_marks import Mark
from telnyx_core._quality.watch import QualityWatch
from telnyx_core._reports.segment import Segment
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import Pending, Purpose, new_uuid
from telnyx_core._time import timeouts
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import ServerError, description, string, words
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import (
    DigitsVia,
    DigitTone,
    Notify,
    StartTone,
    StopTone,
    ToneKind,
    WriteDebug,
)
from telnyx_core.catalogue import ErrorCode, WarningCode, make_error
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import (
    CallInfo,
    CallUpdated,
    Cause,
    Direction,
    MediaRecovery,
    ParticipantData,
    ToneChanged,
    UserMediaError,
)
from telnyx_core.facts import MediaFact, PeerStateChanged, SourceFault, StatsTaken
from telnyx_core.ids import CallId, MediaId, Ticket
from telnyx_core.options import CallOptions, CustomHeader
from telnyx_core.states import ESTABLISHED, LIVE, CallInput, CallState, move_call
from telnyx_core.stats.timings import EstablishmentTimings

_STAGE_ERRORS = {
    "create_offer": ErrorCode.SDP_CREATE_OFFER_FAILED,
    "create_answer": ErrorCode.SDP_CREATE_ANSWER_FAILED,
    "set_local": ErrorCode.SDP_SET_LOCAL_DESCRIPTION_FAILED,
    "other": ErrorCode.UNEXPECTED_ERROR,
}
_PRE_ANSWER = frozenset({CallState.REQUESTING, CallState.TRYING, CallState.RINGING})
_OWED = frozenset({CallState.NEW, CallState.REQUESTING, CallState.ANSWERING})
"""States in which a request of ours is unanswered, or about to be sent."""


class Call:
    def __init__(
        self, ident: CallId, *, direction: Direction, options: CallOptions, host: CallHost, rng: Random, now: float
    ) -> None:
        self.id = ident
        self.direction: Direction = direction
        self.options = options
        self.state = CallState.NEW
        self.previous = CallState.NEW
        self.answered = False
        self.retention = Retention(ident, host)
        self.parties = Parties(ident, options)
        self._host = host
        self._rng = rng
        self._recovered = False
        self.known = direction == "inbound"
        """The server knows of this call."""
        self._remote_offer: str | None = None
        self._answer_requested = False
        self._early = False
        self._far_answer = False
        self._tone: ToneKind | None = None
        self.microphone = MicrophoneRecovery(host.options.media_permissions_recovery.enabled)
        self._holds = HoldQueue(ident, host, self.dialog)
        self._digits = InfoDigits(ident, host, self.dialog)
        self._far_sdp: str | None = None
        """The far end's last description. It shows whether telephone-event was negotiated (RFC 4733)."""
        self._described = LastDescription()
        self._quality = QualityWatch(ident, direction, options, host, rng)
        self.media = MediaPath(ident, options, host, self._quality)
        self.recording = CallRecording(ident, host)
        self._ending: Ending | None = None
        """Not ``None``: the call is over, and not yet destroyed."""

    # Looking.

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def ended(self) -> Cause | None:
        return None if self._ending is None else self._ending.cause

    def info(self) -> CallInfo:
        options, parties, states = self.options, self.parties, self.media.states
        return CallInfo(
            id=self.id,
            state=self.state,
            previous=self.previous,
            direction=self.direction,
            destination_number=options.destination_number,
            caller_name=options.caller_name,
            caller_number=options.caller_number,
            remote_caller_name=options.remote_caller_name,
            remote_caller_number=options.remote_caller_number or options.destination_number,
            custom_headers=parties.headers,
            client_state=parties.client_state,
            telnyx_call_control_id=parties.call_control_id,
            telnyx_session_id=parties.session_id,
            telnyx_leg_id=parties.leg_id,
            muted=self.media.muted,
            deaf=self.media.deaf,
            answered=self.answered,
            extension=parties.extension,
            variables=parties.variables,
            recovered_call_id=self.id if self._recovered else None,
            ended=self.ended,
            connection_state=states.connection,
            ice_connection_state=states.ice_connection,
            ice_gathering_state=states.ice_gathering,
            signaling_state=states.signaling,
        )

    @property
    def owed(self) -> bool:
        """A request of ours is unanswered, or about to be sent, and its outcome decides about the call.

        So no attach is taken, because only one negotiation may be open (SIG-144), and a lost socket ends the call,
        because the reply can no longer come (CALL-511).
        """
        return self.state in _OWED

    def saved_until(self, now: float) -> float | None:
        """When the server forgets the call if its socket is lost now, or was lost before; ``None``: it does not keep
        the call.
        """
        return self.retention.until(now) if self.live and self.answered else None

    @property
    def held(self) -> bool:
        return self.media.held

    @property
    def default_cause(self) -> Cause:
        """Depends on whether the call was ever answered, not on its state: RECOVERING does not tell that (CALL-401)."""
        return NORMAL if self.answered else BUSY

    # Beginning.

    def dial(self, now: float) -> None:
        if self.options.setup_timeout is not None:
            self._host.timers.set(Timer.SETUP, now + self.options.setup_timeout, self.id)
        self.media.open_offer(now)

    def offer(self, sdp: str | None, control: JsonView) -> None:
        """The server offers an inbound call with ``invite`` (CALL-340)."""
        self._remote_offer = self._far_sdp = sdp
        self.parties.take_ids(control)
        self.announce()
        self.move(CallInput.OFFERED)
        self._start_tone("ringtone")

    def rebuild(self, control: JsonView) -> None:
        """The server attaches a call that this process never knew (CALL-533)."""
        self.known = True
        self.parties.take_ids(control)
        self.answered = True
        self._holds.in_doubt()

    # Commands. The session has checked that the call is live.

    def answer(self, now: float, headers: tuple[CustomHeader, ...]) -> None:
        if (
            self.direction == "outbound"
            or self.state is not CallState.RINGING
            or self._answer_requested
            or self.media.peer is not None
        ):
            self._host.warn(WarningCode.ANSWER_WHILE_PEER_ACTIVE, call=self.id)
            return
        if headers:
            self.parties.headers = headers
        self._answer_requested = True
        self._quality.mark(Mark.ANSWER_CALLED)
        self._stop_tone()
        if self._remote_offer is None:
            self._host.timers.set(Timer.AWAIT_REMOTE, now + timeouts.AWAIT_REMOTE, self.id)
        else:
            self.media.open_answer(self._remote_offer, now)

    def hangup(self, cause: Cause, headers: tuple[CustomHeader, ...], ticket: Ticket, now: float) -> None:
        self.parties.headers += headers
        self.end(cause, now, ticket=ticket)

    def join_ending(self, ticket: Ticket) -> None:
        """A second hang-up waits for the first (CALL-390)."""
        assert self._ending is not None, "the call is not live"
        self._ending.tickets.append(ticket)

    def modify(self, action: str, ticket: Ticket, now: float) -> None:
        """`hold`, `unhold`, `toggleHold`: one at a time, in order (CALL-133, CALL-134)."""
        self._holds.ask(action, ticket)
        self._next_hold(now)

    def dtmf(self, digits: str, via: DigitsVia, tone: DigitTone, ticket: Ticket, now: float) -> None:
        if via == "rtp" and self.digits_in_audio:
            self.media.send_digits(digits, tone, ticket)
        else:
            self._digits.ask(digits, ticket, now)

    @property
    def digits_in_audio(self) -> bool:
        """Whether digits can go in the audio. The platform negotiates no telephone-event for inbound calls, so there a
        digit in the audio would be lost (PS-021).
        """
        return self._far_sdp is None or "m=audio " not in self._far_sdp or "telephone-event/" in self._far_sdp

    def message(self, to: str, body: str, ticket: Ticket, now: float) -> None:
        text: JsonObject = {"from": self._host.options.login or "", "to": to, "body": body}
        self._request(Purpose.TICKET, m.INFO, {"msg": text, "dialogParams": self.dialog()}, now, ticket)

    def converse(self, text: str, images: tuple[str, ...], ticket: Ticket, now: float) -> None:
        params = m.conversation_params(new_uuid(self._rng), text, images)
        self._request(Purpose.TICKET, m.AI_CONVERSATION, params, now, ticket)

    def resume_media(self) -> bool:
        """Open the refused source again (MEDIA-313)."""
        if self.media.peer is None or not self.microphone.resume():
            return False
        self._host.timers.stop(Timer.MEDIA_RECOVERY, self.id)
        self.media.peer.retry_source()
        return True

    def reject_media(self, now: float) -> bool:
        return self._give_up_media("rejected by the application", now)

    # What the server says.

    def heard(self, method: str, params: JsonView, now: float) -> None:
        """A message for this call, also while it is ending (CALL-393)."""
        if not self.live:
            # Both sides hung up at once: the server's BYE confirms the end as well as a reply to ours.
            if method == m.BYE and self._ending is not None:
                self._ending.destroy(now, confirmed=True)
            return
        self._quality.heard(method)
        match method:
            case m.RINGING:
                self._remote_ringing(params)
            case m.MEDIA:
                self._remote_media(params, now)
            case m.ANSWER:
                self._remote_answer(params, now)
            case m.BYE:
                self._remote_bye(params, now)
            case m.DISPLAY:
                self._display(params)
            case m.CANDIDATE:
                self._candidate(params)
            case m.END_OF_CANDIDATES:
                self.media.add_remote_candidate("", None, 0)
            case _:
                raise AssertionError(f"not a message of a call: {method}")

    def again(self, params: JsonView) -> None:
        """The same invite once more: only new ids are taken, and no second call object is made (CALL-341)."""
        if self.parties.take_ids(params):
            self.announce()

    def attach(self, offer: m.Offered, params: JsonView, now: float) -> None:
        """The server offers new media for this call (SIG-341, CALL-530 to CALL-539)."""
        timers = self._host.timers
        self.retention.named()
        if offer.sdp is None:
            self.retain(now)
            return
        self.retention.attached()
        self.parties.take_offer(offer, params)
        self._remote_offer = self._far_sdp = offer.sdp
        timers.stop(Timer.MEDIA_RECOVERY, self.id)  # the refused source belonged to the old answer
        self.microphone.phase = Phase.IDLE
        if self.state is CallState.RINGING and self.direction == "inbound":
            self.move(CallInput.REOFFERED)
            if self._answer_requested:
                timers.stop(Timer.AWAIT_REMOTE, self.id)
                self.media.restart_answer(offer.sdp, now)
            return
        self._holds.fail_all(Failure(FailureKind.STALE_REQUEST, "the call is attached anew"))
        self.media.suspended()
        self._recovered = True
        self._stop_tone()
        self.move(CallInput.REATTACHED)
        self.retention.bound(now)
        keep = self._host.options.keep_connection_alive_on_socket_close
        peer = self.media.peer
        # The peer is still connected to the transport that is offered again: its own description answers the offer once
        # more, and the audio is not interrupted.
        if keep and peer is not None and peer.local_sdp is not None and self.media.same_transport(offer.sdp):
            self._send_description(m.ATTACH, Purpose.ATTACH, peer.local_sdp, now, trickle=False)
        else:
            self.media.open_attach(offer.sdp, now)

    def listed(self, now: float) -> None:
        """The server says that it kept this call."""
        self.retention.listed(now, plays=self._plays)

    def unlisted(self, now: float) -> None:
        """The list of kept calls does not name this call."""
        self._unattached(self.retention.unlisted(now), now)

    def unnamed(self, now: float) -> None:
        """The server does not say which calls it kept."""
        if self.state is CallState.RECOVERING:
            self.retention.unnamed(now, plays=self._plays)

    # Replies. `error` says why a request failed; `result` is the server's result if it did not.

    def replied(
        self, pending: Pending, result: JsonView, error: Failure | None, server: ServerError | None, now: float
    ) -> None:
        match pending.purpose:
            case Purpose.BYE:
                assert self._ending is not None, "a BYE was sent"
                self._ending.bye_replied(error, now)
            case _ if not self.live:
                pass  # its tickets were settled when it ended
            case Purpose.DIGITS:
                assert pending.ticket is not None, "asked for by a command"
                self._digits.replied(pending.ticket, result, error)
            case Purpose.HOLD:
                self._hold_replied(result, error, now)
            case Purpose.RENEW:
                self._renew_replied(result, error, now)
            case Purpose.INVITE:
                if error is not None:
                    self._send_failed(error, server, now)
                elif self.state is CallState.REQUESTING:
                    self.move(CallInput.INVITE_ACCEPTED)
            case Purpose.ANSWER | Purpose.ATTACH:
                if error is not None:
                    self._send_failed(error, server, now, default=refusal(server))
                elif self.state in (CallState.ANSWERING, CallState.RECOVERING):
                    self._activate(now)
            case _:
                raise AssertionError(f"not a request of a call: {pending.purpose.value}")

    # What the media engine says.

    def handle_fact(self, fact: MediaFact, now: float) -> None:
        self._quality.handle_fact(fact)
        if isinstance(fact, StatsTaken):
            self._reading_taken(fact, now)
        elif self.live:
            self._progress(self.media.handle_fact(fact, now), fact.media, now)
            if isinstance(fact, PeerStateChanged) and fact.state == "connected":
                self._next_hold(now)

    def timed_out(self, timer: Timer, media: MediaId | None, now: float) -> None:
        match timer:
            case Timer.BYE_GUARD:
                assert self._ending is not None, "a BYE was sent"
                self._ending.destroy(now, confirmed=False)
            case Timer.DIGITS:
                self._digits.due(now)
            case Timer.STATS:
                self._quality.due(self.media.peer, now)
            case Timer.LAST_READING:
                self._close_media(now)
            case Timer.SETUP:
                self.end(NO_ANSWER, now)
            case Timer.AWAIT_REMOTE:
                self.end(INCOMPATIBLE, now)
            case Timer.MEDIA_RECOVERY:
                self._give_up_media("no answer from the application in time", now)
            case Timer.ATTACH_WAIT:
                self._unattached(self.retention.unattached(now, plays=self._plays), now)
            case Timer.ORPHAN:
                self._unattached(self.retention.orphaned(now), now)
            case Timer.HOLD_AGAIN:
                self._next_hold(now)
            case Timer.RECORDING:
                self.recording.due()
            case _:
                self._progress(self.media.timed_out(timer, media, now), media, now)
                self._next_hold(now)

    # What its report will say.

    def warned(self, code: WarningCode) -> None:
        self._quality.warned(code)

    def failed(self, code: ErrorCode, original: Failure | None) -> None:
        self._quality.failed(code, original)

    def unwritten_debug(self) -> tuple[WriteDebug, ...]:
        return self._quality.unwritten_debug()

    def unsent_report(self, now: float) -> Segment | None:
        return self._quality.unsent(self.info(), now)

    def flush_report(self, now: float) -> None:
        self._quality.flush_now(self.info(), now)

    def handed_over(self) -> None:
        """The server keeps the call for a later process: what is reported here is not its end."""
        self._quality.goes_on = True

    def saw_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int) -> None:
        self._quality.saw_frame(direction, frame, size)

    def debug_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int) -> None:
        self._quality.debug_frame(direction, frame, size)

    # What happens to the session.

    def lost(self, now: float, *, logged_in: bool) -> None:
        """The socket is lost (CALL-510 to CALL-512)."""
        stale = Failure(FailureKind.STALE_REQUEST, "the socket was lost")
        self._host.timers.stop(Timer.ATTACH_WAIT, self.id)
        if self._ending is not None:
            self._ending.bye_replied(stale, now)
            return
        if self.owed:
            self._host.error(ErrorCode.SDP_SEND_FAILED, call=self.id, original=stale)
            self.end(TEMPORARY_FAILURE, now, bye=False, confirmed=not self.known)
            return
        self._digits.fail_all(stale)
        if not self.options.recover:
            self.end(UNREACHABLE, now, bye=False)  # The server ends such a call, too, and sends no BYE for it (PS-007).
            return
        self._holds.fail_all(stale)
        self.media.suspended()
        self._quality.socket_lost(self.info(), now)
        self.retention.lost(now, logged_in=logged_in)
        if self.state in ESTABLISHED:
            self.move(CallInput.LOST)

    def retain(self, now: float) -> None:
        """Keep the call and its peer as they are: the server kept both and offers no new media (CALL-517, CALL-539)."""
        if self.state is not CallState.RECOVERING:
            return
        if not self.answered:  # no media to continue with: it waits for another attach, for a limited time
            self.retention.bound(now)
            return
        self._host.timers.stop(Timer.ORPHAN, self.id)
        self.move(CallInput.HELD if self.media.held else CallInput.RETAINED)
        self.media.established(now)
        self._next_hold(now)

    def _unattached(self, outcome: Unattached, now: float) -> None:
        match outcome:
            case Unattached.KEPT:
                self.retain(now)
            case Unattached.WAITING:
                pass
            case Unattached.GIVEN_UP:
                self.not_reattached(now)

    def not_reattached(self, now: float, cause: Cause = LOST) -> None:
        """Report error 48501, then end the call (SIG-311, CALL-372).

        A BYE is sent now if the server may hold the call; one that it did not list is sent it once it names the call.
        """
        self._host.error(ErrorCode.SESSION_NOT_REATTACHED, call=self.id)
        self.end(cause, now, bye=self.retention.kept_here, confirmed=False)

    def purge(self, now: float, *, bye: bool) -> None:
        """The session ends (CALL-370, CALL-371). Without a BYE the server may still hold the call (SIG-314)."""
        self.end(self.default_cause if bye else TEMPORARY_FAILURE, now, bye=bye, purge=True, confirmed=False)

    def end(
        self,
        cause: Cause,
        now: float,
        *,
        bye: bool = True,
        purge: bool = False,
        confirmed: bool = True,
        explained: bool = False,
        ticket: Ticket | None = None,
    ) -> None:
        """End the call from our side.

        ``confirmed=False`` says of an end without BYE that the server may still hold the call; ``explained`` that an
        error was reported for it; ``ticket`` is settled once the call is destroyed.
        """
        if self.live:
            tickets = () if ticket is None else (ticket,)
            self._ending = Ending(self, self._host, cause, *tickets, explained=explained)
            self._ending.by_us(now, bye=bye, purge=purge, confirmed=confirmed)

    # Inside.

    @property
    def timings(self) -> EstablishmentTimings:
        return self._quality.timings

    def announce(self) -> None:
        self._host.act(Notify(CallUpdated(self.info())))

    def move(self, given: CallInput) -> None:
        state = move_call(self.state, given)
        if state is not self.state:
            self.previous, self.state = self.state, state
            self._quality.moved(self.previous, state)
            if state in ESTABLISHED and self.options.recover:
                self._host.call_marked(self.id, held=state is CallState.HELD)
            elif state is CallState.HANGUP:
                self._host.call_ending(self.id)
            self.recording.moved(state)
            self.announce()

    def _progress(self, steps: tuple[Progress, ...], media: MediaId | None, now: float) -> None:
        for step in steps:
            if not self.live:
                return
            match step:
                case SdpReady(sdp, only_host):
                    self._described.only_host = only_host
                    if only_host:
                        self._host.warn(WarningCode.ONLY_HOST_ICE_CANDIDATES, call=self.id)
                    self._describe(sdp, media, now)
                case CandidateReady(found):
                    if self._host.logged_in and self._host.trickles:
                        self._request(Purpose.UNATTENDED, m.CANDIDATE, m.candidate_params(self.id, found), now)
                case CandidatesEnded(only_host):
                    if only_host:
                        self._host.warn(WarningCode.ONLY_HOST_ICE_CANDIDATES, call=self.id)
                    if self._host.logged_in and self._host.trickles:
                        params: JsonObject = {"endOfCandidates": True, "dialogParams": {"callID": self.id}}
                        self._request(Purpose.UNATTENDED, m.END_OF_CANDIDATES, params, now)
                case GatheringSlow(some):
                    code = WarningCode.ICE_GATHERING_TIMEOUT if some else WarningCode.ICE_GATHERING_EMPTY
                    self._host.warn(code, call=self.id)
                case SourceReady():
                    if self.microphone.finish():
                        self._host.act(Notify(MediaRecovery(self.id, recovered=True)))
                case SourceFailed(fault, reason):
                    self._source_failed(fault, reason, now)
                case LocalFailed(stage, reason):
                    self._fail(_STAGE_ERRORS[stage], reason, now)
                case RemoteInPlace("answer"):
                    self._answer_in_place(now)
                case RemoteInPlace():
                    pass
                case RemoteFailed(_, reason):
                    self._fail(ErrorCode.SDP_SET_REMOTE_DESCRIPTION_FAILED, reason, now)
                case Unconnected():
                    reason = "no connection to the media of the far end came about"
                    self._host.error(
                        ErrorCode.UNEXPECTED_ERROR, call=self.id, original=Failure(FailureKind.MEDIA, reason)
                    )
                    self.end(UNREACHABLE, now)

    def _describe(self, sdp: str, media: MediaId | None, now: float) -> None:
        """A local description is ready: its peer and the state of the call decide which message carries it.

        Where no message can be sent any more, the loss of the socket follows and decides about the call (`lost`).
        """
        renewing, peer = self.media.renewing, self.media.peer
        if not self._host.logged_in:
            return
        if renewing is not None and renewing.media == media:
            params: JsonObject = {
                "action": "updateMedia",
                "callID": self.id,
                "sdp": sdp,
                "dialogParams": self.dialog(),
            }
            if renewing.config.trickle:
                params["trickle"] = True
            self._request(Purpose.RENEW, m.MODIFY, params, now)
        elif self.state is CallState.NEW:
            self.move(CallInput.INVITE_SENT)
            self.known = True
            self._send_description(m.INVITE, Purpose.INVITE, sdp, now, trickle=peer is not None and peer.config.trickle)
        elif self.state is CallState.RECOVERING:
            # An answer to the offer of an earlier socket would be refused, and end the call: the next offer is coming.
            if self.retention.attached_here:
                self._send_description(m.ATTACH, Purpose.ATTACH, sdp, now, trickle=False)
        elif self.state is CallState.RINGING and self._host.usable:
            self.move(CallInput.ANSWER_SENT)
            self._send_description(m.ANSWER, Purpose.ANSWER, sdp, now, trickle=peer is not None and peer.config.trickle)

    def _send_description(self, method: str, purpose: Purpose, sdp: str, now: float, *, trickle: bool) -> None:
        self._quality.mark(Mark.SEND_SDP)
        self._described.sent = now
        dialog = self.parties.dialog(self._host.options, attach=method == m.ATTACH)
        self._request(purpose, method, m.description_params(sdp, dialog, trickle=trickle), now)

    def _remote_ringing(self, params: JsonView) -> None:
        changed = self.parties.take_ids(params)
        if self.direction == "outbound" and self.state in (CallState.REQUESTING, CallState.TRYING):
            self.move(CallInput.REMOTE_RINGING)
            if not self._early:
                self._start_tone("ringback")
        elif changed:
            self.announce()

    def _remote_media(self, params: JsonView, now: float) -> None:
        sdp = description(params)
        changed = self.parties.take_ids(params)
        if sdp is not None and self.direction == "outbound" and self.state in _PRE_ANSWER and not self._remote_used:
            self._early = True
            self._apply_answer(sdp)
        elif (
            sdp is not None
            and self.direction == "inbound"
            and self.state is CallState.RINGING
            and self.media.peer is None
        ):
            self._remote_offer = self._far_sdp = sdp
            if self._answer_requested:
                self._host.timers.stop(Timer.AWAIT_REMOTE, self.id)
                self.media.open_answer(sdp, now)
        if changed:
            self.announce()

    def _remote_answer(self, params: JsonView, now: float) -> None:
        sdp = description(params)
        changed = self.parties.take_ids(params)
        # Early media has already brought the description: the answer says only that the call is answered.
        if self.direction == "outbound" and self.state is CallState.EARLY:
            self._stop_tone()
            self._activate(now)
            return
        if self.direction == "outbound" and self.state in _PRE_ANSWER and not self._far_answer:
            self._stop_tone()
            if self._early:
                self._far_answer = True
            elif sdp is not None:
                self._far_answer = True
                self._apply_answer(sdp)
            else:
                self._fail(ErrorCode.SDP_SET_REMOTE_DESCRIPTION_FAILED, "the answer came without a description", now)
                return
        if changed:
            self.announce()

    @property
    def _remote_used(self) -> bool:
        return self._early or self._far_answer

    def _apply_answer(self, sdp: str) -> None:
        assert self.media.peer is not None, "an invite was sent, so there is a peer"
        self._far_sdp = sdp
        self.media.peer.apply_answer(sdp)

    def _answer_in_place(self, now: float) -> None:
        if self.state not in _PRE_ANSWER:
            return
        if self._early:
            self.move(CallInput.EARLY_MEDIA)
            self._stop_tone()
        if self._far_answer:
            self._activate(now)

    def _remote_bye(self, params: JsonView, now: float) -> None:
        self.parties.client_state = m.client_state(params) or self.parties.client_state
        self.parties.headers += m.custom_headers(params)
        cause = m.bye_cause(params, self.default_cause)
        self._ending = Ending(self, self._host, cause)
        # Cause 88 before the answer may mean that only private addresses were offered. The cause does not say so, and
        # without the error the application could not know what to change.
        if cause.cause_code == INCOMPATIBLE.cause_code and not self.answered:
            refused = Failure(FailureKind.MEDIA, "the server found no media that both sides can use")
            if (why := self._described.explained(refused, now)) is not refused:
                self._host.error(ErrorCode.SDP_SEND_FAILED, call=self.id, original=why)
        self._ending.by_server(now)

    def _display(self, params: JsonView) -> None:
        number = words(params, "display_number")
        heading = string(params, "display_direction") or ""
        # The server names the direction as it sees it, which is the opposite of ours.
        direction = {"inbound": "outbound", "outbound": "inbound"}.get(heading, heading)
        self._host.act(Notify(ParticipantData(self.id, words(params, "display_name") or "", number or "", direction)))
        if number is not None and number != self.parties.extension:
            self.parties.extension = number
            self.announce()

    def _candidate(self, params: JsonView) -> None:
        candidate = string(params, "candidate") or ""
        index = params.get("sdpMLineIndex")
        valid = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 32
        self.media.add_remote_candidate(
            candidate.removeprefix("a="), string(params, "sdpMid"), index if valid and isinstance(index, int) else 0
        )

    def _activate(self, now: float) -> None:
        self._host.timers.stop(Timer.SETUP, self.id)
        self._host.timers.stop(Timer.ORPHAN, self.id)
        self.answered = True
        self.move(CallInput.HELD if self.state is CallState.RECOVERING and self.media.held else CallInput.ANSWERED)
        self.media.established(now)
        self._quality.mark(Mark.CALL_ACTIVE)
        self._quality.start(self.media.peer, now)
        self._next_hold(now)

    def _source_failed(self, fault: SourceFault, reason: str, now: float) -> None:
        code = SOURCE_ERRORS[fault]
        failure = Failure(FailureKind.MEDIA, reason)
        peer = self.media.peer
        answering = peer is not None and peer.config.role == "answer"
        if answering and self.microphone.refused():
            timeout = self._host.options.media_permissions_recovery.timeout
            self._host.timers.set(Timer.MEDIA_RECOVERY, now + timeout, self.id)
            self._host.error(code, call=self.id, original=failure, fatal=False, retry_within=timeout, now=now)
            return
        if self.microphone.finish():
            self._host.act(Notify(MediaRecovery(self.id, recovered=False, reason=reason)))
        self._media_refused(code, failure, now)

    def _give_up_media(self, reason: str, now: float) -> bool:
        if not self.live or not self.microphone.give_up():
            return False
        self._host.timers.stop(Timer.MEDIA_RECOVERY, self.id)
        self._host.act(Notify(MediaRecovery(self.id, recovered=False, reason=reason)))
        self._media_refused(ErrorCode.MEDIA_GET_USER_MEDIA_FAILED, Failure(FailureKind.MEDIA, reason), now)
        return True

    def _media_refused(self, code: ErrorCode, failure: Failure, now: float) -> None:
        self._host.error(code, call=self.id, original=failure)
        self._host.act(Notify(UserMediaError(self.id, make_error(code, failure))))
        self.end(self.default_cause, now)

    def _fail(self, code: ErrorCode, reason: str, now: float) -> None:
        """Media cannot be negotiated. The caller must not be told that we are busy, so the cause is 88 (PS-027)."""
        self._host.error(code, call=self.id, original=Failure(FailureKind.MEDIA, reason))
        self.end(INCOMPATIBLE, now)

    def _send_failed(
        self, error: Failure, server: ServerError | None, now: float, *, default: Cause | None = None
    ) -> None:
        """Report error 40005, then end the call with the server's cause if it gave one (CALL-317, CALL-349, CALL-384).

        A request without any reply ends the call as lost (cause 102).
        """
        if default is INCOMPATIBLE:
            error = self._described.explained(error, now)
        self._host.error(ErrorCode.SDP_SEND_FAILED, call=self.id, original=error)
        default = default or TEMPORARY_FAILURE
        if error.kind is FailureKind.REQUEST_TIMEOUT:
            default = LOST
        self.end(default if server is None else m.bye_cause(server.members, default), now, explained=True)

    def _next_hold(self, now: float) -> None:
        """Send the next hold command; not while a renewal awaits its reply: one ``modify`` at a time (CALL-134)."""
        if self.state in ESTABLISHED and self.can_send and self.media.renewal.phase is not RenewalPhase.WAITING:
            self._holds.next(now, held=self.media.held, connected=self.media.reached)

    @property
    def can_send(self) -> bool:
        """Requests about this call can be sent now: once registered, or before that on a socket where the server has
        named the call (SIG-082).
        """
        return self._host.usable or (self._host.logged_in and self.retention.named_here)

    def _hold_replied(self, result: JsonView, error: Failure | None, now: float) -> None:
        before = self.media.held
        held = self.media.held = self._holds.replied(result, error, now, held=before)
        if held != before:
            self._quality.held_changed()
        if held and self.state is CallState.ACTIVE:
            self.move(CallInput.HELD)
        elif not held and self.state is CallState.HELD:
            self.move(CallInput.UNHELD)
        if error is None or error.kind is not FailureKind.REQUEST_TIMEOUT:  # a timeout costs the socket (SIG-066)
            self._next_hold(now)

    def _renew_replied(self, result: JsonView, error: Failure | None, now: float) -> None:
        sdp = description(result)
        if error is None and sdp is not None:
            self.media.renewal_answered(sdp, now)
        else:
            self.media.renewal_failed(error or Failure(FailureKind.PROTOCOL, "the reply has no description"), now)
        self._next_hold(now)

    # Ending.

    def release(self, now: float, *, reading: bool) -> None:
        """Stop everything that the call holds, before its final events. A ``reading`` keeps the peer a bit longer."""
        self._stop_tone()
        self._host.timers.stop_all(self.id)
        self.microphone.finish()
        self._answer_requested = False
        if not self._quality.ending(self.media.peer if reading else None, now):
            self.media.close()
        self._holds.drop_all(Failure(FailureKind.CALL_ENDED, "the call ended"))
        self._digits.fail_all(Failure(FailureKind.CALL_ENDED, "the call ended"))

    def _reading_taken(self, fact: StatsTaken, now: float) -> None:
        if self._media_in_use != fact.media:
            return
        if self.live:
            watched = self.state in ESTABLISHED and self.media.renewal.idle
            if self._quality.taken(fact.reading, self.info(), now, held=self.held, watched=watched):
                self.media.media_missing(now)
        else:
            self._quality.taken_last(fact.reading, now, muted=self.media.muted)
            self._close_media(now)

    def _close_media(self, now: float) -> None:
        """The last reading has arrived, or its time is over (STATS-013)."""
        self._host.timers.stop(Timer.LAST_READING, self.id)
        self.media.close()
        assert self._ending is not None, "the reading of a call that is over"
        self._ending.reading_over(now)

    def destroyed(self, now: float) -> None:
        self.media.close()
        self._host.timers.stop_all(self.id)
        self._quality.finish(self.info(), now)
        self.move(CallInput.ENDED)
        self._quality.upload(self.info(), now)

    # Small things.

    @property
    def _plays(self) -> bool:
        """Media may still flow."""
        return self.media.peer is not None and self.media.peer.alive

    @property
    def _media_in_use(self) -> MediaId | None:
        return None if self.media.peer is None else self.media.peer.media

    def _request(
        self, purpose: Purpose, method: str, params: JsonObject, now: float, ticket: Ticket | None = None
    ) -> None:
        self._host.request(purpose, method, params, now, call=self.id, ticket=ticket)

    def dialog(self) -> JsonObject:
        return self.parties.dialog_params(self._host.options)

    def _start_tone(self, tone: ToneKind) -> None:
        self._tone = tone
        self._host.act(StartTone(self.id, tone))
        self._host.act(Notify(ToneChanged(self.id, tone, "start")))

    def _stop_tone(self) -> None:
        if self._tone is not None:
            tone, self._tone = self._tone, None
            self._host.act(StopTone(self.id, tone))
            self._host.act(Notify(ToneChanged(self.id, tone, "stop")))
