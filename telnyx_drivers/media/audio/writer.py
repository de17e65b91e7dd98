"""What an application says: a paced, interruptible queue of PCM."""

import anyio

from telnyx_drivers.media.audio.frames import Pcm, Samples, to_mono
from telnyx_drivers.media.audio.sample_queue import SampleQueue
from telnyx_drivers.media.audio.wakeup import CallSoon, Wakeup


class QueueFull(Exception):
    """`AudioOut.write_nowait` would have exceeded what may wait; nothing of the piece was taken."""


class AudioOut:
    """Speech on its way out. One task or many may write; pieces leave in the order in which the writes began.

    ``ahead`` is how many seconds `write` lets an application be ahead of the wire, ``limit`` how many may wait at all
    (`write_nowait`). It is a `Voice`: a call reads it, and so can be given one as a source.
    """

    error: None = None

    def __init__(self, *, call_soon: CallSoon | None = None, ahead: float = 0.2, limit: float = 60.0) -> None:
        self._queue = SampleQueue()
        self._moved = Wakeup(call_soon)
        self._turn = anyio.Lock()
        self._ahead, self._limit = ahead, limit
        self._offers: dict[object, float] = {}
        """Seconds that each waiting `write` still holds; `clear` and `close` empty it."""
        self._paused = False
        self._ended = False
        self._closed = False
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

    async def write(self, pcm: Pcm, sample_rate: int | None = None, channels: int = 1) -> bool:
        """Hand over audio at the pace at which it is sent: returns when all of it is at most ``ahead`` seconds away.

        Returns false when `clear` or the end of the call dropped part of it. Cancelled, it takes back what was not
        accepted yet. Raises ``TypeError`` or ``ValueError`` for audio that is not whole PCM16 of a known rate.
        """
        samples, rate = to_mono(pcm, sample_rate, channels)
        if self._closed:
            return False
        offer = object()
        self._offers[offer] = samples.size / rate

        def may_go_on() -> bool:
            return offer not in self._offers or self._queue.duration < self._ahead

        try:
            async with self._turn:
                while samples.size:
                    await self._moved.wait_until(may_go_on)
                    if offer not in self._offers:
                        return False
                    count = max(int((self._ahead - self._queue.duration) * rate), 1)
                    self._queue.put(samples[:count], rate)
                    samples = samples[count:]
                    self._offers[offer] = samples.size / rate
                return not self._closed
        finally:
            self._offers.pop(offer, None)

    def write_nowait(self, pcm: Pcm, sample_rate: int | None = None, channels: int = 1) -> None:
        """Hand over audio faster than it is sent; ignored once the call has ended.

        Raises `QueueFull`, and what `write` raises.
        """
        samples, rate = to_mono(pcm, sample_rate, channels)
        if self._queue.duration + samples.size / rate > self._limit:
            raise QueueFull(f"{self.queued_duration:.1f} s of audio are waiting, at most {self._limit:.0f} s may")
        if not self._closed:
            self._queue.put(samples, rate)

    def clear(self) -> float:
        """Drop everything not sent yet, also what a waiting `write` still holds; returns the seconds dropped.

        At most the 20 ms that the encoder has and the 20 ms that the network has still leave.
        """
        dropped = self._queue.clear() + sum(self._offers.values())
        self._offers.clear()
        self.last_cleared_duration = dropped
        self._moved.fire()
        return dropped

    async def drain(self) -> None:
        """Wait until everything handed over has been sent, or dropped, or the call has ended."""
        await self._moved.wait_until(lambda: self._closed or (self._queue.empty and not self._offers))

    def pause(self) -> None:
        """Send silence instead and keep what is queued."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def end(self) -> None:
        """Nothing more will be written: `ended` once the rest has been sent."""
        self._ended = True

    @property
    def ended(self) -> bool:
        return self._closed or (self._ended and self._queue.empty)

    def read(self, rate: int) -> Samples | None:
        if self._paused:
            return None
        samples = self._queue.take(rate)
        if samples is not None:
            self._moved.fire()
        return samples

    def close(self) -> None:
        self._closed = True
        self._queue.clear()
        self._offers.clear()
        self._moved.fire()
