"""The names that the three public modules export beside their client: what an application holds, catches or hears.

Those that need numpy are loaded at first use, so that a client without media stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from telnyx_core import events
from telnyx_core._signalling.speed import SpeedTestResult
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import (
    Busy,
    InvalidCallParameters,
    InvalidCallState,
    InvalidCredentials,
    LocalProtocolError,
    NotConnected,
    NotReady,
    OptionsError,
    ProtocolError,
    TelnyxError,
    TelnyxWarning,
)
from telnyx_core.options import AnonymousLogin, Codec, CustomHeader, IceServer, MediaPermissionsRecovery, Region
from telnyx_core.states import CallState, SessionState
from telnyx_core.stats.call_stats import CallStats
from telnyx_core.stats.latency import Latency
from telnyx_core.stats.timings import EstablishmentTimings
from telnyx_drivers._audio.audio_devices import AudioDevice, Sink
from telnyx_drivers._exceptions import (
    AccountFailed,
    CallEnded,
    CallFailed,
    ConnectionFailed,
    DriverFailed,
    EventsOverrun,
    LoginFailed,
    MediaUnavailable,
    TelnyxClientError,
    TokenProviderFailed,
    UnplayableAudio,
)
from telnyx_drivers._recovery import (
    MediaRecoveryError,
    MediaRecoveryFailed,
    is_media_recovery_error_event,
    isMediaRecoveryErrorEvent,
)
from telnyx_drivers._services.store import FileStore, MemoryStore, Store
from telnyx_drivers._services.telnyx_api import TelnyxTokenProvider

__all__: list[str] = [
    "AccountFailed",
    "AnonymousLogin",
    "AudioDevice",
    "Busy",
    "CallEnded",
    "CallFailed",
    "CallState",
    "CallStats",
    "Codec",
    "ConnectionFailed",
    "CustomHeader",
    "DriverFailed",
    "ErrorCode",
    "EstablishmentTimings",
    "EventsOverrun",
    "FileStore",
    "IceServer",
    "InvalidCallParameters",
    "InvalidCallState",
    "InvalidCredentials",
    "Latency",
    "LocalProtocolError",
    "LoginFailed",
    "MediaPermissionsRecovery",
    "MediaRecoveryError",
    "MediaRecoveryFailed",
    "MediaUnavailable",
    "MemoryStore",
    "NotConnected",
    "NotReady",
    "OptionsError",
    "ProtocolError",
    "Region",
    "SessionState",
    "Sink",
    "SpeedTestResult",
    "Store",
    "TelnyxClientError",
    "TelnyxError",
    "TelnyxTokenProvider",
    "TelnyxWarning",
    "TokenProviderFailed",
    "UnplayableAudio",
    "WarningCode",
    "events",
    "isMediaRecoveryErrorEvent",
    "is_media_recovery_error_event",
]

if TYPE_CHECKING:
    from telnyx_drivers._audio.audio_input import AudioInput
    from telnyx_drivers._audio.chunks import ChunkDecoder
    from telnyx_drivers._audio.devices import loudspeaker, microphone, speaker
    from telnyx_drivers._audio.frames import AudioFrame
    from telnyx_drivers._audio.heard import Heard
    from telnyx_drivers._audio.player import Playback
    from telnyx_drivers._audio.readers import AudioIn
    from telnyx_drivers._audio.recorder import Recording
    from telnyx_drivers._audio.rtp.libopus import OpusSettings
    from telnyx_drivers._audio.rtp.pcap import Capture
    from telnyx_drivers._audio.sense import Sense, Sensed
    from telnyx_drivers._audio.source_registry import Source
    from telnyx_drivers._audio.tones import Noise, Tone
    from telnyx_drivers._audio.turns import Turn, Turns
    from telnyx_drivers._audio.writer import AudioOut
    from telnyx_drivers._conference import Bridge, Conference, bridge
    from telnyx_drivers._webrtc.engine import engine_with

    __all__ += [
        "AudioFrame",
        "AudioIn",
        "AudioInput",
        "AudioOut",
        "Bridge",
        "Capture",
        "ChunkDecoder",
        "Conference",
        "Heard",
        "Noise",
        "OpusSettings",
        "Playback",
        "Recording",
        "Sense",
        "Sensed",
        "Source",
        "Tone",
        "Turn",
        "Turns",
        "bridge",
        "engine_with",
        "loudspeaker",
        "microphone",
        "speaker",
    ]

_WITH_NUMPY: Final = {
    "AudioFrame": "telnyx_drivers._audio.frames",
    "AudioIn": "telnyx_drivers._audio.readers",
    "AudioInput": "telnyx_drivers._audio.audio_input",
    "AudioOut": "telnyx_drivers._audio.writer",
    "Bridge": "telnyx_drivers._conference",
    "Capture": "telnyx_drivers._audio.rtp.pcap",
    "ChunkDecoder": "telnyx_drivers._audio.chunks",
    "Conference": "telnyx_drivers._conference",
    "Heard": "telnyx_drivers._audio.heard",
    "Noise": "telnyx_drivers._audio.tones",
    "OpusSettings": "telnyx_drivers._audio.rtp.libopus",
    "Playback": "telnyx_drivers._audio.player",
    "Recording": "telnyx_drivers._audio.recorder",
    "Sense": "telnyx_drivers._audio.sense",
    "Sensed": "telnyx_drivers._audio.sense",
    "Source": "telnyx_drivers._audio.source_registry",
    "Tone": "telnyx_drivers._audio.tones",
    "Turn": "telnyx_drivers._audio.turns",
    "Turns": "telnyx_drivers._audio.turns",
    "bridge": "telnyx_drivers._conference",
    "engine_with": "telnyx_drivers._webrtc.engine",
    "loudspeaker": "telnyx_drivers._audio.devices",
    "microphone": "telnyx_drivers._audio.devices",
    "speaker": "telnyx_drivers._audio.devices",
}


def __getattr__(name: str) -> object:
    try:
        module = import_module(_WITH_NUMPY[name])
    except KeyError:
        raise AttributeError(f"{__name__} has no {name}") from None
    except ModuleNotFoundError as error:
        raise MediaUnavailable.without(error) from None
    return getattr(module, name)
