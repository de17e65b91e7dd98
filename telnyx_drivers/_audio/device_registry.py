"""The audio sources and sinks that a client knows by name: the application's own, and this machine's."""

from functools import partial
from typing import TYPE_CHECKING

from telnyx_drivers._audio.audio_devices import AudioDevice, Kind, Sink, SinkFactory
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._audio.source_registry import SourceFactory


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

            factory = await in_thread(partial(loudspeaker_of, sink_id))
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
            found = await in_thread(find)
        except MediaUnavailable:
            if not ours:
                raise
            found = ()
        return (*ours, *found)
