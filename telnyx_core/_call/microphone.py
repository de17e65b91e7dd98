"""Microphone recovery: an inbound call whose source cannot be opened may be given another try (media.md section 6).

```text
IDLE --refused--> WAITING --resume--> RETRYING --opened--> OVER
                     |                    '------refused--> OVER
                     '--reject, timeout, end of the call--> OVER
```

Only the first refusal of an answer is recoverable. Every late or repeated `resume` and `reject` is harmless and
answered with False.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from attrs import define

from telnyx_core.catalogue import ErrorCode
from telnyx_core.facts import SourceFault

SOURCE_ERRORS: Final[Mapping[SourceFault, ErrorCode]] = {
    "permission": ErrorCode.MEDIA_MICROPHONE_PERMISSION_DENIED,
    "not_found": ErrorCode.MEDIA_DEVICE_NOT_FOUND,
    "other": ErrorCode.MEDIA_GET_USER_MEDIA_FAILED,
}
"""The error code for each kind of failure to open a source (MEDIA-302, MEDIA-409)."""


class Phase(Enum):
    IDLE = auto()
    WAITING = auto()
    RETRYING = auto()
    OVER = auto()


@define
class MicrophoneRecovery:
    enabled: bool
    phase: Phase = Phase.IDLE

    def refused(self) -> bool:
        """A source was refused: True when the application is to be asked (MEDIA-312), False when it is final."""
        if self.enabled and self.phase is Phase.IDLE:
            self.phase = Phase.WAITING
            return True
        return False

    def resume(self) -> bool:
        if self.phase is not Phase.WAITING:
            return False
        self.phase = Phase.RETRYING
        return True

    def give_up(self) -> bool:
        """`reject` or the timeout: True once, while waiting (MEDIA-316, MEDIA-317)."""
        if self.phase is not Phase.WAITING:
            return False
        self.phase = Phase.OVER
        return True

    def finish(self) -> bool:
        """The retry has its outcome, or the call ended. True if a recovery was under way."""
        retrying = self.phase is Phase.RETRYING
        self.phase = Phase.OVER
        return retrying
