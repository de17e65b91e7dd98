"""Synchronous iterators of frames as asynchronous ones: each item is fetched in a thread, because it may block."""

from collections.abc import AsyncGenerator, Iterable, Iterator

import anyio.to_thread

from telnyx_drivers._audio.frames import AudioFrame


async def fetched(frames: Iterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
    """The frames of a list or a generator. Raises ``TypeError`` when the first is no frame, ``ValueError`` for none."""
    iterator = iter(frames)
    first = await _next(iterator)
    if first is None:
        raise ValueError("the iterator holds no AudioFrame")
    return _all(first, iterator)


async def _all(first: AudioFrame, rest: Iterator[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
    frame: AudioFrame | None = first
    while frame is not None:
        yield frame
        frame = await _next(rest)


async def _next(iterator: Iterator[object]) -> AudioFrame | None:
    """``None`` at the end."""
    item = await anyio.to_thread.run_sync(next, iterator, None, abandon_on_cancel=True)
    if item is not None and not isinstance(item, AudioFrame):
        raise TypeError(
            f"an iterator that is played yields AudioFrame, not {type(item).__name__}: "
            "AudioFrame(pcm, sample_rate) makes one of PCM bytes"
        )
    return item
