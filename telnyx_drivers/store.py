"""Where a session's values live between two processes (SIG-230): in memory, or in one private file.

A store that cannot read or write behaves as an empty one. The values route a later login back to the same server and
the same calls; they are worth as much as a session cookie, hence the care with permissions.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, cast

from telnyx_core.json_types import Json, JsonView
from telnyx_drivers import logs

LIMIT: Final = 1 << 20
"""Bytes read back at most; a real file holds a few hundred."""


class Store(Protocol):
    """Scoped to one client object; two clients must not share one (SIG-297)."""

    def load(self) -> "JsonView | None":
        """What `save` was last given, or ``None``. Must not raise."""
        ...

    def save(self, values: JsonView) -> None:
        """Replace what is stored. Must not raise."""
        ...


class MemoryStore:
    """Forgets with the process; shared by two clients one after the other, it lets the second take over."""

    def __init__(self) -> None:
        self._values: JsonView | None = None

    def load(self) -> "JsonView | None":
        return self._values

    def save(self, values: JsonView) -> None:
        self._values = dict(values)


class FileStore:
    """One JSON file, readable by its owner only and replaced as a whole: a crash leaves the old or the new one."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self) -> "JsonView | None":
        try:
            with self._path.open("rb") as file:
                data = file.read(LIMIT + 1)
            if len(data) > LIMIT:
                raise ValueError("too large")
            values = cast(Json, json.loads(data))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            logs.client.warning("the stored session is not readable and counts as empty: %s", _reason(error))
            return None
        return values if isinstance(values, dict) else None

    def save(self, values: JsonView) -> None:
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        try:
            text = json.dumps(dict(values))
            # O_EXCL: neither somebody else's file nor a link planted under the temporary name is ever written to.
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except (OSError, ValueError, TypeError) as error:
            logs.client.warning("the session cannot be stored: %s", _reason(error))
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """A parser's own message may quote what it read."""
    return str(error.strerror) if isinstance(error, OSError) else type(error).__name__
