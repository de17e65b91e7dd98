"""One call's audio and the peers that may drive it: exactly one of them does (CALL-532)."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from telnyx_core.actions import OpenSource
from telnyx_core.facts import MediaFact, SourceOpened, SourceRefused
from telnyx_core.ids import MediaId
from telnyx_core.quality.snapshot import StatsSnapshot
from telnyx_drivers.media.call_audio import CallAudio
from telnyx_drivers.media.ports import AudioPort
from telnyx_drivers.media.readings import Levels
from telnyx_drivers.media.source_registry import DEFAULT, SILENCE, Source, SourceFactory, fault_of

if TYPE_CHECKING:
    from telnyx_drivers.media.ports import Samples

log = logging.getLogger(__name__)


class CallMedia:
    def __init__(self, audio: CallAudio) -> None:
        self.audio = audio
        self.used: MediaId | None = None
        self._peers: set[MediaId] = set()
        self._levels = Levels()
        self._source: Source | None = None
        self._source_id: str | None = None

    def join(self, media: MediaId) -> AudioPort:
        """A new peer of this call. It drives the audio at once when no other does, else from `UseMedia` on."""
        self._peers.add(media)
        if self.used is None:
            self.used = media
        return _Port(self, media)

    def leave(self, media: MediaId) -> None:
        """The peer is closed. If one other is left, the audio is its; with the last one the source goes as well."""
        self._peers.discard(media)
        if self.used == media:
            self.used = next(iter(self._peers)) if len(self._peers) == 1 else None
        if not self._peers:
            self._replace_source(None, None)

    def with_levels(self, reading: StatsSnapshot) -> StatsSnapshot:
        """A peer's reading, completed with how loud the call was since the last one."""
        complete, self._levels = self._levels.add_to(reading, self.audio)
        return complete

    async def open_source(self, order: OpenSource, factories: Mapping[str, SourceFactory]) -> MediaFact:
        """The fact owed for `OpenSource`. A source that stays open over a re-attach is not opened again."""
        if self._source is not None and order.source == self._source_id:
            return SourceOpened(order.media, self._source.label)
        try:
            source = await _open(order, factories)
        except Exception as error:  # noqa: BLE001  a factory is the application's code, and devices fail in any way
            return SourceRefused(order.media, fault_of(error), str(error) or type(error).__name__)
        if order.media not in self._peers:
            _close(source)
        else:
            self._replace_source(source, order.source)
        return SourceOpened(order.media, source.label)

    def _replace_source(self, source: Source | None, source_id: str | None) -> None:
        old, self._source, self._source_id = self._source, source, source_id
        if source is not None and source.voice is not None:
            self.audio.add_voice(source.voice)
        if old is not None:
            _close(old)


async def _open(order: OpenSource, factories: Mapping[str, SourceFactory]) -> Source:
    factory = factories.get(DEFAULT if order.source is None else order.source)
    if factory is None and order.source is None:
        return SILENCE
    if factory is None and order.source is not None:
        # Loaded only for calls that ask for a device.
        from telnyx_drivers.media.devices import microphone_of

        factory = await asyncio.to_thread(microphone_of, order.source)
    if factory is None:
        raise LookupError(f"no audio source is registered as {order.source!r}")
    return await factory(order.constraints)


def _close(source: Source) -> None:
    if source.voice is not None:
        source.voice.close()


class _Port:
    """What one peer sees of its call. A peer that is not in use hears silence and is not heard."""

    def __init__(self, call: CallMedia, media: MediaId) -> None:
        self._call = call
        self._media = media
        self._broken = False

    def pull(self, rate: int) -> "Samples":
        if self._call.used == self._media:
            try:
                return self._call.audio.pull(rate)
            except Exception as error:  # noqa: BLE001  a voice of the application's; the stream must not end with it
                self._complain(error)
        return np.zeros(rate // 50, dtype=np.int16)

    def push(self, samples: "Samples", rate: int) -> None:
        if self._call.used == self._media:
            try:
                self._call.audio.push(samples, rate)
            except Exception as error:  # noqa: BLE001  a reader of the application's; the stream must not end with it
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            log.error("media %s: the call's audio broke", self._media, exc_info=error)
