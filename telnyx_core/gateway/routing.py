"""Where calls go: dialled numbers, users, assistants, and calls that the gateway makes itself."""

from collections.abc import Mapping
from typing import Final

from telnyx_core._signalling.messages import client_state, custom_headers
from telnyx_core._wire.codec import Request, mapping, string
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.errors import NotConnected
from telnyx_core.gateway.calls import CALL_FAILED, Calls, Headers
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.legs import Leg, Race, Step, cause
from telnyx_core.gateway.options import Assistant, FarEnd, Route
from telnyx_core.gateway.records import ClientSocket, Session
from telnyx_core.gateway.sdp import reachable
from telnyx_core.gateway.sessions import Sessions, kept_variables, logged_in, sessid
from telnyx_core.ids import CallId

_ANSWERED: Final = (Step.RING, Step.ANSWER)

STEPS: Final[Mapping[Route, tuple[Step, ...]]] = {
    "echo": _ANSWERED,
    "tone": _ANSWERED,
    "silence": _ANSWERED,
    "assistant": _ANSWERED,
    "early": (Step.RING, Step.EARLY, Step.ANSWER),
    "ring": (Step.RING,),
    "busy": (Step.FAIL,),
    "reject": (Step.FAIL,),
}
FAILURES: Final[Mapping[Route, str]] = {"busy": "USER_BUSY", "reject": "CALL_REJECTED"}
FAR_ENDS: Final[Mapping[Route, FarEnd]] = {"echo": "echo", "early": "echo", "assistant": "echo", "tone": "tone"}


class Routing:
    def __init__(self, context: Context, lines: Lines, sessions: Sessions, calls: Calls) -> None:
        self._context = context
        self._lines = lines
        self._sessions = sessions
        self._calls = calls

    def invite(self, line: ClientSocket, request: Request) -> None:
        """A client calls. The call is accepted first and may fail afterwards."""
        session = logged_in(line)
        params, dialog = request.params, mapping(request.params, "dialogParams")
        call, sdp = request.call, string(params, "sdp")
        if not dialog:
            self._refuse(line, request, "Dialog data missing")
        elif call is None:
            self._refuse(line, request, "CallID missing")
        elif sdp is None:
            self._refuse(line, request, "SDP missing")
        elif call in self._calls.legs:
            self._refuse(line, request, "CALL ERROR", "DESTINATION_OUT_OF_ORDER")
        elif self._calls.full:
            self._refuse(line, request, "CALL ERROR", "NORMAL_TEMPORARY_FAILURE")
        else:
            leg = Leg(
                call=call,
                session=session,
                direction="outbound",
                destination=string(dialog, "destination_number") or "",
                caller_name=string(dialog, "caller_id_name") or "",
                caller_number=string(dialog, "caller_id_number") or "",
                ids=self._calls.ids(),
                headers=custom_headers(params),
                client_state=client_state(dialog),
                trickles=params.get("trickle") is True and self._context.options.trickle,
                recovers=dialog.get("recoverCall") is not False,
                client_offer=sdp,
            )
            self._connect(line, request, leg, sdp)

    def _refuse(self, line: ClientSocket, request: Request, message: str, failure: str | None = None) -> None:
        members: JsonObject = {}
        if failure is not None:
            why = cause(failure)
            members = {"callID": request.call, "cause": why.cause, "causeCode": why.cause_code}
        self._lines.refuse(line, request, CALL_FAILED, message, members)

    def _connect(self, line: ClientSocket, request: Request, leg: Leg, sdp: str) -> None:
        session = leg.session
        route: Route | None = "assistant" if session.assistant is not None else self._route(leg.destination)
        callees = [] if route is not None else self._callees(session, leg.destination)
        steps = STEPS[route] if route is not None else () if callees else (Step.FAIL,)
        if Step.FAIL in steps:
            leg.failure = FAILURES[route] if route is not None else "UNALLOCATED_NUMBER"
            if not self._context.options.quirks.accept_first:
                self._refuse(line, request, "CALL ERROR", leg.failure)
                return
        elif session.early_sdp and Step.EARLY not in steps:
            steps = (*steps[:1], Step.EARLY, *steps[1:])
        if route is not None:
            leg.far_end = FAR_ENDS.get(route)
        if route == "assistant":
            leg.assistant = session.assistant or self._any_assistant()
        if not (self._context.options.quirks.private_candidates or leg.trickles or reachable(sdp)):
            leg.failure, steps, callees = "INCOMPATIBLE_DESTINATION", (Step.FAIL,), []
        self._lines.reply(line, request, {"message": "CALL CREATED", "callID": leg.call, **sessid(line)})
        self._calls.add(leg, kept_variables(request.params))
        self._calls.accept(leg, sdp, steps)
        if callees:
            self._ring(leg, callees)

    def _route(self, destination: str) -> Route | None:
        return self._context.options.routes.get(destination) or self._context.options.routes.get(user_part(destination))

    def _callees(self, caller: Session, destination: str) -> list[Session]:
        return [session for session in self._sessions.online(user_part(destination)) if session is not caller]

    def _any_assistant(self) -> Assistant:
        return next(iter(self._context.options.assistants.values()), Assistant())

    def _ring(self, caller: Leg, callees: list[Session]) -> None:
        """Two legs, or more while it rings: caller and callees are swapped from one to the other (SIG-107)."""
        race = caller.race = Race(caller, [])
        for session in callees:
            self._calls.offer(
                session,
                caller_name=caller.caller_name,
                caller_number=caller.caller_number or caller.session.user,
                destination=session.user,
                ids=self._calls.ids(caller.ids.session_id),
                headers=caller.headers,
                race=race,
            )

    def call_user(
        self,
        user: str,
        *,
        from_number: str,
        from_name: str,
        behaviour: FarEnd,
        headers: Headers,
        state: str | None,
        late_sdp: float | None,
        variables: Mapping[str, str],
    ) -> CallId:
        sessions = self._sessions.online(user)
        if not sessions:
            raise NotConnected(f"no socket of {user!r} is logged in")
        race, ids = Race(None, []), self._calls.ids()
        legs = [
            self._calls.offer(
                session,
                caller_name=from_name,
                caller_number=from_number,
                destination=user,
                ids=self._calls.ids(ids.session_id),
                headers=headers,
                client_state=state,
                far_end=behaviour,
                race=race,
                late_sdp=late_sdp,
                variables=variables,
            )
            for session in sessions
        ]
        return legs[0].call


def user_part(destination: str) -> str:
    """``alice`` of ``sip:alice@example.com``; anything else as it is."""
    return destination.removeprefix("sip:").partition("@")[0]
