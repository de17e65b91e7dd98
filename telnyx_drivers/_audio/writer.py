"""What an application says: a paced, interruptible queue of PCM."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import numpy as np

from telnyx_drivers._arguments import checked_with, optional, playable, seconds
from telnyx_drivers._audio.audio_input import Playable
from telnyx_drivers._audio.chunks import Intake, length_of
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Pcm, Samples
from telnyx_drivers._audio.heard import Cleared, Departures, Heard, Mark, Marks
from telnyx_drivers._audio.sample_queue import SampleQueue
from telnyx_drivers._audio.wakeup import CallSoon, Wakeup

_PATIENCE: Final = 2
"""Beats for which less than 20 ms waits for the rest of it, once a stream has come too late."""
_PAUSE: Final = 1.0
"""Seconds without a write, after which half a sample was the end of a stream that was cut off: before the next one it
would turn all of it into noise.
"""
_EASE: Final = 200
"""Of a second: 5 ms, in which sound that breaks off goes to silence, and comes back from it."""
_AUDIBLE: Final = 1_000
"""Of 32,768: a smaller step to or from silence is no click."""


class QueueFull(Exception):
    """`AudioOut.write_nowait` would have exceeded the limit of the queue; no part of the piece was taken."""


class AudioOut:
    """The paced queue of audio to send. One task or many may write; pieces are sent in the order in which writes began.

    ``ahead`` is how many seconds `write` lets an application be ahead of the wire, ``limit`` how many may wait at all
    (`write_nowait`). It is an `AudioInput`: a call reads it, and can be given one as a source. ``clock`` is in seconds
    and tells one stream from the next. ``delay`` is how many seconds later the far end hears what leaves, ``fill``
    opens a filler for the call.
    """

    error: None = None

    def __init__(
        self,
        *,
        call_soon: CallSoon | None = None,
        ahead: float = 0.2,
        limit: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        delay: Callable[[], float] = lambda: 0.0,
        fill: Callable[[Playable | None, float], Awaitable[None]] | None = None,
    ) -> None:
        self._queue = SampleQueue()
        self._departures = Departures(clock, delay)
        self._marks = Marks()
        self._fill = fill
        self._intake = Intake()
        self._clock = clock
        self._written_at = clock()
        """When the latest write ended."""
        self._moved = Wakeup(call_soon)
        self._turn = anyio.Lock()
        self._ahead, self._limit = ahead, limit
        self._offers: dict[object, float] = {}
        """Seconds that each waiting `write` still holds; `clear` and `close` empty it."""
        self._paused = False
        self._ended = False
        self._closed = False
        self._draining = 0
        self._late = False
        """The queue ran empty although the stream had not ended, as far as is known."""
        self._waited = 0
        """Beats for which a rest of less than 20 ms has been kept."""
        self._level = 0
        """Of the last sample that left, where its sudden end would be heard."""
        self._broken = False
        """There has been a gap since: the rest must not come in one step, which is a click."""
        self.last_cleared_duration = 0.0
        """Seconds that the latest `clear` dropped."""

    @property
    def queued_duration(self) -> float:
        """Seconds accepted and not sent yet."""
        return self._queue.duration

    @property
    def sent_duration(self) -> float:
        """Seconds that have been sent so far."""
        return self._queue.taken

    @property
    def heard(self) -> Heard:
        """What the far end has played by now: of how much was written, and of which mark.

        The wait in the queue, the pace, half the round trip and the far end's jitter buffer are counted; the last is
        estimated. What has left is on its way and will be played, also after a `clear`.
        """
        return self._marks.at(self._departures.played(self._queue.taken))

    async def write(
        self, pcm: Pcm, sample_rate: int | None = None, channels: int = 1, *, mark: Mark | None = None
    ) -> bool:
        """Write audio at the pace at which it is sent; returns when all of it is at most ``ahead`` seconds from that.

        Returns false when `clear` or the end of the call dropped part of it. Cancelled, it takes back what was not
        accepted yet. Bytes, and frames, of one rate one after the other are one stream that may be cut anywhere: half a
        sample waits for the next piece until `clear`, `drain` or a pause of a second, and a WAV header at the beginning
        of a piece is read. ``mark`` names the piece in `heard`. Raises ``TypeError`` or ``ValueError`` for what is not
        audio of a known rate.
        """
        pieces = self._take(pcm, sample_rate, channels)
        if self._closed:
            return False
        offer = object()
        self._offers[offer] = _seconds(pieces)

        def may_go_on() -> bool:
            return offer not in self._offers or self._queue.duration < self._ahead

        try:
            async with self._turn:
                if offer in self._offers:
                    self._note(mark, _seconds(pieces))
                while pieces:
                    samples, rate = pieces[0]
                    await self._moved.wait_until(may_go_on)
                    if offer not in self._offers:
                        return False
                    count = max(int((self._ahead - self._queue.duration) * rate), 1)
                    self._queue.put(samples[:count], rate)
                    pieces[:1] = [(samples[count:], rate)] if samples.size > count else []
                    self._offers[offer] = _seconds(pieces)
                return not self._closed
        finally:
            self._offers.pop(offer, None)
            self._written_at = self._clock()

    def write_nowait(
        self, pcm: Pcm, sample_rate: int | None = None, channels: int = 1, *, mark: Mark | None = None
    ) -> None:
        """Write audio without waiting, as `write`; ignored once the call has ended.

        Raises `QueueFull`, and what `write` raises.
        """
        if self._queue.duration + length_of(pcm, sample_rate, channels) > self._limit:
            raise QueueFull(f"{self.queued_duration:.1f} s of audio are waiting, at most {self._limit:.0f} s may")
        pieces = self._take(pcm, sample_rate, channels)
        if self._closed:
            return
        self._note(mark, _seconds(pieces))
        for samples, rate in pieces:
            self._queue.put(samples, rate)

    def _note(self, mark: Mark | None, length: float) -> None:
        if mark is not None:
            self._marks.add(mark, self._queue.taken + self._queue.duration, length)

    def _take(self, pcm: Pcm, sample_rate: int | None, channels: int) -> list[tuple[Samples, int]]:
        now = self._clock()
        if not self._offers and now - self._written_at > _PAUSE:
            self._intake.pause()
        self._written_at = now
        return self._intake.take(pcm, sample_rate, channels)

    def clear(self) -> Cleared:
        """Drop everything not sent yet, also the rest of a waiting `write`; returns the seconds dropped.

        At most 40 ms more are sent: 20 ms in the encoder, and 20 ms in the network. The ``heard`` of what is returned
        says what the far end had played by then, as `heard` does. ::

            heard = call.audio_out.clear().heard
            said = text[heard.mark][: round(heard.part * len(text[heard.mark]))]
        """
        heard = self.heard
        dropped = self._queue.clear() + sum(self._offers.values())
        self._marks.drop_from(self._queue.taken)
        self._offers.clear()
        self._begin_anew()
        self.last_cleared_duration = dropped
        self._moved.fire()
        return Cleared(dropped, heard)

    @checked_with(source=optional(playable), after=seconds(optional=False))
    async def filler(self, source: Playable | None, *, after: float = 0.8) -> None:
        """Let the far end hear this while nothing else is sent for ``after`` seconds: comfort noise, a recorded room.

        It is faded in, and ends within the first 20 ms of the next `write` or playback. ``source`` is as for
        `CallHandle.play`, files and URLs from their start again; ``None`` ends it. Raises what `CallHandle.play`
        raises. ::

            await call.audio_out.filler(Noise())
        """
        if self._fill is None:
            raise TypeError("only the audio_out of a call has a filler")
        await self._fill(source, after)

    async def drain(self) -> None:
        """Wait until everything written has been sent or dropped, or the call has ended."""
        self._draining += 1
        try:
            await self._moved.wait_until(lambda: self._closed or (self._queue.empty and not self._offers))
        finally:
            self._draining -= 1
        self._begin_anew()

    def _begin_anew(self) -> None:
        """The present stream has ended; what follows is another one."""
        self._intake.end()
        self._late = self._broken = False
        self._waited = self._level = 0

    def pause(self) -> None:
        """Send silence instead, and keep the queue."""
        self._paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False

    def end(self) -> None:
        """No more will be written: `ended` becomes true once the rest has been sent."""
        self._ended = True

    @property
    def ended(self) -> bool:
        return self._closed or (self._ended and self._queue.empty)

    def read(self, rate: int) -> Samples | None:
        if self._paused:
            self._departures.going = False
            return None
        over = self._ended or self._draining > 0
        left = self._queue.taken
        samples = self._queue.take(rate, last=over or not self._late or self._waited >= _PATIENCE)
        if samples is None:
            self._departures.going = False
            self._waited += not self._queue.empty
            level, self._level = self._level, 0
            self._broken = self._late
            return _fading(level, rate // FRAMES_PER_SECOND, rate) if level else None
        if not self._departures.going:
            self._departures.begin(left)
        self._moved.fire()
        self._waited = 0
        if self._broken:
            samples, self._broken = _ease_in(samples, rate), False
        if over:
            self._level = 0
            return samples
        self._level = _audible(int(samples[-1]))
        if self._queue.empty:
            # The stream may not have ended: it may continue, and may have stopped within a word.
            self._late = True
            sounding = np.flatnonzero(samples)
            end = int(sounding[-1]) + 1 if sounding.size else 0
            if 0 < end < samples.size and (level := _audible(int(samples[end - 1]))):
                samples, self._broken = np.concatenate((samples[:end], _fading(level, samples.size - end, rate))), True
        return samples

    def close(self) -> None:
        self._closed = True
        self._queue.clear()
        self._offers.clear()
        self._moved.fire()


def _seconds(pieces: list[tuple[Samples, int]]) -> float:
    return sum(samples.size / rate for samples, rate in pieces)


def _audible(level: int) -> int:
    """A level whose sudden end is heard; else 0."""
    return level if abs(level) >= _AUDIBLE else 0


def _fading(level: int, count: int, rate: int) -> Samples:
    """From a level to silence."""
    faded: Samples = np.rint(level * np.clip(1 - np.arange(1, count + 1) * _EASE / rate, 0, 1)).astype(np.int16)
    return faded


def _ease_in(samples: Samples, rate: int) -> Samples:
    eased: Samples = np.rint(samples * np.clip(np.arange(1, samples.size + 1) * _EASE / rate, 0, 1)).astype(np.int16)
    return eased
