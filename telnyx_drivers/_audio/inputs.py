"""Where the bytes of audio come from: files, pipes, web servers."""

import os
import select
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from telnyx_drivers._exceptions import UnplayableAudio

PATIENCE: Final = 10.0
"""Seconds without a byte after which a stream counts as broken off."""
PIECE_SECONDS: Final = 0.25
"""Of sound that is decoded at once."""
_LOOK: Final = 0.05
"""Seconds between two checks whether reading a silent pipe was stopped."""


def is_address(what: str) -> bool:
    """Whether it is a URL to fetch, not a file to open."""
    return what[:8].lower().startswith(("http://", "https://"))


class Reader(Protocol):
    """A source of bytes, read from one thread at a time; a binary file is one."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end. Raises ``OSError``."""
        ...

    def seekable(self) -> bool: ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Only of what is `seekable`."""
        ...

    def close(self) -> None: ...


class Input(Protocol):
    @property
    def name(self) -> str:
        """For people; holds no secret."""
        ...

    @property
    def waits(self) -> bool:
        """Whether a read may wait for another process or host; a disk does not count."""
        ...

    def open(self) -> Reader:
        """From the beginning. Raises ``OSError``, or `UnplayableAudio` for a name that cannot be one."""
        ...

    def stop(self) -> None:
        """End a waiting read as if the bytes had ended. Any thread."""
        ...


class FileInput:
    """A path: a file on a disk, or a pipe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        self.stopped = False

    @property
    def waits(self) -> bool:
        return self._path.is_fifo() or self._path.is_char_device()

    def open(self) -> Reader:
        try:
            return _Pipe(self, self._path) if self.waits else self._path.open("rb")
        except ValueError as error:
            raise UnplayableAudio(self.name, str(error)) from error

    def stop(self) -> None:
        self.stopped = True


class ForwardReader:
    """Base of readers whose bytes can be read only once: the common part of `Reader`."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise OSError("it goes only forwards")


class _Pipe(ForwardReader):
    """A named pipe. Its other end may never be opened or written to, so reading has a timeout."""

    def __init__(self, owner: FileInput, path: Path) -> None:
        self._owner = owner
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self, size: int, /) -> bytes:
        until = monotonic() + PATIENCE
        while not self._owner.stopped:
            if select.select([self._descriptor], [], [], _LOOK)[0]:
                return os.read(self._descriptor, size)
            if monotonic() > until:
                raise TimeoutError(f"nothing came for {PATIENCE:g} s")
        return b""

    def close(self) -> None:
        os.close(self._descriptor)
