"""The client's half of one signalling session, and all of its calls: the single door of the core.

*Mutate, drain, wait.* After any method that takes ``now``: take every `next_action` and perform it at once, in order;
then sleep until `next_timeout` or until there is a fact. Nothing here knows a clock, a socket or dice of its own.
"""

from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import islice
from random import Random
from typing import Literal

from attrs import evolve

from telnyx_core._call.call import LOST, UNREACHABLE, Call, dialled_options, inbound_options
from telnyx_core._call.microphone import SOURCE_ERRORS
from telnyx_core._call.tombstones import Tombstones
from telnyx_core._options.address import parse_address
from telnyx_core._options.values import read_custom_headers
from telnyx_core._reports.log_book import CommonLog
from telnyx_core._reports.segment import ReportHome
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.connection import Connection
from telnyx_core._signalling.identity import CallMarker, Identity
from telnyx_core._signalling.requests import Pending, Purpose, new_uuid
from telnyx_core._signalling.url import http_url
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_LIVE_CALLS
from telnyx_core._time.timers import Timer, TimerKey, TimerTable
from telnyx_core._wire.codec import Request, ServerError
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core._wire.redaction import Redactor
from telnyx_core.actions import (
    DEFAULT_TONE,
    DIGITS,
    FLASH,
    Action,
    DigitsVia,
    DigitTone,
    Done,
    Notify,
    Outcome,
    Remember,
    Settle,
    UploadReport,
    WriteDebug,
)
from telnyx_core.catalogue import ErrorCode, WarningCode, make_error, make_warning
from telnyx_core.errors import Failure, FailureKind, InvalidCallParameters, InvalidCallState, NotConnected, NotReady
from telnyx_core.events import (
    AiConversation,
    CallInfo,
    Cause,
    Direction,
    ErrorRaised,
    FrameIgnored,
    ServerEvent,
    WarningRaised,
)
from telnyx_core.facts import (
    AudioBroke,
    BinaryReceived,
    Fact,
    NetworkChanged,
    RecordingFault,
    SocketClosed,
    SocketOpened,
    SocketRefused,
    TextReceived,
)
from telnyx_core.ids import CallId, MediaId, Ticket
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader
from telnyx_core.states import CallState, SessionState

_MOST_OTHERS = 16
"""A warning names so many calls: enough to see which they are, and no more work with a thousand of them."""
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
    }
)
"""Deadlines for something that the server, the network or the media engine was to say."""
_MEDIA_TIMERS = frozenset({Timer.GATHER_WINDOW, Timer.GATHER_SAFETY})


class Session:
    def __init__(self, options: ClientOptions, *, rng: Random, remembered: JsonView | None = None) -> None:
        self._rng = rng
        self._now = float("-inf")
        self._actions: deque[Action] = deque()
        self._timers = TimerTable()
        self._calls: dict[CallId, Call] = {}
        self._media: dict[MediaId, Call] = {}
        self._tombstones = Tombstones.none()
        self._redactor = Redactor()
        self._redactor.learn(options.password, options.login_token, *_credentials(options))
        self.common_log = CommonLog(options.debug_log_level, options.debug_log_max_entries)
        self._marked: dict[CallId, CallMarker] = {}
        """The calls that can be attached: a server of this family forgets those that were never answered.

        Each is held as it is remembered, because all of them are listed whenever one changes.
        """
        self._tickets = 0
        self._media_count = 0
        self._link = Connection(
            options, rng=rng, timers=self._timers, identity=Identity.recalled(remembered), owner=self
        )

    # Looking.

    @property
    def state(self) -> SessionState:
        return self._link.state

    @property
    def options(self) -> ClientOptions:
        return self._link.options

    @property
    def connected(self) -> bool:
        """The socket is open (SIG-423)."""
        return self._link.connected

    @property
    def ready(self) -> bool:
        """Registered on this socket: calls can be made."""
        return self._link.usable

    @property
    def session_id(self) -> str | None:
        return self._link.identity.session_id

    @property
    def redactor(self) -> Redactor:
        """Takes this client's secrets out of what is written down, also where the server quotes them."""
        identity = self._link.identity
        self._redactor.learn_ids(identity.voice_sdk_id, identity.session_id)
        return self._redactor

    @property
    def region(self) -> str | None:
        return self._link.registrar.region

    @property
    def dc(self) -> str | None:
        return self._link.registrar.dc

    @property
    def call_report_id(self) -> str | None:
        return self._link.registrar.call_report_id

    @property
    def calls(self) -> Mapping[CallId, CallInfo]:
        """Snapshots of the calls that have not been destroyed."""
        return {ident: call.info() for ident, call in self._calls.items()}

    def call(self, call: CallId) -> CallInfo:
        return self._find(call).info()

    def unwritten_debug(self) -> tuple[WriteDebug, ...]:
        """What would go into debug files if everything ended now: for a process that dies (DBG-020)."""
        return tuple(action for call in self._calls.values() for action in call.unwritten_debug())

    def unsent_reports(self) -> tuple[UploadReport, ...]:
        """What the platform would never hear of the calls if everything ended now (STATS-246). Changes nothing."""
        return tuple(action for call in self._calls.values() if (action := call.unsent_report(self._now)) is not None)

    # Pulling.

    def next_action(self) -> Action | None:
        """The next order, or ``None`` when everything has been taken."""
        return self._actions.popleft() if self._actions else None

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` at the latest; ``None``: not before the next fact or command."""
        first = self._timers.next()
        return None if first is None else first[0]

    def next_timeout_reason(self) -> TimerKey | None:
        first = self._timers.next()
        return None if first is None else first[1]

    # Pushing: total, whatever the state.

    def receive(self, fact: Fact, *, now: float) -> None:
        """Take in one fact. Of a handle that has been let go it changes nothing."""
        with self._at(now) as now:
            match fact:
                case SocketOpened() | SocketRefused() | TextReceived() | BinaryReceived() | SocketClosed():
                    self._link.told(fact, now)
                case NetworkChanged(change):
                    self._link.network(change, now)
                case RecordingFault():
                    self._recording_fault(fact)
                case AudioBroke():
                    self._audio_broke(fact)
                case _:
                    call = self._media.get(fact.media)
                    if call is not None:
                        call.told(fact, now)

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due; nothing when nothing is. Late is the same as on time, once.

        Who comes very late has not listened meanwhile, and what the server said may still wait to be read: its silence
        is judged a moment later.
        """
        with self._at(now) as now:
            due = self.next_timeout()
            if due is not None and now - due > timeouts.STALL:
                self._timers.defer(_OF_SILENCE, now, now + timeouts.STALL)
            for key in self._timers.expired(now):
                self._expired(key, now)

    # Asking: `LocalProtocolError` when it cannot be done, and then nothing has changed.

    def connect(self, *, now: float) -> None:
        """Want a socket and a registration, until `disconnect` (T01 to T06)."""
        with self._at(now) as now:
            self._link.connect(now)

    def disconnect(self, *, now: float) -> None:
        """End every call, close the socket, come to rest (SIG-280). Idempotent."""
        with self._at(now) as now:
            self._link.disconnect(now)

    def leave(self, *, now: float) -> None:
        """As `disconnect`, but without a BYE: the server keeps the calls for a while (CALL-860).

        What a later process needs to come back to them is remembered (SIG-231, SIG-316); this one needs `connect`.
        """
        with self._at(now) as now:
            self._link.leave(now)

    def login(self, credentials: Mapping[str, object], *, now: float, same_user: bool = False) -> Ticket:
        """Log in anew on the live socket, or store credentials for the next (SIG-245 to SIG-249).

        ``same_user`` promises that other credentials are still the same user's, as a renewed token is: without a
        socket, the session and its calls are not given up then (SIG-235).

        Raises `InvalidCredentials` when they make no usable set (SIG-247).
        """
        options = self.options.with_credentials(credentials)
        self._redactor.learn(options.password, options.login_token)
        with self._at(now) as now:
            ticket = self._ticket()
            self._link.login.use(options, ticket, now, same_user=same_user)
            return ticket

    def switch_region(self, region: str, *, now: float) -> None:
        """Go to the signalling servers of another region: the socket is replaced, and answered calls are re-attached.

        Calls that were not answered yet end, as with every lost socket. Raises `OptionsError` for what is no region.
        """
        options = evolve(self.options, region=region)
        with self._at(now) as now:
            self._link.relocate(options, now)

    def is_registered(self, *, now: float) -> Ticket:
        """Ask the server; settled with ``{"registered": bool}``, never failed (SIG-129)."""
        with self._at(now) as now:
            ticket = self._ticket()
            self._link.ask_registered(ticket, now)
            return ticket

    def subscribe(self, channel: str, *, now: float) -> Ticket:
        """Hear the events of a channel as `ServerEvent`, until this socket ends (SIG-174, SIG-175).

        `Failed` where the server does not let this user hear it.
        """
        return self._of_channel(m.SUBSCRIBE, channel, {"eventChannel": [channel]}, now)

    def unsubscribe(self, channel: str, *, now: float) -> Ticket:
        return self._of_channel(m.UNSUBSCRIBE, channel, {"eventChannel": [channel]}, now)

    def broadcast(self, channel: str, data: JsonView, *, now: float) -> Ticket:
        """Send an event to everybody else who has subscribed to the channel (SIG-176)."""
        return self._of_channel(m.BROADCAST, channel, {"eventChannel": channel, "data": dict(data)}, now)

    def _of_channel(self, method: str, channel: str, params: JsonObject, now: float) -> Ticket:
        if not channel:
            raise ValueError("a channel has a name")
        self._require_ready()
        with self._at(now) as now:
            ticket = self._ticket()
            own: JsonObject = {"sessid": self.session_id or "", **params}
            self._link.request(Purpose.TICKET, method, own, now, ticket=ticket)
            return ticket

    def speed_test(self, size: int, *, now: float) -> Ticket:
        """Send so many bytes and be sent as many; settled with what `SpeedTestResult.from_value` reads (SIG-091).

        `Failed` after 30 s, or with the socket (SIG-094). Raises `NotConnected`, `NotReady`, `Busy` while another is
        under way or its answer is to come, and `ValueError` for a size that is not 1 to 1,048,576.
        """
        self._link.check_speed_test(size)
        self._require_ready()
        with self._at(now) as now:
            ticket = self._ticket()
            self._link.speed_test(size, ticket, now)
            return ticket

    def clear_reconnect_token(self) -> None:
        """Forget the routing token and the session id, from the next socket on (SIG-234)."""
        with self._at(self._now):  # a store hears of it at once
            self._link.identity.give_up(at_once=not self.connected)

    def new_call(self, options: CallOptions, *, now: float) -> CallId:
        """Place a call. Raises `NotConnected`, `NotReady` or `InvalidCallParameters` (CALL-130, CALL-121)."""
        self._require_ready()
        if not options.destination_number and self.options.anonymous_login is None:
            raise InvalidCallParameters("44002: destinationNumber is missing")
        if options.id is not None and options.id in self._calls:
            raise InvalidCallParameters(f"44002: a call with the id {options.id!r} exists")
        if len(self._calls) >= MAX_LIVE_CALLS:
            raise InvalidCallParameters(f"44002: {MAX_LIVE_CALLS} calls are live already")
        read_custom_headers(options.custom_headers)
        with self._at(now) as now:
            self._redactor.learn(*_credentials(options))
            ident = CallId(options.id if options.id is not None else new_uuid(self._rng))
            call = Call(ident, direction="outbound", options=options, host=self, rng=self._rng, now=now)
            self._calls[ident] = call
            self._link.liveness.talking(now)
            self._tombstones.forget(ident)
            call.announce()
            self._warn_of_others(call)
            call.dial(now)
            return ident

    def answer(self, call: CallId, *, now: float, custom_headers: tuple[CustomHeader, ...] = ()) -> None:
        """Answer an inbound call. On any other, or twice: warning 33006 and nothing else (CALL-131)."""
        found = self._live(call)
        read_custom_headers(custom_headers)
        if found.direction == "inbound":
            self._require_ready()
        with self._at(now) as now:
            twin = self._twin(found)
            if twin is not None:
                self.warn(WarningCode.DUPLICATE_INBOUND_ANSWER, call=call, details={"activeCallId": twin.id})
            else:
                found.answer(now, custom_headers)

    def hangup(
        self,
        call: CallId,
        *,
        now: float,
        cause: str | None = None,
        cause_code: int | None = None,
        sip_code: int | None = None,
        sip_reason: str | None = None,
        sip_call_id: str | None = None,
        custom_headers: tuple[CustomHeader, ...] = (),
    ) -> Ticket:
        """End, reject or cancel a call, whatever its state; settled when it is destroyed (CALL-420, CALL-390)."""
        read_custom_headers(custom_headers)
        with self._at(now) as now:
            ticket = self._ticket()
            found = self._calls.get(call)
            if found is None:
                self.settle(ticket, Done())
            elif not found.live:
                found.join_ending(ticket)
            else:
                given = {"cause": cause, "causeCode": cause_code}
                named = m.bye_cause(given, found.default_cause)
                ending = Cause(named.cause, named.cause_code, sip_code, sip_reason, sip_call_id)
                found.hangup(ending, custom_headers, ticket, now)
            return ticket

    def hold(self, call: CallId, *, now: float) -> Ticket:
        """Settled with the server's reply, or `Failed` beside error 44001 (CALL-133)."""
        return self._modify(call, "hold", now)

    def unhold(self, call: CallId, *, now: float) -> Ticket:
        return self._modify(call, "unhold", now)

    def toggle_hold(self, call: CallId, *, now: float) -> Ticket:
        return self._modify(call, "toggleHold", now)

    def dtmf(
        self,
        call: CallId,
        digits: str,
        via: DigitsVia = "info",
        *,
        duration: float | None = None,
        gap: float | None = None,
        volume: int | None = None,
        now: float,
    ) -> Ticket:
        """Send digits as an ``info`` message (CALL-135), or in the audio stream (``"rtp"``, RFC 4733).

        Pauses (``w`` half a second, ``W`` one, ``,`` two) are kept here and never sent. Where the far end takes no
        digits in the audio, as in most inbound calls, ``"rtp"`` means ``"info"``.

        `ValueError` for anything but ``0-9 * # A-D , w W`` (and ``F`` with ``"info"``), for another way than these two,
        for a sound that `DigitTone` refuses, and for any sound at all with ``"info"``: there the server decides.
        """
        if via not in ("info", "rtp"):
            raise ValueError(f"digits go by 'info' or by 'rtp', not by {via!r}")
        if not digits or not (DIGITS | FLASH if via == "info" else DIGITS).issuperset(digits):
            raise ValueError(f"not DTMF digits: {digits!r}")
        given = {"duration": duration, "gap": gap, "volume": volume}
        sound = {name: value for name, value in given.items() if value is not None}
        if sound and via != "rtp":
            raise ValueError(f"{', '.join(sound)}: only digits in the audio stream (via='rtp') have a sound of ours")
        default = DEFAULT_TONE
        tone = DigitTone(
            default.duration if duration is None else duration,
            default.gap if gap is None else gap,
            default.volume if volume is None else volume,
        )
        found = self._live(call)
        if via == "info":
            self._require_ready()
        found.require_media()
        with self._at(now) as now:
            ticket = self._ticket()
            found.dtmf(digits, via, tone, ticket, now)
            return ticket

    def message(self, call: CallId, to: str, body: str, *, now: float) -> Ticket:
        """Send text within a call (CALL-136)."""
        found = self._live(call)
        self._require_ready()
        with self._at(now) as now:
            ticket = self._ticket()
            found.message(to, body, ticket, now)
            return ticket

    def set_muted(self, call: CallId, muted: bool, *, now: float) -> None:
        """What the far end hears; allowed before there is media, kept over recovery (CALL-105)."""
        found = self._live(call)
        with self._at(now):
            found.media.set_muted(muted)

    def set_deaf(self, call: CallId, deaf: bool, *, now: float) -> None:
        found = self._live(call)
        with self._at(now):
            found.media.set_deaf(deaf)

    def set_source(self, call: CallId, source: str | None, *, now: float) -> Ticket:
        """Speak through another audio source, ``None`` for the default one, now and after a recovery (CALL-139).

        `Failed` beside warning 33009 where the call sends no audio yet, and beside 42001 to 42003 where the source
        cannot be opened; then the call goes on with the one it has.
        """
        found = self._live(call)
        with self._at(now):
            ticket = self._ticket()
            found.media.switch_source(source, ticket)
            return ticket

    def set_max_bit_rate(self, call: CallId, bits_per_second: int | None, *, now: float) -> None:
        """What the encoder may spend, now and after a recovery; ``None``: as it likes (CALL-141, MEDIA-046).

        `ValueError` for less than one.
        """
        if bits_per_second is not None and bits_per_second < 1:
            raise ValueError(f"a bit rate is at least 1, not {bits_per_second}")
        found = self._live(call)
        with self._at(now):
            found.media.set_max_bit_rate(bits_per_second)

    def restart_media(self, call: CallId, *, now: float) -> Ticket:
        """Replace the media path of a call by a new one, in place; the old one plays on until that is connected.

        Settled when it is, or `Failed` beside 47001. `InvalidCallState` before media was connected (PS-008).
        """
        found = self._live(call)
        self._require_ready()
        found.require_restart()
        with self._at(now) as now:
            ticket = self._ticket()
            found.media.restart(ticket, now)
            return ticket

    def resume_media(self, call: CallId, *, now: float) -> bool:
        """Try the microphone again after a recoverable failure; False when there is nothing to resume (MEDIA-322)."""
        with self._at(now):
            found = self._calls.get(call)
            return found is not None and found.live and found.resume_media()

    def reject_media(self, call: CallId, *, now: float) -> bool:
        with self._at(now) as now:
            found = self._calls.get(call)
            return found is not None and found.reject_media(now)

    def flush_report(self, call: CallId, *, now: float) -> None:
        """Send what there is of the call's report at once, and not only when it is time (STATS-222, ``manual``).

        Nothing is sent where there is nothing, or no place for it: then it is kept (STATS-223, STATS-244).
        """
        found = self._live(call)
        with self._at(now) as now:
            found.flush_report(now)

    def send_conversation_message(
        self, call: CallId, text: str, image_urls: tuple[str, ...] = (), *, now: float
    ) -> Ticket:
        """Text to the AI assistant of a call (AI-020)."""
        found = self._live(call)
        self._require_ready()
        with self._at(now) as now:
            ticket = self._ticket()
            found.converse(text, image_urls, ticket, now)
            return ticket

    def send_ai_item(self, item: JsonView, *, now: float) -> None:
        """A function's output, or a subscription to the audio stream, as a notification (AI-021, AI-022)."""
        if item.get("type") not in ("function_call_output", "response.audio_stream.subscribe"):
            raise ValueError(f"not an item that a client sends: {item.get('type')!r}")
        self._require_ready()
        with self._at(now):
            self._link.tell(m.AI_CONVERSATION, {"type": "conversation.item.create", "item": dict(item)})

    # What the connection asks (`connection.Owner`).

    @property
    def has_calls(self) -> bool:
        return bool(self._calls)

    @property
    def media_alive(self) -> bool:
        return any(call.live and call.media.peer is not None and call.media.peer.alive for call in self._calls.values())

    def act(self, action: Action) -> None:
        self._actions.append(action)

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
                self._server_event(params)
                self._link.acknowledge(request)
            case m.EVENT | m.WEBRTC_EVENT:
                self._channel_event(params)
            case m.AI_CONVERSATION:
                only = next(iter(self._calls)) if len(self._calls) == 1 else None
                self.act(Notify(AiConversation(params, request.voice_sdk_id, only)))
            case method if method in _CALL_MESSAGES:
                self._call_message(request, now)
            case method:
                self.act(Notify(FrameIgnored(f"unknown method {method!r}")))

    def call_replied(
        self, pending: Pending, result: JsonView, error: Failure | None, server: ServerError | None, now: float
    ) -> None:
        assert pending.call is not None, "a request of a call"
        if pending.purpose is Purpose.LATE_BYE:
            return  # said once, whatever comes of it (SIG-314)
        call = self._calls.get(pending.call)
        if call is not None:
            call.replied(pending, result, error, server, now)
        elif pending.purpose is Purpose.BYE and (error is None or error.code == -32002):
            self._tombstones.settle(pending.call, now)

    def reattached(self, sessions: tuple[str, ...], now: float) -> None:
        """Which calls the server kept over the loss (SIG-320 to SIG-328, SIG-137)."""
        kept = dict.fromkeys(entry for entry in sessions if entry != self.session_id)  # in the server's order
        for ident in kept:
            self._bye_again(CallId(ident), now)
        if sessions and not kept:
            return  # only the session id, once for each call: it says nothing of which
        for call in list(self._calls.values()):
            if not call.live or call.created_on == self.generation:
                continue
            if call.id in kept or call.attached_on == self.generation:
                call.listed(now)
            else:
                call.unlisted(now)
        for marker in self._link.identity.markers:
            if marker.id not in kept:
                self._link.identity.claim(marker.id)
                self.error(ErrorCode.SESSION_NOT_REATTACHED, call=CallId(marker.id))

    def came_back(self, now: float) -> None:
        """What was not answered is gone with its socket, whatever this message says of it or leaves out (PS-006)."""
        for call in list(self._calls.values()):
            if call.live and not call.answered and not call.on_this_socket:
                call.not_reattached(now, UNREACHABLE)

    def forgotten(self) -> None:
        """The server's session is given up: nothing of it can come back (SIG-315)."""
        self._tombstones.clear()

    def socket_lost(self, now: float, *, logged_in: bool) -> None:
        for call in list(self._calls.values()):
            call.lost(now, logged_in=logged_in)

    def saved_until(self, now: float) -> float | None:
        return max(
            (until for call in self._calls.values() if (until := call.saved_until(now)) is not None), default=None
        )

    def saw_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int, call: CallId | None) -> None:
        """LOG-012: to the log of the call that it names; one that names none is of interest to all.

        However many there are, it costs the same: a server's ping comes every few seconds.
        """
        if call is None:
            if self._calls and self.options.enable_call_reports:
                self.common_log.frame(self.wall, direction, frame, size)
            if self.options.debug:
                for each in self._calls.values():
                    each.debug_frame(direction, frame, size)
        elif (found := self._calls.get(call)) is not None:
            found.saw_frame(direction, frame, size)

    def end_calls(self, now: float, *, bye: bool) -> None:
        """End them all: with a BYE each, or, without, right now (SIG-310)."""
        for call in list(self._calls.values()):
            if call.live:
                call.purge(now, bye=bye)
            elif not bye:
                call.timed_out(Timer.BYE_GUARD, None, now)

    def leave_calls(self, now: float) -> None:
        left = list(self._marked.values())
        self._link.identity.leave(left)
        for marker in left:
            if (call := self._calls.get(CallId(marker.id))) is not None:
                call.goes_on_elsewhere()
        self.end_calls(now, bye=False)
        for marker in left:
            self._tombstones.forget(CallId(marker.id))  # it has not ended: nobody owes a BYE

    def renew_media(self, call: CallId, reason: str, now: float) -> None:
        found = self._calls.get(call)
        if found is not None and found.live:
            found.media.renew(reason, now)

    # What a call asks (`call_host.CallHost`).

    @property
    def timers(self) -> TimerTable:
        return self._timers

    @property
    def generation(self) -> int:
        return self._link.generation

    @property
    def usable(self) -> bool:
        return self._link.usable

    def unusable(self) -> Failure:
        if not self._link.connected:
            return Failure(FailureKind.NOT_CONNECTED, f"there is no open socket: the session is {self.state.value}")
        return Failure(FailureKind.NOT_READY, f"the session is not registered yet: it is {self.state.value}")

    @property
    def logged_in(self) -> bool:
        return self._link.logged_in

    @property
    def trickles(self) -> bool:
        return self._link.trickles

    @property
    def stranded(self) -> bool:
        return self.state is SessionState.AUTH_FAILED

    @property
    def wall_offset(self) -> float:
        return self._link.wall(0.0)

    @property
    def now(self) -> float:
        return self._now

    @property
    def wall(self) -> float:
        return self._link.wall(self._now)

    @property
    def report_home(self) -> ReportHome | None:
        ident, url = self.call_report_id, self._link.url
        if ident is None or not url:
            return None
        host = parse_address(url).host
        token = self._link.call_report_voice_sdk_id
        return ReportHome(http_url(url, "/call_report"), host, ident, token, self.region, self.dc)

    @property
    def last_close(self) -> SocketClosed | None:
        return self._link.last_close

    def new_media(self, call: CallId) -> MediaId:
        self._media_count += 1
        media = MediaId(self._media_count)
        self._media[media] = self._calls[call]
        return media

    def release_media(self, media: MediaId) -> None:
        self._media.pop(media, None)

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
        self._link.request(purpose, method, params, now, call=call, ticket=ticket)

    def send_unattended(self, frame: JsonObject, spare_above: int | None = None) -> bool:
        return self._link.send_unattended(frame, spare_above)

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
        found = self._calls.get(call)
        if found is not None:
            found.failed(code, original)
        event = ErrorRaised(
            error=make_error(code, original, fatal=fatal),
            session_id=self.session_id,
            call=call,
            recoverable=retry_within is not None,
            retry_deadline=None if retry_within is None else self._link.wall(now) + retry_within,
            custom_headers=() if found is None else found.info().custom_headers,
        )
        self.act(Notify(event))

    def warn(self, code: WarningCode, *, call: CallId, details: Mapping[str, Json] | None = None) -> None:
        warning = make_warning(code)
        if (found := self._calls.get(call)) is not None:
            found.warned(code)
        self.act(Notify(WarningRaised(warning=warning, session_id=self.session_id, call=call, details=details or {})))

    def media_failed(self, call: CallId, reason: str, now: float) -> None:
        self._link.liveness.media_failed(call, reason, now)

    def call_marked(self, call: CallId, *, held: bool) -> None:
        found = self._calls[call]
        marker = CallMarker(call, held, found.parties.headers, found.options.force_relay_candidate)
        if self._marked.get(call) != marker:
            self._marked[call] = marker
            self._link.identity.dirty = True

    def call_unmarked(self, call: CallId) -> None:
        if self._marked.pop(call, None) is not None:
            self._link.identity.dirty = True

    def call_ended(self, call: CallId, now: float, *, confirmed: bool) -> None:
        ended = self._calls.pop(call)
        assert ended.ended is not None, "an ended call has a cause"
        dialog: JsonObject = {"callID": call}
        self._tombstones.bury(call, ended.ended, dialog, now, owes_bye=not confirmed)
        if not self._calls:
            self._link.drained(now)

    # Inside.

    @contextmanager
    def _at(self, now: float) -> Generator[float]:
        """Time never runs backwards in here; whatever was asked ends with its values remembered."""
        self._now = now = max(now, self._now)
        yield now
        identity = self._link.identity
        if identity.dirty:
            self.act(Remember(identity.record(self._marked.values(), now, self._link.wall(now))))

    def _recording_fault(self, fact: RecordingFault) -> None:
        if fact.call in self._calls:
            unavailable = fact.kind == "unavailable"
            code = WarningCode.RECORDING_UNAVAILABLE if unavailable else WarningCode.RECORDING_BUFFER_OVERFLOW
            self.warn(code, call=fact.call, details={"reason": fact.reason} if fact.reason else None)

    def _audio_broke(self, fact: AudioBroke) -> None:
        found = self._calls.get(fact.call)
        if found is not None and found.live:
            failure = Failure(FailureKind.MEDIA, fact.reason)
            self.error(SOURCE_ERRORS[fact.fault], call=fact.call, original=failure, fatal=False)

    def _expired(self, key: TimerKey, now: float) -> None:
        timer, owner = key.timer, key.owner
        if timer in _CONNECTION_TIMERS:
            self._link.timed_out(timer, owner, now)
        elif timer in _MEDIA_TIMERS:
            assert isinstance(owner, int), "owned by a peer"
            media = MediaId(owner)
            self._media[media].timed_out(timer, media, now)
        else:
            assert isinstance(owner, str), "owned by a call"
            self._calls[CallId(owner)].timed_out(timer, None, now)

    def _invited(self, request: Request, size: int, now: float) -> None:
        """CALL-340 to CALL-342."""
        ident = m.call_id(request.params)
        if ident is None:
            self.act(Notify(FrameIgnored("an invite without a call id")))
        elif ident in self._calls:
            self._calls[ident].again(request.params)
        elif self._bye_again(ident, now) or len(self._calls) >= MAX_LIVE_CALLS or self._link.draining:
            pass
        else:
            call = self._create(ident, request.params, now)
            offer = m.offered(request.params)
            call.saw_frame("RECV", request.frame, size)  # it came before there was the call
            call.offer(offer.sdp, request.params)
            self._warn_of_others(self._calls[ident])
        self._link.acknowledge(request)

    def _attached(self, request: Request, now: float) -> None:
        """SIG-340 to SIG-345, in this order."""
        params = request.params
        ident = m.call_id(params)
        self._link.acknowledge(request)
        if ident is None or self._bye_again(ident, now, always=True):
            return
        offer = m.offered(params)
        call = self._calls.get(ident)
        if call is None:
            marked = self._link.identity.marker(ident)
            # A marked call is known, beside others too: a process may come back to two of them.
            known = marked is not None or (self._link.login.resumes and not self._calls)
            if offer.sdp is None or not known or self._link.draining:
                self.warn(WarningCode.UNKNOWN_REATTACHED_SESSION, call=ident, details={"params": dict(params)})
                self._late_bye(ident, LOST, {"callID": ident}, now)
                return
            self._link.identity.claim(ident)
            # Seen from the server, a call that this client once dialled comes in.
            dialled = params.get("display_direction") == "inbound"
            relay = None if marked is None else marked.force_relay
            direction: Direction = "outbound" if dialled else "inbound"
            call = self._create(ident, params, now, direction, force_relay=relay)
            call.rebuild(params)
            if marked is not None:
                call.media.held = marked.held
                call.parties.headers = call.parties.headers or marked.headers
            self.call_marked(ident, held=call.media.held)
        elif not call.live or call.owed or (call.attached_on == self.generation and call.state is CallState.RECOVERING):
            return  # SIG-097
        call.attach(offer, params, now)
        self._warn_of_others(call)

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
        options = inbound_options(offer, params) if direction == "inbound" else dialled_options(offer, params)
        options = evolve(options, force_relay_candidate=force_relay)
        call = Call(ident, direction=direction, options=options, host=self, rng=self._rng, now=now)
        self._calls[ident] = call
        self._link.liveness.talking(now)
        return call

    def _call_message(self, request: Request, now: float) -> None:
        ident = m.call_id(request.params)
        call = None if ident is None else self._calls.get(ident)
        if call is not None:
            call.heard(request.method, request.params, now)
            self._link.acknowledge(request)
        elif request.method in (m.BYE, m.CANDIDATE) or (ident is not None and self._tombstones.find(ident, now)):
            self._link.acknowledge(request)  # SIG-062, CALL-252: harmless, and would be repeated
        else:
            self.act(Notify(FrameIgnored(f"{request.method} for an unknown call")))

    def _server_event(self, params: JsonView) -> None:
        """SIG-164: everything is passed on, and the call named where it is known."""
        ident = m.call_id(params)
        members: JsonObject = dict(params)
        if "type" in members:
            members["originalType"] = members["type"]
        members["type"] = "event"
        self.act(Notify(ServerEvent(members, ident if ident in self._calls else None)))

    def _channel_event(self, params: JsonView) -> None:
        """SIG-172, without the conference legacy: to the call that the channel names, else as it came."""
        channel = params.get("eventChannel")
        if isinstance(channel, str) and channel in self._calls:
            self.act(Notify(ServerEvent({**params, "type": "event"}, CallId(channel))))
        elif isinstance(channel, str):
            self.act(Notify(ServerEvent(params)))
        else:
            self.act(Notify(FrameIgnored("an event without a channel")))

    def _bye_again(self, call: CallId, now: float, *, always: bool = False) -> bool:
        """The server names a call that has ended here: it is told, once (SIG-314). True: there was such a call.

        ``always``: it has the call on its hands, whatever it was told before.
        """
        stone = self._tombstones.find(call, now)
        if stone is None:
            return False
        if stone.owes_bye or always:
            self._tombstones.settle(call, now)
            self._late_bye(call, stone.cause, dict(stone.dialog), now)
        return True

    def _late_bye(self, call: CallId, cause: Cause, dialog: JsonObject, now: float) -> None:
        """An attach that is acknowledged and then ignored would leave the far end in silence (PS-005)."""
        if self._link.logged_in:
            self.request(Purpose.LATE_BYE, m.BYE, m.bye_params(cause, dialog), now, call=call)

    def _warn_of_others(self, call: Call) -> None:
        """33010, with ids only (CALL-451)."""
        if len(self._calls) < 2:
            return
        live = (other for other in self._calls.values() if other is not call and other.live)
        others: list[Json] = [_brief(other) for other in islice(live, _MOST_OTHERS)]
        if others:
            details: JsonObject = {"newCall": _brief(call), "activeCalls": others}
            self.warn(WarningCode.MULTIPLE_ACTIVE_CALLS_DETECTED, call=call.id, details=details)

    def _twin(self, call: Call) -> Call | None:
        """Another object for the same leg that is being answered or was (33007)."""
        if call.parties.leg_id is None:
            return None
        taken = (CallState.ANSWERING, CallState.ACTIVE, CallState.HELD)
        return next(
            (
                other
                for other in self._calls.values()
                if other is not call
                and other.direction == "inbound"
                and other.parties.leg_id == call.parties.leg_id
                and other.state in taken
            ),
            None,
        )

    def _modify(self, call: CallId, action: str, now: float) -> Ticket:
        found = self._live(call)
        with self._at(now) as now:
            ticket = self._ticket()
            found.modify(action, ticket, now)
            return ticket

    def _find(self, call: CallId) -> Call:
        found = self._calls.get(call)
        if found is None:
            raise InvalidCallState(f"there is no call {call!r}, or it has ended")
        return found

    def _live(self, call: CallId) -> Call:
        found = self._find(call)
        if not found.live:
            raise InvalidCallState(f"the call is ending ({found.state.value})")
        return found

    def _require_ready(self) -> None:
        if not self._link.usable:
            why = self.unusable()
            raise (NotConnected if why.kind is FailureKind.NOT_CONNECTED else NotReady)(why.text)

    def _ticket(self) -> Ticket:
        self._tickets += 1
        return Ticket(self._tickets)


def _brief(call: Call) -> JsonObject:
    brief: JsonObject = {"callId": call.id, "state": call.state.value, "direction": call.direction}
    if call.parties.session_id is not None:
        brief["telnyxSessionId"] = call.parties.session_id
    if call.parties.leg_id is not None:
        brief["telnyxLegId"] = call.parties.leg_id
    return brief


def _credentials(options: ClientOptions | CallOptions) -> tuple[str | None, ...]:
    """Of the ICE servers."""
    return tuple(server.credential for server in options.ice_servers or ())
