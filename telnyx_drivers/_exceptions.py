"""Exceptions for outcomes outside the caller's control: the network, the server, the media.

A command that cannot be done *now* raises from the `telnyx_core.errors.LocalProtocolError` family and changes nothing.
The classes here are raised for an awaited outcome, with the entry of the error catalogue where there is one.
"""

from telnyx_core.errors import Failure, TelnyxError
from telnyx_core.events import Cause, CloseReason


class TelnyxClientError(Exception):
    """Base of this module."""

    def __init__(self, text: str, *, error: TelnyxError | None = None, failure: Failure | None = None) -> None:
        super().__init__(text)
        self.error = error
        """The catalogue's entry that the matching ``telnyx.error`` event carried."""
        self.failure = failure
        """The cause in the server's or the transport's own words, or ``None``."""


class LoginFailed(TelnyxClientError):
    """The server does not accept the credentials: 46001, 46002."""


class TokenProviderFailed(LoginFailed):
    """The application's ``token_provider`` raised (``__cause__``), took too long, or returned no token: 46002."""


class AccountFailed(TelnyxClientError):
    """Telnyx's REST API refused a request, as for a wrong API key or an id of another account, or was not reached."""


class ConnectionFailed(TelnyxClientError):
    """The session is not connected and will not be by itself, or not in time."""

    def __init__(self, text: str, *, error: TelnyxError | None = None, reason: CloseReason | None = None) -> None:
        super().__init__(text, error=error)
        self.reason = reason
        """Why the session closed; ``None`` when it keeps trying and only the caller's timeout has passed."""


class CallFailed(TelnyxClientError):
    """A command on a call was refused by the server or got no answer; the call itself may continue."""


class CallEnded(CallFailed):
    """The call ended before what was waited for."""

    def __init__(self, text: str, cause: Cause, *, error: TelnyxError | None = None) -> None:
        super().__init__(text, error=error)
        self.cause = cause


class MediaUnavailable(TelnyxClientError):
    """The call needs media and there is no engine: the ``media`` extra is not installed."""

    @classmethod
    def without(cls, error: ModuleNotFoundError) -> "MediaUnavailable":
        """For a module that the extra would have brought; one of our own that is missing is our fault, and raised."""
        if (error.name or "").startswith("telnyx_"):
            raise error
        return cls(f"calls need the media extra, but {error.name} is missing: pip install 'telnyx-rtc[media]'")


def without_extra(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """The error to raise where an import needs an extra; one of our own that is missing is our fault, and stays."""
    if (error.name or "").startswith("telnyx_"):
        return error
    text = f"{error.name} is missing: pip install 'telnyx-rtc[{extra}]'"
    return ModuleNotFoundError(text, name=error.name, path=error.path)


class UnplayableAudio(TelnyxClientError, ValueError):
    """A file or stream that holds no audio, or whose audio cannot be read to its end; the text names it."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source} cannot be played: {reason}")
        self.source = source
        """The name of the file, or the URL without its secrets."""
        self.reason = reason


class EventsOverrun(TelnyxClientError):
    """A reader fell so far behind that its backlog was dropped; ``lost`` events were not delivered to it."""

    def __init__(self, lost: int) -> None:
        super().__init__(f"{lost} events were not read in time: read faster, or ask for a new stream")
        self.lost = lost


class DriverFailed(TelnyxClientError):
    """A fault of this package stopped the client; ``__cause__`` is the original exception. Please report it."""
