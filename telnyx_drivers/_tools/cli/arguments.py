"""What people type, turned into options of a call; `UsageError` says what is wrong with it."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from telnyx_core._wire.redaction import redact_url
from telnyx_core.options import Codec, CustomHeader, IceServer
from telnyx_drivers._tools.cli.exits import UsageError

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
"""A SIP header name: ``token`` of RFC 3261 section 25.1."""
_DIGITS: Final = re.compile(r"[0-9A-Da-d*#,wW]+")
"""What a ``dtmf`` command accepts (CALL-135): the twelve keys, A to D, and pauses."""


ICE_USERNAME: Final = "TELNYX_ICE_USERNAME"
ICE_CREDENTIAL: Final = "TELNYX_ICE_CREDENTIAL"


class DigitsWay(StrEnum):
    INFO = "info"
    RTP = "rtp"


class CodecName(StrEnum):
    OPUS = "opus"
    G722 = "g722"
    PCMU = "pcmu"
    PCMA = "pcma"


_CODECS: Final = {
    CodecName.OPUS: Codec("audio/opus", 48_000, 2),
    CodecName.G722: Codec("audio/G722", 8_000),  # 8000 by an old error of the registry (RFC 3551 section 4.5.2)
    CodecName.PCMU: Codec("audio/PCMU", 8_000),
    CodecName.PCMA: Codec("audio/PCMA", 8_000),
}


def parse_codecs(names: Sequence[CodecName]) -> tuple[Codec, ...]:
    """In the order given, each once."""
    return tuple(_CODECS[name] for name in dict.fromkeys(names))


def parse_headers(texts: Sequence[str]) -> tuple[CustomHeader, ...]:
    """Each ``Name: value``, as in SIP."""
    return tuple(map(_header, texts))


def _header(text: str) -> CustomHeader:
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not _TOKEN.fullmatch(name):
        # The value may be a secret, so it is not repeated.
        raise UsageError(f"--header {(name if colon else '...')!r}: expected 'Name: value'.")
    if not value.isprintable():
        raise UsageError(f"--header {name!r}: the value holds a character that cannot be printed.")
    return CustomHeader(name, value)


def parse_digits(text: str) -> str:
    if not _DIGITS.fullmatch(text):
        # They may be the digits of a card, so they are not repeated.
        raise UsageError("--dtmf: digits are 0-9 * # A-D, and ',' or 'w' for a pause.")
    return text


def parse_ice_servers(urls: Sequence[str] | None, environ: Mapping[str, str]) -> tuple[IceServer, ...] | None:
    """The servers to use. Raises `UsageError` for one that is unusable: the user named it, so it is not skipped."""
    from telnyx_drivers._webrtc.ice_plan import parse_url

    if not urls:
        return None
    username, credential = environ.get(ICE_USERNAME) or None, environ.get(ICE_CREDENTIAL) or None
    for url in urls:
        complaint = parse_url(url, username, credential)
        if isinstance(complaint, str):
            raise UsageError(f"--ice-server {url}: {complaint}.")
    return tuple(IceServer(url, username, credential) for url in urls)


def check_playable(what: str) -> str:
    """Check that a file holds audio before a telephone rings. A URL is checked only when it is played."""
    from telnyx_drivers._audio.decode import open_decoder
    from telnyx_drivers._audio.inputs import is_address
    from telnyx_drivers._exceptions import UnplayableAudio

    if is_address(what):
        if find_spec("httpx2") is None:
            raise UsageError(f"--play {redact_url(what)}: a URL needs the http extra: pip install 'telnyx-rtc[http]'.")
        return what
    try:
        open_decoder(Path(what)).close()
    except OSError as error:
        raise UsageError(f"--play {what}: {error.strerror or error}.") from error
    except UnplayableAudio as error:
        raise UsageError(f"--play {what}: {error.reason}.") from error
    return what


def check_writable(path: Path, option: str = "--record") -> Path:
    """Check that the folder exists, before there is a recording to lose."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder for such a file.")
    return path
