"""One call's audio and the peers that may drive it: exactly one of them does at a time (CALL-532)."""

from collections.abc import Mapping
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Final

import anyio
import numpy as np

from telnyx_core.actions import OpenSource
from telnyx_core.facts import MediaFact, SourceOpened, SourceRefused
from telnyx_core.ids import MediaId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.source_registry import (
    DEFAULT,
    SILENCE,
    MediaAccessError,
    Source,
    SourceFactory,
    fault_of,
)
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._guard import isolated, reason_of, room_for, tell
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import AudioPort
from telnyx_drivers._webrtc.readings import Levels
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._webrtc.ports import Samples

log = logs.of_module(__name__)

OPEN_SECONDS: Final = 8.0
"""For a source to open: a device takes one or two, and a caller waits meanwhile."""
_DEVICE_TROUBLE: Final = (OSError, LookupError, MediaAccessError, MediaUnavailable)
"""What devices raise. The error event reports it; it is no fault of the application's code (MEDIA-409)."""


class CallMedia:
    def __init__(self, audio: CallAudio) -> None:
        self.audio = audio
        self.used: MediaId | None = None
        self._peers: dict[MediaId, _Port] = {}
        self._levels = Levels()
        self._source: Source | None = None
        self._source_id: str | None = None

    def join(self, media: MediaId, path: MediaId | None = None) -> AudioPort:
        """A new peer of this call. It drives the audio at once when no other does, else from `UseMedia` on.

        ``path``: it renews that peer's in place, and drives what that one does.
        """
        self._peers[media] = port = _Port(self) if path is None else self._peers[path]
        port.peers.add(media)
        if self.used is None:
            self.used = media
        return port

    def leave(self, media: MediaId) -> None:
        """The peer is closed. If one other is left, it drives the audio; with the last one the source is closed."""
        self._peers.pop(media, None)
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
        source = SILENCE
        with isolated("the audio source factory", expected=_DEVICE_TROUBLE) as opening, anyio.fail_after(OPEN_SECONDS):
            source = self._checked(await _open(order, factories))
        if opening.fault is not None:
            reason = reason_of(opening.fault)
            if isinstance(opening.fault, TimeoutError):
                reason = f"it did not open within {OPEN_SECONDS:g} s"
                logs.media.error("the audio source factory failed: %s", reason)
            return SourceRefused(order.media, fault_of(opening.fault), reason)
        if order.media not in self._peers:
            _close(source)
        else:
            self._replace_source(source, order.source)
        return SourceOpened(order.media, source.label)

    def _checked(self, opened: object) -> Source:
        """Check what a factory returned. A wrong value costs the call its source only, and is reported as 42003."""
        if not isinstance(opened, Source):
            problem = f"a source factory returns a Source(voice, label), not {type(opened).__name__}"
        elif not (opened.voice is None or all(hasattr(opened.voice, name) for name in ("read", "close", "ended"))):
            problem = f"the voice of a Source has read(rate), close() and ended; {type(opened.voice).__name__} has not"
        else:
            return opened
        error = TypeError(problem)
        tell("the audio source factory", error)
        self.audio.source_broke(error)
        return SILENCE

    def _replace_source(self, source: Source | None, source_id: str | None) -> None:
        old, self._source, self._source_id = self._source, source, source_id
        if source is not None and source.voice is not None:
            self.audio.add_voice(source.voice)
        if old is not None:
            _close(old)


async def _open(order: OpenSource, factories: Mapping[str, SourceFactory]) -> object:
    factory = factories.get(DEFAULT if order.source is None else order.source)
    if factory is None and order.source is None:
        return SILENCE
    if factory is None and order.source is not None:
        # Loaded only for calls that ask for a device.
        from telnyx_drivers._audio.devices import microphone_of

        factory = await in_thread(partial(microphone_of, order.source))
    if factory is None:
        raise LookupError(f"no audio source is registered as {order.source!r}")
    opened: object = factory(*(order.constraints,)[: room_for(factory, 1)])
    return await opened if isawaitable(opened) else opened


def _close(source: Source) -> None:
    if source.voice is not None:
        with isolated("an audio source"):
            source.voice.close()


class _Port:
    """What one path sees of its call. A path whose peers are not in use hears silence and is not heard."""

    def __init__(self, call: CallMedia) -> None:
        self._call = call
        self.peers: set[MediaId] = set()
        self._broken = False

    def pull(self, rate: int, due: float | None = None) -> "Samples":
        if self._call.used in self.peers:
            try:
                return self._call.audio.pull(rate, due)
            except Exception as error:  # noqa: BLE001  a voice of the application's; the stream must not end with it
                self._complain(error)
        return np.zeros(rate // 50, dtype=np.int16)

    def push(self, samples: "Samples", rate: int, due: float | None = None) -> None:
        if self._call.used in self.peers:
            try:
                self._call.audio.push(samples, rate, due)
            except Exception as error:  # noqa: BLE001  a reader of the application's; the stream must not end with it
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            log.error("media %s: the call's audio broke", self._call.used, exc_info=error)
