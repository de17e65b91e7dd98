"""Opening a file for its owner alone, at a path where another user may have placed something."""

import os
import stat
from errno import ENXIO


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """A descriptor to write to, made with mode 0600; ``flags`` as `os.open` takes them. Raises ``OSError``.

    Symbolic links are refused: the target may belong to another user, or be readable for all. A pipe is refused
    and not waited for: its reader may never come, and what is written there is no file afterwards.
    """
    flags |= os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind):
            raise OSError(ENXIO, "A pipe is no file", os.fspath(path))
        # It may have existed before, readable for others; /dev/null must stay open to all users.
        if stat.S_ISREG(kind) and hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
        return descriptor
    except BaseException:
        os.close(descriptor)
        raise
