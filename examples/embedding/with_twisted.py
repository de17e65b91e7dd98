"""The bare core inside another event loop: Twisted's own reactor.

TELNYX_SIP_USERNAME=... TELNYX_SIP_PASSWORD=... python with_twisted.py
"""

import time

from doorman import Doorman
from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from web_socket import WebSocket

from telnyx_core.states import SessionState


class Line(Protocol):
    """One socket: bytes to facts, and back."""

    def __init__(self, loop: "Loop", websocket: WebSocket) -> None:
        self.loop, self.websocket = loop, websocket

    def connectionMade(self) -> None:  # noqa: N802
        self.flush()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.loop.heard(self.websocket, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self.loop.heard(self.websocket, b"")

    def flush(self) -> None:
        if self.transport is not None and (out := self.websocket.take()):
            self.transport.write(out)


class Loop:
    """*Mutate, drain, wait*, where waiting is `reactor.callLater`."""

    def __init__(self) -> None:
        self.doorman = Doorman(self.dial, visitors=1)
        self.line: Line | None = None
        self.wake: IDelayedCall | None = None

    def start(self) -> None:
        self.doorman.session.connect(now=reactor.seconds())
        self.turn()

    def dial(self, websocket: WebSocket) -> None:
        endpoint = HostnameEndpoint(reactor, websocket.host, websocket.port)
        if websocket.secure:
            endpoint = wrapClientTLS(optionsForClientTLS(websocket.host), endpoint)
        self.line = Line(self, websocket)
        connectProtocol(endpoint, self.line).addErrback(lambda failure: self.failed(websocket, failure))

    def failed(self, websocket: WebSocket, failure: Failure) -> None:
        self.doorman.session.receive(websocket.lost(failure.getErrorMessage()), now=reactor.seconds())
        self.turn()

    def heard(self, websocket: WebSocket, data: bytes) -> None:
        for fact in websocket.feed(data, time.time()):
            self.doorman.session.receive(fact, now=reactor.seconds())
        self.turn()

    def turn(self) -> None:
        session = self.doorman.session
        session.handle_timeout(now=reactor.seconds())
        deadline = self.doorman.turn(reactor.seconds())
        if self.doorman.done:
            self.doorman.done = False
            session.disconnect(now=reactor.seconds())
            deadline = self.doorman.turn(reactor.seconds())
        if self.line is not None:
            self.line.flush()
        if self.wake is not None and self.wake.active():
            self.wake.cancel()
        if session.state is SessionState.IDLE:
            reactor.stop()
        elif deadline is not None:
            self.wake = reactor.callLater(max(0.0, deadline - reactor.seconds()), self.turn)


reactor.callWhenRunning(Loop().start)
reactor.run()
