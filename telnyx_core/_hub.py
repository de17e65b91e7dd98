"""The state of a session and what its connection and its calls ask of it: the one place where they meet.

`telnyx_core.session.Session` is the door to it. The connection sees it as `Owner`, a call as `CallHost`.
"""

from collections import deque
from collections.abc import Mapping
from itertools import islice
from random import Random
from typing import Literal

from attrs import evolve

from telnyx_core._assistant import Conversation
from telnyx_core._call.call import Call
from telnyx_core._call.causes import LOST, UNREACHABLE
from telnyx_core._call.microphone import SOURCE_ERRORS
from telnyx_core._call.offered import offered_options
from telnyx_core._call.tombstones import Tombstones
from telnyx_core._options.address import parse_address
from telnyx_core._reports.log_book import CommonLog
from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.connection import Connection
from telnyx_core._signalling.identity import CallMarker, Identity
from telnyx_core._signalling.requests import Pending, Purpose
from telnyx_core._signalling.url import http_url
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_LIVE_CALLS
from telnyx_core._time.timers import Timer, TimerKey, TimerTable
from telnyx_core._uploads import Key, Part, UploadQueues
from telnyx_core._wire.codec import Request, ServerError
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core._wire.redaction import Redactor
from telnyx_core.actions import (
    Action,
    Notify,
    Outcome,
    Remember,
    Settle,
)
from telnyx_core.catalogue import ErrorCode, WarningCode, make_error, make_warning
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import (
    AiConversation,
    Cause,
    DigitReceived,
    Direction,
    ErrorRaised,
    FrameIgnored,
    ServerEvent,
    TranscriptItem,
    TranscriptUpdated,
    WarningRaised,
)
from telnyx_core.facts import (
    AudioBroke,
    BinaryReceived,
    DigitSensed,
    Fact,
    NetworkChanged,
    PostAnswered,
    PostFailed,
    RecordingFault,
    SocketClosed,
    SocketOpened,
    SocketRefused,
    TextReceived,
    TokenProvided,
    TokenRefused,
    UploadWritten,
)
from telnyx_core.ids import CallId, MediaId, Ticket
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.states import CallState, SessionState
from telnyx_core.stats.latency import Latency

_MOST_OTHERS = 16
"""A warning lists at most so many calls: enough to see which they are, at the same cost with a thousand of them."""
_CALL_MESSAGES = frozenset({m.RINGING, m.MEDIA, m.ANSWER, m.DISPLAY, m.BYE, m.CANDIDATE, m.END_OF_CANDIDATES})
_CONNECTION_TIMERS = frozenset(
    {
        Timer.CLOSE_SAFETY,
        Timer.CONNECT_TIMEOUT,
        Timer.REQUEST,
        Timer.DISCONNECT_BYE,
        Timer.HEALTH_CHECK,
        Timer.KEEPALIVE,
        Timer.REGISTRATION_WATCH,
        Timer.REG_POLL,
        Timer.GATEWAY_RETRY,
        Timer.RECONNECT,
        Timer.TOKEN_EXPIRY,
        Timer.TOKEN_ASK,
        Timer.LOGIN_AGAIN,
        Timer.SPEED_TEST,
    }
)
_OF_SILENCE = frozenset(
    {
        Timer.CLOSE_SAFETY,
        Timer.CONNECT_TIMEOUT,
        Timer.REQUEST,
        Timer.DISCONNECT_BYE,
        Timer.HEALTH_CHECK,
        Timer.BYE_GUARD,
        Timer.ATTACH_WAIT,
        Timer.ORPHAN,
        Timer.DISCONNECTED_GRACE,
        Timer.CONNECT_LIMIT,
        Timer.RENEW_LIMIT,
        Timer.RENEW_VERIFY,
        Timer.SPEED_TEST,
        Timer.UPLOAD_LIMIT,
    }
)
"""Deadlines by which the server, the network or the media engine should have answered."""
_MEDIA_TIMERS = frozenset({Timer.GATHER_WINDOW, Timer.GATHER_SAFETY})
_UPLOAD_TIMERS = frozenset({Timer.UPLOAD_LIMIT, Timer.UPLOAD_AGAIN, Timer.UPLOADS_END})


class _Input:
    """What `Hub.at` gives: a generator would cost as much as what a small frame is about."""

    __slots__ = ("_hub",)

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub

    def __enter__(self) -> float:
        return self._hub.now

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._hub.done()


class Hub:
    def __init__(self, options: ClientOptions, *, rng: Random, remembered: JsonView | None = None) -> None:
        self.rng = rng
        self._now = float("-inf")
        self._input = _Input(self)
        self.actions: deque[Action] = deque()
        self.timers = TimerTable()
        self.calls: dict[CallId, Call] = {}
        self.media: dict[MediaId, Call] = {}
        self.conversation = Conversation()
        self.tombstones = Tombstones.none()
        self.uploads = UploadQueues(self.act, self.timers)
        self._redactor = Redactor()
        self._redactor.learn(options.password, options.login_token, *credentials(options))
        self.common_log = CommonLog(options.debug_log_level, options.debug_log_max_entries)
        self.marked: dict[CallId, CallMarker] = {}
        """The calls that can be attached later: a FreeSWITCH server forgets those that were never answered.

        Each is held as it is remembered, because all of them are listed whenever one changes.
        """
        self._tickets = 0
        self._media_count = 0
        self.link = Connection(options, rng=rng, timers=self.timers, identity=Identity.recalled(remembered), owner=self)

    # What it is.

    @property
    def state(self) -> SessionState:
        return self.link.state

    @property
    def options(self) -> ClientOptions:
        return self.link.options

    @property
    def connected(self) -> bool:
        """The socket is open (SIG-423)."""
        return self.link.connected

    @property
    def session_id(self) -> str | None:
        return self.link.identity.session_id

    @property
    def redactor(self) -> Redactor:
        """Takes this client's secrets out of what is written down, also where the server quotes them."""
        identity = self.link.identity
        self._redactor.learn_ids(identity.voice_sdk_id, identity.session_id)
        return self._redactor

    @property
    def region(self) -> str | None:
        return self.link.registrar.region

    @property
    def dc(self) -> str | None:
        return self.link.registrar.dc

    @property
    def call_report_id(self) -> str | None:
        return self.link.registrar.call_report_id

    @property
    def latency(self) -> Latency | None:
        return self.link.liveness.monitor.latency

    # What comes from outside.

    def receive(self, fact: Fact, now: float) -> None:
        match fact:
            case SocketOpened() | SocketRefused() | TextReceived() | BinaryReceived() | SocketClosed():
                self.link.handle_fact(fact, now)
            case NetworkChanged(change):
                self.link.network(change, now)
            case RecordingFault():
                self._recording_fault(fact)
            case AudioBroke():
                self._audio_broke(fact)
            case UploadWritten() | PostAnswered() | PostFailed():
                self.uploads.handle_fact(fact, now)
            case TokenProvided() | TokenRefused():
                self.link.token_came(fact, now)
            case DigitSensed():
                if fact.call in self.calls:
                    self.act(Notify(DigitReceived(fact.call, fact.digit, fact.duration, via="audio")))
            case _:
                call = self.media.get(fact.media)
                if call is not None:
                    call.handle_fact(fact, now)

    def handle_timeout(self, now: float) -> None:
        first = self.timers.next()
        if first is not None and now - first[0] > timeouts.STALL:
            self.timers.defer(_OF_SILENCE, now, now + timeouts.STALL)
        for key in self.timers.expired(now):
            self._expired(key, now)

    # What the connection asks (`connection.Owner`).

    @property
    def has_calls(self) -> bool:
        return bool(self.calls)

    @property
    def media_alive(self) -> bool:
        return any(call.live and call.media.peer is not None and call.media.peer.alive for call in self.calls.values())

    def act(self, action: Action) -> None:
        self.actions.append(action)

    def report_error(self, code: ErrorCode, *, original: Failure | None = None, fatal: bool | None = None) -> None:
        self.act(Notify(ErrorRaised(error=make_error(code, original, fatal=fatal), session_id=self.session_id)))

    def report_warning(self, code: WarningCode, details: JsonView) -> None:
        self.act(Notify(WarningRaised(warning=make_warning(code), session_id=self.session_id, details=details)))

    def server_said(self, request: Request, size: int, now: float) -> None:
        params = request.params
        match request.method:
            case m.INVITE:
                self._invited(request, size, now)
            case m.ATTACH:
                self._attached(request, now)
            case m.INFO:
                self._server_event(request)
                self.link.acknowledge(request)
            case m.EVENT | m.WEBRTC_EVENT:
                self._channel_event(params)
            case m.AI_CONVERSATION:
                only = next(iter(self.calls)) if len(self.calls) == 1 else None
                self.act(Notify(AiConversation(params, request.voice_sdk_id, only)))
                self._said(self.conversation.heard(params, self.wall), only)
            case method if method in _CALL_MESSAGES:
                self._call_message(request, now)
            case method:
                self.act(Notify(FrameIgnored(f"unknown method {method!r}")))

    def call_replied(
        self, pending: Pending, result: JsonView, error: Failure | None, server: ServerError | None, now: float
    ) -> None:
        assert pending.call is not None, "a request of a call"
        if pending.purpose is Purpose.LATE_BYE:
            return  # a late BYE is sent once, and its reply changes nothing (SIG-314)
        call = self.calls.get(pending.call)
        if call is not None:
            call.replied(pending, result, error, server, now)
        elif pending.purpose is Purpose.BYE and (error is None or error.code == -32002):
            self.tombstones.settle(pending.call, now)

    def reattached(self, sessions: tuple[str, ...] | None, now: float) -> None:
        """Which calls the server kept over the loss (SIG-320 to SIG-328, SIG-137)."""
        kept = dict.fromkeys(entry for entry in sessions or () if entry != self.session_id)  # in the server's order
        for ident in kept:
            self._bye_again(CallId(ident), now)
        if sessions is None or (sessions and not kept):  # no list, or only the session id, once for each call
            for call in self.calls.values():
                call.unnamed(now)
            return
        for call in list(self.calls.values()):
            if not call.live or call.retention.created_here:
                continue
            if call.id in kept or call.retention.attached_here:
                call.listed(now)
            else:
                call.unlisted(now)
        for marker in self.link.identity.markers:
            if marker.id not in kept:
                self.link.identity.claim(marker.id)
                self.error(ErrorCode.SESSION_NOT_REATTACHED, call=CallId(marker.id))

    def came_back(self, now: float) -> None:
        """The server is ready again. It ended the unanswered calls with their socket, listed here or not (PS-006)."""
        for call in list(self.calls.values()):
            if call.live and not call.answered and not call.retention.settled_here:
                call.not_reattached(now, UNREACHABLE)

    def begun(self) -> None:
        self.uploads.stay()

    def rested(self) -> None:
        self.uploads.leave(self._now)

    def forgotten(self) -> None:
        """The server's session is given up, so none of its calls can come back (SIG-315)."""
        self.tombstones.clear()

    def socket_lost(self, now: float, *, logged_in: bool) -> None:
        for call in list(self.calls.values()):
            call.lost(now, logged_in=logged_in)

    def saved_until(self, now: float) -> float | None:
        return max(
            (until for call in self.calls.values() if (until := call.saved_until(now)) is not None), default=None
        )

    def saw_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int, call: CallId | None) -> None:
        """Log a frame: to the call that it names, or once to the log that all calls share (LOG-012).

        Without ``debug`` the cost does not grow with the number of calls: a server's ping comes every few seconds.
        """
        if call is None:
            if self.calls and self.options.enable_call_reports:
                self.common_log.frame(self.wall, direction, frame, size)
            if self.options.debug:
                for each in self.calls.values():
                    each.debug_frame(direction, frame, size)
        elif (found := self.calls.get(call)) is not None:
            found.saw_frame(direction, frame, size)

    def end_calls(self, now: float, *, bye: bool) -> None:
        """End all calls: each with a BYE, or without one and at once (SIG-310)."""
        for call in list(self.calls.values()):
            if call.live:
                call.purge(now, bye=bye)
            elif not bye:
                call.timed_out(Timer.BYE_GUARD, None, now)

    def leave_calls(self, now: float) -> None:
        left = list(self.marked.values())
        self.link.identity.leave(left)
        for marker in left:
            if (call := self.calls.get(CallId(marker.id))) is not None:
                call.handed_over()
        self.end_calls(now, bye=False)
        for marker in left:
            self.tombstones.forget(CallId(marker.id))  # it continues at the server, so no BYE is owed

    def renew_media(self, call: CallId, reason: str, now: float) -> None:
        found = self.calls.get(call)
        if found is not None and found.live:
            found.media.renew(reason, now)

    # What a call asks (`call_host.CallHost`).

    @property
    def generation(self) -> int:
        return self.link.generation

    @property
    def usable(self) -> bool:
        return self.link.usable

    def unusable(self) -> Failure:
        if not self.link.connected:
            return Failure(FailureKind.NOT_CONNECTED, f"there is no open socket: the session is {self.state.value}")
        return Failure(FailureKind.NOT_READY, f"the session is not registered yet: it is {self.state.value}")

    @property
    def logged_in(self) -> bool:
        return self.link.logged_in

    @property
    def trickles(self) -> bool:
        return self.link.trickles

    @property
    def login_refused(self) -> bool:
        return self.state is SessionState.AUTH_FAILED

    @property
    def wall_offset(self) -> float:
        return self.link.wall(0.0)

    @property
    def now(self) -> float:
        return self._now

    @property
    def wall(self) -> float:
        return self.link.wall(self._now)

    @property
    def report_home(self) -> ReportEndpoint | None:
        ident, url = self.call_report_id, self.link.url
        if ident is None or not url:
            return None
        host = parse_address(url).host
        token = self.link.call_report_voice_sdk_id
        return ReportEndpoint(http_url(url, "/call_report"), host, ident, token, self.region, self.dc)

    @property
    def last_close(self) -> SocketClosed | None:
        return self.link.last_close

    def new_media(self, call: CallId) -> MediaId:
        self._media_count += 1
        media = MediaId(self._media_count)
        self.media[media] = self.calls[call]
        return media

    def release_media(self, media: MediaId) -> None:
        self.media.pop(media, None)

    def request(
        self,
        purpose: Purpose,
        method: str,
        params: JsonObject,
        now: float,
        *,
        call: CallId,
        ticket: Ticket | None = None,
    ) -> None:
        self.link.request(purpose, method, params, now, call=call, ticket=ticket)

    def send_unattended(self, frame: JsonObject, drop_if_backlog_over: int | None = None) -> bool:
        return self.link.send_unattended(frame, drop_if_backlog_over)

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        self.act(Settle(ticket, outcome))

    def error(
        self,
        code: ErrorCode,
        *,
        call: CallId,
        original: Failure | None = None,
        fatal: bool | None = None,
        retry_within: float | None = None,
        now: float = 0.0,
    ) -> None:
        found = self.calls.get(call)
        if found is not None:
            found.failed(code, original)
        event = ErrorRaised(
            error=make_error(code, original, fatal=fatal),
            session_id=self.session_id,
            call=call,
            recoverable=retry_within is not None,
            retry_deadline=None if retry_within is None else self.link.wall(now) + retry_within,
            custom_headers=() if found is None else found.info().custom_headers,
        )
        self.act(Notify(event))

    def warn(self, code: WarningCode, *, call: CallId, details: Mapping[str, Json] | None = None) -> None:
        warning = make_warning(code)
        if (found := self.calls.get(call)) is not None:
            found.warned(code)
        self.act(Notify(WarningRaised(warning=warning, session_id=self.session_id, call=call, details=details or {})))

    def upload(self, part: Part) -> None:
        self.uploads.add(part, self._now)

    def uploading(self, queue: Key) -> bool:
        return self.uploads.has(queue)

    def media_failed(self, call: CallId, reason: str, now: float) -> None:
        self.link.liveness.media_failed(call, reason, now)

    def call_marked(self, call: CallId, *, held: bool) -> None:
        found = self.calls[call]
        marker = CallMarker(call, held, found.parties.headers, found.options.force_relay_candidate)
        if self.marked.get(call) != marker:
            self.marked[call] = marker
            self.link.identity.dirty = True

    def call_ending(self, call: CallId) -> None:
        if self.marked.pop(call, None) is not None:
            self.link.identity.dirty = True
        if not any(each.live for each in self.calls.values()):
            self._said(self.conversation.end(), call)

    def call_ended(self, call: CallId, now: float, *, confirmed: bool) -> None:
        ended = self.calls.pop(call)
        assert ended.ended is not None, "an ended call has a cause"
        dialog: JsonObject = {"callID": call}
        self.tombstones.bury(call, ended.ended, dialog, now, owes_bye=not confirmed)
        if not self.calls:
            self.link.drained(now)

    def add(self, call: Call) -> None:
        """A call begins; its conversation with an assistant is a new one, unless the login joins one (AI-034)."""
        if not self.calls and self.conversation_id is None:
            self.conversation.clear()
        self.calls[call.id] = call

    @property
    def conversation_id(self) -> str | None:
        target = self.options.anonymous_login
        given = None if target is None or target.target_params is None else target.target_params.get("conversation_id")
        return given if isinstance(given, str) else None

    # Inside.

    def _said(self, changed: list[TranscriptItem], call: CallId | None) -> None:
        for item in changed:
            self.act(Notify(TranscriptUpdated(item, self.conversation.transcript, call)))

    def at(self, now: float) -> "_Input":
        """The time of one input: it never runs backwards. Afterwards the values for a later process are stored."""
        self._now = max(now, self._now)
        return self._input

    def done(self) -> None:
        identity = self.link.identity
        if identity.dirty:
            self.act(Remember(identity.record(self.marked.values(), self._now, self.link.wall(self._now))))

    def _recording_fault(self, fact: RecordingFault) -> None:
        if fact.call in self.calls:
            unavailable = fact.kind == "unavailable"
            if unavailable:
                self.calls[fact.call].recording.unavailable()
            code = WarningCode.RECORDING_UNAVAILABLE if unavailable else WarningCode.RECORDING_BUFFER_OVERFLOW
            self.warn(code, call=fact.call, details={"reason": fact.reason} if fact.reason else None)

    def _audio_broke(self, fact: AudioBroke) -> None:
        found = self.calls.get(fact.call)
        if found is not None and found.live:
            failure = Failure(FailureKind.MEDIA, fact.reason)
            self.error(SOURCE_ERRORS[fact.fault], call=fact.call, original=failure, fatal=False)

    def _expired(self, key: TimerKey, now: float) -> None:
        timer, owner = key.timer, key.owner
        if timer in _CONNECTION_TIMERS:
            self.link.timed_out(timer, owner, now)
        elif timer in _MEDIA_TIMERS:
            assert isinstance(owner, int), "owned by a peer"
            media = MediaId(owner)
            self.media[media].timed_out(timer, media, now)
        elif timer in _UPLOAD_TIMERS:
            self.uploads.timed_out(timer, owner, now)
        else:
            assert isinstance(owner, str), "owned by a call"
            self.calls[CallId(owner)].timed_out(timer, None, now)

    def _invited(self, request: Request, size: int, now: float) -> None:
        """An ``invite`` makes a new call. A repeated one only adds ids, and one without a call id is ignored, because
        the server would not know an id of our own making (CALL-340 to CALL-342).
        """
        ident = request.call
        if ident is None:
            self.act(Notify(FrameIgnored("an invite without a call id")))
        elif ident in self.calls:
            self.calls[ident].again(request.params)
        elif self._bye_again(ident, now) or len(self.calls) >= MAX_LIVE_CALLS or self.link.draining:
            pass
        else:
            call = self._create(ident, request.params, now)
            offer = m.offered(request.params)
            call.saw_frame("RECV", request.frame, size)  # the frame came before its call existed
            call.offer(offer.sdp, request.params)
            self.warn_of_others(self.calls[ident])
        self.link.acknowledge(request)

    def _attached(self, request: Request, now: float) -> None:
        """An ``attach``, judged in this order (SIG-340 to SIG-345): a call that ended here gets its BYE; a call of an
        earlier process is rebuilt; an unknown one is refused; a live one takes the new offer.
        """
        params = request.params
        ident = request.call
        self.link.acknowledge(request)
        if ident is None or self._bye_again(ident, now, always=True):
            return
        offer = m.offered(params)
        call = self.calls.get(ident)
        if call is None:
            marked = self.link.identity.marker(ident)
            # A call with a marker is known even if other calls exist: a process may come back to two calls.
            known = marked is not None or (self.link.login.resumes and not self.calls)
            if offer.sdp is None or not known or self.link.draining:
                self.warn(WarningCode.UNKNOWN_REATTACHED_SESSION, call=ident, details={"params": dict(params)})
                self._late_bye(ident, LOST, {"callID": ident}, now)
                return
            self.link.identity.claim(ident)
            # The server sees the direction from its side: a call that this client dialled is inbound there.
            dialled = params.get("display_direction") == "inbound"
            relay = None if marked is None else marked.force_relay
            direction: Direction = "outbound" if dialled else "inbound"
            call = self._create(ident, params, now, direction, force_relay=relay)
            call.rebuild(params)
            if marked is not None:
                call.media.held = marked.held
                call.parties.headers = call.parties.headers or marked.headers
            self.call_marked(ident, held=call.media.held)
        elif not call.live or call.owed or (call.retention.attached_here and call.state is CallState.RECOVERING):
            return  # A second attach during the recovery would start a second negotiation (SIG-097).
        call.attach(offer, params, now)
        self.warn_of_others(call)

    def _create(
        self,
        ident: CallId,
        params: JsonView,
        now: float,
        direction: Direction = "inbound",
        *,
        force_relay: bool | None = None,
    ) -> Call:
        offer = m.offered(params)
        options = evolve(offered_options(offer, params, direction), force_relay_candidate=force_relay)
        call = Call(ident, direction=direction, options=options, host=self, rng=self.rng, now=now)
        self.add(call)
        self.link.liveness.talking(now)
        return call

    def _call_message(self, request: Request, now: float) -> None:
        ident = request.call
        call = None if ident is None else self.calls.get(ident)
        if call is not None:
            call.heard(request.method, request.params, now)
            self.link.acknowledge(request)
        elif request.method in (m.BYE, m.CANDIDATE) or (ident is not None and self.tombstones.find(ident, now)):
            self.link.acknowledge(request)  # without it the server would repeat the message (SIG-062, CALL-252)
        else:
            self.act(Notify(FrameIgnored(f"{request.method} for an unknown call")))

    def _server_event(self, request: Request) -> None:
        """Pass every event on to the application, with its call if that is known (SIG-164)."""
        ident = request.call
        members: JsonObject = dict(request.params)
        if "type" in members:
            members["originalType"] = members["type"]
        members["type"] = "event"
        self.act(Notify(ServerEvent(members, ident if ident in self.calls else None)))

    def _channel_event(self, params: JsonView) -> None:
        """Pass a channel event on: with the call that the channel names, else unchanged (SIG-172). Conferences of the
        old API are not supported.
        """
        channel = params.get("eventChannel")
        if isinstance(channel, str) and channel in self.calls:
            self.act(Notify(ServerEvent({**params, "type": "event"}, CallId(channel))))
        elif isinstance(channel, str):
            self.act(Notify(ServerEvent(params)))
        else:
            self.act(Notify(FrameIgnored("an event without a channel")))

    def _bye_again(self, call: CallId, now: float, *, always: bool = False) -> bool:
        """The server names a call that has ended here: send it a BYE, once (SIG-314). True: there was such a call.

        ``always``: the server still holds the call, so a BYE is sent even if the end was confirmed before.
        """
        stone = self.tombstones.find(call, now)
        if stone is None:
            return False
        if stone.owes_bye or always:
            self.tombstones.settle(call, now)
            self._late_bye(call, stone.cause, dict(stone.dialog), now)
        return True

    def _late_bye(self, call: CallId, cause: Cause, dialog: JsonObject, now: float) -> None:
        """Send a BYE for a call that is over here: only acknowledged, its far end would stay in silence (PS-005)."""
        if self.link.logged_in:
            self.request(Purpose.LATE_BYE, m.BYE, m.bye_params(cause, dialog), now, call=call)

    def warn_of_others(self, call: Call) -> None:
        """Warn of more than one call (33010), with ids only: names and numbers would be personal data (CALL-451)."""
        if len(self.calls) < 2:
            return
        live = (other for other in self.calls.values() if other is not call and other.live)
        others: list[Json] = [_brief(other) for other in islice(live, _MOST_OTHERS)]
        if others:
            details: JsonObject = {"newCall": _brief(call), "activeCalls": others}
            self.warn(WarningCode.MULTIPLE_ACTIVE_CALLS_DETECTED, call=call.id, details=details)

    def twin(self, call: Call) -> Call | None:
        """Another object for the same leg that is being answered or was (33007)."""
        if call.parties.leg_id is None:
            return None
        taken = (CallState.ANSWERING, CallState.ACTIVE, CallState.HELD)
        return next(
            (
                other
                for other in self.calls.values()
                if other is not call
                and other.direction == "inbound"
                and other.parties.leg_id == call.parties.leg_id
                and other.state in taken
            ),
            None,
        )

    def ticket(self) -> Ticket:
        self._tickets += 1
        return Ticket(self._tickets)


def _brief(call: Call) -> JsonObject:
    brief: JsonObject = {"callId": call.id, "state": call.state.value, "direction": call.direction}
    if call.parties.session_id is not None:
        brief["telnyxSessionId"] = call.parties.session_id
    if call.parties.leg_id is not None:
        brief["telnyxLegId"] = call.parties.leg_id
    return brief


def credentials(options: ClientOptions | CallOptions) -> tuple[str | None, ...]:
    """The credentials of the ICE servers."""
    return tuple(server.credential for server in options.ice_servers or ())
