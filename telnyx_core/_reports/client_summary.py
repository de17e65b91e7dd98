"""What a call report says of the client that made the call (STATS-231 to STATS-236): settings, never credentials."""

from math import isfinite
from typing import Final

from telnyx_core._options.values import IceServer
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core._wire.redaction import is_secret_name
from telnyx_core.options import CallOptions, ClientOptions

_DEPTH: Final = 4


def sanitised(value: Json, depth: int = _DEPTH) -> Json:
    """A copy without secrets, deep nesting or non-finite numbers: the application may give any JSON (STATS-235)."""
    match value:
        case dict():
            if depth == 0:
                return "[truncated]"
            return {
                name: sanitised(item, depth - 1)
                for name, item in value.items()
                if not is_secret_name(name) and "auth" not in name.lower() and not _endless(item)
            }
        case list():
            if depth == 0:
                return "[truncated]"
            return [sanitised(item, depth - 1) for item in value if not _endless(item)]
        case _:
            return value


def client_summary(
    client: ClientOptions, call: CallOptions, host: str, region: str | None, dc: str | None
) -> JsonObject:
    """``host`` is the signalling server's, ``region`` and ``dc`` as the server told them."""
    return {
        "authentication": _authentication(client),
        "connection": _present(
            env=client.env if client.env in ("production", "development") else None,
            host=host,
            region=region or client.region,
            dc=dc,
            rtcIp=client.rtc_ip,
            rtcPort=client.rtc_port,
            autoReconnect=client.auto_reconnect,
            maxReconnectAttempts=client.max_reconnect_attempts,
            keepConnectionAliveOnSocketClose=client.keep_connection_alive_on_socket_close,
            hangupOnBeforeUnload=client.hangup_on_before_unload,
            useCanaryRtcServer=client.use_canary_rtc_server,
            skipLastVoiceSdkId=client.skip_last_voice_sdk_id,
            skipTrailing=client.skip_trailing,
        ),
        "media": {
            "audio": call.audio if isinstance(call.audio, bool) else sanitised(dict(call.audio)),
            "video": False,
            "mutedMicOnStart": _either(call.muted_mic_on_start, client.muted_mic_on_start),
            "prefetchIceCandidates": _either(call.prefetch_ice_candidates, client.prefetch_ice_candidates),
            "forceRelayCandidate": _either(call.force_relay_candidate, client.force_relay_candidate),
            "trickleIce": _either(call.trickle_ice, client.trickle_ice),
            "iceServers": [_server(server) for server in call.ice_servers or client.ice_servers or ()],
        },
        "callReports": {
            "enabled": client.enable_call_reports,
            "intervalMs": round(client.call_report_interval * 1000),
            "flushIntervalMs": round(client.call_report_flush_interval * 1000),
            "debugLogLevel": client.debug_log_level,
            "debugLogMaxEntries": client.debug_log_max_entries,
        },
    }


def _authentication(client: ClientOptions) -> JsonObject:
    target = client.anonymous_login
    if target is None:
        return {"type": "login_token" if client.login_token is not None else "login_password"}
    return {
        "type": "anonymous_login",
        "anonymousLogin": _present(
            targetType=target.target_type,
            targetId=target.target_id,
            targetVersionId=target.target_version_id,
            targetParams=None if target.target_params is None else sanitised(dict(target.target_params)),
        ),
    }


def _server(server: IceServer) -> JsonObject:
    return {
        "urls": list(server.urls),
        "hasUsername": server.username is not None,
        "hasCredential": server.credential is not None,
    }


def _either(call: bool | None, client: bool) -> bool:
    return client if call is None else call


def _present(**members: Json) -> JsonObject:
    return {name: value for name, value in members.items() if value is not None}


def _endless(value: Json) -> bool:
    return isinstance(value, float) and not isfinite(value)
