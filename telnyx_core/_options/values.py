"""The values that client options and call options share: ICE servers, SIP headers, codecs."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, cast

from attrs import field, frozen

from telnyx_core._options.parsing import Checks, as_given, both_spellings, build
from telnyx_core.errors import InvalidCallParameters, OptionsError

_SERVER: Final = Checks(OptionsError, "IceServer.")
_SIP_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_HEADER_NAMES: Final = both_spellings({"name": as_given, "value": as_given})
_CODEC_NAMES: Final = both_spellings(
    {"mime_type": as_given, "clock_rate": as_given, "channels": as_given, "sdp_fmtp_line": as_given}
)


def _urls(value: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    urls = _SERVER.sequence("urls", value)
    if not all(isinstance(url, str) for url in urls):
        raise _SERVER.refuse("urls", "must be a string or a list of strings")
    return cast("tuple[str, ...]", urls)


@frozen
class IceServer:
    """One ``RTCIceServer``. ``urls`` may be given as one string."""

    urls: tuple[str, ...] = field(converter=_urls)
    """As ``stun:host:port`` or ``turn:host:port?transport=udp``."""
    username: str | None = field(default=None, repr=False)
    """Of a TURN server."""
    credential: str | None = field(default=None, repr=False)
    """Of a TURN server."""

    def __attrs_post_init__(self) -> None:
        _SERVER.types(self)


@frozen
class CustomHeader:
    """One SIP header sent with a call, normally ``X-...``. Its value is not shown: it may be a credential."""

    name: str
    """A SIP header's name, as ``X-Order``."""
    value: str = field(repr=False)
    """Its value, on one line."""

    def __attrs_post_init__(self) -> None:
        Checks(OptionsError, "CustomHeader.").types(self)


@frozen
class Codec:
    """One entry of ``preferred_codecs``: ``mime_type`` like ``audio/opus``, ``clock_rate`` in hertz."""

    mime_type: str
    """As ``audio/opus``."""
    clock_rate: int
    """Hz."""
    channels: int | None = None
    """``None``: as the codec has by default."""
    sdp_fmtp_line: str | None = None
    """The parameters, as in SDP."""

    def __attrs_post_init__(self) -> None:
        checks = Checks(OptionsError, "Codec.")
        checks.types(self)
        checks.range("clock_rate", self.clock_rate, 1)
        checks.range("channels", self.channels, 1)


def read_ice_servers(value: object, error: type[Exception] = OptionsError) -> tuple[IceServer, ...]:
    """Read ``RTCIceServer[]``; anything but a list is refused with ``error``.

    An entry that is not an ``RTCIceServer`` becomes a server without URLs: the client leaves it out and says why, and
    the good entries stay.
    """
    return tuple(_ice_server(entry) for entry in Checks(error).sequence("ice_servers", value))


def _ice_server(entry: object) -> IceServer:
    if isinstance(entry, IceServer):
        return entry
    if not isinstance(entry, Mapping):
        return IceServer(())
    members = cast("Mapping[object, object]", entry)
    urls, username, credential = members.get("urls"), members.get("username"), members.get("credential")
    if isinstance(urls, str):
        urls = [urls]
    if not isinstance(urls, list | tuple):
        return IceServer(())
    if not isinstance(username, str | None) or not isinstance(credential, str | None):
        return IceServer(())
    given = cast("list[object] | tuple[object, ...]", urls)
    return IceServer(tuple(url for url in given if isinstance(url, str)), username, credential)


HEADERS_EXAMPLE: Final = '[{"name": "X-Order", "value": "17"}]'
_CODECS_EXAMPLE: Final = '[{"mime_type": "audio/opus", "clock_rate": 48000}]'


def read_custom_headers(value: object) -> tuple[CustomHeader, ...]:
    """Read ``[{name, value}]`` or `CustomHeader` values. Raises `InvalidCallParameters`.

    A name must be a SIP token (RFC 3261, 25.1) and a value must stay on its line, so that no text of a user can add
    a header of its own.
    """
    entries = Checks(InvalidCallParameters).sequence("custom_headers", value, HEADERS_EXAMPLE)
    return tuple(_custom_header(index, entry) for index, entry in enumerate(entries))


def _custom_header(index: int, entry: object) -> CustomHeader:
    where = Checks(InvalidCallParameters, f"custom_headers[{index}].")
    if isinstance(entry, CustomHeader):
        entry = {"name": entry.name, "value": entry.value}
    given = where.keywords(entry, _HEADER_NAMES)
    name, text = given.get("name"), given.get("value")
    if not isinstance(name, str) or not _SIP_TOKEN.fullmatch(name):
        raise where.refuse("name", "must be a SIP header name: letters, digits and - . ! % * _ + ` ' ~")
    if not isinstance(text, str) or any(char in text for char in "\r\n\0"):
        raise where.refuse("value", "must be a string without line breaks")
    return CustomHeader(name, text)


def read_codecs(value: object) -> tuple[Codec, ...]:
    """Read ``[{mimeType, clockRate, channels?, sdpFmtpLine?}]`` or `Codec` values. Raises `InvalidCallParameters`."""
    return tuple(
        entry if isinstance(entry, Codec) else _codec(index, entry)
        for index, entry in enumerate(
            Checks(InvalidCallParameters).sequence("preferred_codecs", value, _CODECS_EXAMPLE)
        )
    )


def _codec(index: int, entry: object) -> Codec:
    where = Checks(InvalidCallParameters, f"preferred_codecs[{index}].")
    if isinstance(entry, str):
        example = f"preferred_codecs={_CODECS_EXAMPLE}"
        raise InvalidCallParameters(f"preferred_codecs[{index}] must be a mapping, not str; for example {example}")
    given = where.keywords(entry, _CODEC_NAMES)
    for name in ("mime_type", "clock_rate"):
        if name not in given:
            raise where.refuse(name, "is missing")
    try:
        return build(Codec, given)
    except OptionsError as error:
        raise InvalidCallParameters(f"preferred_codecs[{index}]: {error}") from None
