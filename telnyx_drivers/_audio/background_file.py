"""A file that is written in the background during a call: the media loop never waits for a disk."""

import os
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from telnyx_drivers._audio.sources import Background, OnFault
from telnyx_drivers._audio.wakeup import CallSoon, Wakeup
from telnyx_drivers._forks import kept_from_children
from telnyx_drivers._private_file import open_private


class BackgroundFile(ABC):
    """What the media loop collects goes to the disk block by block, one job at a time, in the order of the blocks.

    A disk that is too slow costs whole blocks, which are counted, never memory; a subclass may put a gap in their
    place. The file is private to its owner (mode 0600). A subclass collects, and says with `_block_ready` that there
    is a block.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_blocks: int,
        most_bytes: int,
        background: Background,
        call_soon: CallSoon | None,
        on_fault: OnFault,
        on_gap: OnFault | None,
    ) -> None:
        """``most_blocks`` may wait for the disk; the file breaks off before it is longer than ``most_bytes``.

        ``on_fault`` is told what breaks it off, ``on_gap`` each time that the disk begins to be too slow.
        Raises ``OSError`` when the file cannot be made.
        """
        self.path = path
        self.error: Exception | None = None
        """Why writing ended early; ``None`` if it did not. The call continues without the file."""
        self.lost_blocks = 0
        """Blocks that were lost because the disk was too slow."""
        self._most_blocks = most_blocks
        self._most_bytes = most_bytes
        self._background = background
        self._on_fault = on_fault
        self._on_gap = on_gap
        self._finished = Wakeup(call_soon)
        self._file = create_private(path)
        self._pending: deque[bytes | int] = deque()
        """Blocks, and gaps of so many of the subclass's units."""
        self._written = 0
        self._writing = False
        self._behind = False
        """Blocks have been lost since everything was written last."""
        self._stopping = False
        self._closed = False
        self._lock = Lock()

    @abstractmethod
    def _take_block(self) -> bytes:
        """What has been collected since the last block, if anything. Under the lock."""

    @abstractmethod
    def _write_block(self, block: bytes) -> None:
        """Background. May raise ``OSError``."""

    def _gap_of(self, block: bytes) -> int:
        """How long a gap a lost block leaves, in whatever unit; 0: none."""
        return 0

    def _gap_at_end(self) -> int:
        """How long a gap follows the last block before the file ends. Under the lock."""
        return 0

    def _write_gap(self, length: int) -> int:
        """Background: fill a gap; returns how many bytes that took. May raise ``OSError``."""
        return 0

    @abstractmethod
    def _close_file(self) -> None:
        """Background: complete the file and close it. May raise ``OSError``."""

    @property
    def ended(self) -> bool:
        """True once the file is closed."""
        return self._closed

    async def stop(self) -> None:
        """Stop, and wait until the file is complete. Idempotent. Raises what broke it off."""
        self.close()
        await self._finished.wait_until(lambda: self._closed)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Stop; the file is completed in the background. Idempotent, any thread."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            gap = self._hand_over()
            self._leave_gap(self._gap_at_end())
        self._go_on(gap)

    def _block_ready(self) -> None:
        """Media loop; never waits."""
        with self._lock:
            gap = self._hand_over()
        self._go_on(gap)

    def _hand_over(self) -> bool:
        """True: the block is lost, and it is the first since everything was written."""
        block, gap = self._take_block(), False
        if block and sum(isinstance(each, bytes) for each in self._pending) < self._most_blocks:
            self._pending.append(block)
        elif block:
            self.lost_blocks += 1
            self._leave_gap(self._gap_of(block))
            gap, self._behind = not self._behind, True
        return gap

    def _leave_gap(self, length: int) -> None:
        """Under the lock. Gaps that follow each other are one, so that their number is bounded by that of blocks."""
        if self._pending and isinstance(self._pending[-1], int):
            self._pending[-1] += length
        elif length:
            self._pending.append(length)

    def _go_on(self, gap: bool) -> None:
        if gap and self._on_gap is not None:  # not under the lock: the application may be told at once
            self._on_gap(OSError(f"{self.path.name} is written more slowly than it grows"))
        with self._lock:
            if self._writing or self._closed:
                return
            self._writing = True
        self._background(self._write)

    def _write(self) -> None:
        while (block := self._next()) is not None:
            if self.error is None:
                try:
                    if isinstance(block, int):
                        self._written += self._write_gap(block)
                        continue
                    self._require_room(len(block))
                    self._write_block(block)
                    self._written += len(block)
                except OSError as error:
                    self.error = error
                    self._stopping = True
                    self._on_fault(error)
        if self._stopping:
            self._finish()

    def _require_room(self, size: int) -> None:
        if self._written + size > self._most_bytes:
            raise OSError(f"{self.path.name} is as long as it may be")

    def _next(self) -> bytes | int | None:
        with self._lock:
            if self._pending:
                return self._pending.popleft()
            self._writing = self._behind = False
            return None

    def _finish(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            self._close_file()
        except OSError as error:
            self.error = self.error or error
        self._finished.fire()


def create_private(path: Path) -> BinaryIO:
    """A file for its owner alone, empty. Raises ``OSError``."""
    descriptor = open_private(path, os.O_CREAT | os.O_TRUNC)
    try:
        return kept_from_children(os.fdopen(descriptor, "wb"))
    except BaseException:
        os.close(descriptor)
        raise
