"""Microphones and loudspeakers of this machine (extra ``devices``).

.. code-block:: python

    client.register_source("headset", microphone("USB"))
    call = await client.new_call("+15550100", mic_id="headset")
    async with speaker("USB") as headphones:
        await headphones.play(call.audio_in(headphones.rate))

    client.register_sink("default", loudspeaker())  # or this, for every call

A device is named by its ``id`` in the lists, its number, or part of its name; ``None`` is the system's default. What a
loudspeaker of this process plays is taken out of what its microphones hear.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import ClassVar, Final, Literal, TypeAlias, TypeVar, cast

import numpy as np

from telnyx_core._wire.json_types import Json
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.audio_devices import AudioDevice, SinkFactory
from telnyx_drivers._audio.drift_buffer import DriftBuffer
from telnyx_drivers._audio.frames import (
    FRAMES_PER_SECOND,
    AudioFrame,
    Samples,
    check_rate,
    silence,
    to_mono,
)
from telnyx_drivers._audio.pcm import to_int16
from telnyx_drivers._audio.portaudio import DeviceStream, Direction, PortAudio, load_portaudio, meaning, wrong_channels
from telnyx_drivers._audio.source_registry import Source, SourceFactory
from telnyx_drivers._audio.voice_processing import ROOM, Ear, VoiceProcessing
from telnyx_drivers._audio.worker import in_background
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._worker_threads import in_thread

_log = logs.of_module(__name__)

DeviceName: TypeAlias = int | str | None
D = TypeVar("D", bound="_Device")

_KINDS: Final[Mapping[Direction, Literal["audioinput", "audiooutput"]]] = {
    "input": "audioinput",
    "output": "audiooutput",
}


def get_audio_in_devices(*, portaudio: PortAudio | None = None) -> tuple[AudioDevice, ...]:
    """Every microphone that there was when PortAudio was first used. Raises `MediaUnavailable`. May block shortly."""
    return _devices("input", portaudio or load_portaudio())


def get_audio_out_devices(*, portaudio: PortAudio | None = None) -> tuple[AudioDevice, ...]:
    """Every loudspeaker; as `get_audio_in_devices`."""
    return _devices("output", portaudio or load_portaudio())


def microphone(
    device: DeviceName = None,
    *,
    echo_cancellation: bool = True,
    noise_suppression: bool = True,
    auto_gain_control: bool = True,
    portaudio: PortAudio | None = None,
) -> SourceFactory:
    """Opens a microphone for each call that asks for it; for ``client.register_source``.

    The three switches are those of the W3C's Media Capture. A call's ``audio={"echoCancellation": False}`` goes before
    them. Opening fails with ``PermissionError``, ``LookupError`` or ``OSError``, which become 42001, 42002 and 42003.
    A named device that cannot be opened is replaced by the default one where that works.
    """
    wanted = VoiceProcessing(
        echo_cancellation=echo_cancellation,
        noise_suppression=noise_suppression,
        auto_gain_control=auto_gain_control,
    )

    async def factory(constraints: Mapping[str, Json]) -> Source:
        opened = await _open(partial(Microphone, processing=wanted.under(constraints)), device, portaudio)
        return Source(opened, opened.label)

    return factory


def microphone_of(device_id: str) -> SourceFactory | None:
    """The microphone with this id, for a ``mic_id`` that is not registered; ``None`` if there is none. May block."""
    return microphone(device_id) if _exists(get_audio_in_devices, device_id) else None


def loudspeaker(device: DeviceName = None, *, portaudio: PortAudio | None = None) -> SinkFactory:
    """Opens a loudspeaker for each call that asks for it; for ``client.register_sink``. Fails as `microphone` does."""
    return partial(open_speaker, device, portaudio=portaudio)


def loudspeaker_of(device_id: str) -> SinkFactory | None:
    """As `microphone_of`, for a ``speaker_id``."""
    return loudspeaker(device_id) if _exists(get_audio_out_devices, device_id) else None


def _exists(devices: Callable[[], tuple[AudioDevice, ...]], device_id: str) -> bool:
    try:
        return any(device.id == device_id for device in devices())
    except MediaUnavailable:
        return False


@asynccontextmanager
async def speaker(device: DeviceName = None, *, portaudio: PortAudio | None = None) -> "AsyncGenerator[Speaker, None]":
    """A loudspeaker, open within the block; as `open_speaker`."""
    opened = await open_speaker(device, portaudio=portaudio)
    try:
        yield opened
    finally:
        opened.close()


async def open_speaker(device: DeviceName = None, *, portaudio: PortAudio | None = None) -> "Speaker":
    """A loudspeaker, to be closed by you. Raises as `microphone` fails, and replaces a device in the same way."""
    return await _open(Speaker, device, portaudio)


class _Device(ABC):
    """An open PortAudio stream, mono on this side. The constructor blocks; it raises what `meaning` returns."""

    direction: ClassVar[Direction]

    def __init__(self, portaudio: PortAudio, device: DeviceName) -> None:
        self._buffer = DriftBuffer()
        self._closed = self._gone = False
        self.flagged = 0
        """Blocks for which PortAudio reported an overflow or underflow on the device's side."""
        try:
            info = cast("Mapping[str, object]", portaudio.query_devices(device, self.direction))
            self.label = str(info["name"])
            self.rate: Final = check_rate(int(cast("float", info["default_samplerate"])))
            self._channels, self._stream = self._connect(portaudio, int(cast("int", info["index"])))
        except (portaudio.PortAudioError, ValueError) as error:
            raise meaning(error) from error

    @property
    def underruns(self) -> int:
        """Times that there was no audio to hand on."""
        return self._buffer.underruns

    @property
    def overruns(self) -> int:
        """Times that audio was dropped because it was not read fast enough."""
        return self._buffer.overruns

    def close(self) -> None:
        """Idempotent, any thread; does not wait."""
        if not self._closed:
            self._closed = True
            in_background(self._stream.close)

    def _connect(self, portaudio: PortAudio, index: int) -> tuple[int, DeviceStream]:
        """A running stream of one channel, or of two where the device cannot open one."""
        try:
            return 1, self._start(portaudio, index, 1)
        except portaudio.PortAudioError as error:
            if not wrong_channels(error):
                raise
            return 2, self._start(portaudio, index, 2)

    def _start(self, portaudio: PortAudio, index: int, channels: int) -> DeviceStream:
        make = portaudio.RawInputStream if self.direction == "input" else portaudio.RawOutputStream
        stream = make(
            device=index,
            samplerate=self.rate,
            channels=channels,
            blocksize=self.rate // FRAMES_PER_SECOND,
            dtype="int16",
            callback=self._callback_for(channels),
            finished_callback=self._finished,
        )
        try:
            stream.start()
        except BaseException:
            stream.close()
            raise
        return stream

    @abstractmethod
    def _callback_for(self, channels: int) -> Callable[..., None]: ...

    def _finished(self) -> None:
        """On PortAudio's thread: the stream stopped without a request, so the device is gone."""
        self._gone = not self._closed


class Microphone(_Device):
    """An `AudioInput` for one call: what the microphone records."""

    direction = "input"
    error: None = None

    def __init__(self, portaudio: PortAudio, device: DeviceName, *, processing: VoiceProcessing) -> None:
        self._ear: Ear | None = None
        super().__init__(portaudio, device)
        self._ear = ROOM.enter(self.rate, processing)

    @property
    def ended(self) -> bool:
        return self._closed

    def read(self, rate: int) -> Samples | None:
        """The next 20 ms. Raises ``OSError`` once the device is gone; the call continues with silence (MEDIA-415)."""
        samples = self._buffer.take(rate)
        if samples is None and self._gone:
            raise OSError(f"the microphone {self.label!r} is gone")
        return samples

    def close(self) -> None:
        if self._ear is not None:
            ROOM.leave(self._ear)
        super().close()

    def _callback_for(self, channels: int) -> Callable[..., None]:
        def heard(block: bytes, frames: int, times: object, flags: object) -> None:
            self.flagged += bool(flags)
            # PortAudio reuses its memory after this returns.
            samples = np.frombuffer(block, dtype=np.int16).reshape(-1, channels)
            mono = samples[:, 0].copy() if channels == 1 else to_int16(samples.mean(axis=1))
            self._buffer.put(mono if self._ear is None else self._ear.clean(mono), self.rate)

        return heard


class Speaker(_Device):
    """Plays one stream of audio at a time; open it twice to play two."""

    direction = "output"

    async def play(self, frames: AsyncIterable[AudioFrame]) -> None:
        """Play until they end; ``call.audio_in`` ends with its call. Raises ``OSError`` once the device is gone."""
        async for frame in frames:
            self.write(frame)

    def write(self, frame: AudioFrame) -> None:
        """Queue a frame to be played. Does not wait; raises ``OSError`` once the device is gone."""
        if self._gone:
            raise OSError(f"the loudspeaker {self.label!r} is gone")
        self._buffer.put(*to_mono(frame, None, 1))

    def clear(self) -> None:
        """Drop what has not been played yet."""
        self._buffer.clear()

    def close(self) -> None:
        super().close()
        ROOM.silent(self)

    def _callback_for(self, channels: int) -> Callable[..., None]:
        def say(block: bytearray, frames: int, times: object, flags: object) -> None:
            self.flagged += bool(flags)
            samples = self._buffer.take(self.rate)
            if samples is None:
                samples = silence(frames)
            if not self._closed:
                ROOM.played(self, samples, self.rate)
            block[:] = (samples if channels == 1 else np.repeat(samples, channels)).tobytes()

        return say


def _devices(direction: Direction, portaudio: PortAudio) -> tuple[AudioDevice, ...]:
    interfaces = cast("Sequence[Mapping[str, object]]", portaudio.query_hostapis())
    found = cast("Sequence[Mapping[str, object]]", portaudio.query_devices())
    return tuple(
        AudioDevice(f"{each['name']}, {interfaces[cast('int', each['hostapi'])]['name']}", str(each["name"]), kind)
        for kind in (_KINDS[direction],)
        for each in found
        if cast("int", each[f"max_{direction}_channels"]) > 0
    )


async def _open(kind: Callable[[PortAudio, DeviceName], D], device: DeviceName, portaudio: PortAudio | None) -> D:
    """Open a device. Raises what `meaning` returns, and `MediaUnavailable`."""

    def open_it() -> D:
        backend = portaudio or load_portaudio()
        try:
            return kind(backend, device)
        except (LookupError, OSError) as error:
            if device is None or isinstance(error, PermissionError):
                raise
            try:
                instead = kind(backend, None)
            except (LookupError, OSError):
                raise error from None
            _log.warning("%s: taking %r instead", error, instead.label)
            return instead

    return await in_thread(open_it)
