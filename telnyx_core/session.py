"""The client's half of one signalling session, and all of its calls: the single door of the core.

*Mutate, drain, wait.* After any method that takes ``now``: take every `next_action` and perform it at once, in order;
then sleep until `next_timeout` or until there is a fact. Clock, sockets and randomness come from outside.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, TypeVar

from attrs import evolve, frozen

from telnyx_core._call.call import Call
from telnyx_core._hub import Hub, credentials
from telnyx_core._options.values import read_custom_headers
from telnyx_core._reports.segment import ReportEndpoint, Segment
from telnyx_core._signalling import messages as m
from telnyx_core._signalling.requests import Purpose, new_uuid
from telnyx_core._time.limits import MAX_LIVE_CALLS
from telnyx_core._time.timers import TimerKey
from telnyx_core._uploads import UploadQueues
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
    WriteDebug,
)
from telnyx_core.catalogue import WarningCode
from telnyx_core.errors import FailureKind, InvalidCallParameters, InvalidCallState, NotConnected, NotReady
from telnyx_core.events import (
    CallInfo,
    Cause,
    TranscriptItem,
)
from telnyx_core.facts import (
    Fact,
)
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import CallOptions, ClientOptions, CustomHeader
from telnyx_core.states import ESTABLISHED, LIVE, CallState, SessionState
from telnyx_core.stats.latency import Latency
from telnyx_core.stats.timings import EstablishmentTimings

_Method = TypeVar("_Method", bound=Callable[..., object])


@frozen
class Rule:
    """When a command is possible. When it is not, it raises before anything has changed."""

    states: frozenset[CallState] = frozenset(CallState)
    """Of the call that it is given to; in another one it raises `InvalidCallState`."""
    registered: bool = False
    """The server has to carry it out: it raises `NotConnected` without a socket, `NotReady` before the registration."""


COMMANDS: Final[dict[str, Rule]] = {}
"""All that an application can ask of a session. What a command says beyond its rule stands in its docstring."""


def _command(
    states: frozenset[CallState] = frozenset(CallState), *, registered: bool = False
) -> Callable[[_Method], _Method]:
    def known(method: _Method) -> _Method:
        COMMANDS[method.__name__] = Rule(states, registered)
        return method

    return known


class Session:
    """One client's session with the server: commands, facts and the time in, actions out.

    Every method that changes something takes ``now``, seconds of a monotonic clock; ``rng`` is where all chance comes
    from, and ``remembered`` what an earlier session of this client wanted kept. A command that cannot be carried out
    now raises a `LocalProtocolError`, and nothing has changed. What the server or the far end does wrong is an event.
    """

    def __init__(self, options: ClientOptions, *, rng: Random, remembered: JsonView | None = None) -> None:
        self._hub = Hub(options, rng=rng, remembered=remembered)

    # Looking.

    @property
    def state(self) -> SessionState:
        """The present state."""
        return self._hub.state

    @property
    def options(self) -> ClientOptions:
        """As the session was built, with the present credentials."""
        return self._hub.options

    @property
    def connected(self) -> bool:
        """The socket is open."""
        return self._hub.connected

    @property
    def ready(self) -> bool:
        """Registered on this socket: calls can be made."""
        return self._hub.usable

    @property
    def renewing(self) -> bool:
        """Another login token is awaited, or is being tried: a refusal of the former one is not the last word."""
        return self._hub.link.renewal.hopeful

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, or ``None`` before the first login."""
        return self._hub.session_id

    @property
    def redactor(self) -> Redactor:
        """Takes this client's secrets out of what is written down, also where the server quotes them."""
        return self._hub.redactor

    @property
    def region(self) -> str | None:
        """The region that the server tells of itself."""
        return self._hub.region

    @property
    def dc(self) -> str | None:
        """The data centre that the server tells of itself."""
        return self._hub.dc

    @property
    def call_report_id(self) -> str | None:
        """The id under which call reports are sent."""
        return self._hub.call_report_id

    @property
    def calls(self) -> Mapping[CallId, CallInfo]:
        """Snapshots of the calls that have not been destroyed."""
        return {ident: call.info() for ident, call in self._hub.calls.items()}

    def timings(self, call: CallId) -> EstablishmentTimings:
        """How long each stage of a call's set-up took, as far as it has come; raises `InvalidCallState` as `call`."""
        return self._find(call).timings

    @property
    def latency(self) -> Latency | None:
        """How long the server took to answer on this socket; ``None`` before the first answer."""
        return self._hub.latency

    @property
    def transcript(self) -> tuple[TranscriptItem, ...]:
        """What was said between the caller and an AI assistant since the call began, or the conversation it joined."""
        return self._hub.conversation.transcript

    @property
    def widget_settings(self) -> JsonView | None:
        """How the assistant's owner wants it shown, as the server told it; ``None`` before."""
        return self._hub.conversation.widget_settings

    @property
    def conversation_id(self) -> str | None:
        """The conversation that the anonymous login joins: ``conversation_id`` of its ``target_params``."""
        return self._hub.conversation_id

    def call(self, call: CallId) -> CallInfo:
        """A snapshot of a live call; raises `InvalidCallState` if there is none of this id."""
        return self._find(call).info()

    @property
    def report_home(self) -> ReportEndpoint | None:
        """Where the reports of this session's calls are uploaded; ``None`` before the login has named it."""
        return self._hub.report_home

    def unwritten_debug(self) -> tuple[WriteDebug, ...]:
        """What would be written to debug files if the session ended now; for a process that is about to die."""
        return tuple(action for call in self._hub.calls.values() for action in call.unwritten_debug())

    @property
    def uploading(self) -> bool:
        """Reports or recordings are on their way.

        After `SessionClosed` this lasts ten seconds at most, and holds no call back.
        """
        return self._hub.uploads.busy

    def unsent_reports(self) -> tuple[Segment, ...]:
        """The parts of live calls' reports that would be lost if the process ended now. Changes nothing."""
        now = self._hub.now
        return tuple(part for call in self._hub.calls.values() if (part := call.unsent_report(now)) is not None)

    def hand_uploads_over(self, to: UploadQueues, now: float) -> None:
        """Have ``to`` send what would be lost if the process ended now. Changes nothing here."""
        self._hub.uploads.rest_of(self.unsent_reports(), to, now)

    # Pulling.

    def next_action(self) -> Action | None:
        """The next order, or ``None`` when everything has been taken."""
        return self._hub.actions.popleft() if self._hub.actions else None

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` at the latest; ``None``: not before the next fact or command."""
        return self._hub.timers.next_at()

    def next_timeout_reason(self) -> TimerKey | None:
        """What the deadline of `next_timeout` is for, or ``None``: for logs and tests."""
        first = self._hub.timers.next()
        return None if first is None else first[1]

    # Pushing: accepted in every state.

    def receive(self, fact: Fact, *, now: float) -> None:
        """Take in one fact. A fact for a handle that has been released changes nothing. Never raises."""
        with self._hub.at(now) as now:
            self._hub.receive(fact, now)

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due; nothing if nothing is due. A late call does the same as one in time, once.

        A process that calls very late has not read its sockets meanwhile, and the server's frames may still wait there.
        So deadlines for an answer of the server are put off a moment.
        """
        with self._hub.at(now) as now:
            self._hub.handle_timeout(now)

    # Asking: `LocalProtocolError` when it cannot be done, and then nothing has changed.

    @_command()
    def connect(self, *, now: float) -> None:
        """Connect, log in and register, and reconnect after each loss, until `disconnect`. Idempotent."""
        with self._hub.at(now) as now:
            self._hub.link.connect(now)

    @_command()
    def disconnect(self, *, now: float) -> None:
        """End every call with a BYE, close the socket and stop; `SessionClosed` follows. Idempotent."""
        with self._hub.at(now) as now:
            self._hub.link.disconnect(now)

    @_command()
    def leave(self, *, now: float) -> None:
        """Stop as `disconnect` does, but without a BYE, so that the server keeps answered calls for a while.

        What a later process needs to take the calls up is remembered (`Remember`); this one needs `connect`.
        """
        with self._hub.at(now) as now:
            self._hub.link.leave(now)

    @_command()
    def login(self, credentials: Mapping[str, object], *, now: float, same_user: bool = False) -> Ticket:
        """Log in again on the live socket, or keep the credentials for the next one.

        ``same_user`` promises that different credentials belong to the same user, as a renewed token does. Then the
        session and its calls are kept also if there is no socket now.

        Raises `InvalidCredentials` when they make no usable set.
        """
        options = self.options.with_credentials(credentials)
        self._hub.redactor.learn(options.password, options.login_token)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._hub.link.login.use(options, ticket, now, same_user=same_user)
            return ticket

    @_command()
    def provide_tokens(self, *, now: float) -> None:
        """Promise to answer `AskToken`: before the login token ends, and once when credentials are refused, the session
        asks for another one and logs in with it. Idempotent.
        """
        with self._hub.at(now):
            self._hub.link.renewal.possible = True

    @_command()
    def switch_region(self, region: str, *, now: float) -> None:
        """Use the signalling servers of another region: the socket is replaced, and answered calls are re-attached.

        Calls that were not answered yet end, as with every lost socket. Raises `OptionsError` for an invalid region.
        """
        options = evolve(self.options, region=region)
        with self._hub.at(now) as now:
            self._hub.link.relocate(options, now)

    @_command()
    def is_registered(self, *, now: float) -> Ticket:
        """Ask the server whether we are registered. Settled with ``{"registered": bool}``, never `Failed`."""
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._hub.link.ask_registered(ticket, now)
            return ticket

    @_command(registered=True)
    def subscribe(self, channel: str, *, now: float) -> Ticket:
        """Receive the events of a channel as `ServerEvent`, until this socket ends.

        `Failed` if the server does not allow it. Raises `NotConnected`, `NotReady`, and `ValueError` for an empty name.
        """
        return self._of_channel(m.SUBSCRIBE, channel, {"eventChannel": [channel]}, now)

    @_command(registered=True)
    def unsubscribe(self, channel: str, *, now: float) -> Ticket:
        """Stop receiving the events of a channel. Raises as `subscribe` does."""
        return self._of_channel(m.UNSUBSCRIBE, channel, {"eventChannel": [channel]}, now)

    @_command(registered=True)
    def broadcast(self, channel: str, data: JsonView, *, now: float) -> Ticket:
        """Send an event to all other subscribers of the channel. Raises as `subscribe` does."""
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

    @_command(registered=True)
    def speed_test(self, size: int, *, now: float) -> Ticket:
        """Send ``size`` bytes and receive as many; settled with what `SpeedTestResult.from_value` reads.

        `Failed` after 30 s, or with the socket. Raises `NotConnected`, `NotReady`, `Busy` while another is
        under way or its answer is to come, and `ValueError` for a size that is not 1 to 1,048,576.
        """
        self._hub.link.check_speed_test(size)
        self._require_ready()
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            self._hub.link.speed_test(size, ticket, now)
            return ticket

    @_command()
    def clear_reconnect_token(self, *, now: float) -> None:
        """Forget the routing token and the session id: the next socket starts without them."""
        with self._hub.at(now):
            self._hub.link.identity.give_up(at_once=not self.connected)

    @_command(registered=True)
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
            self._hub.add(call)
            self._hub.link.liveness.talking(now)
            self._hub.tombstones.forget(ident)
            call.announce()
            self._hub.warn_of_others(call)
            call.dial(now)
            return ident

    @_command(LIVE, registered=True)
    def answer(self, call: CallId, *, now: float, custom_headers: tuple[CustomHeader, ...] = ()) -> None:
        """Answer an inbound call. For an outbound or already answered one: warning 33006, and nothing else happens.

        If another call object for the same call is answered already: warning 33007 instead. Raises `InvalidCallState`
        when the call has ended, and `NotConnected`, `NotReady` or `InvalidCallParameters` (for a bad header).
        """
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

    @_command()
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
        """End, reject or cancel a call in any state; settled when it is destroyed, at once if it is already.

        Without ``cause`` it is NORMAL_CLEARING for a call that was answered, otherwise USER_BUSY.
        """
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

    @_command(ESTABLISHED, registered=True)
    def hold(self, call: CallId, *, now: float) -> Ticket:
        """Put the call on hold. Settled with the server's reply, or `Failed` together with error 44001.

        Commands are sent one at a time, in order. Raises `InvalidCallState` unless the call is active or held,
        `NotConnected` and `NotReady`.
        """
        return self._modify("hold", call, "hold", now)

    @_command(ESTABLISHED, registered=True)
    def unhold(self, call: CallId, *, now: float) -> Ticket:
        """Resume a held call. Outcomes as with `hold`."""
        return self._modify("unhold", call, "unhold", now)

    @_command(ESTABLISHED, registered=True)
    def toggle_hold(self, call: CallId, *, now: float) -> Ticket:
        """Hold the call, or resume it if it is held: the server decides which. Outcomes as with `hold`."""
        return self._modify("toggle_hold", call, "toggleHold", now)

    @_command(ESTABLISHED | {CallState.EARLY}, registered=True)
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

        Pauses (``w`` 0.5 s, ``W`` 1 s, ``,`` 2 s) are timed here and never sent. If the far end accepts no digits in
        the audio, as in most inbound calls, ``"rtp"`` means ``"info"``.

        Raises `ValueError` for anything but ``0-9 * # A-D , w W`` (and ``F`` with ``"info"``), for any other ``via``,
        for a tone that `DigitTone` refuses, and for any tone at all with ``"info"``, because there the server makes
        it. Raises `InvalidCallState` before the call has media, and `NotConnected` or `NotReady` where the server has
        to send the digits.
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
        if via == "info" or not found.digits_in_audio:
            self._require_ready()
        self._require_state("dtmf", found)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.dtmf(digits, via, tone, ticket, now)
            return ticket

    @_command(LIVE, registered=True)
    def message(self, call: CallId, to: str, body: str, *, now: float) -> Ticket:
        """Send text within a call."""
        found = self._possible("message", call)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.message(to, body, ticket, now)
            return ticket

    @_command(LIVE)
    def set_muted(self, call: CallId, muted: bool, *, now: float) -> None:
        """Mute or unmute what the far end hears; allowed before there is media, kept over a recovery."""
        found = self._live(call)
        with self._hub.at(now):
            found.media.set_muted(muted)

    @_command(LIVE)
    def set_deaf(self, call: CallId, deaf: bool, *, now: float) -> None:
        """Silence or restore what is heard of the far end; kept over a recovery, as `set_muted`."""
        found = self._live(call)
        with self._hub.at(now):
            found.media.set_deaf(deaf)

    @_command(LIVE)
    def set_source(self, call: CallId, source: str | None, *, now: float) -> Ticket:
        """Send audio from another source (``None``: the default one), now and after a recovery.

        `Failed` with warning 33009 if the call sends no audio yet, and with error 42001 to 42003 if the source cannot
        be opened; then the call keeps its present source.
        """
        found = self._live(call)
        with self._hub.at(now):
            ticket = self._hub.ticket()
            found.media.switch_source(source, ticket)
            return ticket

    @_command(LIVE)
    def set_max_bit_rate(self, call: CallId, bits_per_second: int | None, *, now: float) -> None:
        """Limit the encoder's bit rate, now and after a recovery; ``None``: no limit.

        Raises `ValueError` for less than one.
        """
        if bits_per_second is not None and bits_per_second < 1:
            raise ValueError(f"a bit rate is at least 1, not {bits_per_second}")
        found = self._live(call)
        with self._hub.at(now):
            found.media.set_max_bit_rate(bits_per_second)

    @_command(ESTABLISHED, registered=True)
    def restart_media(self, call: CallId, *, now: float) -> Ticket:
        """Replace the media path of a call; the old path stays in use until the new one is connected.

        Settled when it is, or `Failed` (with error 47001 if the renewal could not be negotiated). Raises
        `InvalidCallState` before media was connected, `NotConnected` and `NotReady`.
        """
        found = self._possible("restart_media", call)
        if not found.media.can_restart:
            raise InvalidCallState("media cannot be restarted before it was connected")
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.media.restart(ticket, now)
            return ticket

    @_command()
    def resume_media(self, call: CallId, *, now: float) -> bool:
        """Try the microphone again after a recoverable failure; False when there is nothing to resume."""
        with self._hub.at(now):
            found = self._hub.calls.get(call)
            return found is not None and found.live and found.resume_media()

    @_command()
    def reject_media(self, call: CallId, *, now: float) -> bool:
        """Give a recoverable microphone failure up: the call ends. False when no recovery is under way."""
        with self._hub.at(now) as now:
            found = self._hub.calls.get(call)
            return found is not None and found.reject_media(now)

    @_command(LIVE)
    def flush_report(self, call: CallId, *, now: float) -> None:
        """Upload what there is of the call's report now, before its interval is over.

        Nothing is sent if there is nothing. Without an endpoint the data is kept.
        """
        found = self._live(call)
        with self._hub.at(now) as now:
            found.flush_report(now)

    @_command(LIVE, registered=True)
    def send_conversation_message(
        self, call: CallId, text: str, image_urls: tuple[str, ...] = (), *, now: float
    ) -> Ticket:
        """Send text, and images if any, to the AI assistant of a call; settled with the server's reply."""
        found = self._possible("send_conversation_message", call)
        with self._hub.at(now) as now:
            ticket = self._hub.ticket()
            found.converse(text, image_urls, ticket, now)
            return ticket

    @_command(registered=True)
    def send_ai_item(self, item: JsonView, *, now: float) -> None:
        """Send a function's output or a subscription to the audio stream; no reply follows.

        Raises `ValueError` for any other item and for one that is too long for a frame, `NotConnected` and `NotReady`.
        """
        if item.get("type") not in ("function_call_output", "response.audio_stream.subscribe"):
            raise ValueError(f"not an item that a client sends: {item.get('type')!r}")
        params: JsonObject = {"type": "conversation.item.create", "item": dict(item)}
        self._hub.link.check_size(m.AI_CONVERSATION, params)
        self._require_ready()
        with self._hub.at(now):
            self._hub.link.tell(m.AI_CONVERSATION, params)

    # Inside.

    def _modify(self, command: str, call: CallId, action: str, now: float) -> Ticket:
        found = self._possible(command, call)
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

    def _possible(self, command: str, call: CallId) -> Call:
        found = self._live(call)
        if COMMANDS[command].registered:
            self._require_ready()
        self._require_state(command, found)
        return found

    def _require_state(self, command: str, call: Call) -> None:
        if call.state not in COMMANDS[command].states:
            raise InvalidCallState(f"{command} is not possible while the call is {call.state.value}")

    def _require_ready(self) -> None:
        if not self._hub.link.usable:
            why = self._hub.unusable()
            raise (NotConnected if why.kind is FailureKind.NOT_CONNECTED else NotReady)(why.text)
