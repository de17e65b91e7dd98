"""A client's requests about an existing call (calls.md 5.1, signaling.md 3.10 to 3.13)."""

import re
from typing import Final

from attrs import evolve

from telnyx_core._signalling.messages import CAUSE_CODES, CAUSES, INFO, bye_cause, custom_headers
from telnyx_core._time.limits import MAX_NAME_CHARS
from telnyx_core._time.timers import Timer
from telnyx_core._wire.codec import Request, integer, mapping, string
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import Cause
from telnyx_core.gateway.calls import CALL_FAILED, NO_SUCH_CALL, Calls
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.events import CandidateReceived, DigitsReceived, MessageReceived
from telnyx_core.gateway.legs import Leg, Phase, Purpose, cause
from telnyx_core.gateway.peers import Peers
from telnyx_core.gateway.records import ClientSocket
from telnyx_core.gateway.sdp import reachable
from telnyx_core.gateway.sessions import sessid

UNKNOWN_METHOD = -32601
_DIGITS: Final = frozenset("0123456789*#ABCDabcdFfwW")
_DURATION: Final = re.compile(r"@\d*")
INVALID_METHOD = "Invalid Method, Missing Method or Permission Denied"


class Dialogs:
    def __init__(self, context: Context, lines: Lines, calls: Calls, peers: Peers) -> None:
        self._context = context
        self._lines = lines
        self._calls = calls
        self._peers = peers

    def _leg(self, line: ClientSocket, request: Request) -> Leg | None:
        """The call a request speaks of, if it is one of this client's; otherwise the request is refused."""
        ident = request.call
        if ident is None:
            missing = "CallID missing" if mapping(request.params, "dialogParams") else "Dialog data missing"
            self._lines.refuse(line, request, CALL_FAILED, missing)
            return None
        leg = self._calls.legs.get(ident)
        if leg is None or leg.session is not line.session:
            members: JsonObject = {"callID": ident}
            if (action := string(request.params, "action")) is not None:
                members["action"] = action
            self._lines.refuse(line, request, CALL_FAILED, NO_SUCH_CALL, members)
            return None
        return leg

    def _fail(self, line: ClientSocket, request: Request, leg: Leg, message: str) -> None:
        self._lines.refuse(line, request, CALL_FAILED, message, {"callID": leg.call})

    # The client's answers to our offers.

    def answer(self, line: ClientSocket, request: Request) -> None:
        leg = self._leg(line, request)
        if leg is None:
            return
        sdp = string(request.params, "sdp")
        if leg.direction == "outbound" or leg.phase is Phase.ANSWERED or not _offered(leg):
            self._fail(line, request, leg, "CALL ERROR")
        elif sdp is None:
            self._fail(line, request, leg, "SDP missing")
        else:
            self._take_answer(line, request, leg, sdp)

    def _take_answer(self, line: ClientSocket, request: Request, leg: Leg, sdp: str) -> None:
        """The client hears whether its answer can be used once that is known (PS-027)."""
        peer = leg.peers[-1]
        peer.request = (line, request)
        leg.recovers = mapping(request.params, "dialogParams").get("recoverCall") is not False
        if self._context.options.quirks.private_candidates or leg.trickles or reachable(sdp):
            self._peers.answer(peer, sdp)
        else:
            peer.request = None
            self._lines.refuse(line, request, CALL_FAILED, "CODEC ERROR")

    def attach(self, line: ClientSocket, request: Request) -> None:
        """The answer to an ``attach`` of ours; with it an unanswered inbound call is answered, too."""
        leg = self._leg(line, request)
        if leg is None:
            return
        sdp = string(request.params, "sdp")
        if leg.answered and not self._calls.established(leg):
            self._too_early(line, request, leg)
        elif not _offered(leg) or leg.peers[-1].purpose is not Purpose.ATTACH:
            self._fail(line, request, leg, "CALL ERROR")
        elif sdp is None:
            self._fail(line, request, leg, "SDP missing")
        else:
            self._take_answer(line, request, leg, sdp)

    def _too_early(self, line: ClientSocket, request: Request, leg: Leg) -> None:
        """A new description for a call that the server does not count as answered ends it (PS-008)."""
        self._fail(line, request, leg, "Cannot update a call that has not been answered.")
        self._calls.end(leg, cause("DESTINATION_OUT_OF_ORDER"), "gateway")

    # The end.

    def bye(self, line: ClientSocket, request: Request) -> None:
        leg = self._leg(line, request)
        if leg is None:
            return
        ended = bye_cause(request.params, Cause("NORMAL_CLEARING", 16) if leg.answered else Cause("USER_BUSY", 17))
        if ended.cause not in CAUSE_CODES and (name := CAUSES.get(ended.cause_code or 0)) is not None:
            ended = evolve(ended, cause=name)  # A name that means nothing to the server leaves the code (PS-028).
        usual = cause(ended.cause or "")
        if ended.sip_code is None:
            ended = evolve(ended, sip_code=usual.sip_code, sip_reason=ended.sip_reason or usual.sip_reason)
        result: JsonObject = {
            "callID": leg.call,
            "message": "CALL ENDED",
            "cause": ended.cause,
            "causeCode": ended.cause_code,
            "sip_call_id": ended.sip_call_id,
            **sessid(line),
        }
        self._lines.reply(line, request, result)
        self._calls.end(leg, ended, "client", custom_headers(request.params))

    # During the call.

    def modify(self, line: ClientSocket, request: Request) -> None:
        leg = self._leg(line, request)
        if leg is None:
            return
        action = string(request.params, "action")
        match action:
            case None:
                self._fail(line, request, leg, "action missing")
            case "updateMedia":
                self._update_media(line, request, leg)
            case "hold" | "unhold" | "toggleHold":
                held = not leg.held if action == "toggleHold" else action == "hold"
                # Before the server counts it as answered nothing is held, and no error says so (PS-009).
                held = held and self._calls.established(leg)
                result: JsonObject = {
                    "callID": leg.call,
                    "action": action,
                    "holdState": "held" if held else "active",
                    **sessid(line),
                }
                self._lines.reply(line, request, result)
                self._calls.hold(leg, held)
            case "transfer" if leg.partner is None:
                self._fail(line, request, leg, "call is not bridged")
            case _:
                # The platform reports success for any unknown action (PS-028).
                self._lines.reply(line, request, {"callID": leg.call, "action": action, **sessid(line)})

    def _update_media(self, line: ClientSocket, request: Request, leg: Leg) -> None:
        sdp = string(request.params, "sdp")
        if not self._calls.established(leg):
            self._too_early(line, request, leg)
        elif sdp is None:
            self._fail(line, request, leg, "SDP missing")
        elif not (self._context.options.quirks.private_candidates or reachable(sdp)):
            self._fail(line, request, leg, "CODEC NEGOTIATION ERROR")
        elif any(peer.request is not None for peer in leg.peers):
            self._fail(line, request, leg, "an update is in progress")
        else:
            # An offer of ours that is still open is overtaken by the client's.
            self._context.timers.stop(Timer.ATTACH_WAIT, leg)
            self._peers.close_pending(leg)
            leg.trickles = request.params.get("trickle") is True
            self._peers.open(leg, Purpose.UPDATE, sdp).request = (line, request)

    def info(self, line: ClientSocket, request: Request) -> None:
        ident = request.call
        leg = None if ident is None else self._calls.legs.get(ident)
        if leg is None or leg.session is not line.session:
            self._lines.reply(line, request, sessid(line))  # No error: what is missing is SENT (PS-020).
            return
        self._lines.reply(line, request, {"message": "SENT", **sessid(line)})
        digits = string(request.params, "dtmf")
        if digits is not None and (heard := _digits(digits[:MAX_NAME_CHARS])):
            self._context.notify(DigitsReceived(leg.call, heard, "info"))
        message = mapping(request.params, "msg")
        if message:
            self._message(leg, message)

    def _message(self, leg: Leg, message: JsonObject) -> None:
        sender, to, body = (string(message, name) or "" for name in ("from", "to", "body"))
        self._context.notify(MessageReceived(leg.call, sender, to, body))
        relayed = self._calls.relay_info(leg, {"msg": {"from": sender, "to": to, "body": body}})
        if not relayed and leg.far_end == "echo":
            self._calls.say(leg, INFO, {"callID": leg.call, "msg": {"from": to, "to": sender, "body": body}})

    # Trickled candidates.

    def candidate(self, line: ClientSocket, request: Request) -> None:
        params = request.params
        self._candidate(
            line,
            request,
            string(params, "candidate") or "",
            string(params, "sdpMid"),
            integer(params, "sdpMLineIndex") or 0,
        )

    def end_of_candidates(self, line: ClientSocket, request: Request) -> None:
        self._candidate(line, request, "", None, 0)

    def _candidate(self, line: ClientSocket, request: Request, candidate: str, sdp_mid: str | None, index: int) -> None:
        if not self._context.options.trickle:
            self._lines.refuse(line, request, UNKNOWN_METHOD, INVALID_METHOD)
            return
        leg = self._leg(line, request)
        if leg is None:
            return
        self._lines.reply(line, request, {"callID": leg.call, **sessid(line)})
        self._context.notify(CandidateReceived(leg.call, candidate))
        self._peers.add_candidate(leg, candidate, sdp_mid, index)


def _digits(text: str) -> str:
    """What reaches the far end of digits: a comma is dropped, ``w`` and ``W`` are digits as good as any, and ``@`` with
    milliseconds says how long (PS-020)."""
    return "".join(char for char in _DURATION.sub("", text) if char in _DIGITS)


def _offered(leg: Leg) -> bool:
    """There is an offer of ours that the client has and has not answered."""
    return bool(leg.peers) and leg.peers[-1].sdp is not None and not leg.peers[-1].answer_taken
