"""A WebSocket without I/O: bytes in, facts out. What both embedding examples share; `wsproto` does the protocol."""

from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from telnyx_core.facts import BinaryReceived, SocketClosed, SocketFact, SocketOpened, TextReceived
from telnyx_core.ids import SocketId


class WebSocket:
    """One connection. After every call, send what `take` returns; `closed` says that nothing more will come."""

    def __init__(self, socket: SocketId, url: str) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "wss"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.secure else 80)
        self.closed = False
        self._socket = socket
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._text = ""
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._out = self._ws.send(Request(host=parts.netloc, target=target))

    def take(self) -> bytes:
        """Bytes to put on the wire."""
        out, self._out = self._out, b""
        return out

    def send(self, text: str) -> None:
        if not self.closed:
            self._out += self._ws.send(TextMessage(data=text))

    def close(self) -> None:
        if not self.closed:
            self._out += self._ws.send(CloseConnection(code=1000))

    def feed(self, data: bytes, wall: float) -> list[SocketFact]:
        """Bytes from the wire; none at all mean that the far end is gone."""
        if self.closed:
            return []
        try:
            self._ws.receive_data(data or None)
            facts = [fact for event in self._ws.events() if (fact := self._fact(event, wall)) is not None]
        except ProtocolError as error:
            return [self.lost(str(error))]
        return facts if data or self.closed else [*facts, self.lost("the connection was cut")]

    def lost(self, error: str) -> SocketClosed:
        """The transport failed, before or after it was open (SIG-033)."""
        self.closed = True
        return SocketClosed(self._socket, 1006, "", clean=False, error=error)

    def _fact(self, event: object, wall: float) -> SocketFact | None:
        match event:
            case AcceptConnection():
                return SocketOpened(self._socket, wall)
            case TextMessage(data=data, message_finished=finished):
                self._text += data
                if not finished:
                    return None
                text, self._text = self._text, ""
                return TextReceived(self._socket, text)
            case BytesMessage(data=data):
                return BinaryReceived(self._socket, len(data))
            case Ping():
                self._out += self._ws.send(event.response())
            case CloseConnection(code=code, reason=reason):
                self.closed = True
                if self._ws.state is ConnectionState.REMOTE_CLOSING:  # it said goodbye first
                    self._out += self._ws.send(event.response())
                return SocketClosed(self._socket, code, reason or "", clean=True)
            case RejectConnection(status_code=status):
                return self.lost(f"HTTP {status}")
            case _:
                pass
        return None
