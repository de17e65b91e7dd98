"""Hypothesis strategies for what a server may say and what a world may do. Importing this needs Hypothesis."""

from collections.abc import Sequence

from hypothesis import strategies as st

from telnyx_core._signalling import messages as m
from telnyx_core._wire.codec import encode
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.options import CallOptions, ClientOptions, IceServer, MediaPermissionsRecovery
from telnyx_core.testing.media import sdp_of

SERVER_METHODS = (
    m.INVITE,
    m.ATTACH,
    m.RINGING,
    m.MEDIA,
    m.ANSWER,
    m.DISPLAY,
    m.BYE,
    m.INFO,
    m.EVENT,
    m.WEBRTC_EVENT,
    m.CANDIDATE,
    m.END_OF_CANDIDATES,
    m.PING,
    m.PUNT,
    m.CLIENT_READY,
    m.GATEWAY_STATE,
    m.AI_CONVERSATION,
)
GATEWAY_STATES = (
    "REGED",
    "REGISTER",
    "UNREGED",
    "NOREG",
    "FAILED",
    "FAIL_WAIT",
    "TIMEOUT",
    "DOWN",
    "TRYING",
    "EXPIRED",
    "UNREGISTER",
    "ATTACHED",
)


def json_values(max_leaves: int = 8) -> st.SearchStrategy[Json]:
    """Anything that JSON can say."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=max_leaves,
    )


def texts() -> st.SearchStrategy[str]:
    """Text frames that mean little: JSON of any shape, JSON cut short, and no JSON at all."""
    whole = json_values().map(lambda value: encode({"value": value})[len('{"value":') : -1])
    cut = st.builds(_cut, whole, st.integers(0, 400))
    return whole | cut | st.text(max_size=40) | st.sampled_from(["#SPU 1", "[]", "null", "{}", '{"jsonrpc":"2.0"}'])


def _cut(text: str, at: int) -> str:
    return text[: at % (len(text) + 1)]


@st.composite
def requests(draw: st.DrawFn, calls: Sequence[str] = (), methods: Sequence[str] = SERVER_METHODS) -> str:
    """A request of a server: plausible in every member, now and then wrong in one. ``calls`` are ids it may name."""
    method = draw(st.sampled_from(list(methods)))
    call = draw(st.sampled_from([*calls, *calls, "11111111-2222-3333-4444-555555555555"]))
    params = draw(_params(method, call, calls))
    if draw(st.integers(0, 9)) == 0 and params:
        params[draw(st.sampled_from(sorted(params)))] = draw(json_values(4))
    frame: JsonObject = {"jsonrpc": "2.0", "id": draw(_ids()), "method": method, "params": params}
    if draw(st.booleans()):
        frame["voice_sdk_id"] = draw(st.sampled_from(["VSDK1", "VSDK2"]))
    if draw(st.integers(0, 19)) == 0:
        del frame[draw(st.sampled_from(sorted(frame)))]
    return encode(frame)


def _ids() -> st.SearchStrategy[Json]:
    return st.one_of(st.integers(1, 2**31), st.integers(1, 2**31), st.text(max_size=8), st.none(), st.booleans())


@st.composite
def _params(draw: st.DrawFn, method: str, call: str, calls: Sequence[str]) -> JsonObject:
    sdp = sdp_of(draw(st.sampled_from(["far1", "far2"])), "offer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
    named: JsonObject = {"callID": call}
    match method:
        case m.INVITE | m.ATTACH | m.MEDIA | m.ANSWER:
            if draw(st.integers(0, 3)):
                named["sdp"] = sdp
            named["telnyx_leg_id"] = draw(st.sampled_from(["leg1", "leg2"]))
        case m.BYE:
            named["cause"] = draw(st.sampled_from(["NORMAL_CLEARING", "USER_BUSY", "SOMETHING_NEW"]))
            named["causeCode"] = draw(st.sampled_from([16, 17, "16", None]))
        case m.DISPLAY:
            named.update(display_name="Hatter", display_number="+15550009999", display_direction="inbound")
        case m.CANDIDATE:
            named.update(candidate="candidate:1 1 udp 1 192.0.2.9 9 typ host", sdpMid="0", sdpMLineIndex=0)
        case m.CLIENT_READY:
            chosen = draw(st.lists(st.sampled_from([*calls, "other"]), max_size=3))
            return {"reattached_sessions": list[Json](chosen)} if draw(st.integers(0, 3)) else {}
        case m.GATEWAY_STATE:
            return {"state": draw(st.sampled_from(GATEWAY_STATES))}
        case m.EVENT | m.WEBRTC_EVENT:
            return {"eventChannel": call}
        case m.PING:
            return {"serno": draw(st.integers(0, 9))}
        case _:
            pass
    return named


@st.composite
def replies(draw: st.DrawFn, pending: Sequence[str] = ()) -> str:
    """A reply to one of the request ids in ``pending``, or to none."""
    ident = draw(st.sampled_from([*pending, *pending, "nobody"]))
    if draw(st.integers(0, 3)) == 0:
        code = draw(st.sampled_from([-32000, -32001, -32002, -32601, 0, "x", None]))
        return encode({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": draw(st.text(max_size=12))}})
    result: JsonObject = {"message": "ok", "sessid": draw(st.sampled_from(["sess1", "sess2"]))}
    if draw(st.booleans()):
        result["params"] = {"state": draw(st.sampled_from(GATEWAY_STATES))}
    if draw(st.booleans()):
        result["sdp"] = sdp_of("far3", "answer", ("candidate:1 1 udp 1 192.0.2.9 9 typ host",))
        result["holdState"] = draw(st.sampled_from(["held", "active", 7]))
    return encode({"jsonrpc": "2.0", "id": ident, "result": result, "voice_sdk_id": "VSDK1"})


@st.composite
def client_options(draw: st.DrawFn, base: ClientOptions, *, turn: IceServer | None = None) -> ClientOptions:
    """The options of ``base`` with everything varied that changes how the core behaves."""
    kept = draw(st.booleans())
    recovery = MediaPermissionsRecovery(enabled=draw(st.booleans()), timeout=20.0)
    return ClientOptions(
        login=base.login,
        password=base.password,
        login_token=base.login_token,
        env=base.env,
        ice_servers=() if turn is None else (turn,),
        keep_connection_alive_on_socket_close=kept,
        auto_reconnect=draw(st.sampled_from([True, True, True, False])),
        max_reconnect_attempts=draw(st.sampled_from([10, 10, 1, 0])),
        trickle_ice=draw(st.booleans()),
        prefetch_ice_candidates=draw(st.booleans()),
        enable_call_reports=draw(st.booleans()),
        media_permissions_recovery=recovery,
    )


def call_options() -> st.SearchStrategy[CallOptions]:
    return st.builds(
        CallOptions,
        audio=st.sampled_from([True, True, True, False]),
        muted_mic_on_start=st.sampled_from([None, True]),
        setup_timeout=st.sampled_from([None, None, 5.0, 40.0]),
        trickle_ice=st.sampled_from([None, True, False]),
    )
