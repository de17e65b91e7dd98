"""The protocol of everything that is mixed into the audio that a call sends."""

import os
from collections.abc import AsyncIterable, Iterable
from typing import Protocol, TypeAlias

from telnyx_drivers._audio.frames import AudioFrame, Samples


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


Playable: TypeAlias = str | os.PathLike[str] | AsyncIterable[AudioFrame] | Iterable[AudioFrame] | AudioInput
"""What can be played into a call: a file, a URL, frames, or an input."""
