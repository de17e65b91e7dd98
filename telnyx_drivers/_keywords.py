"""The options as keyword arguments, for editors and type checkers (PEP 692).

Meanings, defaults and units stand in `telnyx_core.options`; a test holds the two lists together.
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict
from uuid import UUID

from telnyx_core._wire.json_types import Json
from telnyx_core.options import (
    AnonymousLogin,
    Codec,
    CustomHeader,
    DebugLogLevel,
    DebugOutput,
    IceServer,
    MediaPermissionsRecovery,
    RecordedTrack,
)


class LoginKeywords(TypedDict, total=False):
    login_token: str | None
    login: str | None
    password: str | None
    anonymous_login: AnonymousLogin | Mapping[str, object] | None
    user_variables: Mapping[str, Json]


class ClientKeywords(LoginKeywords, total=False):
    push_when_active: bool | None
    early_sdp_answer: bool
    env: str | None
    host: str | None
    region: str | None
    keep_connection_alive_on_socket_close: bool
    skip_last_voice_sdk_id: bool
    skip_trailing: bool
    rtc_ip: str | None
    rtc_port: int | None
    use_canary_rtc_server: bool
    auto_reconnect: bool
    max_reconnect_attempts: int
    reconnect_spread: float
    reattach_wait: float
    hangup_on_before_unload: bool
    ice_servers: Iterable[IceServer | Mapping[str, object]] | None
    prefetch_ice_candidates: bool
    force_relay_candidate: bool
    trickle_ice: bool
    muted_mic_on_start: bool
    ringtone_file: str | None
    ringback_file: str | None
    enable_call_reports: bool
    call_report_interval: float
    call_report_flush_interval: float
    debug_log_level: DebugLogLevel
    debug_log_max_entries: int
    enable_call_recording: bool
    call_recording_flush_interval: float
    call_recording_max_buffer_bytes: int
    call_recording_sample_rate: int
    call_recording_tracks: Iterable[RecordedTrack]
    call_recording_endpoint: str
    debug: bool
    debug_output: DebugOutput | None
    debug_dir: str | None
    media_permissions_recovery: MediaPermissionsRecovery | Mapping[str, object]


class CallKeywords(TypedDict, total=False):
    """``destination_number`` is the positional argument of ``new_call``."""

    caller_number: str
    caller_name: str
    remote_caller_name: str
    remote_caller_number: str
    id: str | int | UUID | None
    custom_headers: Iterable[CustomHeader | Mapping[str, str]]
    client_state: str | None
    user_variables: Mapping[str, Json] | None
    audio: bool | Mapping[str, Json]
    receive_only_audio: bool
    mic_id: str | None
    speaker_id: str | None
    ice_servers: Iterable[IceServer | Mapping[str, object]] | None
    prefetch_ice_candidates: bool | None
    force_relay_candidate: bool | None
    trickle_ice: bool | None
    muted_mic_on_start: bool | None
    ringtone_file: str | None
    ringback_file: str | None
    preferred_codecs: Iterable[Codec | Mapping[str, object]]
    use_stereo: bool
    max_kbps: int | None
    telnyx_call_control_id: str | None
    telnyx_session_id: str | None
    telnyx_leg_id: str | None
    recover: bool
    setup_timeout: float | None
