"""The two inputs with a task or job of their own: files decoded during playback, and sources of an application."""

from collections.abc import AsyncIterable, Callable
from threading import Lock
from typing import TypeAlias

import anyio

from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.decode import Decoder
from telnyx_drivers._audio.frames import AudioFrame, Samples
from telnyx_drivers._audio.sample_queue import SampleQueue
from telnyx_drivers._audio.wakeup import CallSoon
from telnyx_drivers._audio.writer import AudioOut
from telnyx_drivers._guard import isolated

_log = logs.of_module(__name__)

Job: TypeAlias = Callable[[], None]
Background: TypeAlias = Callable[[Job], object]
"""Runs a job that may block, off the media loop."""
OnFault: TypeAlias = Callable[[Exception], None]

_LOW_SECONDS, HIGH_SECONDS = 1.0, 2.0
"""A file is decoded up to the second whenever less than the first is left: enough for a slow disk, little memory."""
FIRST_SECONDS = 0.5
"""What is decoded of a stream before it is played: it may come no faster than it is played."""


class FileVoice:
    """A file, decoded a little ahead of its playing by a background job; with ``loop`` from the start again."""

    def __init__(
        self, decoder: Decoder, *, loop: bool, background: Background, on_fault: OnFault, interrupt: Job | None = None
    ) -> None:
        """``interrupt`` ends a decoding that waits for bytes, from any thread."""
        self._decoder = decoder
        self._interrupt = interrupt
        self._loop = loop
        self._background = background
        self._on_fault = on_fault
        self._queue = SampleQueue()
        self._lock = Lock()
        self._filling = False
        self._exhausted = False
        self._closed = False
        self.error: Exception | None = None

    def fill(self, seconds: float = HIGH_SECONDS) -> None:
        """Decode until so much is ready. Blocks: not for the media loop."""
        progress = True
        while self._queue.duration < seconds and not (self._closed or self._exhausted):
            try:
                piece = self._decoder.read()
                if piece is not None:
                    self._queue.put(*piece)
                    progress = True
                elif self._loop and progress:
                    self._decoder.rewind()
                    progress = False
                else:
                    self._exhausted = True
            except Exception as error:  # noqa: BLE001  a file can break its decoder in any way
                self._exhausted = True
                if not self._closed:
                    self.error = error
                    self._on_fault(error)
        with self._lock:
            self._filling = False
            over = self._closed or self._exhausted
        if over:
            self._decoder.close()

    @property
    def ended(self) -> bool:
        return self._closed or (self._exhausted and self._queue.empty)

    def read(self, rate: int) -> Samples | None:
        samples = self._queue.take(rate, last=self._exhausted)
        if self._queue.duration < _LOW_SECONDS and not (self._filling or self._exhausted or self._closed):
            self._filling = True
            self._background(self.fill)
        return samples

    def close(self) -> None:
        with self._lock:
            first, self._closed = not self._closed, True
            needed = not self._filling and not self._exhausted
        if first:
            self._queue.clear()
            if self._interrupt is not None:
                self._interrupt()
            if needed:
                self._background(self._decoder.close)


class SourceVoice:
    """An application's asynchronous iterator of frames, read only as fast as it is played.

    When the source raises, the call hears silence from then on and ``on_fault`` is told once.
    """

    def __init__(self, source: AsyncIterable[AudioFrame], *, call_soon: CallSoon, on_fault: OnFault) -> None:
        self._source = source
        self._call_soon = call_soon
        self._on_fault = on_fault
        self._out = AudioOut(call_soon=call_soon)
        self._scope = anyio.CancelScope()
        self.error: Exception | None = None

    async def run(self) -> None:
        """Move frames until the source ends, fails, or `close` is called. A task of its own; never raises."""
        try:
            # Told by the fault; what is no `Exception` would end the loop that this task runs on.
            with isolated("an audio source", expected=(Exception,)) as playing, self._scope:
                try:
                    async for frame in self._source:
                        if not await self._out.write(frame):
                            break
                finally:
                    with anyio.CancelScope(shield=True):
                        await _finish(self._source)
            if playing.fault is not None:
                self.error = playing.fault
                self._on_fault(playing.fault)
        finally:
            self._out.end()

    @property
    def ended(self) -> bool:
        return self._out.ended

    def read(self, rate: int) -> Samples | None:
        return self._out.read(rate)

    def close(self) -> None:
        self._out.close()
        self._call_soon(self._scope.cancel)


async def _finish(source: AsyncIterable[AudioFrame]) -> None:
    """Run a generator's ``finally`` now, and not at garbage collection."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        with anyio.move_on_after(1.0):
            await aclose()
