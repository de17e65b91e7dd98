"""A WebSocket server's address in parts, read and written as the WHATWG URL standard does it (SIG-003, SIG-008)."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, urlsplit

from attrs import evolve, frozen

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_DEFAULT_PORT: Final = {"ws": 80, "wss": 443}
_PATH_SAFE: Final = "!$%&'()*+,-./:;=@[\\]_|~"
_QUERY_SAFE: Final = _PATH_SAFE + "?^`{}"
_RTC_LABELS: Final = frozenset({"rtc", "rtcdev"})


_REGION: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def is_region(text: str) -> bool:
    """Whether a name can stand before ``rtc`` in a host (SIG-006): any other would change more than the host."""
    return _REGION.fullmatch(text) is not None


@frozen
class Address:
    """``scheme://host[:port]path[?query]``; ``port`` is ``None`` when it is the scheme's default."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str

    def in_region(self, region: str) -> "Address":
        """Make the host regional (SIG-005): ``region`` goes before the label ``rtc`` or ``rtcdev``, if there is one."""
        labels = self.host.split(".")
        for index, label in enumerate(labels):
            if label in _RTC_LABELS:
                return evolve(self, host=".".join((region.lower(), *labels[index:])))
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether the name or number can only mean this machine (RFC 6761 section 6.3)."""
        host = self.host.rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{host}{port}{self.path}{query}"


def parse_address(text: str) -> Address:
    """Read a server address; without a scheme it is ``wss`` (SIG-003). Raises `ValueError` with the reason.

    User information is refused, because a URL must not carry credentials (SIG-021). A fragment is dropped.
    """
    text = text.strip()
    match = _SCHEME.match(text)
    scheme = match.group(1).lower() if match else "wss"
    if scheme not in _DEFAULT_PORT:
        raise ValueError("the scheme is neither ws nor wss")
    try:
        parts = urlsplit(f"{scheme}://{text[match.end() :] if match else text}")
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
    except ValueError:  # Its words repeat the address, which may hold what is secret.
        raise ValueError("the host name or the port is malformed") from None
    if "@" in parts.netloc:
        raise ValueError("user information is not allowed in it")
    if not (_HOST.fullmatch(host) or _is_ipv6(host)):
        raise ValueError("there is no valid host name")
    return Address(
        scheme=scheme,
        host=host,
        port=None if port == _DEFAULT_PORT[scheme] else port,
        path=quote(parts.path, safe=_PATH_SAFE, errors="replace") or "/",
        query=quote(parts.query, safe=_QUERY_SAFE, errors="replace"),
    )


def _is_ipv6(host: str) -> bool:
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False
