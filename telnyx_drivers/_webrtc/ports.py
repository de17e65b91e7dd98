"""The two interfaces of media: an engine as a driver sees it, and a call's audio as a peer's RTP path sees it."""

import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

from attrs import field, frozen

from telnyx_core.actions import EngineAction
from telnyx_core.facts import MediaFact
from telnyx_core.ids import CallId

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from telnyx_drivers._audio.source_registry import SourceFactory
    from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio

    Samples: TypeAlias = NDArray[np.int16]

Report: TypeAlias = Callable[[MediaFact], None]


class MediaEngine(Protocol):
    """Performs the core's media actions. Never raises; failures are facts."""

    def perform(self, action: EngineAction) -> None:
        """Start on an action without waiting. Handles exist when this returns; dead handles are ignored."""
        ...

    def audio(self, call: CallId) -> "CallAudio":
        """The audio of a call: created on first use, the same object over every re-attach, gone after `release`."""
        ...

    def release(self, call: CallId) -> None:
        """The call has ended and is no longer in use."""
        ...

    async def aclose(self) -> None:
        """Close every peer and source within a bounded time, also when cancelled. Idempotent."""
        ...


def _ignore(call: CallId, fault: "AudioFault") -> None:
    """Ignores the fault: the default."""


@frozen
class EngineSetup:
    """What a driver makes an engine with."""

    report: Report
    """Takes the engine's facts, on the thread that calls `MediaEngine.perform`."""
    url: str
    """Of the signalling server: it says where the far end's media can be reached. Empty before the first socket."""
    call_audio: "Callable[[CallId], CallAudio]"
    """Makes the audio of a call, fit for the application's loop."""
    tls: ssl.SSLContext | None = None
    """The application's own TLS settings, for TURN servers as well; ``None``: what the system trusts."""
    sources: "Mapping[str, SourceFactory]" = field(factory=dict[str, "SourceFactory"], repr=False)
    """What the application has registered, and will: look a source up when a call asks for it."""
    audio_broke: "Callable[[CallId, AudioFault], None]" = field(default=_ignore, repr=False)
    """For engines that make the audio of calls otherwise than by ``call_audio``; on the application's loop."""


EngineFactory: TypeAlias = Callable[[EngineSetup], MediaEngine]


@frozen
class AnyLoop:
    """Marks a factory whose engines run on any loop; engines of others get an asyncio loop (`_webrtc.bridge`)."""

    factory: EngineFactory

    def __call__(self, setup: EngineSetup) -> MediaEngine:
        return self.factory(setup)


class AudioPort(Protocol):
    """What a peer's RTP path sees of its call: 20 ms in, 20 ms out, never waiting."""

    def pull(self, rate: int, due: float | None = None) -> "Samples":
        """The next 20 ms to send: mono PCM16, ``rate // 50`` samples; silence when there is nothing or when muted.

        ``due`` is when they should leave, in seconds of the loop's clock, also when that is past: what is missing
        between two calls is time that did not run. ``None``: right after those before.
        """
        ...

    def push(self, samples: "Samples", rate: int, due: float | None = None) -> None:
        """Remote audio just decoded, mono PCM16 at ``rate`` samples per second; ``due`` as in `pull`."""
        ...
