"""Two protocols: what the parts of a `Connection` may ask of it, and what it may ask of the owner of the calls."""

from enum import Enum, auto
from random import Random
from typing import Literal, Protocol

from telnyx_core._signalling.identity import Identity
from telnyx_core._signalling.requests import Pending, Purpose
from telnyx_core._time import timeouts
from telnyx_core._time.timers import TimerTable
from telnyx_core._wire.codec import Request, ServerError
from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core._wire.redaction import Redactor
from telnyx_core.actions import Action
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import Failure
from telnyx_core.events import CloseReason
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import ClientOptions
from telnyx_core.states import SessionInput, SessionState


class Intent(Enum):
    """Why the current socket is being closed by us."""

    RECOVER = auto()
    DISCONNECT = auto()
    PUNT = auto()
    FATAL = auto()


class Owner(Protocol):
    """The owner of the calls: `telnyx_core._hub.Hub`."""

    @property
    def has_calls(self) -> bool: ...

    @property
    def media_alive(self) -> bool:
        """Some live call has a peer that has not failed (SIG-221, SIG-291)."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Takes this client's secrets out of what is shown."""
        ...

    def saved_until(self, now: float) -> float | None:
        """When the server forgets the last call, if the socket is lost now or was lost; ``None``: it keeps no call."""
        ...

    def act(self, action: Action) -> None: ...

    def report_error(self, code: ErrorCode, *, original: Failure | None = None, fatal: bool | None = None) -> None: ...

    def report_warning(self, code: WarningCode, details: JsonView) -> None: ...

    def server_said(self, request: Request, size: int, now: float) -> None:
        """A request that is about calls, events or AI."""
        ...

    def call_replied(
        self, pending: Pending, result: JsonView, error: Failure | None, server: ServerError | None, now: float
    ) -> None: ...

    def reattached(self, sessions: tuple[str, ...] | None, now: float) -> None:
        """Which calls the server kept; ``None``: it has no list."""
        ...

    def came_back(self, now: float) -> None:
        """The server is ready for this client on this socket."""
        ...

    def begun(self) -> None:
        """The session begins, or begins again after an end."""
        ...

    def rested(self) -> None:
        """The session has ended."""
        ...

    def forgotten(self) -> None:
        """The server's session is given up."""
        ...

    def socket_lost(self, now: float, *, logged_in: bool) -> None:
        """``logged_in``: the calls were on this socket until now, so the server's time to keep them starts now."""
        ...

    def saw_frame(self, direction: Literal["SEND", "RECV"], frame: JsonObject, size: int, call: CallId | None) -> None:
        """A frame of ``size`` characters passed, about this call or about none in particular."""
        ...

    def end_calls(self, now: float, *, bye: bool) -> None: ...

    def leave_calls(self, now: float) -> None:
        """End all calls here without a BYE, and remember those that the server will keep (SIG-316)."""
        ...

    def renew_media(self, call: CallId, reason: str, now: float) -> None: ...


class Link(Protocol):
    """One connection, seen from its login, its registration and its health."""

    options: ClientOptions
    state: SessionState
    identity: Identity
    auto_reconnect: bool

    @property
    def owner(self) -> Owner: ...

    @property
    def timers(self) -> TimerTable: ...

    @property
    def rng(self) -> Random: ...

    @property
    def connected(self) -> bool: ...

    @property
    def logged_in(self) -> bool: ...

    @property
    def draining(self) -> bool: ...

    @property
    def measuring(self) -> bool:
        """A speed test is under way: the server answers nothing else before it is done."""
        ...

    @property
    def another_attempt(self) -> bool:
        """Another attempt would follow if the socket were closed now."""
        ...

    @property
    def first_canary(self) -> bool: ...

    def wall(self, now: float) -> float: ...

    def move(self, given: SessionInput) -> None: ...

    def credentials_refused(self) -> None:
        """The server has refused what we log in with."""
        ...

    def logged_in_anew(self) -> None:
        """The login on a registered socket was renewed."""
        ...

    def ready(self, now: float) -> None:
        """READY: the keepalive begins."""
        ...

    def registered(self) -> None:
        """REGED: the count of reconnection attempts starts anew (SIG-244)."""
        ...

    def request(
        self,
        purpose: Purpose,
        method: str,
        params: JsonObject,
        now: float,
        *,
        call: CallId | None = None,
        ticket: Ticket | None = None,
    ) -> None: ...

    def say(self, text: str) -> None:
        """Send a text that is not JSON. The caller has checked that there is a socket."""
        ...

    def close(self, intent: Intent, now: float, *, within: float = timeouts.CLOSE_SAFETY) -> None: ...

    def drain(self, intent: Intent, reason: CloseReason, now: float) -> None: ...

    def drained(self, now: float) -> None: ...
