"""What is public: the names of each door, and that behind the doors everything is private by its name.

A name that is added or taken away here is a decision about what users may build on.
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import FunctionType

import attrs
import pytest

import telnyx_core
import telnyx_drivers
import telnyx_rtc

CORE_MODULES = {"actions", "catalogue", "errors", "events", "facts", "ids", "options", "session", "states"}
CORE_ROOMS = {"fleet", "gateway", "ice", "journal", "stats", "testing"}
DRIVER_DOORS = {"fleet", "asyncio", "trio", "sync", "gateway", "adapters", "diagnose", "telemetry", "testing"}

CORE = """
    Action AnonymousLogin Busy CallId CallInfo CallOptions CallState Cause ClientOptions CloseReason Codec
    CustomHeader Done EVENT_NAMES ErrorCode Event Fact Failed Failure FailureKind IceServer InvalidCallParameters
    InvalidCallState InvalidCredentials LocalProtocolError MediaId MediaPermissionsRecovery NotConnected NotReady
    OptionsError Outcome ProtocolError Session SessionState SocketId SpeedTestResult TelnyxError TelnyxWarning Ticket
    Timer TimerKey UploadId VERSION WarningCode actions events facts
"""
APPLICATION = """
    AccountFailed AnonymousLogin AudioDevice Busy CallEnded CallFailed CallState CallStats Codec ConnectionFailed
    CustomHeader DriverFailed ErrorCode EstablishmentTimings EventsOverrun FileStore IceServer InvalidCallParameters
    InvalidCallState InvalidCredentials Latency LocalProtocolError LoginFailed MediaPermissionsRecovery
    MediaRecoveryError MediaRecoveryFailed MediaUnavailable MemoryStore NotConnected NotReady OptionsError ProtocolError
    Region SessionState Sink SpeedTestResult Store
    TelnyxClientError TelnyxError TelnyxTokenProvider TelnyxWarning TokenProviderFailed UnplayableAudio WarningCode
    events
    isMediaRecoveryErrorEvent is_media_recovery_error_event
"""
WITH_NUMPY = """
    AudioFrame AudioIn AudioInput AudioOut Bridge Capture ChunkDecoder Conference Heard Noise OpusSettings Playback
    Recording Sense Sensed Source Tone Turn Turns bridge engine_with loudspeaker microphone speaker
"""
ASYNC = "CallHandle CallNotification LiveCall TelnyxRTC"
BLOCKING = "Call CallNotification LiveCall TelnyxRTC"


FLEET = """
    CallRecord Fleet FleetCall FleetClosed FleetFull FleetStore LocalStore Outcome Stage this_call
"""
ICE = """
    Action Address Agent Candidate CandidateError CandidateGathered CandidateType CloseStream Credentials DataReceived
    Dropped GatheringFinished IceError IceState OpenStream PairSelected RestartFailed ServerFailed StateChanged
    StunServer Timing Transmit TransmitStream TurnServer in_server_order
"""


KIT = """
    Artifacts BargeIn Bot Caller Calling Conversation HangUp Listen Lose Pause Press Say Step VirtualCaller
"""

TELEMETRY = """
    Alarm Alarms INSTRUMENTS Instrument Meter OpenTelemetryMeter OpenTelemetryTracer PrometheusMeter Tracer Webhook
    observe observe_gateway verify
"""


def names(*groups: str) -> set[str]:
    return {name for group in groups for name in group.split()}


def test_the_door_of_the_core() -> None:
    assert set(telnyx_core.__all__) == names(CORE)


def test_the_door_of_the_ice_agent() -> None:
    """Its modules are open too, as those of the other rooms; these names stay."""
    assert set(importlib.import_module("telnyx_core.ice").__all__) == names(ICE)


@pytest.mark.parametrize(("module", "group"), [("testing", KIT), ("telemetry", TELEMETRY)])
def test_the_doors_of_the_kits(module: str, group: str) -> None:
    assert set(importlib.import_module(f"telnyx_drivers.{module}").__all__) == names(group)


def test_the_doors_of_a_fleet() -> None:
    assert set(importlib.import_module("telnyx_drivers.fleet").__all__) == names(FLEET)
    parties = "CallRecord Head Ledger Outcome Reply Request Stage Worker"
    assert set(importlib.import_module("telnyx_core.fleet").__all__) == names(parties)


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


DIRECTIVE = re.compile(r"^\.\. (currentmodule|autoclass|autoexception|autofunction):: (\S+)\n((?:   :.*\n)*)", re.M)
API = Path(__file__).parents[1] / "docs/reference/api"


def of_the_pages() -> dict[str, tuple[object, str]]:
    """Each name that the pages of the API show, with what it is and the options of its directive."""
    found: dict[str, tuple[object, str]] = {}
    for page in API.glob("*.md"):
        module = None
        for directive, name, options in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if directive == "currentmodule":
                module = importlib.import_module(name)
            else:
                found[name] = (getattr(module, name), options)
    return found


def test_the_pages_show_every_name_that_an_application_imports() -> None:
    codes = {"ErrorCode", "WarningCode", "Region", "events", "isMediaRecoveryErrorEvent"}  # on pages of their own
    assert names(APPLICATION, WITH_NUMPY, ASYNC) - codes - of_the_pages().keys() == set()


@pytest.mark.parametrize("name", sorted(of_the_pages()))
def test_what_the_pages_show_says_what_it_is(name: str) -> None:
    """Everything public of it has a docstring: a member without is not shown at all."""
    thing, options = of_the_pages()[name]
    assert inspect.getdoc(thing)
    shown = {kind: set(re.findall(r"\w+", text)) for kind, text in re.findall(r":([\w-]+):(.*)", options)}
    if "members" not in shown or not isinstance(thing, type):
        return
    members = shown["members"] or {member for member in dir(thing) if not member.startswith("_")}
    source = inspect.getsource(thing)
    fields = set(re.findall(r"^    ([a-z]\w*): .+$", source, re.M)) if attrs.has(thing) else set()
    mute = {
        member
        for member in members - shown.get("exclude-members", set())
        if (member in fields and not re.search(rf'^    {member}: .*\n    """', source, re.M))
        or (isinstance(vars(thing).get(member), property | FunctionType) and not getattr(thing, member).__doc__)
    }
    assert not mute
