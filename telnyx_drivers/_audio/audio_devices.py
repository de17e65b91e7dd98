"""What an audio device is, and what a sink has to do."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from telnyx_drivers._audio.frames import AudioFrame

DEFAULT: Final = "default"
"""The name of what is used where a call names nothing, incoming calls among them."""


Kind: TypeAlias = Literal["audioinput", "audiooutput"]


@frozen
class AudioDevice:
    """A microphone, loudspeaker, source or sink that a call can use."""

    id: str
    """The value for ``mic_id`` or ``speaker_id``. It names the same device after others were added or removed."""
    label: str
    """The name that the system shows."""
    kind: Kind
    """``audioinput`` or ``audiooutput``, as in the W3C's Media Capture."""


class Sink(Protocol):
    """A place where a call is heard, such as a loudspeaker. One sink is opened for one call at a time."""

    @property
    def rate(self) -> int:
        """Sample rate in hertz of the frames that it takes."""
        ...

    def write(self, frame: "AudioFrame", /) -> object:
        """Take the next frame: 20 ms, mono. An awaitable is awaited; beyond one second, the oldest frames are dropped.

        An exception closes the sink for this call; the call itself continues.
        """
        ...

    def close(self) -> object:
        """The call has ended, or another sink replaces this one. Called once; an awaitable result is awaited."""
        ...


SinkFactory: TypeAlias = Callable[[], Awaitable[Sink]]
