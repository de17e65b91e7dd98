"""The three failures, kept apart.

The *caller* asks for something that cannot be done now: a `LocalProtocolError` is raised and nothing has changed.
The *peer* breaks a rule or refuses: the application hears one event that carries a `TelnyxError` or a
`TelnyxWarning` of the catalogue (signaling.md section 6). *We* are wrong: an ``assert`` says why it cannot be.
"""

from enum import Enum

from attrs import field, frozen


class ProtocolError(Exception):
    """Base of what this package raises for misuse of the protocol."""


class LocalProtocolError(ProtocolError):
    """The command is not possible now. Nothing has changed."""


class NotConnected(LocalProtocolError):
    """There is no usable socket."""


class NotReady(LocalProtocolError):
    """The session has not been registered yet on this socket."""


class Busy(LocalProtocolError):
    """An operation that is allowed only once at a time is already under way."""


class InvalidCallState(LocalProtocolError):
    """The call has ended, does not exist, or is in a state that does not allow the command."""


class InvalidCallParameters(LocalProtocolError, ValueError):
    """The call's options are unusable: catalogue code 44002."""

    code = 44002


class InvalidCredentials(LocalProtocolError, ValueError):
    """`login` was given no usable set of credentials: catalogue code 46002."""

    code = 46002


class OptionsError(ValueError):
    """Client options that cannot be used; raised while they are built, before anything is connected."""


class FailureKind(Enum):
    """Why a request, a socket or the media engine did not do what was asked."""

    REQUEST_TIMEOUT = "RequestTimeout"
    STALE_REQUEST = "StaleRequest"
    NOT_CONNECTED = "NotConnected"
    NOT_READY = "NotReady"
    SERVER_ERROR = "ServerError"
    GATEWAY_STATE = "GatewayState"
    SOCKET = "Socket"
    INVALID_CREDENTIALS = "InvalidCredentialsOptions"
    TOKEN_PROVIDER = "TokenProvider"  # noqa: S105  # the name of a failure
    MEDIA = "Media"
    CALL_ENDED = "CallEnded"
    PROTOCOL = "Protocol"


@frozen
class Failure:
    """The cause behind an error event or a refused ticket; the server's own words when it spoke."""

    kind: FailureKind
    text: str
    code: int | None = None
    """The server's error code, or ``None``."""
    method: str = ""

    def __str__(self) -> str:
        code = "" if self.code is None else f" {self.code}"
        method = f" ({self.method})" if self.method else ""
        return f"{self.kind.value}{code}: {self.text}{method}"


@frozen
class TelnyxError:
    """One entry of the error catalogue as it happened."""

    code: int
    """The number in the catalogue."""
    name: str
    """The name in the catalogue."""
    message: str
    """What happened, in a sentence for the person at the phone."""
    description: str = field(repr=False)
    """The same for the programmer."""
    causes: tuple[str, ...] = field(repr=False)
    """What typically leads to it."""
    solutions: tuple[str, ...] = field(repr=False)
    """What helps."""
    fatal: bool
    """True: what the event names is over and the client does nothing more for it."""
    original: Failure | None = None
    """The failure behind it, with the server's own words when it spoke."""


@frozen
class TelnyxWarning:
    """One entry of the warning catalogue."""

    code: int
    """The number in the catalogue."""
    name: str
    """The name in the catalogue."""
    message: str
    """What happened, in a sentence for the person at the phone."""
    description: str = field(repr=False)
    """The same for the programmer."""
    causes: tuple[str, ...] = field(repr=False)
    """What typically leads to it."""
    solutions: tuple[str, ...] = field(repr=False)
    """What helps."""
