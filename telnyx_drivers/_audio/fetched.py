"""Synchronous iterators of frames as asynchronous ones: each item is fetched in a thread, because it may block."""

from collections.abc import AsyncGenerator, Iterable, Iterator

from telnyx_drivers._audio.frames import AudioFrame
from telnyx_drivers._audio.worker import OwnThread


async def fetched(frames: Iterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
    """The frames of a list or a generator. Raises ``TypeError`` when the first is no frame, ``ValueError`` for none."""
    thread = OwnThread()
    try:
        iterator = iter(frames)
        first = await _next(iterator, thread)
        if first is None:
            raise ValueError("the iterator holds no AudioFrame")
    except BaseException:
        thread.close()
        raise
    return _all(first, iterator, thread)


async def _all(first: AudioFrame, rest: Iterator[AudioFrame], thread: OwnThread) -> AsyncGenerator[AudioFrame, None]:
    try:
        frame: AudioFrame | None = first
        while frame is not None:
            yield frame
            frame = await _next(rest, thread)
    finally:
        thread.close()


async def _next(iterator: Iterator[object], thread: OwnThread) -> AudioFrame | None:
    """``None`` at the end."""
    item = await thread.run(lambda: next(iterator, None))
    if item is not None and not isinstance(item, AudioFrame):
        raise TypeError(
            f"an iterator that is played yields AudioFrame, not {type(item).__name__}: "
            "AudioFrame(pcm, sample_rate) makes one of PCM bytes"
        )
    return item
