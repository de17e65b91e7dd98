"""Test a bot by calling it: a scripted caller over real sockets, or with no network on a virtual clock.

pytest has `caller`, `virtual_call`, `telnyx_gateway` and `telnyx_client` as fixtures, from the plugin of this package.
"""

from telnyx_drivers.testing.artifacts import Artifacts
from telnyx_drivers.testing.caller import Caller, Calling
from telnyx_drivers.testing.conversation import Conversation
from telnyx_drivers.testing.script import BargeIn, Bot, HangUp, Listen, Lose, Pause, Press, Say, Step
from telnyx_drivers.testing.virtual import VirtualCaller

__all__ = [
    "Artifacts",
    "BargeIn",
    "Bot",
    "Caller",
    "Calling",
    "Conversation",
    "HangUp",
    "Listen",
    "Lose",
    "Pause",
    "Press",
    "Say",
    "Step",
    "VirtualCaller",
]
