"""The gateway's side of the protocol: one pure state machine for all clients' sockets and all calls' media.

Driven like the client's core: after any method that takes ``now``, drain `GatewayCore.next_action` and perform each
action at once, then wait until `GatewayCore.next_timeout` or a fact. Facts and deadlines never raise, whatever a
client sends. Commands refuse with `LocalProtocolError` and have then changed nothing.
"""

from collections.abc import Mapping
from random import Random

from telnyx_core._signalling.messages import CAUSES, DISPLAY, EVENT, INFO, INVITE, PUNT
from telnyx_core._time.timers import Timer, TimerKey
from telnyx_core._wire.codec import Reply, Request
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.actions import DIGITS
from telnyx_core.errors import InvalidCallParameters, InvalidCallState, NotConnected
from telnyx_core.events import Cause
from telnyx_core.facts import BinaryReceived, SocketClosed, TextReceived
from telnyx_core.gateway.actions import GatewayAction
from telnyx_core.gateway.assistant import Assistants
from telnyx_core.gateway.calls import Calls
from telnyx_core.gateway.channels import Channels
from telnyx_core.gateway.client_sockets import Lines, Way
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.dialogs import Dialogs
from telnyx_core.gateway.facts import GatewayFact, SocketAccepted
from telnyx_core.gateway.faults import Fault
from telnyx_core.gateway.legs import Leg, LegInfo, cause
from telnyx_core.gateway.options import FarEnd, GatewayOptions
from telnyx_core.gateway.peer_events import PeerEvents
from telnyx_core.gateway.peers import Peers
from telnyx_core.gateway.reattach import Reattach
from telnyx_core.gateway.records import ClientSocket, DelayedFrame, Session
from telnyx_core.gateway.requests import Requests
from telnyx_core.gateway.routing import Routing
from telnyx_core.gateway.sessions import Sessions
from telnyx_core.gateway.speed import SpeedTest
from telnyx_core.ids import CallId, SocketId
from telnyx_core.options import CustomHeader


class GatewayCore:
    """Sockets, sessions and calls of any number of clients. ``rng`` generates the ids."""

    def __init__(self, options: GatewayOptions, *, rng: Random) -> None:
        self.options = options
        self._context = context = Context(options, rng)
        self._lines = lines = Lines(
            context,
            on_request=self._requested,
            on_plain=self._spoken,
            on_reply=self._acknowledged,
            on_lost=self._line_lost,
            user_of=self._user_of,
        )
        self._sessions = Sessions(context, lines)
        self._peers = Peers(context)
        self._assistants = Assistants(context, lines)
        self._calls = Calls(context, lines, self._sessions, self._peers, self._assistants)
        self._survival = Reattach(context, self._sessions, self._calls, self._peers)
        self._news = PeerEvents(context, lines, self._calls, self._peers, self._survival)
        self._switch = Routing(context, lines, self._sessions, self._calls)
        self._speed = SpeedTest(context, lines)
        self._requests = Requests(
            context,
            lines,
            self._sessions,
            self._calls,
            self._survival,
            self._assistants,
            self._switch,
            Dialogs(context, lines, self._calls, self._peers),
            Channels(context, lines, self._sessions),
        )

    # Look.

    @property
    def calls(self) -> Mapping[CallId, LegInfo]:
        """Every leg that has not ended, oldest first."""
        return {call: leg.info() for call, leg in self._calls.legs.items()}

    def sockets(self, user: str | None = None) -> list[SocketId]:
        """The open sockets, or those that ``user`` is logged in on, oldest first."""
        return [line.socket for line in self._lines if user is None or line.user == user]

    def session_id(self, socket: SocketId) -> str | None:
        line = self._lines.get(socket)
        return line.session.id if line is not None and line.session is not None else None

    # Pull.

    def next_action(self) -> GatewayAction | None:
        return self._context.next_action()

    def next_timeout(self) -> float | None:
        return self._context.timers.next_at()

    def next_timeout_reason(self) -> TimerKey | None:
        first = self._context.timers.next()
        return None if first is None else first[1]

    # Push.

    def receive(self, fact: GatewayFact, *, now: float) -> None:
        self._context.advance(now)
        match fact:
            case SocketAccepted(socket=socket, target=target, wall=wall):
                self._lines.accept(socket, target, wall)
            case TextReceived(socket=socket, text=text):
                self._lines.received(socket, text)
            case BinaryReceived(socket=socket):
                self._lines.touched(socket)
            case SocketClosed(socket=socket, code=code):
                self._lines.lost(socket, code)
            case _:
                self._peers.received(fact, self._news)

    def handle_timeout(self, *, now: float) -> None:
        self._context.advance(now)
        for key in self._context.timers.expired(self._context.now):
            match key:
                case TimerKey(timer=Timer.KEEPALIVE, owner=ClientSocket() as line):
                    self._lines.ping(line)
                case TimerKey(timer=Timer.REQUEST, owner=DelayedFrame() as held):
                    self._lines.release(held)
                case TimerKey(timer=Timer.REG_POLL, owner=(ClientSocket() as line, int(number))):
                    self._sessions.scheduled_push(line, number)
                case TimerKey(timer=Timer.TOKEN_EXPIRY, owner=ClientSocket() as line):
                    self._sessions.expired_login(line)
                case TimerKey(timer=Timer.SETUP, owner=Session() as session):
                    self._survival.recovered(session)
                case TimerKey(timer=Timer.ORPHAN, owner=Session() as session):
                    self._survival.expire(session)
                case TimerKey(timer=Timer.SETUP, owner=Leg() as leg):
                    self._calls.delay_over(leg)
                case TimerKey(timer=Timer.AWAIT_REMOTE, owner=Leg() as leg):
                    self._calls.ring_timed_out(leg)
                case TimerKey(timer=Timer.REG_POLL, owner=Leg() as leg):
                    self._assistants.step_due(leg)
                case TimerKey(timer=Timer.DIGITS, owner=Leg() as leg):
                    self._assistants.word_due(leg)
                case TimerKey(timer=Timer.ATTACH_WAIT, owner=Leg() as leg):
                    self._survival.unanswered(leg)
                case _:
                    raise AssertionError(f"nobody set {key}")

    # Frames from the clients.

    def _user_of(self, line: ClientSocket, request: Request) -> str | None:
        return self._sessions.user_of(line, request)

    def _requested(self, line: ClientSocket, request: Request) -> None:
        self._requests.serve(line, request)

    def _spoken(self, line: ClientSocket, text: str) -> None:
        self._speed.heard(line, text)

    def _acknowledged(self, line: ClientSocket, method: str, call: CallId | None, reply: Reply) -> None:
        leg = None if call is None else self._calls.legs.get(call)
        if method == INVITE and reply.error is None and leg is not None and leg.session is line.session:
            self._calls.invite_acknowledged(leg)

    def _line_lost(self, line: ClientSocket) -> None:
        session = self._sessions.lost(line)
        if session is not None:
            self._survival.detach(session)

    # Ask: calls.

    def call_user(
        self,
        user: str,
        *,
        now: float,
        from_number: str = "+15550001111",
        from_name: str = "",
        behaviour: FarEnd = "echo",
        custom_headers: tuple[CustomHeader, ...] = (),
        client_state: str | None = None,
        with_sdp: bool = True,
        sdp_delay: float = 0.0,
        variables: Mapping[str, str] | None = None,
    ) -> CallId:
        """Ring every socket of a user; one leg each, of which the first to answer stays.

        ``variables`` are service variables of the call, told with a prefix to their names. Without SDP in the
        invite, ``media`` brings it ``sdp_delay`` seconds later. Returns the leg of the socket that logged in
        first. Raises `NotConnected` when the user has no socket.
        """
        if sdp_delay < 0:
            raise InvalidCallParameters("sdp_delay must not be negative")
        self._context.advance(now)
        return self._switch.call_user(
            user,
            from_number=from_number,
            from_name=from_name,
            behaviour=behaviour,
            headers=custom_headers,
            state=client_state,
            late_sdp=None if with_sdp else sdp_delay,
            variables=variables or {},
        )

    def hangup(
        self,
        call: CallId,
        *,
        now: float,
        cause_name: str | None = None,
        cause_code: int | None = None,
        sip_code: int | None = None,
        sip_reason: str | None = None,
        custom_headers: tuple[CustomHeader, ...] = (),
    ) -> None:
        """The far end hangs up. A cause alone brings its code and SIP status along, a code its cause."""
        leg = self._leg(call, now)
        name = cause_name or ("NORMAL_CLEARING" if cause_code is None else CAUSES.get(cause_code))
        usual = cause(name or "")
        ended = Cause(
            name,
            usual.cause_code if cause_code is None else cause_code,
            usual.sip_code if sip_code is None else sip_code,
            usual.sip_reason if sip_reason is None and sip_code is None else sip_reason,
            self._context.uuid(),
        )
        self._calls.hang_up(leg, ended, custom_headers)

    def renegotiate(self, call: CallId, *, now: float) -> None:
        """Send an ``attach`` with a new offer on a live call."""
        leg = self._leg(call, now)
        if not self._calls.established(leg):
            raise InvalidCallState("the call has not been answered, or its media not been connected")
        self._survival.offer_again(leg, renews=True)

    def info(self, call: CallId, members: JsonView, *, now: float) -> None:
        """Push an ``info`` with these members, such as ``msg`` or ``dtmf``."""
        leg = self._leg(call, now)
        self._calls.say(leg, INFO, {"callID": call, **members})

    def digits(self, call: CallId, digits: str, *, now: float) -> None:
        """Send digits ``0-9 * # A-D`` and the pauses ``, w W`` in the audio that the client hears.

        `ValueError` for others, `InvalidCallState` while the call has no media.
        """
        if not digits or not DIGITS.issuperset(digits):
            raise ValueError(f"not DTMF digits: {digits!r}")
        leg = self._leg(call, now)
        if leg.current is None or not leg.current.connected:
            raise InvalidCallState("the call has no media yet")
        self._peers.send_digits(leg.current, digits)

    def display(self, call: CallId, name: str, number: str, *, now: float, direction: str = "outbound") -> None:
        """Tell the client that it now speaks to somebody else."""
        leg = self._leg(call, now)
        params: JsonObject = {
            "callID": call,
            "display_name": name,
            "display_number": number,
            "display_direction": direction,
        }
        self._calls.say(leg, DISPLAY, params)

    # Ask: sockets.

    def send(self, socket: SocketId, text: str, *, now: float) -> None:
        """Send this text as it is: any message, also one that the gateway itself would never send, or invalid JSON."""
        self._lines.put(self._line(socket, now), text)

    def push(self, socket: SocketId, method: str, params: JsonView, *, now: float) -> None:
        """Send a request of the gateway's with any method and params."""
        self._lines.push(self._line(socket, now), method, dict(params))

    def push_state(self, socket: SocketId, state: str, *, now: float) -> None:
        """Push a gateway state; it is also what later ``gatewayState`` requests are told."""
        self._sessions.push_state(self._line(socket, now), state)

    def event(self, socket: SocketId, params: JsonView, *, now: float) -> None:
        """Push an event message with these members."""
        self._lines.push(self._line(socket, now), EVENT, dict(params))

    def ai_event(self, socket: SocketId, params: JsonView, *, now: float) -> None:
        """Push an ``ai_conversation`` message."""
        self._lines.converse(self._line(socket, now), dict(params))

    def ping(self, socket: SocketId, *, now: float) -> None:
        """Ping now, whatever the interval."""
        self._lines.ping(self._line(socket, now))

    def punt(self, socket: SocketId, *, now: float) -> None:
        """Tell the client that another connection took over, and close this one with 1000."""
        line = self._line(socket, now)
        self._lines.push(line, PUNT, {})
        self._lines.close(line, 1000, "punt")

    def drop(self, socket: SocketId, *, now: float, code: int | None = None, reason: str = "") -> None:
        """Close the socket with a code, or without one abort it, which the client sees as 1006."""
        line = self._line(socket, now)
        if code is None:
            self._lines.abort(line)
        else:
            self._lines.close(line, code, reason)

    # Ask: trouble.

    def blackhole(self, socket: SocketId, way: Way, *, now: float, lost: bool = True) -> None:
        """From now on what goes this way is lost, although the socket stays open; or, with ``lost=False``, no more."""
        line = self._line(socket, now)
        if way == "in":
            line.deaf = lost
        else:
            line.outbound_blocked = lost

    def freeze(self, socket: SocketId, *, now: float, frozen: bool = True) -> None:
        """Accept nothing and send nothing, while the socket stays open: a half-open connection."""
        line = self._line(socket, now)
        line.deaf = line.outbound_blocked = frozen

    def add_fault(self, fault: Fault, *, now: float) -> None:
        """Add a fault rule; it counts matches from now on."""
        self._context.advance(now)
        self._lines.faults.add(fault)

    def clear_faults(self, *, now: float) -> None:
        self._context.advance(now)
        self._lines.faults.clear()

    def expire_tokens(self, *tokens: str, now: float) -> None:
        """These tokens, or all that the options name, are no longer good for a login."""
        self._context.advance(now)
        self._sessions.expired |= set(tokens or self.options.tokens)

    def forget_sessions(self, *, now: float) -> None:
        """Forget all sessions, as a new node would: those without a socket end, the others cannot be resumed later."""
        self._context.advance(now)
        for session in self._sessions:
            if session.line is None:
                self._survival.expire(session)
            else:
                session.forgotten = True

    def restart(self, *, now: float, recover: bool = False) -> None:
        """The gateway crashes and restarts: sockets are cut, sessions and calls are lost, and no message is sent.

        With ``recover`` established calls had been written down: each is attached a moment after its client was told
        that there is nothing to attach.
        """
        self._context.advance(now)
        self._context.begin_anew()
        for session in self._sessions:
            session.crashed, session.forgotten = recover, not recover
        for line in self._lines:
            line.outbound_blocked = True
        for line in self._lines:
            self._lines.abort(line)
        for leg in list(self._calls.legs.values()):
            self._peers.close_all(leg)
        for session in self._sessions if not recover else ():
            self._survival.expire(session)

    def shut_down(self, *, now: float) -> None:
        """An orderly stop: every call ends with SYSTEM_SHUTDOWN, and then every socket is closed."""
        self._context.advance(now)
        for call in list(self._calls.legs):
            if (leg := self._calls.legs.get(call)) is not None:
                self._calls.end(leg, cause("SYSTEM_SHUTDOWN"), "gateway")
        for session in self._sessions:
            session.forgotten = True
        for line in self._lines:
            self._lines.close(line, 1001, "shutdown")

    # What commands check first.

    def _line(self, socket: SocketId, now: float) -> ClientSocket:
        line = self._lines.get(socket)
        if line is None:
            raise NotConnected(f"socket {socket} is not open")
        self._context.advance(now)
        return line

    def _leg(self, call: CallId, now: float) -> Leg:
        leg = self._calls.legs.get(call)
        if leg is None:
            raise InvalidCallState(f"no call {call}")
        self._context.advance(now)
        return leg
