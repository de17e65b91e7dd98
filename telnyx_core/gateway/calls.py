"""The legs of all calls: how they start, progress, meet, survive their socket, and end.

A leg that a client made follows its `Step`\\ s, each after its delay and, where it carries SDP, once the SDP exists. A
leg that the gateway makes waits for its client. Two legs that speak to each other are partners; what ends one ends
the other. A call to a user runs as a `Race` between the user's sockets until one of them answers.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from telnyx_core._signalling.messages import ANSWER, BYE, DISPLAY, INFO, INVITE, MEDIA, RINGING
from telnyx_core._time.timers import Timer
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.events import Cause, Direction
from telnyx_core.gateway.actions import Echo, Feed, FromCall, ReleaseCall, Silence, Source, Tone
from telnyx_core.gateway.assistant import Assistants
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import CallAnswered, CallEnded, CallHeld, CallRinging, CallStarted, Ender
from telnyx_core.gateway.legs import Leg, Phase, Purpose, Race, Step, TelnyxIds, cause
from telnyx_core.gateway.options import FarEnd
from telnyx_core.gateway.peers import Peers
from telnyx_core.gateway.records import Session
from telnyx_core.gateway.sessions import Sessions
from telnyx_core.gateway.wording import Wording
from telnyx_core.ids import CallId
from telnyx_core.options import CustomHeader

Headers: TypeAlias = tuple[CustomHeader, ...]

CALL_FAILED: Final = -32002
NO_SUCH_CALL: Final = "CALL DOES NOT EXIST"


class Calls:
    def __init__(
        self, context: Context, lines: Lines, sessions: Sessions, peers: Peers, assistants: Assistants
    ) -> None:
        self._context = context
        self._lines = lines
        self._sessions = sessions
        self._peers = peers
        self._assistants = assistants
        self.wording = Wording(context)
        self._legs: dict[CallId, Leg] = {}

    @property
    def legs(self) -> Mapping[CallId, Leg]:
        return self._legs

    def of(self, session: Session) -> list[Leg]:
        """The session's calls, oldest first."""
        return [leg for leg in self._legs.values() if leg.session is session]

    def established(self, leg: Leg) -> bool:
        """Whether the server counts the call as answered: not before its media has been connected."""
        return leg.answered and (leg.connected_once or not self._context.options.quirks.established_by_media)

    @property
    def full(self) -> bool:
        return len(self._legs) >= self._context.options.limits.calls

    # Starting.

    def ids(self, session_id: str | None = None) -> TelnyxIds:
        """Both legs of one call share the session id."""
        control = self._context.uuid().replace("-", "")
        return TelnyxIds(f"v3:{control}", session_id or self._context.uuid(), self._context.uuid())

    def add(self, leg: Leg, params: JsonView) -> None:
        self._legs[leg.call] = leg
        timeout = self._context.options.plan.ring_timeout
        if timeout is not None:
            self._context.timers.set(Timer.AWAIT_REMOTE, self._context.now + timeout, leg)
        self._context.notify(
            CallStarted(
                call=leg.call,
                user=leg.session.user,
                direction=leg.direction,
                destination=leg.destination,
                caller_name=leg.caller_name,
                caller_number=leg.caller_number,
                custom_headers=leg.headers,
                client_state=leg.client_state,
                params=params,
            )
        )

    def accept(self, leg: Leg, offer: str, steps: Iterable[Step]) -> None:
        """A call that its client made: negotiate, and start on the steps."""
        if Step.FAIL not in (planned := tuple(steps)):
            self._peers.open(leg, Purpose.ACCEPT, offer)
        self.plan(leg, planned)

    def plan(self, leg: Leg, steps: Iterable[Step]) -> None:
        leg.steps.extend(steps)
        self._arm(leg)
        self.advance(leg)

    def then(self, leg: Leg, step: Step) -> None:
        """Add a step that the partner leg caused: it has no delay of its own."""
        leg.steps.append(step)
        leg.due = True
        self.advance(leg)

    def offer(
        self,
        session: Session,
        *,
        caller_name: str,
        caller_number: str,
        destination: str,
        ids: TelnyxIds,
        headers: Headers = (),
        client_state: str | None = None,
        far_end: FarEnd | None = None,
        race: Race,
        late_sdp: float | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Leg:
        """Ring a client: one new inbound leg."""
        inbound: Direction = "inbound"
        leg = Leg(
            call=CallId(self._context.uuid()),
            session=session,
            direction=inbound,
            destination=destination,
            caller_name=caller_name,
            caller_number=caller_number,
            ids=ids,
            headers=headers,
            client_state=client_state,
            far_end=far_end,
            race=race,
            late_sdp=late_sdp,
            variables=variables or {},
        )
        self.add(leg, {})
        race.legs.append(leg)
        if late_sdp is not None:
            self.invite(leg, None)
        self._peers.open(leg, Purpose.INVITE)
        return leg

    # Progress of a call that its client made.

    def _arm(self, leg: Leg) -> None:
        if not leg.steps:
            return
        delay = self._delay(leg.steps[0])
        leg.due = delay == 0
        if not leg.due:
            self._context.timers.set(Timer.SETUP, self._context.now + delay, leg)

    def _delay(self, step: Step) -> float:
        plan = self._context.options.plan
        match step:
            case Step.RING | Step.FAIL:
                return plan.ringing_delay
            case Step.EARLY:
                return plan.early_delay
            case Step.ANSWER:
                return plan.answer_delay

    def delay_over(self, leg: Leg) -> None:
        if leg.direction == "inbound":
            self._bring_sdp(leg)
        else:
            leg.due = True
            self.advance(leg)

    def advance(self, leg: Leg) -> None:
        while leg.steps and leg.due and leg.phase is not Phase.ENDED:
            step = leg.steps[0]
            if step in (Step.EARLY, Step.ANSWER) and self.local_sdp(leg) is None:
                return
            leg.steps.popleft()
            self._arm(leg)
            match step:
                case Step.RING:
                    self._ring(leg)
                case Step.EARLY:
                    self._early(leg)
                case Step.ANSWER:
                    self._answer(leg)
                case Step.FAIL:
                    self.end(leg, cause(leg.failure), "far_end")

    def _ring(self, leg: Leg) -> None:
        if leg.phase is Phase.CREATED:
            leg.forward(Phase.RINGING)
            self._context.notify(CallRinging(leg.call))
        if self._context.options.like == "telnyx":  # The fork is silent about a far end that rings (PS-022).
            self.say(leg, RINGING, self.wording.ringing(leg))

    def _early(self, leg: Leg) -> None:
        if not leg.early:
            leg.early = True
            self.say(leg, MEDIA, self.wording.media(leg, self.local_sdp(leg)))
            self.feed(leg)

    def _answer(self, leg: Leg) -> None:
        says_sdp = not leg.early or self._context.options.quirks.answer_repeats_sdp
        params = self.wording.answer(leg, self.local_sdp(leg) if says_sdp else None)
        self._answered(leg)
        self.say(leg, ANSWER, params)
        if leg.partner is not None:
            self.say(leg, DISPLAY, self.wording.display(leg))
        self._assistants.answered(leg)

    def local_sdp(self, leg: Leg) -> str | None:
        return leg.current.sdp if leg.current is not None else None

    def _answered(self, leg: Leg, headers: Headers = ()) -> None:
        leg.forward(Phase.ANSWERED)
        self._context.timers.stop(Timer.AWAIT_REMOTE, leg)
        self._context.notify(CallAnswered(leg.call, headers))
        self.feed_both(leg)

    # Progress of a call that the gateway makes.

    def invite(self, leg: Leg, sdp: str | None) -> None:
        leg.invited = True
        self.say(leg, INVITE, self.wording.invite(leg, sdp))

    def invite_acknowledged(self, leg: Leg) -> None:
        """The client rings: tell its caller."""
        if leg.phase is Phase.CREATED:
            leg.forward(Phase.RINGING)
            self._context.notify(CallRinging(leg.call))
            caller = None if leg.race is None else leg.race.caller
            if caller is not None and caller.phase is Phase.CREATED and Step.RING not in caller.steps:
                self.then(caller, Step.RING)

    def answered_by_client(self, leg: Leg, headers: Headers) -> None:
        """The client took an inbound call; the others that rang for it have lost the race."""
        race, leg.race = leg.race, None
        if race is not None:
            for loser in race.legs:
                if loser is not leg:
                    loser.race = None
                    self.end(loser, cause("LOSE_RACE"), "gateway")
            if race.caller is not None:
                race.caller.race = None
                race.caller.answer_headers = headers
                leg.partner, race.caller.partner = race.caller, leg
        self._answered(leg, headers)
        if leg.partner is not None:
            self.then(leg.partner, Step.ANSWER)

    def offer_ready(self, leg: Leg) -> None:
        """The offer exists; ``media`` brings it where the invite went without."""
        if not leg.invited:
            self.invite(leg, self.local_sdp(leg))
        elif leg.late_sdp:
            self._context.timers.set(Timer.SETUP, self._context.now + leg.late_sdp, leg)
        else:
            self._bring_sdp(leg)

    def _bring_sdp(self, leg: Leg) -> None:
        self.say(leg, MEDIA, self.wording.media(leg, self.local_sdp(leg)))

    # Both kinds.

    def say(self, leg: Leg, method: str, params: JsonObject) -> None:
        """Send a message to the leg's client; without a socket nothing is sent."""
        if leg.session.line is not None:
            self._lines.push(leg.session.line, method, params, call=leg.call)

    def hold(self, leg: Leg, held: bool) -> None:
        """The holder hears nothing, the other side hears music."""
        if leg.held != held:
            leg.held = held
            self._context.notify(CallHeld(leg.call, held))
            self.feed_both(leg)

    def feed_both(self, leg: Leg) -> None:
        """Set the audio of both legs: a change on one side changes what the other hears."""
        self.feed(leg)
        if leg.partner is not None:
            self.feed(leg.partner)

    def feed(self, leg: Leg) -> None:
        source = self._source(leg)
        if source != leg.fed:
            leg.fed = source
            self._context.act(Feed(leg.call, source))

    def _source(self, leg: Leg) -> Source:
        if leg.held or self._away(leg):
            return Silence()
        if not leg.answered:
            return Tone("ringback") if leg.early else Silence()
        if leg.partner is not None:
            if leg.partner.held:
                return Tone("hold_music")
            talks = leg.partner.answered and not self._away(leg.partner)
            return FromCall(leg.partner.call) if talks else Silence()
        match leg.far_end:
            case "echo":
                return Echo()
            case "tone":
                return Tone("tone")
            case "silence" | None:
                return Silence()

    def _away(self, leg: Leg) -> bool:
        return leg.session.line is None and self._context.options.quirks.silent_when_lost

    def end(self, leg: Leg, ended: Cause, by: Ender, headers: Headers = ()) -> None:
        """End a leg with its partners. A BYE goes to every client but the one that ended its call itself."""
        leg.forward(Phase.ENDED)
        self._context.timers.stop_all(leg)
        del self._legs[leg.call]
        if by != "client":
            self.say(leg, BYE, self.wording.bye(leg, ended, headers))
        self._peers.close_all(leg)
        self._context.act(ReleaseCall(leg.call))
        self._context.notify(CallEnded(leg.call, leg.session.user, ended, by, headers))
        self._sessions.dropped(leg.session, leg.call)
        partner, leg.partner = leg.partner, None
        if partner is not None:
            partner.partner = None
            self.end(partner, ended, "far_end", headers)
        race, leg.race = leg.race, None
        if race is not None:
            self._left_race(race, leg, ended, headers)

    def hang_up(self, leg: Leg, ended: Cause, headers: Headers) -> None:
        """The far end hangs up. A call that is not answered yet ends on every socket that rings for it."""
        race = leg.race
        ringing = race.legs if race is not None and race.caller is None else [leg]
        for one in list(ringing):
            self.end(one, ended, "far_end", headers)

    def _left_race(self, race: Race, leg: Leg, ended: Cause, headers: Headers) -> None:
        if race.caller is leg:
            for callee in race.legs:
                callee.race = None
                self.end(callee, cause("ORIGINATOR_CANCEL"), "far_end")
            return
        race.legs.remove(leg)
        if not race.legs and race.caller is not None:
            race.caller.race = None
            self.end(race.caller, ended, "far_end", headers)

    def relay_info(self, leg: Leg, members: JsonObject) -> bool:
        """Pass digits or text on to the other client, if there is one."""
        if leg.partner is None:
            return False
        self.say(leg.partner, INFO, {"callID": leg.partner.call, **members})
        return True

    def ring_timed_out(self, leg: Leg) -> None:
        if leg.direction == "inbound":
            self.end(leg, cause("ORIGINATOR_CANCEL"), "gateway")
        else:
            self.end(leg, cause("NO_ANSWER"), "gateway")
