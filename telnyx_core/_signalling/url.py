"""The URL of a signalling socket, built anew each time one is opened (signaling.md section 1)."""

from typing import Final
from urllib.parse import parse_qsl, quote_plus

from attrs import evolve, field, frozen

from telnyx_core._options.address import Address, parse_address
from telnyx_core.options import ClientOptions

PRODUCTION: Final = parse_address("wss://rtc.telnyx.com")
DEVELOPMENT: Final = parse_address("wss://rtcdev.telnyx.com")


@frozen
class SignallingUrl:
    """Where to connect. ``voice_sdk_id`` is the token left in the URL, which call reports name (SIG-015)."""

    url: str = field(repr=False)
    voice_sdk_id: str | None = field(repr=False)
    canary: bool


def build_url(
    options: ClientOptions,
    *,
    voice_sdk_id: str | None,
    first_canary: bool,
    skip_last: bool,
    regional_fallback: bool = False,
) -> SignallingUrl:
    """The URL for the next socket (SIG-001 to SIG-021).

    ``voice_sdk_id`` is the stored token (SIG-010); ``first_canary`` says that no canary URL has been built yet in this
    session (SIG-014, SIG-019); ``skip_last`` is the option or the one-shot flag (SIG-016). ``regional_fallback`` leaves
    the region out on a standard host (SIG-007) and means nothing on any other.
    """
    address = server_address(options)
    region = options.region or "auto"
    if region.lower() != "auto" and not (regional_fallback and address in (PRODUCTION, DEVELOPMENT)):
        address = address.in_region(region)

    query = _Query(address.query)
    canary = options.use_canary_rtc_server
    token = voice_sdk_id or None
    if options.rtc_ip and options.rtc_port:
        token, canary = None, False
        query.set("rtc_ip", options.rtc_ip)
        query.set("rtc_port", str(options.rtc_port))
    if token:
        query.set("voice_sdk_id", token)
    if canary:
        query.set("canary", "true")
        if token and first_canary:
            query.delete("voice_sdk_id")
    left = query.get("voice_sdk_id")
    if skip_last and left is not None:
        query.set("skip_last_voice_sdk_id", "true")
    if options.skip_trailing:
        query.set("skip_trailing", "true")
    return SignallingUrl(url=str(evolve(address, query=str(query))), voice_sdk_id=left, canary=canary)


def http_url(signalling: str, path: str) -> str:
    """An HTTP URL on the host of a signalling URL: ``wss`` becomes ``https``, the query is removed (STATS-240)."""
    address = parse_address(signalling)
    return str(evolve(address, scheme="http" if address.scheme == "ws" else "https", path=path, query=""))


def server_address(options: ClientOptions) -> Address:
    """Which signalling server the options name, before any region (SIG-001 to SIG-003)."""
    if options.host:
        return parse_address(options.host)
    match (options.env or "production").lower():
        case "production":
            return PRODUCTION
        case "development":
            return DEVELOPMENT
        case _:
            assert options.env is not None
            return parse_address(options.env)


class _Query:
    """A query string to edit; one that is not edited keeps its spelling (WHATWG ``URLSearchParams``)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pairs: list[tuple[str, str]] = parse_qsl(text, keep_blank_values=True)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self._pairs if key == name), None)

    def set(self, name: str, value: str) -> None:
        """Replace the first parameter of this name and drop its namesakes, or append one."""
        at = next((index for index, (key, _) in enumerate(self._pairs) if key == name), len(self._pairs))
        others = [pair for pair in self._pairs if pair[0] != name]
        self._pairs = [*others[:at], (name, value), *others[at:]]
        self._text = _encode(self._pairs)

    def delete(self, name: str) -> None:
        self._pairs = [pair for pair in self._pairs if pair[0] != name]
        self._text = _encode(self._pairs)

    def __str__(self) -> str:
        return self._text


def _encode(pairs: list[tuple[str, str]]) -> str:
    """``application/x-www-form-urlencoded`` (SIG-009): unlike `quote_plus`, ``*`` stays and ``~`` does not."""
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in pairs)


def _escape(text: str) -> str:
    scalar = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return quote_plus(scalar, safe="*").replace("~", "%7E")
