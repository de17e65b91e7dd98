"""The client on trio, and all that goes with it (the ``trio`` extra): ``from telnyx_drivers.trio import TelnyxRTC``."""

from typing import TYPE_CHECKING

from telnyx_drivers import _names
from telnyx_drivers._calls import CallHandle, CallNotification, LiveCall
from telnyx_drivers._exceptions import without_extra
from telnyx_drivers._names import *  # noqa: F403  # its `__all__` is the list of them

try:
    from telnyx_drivers._trio import TelnyxRTC
except ModuleNotFoundError as error:
    raise without_extra(error, "trio") from None

__all__ = ["CallHandle", "CallNotification", "LiveCall", "TelnyxRTC"]
__all__ += _names.__all__

if not TYPE_CHECKING:
    from telnyx_drivers._names import __getattr__  # noqa: F401  # those that are loaded late
