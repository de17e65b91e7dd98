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
    """A microphone, loudspeaker, source or sink that a call can use."""

    id: str
    """The value for ``mic_id`` or ``speaker_id``. It names the same device after others were added or removed."""
    label: str
    kind: Kind


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


class AudioDevices:
    """Sources and sinks by name. Calls look up their sources in ``sources``; registering changes it."""

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
        """The devices. Raises `MediaUnavailable` when there are none to list because an extra is not installed."""
        return await self._all("audioinput")

    async def outputs(self) -> tuple[AudioDevice, ...]:
        return await self._all("audiooutput")

    async def open_sink(self, sink_id: str) -> Sink:
        """Open a sink. Raises ``LookupError`` for an unknown name, and whatever the factory raises."""
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
