"""The bare core with blocking sockets and `selectors`: no event loop, no framework.

TELNYX_SIP_USERNAME=... TELNYX_SIP_PASSWORD=... python with_selectors.py
"""

import selectors
import socket
import ssl
import time

from doorman import Doorman
from web_socket import WebSocket

from telnyx_core.states import SessionState


def main() -> None:
    selector = selectors.DefaultSelector()
    sockets: dict[WebSocket, socket.socket] = {}

    def dial(websocket: WebSocket) -> None:
        """Blocking, as promised; a real program would bound it by the session's own deadline."""
        try:
            connection = socket.create_connection((websocket.host, websocket.port), timeout=10)
            if websocket.secure:
                context = ssl.create_default_context()
                connection = context.wrap_socket(connection, server_hostname=websocket.host)
        except OSError as error:
            doorman.session.receive(websocket.lost(str(error)), now=time.monotonic())
            return
        sockets[websocket] = connection
        selector.register(connection, selectors.EVENT_READ, websocket)

    doorman = Doorman(dial, visitors=1)
    session = doorman.session
    session.connect(now=time.monotonic())
    while True:
        deadline = doorman.turn(time.monotonic())
        if doorman.done:
            doorman.done = False
            session.disconnect(now=time.monotonic())
            continue
        for websocket, connection in sockets.items():
            if out := websocket.take():
                connection.sendall(out)
        if session.state is SessionState.IDLE:
            break
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        for key, _ in selector.select(wait):
            websocket = key.data
            try:
                data = sockets[websocket].recv(65_536)
            except OSError:
                data = b""
            for fact in websocket.feed(data, time.time()):
                session.receive(fact, now=time.monotonic())
            if websocket.closed:
                selector.unregister(sockets[websocket])
                sockets.pop(websocket).close()
        session.handle_timeout(now=time.monotonic())


main()
