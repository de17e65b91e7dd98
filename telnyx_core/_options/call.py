"""What one call may say differently from the client's options (calls.md section 2)."""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from attrs import field, fields_dict, frozen

from telnyx_core._options.parsing import MAX_JSON_INT, Checks, Name, Reader, as_given, both_spellings, build, kind
from telnyx_core._options.values import (
    HEADERS_EXAMPLE,
    Codec,
    CustomHeader,
    IceServer,
    read_codecs,
    read_custom_headers,
    read_ice_servers,
)
from telnyx_core._time.limits import MAX_ID_CHARS
from telnyx_core._wire.json_types import Json
from telnyx_core.errors import InvalidCallParameters

_CHECK: Final = Checks(InvalidCallParameters)
_LONGEST_SETUP: Final = 3_600.0


def _id(value: str | int | UUID | None) -> str | None:
    """The call id as a string; an empty one counts as not given (CALL-025). Every frame of the call repeats it."""
    text = None if value is None or value == "" else _as_text(value)
    if text is not None and len(text) > MAX_ID_CHARS:
        raise _CHECK.refuse("id", f"must have at most {MAX_ID_CHARS} characters")
    return text


def _as_text(value: object) -> str:
    if isinstance(value, str | UUID):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_JSON_INT:
        return str(value)
    raise _CHECK.refuse("id", f"must be a string, not {kind(value)}")


def _headers(value: Iterable[CustomHeader | Mapping[str, str]]) -> tuple[CustomHeader, ...]:
    """Finished headers are taken as they are: the core builds these options too, from what the far end sent."""
    entries = _CHECK.sequence("custom_headers", value, HEADERS_EXAMPLE)
    finished = tuple(entry for entry in entries if isinstance(entry, CustomHeader))
    return finished if len(finished) == len(entries) else read_custom_headers(entries)


def _codecs(value: Iterable[Codec | Mapping[str, object]]) -> tuple[Codec, ...]:
    return read_codecs(value)


def _ice_servers(value: Iterable[IceServer | Mapping[str, object]] | None) -> tuple[IceServer, ...] | None:
    return None if value is None else read_ice_servers(value, InvalidCallParameters)


def _variables(value: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    return None if value is None else _CHECK.json_object("user_variables", value)


def _audio(value: bool | Mapping[str, Json]) -> bool | Mapping[str, Json]:
    return value if isinstance(value, bool) else _CHECK.json_object("audio", value)


def _setup_timeout(value: float | None) -> float | None:
    return None if value is None else _CHECK.seconds("setup_timeout", value, most=_LONGEST_SETUP)


@frozen(kw_only=True)
class CallOptions:
    """What one call may say differently; ``None`` means: as the client's options say.

    Raises `InvalidCallParameters` (44002) for a wrong type or range. Mappings are copied deeply.
    """

    destination_number: str = ""
    caller_number: str = ""
    caller_name: str = ""
    remote_caller_name: str = "Outbound Call"
    remote_caller_number: str = ""
    id: str | None = field(default=None, converter=_id)
    custom_headers: tuple[CustomHeader, ...] = field(default=(), converter=_headers)
    client_state: str | None = field(default=None, repr=False)
    user_variables: Mapping[str, Json] | None = field(default=None, converter=_variables, repr=False)
    audio: bool | Mapping[str, Json] = field(default=True, converter=_audio)
    receive_only_audio: bool = False
    mic_id: str | None = None
    speaker_id: str | None = None
    """The audio sink that plays the call. Only the driver uses it; it is never sent."""
    ice_servers: tuple[IceServer, ...] | None = field(default=None, converter=_ice_servers)
    prefetch_ice_candidates: bool | None = None
    force_relay_candidate: bool | None = None
    trickle_ice: bool | None = None
    muted_mic_on_start: bool | None = None
    ringtone_file: str | None = None
    ringback_file: str | None = None
    preferred_codecs: tuple[Codec, ...] = field(default=(), converter=_codecs)
    use_stereo: bool = False
    max_kbps: int | None = None
    """``mediaSettings`` with ``useSdpASBandwidthKbps``: kilobits per second, or ``None``."""
    telnyx_call_control_id: str | None = None
    telnyx_session_id: str | None = None
    telnyx_leg_id: str | None = None
    recover: bool = True
    """False: the call ends when the connection to the server is lost, on both sides, instead of being recovered."""
    setup_timeout: float | None = field(default=None, converter=_setup_timeout)
    """Seconds from `Session.new_call` to ``active``; ``timeoutSecs`` of the documents."""

    def __attrs_post_init__(self) -> None:
        _CHECK.types(self)
        _CHECK.range("max_kbps", self.max_kbps, 1)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> "CallOptions":
        """Build from the documents' spelling (``destinationNumber``, ``timeoutSecs``) or from the keywords.

        Raises `InvalidCallParameters` for an unknown name, a wrong type, or two spellings that disagree. The mapping
        is only read. Names that the documents know and that mean nothing here are passed over.
        """
        given = _CHECK.keywords(mapping, _NAMES)
        return build(cls, {keyword: value for keyword, value in given.items() if keyword in fields_dict(cls)})


def _bandwidth(value: object) -> object:
    """``mediaSettings`` (CALL-045) as `CallOptions.max_kbps`; not asked for means ``None``."""
    settings = _CHECK.mapping("mediaSettings", value)
    wanted = settings.get("useSdpASBandwidthKbps", False)
    if not isinstance(wanted, bool):
        raise InvalidCallParameters(f"mediaSettings.useSdpASBandwidthKbps must be True or False, not {kind(wanted)}")
    return settings.get("sdpASBandwidthKbps") if wanted else None


def _no_video(value: object) -> object:
    if value is not False:
        raise InvalidCallParameters("video is not supported; leave it out or give False (CALL-032)")
    return value


_MEANINGLESS: Final[Mapping[str, Reader]] = {
    # Unused in the JS SDK, or an option of the client.
    "google_max_bitrate": as_given,
    "google_min_bitrate": as_given,
    "google_start_bitrate": as_given,
    "negotiate_audio": as_given,
    "negotiate_video": as_given,
    "keep_connection_alive_on_socket_close": as_given,
    "skip_notifications": as_given,
    "debug": as_given,
    "debug_output": as_given,
    "mic_label": as_given,
    "cam_id": as_given,
    "cam_label": as_given,
    # Set by the core alone.
    "attach": as_given,
    "recovered_call_id": as_given,
    "was_held_before_recovery": as_given,
    "remote_sdp": as_given,
    "screen_share": as_given,
    # Named by the documents, known to no client.
    "retry_bucket_id": as_given,
    "session_id": as_given,
    "telnyx_call_id": as_given,
    "is_recovered": as_given,
    "video": _no_video,
}

_NAMES: Final[Mapping[str, Name]] = {
    **both_spellings({**dict.fromkeys(fields_dict(CallOptions), as_given), "custom_headers": read_custom_headers}),
    "timeout_secs": Name("setup_timeout"),
    "mediaSettings": Name("max_kbps", _bandwidth),
    "media_settings": Name("max_kbps", _bandwidth),
    **both_spellings(_MEANINGLESS),
}
