"""The options of a call that the server offers, as its invite or attach describes them."""

from telnyx_core._signalling import messages as m
from telnyx_core._wire.codec import mapping
from telnyx_core._wire.json_types import JsonView
from telnyx_core.options import CallOptions


def dialled_options(offer: m.Offered, params: JsonView) -> CallOptions:
    """The options of a call that an earlier process of this client dialled, as the server's attach describes them."""
    return CallOptions(
        destination_number=offer.callee_number,
        caller_number=offer.caller_number,
        caller_name=offer.caller_name,
        remote_caller_name=offer.callee_name,
        remote_caller_number=offer.callee_number,
        custom_headers=offer.headers,
        client_state=offer.client_state,
        max_kbps=_max_kbps(params),
    )


def inbound_options(offer: m.Offered, params: JsonView) -> CallOptions:
    """A call's options as the server's invite or attach describes them (SIG-107)."""
    return CallOptions(
        destination_number=offer.callee_number,
        caller_number=offer.callee_number,
        caller_name=offer.callee_name,
        remote_caller_name=offer.caller_name,
        remote_caller_number=offer.caller_number,
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
