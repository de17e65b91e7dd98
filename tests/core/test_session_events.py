"""Errors, warnings and events as the application hears them: signaling.md 6 and 7."""

import attrs
import pytest

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import Notify
from telnyx_core.catalogue import ErrorCode, WarningCode, make_error, make_warning
from telnyx_core.events import (
    EVENT_NAMES,
    CallUpdated,
    CloseReason,
    ErrorRaised,
    Event,
    FrameIgnored,
    Ready,
    SessionClosed,
    SocketClose,
    SocketError,
    SocketMessage,
    SocketOpen,
    WarningRaised,
)
from telnyx_core.facts import SocketRefused
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import REMOTE_SDP, Rig

S = SessionState


def order(rig: Rig, *kinds: type[Event]) -> list[type[Event]]:
    return [type(event) for event in rig.events if isinstance(event, kinds)]


def test_an_error_stands_on_its_event() -> None:
    """SIG-351, CALL-601: the seed's example reads ``error.code`` from the event itself."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hold(call)
    rig.reply("modify", error=(-32002, "CALL DOES NOT EXIST"))
    (event,) = rig.heard_of(ErrorRaised)
    error = event.error
    assert (event.code, event.name, event.message, event.fatal) == (error.code, error.name, error.message, error.fatal)
    assert (event.code, event.name, event.fatal, event.call, event.session_id) == (
        44001,
        "HOLD_FAILED",
        False,
        call,
        "session-1",
    )
    assert error.original is not None
    assert (error.original.code, error.original.text) == (-32002, "CALL DOES NOT EXIST")
    assert error.description
    assert error.causes
    assert error.solutions


def test_a_warning_stands_on_its_event() -> None:
    """SIG-376, section 6.3."""
    rig = Rig.registered()
    rig.request("ping")
    rig.advance(10)
    (event,) = rig.heard_of(WarningRaised)
    warning = event.warning
    assert (event.code, event.name, event.message) == (warning.code, warning.name, warning.message)
    assert (event.code, event.name, event.session_id, event.call) == (
        36003,
        "SIGNALING_RECOVERY_REQUIRED",
        "session-1",
        None,
    )
    assert event.details == {"reason": "telnyx_rtc.ping was not answered", "source": "request"}


FATAL = {
    40001, 40002, 40003, 40004, 40005, 42001, 42002, 42003, 44002, 44005, 45001, 45003, 46001, 46002, 48501, 49001,
}  # fmt: skip


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: str(int(code)))
def test_what_is_fatal(code: ErrorCode) -> None:
    """SIG-352, SIG-360 to SIG-368, SIG-512, SIG-513."""
    assert make_error(code).fatal is (int(code) in FATAL)


@pytest.mark.parametrize("code", WarningCode, ids=lambda code: str(int(code)))
def test_no_warning_that_was_removed_comes_back(code: WarningCode) -> None:
    """SIG-377."""
    assert int(code) not in (35001, 36001, 36002)
    assert make_warning(code).name == code.name


def raised(rig: Rig) -> dict[int, bool]:
    return {event.code: event.fatal for event in rig.heard_of(ErrorRaised)}


def test_every_error_of_signalling_is_raised_by_something() -> None:
    """SIG-363, SIG-364, SIG-366, SIG-367: one story for each code, with its fatality."""
    seen: dict[int, bool] = {}

    rig = Rig()
    rig.ask_to_connect()
    rig.tell(SocketRefused(rig.socket, "bad URL"))
    seen |= raised(rig)

    rig = Rig(maxReconnectAttempts=1, r=0.5)
    rig.ask_to_connect()
    rig.lose(error="refused")
    rig.wait_for(S.CONNECTING)
    rig.lose(error="refused")
    seen |= raised(rig)

    rig = Rig.registered(reattachWait=0)
    call = rig.outbound("active")
    rig.network("offline")
    rig.gateway("DOWN")
    rig.dtmf(call, "1")
    rig.reply("info", error=(-32000, "Authentication Required"))
    rig.login_refused()
    rig.come_back()
    seen |= raised(rig)

    assert seen == {
        45001: True,
        45002: False,
        45003: True,
        45004: False,
        46001: True,
        46003: False,
        48001: False,
        48501: True,
    }


def test_what_is_emitted_once_is_one_event() -> None:
    """SIG-354: each failure produces one."""
    rig = Rig.registered()
    call = rig.outbound("ringing")
    rig.clear()
    rig.request("answer", callID=call, sdp="junk")
    rig.remote_refused()
    assert rig.codes == [40004]


# Order.


def test_the_order_of_a_start() -> None:
    """SIG-425: open, login's outcome, ready; SIG-407: a frame is told before it is acted on."""
    rig = Rig()
    rig.ready()
    assert order(rig, SocketOpen, SocketMessage, Ready) == [SocketOpen, SocketMessage, SocketMessage, Ready]


def test_the_order_of_a_start_with_a_lost_call() -> None:
    """SIG-425: 48501 comes before ready."""
    rig = Rig.registered(reattachWait=0)
    rig.outbound("active")
    rig.lose()
    rig.clear()
    rig.ready()
    assert order(rig, SocketOpen, ErrorRaised, Ready) == [SocketOpen, ErrorRaised, Ready]


@pytest.mark.parametrize("error", ["", "reset"])
@pytest.mark.parametrize("final", ["retry", "exhausted", "off"])
def test_the_order_of_a_loss(final: str, error: str) -> None:
    """SIG-424: (45002, socket error), socket close, then 36005 or 45003."""
    rig = Rig.registered(autoReconnect=final != "off", maxReconnectAttempts=1, r=0.5)
    if final == "exhausted":
        rig.lose()
        rig.wait_for(S.CONNECTING)
    rig.clear()
    rig.lose(error=error)
    expected: list[type[Event]] = [ErrorRaised, SocketError] if error else []
    expected.append(SocketClose)
    expected += {"retry": [], "exhausted": [ErrorRaised, SessionClosed], "off": [WarningRaised, SessionClosed]}[final]
    assert order(rig, ErrorRaised, SocketError, SocketClose, WarningRaised, SessionClosed) == expected


def test_a_socket_is_told_of_once() -> None:
    """SIG-405: each loss or completed close, once per socket, with its own number."""
    rig = Rig(r=0.5)
    for _ in range(3):
        rig.ask_to_connect()
        rig.open()
        rig.lose(1001, "bye", clean=True)
        rig.wait_for(S.CONNECTING)
        rig.disconnect()
    assert [event.socket for event in rig.heard_of(SocketOpen)] == [1, 3, 5]
    assert rig.heard_of(SocketClose) == [
        SocketClose(event.socket, 1001, "bye", True) for event in rig.heard_of(SocketOpen)
    ]


@pytest.mark.parametrize(
    ("method", "told"),
    [("ping", False), ("gatewayState", True), ("info", False)],
)
def test_which_frames_are_told_as_they_are(method: str, told: bool) -> None:
    """SIG-407: what no request of ours was waiting for, and every gateway state."""
    rig = Rig.registered()
    call = rig.outbound("active")
    if method == "ping":
        rig.request("ping")
    elif method == "info":
        rig.dtmf(call, "1")
    else:
        rig.is_registered()
    rig.clear()
    rig.reply(method, {"params": {"state": "REGED"}})
    assert bool(rig.heard_of(SocketMessage)) is told


@pytest.mark.parametrize("method", ["ping", "info", "event", "nonsense", "invite", "punt"])
def test_requests_of_the_server_are_told_as_they_are(method: str) -> None:
    """SIG-407, SIG-102: unknown members and all."""
    rig = Rig.registered()
    frame: JsonObject = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": f"telnyx_rtc.{method}",
        "params": {"x": [1]},
        "more": True,
    }
    rig.say(frame)
    assert rig.events[0] == SocketMessage(frame)


def test_a_session_says_once_that_it_has_come_to_rest() -> None:
    """The last word of every story, whatever its reason."""
    stories = {
        CloseReason.DISCONNECTED: ("disconnect", {}),
        CloseReason.PUNTED: ("punt", {}),
        CloseReason.LOST: ("lose", {"autoReconnect": False}),
        CloseReason.EXHAUSTED: ("gateway", {"autoReconnect": False}),
    }
    for reason, (how, options) in stories.items():
        rig = Rig.registered(**options)
        match how:
            case "disconnect":
                rig.disconnect()
                rig.lose(1000)
            case "punt":
                rig.request("punt")
                rig.lose(1000)
            case "gateway":
                rig.gateway("DOWN")
                rig.lose(1000)
            case _:
                rig.lose()
        assert rig.heard_of(SessionClosed) == [SessionClosed(reason)]
        assert rig.events[-1] == SessionClosed(reason)
        assert rig.at_rest
        rig.advance(600)
        assert len(rig.heard_of(SessionClosed)) == 1


# Names.


def test_every_event_has_the_name_that_the_documents_give_it() -> None:
    """SIG-400 to SIG-412, architecture promise 8."""
    assert {EVENT_NAMES[kind] for kind in (Ready, ErrorRaised, WarningRaised, CallUpdated)} == {
        "telnyx.ready",
        "telnyx.error",
        "telnyx.warning",
        "telnyx.notification",
    }
    assert EVENT_NAMES[SocketOpen] == "telnyx.socket.open"
    assert EVENT_NAMES[SocketClose] == "telnyx.socket.close"
    assert EVENT_NAMES[SocketError] == "telnyx.socket.error"
    assert EVENT_NAMES[SocketMessage] == "telnyx.socket.message"


def test_events_are_values() -> None:
    """Whoever keeps one keeps what happened."""
    rig = Rig.registered()
    call = rig.outbound("active")
    kept = rig.heard_of(CallUpdated)[0]
    rig.hangup(call)
    assert kept.call.state.value == "new"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kept.call = kept.call


def test_no_event_shows_a_description_or_a_token_by_accident() -> None:
    """Promise 6: not in the repr of an action, an event or a fact."""
    rig = Rig(login_token="the.secret.token")
    rig.ready()
    call = rig.outbound("held")
    rig.peer("failed")
    rig.come_back(call)
    rig.attach(call)
    rig.describe_answer(call)
    said = repr(rig.actions) + repr(rig.session.options) + repr(rig.info(call))
    for secret in ("the.secret.token", "VSDK-1", "ice-pwd", "herehere", REMOTE_SDP[:20]):
        assert secret not in said


def test_a_frame_that_is_ignored_is_not_quoted() -> None:
    rig = Rig.registered()
    rig.say("password=hunter2")
    rig.request("unknownMethod", password="hunter2")
    assert "hunter2" not in repr(rig.heard_of(FrameIgnored))
    assert len(rig.heard_of(FrameIgnored)) == 2


def test_every_notify_carries_an_event_that_has_a_name() -> None:
    rig = Rig.registered()
    rig.outbound("held")
    rig.come_back()
    assert all(type(action.event) in EVENT_NAMES for action in rig.actions if isinstance(action, Notify))
