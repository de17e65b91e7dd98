"""What is public: the names of each door, and that behind the doors everything is private by its name.

A name that is added or taken away here is a decision about what users may build on.
"""

import importlib
import pkgutil

import pytest

import telnyx_core
import telnyx_drivers
import telnyx_rtc

CORE_MODULES = {"actions", "catalogue", "errors", "events", "facts", "ids", "options", "session", "states"}
CORE_ROOMS = {"gateway", "ice", "journal", "stats", "testing"}
DRIVER_DOORS = {"asyncio", "trio", "sync", "gateway", "adapters", "diagnose"}

CORE = """
    Action AnonymousLogin Busy CallId CallInfo CallOptions CallState Cause ClientOptions CloseReason Codec
    CustomHeader Done EVENT_NAMES ErrorCode Event Fact Failed Failure FailureKind IceServer InvalidCallParameters
    InvalidCallState InvalidCredentials LocalProtocolError MediaId MediaPermissionsRecovery NotConnected NotReady
    OptionsError Outcome ProtocolError Session SessionState SocketId SpeedTestResult TelnyxError TelnyxWarning Ticket
    Timer TimerKey UploadId VERSION WarningCode actions events facts
"""
APPLICATION = """
    AnonymousLogin AudioDevice Busy CallEnded CallFailed CallState Codec ConnectionFailed CustomHeader DriverFailed
    ErrorCode EventsOverrun FileStore IceServer InvalidCallParameters InvalidCallState InvalidCredentials
    LocalProtocolError LoginFailed MediaPermissionsRecovery MediaRecoveryError MediaRecoveryFailed MediaUnavailable
    MemoryStore NotConnected NotReady OptionsError ProtocolError Region SessionState Sink SpeedTestResult Store
    TelnyxClientError TelnyxError TelnyxWarning TokenProviderFailed UnplayableAudio WarningCode events
    isMediaRecoveryErrorEvent is_media_recovery_error_event
"""
WITH_NUMPY = """
    AudioFrame AudioIn AudioInput AudioOut Capture ChunkDecoder Heard Noise OpusSettings Playback Recording Sense Sensed
    Source Tone Turn Turns engine_with loudspeaker microphone speaker
"""
ASYNC = "CallHandle CallNotification LiveCall TelnyxRTC"
BLOCKING = "Call CallNotification LiveCall TelnyxRTC"


ICE = """
    Action Address Agent Candidate CandidateError CandidateGathered CandidateType CloseStream Credentials DataReceived
    GatheringFinished IceError IceState OpenStream PairSelected RestartFailed ServerFailed StateChanged StunServer
    Timing Transmit TransmitStream TurnServer in_server_order
"""


def names(*groups: str) -> set[str]:
    return {name for group in groups for name in group.split()}


def test_the_door_of_the_core() -> None:
    assert set(telnyx_core.__all__) == names(CORE)


def test_the_door_of_the_ice_agent() -> None:
    """Its modules are open too, as those of the other rooms; these names stay."""
    assert set(importlib.import_module("telnyx_core.ice").__all__) == names(ICE)


@pytest.mark.parametrize(
    ("module", "client"),
    [
        ("telnyx_drivers.asyncio", ASYNC),
        ("telnyx_drivers.trio", ASYNC),
        ("telnyx_drivers.sync", BLOCKING),
        ("telnyx_rtc", ASYNC),
    ],
)
def test_the_doors_of_an_application(module: str, client: str) -> None:
    """Each gives the same names beside its client; those that need numpy come when they are asked for."""
    door = importlib.import_module(module)
    assert set(door.__all__) == names(APPLICATION, client)
    for name in names(APPLICATION, WITH_NUMPY, client):
        assert getattr(door, name) is not None
    with pytest.raises(AttributeError, match="no Nonsense"):
        door.Nonsense  # noqa: B018  # that it cannot be had is what is looked for


def test_behind_the_doors_everything_is_private() -> None:
    core = {module.name for module in pkgutil.iter_modules(telnyx_core.__path__)}
    drivers = {module.name for module in pkgutil.iter_modules(telnyx_drivers.__path__)}
    assert {name for name in core if not name.startswith("_")} == CORE_MODULES | CORE_ROOMS
    assert {name for name in drivers if not name.startswith("_")} == DRIVER_DOORS
    assert telnyx_rtc.__all__
