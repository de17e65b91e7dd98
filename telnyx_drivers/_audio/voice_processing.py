"""Echo cancellation, noise suppression and gain control of a microphone, by WebRTC's processing (extra ``devices``).

An echo is what this process plays, heard by its microphone a little later. So loudspeakers tell the `Room` what they
play, and every microphone in it takes that out of what it records.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Final, Protocol, cast

from attrs import define, evolve, field, frozen

from telnyx_core._wire.json_types import Json
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.drift_buffer import DriftBuffer
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, mix, silence
from telnyx_drivers._audio.resampler import Resampler

_log = logs.of_module(__name__)

_STRENGTH: Final = 2
"""Of the noise suppression: 18 dB."""


@frozen(kw_only=True)
class VoiceProcessing:
    """What is done to the sound of a microphone, in the terms of the W3C's Media Capture and Streams."""

    echo_cancellation: bool = True
    noise_suppression: bool = True
    auto_gain_control: bool = True

    def under(self, constraints: Mapping[str, Json]) -> "VoiceProcessing":
        """As ``echoCancellation`` and the others among a call's constraints say, where they say something."""
        return evolve(
            self,
            echo_cancellation=_wanted(constraints.get("echoCancellation"), self.echo_cancellation),
            noise_suppression=_wanted(constraints.get("noiseSuppression"), self.noise_suppression),
            auto_gain_control=_wanted(constraints.get("autoGainControl"), self.auto_gain_control),
        )


def _wanted(constraint: Json, otherwise: bool) -> bool:
    """A ``ConstrainBoolean``: a boolean, or an object with one that is ``exact`` or ``ideal``."""
    if isinstance(constraint, Mapping):
        constraint = constraint.get("exact", constraint.get("ideal"))
    return constraint if isinstance(constraint, bool) else otherwise


class _Processor(Protocol):
    def process(self, near: Samples, far: Samples | None = None) -> Samples: ...


class _Library(Protocol):
    @property
    def AudioProcessor(self) -> Callable[..., _Processor]: ...  # noqa: N802  the library's name


@cache
def _library() -> _Library | None:
    """``None``, and a warning the first time, where it is not installed."""
    try:
        return cast("_Library", import_module("pywebrtc_audio"))
    except ModuleNotFoundError:
        _log.warning(
            "microphones have no echo cancellation, noise suppression and gain control: "
            "pip install 'telnyx-rtc[devices]'"
        )
        return None


@define(eq=False)
class _Line:
    """From one loudspeaker to one microphone, whose clocks and rates may differ."""

    resampler: Resampler
    buffer: DriftBuffer = field(factory=lambda: DriftBuffer(aim=1 / FRAMES_PER_SECOND, most=0.08))
    """Holds as little as it can: an echo that came before what made it would not be recognised."""


class Ear:
    """One microphone's processing. `clean` is called by the microphone's thread, `played` by the loudspeakers'."""

    def __init__(self, processor: _Processor, rate: int, *, listens: bool) -> None:
        self._processor = processor
        self._rate = rate
        self._lines: dict[object, _Line] | None = {} if listens else None

    def clean(self, samples: Samples) -> Samples:
        """The next 20 ms, without what the room's loudspeakers played."""
        if self._lines is None:
            return self._processor.process(samples)
        far = silence(samples.size)
        for line in tuple(self._lines.values()):
            played = line.buffer.take(self._rate)
            if played is not None:
                far = mix(far, played)
        return self._processor.process(samples, far)

    def played(self, speaker: object, samples: Samples, rate: int) -> None:
        if self._lines is None:
            return
        line = self._lines.get(speaker)
        if line is None:
            line = self._lines[speaker] = _Line(Resampler(rate, self._rate))
        line.buffer.put(line.resampler.process(samples), self._rate)

    def silent(self, speaker: object) -> None:
        """This loudspeaker plays nothing more."""
        if self._lines is not None:
            self._lines.pop(speaker, None)


class Room:
    """The microphones and loudspeakers that hear each other. Any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ears: tuple[Ear, ...] = ()

    def enter(self, rate: int, processing: VoiceProcessing) -> Ear | None:
        """A microphone of this rate in hertz; ``None`` where nothing is wanted of it, or the library is missing."""
        if processing == _NOTHING:
            return None
        library = _library()
        if library is None:
            return None
        processor = library.AudioProcessor(
            sample_rate=rate,
            echo_cancellation=processing.echo_cancellation,
            noise_suppression=processing.noise_suppression,
            ns_level=_STRENGTH,
            auto_gain_control=processing.auto_gain_control,
        )
        ear = Ear(processor, rate, listens=processing.echo_cancellation)
        with self._lock:
            self._ears += (ear,)
        return ear

    def leave(self, ear: Ear) -> None:
        with self._lock:
            self._ears = tuple(each for each in self._ears if each is not ear)

    def played(self, speaker: object, samples: Samples, rate: int) -> None:
        """A loudspeaker begins to play the next 20 ms."""
        for ear in self._ears:
            ear.played(speaker, samples, rate)

    def silent(self, speaker: object) -> None:
        for ear in self._ears:
            ear.silent(speaker)


_NOTHING: Final = VoiceProcessing(echo_cancellation=False, noise_suppression=False, auto_gain_control=False)

ROOM: Final = Room()
"""The one that this process's devices share."""
