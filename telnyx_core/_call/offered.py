"""The options of a call that the server offers, as its invite or attach describes them."""

from telnyx_core._signalling import messages as m
from telnyx_core._wire.codec import mapping
from telnyx_core._wire.json_types import JsonView
from telnyx_core.events import Direction
from telnyx_core.options import CallOptions


def offered_options(offer: m.Offered, params: JsonView, direction: Direction) -> CallOptions:
    """An outbound one is a call that an earlier process of this client dialled: there the caller is ours (SIG-107)."""
    caller, callee = (offer.caller_name, offer.caller_number), (offer.callee_name, offer.callee_number)
    ours, theirs = (caller, callee) if direction == "outbound" else (callee, caller)
    return CallOptions(
        destination_number=offer.callee_number,
        caller_name=ours[0],
        caller_number=ours[1],
        remote_caller_name=theirs[0],
        remote_caller_number=theirs[1],
        custom_headers=offer.headers,
        client_state=offer.client_state,
        max_kbps=_max_kbps(params),
    )


def _max_kbps(params: JsonView) -> int | None:
    """The bandwidth of the server's ``mediaSettings``; ``None`` if it is off or not a positive integer (CALL-045)."""
    settings = mapping(params, "mediaSettings")
    kbps = settings.get("sdpASBandwidthKbps")
    asked = settings.get("useSdpASBandwidthKbps") is True
    return kbps if asked and isinstance(kbps, int) and not isinstance(kbps, bool) and kbps > 0 else None
