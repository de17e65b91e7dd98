"""The pure core of a Telnyx WebRTC client: options, commands and facts in, actions out, time as an argument.

Start with `Session`; `telnyx_core.gateway` is its opposite number, `telnyx_core.testing` plays both on a virtual clock.
"""

from telnyx_core import actions, events, facts
from telnyx_core._signalling.speed import SpeedTestResult
from telnyx_core._time.timers import Timer, TimerKey
from telnyx_core._version import VERSION
from telnyx_core.actions import Action, Done, Failed, Outcome
from telnyx_core.catalogue import ErrorCode, WarningCode
from telnyx_core.errors import (
    Busy,
    Failure,
    FailureKind,
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
from telnyx_core.events import EVENT_NAMES, CallInfo, Cause, CloseReason, Event
from telnyx_core.facts import Fact
from telnyx_core.ids import CallId, MediaId, SocketId, Ticket, UploadId
from telnyx_core.options import (
    AnonymousLogin,
    CallOptions,
    ClientOptions,
    Codec,
    CustomHeader,
    IceServer,
    MediaPermissionsRecovery,
)
from telnyx_core.session import Session
from telnyx_core.states import CallState, SessionState

__all__ = [
    "EVENT_NAMES",
    "VERSION",
    "Action",
    "AnonymousLogin",
    "Busy",
    "CallId",
    "CallInfo",
    "CallOptions",
    "CallState",
    "Cause",
    "ClientOptions",
    "CloseReason",
    "Codec",
    "CustomHeader",
    "Done",
    "ErrorCode",
    "Event",
    "Fact",
    "Failed",
    "Failure",
    "FailureKind",
    "IceServer",
    "InvalidCallParameters",
    "InvalidCallState",
    "InvalidCredentials",
    "LocalProtocolError",
    "MediaId",
    "MediaPermissionsRecovery",
    "NotConnected",
    "NotReady",
    "OptionsError",
    "Outcome",
    "ProtocolError",
    "Session",
    "SessionState",
    "SocketId",
    "SpeedTestResult",
    "TelnyxError",
    "TelnyxWarning",
    "Ticket",
    "Timer",
    "TimerKey",
    "UploadId",
    "WarningCode",
    "actions",
    "events",
    "facts",
]
