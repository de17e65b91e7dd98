"""Which part of the gateway serves which request of a client."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from telnyx_core._signalling.messages import (
    AI_CONVERSATION,
    ANONYMOUS_LOGIN,
    ANSWER,
    ATTACH,
    BYE,
    CANDIDATE,
    END_OF_CANDIDATES,
    GATEWAY_STATE,
    INFO,
    INVITE,
    LOGIN,
    MODIFY,
    PING,
)
from telnyx_core._wire.codec import Request
from telnyx_core.gateway.assistant import Assistants
from telnyx_core.gateway.calls import Calls
from telnyx_core.gateway.channels import Channels
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.dialogs import INVALID_METHOD, UNKNOWN_METHOD, Dialogs
from telnyx_core.gateway.events import ReportReceived
from telnyx_core.gateway.reattach import Reattach
from telnyx_core.gateway.records import ClientSocket, expiry
from telnyx_core.gateway.routing import Routing
from telnyx_core.gateway.sessions import AUTHENTICATION_REQUIRED, Sessions, logged_in, sessid

Handler: TypeAlias = Callable[[ClientSocket, Request], None]

SUBSCRIBE: Final = "telnyx_rtc.subscribe"
UNSUBSCRIBE: Final = "telnyx_rtc.unsubscribe"
BROADCAST: Final = "telnyx_rtc.broadcast"


class Requests:
    def __init__(
        self,
        context: Context,
        lines: Lines,
        sessions: Sessions,
        calls: Calls,
        survival: Reattach,
        assistants: Assistants,
        switch: Routing,
        dialogs: Dialogs,
        channels: Channels,
    ) -> None:
        self._context = context
        self._lines = lines
        self._sessions = sessions
        self._calls = calls
        self._survival = survival
        self._assistants = assistants
        self._handlers: Mapping[str, Handler] = {
            GATEWAY_STATE: sessions.tell_state,
            PING: self._pinged,
            INVITE: switch.invite,
            ANSWER: dialogs.answer,
            ATTACH: dialogs.attach,
            BYE: dialogs.bye,
            MODIFY: dialogs.modify,
            INFO: dialogs.info,
            CANDIDATE: dialogs.candidate,
            END_OF_CANDIDATES: dialogs.end_of_candidates,
            AI_CONVERSATION: self._conversed,
            SUBSCRIBE: channels.subscribe,
            UNSUBSCRIBE: channels.unsubscribe,
            BROADCAST: channels.broadcast,
        }

    def serve(self, line: ClientSocket, request: Request) -> None:
        """Before a login nothing but a login is served."""
        if request.method in (LOGIN, ANONYMOUS_LOGIN):
            self._log_in(line, request)
        elif line.session is None:
            self._lines.refuse(line, request, AUTHENTICATION_REQUIRED, "Authentication Required")
        elif (handler := self._handlers.get(request.method)) is not None:
            handler(line, request)
        elif request.method.startswith("debug_report_"):
            self._context.notify(ReportReceived(line.socket, request.method, request.frame))
            self._lines.reply(line, request, {"message": "ok"})
        else:
            self._lines.refuse(line, request, UNKNOWN_METHOD, INVALID_METHOD)

    def _log_in(self, line: ClientSocket, request: Request) -> None:
        welcome = self._sessions.login(line, request)
        if welcome is None:
            return
        if welcome.left is not None:
            self._survival.detach(welcome.left)
        if (surplus := self._sessions.surplus()) is not None:
            self._survival.expire(surplus)
        if welcome.back:
            self._survival.bring_back(welcome.session)
        else:
            # Nothing was lost on a socket that the session was on already: its calls are listed, not offered again.
            calls = [leg.call for leg in self._calls.of(welcome.session)]
            self._sessions.expect(welcome.session, calls, attaches=False)

    def _pinged(self, line: ClientSocket, request: Request) -> None:
        quirks = self._context.options.quirks
        if quirks.silent_on_ping:
            return
        if quirks.echo_ping:
            self._lines.send(line, request.frame, "reply", PING)
        else:
            self._lines.reply(line, request, {**expiry(line), "message": "PONG", **sessid(line)})

    def _conversed(self, line: ClientSocket, request: Request) -> None:
        # The frames name no call; the newest answered call to an assistant is meant.
        legs = reversed(self._calls.of(logged_in(line)))
        leg = next((leg for leg in legs if leg.answered and leg.assistant is not None), None)
        self._assistants.heard(line, request, leg)
