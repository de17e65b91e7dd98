"""Every row of the session's transition table, T01 to T42: signaling.md 4.2."""

import pytest

from telnyx_core import Timer, TimerKey
from telnyx_core.actions import AbandonSocket, CloseSocket, Failed, Notify, OpenSocket, SendText
from telnyx_core.errors import FailureKind, NotConnected
from telnyx_core.events import CloseReason, ErrorRaised, Ready, SessionClosed, SocketClose, SocketOpen, WarningRaised
from telnyx_core.facts import SocketClosed, SocketOpened, SocketRefused
from telnyx_core.ids import SocketId
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import Rig
from tests.inside import hub_of

S = SessionState


def opened(rig: Rig) -> int:
    """How many sockets were opened since the record began."""
    return sum(isinstance(action, OpenSocket) for action in rig.actions)


def reasons(rig: Rig) -> list[object]:
    return [event.details.get("reason") for event in rig.heard_of(WarningRaised) if event.code == 36005]


def exhausted() -> Rig:
    rig = Rig(maxReconnectAttempts=1)
    rig.ask_to_connect()
    rig.lose(error="refused")
    rig.advance(2)
    rig.lose(error="refused")
    assert rig.state is S.EXHAUSTED
    rig.clear()
    return rig


def backing_off() -> Rig:
    rig = Rig.registered()
    rig.lose()
    assert rig.state is S.BACKOFF
    rig.clear()
    return rig


def rejected() -> Rig:
    """AUTH_FAILED with an open socket: the server said no."""
    rig = Rig()
    rig.connect()
    rig.login_refused()
    assert rig.state is S.AUTH_FAILED
    rig.clear()
    return rig


def polled_out() -> Rig:
    """AUTH_FAILED with an open socket after a successful login: never registered."""
    rig = Rig(r=0.0)
    rig.always("ping", {})
    rig.connect()
    rig.login_ok()
    for _ in range(5):
        rig.gateway("NOREG")
        rig.advance(2)
    assert rig.state is S.AUTH_FAILED
    rig.clear()
    return rig


def gateway_waiting(**options: object) -> Rig:
    rig = Rig.registered(**options)
    rig.gateway("FAIL_WAIT")
    assert rig.state is S.GATEWAY_WAIT
    rig.clear()
    return rig


def registering() -> Rig:
    rig = Rig()
    rig.connect()
    rig.login_ok()
    rig.clear()
    return rig


# T01 to T06: connect().


def test_t01_connect_from_idle_opens_a_socket() -> None:
    rig = Rig()
    rig.ask_to_connect()
    assert rig.actions == [OpenSocket(SocketId(1), "wss://rtc.telnyx.com/")]
    assert rig.state is S.CONNECTING
    assert rig.session.next_timeout() == 15.0
    assert rig.session.next_timeout_reason() == TimerKey(Timer.CONNECT_TIMEOUT)


def test_t01_connect_from_exhausted_begins_anew() -> None:
    """T01: attempts and gateway failures count from nothing."""
    rig = exhausted()
    rig.ask_to_connect()
    assert opened(rig) == 1
    rig.lose(error="refused")
    assert rig.state is S.BACKOFF


def test_t02_connect_during_the_back_off_replaces_its_timer() -> None:
    """SIG-535: the reference leaves the timer armed and opens a second socket later."""
    rig = backing_off()
    rig.ask_to_connect()
    assert rig.state is S.CONNECTING
    rig.advance(14)
    assert opened(rig) == 1


def test_t02_connect_during_the_back_off_keeps_the_attempts() -> None:
    rig = Rig(maxReconnectAttempts=2)
    for _ in range(2):
        rig.ask_to_connect()
        rig.lose(error="refused")
    assert rig.state is S.BACKOFF
    rig.ask_to_connect()
    rig.lose(error="refused")
    assert rig.state is S.EXHAUSTED


@pytest.mark.parametrize("state", [S.CONNECTING, S.LOGGING_IN, S.REGISTERING, S.READY, S.GATEWAY_WAIT])
def test_t03_connect_while_connected_is_a_no_op(state: SessionState) -> None:
    rig = Rig()
    rig.ask_to_connect()
    if state is not S.CONNECTING:
        rig.open()
    if state in (S.REGISTERING, S.READY, S.GATEWAY_WAIT):
        rig.login_ok()
    if state in (S.READY, S.GATEWAY_WAIT):
        rig.gateway()
    if state is S.GATEWAY_WAIT:
        rig.gateway("DOWN")
    assert rig.state is state
    rig.clear()
    rig.ask_to_connect()
    assert (rig.actions, rig.state) == ([], state)


def test_t04_connect_after_a_rejection_logs_in_on_the_open_socket() -> None:
    """The reference does nothing."""
    rig = rejected()
    rig.ask_to_connect()
    assert rig.state is S.LOGGING_IN
    assert (opened(rig), len(rig.frames("login"))) == (0, 1)


def test_t04_a_second_chance_that_is_lost_with_the_socket_is_a_loss_like_any_other() -> None:
    """The rejection belongs to the former login: this one has not been answered yet."""
    rig = rejected()
    rig.ask_to_connect()
    rig.lose()
    assert rig.state is S.BACKOFF


def test_t05_connect_after_a_rejection_without_a_socket_opens_one() -> None:
    rig = rejected()
    rig.lose()
    assert rig.state is S.AUTH_FAILED
    rig.ask_to_connect()
    assert rig.state is S.CONNECTING
    rig.open()
    rig.lose()
    assert rig.state is S.BACKOFF


@pytest.mark.parametrize("intent", ["disconnect", "recover", "fatal", "punt"])
def test_t06_connect_while_closing_waits_for_the_close_and_begins_anew(intent: str) -> None:
    rig = Rig.registered(maxReconnectAttempts=2)
    match intent:
        case "disconnect":
            rig.disconnect()
        case "recover":
            rig.request("ping")
            rig.advance(10)
        case "fatal":
            hub_of(rig.session).link.auto_reconnect = False
            rig.gateway("DOWN")
        case _:
            rig.request("punt")
    assert rig.state is S.CLOSING
    rig.clear()
    rig.ask_to_connect()
    assert (rig.actions, rig.state) == ([], S.CLOSING)
    rig.lose(1000, clean=True)
    assert rig.state is S.CONNECTING
    assert opened(rig) == 1
    for _ in range(2):
        rig.lose(error="refused")
        assert rig.state is S.BACKOFF
        rig.advance(4)
    rig.lose(error="refused")
    assert rig.state is S.EXHAUSTED


@pytest.mark.parametrize("start", ["ready", "auth failed"])
def test_t06_connect_while_the_calls_say_good_bye_waits_too(start: str) -> None:
    """`disconnect` with calls keeps its socket for a moment; whoever connects again meanwhile is not forgotten."""
    rig = Rig.registered(r=0.0)
    rig.outbound("active")
    if start == "auth failed":
        rig.always("ping", {})
        for _ in range(5):
            rig.gateway("NOREG")
            rig.advance(2)
        assert rig.state is S.AUTH_FAILED
    rig.disconnect()
    rig.ask_to_connect()
    rig.clear()
    rig.reply("bye")
    rig.lose(1000, clean=True)
    assert rig.state is S.CONNECTING
    assert [type(event) for event in rig.events][-2:] == [SocketClose, SessionClosed]


# T07, T08: the socket.


def test_t07_a_socket_that_cannot_be_created_ends_the_attempts() -> None:
    """SIG-032: 45001, fatal; nothing is scheduled."""
    rig = Rig()
    rig.ask_to_connect()
    rig.tell(SocketRefused(rig.socket, "no TLS"))
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.code, error.fatal) == (45001, True)
    assert rig.events[-1] == SessionClosed(CloseReason.REFUSED)
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)


def test_t07_the_calls_go_before_the_error() -> None:
    """SIG-311."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.advance(0)
    rig.clear()
    rig.tell(SocketRefused(rig.socket, "no TLS"))
    assert rig.states(call) == ["purge", "hangup", "destroy"]
    assert [type(event).__name__ for event in rig.events][-2:] == ["ErrorRaised", "SessionClosed"]


def test_t08_an_open_socket_is_told_watched_and_used_for_the_login() -> None:
    """SIG-201: in the same step."""
    rig = Rig()
    rig.ask_to_connect()
    rig.clear()
    rig.open()
    assert rig.state is S.LOGGING_IN
    assert [type(action) for action in rig.actions] == [Notify, SendText]
    assert rig.events == [SocketOpen(SocketId(1))]
    assert rig.session.next_timeout() == 4.0
    assert rig.session.next_timeout_reason() == TimerKey(Timer.HEALTH_CHECK)


# T09 to T12: the login.


def test_t09_a_login_that_is_accepted() -> None:
    rig = Rig()
    rig.connect()
    ticket = rig.login({})
    rig.login_ok("session-9")
    assert rig.state is S.LOGGING_IN  # the login that was asked for meanwhile
    rig.login_ok("session-9")
    assert rig.state is S.REGISTERING
    assert rig.session.session_id == "session-9"
    assert not isinstance(rig.outcomes[ticket], Failed)


def test_t10_a_login_that_is_refused_keeps_the_socket() -> None:
    rig = Rig()
    rig.connect()
    rig.clear()
    rig.login_refused(-32001, "Authentication Failure")
    assert (rig.state, rig.session.connected) == (S.AUTH_FAILED, True)
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.code, error.fatal) == (46001, True)
    assert error.error.original is not None
    assert (error.error.original.code, error.error.original.text) == (-32001, "Authentication Failure")
    assert not any(isinstance(action, CloseSocket) for action in rig.actions)


def test_t10b_a_rejection_after_a_reconnection_may_be_passing() -> None:
    """SIG-218: no event; the socket is closed and another is tried."""
    rig = backing_off()
    rig.advance(2)
    rig.open()
    rig.clear()
    rig.login_refused(message="Session in use")
    assert rig.state is S.CLOSING
    assert rig.codes == []
    rig.lose(1000, clean=True)
    assert rig.state is S.BACKOFF


def test_t11_a_login_answered_with_authentication_required_is_refused() -> None:
    """PS-013, SIG-533: two more sockets ask; then the last may be used for another login, and lost like any other."""
    rig = Rig()
    rig.connect()
    for _ in range(2):
        rig.login_refused(-32000, "Authentication Required")
        rig.lose(1000)
        rig.wait_for(S.CONNECTING)
        rig.open()
    rig.login_refused(-32000, "Authentication Required")
    assert rig.state is S.AUTH_FAILED
    assert len(rig.frames("login")) == 3
    rig.lose()
    assert rig.state is S.BACKOFF


def test_t12_a_login_without_an_answer_replaces_the_socket() -> None:
    """The timeout table: 46001, not fatal; recovery with source ``request``."""
    rig = Rig()
    rig.connect()
    rig.advance(9.9)
    assert rig.codes == []
    rig.advance(0.1)
    assert rig.state is S.CLOSING
    assert rig.codes == [46001, 36003]
    (error,) = rig.heard_of(ErrorRaised)
    assert error.fatal is False
    assert error.error.original is not None
    assert error.error.original.kind is FailureKind.REQUEST_TIMEOUT
    (warning,) = rig.heard_of(WarningRaised)
    assert warning.details["source"] == "request"
    rig.lose(1000)
    assert rig.state is S.BACKOFF


# T13 to T17b: registration.


@pytest.mark.parametrize("ready", [False, True])
def test_t13_client_ready_asks_for_the_gateway_state(ready: bool) -> None:
    rig = Rig.registered() if ready else registering()
    state = rig.state
    rig.client_ready()
    assert len(rig.frames("gatewayState")) == 1
    assert rig.state is state


def test_t14_a_server_that_says_nothing_is_asked() -> None:
    """SIG-452: every ten seconds."""
    rig = registering()
    rig.always("ping", {})
    rig.always("gatewayState", {})
    rig.advance(9.9)
    assert rig.times("gatewayState") == []
    rig.advance(20.1)
    assert rig.times("gatewayState") == [10.0, 20.0, 30.0]
    assert rig.state is S.REGISTERING


@pytest.mark.parametrize("state", ["TRYING", "EXPIRED", "UNREGISTER"])
def test_t14_a_state_on_its_way_begins_the_wait_anew(state: str) -> None:
    """SIG-210, SIG-452: in the reference a TRYING ends all activity."""
    rig = registering()
    rig.always("ping", {})
    rig.advance(8)
    rig.gateway(state)
    rig.advance(9.9)
    assert rig.times("gatewayState") == []
    rig.advance(0.1)
    assert rig.times("gatewayState") == [18.0]


@pytest.mark.parametrize("state", ["REGED", "REGISTER"])
def test_t15_registered_is_ready(state: str) -> None:
    rig = registering()
    rig.gateway(state)
    assert rig.state is S.READY
    assert rig.heard_of(Ready) == [Ready("session-1", state)]
    assert not hub_of(rig.session).timers.is_set(Timer.REGISTRATION_WATCH)


@pytest.mark.parametrize("state", ["UNREGED", "NOREG"])
@pytest.mark.parametrize("ready", [False, True])
def test_t16_unregistered_is_polled(state: str, ready: bool) -> None:
    rig = Rig.registered(r=0.5) if ready else Rig(r=0.5)
    if not ready:
        rig.connect()
        rig.login_ok()
    rig.clear()
    rig.gateway(state)
    assert rig.state is S.REGISTERING
    rig.advance(3.9)
    assert rig.times("gatewayState") == []
    rig.advance(0.1)
    assert rig.times("gatewayState") == [4.0]


def test_t17_the_fifth_time_is_a_refusal_and_keeps_the_socket() -> None:
    """SIG-213: four polls have been sent; the original error names the states."""
    rig = Rig(r=0.0)
    rig.connect()
    rig.login_ok()
    rig.client_ready()
    for _ in range(4):
        rig.gateway("NOREG")
        rig.advance(2)
    assert rig.state is S.REGISTERING
    rig.gateway("UNREGED")
    assert (rig.state, rig.session.connected) == (S.AUTH_FAILED, True)
    assert rig.codes == [46001]
    (error,) = rig.heard_of(ErrorRaised)
    assert error.error.original is not None
    assert error.error.original.text == "UNREGED|NOREG"
    assert len(rig.frames("gatewayState")) == 5


@pytest.mark.parametrize("state", ["UNREGED", "NOREG", "TRYING"])
def test_t17b_after_the_refusal_nothing_is_polled_any_more(state: str) -> None:
    rig = polled_out()
    rig.gateway(state)
    rig.advance(15)
    assert (rig.state, rig.codes) == (S.AUTH_FAILED, [])
    assert not rig.frames("gatewayState")


# T18 to T26: the gateway.


@pytest.mark.parametrize("state", ["FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN"])
@pytest.mark.parametrize("start", ["registering", "ready", "auth failed"])
def test_t18_a_failed_gateway_is_waited_for(state: str, start: str) -> None:
    rig = {"registering": registering, "ready": Rig.registered, "auth failed": polled_out}[start]()
    rig.gateway(state)
    assert rig.state is S.GATEWAY_WAIT
    assert rig.codes == [45004]
    (error,) = rig.heard_of(ErrorRaised)
    assert error.error.original is not None
    assert error.error.original.text == state
    assert hub_of(rig.session).timers.is_set(Timer.GATEWAY_RETRY)


def test_t18_after_a_rejected_login_a_gateway_state_means_nothing() -> None:
    """T18, T26: only where the login had succeeded."""
    rig = rejected()
    rig.gateway("DOWN")
    rig.gateway("REGED")
    assert (rig.state, rig.codes) == (S.AUTH_FAILED, [])


def test_t19_the_fifth_failure_ends_the_session() -> None:
    """SIG-223, SIG-571: 45003, and the socket is closed. With calls there is none: `test_kept_calls`."""
    rig = Rig.registered(r=0.0)
    for _ in range(4):
        rig.gateway("FAIL_WAIT")
        rig.wait_for(S.CLOSING)
        rig.lose(1000)
        rig.wait_for(S.CONNECTING)
        rig.open()
        rig.login_ok()
        rig.gateway("REGISTER")
    rig.clear()
    rig.gateway("FAIL_WAIT")
    assert rig.state is S.CLOSING
    assert rig.codes == [45004, 45003]
    rig.lose(1000, clean=True)
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)
    assert rig.events[-1] == SessionClosed(CloseReason.EXHAUSTED)


def test_t20_without_automatic_reconnection_the_first_failure_ends_it() -> None:
    rig = Rig.registered(autoReconnect=False)
    rig.gateway("FAILED")
    assert rig.codes == [45004, 45003]
    assert rig.state is S.CLOSING
    rig.lose(1000, clean=True)
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)


@pytest.mark.parametrize("state", ["FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN", "UNREGED", "NOREG", "TRYING", "EXPIRED"])
def test_t21_t23_within_an_episode_the_rest_is_ignored(state: str) -> None:
    rig = gateway_waiting()
    due = rig.session.next_timeout()
    rig.gateway(state)
    assert (rig.state, rig.codes, rig.session.next_timeout()) == (S.GATEWAY_WAIT, [], due)


@pytest.mark.parametrize("state", ["REGED", "REGISTER"])
def test_t22_the_gateway_comes_back_by_itself(state: str) -> None:
    rig = gateway_waiting()
    rig.gateway(state)
    assert rig.state is S.READY
    assert len(rig.heard_of(Ready)) == 1
    rig.always("ping", {})
    rig.advance(15)
    assert rig.state is S.READY


def test_t24_after_a_pause_the_socket_is_replaced() -> None:
    rig = gateway_waiting(r=0.5)
    rig.always("ping", {})
    rig.advance(3.9)
    assert rig.state is S.GATEWAY_WAIT
    rig.advance(0.1)
    assert rig.state is S.CLOSING
    assert isinstance(rig.actions[-1], CloseSocket)
    rig.lose(1000, clean=True)
    assert rig.state is S.BACKOFF


def test_t25_registered_again_is_no_event() -> None:
    rig = Rig.registered()
    rig.gateway("REGED", region="eu")
    rig.gateway("REGISTER")
    assert not rig.heard_of(Ready)
    assert rig.session.region == "eu"


@pytest.mark.parametrize("state", ["REGED", "REGISTER"])
def test_t26_a_late_registration_is_ready(state: str) -> None:
    """SIG-213, last sentence."""
    rig = polled_out()
    rig.gateway(state)
    assert rig.state is S.READY
    assert len(rig.heard_of(Ready)) == 1
    rig.lose()
    assert rig.state is S.BACKOFF


# T27: login(creds) on a live socket.


def test_t27_other_credentials_after_a_refusal() -> None:
    rig = rejected()
    ticket = rig.login({"login_token": "x.y.z"})
    assert rig.state is S.LOGGING_IN
    assert rig.params("login")["login_token"] == "x.y.z"
    rig.login_ok()
    assert rig.state is S.REGISTERING
    assert not isinstance(rig.outcomes[ticket], Failed)


def test_t27_other_credentials_while_registering() -> None:
    rig = registering()
    rig.login({"login_token": "x.y.z"})
    assert rig.state is S.LOGGING_IN
    rig.login_refused()
    assert rig.state is S.AUTH_FAILED


def test_t27_a_refused_second_login_is_over_whatever_the_gateway_says() -> None:
    """The socket had been logged in before; a late REGED must not bring back what was refused, nor confuse the loss."""
    rig = registering()
    rig.login({"login_token": "x.y.z"})
    rig.login_refused()
    rig.gateway("REGED")
    assert rig.state is S.AUTH_FAILED
    rig.lose()
    assert rig.state is S.AUTH_FAILED


@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("accepted", [False, True])
def test_t27b_a_new_token_on_a_ready_session_changes_no_state(waiting: bool, accepted: bool) -> None:
    """SIG-245, SIG-249."""
    rig = gateway_waiting() if waiting else Rig.registered()
    state = rig.state
    ticket = rig.login({"login_token": "x.y.z"})
    assert rig.state is state
    if accepted:
        rig.login_ok()
    else:
        rig.login_refused()
    assert rig.state is state
    assert isinstance(rig.outcomes[ticket], Failed) is not accepted
    assert rig.codes == ([] if accepted else [46001])
    assert rig.session.connected


# T28 to T31: closing.


@pytest.mark.parametrize("reconnect", [True, False])
def test_t28_a_broken_path_is_replaced(reconnect: bool) -> None:
    """SIG-277: what is silent is not waited for long."""
    rig = Rig.registered(autoReconnect=reconnect)
    rig.request("ping")
    rig.advance(10)
    assert rig.state is S.CLOSING
    assert rig.codes == [36003]
    assert isinstance(rig.actions[-1], CloseSocket)
    assert rig.session.next_timeout() == 11.0
    assert rig.session.next_timeout_reason() == TimerKey(Timer.CLOSE_SAFETY)


@pytest.mark.parametrize("state", ["logging in", "registering", "ready", "gateway wait", "auth failed"])
def test_t29_disconnect_closes_the_socket(state: str) -> None:
    """SIG-280: no warning, no error."""
    rig = {
        "logging in": Rig,
        "registering": registering,
        "ready": Rig.registered,
        "gateway wait": gateway_waiting,
        "auth failed": rejected,
    }[state]()
    if state == "logging in":
        rig.connect()
    rig.clear()
    rig.disconnect()
    assert rig.state is S.CLOSING
    assert any(isinstance(action, CloseSocket) for action in rig.actions)
    rig.lose(1000, clean=True)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
    assert rig.codes == []
    assert rig.events[-1] == SessionClosed(CloseReason.DISCONNECTED)


@pytest.mark.parametrize("state", ["backoff", "exhausted", "auth failed"])
def test_t30_disconnect_without_a_socket_comes_to_rest_at_once(state: str) -> None:
    rig = {"backoff": backing_off, "exhausted": exhausted, "auth failed": rejected}[state]()
    if state == "auth failed":
        rig.lose()
    rig.clear()
    rig.disconnect()
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
    assert rig.events == [SessionClosed(CloseReason.DISCONNECTED)]


def test_t31_punt_closes_the_socket_for_good() -> None:
    rig = Rig.registered()
    ident = rig.request("punt")
    assert rig.state is S.CLOSING
    assert rig.acknowledged == [(ident, "telnyx_rtc.punt")]
    assert isinstance(rig.actions[-1], CloseSocket)


# T32 to T38: LOSS.


@pytest.mark.parametrize("state", ["connecting", "logging in", "registering", "ready", "gateway wait", "closing"])
def test_t32_a_loss_is_followed_by_an_attempt(state: str) -> None:
    rig = Rig(r=0.5)
    rig.ask_to_connect()
    if state != "connecting":
        rig.open()
    if state in ("registering", "ready", "gateway wait", "closing"):
        rig.login_ok()
    if state in ("ready", "gateway wait"):
        rig.gateway()
    if state == "gateway wait":
        rig.gateway("DOWN")
    if state == "closing":
        rig.request("ping")
        rig.advance(10)
    rig.clear()
    lost_at = rig.now
    rig.lose()
    assert rig.state is S.BACKOFF
    assert rig.session.next_timeout() == lost_at + 1.0
    assert rig.session.next_timeout_reason() == TimerKey(Timer.RECONNECT)
    rig.advance(1)
    assert opened(rig) == 1


@pytest.mark.parametrize("maximum", [1, 3])
def test_t33_when_the_attempts_are_used_up_it_is_over(maximum: int) -> None:
    rig = Rig(maxReconnectAttempts=maximum)
    rig.ask_to_connect()
    for _ in range(maximum):
        rig.lose(error="refused")
        assert rig.state is S.BACKOFF
        rig.wait_for(S.CONNECTING)
    rig.clear()
    rig.lose(error="refused")
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)
    assert rig.codes == [45002, 45003]
    assert rig.events[-1] == SessionClosed(CloseReason.EXHAUSTED)


def test_t33_no_limit_means_no_limit() -> None:
    """SIG-241."""
    rig = Rig(maxReconnectAttempts=0)
    rig.ask_to_connect()
    for _ in range(200):
        rig.lose(error="refused")
        rig.wait_for(S.CONNECTING)
    assert rig.codes.count(45002) == 200


def test_t34_without_automatic_reconnection_a_loss_is_final() -> None:
    """SIG-312: the calls end right after the warning."""
    rig = Rig.registered(autoReconnect=False)
    call = rig.outbound("active")
    rig.clear()
    rig.lose()
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
    assert reasons(rig) == ["auto_reconnect_disabled"]
    kinds = [type(event).__name__ for event in rig.events if type(event).__name__ != "StatsReport"]
    assert kinds[:2] == ["SocketClose", "WarningRaised"]
    assert kinds[-1] == "SessionClosed"
    assert rig.states(call) == ["purge", "hangup", "destroy"]
    assert rig.events[-1] == SessionClosed(CloseReason.LOST)


def test_t34_holds_for_the_very_first_connection() -> None:
    """SIG-579."""
    rig = Rig(autoReconnect=False)
    rig.ask_to_connect()
    rig.lose(error="refused")
    assert (rig.state, opened(rig)) == (S.IDLE, 1)


def test_t35_after_a_rejection_no_socket_is_opened() -> None:
    """SIG-537."""
    rig = rejected()
    rig.lose()
    assert (rig.state, rig.session.connected, rig.at_rest) == (S.AUTH_FAILED, False, True)
    assert reasons(rig) == ["login_failed"]
    assert rig.events[-1] == SessionClosed(CloseReason.REFUSED)
    assert opened(rig) == 0


def test_t35_also_when_the_socket_was_closed_by_us() -> None:
    rig = rejected()
    rig.advance(12)  # nobody answers the probe
    assert rig.state is S.CLOSING
    rig.lose(1000)
    assert rig.state is S.AUTH_FAILED
    assert reasons(rig) == ["login_failed"]


@pytest.mark.parametrize("reconnect", [True, False])
def test_t36_after_another_kind_of_failure_it_is_a_loss_like_any_other(reconnect: bool) -> None:
    rig = Rig(autoReconnect=reconnect)
    rig.connect()
    rig.login_refused(-32602, "Permission Denied")
    rig.lose()
    assert rig.state is (S.BACKOFF if reconnect else S.IDLE)


def test_t36_also_after_the_polls_are_used_up() -> None:
    rig = polled_out()
    rig.lose()
    assert rig.state is S.BACKOFF


@pytest.mark.parametrize("intent", ["disconnect", "fatal"])
def test_t37_an_intended_close_only_tells_of_the_close(intent: str) -> None:
    rig = Rig.registered(autoReconnect=intent == "disconnect")
    if intent == "disconnect":
        rig.disconnect()
    else:
        rig.gateway("DOWN")
    rig.clear()
    rig.lose(1005, clean=True)
    reason = CloseReason.DISCONNECTED if intent == "disconnect" else CloseReason.EXHAUSTED
    assert rig.events == [SocketClose(rig.socket, 1005, "", True), SessionClosed(reason)]


def test_t38_after_a_punt_the_application_is_told_why() -> None:
    """SIG-291, SIG-543."""
    rig = Rig.registered()
    rig.request("punt")
    rig.clear()
    rig.lose(1000, clean=True)
    assert [type(event) for event in rig.events] == [SocketClose, WarningRaised, SessionClosed]
    assert reasons(rig) == ["server_punt"]
    assert rig.events[-1] == SessionClosed(CloseReason.PUNTED)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


# T39 to T42.


def test_t39_the_next_attempt_has_the_next_number() -> None:
    """SIG-030: generations never start again."""
    rig = backing_off()
    rig.advance(2)
    assert rig.socket == SocketId(2)
    rig.disconnect()
    rig.ask_to_connect()
    assert rig.socket == SocketId(3)


@pytest.mark.parametrize("change", ["online", "path_changed"])
def test_t40_a_network_that_is_back_is_used_at_once(change: str) -> None:
    rig = Rig(r=0.5)
    rig.ask_to_connect()
    for pause in (1, 2):
        rig.lose(error="unreachable")
        rig.advance(pause)
    rig.lose(error="unreachable")
    rig.clear()
    rig.advance(0.9)
    rig.network(change)
    assert opened(rig) == 0  # the last attempt is less than a second old
    rig.advance(0.2)
    rig.network(change)
    assert (opened(rig), rig.state) == (1, S.CONNECTING)
    rig.advance(14)
    assert opened(rig) == 1


def test_t40_losing_the_network_is_no_reason_to_hurry() -> None:
    rig = backing_off()
    rig.advance(0.7)
    rig.network("offline")
    assert rig.state is S.BACKOFF


def test_t41_late_news_of_another_socket_is_ignored() -> None:
    """SIG-547: a late close of the old socket tears nothing down."""
    rig = backing_off()
    old = rig.socket
    rig.advance(2)
    rig.open()
    rig.clear()
    for fact in (SocketClosed(old, 1006, "", clean=False), SocketOpened(old, 0.0), SocketRefused(old, "no")):
        rig.tell(fact)
    assert (rig.actions, rig.state) == ([], S.LOGGING_IN)


def test_t41_an_abandoned_socket_is_never_heard_of_again() -> None:
    rig = Rig()
    rig.ask_to_connect()
    rig.advance(15)
    assert AbandonSocket(SocketId(1)) in rig.actions
    closes = rig.heard_of(SocketClose)
    assert [event.code for event in closes] == [1006]
    rig.tell(SocketClosed(SocketId(1), 1006, "late", clean=False))
    assert rig.heard_of(SocketClose) == closes


def test_the_same_fact_twice_is_once() -> None:
    rig = Rig()
    rig.connect()
    rig.clear()
    rig.session.receive(SocketOpened(rig.socket, 0.0), now=rig.now)
    rig.session.receive(SocketRefused(rig.socket, "late"), now=rig.now)
    assert rig.session.next_action() is None
    assert rig.state is S.LOGGING_IN


@pytest.mark.parametrize("state", ["idle", "backoff", "exhausted"])
def test_t42_without_a_socket_the_application_is_refused(state: str) -> None:
    rig = {"idle": Rig, "backoff": backing_off, "exhausted": exhausted}[state]()
    due = rig.session.next_timeout()
    with pytest.raises(NotConnected, match=state):
        rig.dial()
    assert rig.session.next_action() is None
    assert rig.session.next_timeout() == due
