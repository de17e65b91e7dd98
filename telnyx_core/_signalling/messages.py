"""The messages: one builder for each one that is sent, one reader for each one that is acted on.

They are specified in signaling.md 3 and calls.md 5. Builders return ``params``; `requests` adds ids and envelopes.
"""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Final

from attrs import frozen

from telnyx_core._time.limits import MAX_HEADERS, MAX_HEADERS_CHARS, MAX_NAME_CHARS, MAX_WORDS_CHARS
from telnyx_core._version import VERSION
from telnyx_core._wire.codec import description, identifier, integer, mapping, string, strings, words
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.events import Cause
from telnyx_core.facts import CandidateFound
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions, Codec, CustomHeader

LOGIN: Final = "login"
ANONYMOUS_LOGIN: Final = "anonymous_login"
CLIENT_READY: Final = "telnyx_rtc.clientReady"
GATEWAY_STATE: Final = "telnyx_rtc.gatewayState"
PING: Final = "telnyx_rtc.ping"
INVITE: Final = "telnyx_rtc.invite"
ANSWER: Final = "telnyx_rtc.answer"
ATTACH: Final = "telnyx_rtc.attach"
RINGING: Final = "telnyx_rtc.ringing"
MEDIA: Final = "telnyx_rtc.media"
DISPLAY: Final = "telnyx_rtc.display"
BYE: Final = "telnyx_rtc.bye"
MODIFY: Final = "telnyx_rtc.modify"
INFO: Final = "telnyx_rtc.info"
CANDIDATE: Final = "telnyx_rtc.candidate"
END_OF_CANDIDATES: Final = "telnyx_rtc.endOfCandidates"
PUNT: Final = "telnyx_rtc.punt"
EVENT: Final = "telnyx_rtc.event"
SUBSCRIBE: Final = "telnyx_rtc.subscribe"
UNSUBSCRIBE: Final = "telnyx_rtc.unsubscribe"
BROADCAST: Final = "telnyx_rtc.broadcast"
WEBRTC_EVENT: Final = "webrtc.event"
AI_CONVERSATION: Final = "ai_conversation"

USER_AGENT: Final = f"Python-{VERSION}"  # names the language and the version (CALL-209)

HEADER_PREFIX: Final = "telnyx_rtc_h_"
"""Of a SIP header that stands at the top level of ``params`` instead of among ``custom_headers`` (PS-024)."""
MAX_VARIABLES: Final = 128
"""Most variables of one message; the server sends a dozen."""

UNKNOWN_METHOD: Final = -32601  # JSON-RPC 2.0 section 5.1

CAUSE_CODES: Final = {  # CALL-410; up to 127 those of Q.850, from 500 up the server's own (PS-026)
    "UNALLOCATED_NUMBER": 1,
    "NO_ROUTE_TRANSIT_NET": 2,
    "NO_ROUTE_DESTINATION": 3,
    "NORMAL_CLEARING": 16,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "SUBSCRIBER_ABSENT": 20,
    "CALL_REJECTED": 21,
    "NUMBER_CHANGED": 22,
    "EXCHANGE_ROUTING_ERROR": 25,
    "DESTINATION_OUT_OF_ORDER": 27,
    "INVALID_NUMBER_FORMAT": 28,
    "FACILITY_REJECTED": 29,
    "NORMAL_UNSPECIFIED": 31,
    "NORMAL_CIRCUIT_CONGESTION": 34,
    "NETWORK_OUT_OF_ORDER": 38,
    "NORMAL_TEMPORARY_FAILURE": 41,
    "SWITCH_CONGESTION": 42,
    "REQUESTED_CHAN_UNAVAIL": 44,
    "FACILITY_NOT_SUBSCRIBED": 50,
    "OUTGOING_CALL_BARRED": 52,
    "INCOMING_CALL_BARRED": 54,
    "BEARERCAPABILITY_NOTAUTH": 57,
    "BEARERCAPABILITY_NOTAVAIL": 58,
    "SERVICE_UNAVAILABLE": 63,
    "BEARERCAPABILITY_NOTIMPL": 65,
    "FACILITY_NOT_IMPLEMENTED": 69,
    "SERVICE_NOT_IMPLEMENTED": 79,
    "INCOMPATIBLE_DESTINATION": 88,
    "MANDATORY_IE_MISSING": 96,
    "RECOVERY_ON_TIMER_EXPIRE": 102,
    "PROTOCOL_ERROR": 111,
    "INTERWORKING": 127,
    "ORIGINATOR_CANCEL": 487,
    "CRASH": 700,
    "SYSTEM_SHUTDOWN": 701,
    "LOSE_RACE": 702,
    "MANAGER_REQUEST": 703,
    "BLIND_TRANSFER": 800,
    "ALLOTTED_TIMEOUT": 802,
    "MEDIA_TIMEOUT": 804,
    "USER_NOT_REGISTERED": 806,
    "INVALID_GATEWAY": 808,
    "DECLINE": 816,
    "UNWANTED": 819,
}
CAUSES: Final = {code: cause for cause, code in CAUSE_CODES.items()}


# Messages that are sent.


def login_params(options: ClientOptions, *, reconnection: bool, session_id: str | None) -> tuple[str, JsonObject]:
    """The method and params of the login that the options ask for (SIG-110 to SIG-122)."""
    agent: JsonObject = {"sdkVersion": VERSION, "data": f"telnyx-rtc {VERSION} (Python)"}
    if (target := options.anonymous_login) is not None:
        anonymous: JsonObject = {
            "target_type": target.target_type,
            "target_id": target.target_id,
            "userVariables": kept(options.user_variables),
            "reconnection": reconnection,
            "User-Agent": agent,
        }
        if session_id is not None:
            anonymous["sessid"] = session_id
        if target.target_version_id is not None:
            anonymous["target_version_id"] = target.target_version_id
        if target.target_params is not None:
            anonymous["target_params"] = dict(target.target_params)
        return ANONYMOUS_LOGIN, anonymous
    params: JsonObject = {}
    if options.login is not None:
        params["login"] = options.login
    if options.password is not None:
        params["passwd"] = options.password
    if options.login_token is not None:
        params["login_token"] = options.login_token
    push = options.push_when_active
    if push is None:
        push = options.user_variables.get("push_when_active") is True
    params["userVariables"] = {**kept(options.user_variables), "push_when_active": push, "pn_late_fanout": push}
    params["reconnection"] = reconnection
    params["loginParams"] = {"early_sdp_answer": options.early_sdp_answer}
    if session_id is not None:
        params["sessid"] = session_id
    params["User-Agent"] = agent
    return LOGIN, params


@frozen(kw_only=True)
class Dialog:
    """The ``dialogParams`` of a call: a closed list of members, never a credential or a path (SIG-106)."""

    id: CallId
    options: CallOptions
    headers: tuple[CustomHeader, ...]
    client_state: str | None
    call_control_id: str | None
    session_id: str | None
    leg_id: str | None
    user_variables: JsonView
    trickle: bool
    attach: bool = False

    def params(self) -> JsonObject:
        options = self.options
        params: JsonObject = {
            "callID": self.id,
            "destination_number": options.destination_number,
            "remote_caller_id_name": options.remote_caller_name,
            "remote_caller_id_number": options.remote_caller_number or options.destination_number,
            "caller_id_name": options.caller_name,
            "caller_id_number": options.caller_number,
            "audio": options.audio is not False,
            "video": False,
            "useStereo": options.use_stereo,
            "attach": self.attach,
            "screenShare": False,
            "userVariables": kept(self.user_variables),
            "mediaSettings": {
                "useSdpASBandwidthKbps": options.max_kbps is not None,
                "sdpASBandwidthKbps": options.max_kbps or 0,
            },
            "trickleIce": self.trickle,
        }
        if not options.recover:
            params["recoverCall"] = False
        if self.headers:
            params["custom_headers"] = header_list(self.headers)
        if self.client_state is not None:
            params["clientState"] = self.client_state
        if options.preferred_codecs:
            params["preferred_codecs"] = [_codec(codec) for codec in options.preferred_codecs]
        if self.call_control_id is not None:
            params["telnyxCallControlId"] = self.call_control_id
        if self.session_id is not None:
            params["telnyxSessionId"] = self.session_id
        if self.leg_id is not None:
            params["telnyxLegId"] = self.leg_id
        return params


def kept(user_variables: JsonView) -> JsonObject:
    """User variables as the server can keep them. It silently drops values that are neither string nor boolean, so a
    number is sent as its digits, a list or an object as JSON text, and ``None`` is not sent (PS-025)."""
    return {
        name: value if isinstance(value, str | bool) else json.dumps(value, separators=(",", ":"))
        for name, value in user_variables.items()
        if value is not None
    }


def header_list(headers: Iterable[CustomHeader]) -> list[Json]:
    return [{"name": header.name, "value": header.value} for header in headers]


def _codec(codec: Codec) -> JsonObject:
    entry: JsonObject = {"mimeType": codec.mime_type, "clockRate": codec.clock_rate}
    if codec.channels is not None:
        entry["channels"] = codec.channels
    if codec.sdp_fmtp_line is not None:
        entry["sdpFmtpLine"] = codec.sdp_fmtp_line
    return entry


def description_params(sdp: str, dialog: Dialog, *, trickle: bool) -> JsonObject:
    """``invite``, ``answer`` and ``attach`` (SIG-140 to SIG-142)."""
    params: JsonObject = {"sdp": sdp, "dialogParams": dialog.params(), "User-Agent": USER_AGENT}
    if trickle:
        params["trickle"] = True
    return params


def bye_params(cause: Cause, dialog: JsonObject) -> JsonObject:
    """The params of a BYE: an unknown SIP code or SIP call id is sent as null (SIG-154), ``sipReason`` only if known
    (CALL-203).
    """
    params: JsonObject = {
        "sipCode": cause.sip_code,
        "sip_call_id": cause.sip_call_id,
        "dialogParams": dialog,
    }
    if cause.cause is not None:
        params["cause"] = cause.cause
    if cause.cause_code is not None:
        params["causeCode"] = cause.cause_code
    if cause.sip_reason is not None:
        params["sipReason"] = cause.sip_reason
    return params


def candidate_params(call: CallId, found: CandidateFound) -> JsonObject:
    return {
        "candidate": found.candidate,
        "sdpMLineIndex": found.sdp_m_line_index,
        "sdpMid": found.sdp_mid,
        "dialogParams": {"callID": call},
    }


def conversation_params(item_id: str, text: str, image_urls: Iterable[str]) -> JsonObject:
    """A user's text, with or without images (SIG-180, SIG-181)."""
    content: list[Json] = [{"type": "input_text", "text": text}]
    content.extend({"type": "image_url", "image_url": {"url": url}} for url in image_urls)
    return {
        "type": "conversation.item.create",
        "previous_item_id": None,
        "item": {"id": item_id, "type": "message", "role": "user", "content": content},
    }


# Messages that are received.


@frozen
class Offered:
    """``invite`` or ``attach`` of the server (SIG-107, SIG-145)."""

    sdp: str | None
    caller_name: str
    caller_number: str
    callee_name: str
    callee_number: str
    headers: tuple[CustomHeader, ...]
    client_state: str | None


def offered(params: JsonView) -> Offered:
    return Offered(
        description(params),
        words(params, "caller_id_name") or "",
        words(params, "caller_id_number") or "",
        words(params, "callee_id_name") or "",
        words(params, "callee_id_number") or "",
        custom_headers(params),
        client_state(params),
    )


def client_state(params: JsonView) -> str | None:
    state = string(params, "client_state") or string(params, "clientState")
    return state if state is None or len(state) <= MAX_HEADERS_CHARS else None


def custom_headers(params: JsonView) -> tuple[CustomHeader, ...]:
    """The SIP headers of a message; entries that are not a pair of strings are left out."""
    dialog = mapping(params, "dialogParams")
    entries = dialog.get("custom_headers")
    headers = [
        CustomHeader(name.removeprefix(HEADER_PREFIX), value)
        for name, value in params.items()
        if name.startswith(HEADER_PREFIX) and isinstance(value, str)
    ]
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            name, value = entry.get("name"), entry.get("value")
            if isinstance(name, str) and isinstance(value, str):
                headers.append(CustomHeader(name, value))
    room = MAX_HEADERS_CHARS
    kept: list[CustomHeader] = []
    for header in headers[:MAX_HEADERS]:
        room -= len(header.name) + len(header.value)
        if room < 0:
            break
        kept.append(header)
    return tuple(kept)


def variables(params: JsonView) -> dict[str, str]:
    """What the server says of its node and its service: strings by name (PS-023)."""
    said = mapping(params, "variables")
    return {
        name: value[:MAX_WORDS_CHARS]
        for name, value in islice(said.items(), MAX_VARIABLES)
        if isinstance(value, str) and len(name) <= MAX_NAME_CHARS
    }


def bye_cause(params: JsonView, default: Cause) -> Cause:
    """How the far end says the call ended (CALL-403); a missing half is looked up (CALL-402)."""
    cause, code = words(params, "cause"), integer(params, "causeCode")
    if cause is None and code is None:
        cause, code = default.cause, default.cause_code
    elif cause is None and code is not None:
        cause = CAUSES.get(code)
    elif code is None and cause is not None:
        code = CAUSE_CODES.get(cause)
    return Cause(
        cause,
        code,
        integer(params, "sipCode"),
        words(params, "sipReason"),
        words(params, "sip_call_id"),
    )


@frozen
class GatewayReport:
    """A gateway state with what comes along (SIG-126, SIG-127)."""

    state: str
    call_report_id: str | None
    dc: str | None
    region: str | None
    reattached: tuple[str, ...] | None


def gateway_report(params: JsonView) -> GatewayReport | None:
    state = string(params, "state")
    if state is None or len(state) > MAX_NAME_CHARS:
        return None
    return GatewayReport(
        state,
        identifier(params, "call_report_id"),
        identifier(params, "dc"),
        identifier(params, "region"),
        strings(params, "reattached_sessions"),
    )
