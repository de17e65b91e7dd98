"""The client's half of one signalling session, and all of its calls: the single door of the core.

*Mutate, drain, wait.* After any method that takes ``now``: take every `next_action` and perform it at once, in order;
then sleep until `next_timeout` or until there is a fact. Nothing here knows a clock, a socket or dice of its own.
"""

from collections.abc import Mapping
from random import Random

from attrs import evolve

from telnyx_core._call.call import Call
from telnyx_core._hub import Hub, credentials
from telnyx_core._options.values import read_custom_headers
from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import Purpose, new_uuid
from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_LIVE_CALLS
from telnyx_core._time.timers import Timer, TimerKey
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core._wire.redaction import Redactor
from telnyx_core.actions import (
    DEFAULT_TONE,
    DIGITS,
    FLASH,
    Action,
    DigitsVia,
    DigitTone,
    Done,
    UploadReport,
    WriteDebug,
)
from telnyx_core.catalogue import WarningCode
from telnyx_core.errors import FailureKind, InvalidCallParameters, InvalidCallState, NotConnected, NotReady
from telnyx_core.events import (
    CallInfo,
    Cause,
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
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader
from telnyx_core.states import SessionState

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


class Session:
    def __init__(self, options: ClientOptions, *, rng: Random, remembered: JsonView | None = None) -> None:
        self._hub = Hub(options, rng=rng, remembered=remembered)

    # Looking.

    @property
    def state(self) -> SessionState:
        return self._hub.state

    @property
    def options(self) -> ClientOptions:
        return self._hub.options

    @property
    def connected(self) -> bool:
        """The socket is open."""
        return self._hub.connected

    @property
    def ready(self) -> bool:
        """Registered on this socket: calls can be made."""
        return self._hub.link.usable

    @property
    def session_id(self) -> str | None:
        return self._hub.session_id

    @property
    def redactor(self) -> Redactor:
        """Takes this client's secrets out of what is written down, also where the server quotes them."""
        return self._hub.redactor

    @property
    def region(self) -> str | None:
        return self._hub.region

    @property
    def dc(self) -> str | None:
        return self._hub.dc

    @property
    def call_report_id(self) -> str | None:
        return self._hub.call_report_id

    @property
    def calls(self) -> Mapping[CallId, CallInfo]:
        """Snapshots of the calls that have not been destroyed."""
        return {ident: call.info() for ident, call in self._hub.calls.items()}

    def call(self, call: CallId) -> CallInfo:
        return self._find(call).info()

    @property
    def report_home(self) -> ReportEndpoint | None:
        """Where the reports of this session's calls are uploaded; ``None`` before the login has named it."""
        return self._hub.report_home

    def unwritten_debug(self) -> tuple[WriteDebug, ...]:
        """What would go into debug files if everything ended now: for a process that dies."""
        return tuple(action for call in self._hub.calls.values() for action in call.unwritten_debug())

    def unsent_reports(self) -> tuple[UploadReport, ...]:
        """What the platform would never hear of the calls if everything ended now. Changes nothing."""
        now = self._hub.now
        return tuple(action for call in self._hub.calls.values() if (action := call.unsent_report(now)) is not None)

    # Pulling.

    def next_action(self) -> Action | None:
        """The next order, or ``None`` when everything has been taken."""
        return self._hub.actions.popleft() if self._hub.actions else None

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` at the latest; ``None``: not before the next fact or command."""
        first = self._hub.timers.next()
        return None if first is None else first[0]

    def next_timeout_reason(self) -> TimerKey | None:
        first = self._hub.timers.next()
        return None if first is None else first[1]

    # Pushing: total, whatever the state.

    def receive(self, fact: Fact, *, now: float) -> None:
        """Take in one fact. Of a handle that has been let go it changes nothing."""
        with self._hub.at(now) as now:
            match fact:
                case SocketOpened() | SocketRefused() | TextReceived() | BinaryReceived() | SocketClosed():
                    self._hub.link.handle_fact(fact, now)
                case NetworkChanged(change):
                    self._hub.link.network(change, now)
                case RecordingFault():
                    self._hub.recording_fault(fact)
                case AudioBroke():
                    self._hub.audio_broke(fact)
                case _:
                    call = self._hub.media.get(fact.media)
                    if call is not None:
                        call.handle_fact(fact, now)

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due; nothing when nothing is. Late is the same as on time, once.

        Who comes very late has not listened meanwhile, and what the server said may still wait to be read: its silence
        is judged a moment later.
        """
        with self._hub.at(now) as now:
            due = self.next_timeout()
            if due is not None and now - due > timeouts.STALL:
                self._hub.timers.defer(_OF_SILENCE, now, now + timeouts.STALL)
            for key in self._hub.timers.expired(now):
                self._hub.expired(key, now)

    # Asking: `LocalProtocolError` when it cannot be done, and then nothing has changed.

    def connect(self, *, now: float) -> None:
        """Want a socket and a registration, until `disconnect` (T01 to T06)."""
        with self._hub.at(now) as now:
            self._hub.link.connect(now)

    def disconnect(self, *, now: float) -> None:
        """End every call, close the socket, come to rest. Idempotent."""
        with self._hub.at(now) as now:
            self._hub.link.disconnect(now)

    def leave(self, *, now: float) -> None:
        """As `disconnect`, but without a BYE: the server keeps the calls for a while.

        What a later process needs to come back to them is remembered; this one needs `connect`.
        """
        with self._hub.at(now) as now:
            self._hub.link.leave(now)

    def login(self, credentials: Mapping[str, object], *, now: float, same_user: bool = False) -> Ticket:
        """Log in anew on the live socket, or store credentials for the next.

        ``same_user`` promises that other credentials are still the same user's, as a renewed token is: without a
        socket, the session and its calls are not given up then.

        Raises `InvalidCredentials` when they make no usable set.
        """
        options = self.options.with_credentials(credentials)
        self._hub.redactor.learn(options.password, options.login_token)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._hub.link.login.use(options, ticket, now, same_user=same_user)
            return ticket

    def switch_region(self, region: str, *, now: float) -> None:
        """Go to the signalling servers of another region: the socket is replaced, and answered calls are re-attached.

        Calls that were not answered yet end, as with every lost socket. Raises `OptionsError` for what is no region.
        """
        options = evolve(self.options, region=region)
        with self._hub.at(now) as now:
            self._hub.link.relocate(options, now)

    def is_registered(self, *, now: float) -> Ticket:
        """Ask the server; settled with ``{"registered": bool}``, never failed."""
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._hub.link.ask_registered(ticket, now)
            return ticket

    def subscribe(self, channel: str, *, now: float) -> Ticket:
        """Hear the events of a channel as `ServerEvent`, until this socket ends.

        `Failed` where the server does not let this user hear it.
        """
        return self._of_channel(m.SUBSCRIBE, channel, {"eventChannel": [channel]}, now)

    def unsubscribe(self, channel: str, *, now: float) -> Ticket:
        return self._of_channel(m.UNSUBSCRIBE, channel, {"eventChannel": [channel]}, now)

    def broadcast(self, channel: str, data: JsonView, *, now: float) -> Ticket:
        """Send an event to everybody else who has subscribed to the channel."""
        return self._of_channel(m.BROADCAST, channel, {"eventChannel": channel, "data": dict(data)}, now)

    def _of_channel(self, method: str, channel: str, params: JsonObject, now: float) -> Ticket:
        if not channel:
            raise ValueError("a channel has a name")
        self._require_ready()
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            own: JsonObject = {"sessid": self.session_id or "", **params}
            self._hub.link.request(Purpose.TICKET, method, own, now, ticket=ticket)
            return ticket

    def speed_test(self, size: int, *, now: float) -> Ticket:
        """Send so many bytes and be sent as many; settled with what `SpeedTestResult.from_value` reads.

        `Failed` after 30 s, or with the socket. Raises `NotConnected`, `NotReady`, `Busy` while another is
        under way or its answer is to come, and `ValueError` for a size that is not 1 to 1,048,576.
        """
        self._hub.link.check_speed_test(size)
        self._require_ready()
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._hub.link.speed_test(size, ticket, now)
            return ticket

    def clear_reconnect_token(self) -> None:
        """Forget the routing token and the session id, from the next socket on."""
        with self._hub.at(self._hub.now):  # a store hears of it at once
            self._hub.link.identity.give_up(at_once=not self.connected)

    def new_call(self, options: CallOptions, *, now: float) -> CallId:
        """Place a call. Raises `NotConnected`, `NotReady` or `InvalidCallParameters`."""
        self._require_ready()
        if not options.destination_number and self.options.anonymous_login is None:
            raise InvalidCallParameters("44002: destinationNumber is missing")
        if options.id is not None and options.id in self._hub.calls:
            raise InvalidCallParameters(f"44002: a call with the id {options.id!r} exists")
        if len(self._hub.calls) >= MAX_LIVE_CALLS:
            raise InvalidCallParameters(f"44002: {MAX_LIVE_CALLS} calls are live already")
        read_custom_headers(options.custom_headers)
        with self._hub.at(now) as now:
            self._hub.redactor.learn(*credentials(options))
            ident = CallId(options.id if options.id is not None else new_uuid(self._hub.rng))
            call = Call(ident, direction="outbound", options=options, host=self._hub, rng=self._hub.rng, now=now)
            self._hub.calls[ident] = call
            self._hub.link.liveness.talking(now)
            self._hub.tombstones.forget(ident)
            call.announce()
            self._hub.warn_of_others(call)
            call.dial(now)
            return ident

    def answer(self, call: CallId, *, now: float, custom_headers: tuple[CustomHeader, ...] = ()) -> None:
        """Answer an inbound call. On any other, or twice: warning 33006 and nothing else."""
        found = self._live(call)
        read_custom_headers(custom_headers)
        if found.direction == "inbound":
            self._require_ready()
        with self._hub.at(now) as now:
            twin = self._hub.twin(found)
            if twin is not None:
                self._hub.warn(WarningCode.DUPLICATE_INBOUND_ANSWER, call=call, details={"activeCallId": twin.id})
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
        """End, reject or cancel a call, whatever its state; settled when it is destroyed."""
        read_custom_headers(custom_headers)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found = self._hub.calls.get(call)
            if found is None:
                self._hub.settle(ticket, Done())
            elif not found.live:
                found.join_ending(ticket)
            else:
                given = {"cause": cause, "causeCode": cause_code}
                named = m.bye_cause(given, found.default_cause)
                ending = Cause(named.cause, named.cause_code, sip_code, sip_reason, sip_call_id)
                found.hangup(ending, custom_headers, ticket, now)
            return ticket

    def hold(self, call: CallId, *, now: float) -> Ticket:
        """Settled with the server's reply, or `Failed` beside error 44001."""
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
        """Send digits as an ``info`` message, or in the audio stream (``"rtp"``, RFC 4733).

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
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.dtmf(digits, via, tone, ticket, now)
            return ticket

    def message(self, call: CallId, to: str, body: str, *, now: float) -> Ticket:
        """Send text within a call."""
        found = self._live(call)
        self._require_ready()
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.message(to, body, ticket, now)
            return ticket

    def set_muted(self, call: CallId, muted: bool, *, now: float) -> None:
        """What the far end hears; allowed before there is media, kept over recovery."""
        found = self._live(call)
        with self._hub.at(now):
            found.media.set_muted(muted)

    def set_deaf(self, call: CallId, deaf: bool, *, now: float) -> None:
        found = self._live(call)
        with self._hub.at(now):
            found.media.set_deaf(deaf)

    def set_source(self, call: CallId, source: str | None, *, now: float) -> Ticket:
        """Speak through another audio source, ``None`` for the default one, now and after a recovery.

        `Failed` beside warning 33009 where the call sends no audio yet, and beside 42001 to 42003 where the source
        cannot be opened; then the call goes on with the one it has.
        """
        found = self._live(call)
        with self._hub.at(now):
            ticket = self._hub.ticket()
            found.media.switch_source(source, ticket)
            return ticket

    def set_max_bit_rate(self, call: CallId, bits_per_second: int | None, *, now: float) -> None:
        """What the encoder may spend, now and after a recovery; ``None``: as it likes.

        `ValueError` for less than one.
        """
        if bits_per_second is not None and bits_per_second < 1:
            raise ValueError(f"a bit rate is at least 1, not {bits_per_second}")
        found = self._live(call)
        with self._hub.at(now):
            found.media.set_max_bit_rate(bits_per_second)

    def restart_media(self, call: CallId, *, now: float) -> Ticket:
        """Replace the media path of a call by a new one, in place; the old one plays on until that is connected.

        Settled when it is, or `Failed` beside 47001. `InvalidCallState` before media was connected.
        """
        found = self._live(call)
        self._require_ready()
        found.require_restart()
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.media.restart(ticket, now)
            return ticket

    def resume_media(self, call: CallId, *, now: float) -> bool:
        """Try the microphone again after a recoverable failure; False when there is nothing to resume."""
        with self._hub.at(now):
            found = self._hub.calls.get(call)
            return found is not None and found.live and found.resume_media()

    def reject_media(self, call: CallId, *, now: float) -> bool:
        with self._hub.at(now) as now:
            found = self._hub.calls.get(call)
            return found is not None and found.reject_media(now)

    def flush_report(self, call: CallId, *, now: float) -> None:
        """Send what there is of the call's report at once, and not only when it is time (``manual``).

        Nothing is sent where there is nothing, or no place for it: then it is kept.
        """
        found = self._live(call)
        with self._hub.at(now) as now:
            found.flush_report(now)

    def send_conversation_message(
        self, call: CallId, text: str, image_urls: tuple[str, ...] = (), *, now: float
    ) -> Ticket:
        """Text to the AI assistant of a call."""
        found = self._live(call)
        self._require_ready()
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.converse(text, image_urls, ticket, now)
            return ticket

    def send_ai_item(self, item: JsonView, *, now: float) -> None:
        """A function's output, or a subscription to the audio stream, as a notification."""
        if item.get("type") not in ("function_call_output", "response.audio_stream.subscribe"):
            raise ValueError(f"not an item that a client sends: {item.get('type')!r}")
        self._require_ready()
        with self._hub.at(now):
            self._hub.link.tell(m.AI_CONVERSATION, {"type": "conversation.item.create", "item": dict(item)})

    # Inside.

    def _modify(self, call: CallId, action: str, now: float) -> Ticket:
        found = self._live(call)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.modify(action, ticket, now)
            return ticket

    def _find(self, call: CallId) -> Call:
        found = self._hub.calls.get(call)
        if found is None:
            raise InvalidCallState(f"there is no call {call!r}, or it has ended")
        return found

    def _live(self, call: CallId) -> Call:
        found = self._find(call)
        if not found.live:
            raise InvalidCallState(f"the call is ending ({found.state.value})")
        return found

    def _require_ready(self) -> None:
        if not self._hub.link.usable:
            why = self._hub.unusable()
            raise (NotConnected if why.kind is FailureKind.NOT_CONNECTED else NotReady)(why.text)
