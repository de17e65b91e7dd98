"""Client and call options: validated when built, never changed afterwards (signaling.md 0.3, calls.md section 2)."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, Literal, TypeAlias, cast

from attrs import evolve, field, fields_dict, frozen

from telnyx_core._options.address import is_region, parse_address
from telnyx_core._options.call import CallOptions
from telnyx_core._options.parsing import Checks, Name, as_given, both_spellings, build, finite, kind, milliseconds
from telnyx_core._options.values import Codec, CustomHeader, IceServer, read_ice_servers
from telnyx_core._wire.json_types import Json
from telnyx_core.errors import InvalidCredentials, OptionsError

__all__ = [
    "AnonymousLogin",
    "CallOptions",
    "ClientOptions",
    "Codec",
    "CustomHeader",
    "DebugLogLevel",
    "DebugOutput",
    "IceServer",
    "MediaPermissionsRecovery",
    "RecordedTrack",
]

DebugOutput: TypeAlias = Literal["socket", "file"]
DebugLogLevel: TypeAlias = Literal["debug", "info", "warn", "error"]
RecordedTrack: TypeAlias = Literal["local", "remote"]

DEFAULT_RECOVERY_TIMEOUT: Final = 20.0
SHORTEST_REPORT_INTERVAL: Final = 0.1
LONGEST_INTERVAL: Final = 3600.0
"""Seconds. No application needs longer intervals; a larger number was meant as milliseconds."""
LONGEST_REPORT_INTERVAL: Final = 600.0
LONGEST_RECOVERY: Final = 600.0
"""Seconds. No caller waits longer than ten minutes until a microphone works."""

_CHECK: Final = Checks(OptionsError)
_ANONYMOUS: Final = Checks(OptionsError, "anonymous_login.")
_RECOVERY: Final = Checks(OptionsError, "media_permissions_recovery.")


def _target_params(value: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    return None if value is None else _ANONYMOUS.json_object("target_params", value)


@frozen
class AnonymousLogin:
    """A login without credentials to one AI assistant."""

    target_id: str
    """The assistant's id."""
    target_type: str = "ai_assistant"
    """``ai_assistant``, the only type there is."""
    target_version_id: str | None = None
    """A version of the assistant; ``None``: the current one."""
    target_params: Mapping[str, Json] | None = field(default=None, converter=_target_params, repr=False)
    """Passed on to the assistant as they are."""

    def __attrs_post_init__(self) -> None:
        _ANONYMOUS.types(self)
        if not self.target_id:
            raise OptionsError("anonymous_login.target_id must not be empty")
        if self.target_type != "ai_assistant":
            raise OptionsError("anonymous_login.target_type must be 'ai_assistant', the only type there is")


def _recovery_timeout(value: float | None) -> float:
    """A missing, non-numeric or non-positive value means the default (MEDIA-303)."""
    seconds = finite(value)
    if seconds is None or seconds <= 0:
        return DEFAULT_RECOVERY_TIMEOUT
    return _RECOVERY.seconds("timeout", seconds, most=LONGEST_RECOVERY)


@frozen
class MediaPermissionsRecovery:
    """What to do when the microphone cannot be opened for an incoming call."""

    enabled: bool = False
    """True: wait for the application instead of ending the call."""
    timeout: float = field(default=DEFAULT_RECOVERY_TIMEOUT, converter=_recovery_timeout)
    """Seconds; under the documented name, milliseconds."""
    on_success: Callable[[], object] | None = field(default=None, repr=False, eq=False)
    """Called without arguments when the retry worked."""
    on_error: Callable[[Exception], object] | None = field(default=None, repr=False, eq=False)
    """Called with the error when it did not, or when the time was over."""

    def __attrs_post_init__(self) -> None:
        _RECOVERY.types(self)
        for name, callback in (("on_success", self.on_success), ("on_error", self.on_error)):
            if callback is not None and not callable(callback):
                raise _RECOVERY.refuse(name, f"must be callable, not {kind(callback)}")


_ANONYMOUS_NAMES: Final = {name: Name(name) for name in fields_dict(AnonymousLogin)}
_RECOVERY_NAMES: Final = both_spellings(dict.fromkeys(fields_dict(MediaPermissionsRecovery), as_given))
_METHOD_OF: Final = {
    "login_token": "token",
    "login": "password",
    "password": "password",
    "anonymous_login": "anonymous",
}
"""The login method that each credential belongs to."""


def _blank_is_none(value: str | None) -> str | None:
    return None if value == "" else value


def _anonymous(value: AnonymousLogin | Mapping[str, object] | None) -> AnonymousLogin | None:
    if value is None or isinstance(value, AnonymousLogin):
        return value
    given = _ANONYMOUS.keywords(value, _ANONYMOUS_NAMES)
    if "target_id" not in given:
        raise OptionsError("anonymous_login.target_id is missing")
    return build(AnonymousLogin, given)


def _variables(value: Mapping[str, Json]) -> Mapping[str, Json]:
    return _CHECK.json_object("user_variables", value)


def _ice_servers(value: Iterable[IceServer | Mapping[str, object]] | None) -> tuple[IceServer, ...] | None:
    return None if value is None else read_ice_servers(value)


def _report_interval(value: float) -> float:
    return max(SHORTEST_REPORT_INTERVAL, _CHECK.seconds("call_report_interval", value, most=LONGEST_REPORT_INTERVAL))


def _interval(name: str, value: float) -> float:
    """Zero or less becomes 0, which means never."""
    seconds = finite(value)
    if seconds is None:
        raise _CHECK.refuse(name, f"must be a finite number of seconds, not {kind(value)}")
    return 0.0 if seconds <= 0 else _CHECK.seconds(name, seconds, most=LONGEST_INTERVAL)


def _report_flush_interval(value: float) -> float:
    return _interval("call_report_flush_interval", value)


def _reattach_wait(value: float) -> float:
    return _interval("reattach_wait", value)


def _reconnect_spread(value: float) -> float:
    return _interval("reconnect_spread", value)


def _recording_flush_interval(value: float) -> float:
    return _interval("call_recording_flush_interval", value)


def _tracks(value: Iterable[RecordedTrack]) -> tuple[RecordedTrack, ...]:
    tracks = _CHECK.sequence("call_recording_tracks", value)
    if not tracks or any(track not in ("local", "remote") for track in tracks):
        raise _CHECK.refuse("call_recording_tracks", "must be 'local', 'remote', or both")
    return cast("tuple[RecordedTrack, ...]", tuple(dict.fromkeys(tracks)))


def _recovery(value: MediaPermissionsRecovery | Mapping[str, object]) -> MediaPermissionsRecovery:
    if isinstance(value, MediaPermissionsRecovery):
        return value
    return build(MediaPermissionsRecovery, _RECOVERY.keywords(value, _RECOVERY_NAMES))


def _recovery_in_ms(value: object) -> object:
    names = {**_RECOVERY_NAMES, "timeout": Name("timeout", milliseconds)}
    if isinstance(value, MediaPermissionsRecovery):
        return value
    return build(MediaPermissionsRecovery, _RECOVERY.keywords(value, names))


Region: TypeAlias = Literal["us-east", "us-central", "us-west", "ca-central", "eu", "apac", "south-asia"]
"""The regions of the platform's signalling servers. Other names are accepted, too: a region may be added later."""


@frozen(kw_only=True)
class ClientOptions:
    """What a client is built with. The fields are the Python keywords; times are seconds.

    Raises `OptionsError` that names the option for a wrong type or range, and unless exactly one login method is given.
    Blank texts of a login method count as not given. Mappings are copied deeply, so a later change by the caller has
    no effect.
    """

    login_token: str | None = field(default=None, repr=False, converter=_blank_is_none)
    login: str | None = field(default=None, converter=_blank_is_none)
    password: str | None = field(default=None, repr=False, converter=_blank_is_none)
    anonymous_login: AnonymousLogin | None = field(default=None, converter=_anonymous)
    user_variables: Mapping[str, Json] = field(factory=dict[str, Json], repr=False, converter=_variables)
    push_when_active: bool | None = None
    early_sdp_answer: bool = False

    env: str | None = None
    host: str | None = None
    region: str | None = None
    keep_connection_alive_on_socket_close: bool = False
    skip_last_voice_sdk_id: bool = False
    skip_trailing: bool = False
    rtc_ip: str | None = None
    rtc_port: int | None = None
    use_canary_rtc_server: bool = False
    auto_reconnect: bool = True
    max_reconnect_attempts: int = 10
    """In a row; 0 means no limit. Attempts that can still save a call are not counted."""
    reconnect_spread: float = field(default=0.0, converter=_reconnect_spread)
    """Seconds over which the first attempt after a loss is spread, evenly at random and on top of the usual delay of
    one, so that a fleet of clients does not come back at once. A client with a call does not wait for it. In a mapping,
    milliseconds. The JS SDK has no such option."""
    reattach_wait: float = field(default=3.0, converter=_reattach_wait)
    """Seconds for which a call that the server does not list after a reconnection still waits for an attach: a server
    that restores its calls after a crash sends it late. In a mapping, milliseconds. The JS SDK has no such option.
    """
    hangup_on_before_unload: bool = True

    ice_servers: tuple[IceServer, ...] | None = field(default=None, converter=_ice_servers)
    """``None``: the platform's list. Empty: host candidates only. As given: `ice_servers_for` tells which
    of them are usable.
    """
    prefetch_ice_candidates: bool = True
    force_relay_candidate: bool = False
    trickle_ice: bool = False
    muted_mic_on_start: bool = False

    ringtone_file: str | None = None
    ringback_file: str | None = None

    enable_call_reports: bool = True
    call_report_interval: float = field(default=5.0, converter=_report_interval)
    """Seconds, at least 0.1; under the documented name, milliseconds."""

    call_report_flush_interval: float = field(default=180.0, converter=_report_flush_interval)
    """Seconds between the parts of a long call's report; 0: one at the end. Under the documented name, milliseconds."""
    debug_log_level: DebugLogLevel = "debug"
    """The lowest level that is kept for a call's report; ``logging`` receives every level."""
    debug_log_max_entries: int = 1_000
    """Log entries kept for each call; the oldest are dropped."""

    enable_call_recording: bool = False
    """Upload both directions of the audio. The application is responsible for the consent of the speakers."""
    call_recording_flush_interval: float = field(default=15.0, converter=_recording_flush_interval)
    """Seconds between uploads; 0: only at the end. Under the documented name, milliseconds."""
    call_recording_max_buffer_bytes: int = 8_000_000
    """Most bytes that are buffered for each track."""
    call_recording_sample_rate: int = 48_000
    call_recording_tracks: tuple[RecordedTrack, ...] = field(default=("local", "remote"), converter=_tracks)
    call_recording_endpoint: str = "/call_recording"
    """A path on the signalling host."""

    debug: bool = False
    debug_output: DebugOutput | None = None
    """``None``: to the socket."""
    debug_dir: str | None = None
    """Where debug files go; ``None``: the working directory. The JS SDK has no such option."""

    media_permissions_recovery: MediaPermissionsRecovery = field(factory=MediaPermissionsRecovery, converter=_recovery)

    def __attrs_post_init__(self) -> None:
        _CHECK.types(self)
        _CHECK.range("rtc_port", self.rtc_port, 1, 65535)
        _CHECK.range("max_reconnect_attempts", self.max_reconnect_attempts, 0)
        _CHECK.range("call_recording_max_buffer_bytes", self.call_recording_max_buffer_bytes, 100_000, 1 << 30)
        _CHECK.range("call_recording_sample_rate", self.call_recording_sample_rate, 8_000, 48_000)
        if not self.call_recording_endpoint.startswith("/"):
            raise _CHECK.refuse("call_recording_endpoint", "must be a path that begins with /")
        if self.debug_output not in (None, "socket", "file"):
            raise _CHECK.refuse("debug_output", "must be 'socket' or 'file'")
        if self.debug_log_level not in ("debug", "info", "warn", "error"):
            raise _CHECK.refuse("debug_log_level", "must be 'debug', 'info', 'warn' or 'error'")
        _CHECK.range("debug_log_max_entries", self.debug_log_max_entries, 1, 100_000)
        if self.region and not is_region(self.region):
            raise _CHECK.refuse("region", "must be usable as a part of a host name")
        for name, address in (("env", self.env), ("host", self.host)):
            try:
                if address:
                    parse_address(address)
            except ValueError as error:
                raise _CHECK.refuse(name, f"is no address of a WebSocket server: {error}") from None
        self._check_login()

    def _check_login(self) -> None:
        """The documents allow exactly one authentication method."""
        given = [
            name
            for name, member in (
                ("login_token", self.login_token),
                ("login and password", self.login or self.password),
                ("anonymous_login", self.anonymous_login),
            )
            if member is not None
        ]
        if not given:
            raise OptionsError("give one login method: login_token, or login and password, or anonymous_login")
        if len(given) > 1:
            raise OptionsError(f"choose one login method; these were given: {', '.join(given)}")
        if self.login_token is None and self.anonymous_login is None and (self.login is None or self.password is None):
            missing = "login" if self.login is None else "password"
            raise OptionsError(f"login and password belong together; {missing} is missing")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> "ClientOptions":
        """Build from the documented names (``callReportInterval``) or from the keywords (``call_report_interval``).

        Documented names take times in milliseconds; keywords take seconds, and so does the ``timeout``
        inside ``media_permissions_recovery``. ``passwd`` is ``password``. ``None`` means not given. Raises
        `OptionsError` for an unknown name, suggesting the nearest, and for two spellings that disagree. The mapping is
        only read.
        """
        return build(cls, _CHECK.keywords(mapping, _NAMES))

    def with_credentials(self, credentials: Mapping[str, object]) -> "ClientOptions":
        """These options with other credentials, as `Session.login` takes them.

        Each given member replaces its predecessor; members of the other login methods are removed. An empty mapping
        means the same credentials again. Raises `InvalidCredentials` (46002) if what results is no usable set.
        """
        try:
            given = _CHECK.keywords(credentials, _CREDENTIAL_NAMES)
            methods = {_METHOD_OF[keyword] for keyword in given if keyword in _METHOD_OF}
            kept = {
                keyword: None if methods and method not in methods else getattr(self, keyword)
                for keyword, method in _METHOD_OF.items()
            }
            changed = {**kept, "user_variables": self.user_variables, **given}
            return build(partial(evolve, self), changed)
        except OptionsError as error:
            raise InvalidCredentials(str(error)) from None

    def same_credentials(self, other: "ClientOptions") -> bool:
        """Whether both log in as the same user by the same method; user variables do not count."""
        return all(getattr(self, keyword) == getattr(other, keyword) for keyword in _METHOD_OF)


_NAMES: Final[Mapping[str, Name]] = {
    **both_spellings(dict.fromkeys(fields_dict(ClientOptions), as_given)),
    "passwd": Name("password"),
    "callReportInterval": Name("call_report_interval", milliseconds),
    "callReportFlushInterval": Name("call_report_flush_interval", milliseconds),
    "reconnectSpread": Name("reconnect_spread", milliseconds),
    "reattachWait": Name("reattach_wait", milliseconds),
    "callRecordingFlushInterval": Name("call_recording_flush_interval", milliseconds),
    "callRecordingFlushIntervalMs": Name("call_recording_flush_interval", milliseconds),
    "mediaPermissionsRecovery": Name("media_permissions_recovery", _recovery_in_ms),
}
_CREDENTIAL_NAMES: Final[Mapping[str, Name]] = {
    name: _NAMES[name] for name in (*_METHOD_OF, "passwd", "userVariables", "user_variables")
}
