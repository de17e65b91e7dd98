"""The client under the name of the distribution: what `telnyx_drivers.asyncio` has.

Those of trio and of code without ``async`` are in `telnyx_drivers.trio` and `telnyx_drivers.sync`.
"""

from telnyx_drivers.asyncio import (
    CallHandle,
    MediaRecoveryError,
    TelnyxRTC,
    is_media_recovery_error_event,
    isMediaRecoveryErrorEvent,
)

__all__ = [
    "CallHandle",
    "MediaRecoveryError",
    "TelnyxRTC",
    "isMediaRecoveryErrorEvent",
    "is_media_recovery_error_event",
]
