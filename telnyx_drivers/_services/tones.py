"""The ringtone and the ringback tone: files, played repeatedly to the application's tone sink.

They are no part of a call: an error here is logged, and the call continues.
"""

import ssl as tls
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

import anyio
from attrs import define, field

from telnyx_core.actions import StartTone, StopTone, ToneAction, ToneKind
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_drivers import _logs as logs
from telnyx_drivers._exceptions import MediaUnavailable, UnplayableAudio
from telnyx_drivers._guard import isolated
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._audio.devices import Speaker
    from telnyx_drivers._audio.frames import AudioFrame, Samples

RATE: Final = 48_000
"""Of the frames that a sink is given, whatever the file has: mono, 20 ms each."""
MOST_SECONDS: Final = 60.0
"""Of one file; what is longer begins again after so long."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""One minute of the largest WAV format in use."""
_BEAT: Final = 0.02

Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]], Callable[[], None]], object]


@runtime_checkable
class FrameWriter(Protocol):
    """For instance the ``audio_out`` of a call."""

    def write(self, frame: "AudioFrame", /) -> object: ...


ToneSink: TypeAlias = Callable[["AudioFrame"], object] | FrameWriter
"""Called, or written to, on the client's loop every 20 ms while a tone sounds; what is awaitable is awaited."""


@define(eq=False)
class _Tone:
    """One kind, for all calls that ring (MEDIA-434)."""

    file: str
    calls: set[CallId] = field(factory=lambda: set[CallId]())
    sound: "Samples | None" = None
    position: int = 0

    def next(self, count: int) -> "Samples | None":
        import numpy as np

        if self.sound is None:
            return None
        places = np.arange(self.position, self.position + count) % self.sound.size
        self.position = (self.position + count) % self.sound.size
        piece: Samples = self.sound[places]
        return piece


def _writer(sink: ToneSink) -> "Callable[[AudioFrame], object]":
    return sink.write if isinstance(sink, FrameWriter) else sink


class Loudspeaker:
    """The default sink: this machine's loudspeaker, open while a tone sounds."""

    def __init__(self) -> None:
        self._speaker: Speaker | None = None

    async def write(self, frame: "AudioFrame") -> None:
        """Raises `NoLoudspeaker`."""
        if self._speaker is None:
            try:
                from telnyx_drivers._audio.devices import open_speaker

                self._speaker = await open_speaker()
            except ImportError as error:
                raise NoLoudspeaker(f"{error.name} is not installed: pip install 'telnyx-rtc[devices]'") from error
            except (MediaUnavailable, OSError, LookupError) as error:
                raise NoLoudspeaker(str(error)) from error
        self._speaker.write(frame)

    def close(self) -> None:
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            speaker.close()


class NoLoudspeaker(Exception):
    """There is none, or none that can be used."""


def in_a_thread(sink: ToneSink) -> ToneSink:
    """For a sink that may block, such as an audio device."""
    write = _writer(sink)

    async def written(frame: "AudioFrame") -> None:
        await in_thread(partial(write, frame))

    return written


class TonePlayer:
    """Takes tone actions on the client's loop. Without a sink no file is even opened."""

    def __init__(
        self, sink: ToneSink, options: ClientOptions, spawn: Spawn, *, ssl: tls.SSLContext | None = None
    ) -> None:
        self._write = _writer(sink)
        self._close: Callable[[], None] = sink.close if isinstance(sink, Loudspeaker) else _nothing
        self._silent = False
        """Nothing can be heard, and that has been said."""
        self._files: dict[ToneKind, str | None] = {
            "ringtone": options.ringtone_file,
            "ringback": options.ringback_file,
        }
        self._spawn = spawn
        self._ssl = ssl
        self._own: dict[CallId, str] = {}
        self._tones: dict[ToneKind, _Tone] = {}
        self._sounds: dict[str, Samples] = {}
        self._loading = anyio.Lock()
        self._running = False
        self._frames = 0

    def choose(self, call: CallId, options: CallOptions) -> None:
        """A call that is placed may have a ringback file of its own."""
        if options.ringback_file is not None:
            self._own[call] = options.ringback_file

    def release(self, call: CallId) -> None:
        self._own.pop(call, None)

    def perform(self, action: ToneAction) -> None:
        match action:
            case StartTone(call, kind):
                self._start(call, kind)
            case StopTone(call, kind):
                tone = self._tones.get(kind)
                if tone is not None:
                    tone.calls.discard(call)
                    if not tone.calls:
                        del self._tones[kind]

    def stop(self) -> None:
        """The client broke off."""
        self._tones.clear()

    def _start(self, call: CallId, kind: ToneKind) -> None:
        file = (self._own.get(call) if kind == "ringback" else None) or self._files[kind]
        if not file:
            return
        tone = self._tones.get(kind)
        if tone is None:
            tone = self._tones[kind] = _Tone(file)
            self._spawn(lambda: self._load(tone), lambda: None)
        tone.calls.add(call)
        if not self._running:
            self._running = True
            self._spawn(self._run, self._ended)

    async def _load(self, tone: _Tone) -> None:
        """Once for each file (MEDIA-435)."""
        file = tone.file
        try:
            async with self._loading:
                if file not in self._sounds:
                    self._sounds[file] = await _sound(file, self._ssl)
        except ModuleNotFoundError as error:
            logs.media.error("%s cannot be played, for %s is not installed", _name(file), error.name)
        except UnplayableAudio as error:
            logs.media.error("%s cannot be played: %s", _name(file), error.reason)
        except Exception as error:  # noqa: BLE001  # a server breaks its client in any way
            logs.media.error("%s cannot be played: %s", _name(file), str(error) or type(error).__name__)
        else:
            tone.sound = self._sounds[file]

    async def _run(self) -> None:
        beat = anyio.current_time()
        while self._tones:
            with isolated("the tone sink", expected=(NoLoudspeaker, OSError)) as playing:
                await self._play()
            if playing.fault is not None:
                if isinstance(playing.fault, NoLoudspeaker | OSError) and not self._silent:
                    self._silent = True
                    logs.media.error("tones are not heard; give a tone_sink, or use the devices: %s", playing.fault)
                break
            beat = max(beat + _BEAT, anyio.current_time() - _BEAT)
            await anyio.sleep_until(beat)
        self._ended()

    def _ended(self) -> None:
        self._running = False
        self._close()

    async def _play(self) -> None:
        count = round(RATE * _BEAT)
        pieces = [piece for tone in self._tones.values() if (piece := tone.next(count)) is not None]
        if not pieces:
            return
        from telnyx_drivers._audio.frames import AudioFrame, mix

        mixed = pieces[0] if len(pieces) == 1 else mix(*pieces)
        frame = AudioFrame(mixed.astype("<i2").tobytes(), RATE, pts=self._frames * count)
        self._frames += 1
        written = self._write(frame)
        if isawaitable(written):
            await written


async def _sound(file: str, ssl: tls.SSLContext | None) -> "Samples":
    """Mono at `RATE`. Raises ``OSError``, ``ValueError``, ``TimeoutError``."""
    if not file.lower().startswith(("http://", "https://")):
        return await in_thread(partial(_decode, Path(file)))
    from telnyx_drivers._reach.http_get import fetch

    body = await fetch(file, most=MOST_BYTES, ssl=ssl)

    def decode() -> "Samples":
        with tempfile.TemporaryDirectory(prefix="telnyx-tone-") as folder:
            path = Path(folder) / "tone"
            path.write_bytes(body)
            return _decode(path)

    return await in_thread(decode)


def _decode(path: Path) -> "Samples":
    import numpy as np

    from telnyx_drivers._audio.decode import open_decoder
    from telnyx_drivers._audio.resampler import Resampler

    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    pieces: list[Samples] = []
    seconds = 0.0
    resampler: Resampler | None = None
    decoder = open_decoder(path)
    try:
        while seconds < MOST_SECONDS and (piece := decoder.read()) is not None:
            samples, rate = piece
            seconds += samples.size / rate
            resampler = resampler or Resampler(rate, RATE)
            pieces.append(resampler.process(samples))
    finally:
        decoder.close()
    return np.concatenate(pieces)[: round(MOST_SECONDS * RATE)]


def _name(file: str) -> str:
    """A URL's query may be a signature, and what stands before its host a password."""
    return Path(file.partition("?")[0].partition("#")[0].rpartition("@")[2]).name


def _nothing() -> None:
    pass
