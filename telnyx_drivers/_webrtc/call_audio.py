"""The audio of one call: a peer's RTP path pulls and pushes it; an application writes, plays and reads it.

It outlives the peers of its call: after a re-attach another peer pulls and pushes, and nothing else changes.
"""

import os
import time
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from attrs import frozen

from telnyx_core.facts import AudioBroke, AudioFact, RecordingFault
from telnyx_core.ids import CallId
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers import _logs as logs
from telnyx_drivers._arguments import checked, checked_with, one_of
from telnyx_drivers._audio.audio_input import AudioInput, Playable
from telnyx_drivers._audio.audio_patch import AudioPatch
from telnyx_drivers._audio.decode import open_decoder
from telnyx_drivers._audio.fetched import fetched
from telnyx_drivers._audio.filler import Filler
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, mix, silence
from telnyx_drivers._audio.in_band_digits import Digit
from telnyx_drivers._audio.inputs import FileInput, Input, is_address
from telnyx_drivers._audio.levels import LevelMeter
from telnyx_drivers._audio.player import Playback
from telnyx_drivers._audio.readers import AudioIn, Listeners
from telnyx_drivers._audio.recorder import Channels, Recording
from telnyx_drivers._audio.rtp.pcap import Capture
from telnyx_drivers._audio.sense import Sense
from telnyx_drivers._audio.source_registry import fault_of
from telnyx_drivers._audio.sources import FIRST_SECONDS, HIGH_SECONDS, Background, FileVoice, OnFault, SourceVoice
from telnyx_drivers._audio.spawn import Spawn, spawn
from telnyx_drivers._audio.timeline import Timeline
from telnyx_drivers._audio.turns import Turns
from telnyx_drivers._audio.wakeup import CallSoon, here
from telnyx_drivers._audio.way import Way, WayMeter
from telnyx_drivers._audio.worker import in_background, in_own_thread
from telnyx_drivers._audio.writer import AudioOut
from telnyx_drivers._guard import isolated
from telnyx_drivers._worker_threads import in_thread

_log = logs.of_module(__name__)
_INT16: Final = np.dtype(np.int16)
"""For comparisons: comparing with the type itself would make a new dtype for each frame."""


Part: TypeAlias = Literal["source", "sink", "recording", "capture"]


@frozen
class AudioFault:
    """Part of a call's audio failed; the call continues without it (MEDIA-403, MEDIA-415)."""

    what: Part
    error: Exception
    gap: bool = False
    """It continues by itself, but a piece of audio is lost: reported once until it has caught up."""

    def as_fact(self, call: CallId) -> AudioFact:
        """For the session, which tells the application: 42001 to 42003, 32003 or 32004."""
        reason = str(self.error) or type(self.error).__name__
        if self.what in ("source", "sink"):
            return AudioBroke(call, fault_of(self.error), reason)
        return RecordingFault(call, "overflow" if self.gap else "unavailable", f"{self.what}: {reason}")


@frozen
class AudioCounts:
    """Frames of 20 ms since the start of the call."""

    sent: int = 0
    sent_silent: int = 0
    """Those of them that were silent: there was nothing to send, or the call was muted."""
    heard: int = 0
    dropped: int = 0
    """Frames that readers lost because they were not read in time."""
    sent_missed: int = 0
    """Frames whose time passed while the process did not run: with ``sent`` they are as long as the call."""
    heard_missed: int = 0


class SampleTap(Protocol):
    """Something that gets a copy of a call's audio on the media loop, such as a `Recording`."""

    @property
    def ended(self) -> bool: ...

    def sent(self, samples: Samples, rate: int, at: int) -> None:
        """20 ms, silence while muted. ``at`` is their number, from the start of the call; time that did not run is left
        out in both directions alike.
        """
        ...

    def heard(self, samples: Samples, rate: int, at: int) -> None: ...

    def close(self) -> None:
        """Idempotent, any thread."""
        ...


class CallAudio:
    """Implements `AudioPort` for the media loop; everything else is for the application's loop."""

    def __init__(
        self,
        *,
        call_soon: CallSoon | None = None,
        spawn: Spawn = spawn,
        background: Background = in_background,
        report: Callable[[AudioFault], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``report`` gets the faults, as `on_fault` does, on the application's loop."""
        self._clock = clock
        self.reading: Callable[[], StatsSnapshot | None] = lambda: None
        """The counters of the peer in use, where there is one."""
        self._way = WayMeter()
        self._filler: Filler | None = None
        self._turns: Turns | None = None
        self._sense: Sense | None = None
        self._report = report
        self._call_soon = call_soon
        self._spawn = spawn
        self._background = background
        self._lock = Lock()
        self._listeners = Listeners()
        self._taps: tuple[SampleTap, ...] = ()
        self._captures: tuple[Capture, ...] = ()
        self._couplings: tuple[AudioPatch, ...] = ()
        """The calls that also get what is received here."""
        self.audio_out = AudioOut(
            call_soon=call_soon, clock=clock, delay=lambda: self.way().outward, fill=self._fill_with
        )
        self._voices: tuple[AudioInput, ...] = (self.audio_out,)
        self._muted = self._deaf = self._closed = False
        self._timeline = Timeline()
        self._reading = isolated("an audio source", expected=(OSError,))
        self._sent = self._sent_silent = self._heard = 0
        self._heard_early = 0
        """Frames heard of which each had another one in its time: by so much what is heard is ahead of the clock."""
        self._heard_made_up = 0
        """Frames of those whose time passed, for which such a frame had come."""
        self.sent_level = LevelMeter()
        self.heard_level = LevelMeter()
        """Measured before deafness is applied: it describes the line, not the listener."""
        self.on_fault: Callable[[AudioFault], None] | None = None
        """Told on the application's loop, once for each thing that breaks."""

    # For the media loop.

    def pull(self, rate: int, due: float | None = None) -> Samples:
        """The next 20 ms to send (MEDIA-405: while muted too, so that the stream and all clocks keep running)."""
        count = rate // FRAMES_PER_SECOND
        mixed: Samples | None = None
        reading = self._reading
        voice: AudioInput = self.audio_out
        voices = iter(self._voices)
        while True:
            # A device or the application's code failed: the other voices continue (MEDIA-415).
            with reading:
                for voice in voices:
                    samples = _fitting(voice.read(rate), count)
                    if samples is not None:
                        mixed = samples if mixed is None else mix(mixed, samples)
                    if voice.ended:
                        self._drop_voice(voice)
            if reading.fault is None:
                break
            self._drop_voice(voice)
            self.source_broke(reading.fault)
        if self._filler is not None:
            mixed = self._filled(self._filler, mixed, rate)
        self._sent += 1
        if mixed is None or self._muted:
            mixed = silence(count)
            self._sent_silent += 1
        self.sent_level.add(mixed, rate)
        at = self._timeline.sent.place(due)
        if at is not None and self._taps:
            self._let_tap(lambda tap: tap.sent(mixed, rate, at))
        return mixed

    def push(self, samples: Samples, rate: int, due: float | None = None) -> None:
        """Remote audio just decoded (MEDIA-402: a deaf listener gets silence of equal length)."""
        if self._closed:
            return
        self._heard += 1
        self.heard_level.add(samples, rate)
        time, missed = self._timeline.heard, self._timeline.heard.missed
        at = time.place(due)
        if at is not None and self._taps:
            self._let_tap(lambda tap: tap.heard(samples, rate, at))
        skipped = time.missed - missed
        if at is None:
            # It comes sooner than it might; listeners get all the same what there is to hear.
            self._heard_early += 1
        elif skipped:
            made_up_for = min(skipped, self._heard_early)
            self._heard_early -= made_up_for
            self._heard_made_up += made_up_for
            if skipped > made_up_for:
                self._listeners.skip((skipped - made_up_for) / FRAMES_PER_SECOND)
        for coupling in self._couplings:
            coupling.feed(samples, rate)
        self._listeners.feed(silence(samples.size) if self._deaf else samples, rate)

    def _filled(self, filler: Filler, mixed: Samples | None, rate: int) -> Samples | None:
        reading = self._reading
        with reading:
            mixed = _fitting(filler.beat(mixed, rate), rate // FRAMES_PER_SECOND)
            if not filler.ended:
                return mixed
        self._filler = None
        if reading.fault is not None:
            self.source_broke(reading.fault)
        with isolated("an audio source"):
            filler.close()
        return mixed

    def source_broke(self, error: Exception) -> None:
        """A source cannot be used: the call continues without it (MEDIA-415). Media loop."""
        self._teller("source", self._call_soon or here())(error)

    def packet(self, data: bytes, sent: bool) -> None:
        """An RTP or RTCP packet in the clear, of any peer of this call."""
        for capture in self._captures:
            capture.packet(data, sent, time.time())

    # For the application.

    @property
    def muted(self) -> bool:
        return self._muted

    @property
    def deaf(self) -> bool:
        return self._deaf

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def counts(self) -> AudioCounts:
        return AudioCounts(
            self._sent,
            self._sent_silent,
            self._heard,
            self._listeners.dropped,
            self._timeline.sent.missed,
            self._timeline.heard.missed - self._heard_made_up,
        )

    def way(self) -> Way:
        """What lies between the two ends now, from the figures of the media path."""
        return self._way.way(self.reading())

    @property
    def filling(self) -> bool:
        """True while what is sent is the filler alone."""
        return self._filler is not None and self._filler.sounding

    def set_muted(self, muted: bool) -> None:
        self._muted = muted

    def set_deaf(self, deaf: bool) -> None:
        self._deaf = deaf

    @checked
    def audio_in(self, sample_rate: int = 16_000, channels: int = 1, frame_ms: int = 20) -> AudioIn:
        """A new reader of the remote audio from now on: ``async for frame in call.audio_in(): ...``.

        It ends with the call. What it has not read for a second is dropped, oldest first, and counted in ``dropped``.
        Raises ``ValueError`` for an impossible format.
        """
        reader = AudioIn(sample_rate, channels, frame_ms, self._call_soon)
        if self._closed:
            reader.close()
        else:
            self._listeners.add(reader)
        return reader

    @checked
    async def play(self, what: Playable, *, loop: bool = False) -> Playback:
        """Play a file or a URL, an iterator of `AudioFrame` (asynchronous or not), or an `AudioInput` such as a `Tone`.

        It is added to whatever else is being sent, saturating. Returns as soon as it can start; ``loop`` is for files
        and URLs. A URL (``http`` or ``https``, the ``http`` extra) may be a stream without end: it is read as fast as
        it is played, and ten seconds without a byte end it. Raises ``OSError`` for a file that cannot be opened,
        `UnplayableAudio`, a ``ValueError``, for what holds no audio; what breaks off later is raised by
        `Playback.wait`.
        """
        home = self._call_soon or here()
        voice = await self._open(what, loop, home)
        playback = Playback(voice, home, clock=self._clock, delay=lambda: self.way().outward)
        self.add_voice(playback)
        if isinstance(voice, SourceVoice):
            self._spawn(voice.run)
        return playback

    async def _fill_with(self, source: Playable | None, after: float) -> None:
        """For `AudioOut.filler`."""
        voice = None if source is None else await self._open(source, True, self._call_soon or here())
        old = self._filler
        with self._lock:
            closed = self._closed
            self._filler = None if voice is None or closed else Filler(voice, after)
        if old is not None:
            old.close()
        if voice is not None and closed:
            voice.close()
        elif isinstance(voice, SourceVoice):
            self._spawn(voice.run)

    @checked_with(channels=one_of("both", "received"))
    async def record(
        self, path: str | os.PathLike[str], *, sample_rate: int = 16_000, channels: Channels = "both"
    ) -> Recording:
        """Record into a WAV file: stereo with ``sent`` left and ``received`` right, or ``"received"`` alone in mono.

        Muting is heard in it, deafness is not. Raises ``OSError`` when the file cannot be written.
        """

        home = self._call_soon or here()

        def create() -> Recording:
            return Recording(
                Path(path),
                sample_rate=sample_rate,
                channels=channels,
                background=self._background,
                call_soon=home,
                on_fault=self._teller("recording", home),
                on_gap=self._teller("recording", home, gap=True),
                next_frame=lambda: self._timeline.next_at(self._clock()),
            )

        recording = await in_thread(create)
        self.add_tap(recording)
        return recording

    @checked
    def add_tap(self, tap: SampleTap) -> None:
        """Let it have what is said and heard until the call or it ends. Any thread."""
        with self._lock:
            if not self._closed:
                self._taps = (*(each for each in self._taps if not each.ended), tap)
                return
        tap.close()

    @property
    def turns(self) -> Turns:
        """Who spoke when, from the first time on that this is asked for; see `Turn`."""
        if self._turns is None:
            self._turns = Turns(self._timeline, self.way, lambda: self.filling, self._call_soon or here())
            self.add_tap(self._turns)
        return self._turns

    def sense(self, digit: Callable[[Digit], None]) -> Sense:
        """What the far end sounds like, from the first time on that this is asked for; see `Sensed`.

        ``digit`` is told of digits in the audio, on the application's loop.
        """
        if self._sense is None:
            home = self._call_soon or here()
            self._sense = Sense(self._timeline, lambda found: home(partial(digit, found)), home)
            self.add_tap(self._sense)
        return self._sense

    @checked
    async def capture(self, path: str | os.PathLike[str]) -> Capture:
        """Write every RTP and RTCP packet from now on, decrypted, into a pcap file, until the call or it ends.

        It can be played like a recording: ask before you make one. Raises ``OSError`` when it cannot be written.
        """
        home = self._call_soon or here()

        def create() -> Capture:
            return Capture(
                Path(path),
                background=self._background,
                call_soon=home,
                on_fault=self._teller("capture", home),
                on_gap=self._teller("capture", home, gap=True),
            )

        capture = await in_thread(create)
        with self._lock:
            closed = self._closed
            if not closed:
                self._captures = (*(each for each in self._captures if not each.ended), capture)
        if closed:
            capture.close()
        return capture

    async def drain(self) -> None:
        """Wait until everything written has been sent. Playbacks have their own `Playback.wait`."""
        await self.audio_out.drain()

    @checked
    def connect(self, other: "CallAudio") -> Callable[[], None]:
        """Let two calls hear each other, or one call itself (an echo), with no more delay than the beat of the clock.

        Returns a function that ends it.
        """
        ends = [self.couple_to(other)]
        if other is not self:
            ends.append(other.couple_to(self))

        def disconnect() -> None:
            for end in ends:
                end()

        return disconnect

    @checked
    def couple_to(self, other: "CallAudio") -> Callable[[], None]:
        """One way only: audio received here is sent there. Returns a function that ends it."""
        coupling = AudioPatch()
        end = self.pass_on(coupling)
        other.add_voice(coupling)
        return end

    def pass_on(self, coupling: AudioPatch) -> Callable[[], None]:
        """Feed it with what is received here, until the call ends; returns a function that ends it, and the patch."""
        with self._lock:
            self._couplings = (*self._couplings, coupling)

        def end() -> None:
            with self._lock:
                self._couplings = tuple(each for each in self._couplings if each is not coupling)
            coupling.close()

        return end

    @checked
    def add_voice(self, voice: AudioInput) -> None:
        """Mix a voice into what is sent until it ends. Any thread."""
        with self._lock:
            if not self._closed:
                self._voices = (*self._voices, voice)
                return
        voice.close()

    def close(self) -> None:
        """The call has ended: readers and writers end, playbacks stop, recordings are completed. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            voices, self._voices = self._voices, ()
            taps, self._taps = self._taps, ()
            captures, self._captures = self._captures, ()
            self._couplings = ()
            filler, self._filler = self._filler, None
        ends = [*(voice.close for voice in voices), *(tap.close for tap in taps)]
        if filler is not None:
            ends.append(filler.close)
        for end in ends:
            with isolated("a part of a call's audio"):
                end()
        for capture in captures:
            capture.close()
        self._listeners.close()

    async def _open(self, what: Playable, loop: bool, home: CallSoon) -> AudioInput:
        if isinstance(what, (str, os.PathLike)):
            return await self._open_input(what, loop, home)
        if isinstance(what, Iterable):
            what = await fetched(what)
        if isinstance(what, AsyncIterable):
            return SourceVoice(what, call_soon=home, on_fault=self._teller("source", home))
        return what

    async def _open_input(self, what: str | os.PathLike[str], loop: bool, home: CallSoon) -> FileVoice:
        source: Input = FileInput(Path(what))
        if isinstance(what, str) and is_address(what):
            # Loaded only for what needs it.
            from telnyx_drivers._audio.http_input import HttpInput

            source = HttpInput(what, call_soon=home, spawn=self._spawn)
        waits = source.waits

        def open_it() -> FileVoice:
            voice = FileVoice(
                open_decoder(source),
                loop=loop,
                background=in_own_thread if waits else self._background,
                on_fault=self._teller("source", home),
                interrupt=source.stop,
            )
            voice.fill(FIRST_SECONDS if waits else HIGH_SECONDS)
            return voice

        try:
            return await in_thread(open_it, abandon_on_cancel=waits)
        except BaseException:
            source.stop()
            raise

    def _drop_voice(self, voice: AudioInput) -> None:
        if voice is not self.audio_out:
            with self._lock:
                self._voices = tuple(each for each in self._voices if each is not voice)
            with isolated("an audio source"):
                voice.close()

    def _let_tap(self, pass_on: Callable[[SampleTap], None]) -> None:
        for tap in self._taps:
            with isolated("a tap of the audio") as tapping:
                pass_on(tap)
            if tapping.fault is not None:
                self._drop_tap(tap)

    def _drop_tap(self, tap: SampleTap) -> None:
        with self._lock:
            self._taps = tuple(each for each in self._taps if each is not tap)
        with isolated("a tap of the audio"):
            tap.close()

    def _teller(self, what: Part, home: CallSoon, *, gap: bool = False) -> OnFault:
        """Tells the application, on its own loop, that something broke; to be called from any thread."""

        def tell(fault: AudioFault) -> None:
            for told in (self._report, self.on_fault):
                if told is not None:
                    with isolated("on_fault"):
                        told(fault)

        def on_fault(error: Exception) -> None:
            _log.warning("the %s of a call %s: %s", what, "has a gap" if gap else "broke off", error)
            home(partial(tell, AudioFault(what, error, gap)))

        return on_fault


def _fitting(samples: Samples | None, count: int) -> Samples | None:
    """A voice's samples if they have the promised shape: a voice of the application may return anything."""
    if samples is None or (_is_array(samples) and samples.dtype == _INT16 and samples.shape == (count,)):
        return samples
    what = f"{samples.dtype} of shape {samples.shape}" if _is_array(samples) else type(samples).__name__
    raise TypeError(f"a voice reads {count} samples of int16 or None, not {what}")


def _is_array(samples: object) -> bool:
    return isinstance(samples, np.ndarray)
