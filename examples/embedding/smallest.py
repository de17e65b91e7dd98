"""The whole of an embedding: one session, one blocking socket, no loop. It turns one caller away, and leaves.

TELNYX_SIP_USERNAME=... TELNYX_SIP_PASSWORD=... TELNYX_RTC_URL=ws://... python smallest.py
"""

import os
import random
import select
import socket
import time

from web_socket import WebSocket

from telnyx_core.actions import CloseSocket, Notify, OpenSocket, SendText
from telnyx_core.events import CallUpdated, Ready, SessionClosed
from telnyx_core.options import ClientOptions
from telnyx_core.session import Session
from telnyx_core.states import CallState


def main() -> None:
    names = {"login": "TELNYX_SIP_USERNAME", "password": "TELNYX_SIP_PASSWORD", "env": "TELNYX_RTC_URL"}
    options = ClientOptions(**{option: os.environ[name] for option, name in names.items()})
    session = Session(options, rng=random.SystemRandom())
    session.connect(now=time.monotonic())
    while True:
        while (action := session.next_action()) is not None:
            match action:
                case OpenSocket(ident, url):
                    websocket = WebSocket(ident, url)
                    connection = socket.create_connection((websocket.host, websocket.port), timeout=10)
                case SendText(_, text):
                    websocket.send(text)
                case CloseSocket():
                    websocket.close()
                case Notify(Ready()):
                    print("ready", flush=True)
                case Notify(CallUpdated(call)) if call.state is CallState.RINGING:
                    session.hangup(call.id, now=time.monotonic(), cause="CALL_REJECTED")
                case Notify(CallUpdated(call)) if call.state is CallState.DESTROY:
                    print(f"turned away {call.remote_caller_number}", flush=True)
                    session.disconnect(now=time.monotonic())
                case Notify(SessionClosed(reason)):
                    return print(f"closed: {reason.value}", flush=True)
                case _:
                    pass  # media, which a call that is never answered does not need
        connection.sendall(websocket.take())
        deadline = session.next_timeout()
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        if select.select([connection], [], [], wait)[0]:
            for fact in websocket.feed(connection.recv(65_536), time.time()):
                session.receive(fact, now=time.monotonic())
        session.handle_timeout(now=time.monotonic())


main()
