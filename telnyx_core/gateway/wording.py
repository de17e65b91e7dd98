"""The gateway's messages about a call, in the form of the fork or of production (`Like`)."""

from typing import Final

from telnyx_core._signalling.messages import ANSWER, header_list
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.events import Cause
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.legs import Leg
from telnyx_core.options import CustomHeader

OUTBOUND_NAME: Final = "Outbound Call"
HEADER_PREFIX: Final = "telnyx_rtc_h_"
"""Of a custom header at the top level of ``params``."""
VARIABLE_PREFIX: Final = "telnyx_rtc_svar_"
"""Of a service variable."""


class Wording:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._sequence = 0

    @property
    def _plain(self) -> bool:
        """Nothing but what the fork says."""
        return self._context.options.like == "mod_verto"

    def ringing(self, leg: Leg) -> JsonObject:
        """The caller is the client."""
        return self._progress(leg, ())

    def answer(self, leg: Leg, sdp: str | None) -> JsonObject:
        params: JsonObject = {"callID": leg.call} if self._plain else self._progress(leg, leg.answer_headers)
        if self._plain:
            params.update(_top_level(leg.answer_headers))
        if sdp is not None:
            params["sdp"] = sdp
        return {**params, "variables": self._variables(leg)}

    def taken(self, leg: Leg, method: str) -> JsonObject:
        """The client's answer can be used: the fork says so by a result with nothing in it."""
        said = "CALL ANSWERED" if method == ANSWER else "CALL ATTACHED"
        return {} if self._plain else {"message": said, "callID": leg.call}

    def media(self, leg: Leg, sdp: str | None) -> JsonObject:
        return {"callID": leg.call, "sdp": sdp, "variables": self._variables(leg)}

    def invite(self, leg: Leg, sdp: str | None) -> JsonObject:
        """The caller is the other party."""
        return self._offer(leg, sdp, "outbound")

    def attach(self, leg: Leg, sdp: str | None) -> JsonObject:
        """As the call began: who called is the caller, and a call of the client's own is marked ``inbound``, seen from
        the server. That is how a client which lost all memory of it can tell."""
        return self._offer(leg, sdp, "inbound" if leg.direction == "outbound" else "outbound")

    def display(self, leg: Leg) -> JsonObject:
        """Who answered; it follows the answer of a call to another party."""
        return {
            "callID": leg.call,
            "display_name": leg.destination,
            "display_number": leg.destination,
            "caller_id_name": leg.caller_name,
            "caller_id_number": leg.caller_number,
            "callee_id_name": leg.destination,
            "callee_id_number": leg.destination,
            "display_direction": "inbound",
        }

    def bye(self, leg: Leg, ended: Cause, headers: tuple[CustomHeader, ...]) -> JsonObject:
        members: dict[str, Json] = {"cause": ended.cause, "causeCode": ended.cause_code}
        if not self._plain:
            members |= {
                "sipCode": ended.sip_code,
                "sipReason": ended.sip_reason,
                "sip_call_id": ended.sip_call_id,
                "client_state": leg.client_state,
            }
        params: JsonObject = {"callID": leg.call}
        params.update((name, value) for name, value in members.items() if value is not None)
        return params | self._headers(headers)

    def _progress(self, leg: Leg, headers: tuple[CustomHeader, ...]) -> JsonObject:
        return {
            "callID": leg.call,
            "caller_id_name": leg.caller_name,
            "caller_id_number": leg.caller_number,
            "callee_id_name": OUTBOUND_NAME,
            "callee_id_number": leg.destination,
            "display_direction": "inbound",
            **self._ids(leg),
            "dialogParams": {"custom_headers": header_list(headers)},
        }

    def _offer(self, leg: Leg, sdp: str | None, direction: str) -> JsonObject:
        params: JsonObject = {
            "callID": leg.call,
            "variables": self._variables(leg),
            "caller_id_name": leg.caller_name,
            "caller_id_number": leg.caller_number,
            "callee_id_name": OUTBOUND_NAME,
            "callee_id_number": leg.destination if leg.direction == "outbound" else leg.session.user,
            "display_direction": direction,
            **({} if self._plain else self._ids(leg)),
            **self._headers(leg.headers),
        }
        if sdp is not None:
            params["sdp"] = sdp
        if leg.client_state is not None and not self._plain:
            params["client_state"] = leg.client_state
        return params

    def _ids(self, leg: Leg) -> JsonObject:
        return {
            "telnyx_call_control_id": leg.ids.call_control_id,
            "telnyx_session_id": leg.ids.session_id,
            "telnyx_leg_id": leg.ids.leg_id,
        }

    def _headers(self, headers: tuple[CustomHeader, ...]) -> JsonObject:
        return _top_level(headers) if self._plain else {"dialogParams": {"custom_headers": header_list(headers)}}

    def _variables(self, leg: Leg) -> JsonObject:
        """Which node this is, which event it was, and the service variables of the call (PS-023): all strings."""
        self._sequence += 1
        line = leg.session.line
        at = self._context.now + (0.0 if line is None else line.epoch)
        return {
            "Event-Name": "CHANNEL_DATA",
            "Core-UUID": self._context.node,
            "FreeSWITCH-Hostname": self._context.options.hostname,
            "FreeSWITCH-Switchname": self._context.options.hostname,
            "Event-Date-Timestamp": str(round(at * 1_000_000)),
            "Event-Sequence": str(self._sequence),
            **{f"{VARIABLE_PREFIX}{name}": value for name, value in leg.variables.items()},
        }


def _top_level(headers: tuple[CustomHeader, ...]) -> JsonObject:
    return {f"{HEADER_PREFIX}{header.name}": header.value for header in headers}
