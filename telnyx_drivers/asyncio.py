"""The client on asyncio, and all that goes with it: ``from telnyx_drivers.asyncio import TelnyxRTC, AudioFrame``."""

from typing import TYPE_CHECKING

from telnyx_drivers import _names
from telnyx_drivers._asyncio import TelnyxRTC
from telnyx_drivers._calls import CallHandle, CallNotification, LiveCall
from telnyx_drivers._names import *  # noqa: F403  # its `__all__` is the list of them

__all__ = ["CallHandle", "CallNotification", "LiveCall", "TelnyxRTC"]
__all__ += _names.__all__

if not TYPE_CHECKING:
    from telnyx_drivers._names import __getattr__  # noqa: F401  # those that are loaded late
