"""Where a ``ws:`` or ``wss:`` URL leads, for a driver that opens the connection itself."""

from urllib.parse import urlsplit

from attrs import frozen


@frozen
class ServerAddress:
    host: str
    port: int
    resource: str
    secure: bool

    @classmethod
    def parse(cls, url: str) -> "ServerAddress":
        """Raises ``ValueError``."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.fragment:
            raise ValueError(f"not a WebSocket URL: {parts.scheme}://{parts.netloc}")
        secure = parts.scheme == "wss"
        port = parts.port if parts.port is not None else (443 if secure else 80)
        resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname.encode("idna").decode("ascii"), port, resource, secure)

    @property
    def authority(self) -> str:
        """The ``Host`` header, without the port where that is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"
