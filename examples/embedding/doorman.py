"""The application of both embedding examples: it logs in, and turns every caller away with a reason.

It needs no media, so it shows the bare contract of the core: *mutate, drain, wait*. Whoever embeds `Session` writes a
`perform` like this one; the rest is sockets and time.
"""

import os
import random
from collections.abc import Callable

from web_socket import WebSocket

from telnyx_core.actions import AbandonSocket, Action, CloseSocket, Notify, OpenSocket, SendText
from telnyx_core.events import CallUpdated, ErrorRaised, Ready, SessionClosed
from telnyx_core.ids import CallId
from telnyx_core.options import ClientOptions
from telnyx_core.session import Session
from telnyx_core.states import CallState


class Doorman:
    """A session, its one socket, and what the application does about its events."""

    def __init__(self, dial: Callable[[WebSocket], None], *, visitors: int) -> None:
        self.session = Session(options(), rng=random.SystemRandom())
        self.websocket: WebSocket | None = None
        self.done = False
        self._dial = dial
        self._visitors = visitors
        self._rang: list[CallId] = []

    def turn(self, now: float) -> float | None:
        """Perform every action, then answer what was heard; again until there is nothing left. The next deadline."""
        while True:
            while (action := self.session.next_action()) is not None:
                self._perform(action)
            if not self._rang:
                return self.session.next_timeout()
            self.session.hangup(self._rang.pop(), now=now, cause="CALL_REJECTED", sip_reason="The door is closed")

    def _perform(self, action: Action) -> None:
        match action:
            case OpenSocket(socket, url):
                self.websocket = WebSocket(socket, url)
                self._dial(self.websocket)
            case SendText(_, text) if self.websocket is not None:
                self.websocket.send(text)
            case CloseSocket() if self.websocket is not None:
                self.websocket.close()
            case AbandonSocket():
                self.websocket = None
            case Notify(event):
                self._hear(event)
            case _:
                pass  # media: this application never answers

    def _hear(self, event: object) -> None:
        match event:
            case Ready():
                print("ready", flush=True)
            case CallUpdated(call) if call.state is CallState.RINGING:
                self._rang.append(call.id)
            case CallUpdated(call) if call.state is CallState.DESTROY:
                print(f"turned away {call.remote_caller_number}", flush=True)
                self._visitors -= 1
                self.done = self._visitors == 0
            case ErrorRaised(error=error):
                print(f"error {error.code} {error.message}", flush=True)
            case SessionClosed(reason):
                print(f"closed: {reason.value}", flush=True)
            case _:
                pass


def options() -> ClientOptions:
    """From the environment, as everywhere in this project."""
    return ClientOptions(
        login=os.environ["TELNYX_SIP_USERNAME"],
        password=os.environ["TELNYX_SIP_PASSWORD"],
        env=os.environ.get("TELNYX_RTC_URL"),
    )
