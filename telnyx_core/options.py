"""Client and call options: validated when built, never changed afterwards (signaling.md 0.3, calls.md section 2)."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from telnyx_core.json_types import Json

DebugOutput: TypeAlias = Literal["socket", "file"]


@frozen
class IceServer:
    """One ``RTCIceServer``."""

    urls: tuple[str, ...]
    username: str | None = field(default=None, repr=False)
    credential: str | None = field(default=None, repr=False)


@frozen
class CustomHeader:
    """One SIP header sent with a call, normally ``X-...``."""

    name: str
    value: str


@frozen
class Codec:
    """One entry of ``preferred_codecs`` (MEDIA-040)."""

    mime_type: str
    clock_rate: int
    channels: int | None = None
    sdp_fmtp_line: str | None = None


@frozen
class AnonymousLogin:
    target_id: str
    target_type: str = "ai_assistant"
    target_version_id: str | None = None
    target_params: Mapping[str, Json] | None = None


@frozen
class MediaPermissionsRecovery:
    enabled: bool = False
    timeout: float = 20.0
    """Seconds; the seed's mapping gives milliseconds."""
    on_success: Callable[[], object] | None = field(default=None, repr=False, eq=False)
    on_error: Callable[[Exception], object] | None = field(default=None, repr=False, eq=False)


@frozen(kw_only=True)
class ClientOptions:
    login_token: str | None = field(default=None, repr=False)
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    anonymous_login: AnonymousLogin | None = None
    user_variables: Mapping[str, Json] = field(factory=dict)
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
    hangup_on_before_unload: bool = True

    ice_servers: tuple[IceServer, ...] | None = None
    """``None``: the platform's list (MEDIA-021). Empty: host candidates only."""
    prefetch_ice_candidates: bool = True
    force_relay_candidate: bool = False
    trickle_ice: bool = False
    muted_mic_on_start: bool = False

    ringtone_file: str | None = None
    ringback_file: str | None = None

    enable_call_reports: bool = True
    call_report_interval: float = 5.0
    """Seconds; the seed's mapping gives milliseconds."""

    debug: bool = False
    debug_output: DebugOutput | None = None

    media_permissions_recovery: MediaPermissionsRecovery = field(factory=MediaPermissionsRecovery)


@frozen(kw_only=True)
class CallOptions:
    """What one call may say differently; ``None`` means: as the client's options say."""

    destination_number: str = ""
    caller_number: str = ""
    caller_name: str = ""
    remote_caller_name: str = "Outbound Call"
    remote_caller_number: str = ""
    id: str | None = None
    custom_headers: tuple[CustomHeader, ...] = ()
    client_state: str | None = None
    user_variables: Mapping[str, Json] | None = None
    audio: bool | Mapping[str, Json] = True
    receive_only_audio: bool = False
    mic_id: str | None = None
    ice_servers: tuple[IceServer, ...] | None = None
    prefetch_ice_candidates: bool | None = None
    force_relay_candidate: bool | None = None
    trickle_ice: bool | None = None
    muted_mic_on_start: bool | None = None
    ringtone_file: str | None = None
    ringback_file: str | None = None
    preferred_codecs: tuple[Codec, ...] = ()
    use_stereo: bool = False
    max_kbps: int | None = None
    """``mediaSettings`` with ``useSdpASBandwidthKbps``: kilobits per second, or ``None``."""
    telnyx_call_control_id: str | None = None
    telnyx_session_id: str | None = None
    telnyx_leg_id: str | None = None
    setup_timeout: float | None = None
    """Seconds from `Session.new_call` to ``active``; ``timeoutSecs`` of the documents (CALL-052)."""
