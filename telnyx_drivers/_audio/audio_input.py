"""What can be part of the audio that a call sends."""

from typing import Protocol

from telnyx_drivers._audio.frames import Samples


class AudioInput(Protocol):
    """One of the things that are mixed into what is sent. `read` runs on the media loop and never waits."""

    @property
    def ended(self) -> bool:
        """True once nothing more will come; the call then lets go of it."""
        ...

    @property
    def error(self) -> Exception | None:
        """Why it ended early, if it did."""
        ...

    def read(self, rate: int) -> Samples | None:
        """The next 20 ms, ``rate // 50`` samples; ``None`` when there is nothing now."""
        ...

    def close(self) -> None:
        """The call has ended, or lets go of it. Idempotent, any thread."""
        ...
