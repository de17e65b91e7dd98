"""Event channels: subscriptions and broadcasts (signaling.md 3.16)."""

from telnyx_core._signalling.messages import EVENT
from telnyx_core._time.limits import MAX_NAME_CHARS
from telnyx_core._wire.codec import Request, mapping, string, strings
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.gateway.client_sockets import Lines
from telnyx_core.gateway.context import Context
from telnyx_core.gateway.records import ClientSocket, Session
from telnyx_core.gateway.sessions import Sessions, logged_in, sessid

PERMISSION_DENIED = -32602


class Channels:
    def __init__(self, context: Context, lines: Lines, sessions: Sessions) -> None:
        self._context = context
        self._lines = lines
        self._sessions = sessions
        self._serial = 0

    def subscribe(self, line: ClientSocket, request: Request) -> None:
        """Subscribe to channels. Names that begin with ``private`` are refused; if no name is left, the request is."""
        session = logged_in(line)
        new: list[Json] = []
        known: list[Json] = []
        unauthorized: list[Json] = []
        for name in _names(request):
            if name in session.channels:
                known.append(name)
            elif name.startswith("private") or len(session.channels) >= self._context.options.limits.channels:
                unauthorized.append(name)
            else:
                session.channels.add(name)
                new.append(name)
        lists: JsonObject = {
            "subscribedChannels": new,
            "alreadySubscribedChannels": known,
            "unauthorizedChannels": unauthorized,
            **sessid(line),
        }
        if new or known:
            self._lines.reply(line, request, lists)
        else:
            self._lines.refuse(line, request, PERMISSION_DENIED, "Permission Denied", lists)

    def unsubscribe(self, line: ClientSocket, request: Request) -> None:
        session = logged_in(line)
        gone: list[Json] = []
        unknown: list[Json] = []
        for name in _names(request):
            (gone if name in session.channels else unknown).append(name)
            session.channels.discard(name)
        self._lines.reply(
            line, request, {"unsubscribedChannels": gone, "notSubscribedChannels": unknown, **sessid(line)}
        )

    def broadcast(self, line: ClientSocket, request: Request) -> None:
        """Send the event to all other subscribers of the channel."""
        session = logged_in(line)
        channel = string(request.params, "eventChannel")
        if channel is None:
            self._lines.refuse(line, request, PERMISSION_DENIED, "Permission Denied")
            return
        self._lines.reply(line, request, {"message": "SENT", **sessid(line)})
        self.publish(channel, {"data": mapping(request.params, "data"), "userid": session.user}, but=session)

    def publish(self, channel: str, members: JsonObject, *, but: Session | None = None) -> None:
        self._serial += 1
        for session in self._sessions:
            if session is not but and session.line is not None and channel in session.channels:
                params: JsonObject = {"eventChannel": channel, "eventSerno": self._serial, **members}
                self._lines.push(session.line, EVENT, params)


def _names(request: Request) -> list[str]:
    """One name, or a list of them."""
    single = string(request.params, "eventChannel")
    names = (single,) if single is not None else strings(request.params, "eventChannel") or ()
    return [name for name in dict.fromkeys(names) if 0 < len(name) <= MAX_NAME_CHARS]
