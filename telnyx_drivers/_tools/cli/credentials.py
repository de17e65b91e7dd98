"""Credentials: from the environment or a private file, never from the command line, where other users can read them."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from telnyx_drivers._tools.cli.exits import UsageError

TOKEN: Final = "TELNYX_LOGIN_TOKEN"  # noqa: S105 - the name of a variable
USERNAME: Final = "TELNYX_SIP_USERNAME"
PASSWORD: Final = "TELNYX_SIP_PASSWORD"  # noqa: S105 - the name of a variable
NAMES: Final = (TOKEN, USERNAME, PASSWORD)

MAX_FILE: Final = 64 * 1024
"""Bytes: a token is about one kilobyte; whatever is larger is the wrong file."""

HELP: Final = f"Set {TOKEN}, or {USERNAME} and {PASSWORD}, or put them in a file for --credentials-file."


@frozen
class Credentials:
    """A token, or a SIP user name with its password."""

    login_token: str | None = field(default=None, repr=False)
    login: str | None = None
    password: str | None = field(default=None, repr=False)


def find_credentials(file: Path | None, *, environ: Mapping[str, str], warn: Callable[[str], None]) -> Credentials:
    """The credentials of ``file`` if one is named, else of the environment; `UsageError` without a usable set."""
    if file is None:
        return _choose({name: environ.get(name, "") for name in NAMES}, "the environment")
    return _choose(read_credentials(file, warn=warn), str(file))


def read_credentials(file: Path, *, warn: Callable[[str], None]) -> dict[str, str]:
    """The credentials among the pairs of a file, under the names that they have in the environment."""
    found = read_pairs(file, warn=warn)
    return {name: found[name] for name in NAMES if name in found}


def read_pairs(file: Path, *, warn: Callable[[str], None]) -> dict[str, str]:
    """The lines ``NAME=value`` of a file; blank lines, ``export``, ``#`` comments and quotes are understood."""
    found: dict[str, str] = {}
    for number, line in enumerate(_read_private(file, warn=warn).splitlines(), 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            # The line itself may be a secret, so it is not repeated.
            raise UsageError(f"{file}, line {number}: expected a name, '=' and a value.")
        found[name] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    """A value as a shell reads it: what stands in quotes, or what goes before a comment."""
    if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return value.split(" #")[0].rstrip()


def _read_private(file: Path, *, warn: Callable[[str], None]) -> str:
    """The text of a small file that holds secrets; ``warn`` hears about permissions that let others read it."""
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(MAX_FILE + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not a text file.") from error
    if len(data) > MAX_FILE:
        raise UsageError(f"{file} is too large to be a file of credentials.")
    if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        warn(f"{file} can be read by other users of this machine; chmod 600 makes it private.")
    return text


def _choose(given: Mapping[str, str], where: str) -> Credentials:
    token, username, password = (given.get(name, "") for name in NAMES)
    if token and (username or password):
        raise UsageError(f"Both a token and a SIP user are set in {where}: keep one of them.")
    if token:
        return Credentials(login_token=token)
    if username and password:
        return Credentials(login=username, password=password)
    if username or password:
        raise UsageError(f"{PASSWORD if username else USERNAME} is missing in {where}.")
    raise UsageError(f"No credentials in {where}. {HELP}")
