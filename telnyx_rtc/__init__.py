"""The client under the name of the distribution: what `telnyx_drivers.asyncio` has.

Those of trio and of code without ``async`` are in `telnyx_drivers.trio` and `telnyx_drivers.sync`.
"""

from typing import TYPE_CHECKING

from telnyx_drivers import _names
from telnyx_drivers._names import *  # noqa: F403  # its `__all__` is the list of them
from telnyx_drivers.asyncio import CallHandle, CallNotification, LiveCall, TelnyxRTC

__all__ = ["CallHandle", "CallNotification", "LiveCall", "TelnyxRTC"]
__all__ += _names.__all__

if not TYPE_CHECKING:
    from telnyx_drivers._names import __getattr__  # noqa: F401  # those that are loaded late
