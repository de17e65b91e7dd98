"""The server's side of the protocol, as pure as the client's.

`GatewayCore` is driven like the client's session: facts, commands and time in, ordered actions out, one deadline.
"""

from telnyx_core.gateway.core import GatewayCore
from telnyx_core.gateway.faults import Delay, Drop, Duplicate, Fault, Garble, Refuse, Swallow
from telnyx_core.gateway.options import Assistant, CallPlan, GatewayOptions, Like, Limits, Quirks

__all__ = [
    "Assistant",
    "CallPlan",
    "Delay",
    "Drop",
    "Duplicate",
    "Fault",
    "Garble",
    "GatewayCore",
    "GatewayOptions",
    "Like",
    "Limits",
    "Quirks",
    "Refuse",
    "Swallow",
]
