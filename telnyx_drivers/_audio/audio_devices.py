"""The audio sources and sinks that a client knows by name: the application's own, and this machine's."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import anyio.to_thread
from attrs import frozen

from telnyx_drivers._exceptions import MediaUnavailable

if TYPE_CHECKING:
    from telnyx_drivers._audio.frames import AudioFrame
    from telnyx_drivers._audio.source_registry import SourceFactory

DEFAULT: Final = "default"
"""The name of what is used where a call names nothing, incoming calls among them."""


Kind: TypeAlias = Literal["audioinput", "audiooutput"]


@frozen
class AudioDevice:
    """Something that a call can speak or be heard through."""

    id: str
    """For ``mic_id`` and ``speaker_id``; names a device also after others have come or gone."""
    label: str
    kind: Kind


class Sink(Protocol):
    """Where a call is heard, such as a loudspeaker: opened for one call at a time."""

    @property
    def rate(self) -> int:
        """Of the frames that it wants, in hertz."""
        ...

    def write(self, frame: "AudioFrame", /) -> object:
        """20 ms, mono, as they are heard. What is awaitable is awaited; a second later the oldest frames are lost.

        What it raises costs the call its sink, and nothing else.
        """
        ...

    def close(self) -> object:
        """The call has ended, or another sink takes over. Once; what is awaitable is awaited."""
        ...


SinkFactory: TypeAlias = Callable[[], Awaitable[Sink]]


class AudioDevices:
    """``sources`` is what calls look their sources up in; registering changes it."""

    def __init__(self, sources: "dict[str, SourceFactory]") -> None:
        self._sources = sources
        self._sinks: dict[str, SinkFactory] = {}
        self._known: dict[tuple[Kind, str], AudioDevice] = {}

    def add_source(self, source_id: str, factory: "SourceFactory", label: str | None) -> None:
        self._sources[source_id] = factory
        self._known["audioinput", source_id] = AudioDevice(source_id, label or source_id, "audioinput")

    def add_sink(self, sink_id: str, factory: SinkFactory, label: str | None) -> None:
        self._sinks[sink_id] = factory
        self._known["audiooutput", sink_id] = AudioDevice(sink_id, label or sink_id, "audiooutput")

    def has_sink(self, sink_id: str) -> bool:
        return sink_id in self._sinks

    async def inputs(self) -> tuple[AudioDevice, ...]:
        """Raises `MediaUnavailable` when there is nothing to tell for want of an extra."""
        return await self._all("audioinput")

    async def outputs(self) -> tuple[AudioDevice, ...]:
        return await self._all("audiooutput")

    async def open_sink(self, sink_id: str) -> Sink:
        """Raises ``LookupError`` for a name that nothing has, and whatever keeps a sink from being opened."""
        factory = self._sinks.get(sink_id)
        if factory is None:
            from telnyx_drivers._audio.devices import loudspeaker_of

            factory = await anyio.to_thread.run_sync(loudspeaker_of, sink_id)
        if factory is None:
            raise LookupError(f"no audio sink is registered as {sink_id!r}")
        return await factory()

    async def _all(self, kind: Kind) -> tuple[AudioDevice, ...]:
        ours = tuple(device for device in self._known.values() if device.kind == kind)

        def find() -> tuple[AudioDevice, ...]:
            try:
                from telnyx_drivers._audio.devices import get_audio_in_devices, get_audio_out_devices
            except ModuleNotFoundError as error:
                raise MediaUnavailable.without(error) from error
            return get_audio_in_devices() if kind == "audioinput" else get_audio_out_devices()

        try:
            found = await anyio.to_thread.run_sync(find)
        except MediaUnavailable:
            if not ours:
                raise
            found = ()
        return (*ours, *found)
