"""The server's side of the protocol, as pure as the client's.

`GatewayCore` is driven like the client's session: facts, commands and time in, ordered actions out, one deadline.
"""

from telnyx_core.gateway.core import GatewayCore
from telnyx_core.gateway.faults import Delay, Drop, Duplicate, Fault, Garble, Refuse, Swallow
from telnyx_core.gateway.options import Assistant, CallPlan, Calls, GatewayOptions, Hears, Like, Limits, Quirks, Says

__all__ = [
    "Assistant",
    "CallPlan",
    "Calls",
    "Delay",
    "Drop",
    "Duplicate",
    "Fault",
    "Garble",
    "GatewayCore",
    "GatewayOptions",
    "Hears",
    "Like",
    "Limits",
    "Quirks",
    "Refuse",
    "Says",
    "Swallow",
]
