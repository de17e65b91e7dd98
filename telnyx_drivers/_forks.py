"""Files open for writing when the process forks: the child must not write to its parent's files.

What a buffer held at the fork, and the header that closing a recording completes, would otherwise be written by both.
"""

import contextlib
import os
import weakref
from typing import IO, Final, TypeVar

_File = TypeVar("_File", bound=IO[bytes] | IO[str])
_files: Final[weakref.WeakSet[IO[bytes] | IO[str]]] = weakref.WeakSet()


def kept_from_children(file: _File) -> _File:
    """The same file; in the child of a fork its descriptor is redirected, so that writes are lost."""
    _files.add(file)
    return file


def _in_child() -> None:
    files = [file for file in _files if not file.closed]
    _files.clear()
    if not files:
        return
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for file in files:
            # Under the file: its buffer may be locked by a thread that is not here.
            os.dup2(nowhere, file.fileno(), inheritable=False)
        os.close(nowhere)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
