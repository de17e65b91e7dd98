"""The protocol of everything that is mixed into the audio that a call sends."""

from typing import Protocol

from telnyx_drivers._audio.frames import Samples


class AudioInput(Protocol):
    """One input of the mix that is sent. `read` runs on the media loop and never waits."""

    @property
    def ended(self) -> bool:
        """True once no more audio will come; the call then releases it."""
        ...

    @property
    def error(self) -> Exception | None:
        """Why it ended early; ``None`` if it did not."""
        ...

    def read(self, rate: int) -> Samples | None:
        """The next 20 ms, ``rate // 50`` samples; ``None`` when there is nothing now."""
        ...

    def close(self) -> None:
        """The call has ended, or releases the input. Idempotent, any thread."""
        ...
