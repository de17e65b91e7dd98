"""What a call may ask of its session, and no more: it sees no sockets, no other calls and no request ids."""

from collections.abc import Mapping
from typing import Protocol

from telnyx_core._reports.log_book import CommonLog
from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core._signalling.requests import Purpose
from telnyx_core._time.timers import TimerTable
from telnyx_core._uploads import Key, Part
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import Redactor
from telnyx_core.actions import Action, Outcome
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import Failure
from telnyx_core.facts import SocketClosed
from telnyx_core.ids import CallId, MediaId, Ticket
from telnyx_core.options import ClientOptions


class CallHost(Protocol):
    @property
    def options(self) -> ClientOptions: ...

    @property
    def timers(self) -> TimerTable: ...

    @property
    def generation(self) -> int:
        """The number of the current socket, for what may happen once on each (SIG-097)."""
        ...

    @property
    def connected(self) -> bool:
        """The socket is open."""
        ...

    @property
    def usable(self) -> bool:
        """A request can be sent now: the socket is open and this session has been registered on it (SIG-082)."""
        ...

    def unusable(self) -> Failure:
        """Why it cannot."""
        ...

    @property
    def logged_in(self) -> bool:
        """Traffic of a call under recovery can be sent now (SIG-082)."""
        ...

    @property
    def trickles(self) -> bool:
        """The server takes candidates one by one; False once it has said otherwise (SRV-030)."""
        ...

    @property
    def login_refused(self) -> bool:
        """The login was refused: nothing more is tried until the application asks."""
        ...

    def act(self, action: Action) -> None: ...

    def new_media(self, call: CallId) -> MediaId:
        """A handle for a new peer of this call; its facts come to the call until `release_media`."""
        ...

    def release_media(self, media: MediaId) -> None: ...

    def request(
        self,
        purpose: Purpose,
        method: str,
        params: JsonObject,
        now: float,
        *,
        call: CallId,
        ticket: Ticket | None = None,
    ) -> None: ...

    def send_unattended(self, frame: JsonObject, drop_if_backlog_over: int | None = None) -> bool:
        """Send a frame whose reply is ignored; False: there is no socket for it now.

        The frame is left out if more than ``drop_if_backlog_over`` characters already wait for the socket.
        """
        ...

    def settle(self, ticket: Ticket, outcome: Outcome) -> None: ...

    def error(
        self,
        code: ErrorCode,
        *,
        call: CallId,
        original: Failure | None = None,
        fatal: bool | None = None,
        retry_within: float | None = None,
        now: float = 0.0,
    ) -> None: ...

    def warn(self, code: WarningCode, *, call: CallId, details: Mapping[str, Json] | None = None) -> None: ...

    @property
    def wall_offset(self) -> float:
        """Epoch seconds less the session's own time."""
        ...

    @property
    def now(self) -> float:
        """The session's own time."""
        ...

    @property
    def wall(self) -> float:
        """Epoch seconds, now."""
        ...

    @property
    def common_log(self) -> CommonLog: ...

    @property
    def redactor(self) -> Redactor:
        """Takes this client's secrets out of what is written down."""
        ...

    @property
    def session_id(self) -> str | None: ...

    @property
    def call_report_id(self) -> str | None: ...

    @property
    def report_home(self) -> ReportEndpoint | None:
        """Where the reports of calls go; ``None`` while the server has given them no id (STATS-244)."""
        ...

    @property
    def last_close(self) -> SocketClosed | None:
        """How the last socket was closed."""
        ...

    def upload(self, part: Part) -> None:
        """Send a part of a call's report or recording, after the earlier ones of its queue."""
        ...

    def uploading(self, queue: Key) -> bool:
        """An earlier part of this queue is under way, or waits to be."""
        ...

    def media_failed(self, call: CallId, reason: str, now: float) -> None:
        """The media of an established call failed: the session knows whether the socket can be trusted (SIG-268)."""
        ...

    def call_marked(self, call: CallId, *, held: bool) -> None:
        """Remember what a later process must know to take up this call (SIG-316)."""
        ...

    def call_ending(self, call: CallId) -> None:
        """Forget this call: no later process can take it up any more, and what is said in it is complete."""
        ...

    def call_ended(self, call: CallId, now: float, *, confirmed: bool) -> None:
        """The call is over and released; not ``confirmed``: the server may still think otherwise (SIG-314)."""
        ...
