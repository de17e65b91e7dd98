"""The client for code without ``async``, and all that goes with it: ``from telnyx_drivers.sync import TelnyxRTC``."""

from typing import TYPE_CHECKING

from telnyx_drivers import _names
from telnyx_drivers._names import *  # noqa: F403  # its `__all__` is the list of them
from telnyx_drivers._sync import Call, CallNotification, LiveCall, TelnyxRTC

__all__ = ["Call", "CallNotification", "LiveCall", "TelnyxRTC"]
__all__ += _names.__all__

if not TYPE_CHECKING:
    from telnyx_drivers._names import __getattr__  # noqa: F401  # those that are loaded late
