"""Gateway states, polling and gateway failure: signaling.md 4.3 and 4.4."""

import pytest

from telnyx_core import Timer
from telnyx_core.events import ErrorRaised, Ready
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import Rig
from tests.inside import hub_of

S = SessionState


def logged_in(**options: object) -> Rig:
    rig = Rig(**options)
    rig.always("ping", {})
    rig.connect()
    rig.login_ok()
    rig.clear()
    return rig


def registered_again(rig: Rig, state: str = "REGED") -> None:
    """From a gateway failure through the loss of the socket to the next registration."""
    rig.wait_for(S.CLOSING)
    rig.lose(1000, clean=True)
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.gateway(state)


# SIG-202, SIG-211: success.


def test_a_registration_that_comes_before_the_login_result_waits_for_it() -> None:
    """SIG-202: ready never precedes the login."""
    rig = Rig()
    rig.connect()
    rig.gateway("REGED", region="eu")
    assert rig.state is S.LOGGING_IN
    assert not rig.heard_of(Ready)
    rig.login_ok()
    assert rig.state is S.READY
    assert rig.heard_of(Ready) == [Ready("session-1", "REGED", region="eu")]


def test_a_registration_that_came_on_another_socket_is_forgotten() -> None:
    rig = Rig()
    rig.connect()
    rig.gateway("REGED")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    assert rig.state is S.REGISTERING


def test_a_login_result_may_bring_the_state_along() -> None:
    """SIG-126 (a)."""
    rig = Rig()
    rig.connect()
    rig.reply("login", {"sessid": "s", "params": {"state": "REGED"}})
    assert rig.state is S.READY


def test_a_state_nobody_knows_is_ignored() -> None:
    """SIG-210, last row."""
    rig = logged_in()
    rig.gateway("ATTACHED")
    rig.request("gatewayState", state=7)
    rig.request("gatewayState")
    assert (rig.state, rig.codes) == (S.REGISTERING, [])
    rig.gateway("reged")
    assert rig.state is S.REGISTERING


def test_ready_is_told_once_for_each_loss_of_registration() -> None:
    """SIG-211."""
    rig = Rig.registered()
    for state in ("TRYING", "REGED", "REGISTER", "EXPIRED", "REGED"):
        rig.gateway(state)
    assert not rig.heard_of(Ready)
    rig.gateway("NOREG")
    rig.gateway("REGED")
    rig.gateway("DOWN")
    rig.gateway("REGED")
    rig.come_back()
    assert len(rig.heard_of(Ready)) == 3


def test_ready_says_what_the_session_is() -> None:
    """SIG-400."""
    rig = logged_in()
    rig.gateway("REGED", region="us-central", dc="ch1", call_report_id="r-1")
    assert rig.heard_of(Ready) == [Ready("session-1", "REGED", "us-central", "ch1", "r-1")]


# SIG-212 to SIG-217: polling.


@pytest.mark.parametrize("r", [0.0, 0.3, 0.5, 0.7, 0.9])
def test_a_poll_comes_after_two_to_six_seconds(r: float) -> None:
    """SIG-212."""
    rig = logged_in(r=r)
    rig.gateway("NOREG")
    rig.advance(9)
    assert rig.times("gatewayState") == [2.0 + int(r * 5)]


def test_while_a_poll_is_due_further_states_do_not_count() -> None:
    """SIG-212: the reference counts every frame and arms a timer for each."""
    rig = logged_in(r=0.0)
    for _ in range(20):
        rig.gateway("NOREG")
    assert (rig.state, rig.codes) == (S.REGISTERING, [])
    rig.advance(9)
    assert rig.times("gatewayState") == [2.0]


def test_a_state_in_passing_does_not_stop_the_polls() -> None:
    rig = logged_in(r=0.0)
    rig.gateway("NOREG")
    rig.gateway("TRYING")
    rig.advance(2)
    assert rig.times("gatewayState") == [2.0]


def test_success_stops_the_polls() -> None:
    """SIG-211."""
    rig = logged_in(r=0.9)
    rig.gateway("NOREG")
    rig.gateway("REGED")
    rig.advance(9)
    assert rig.times("gatewayState") == []


@pytest.mark.parametrize("how", ["loss", "disconnect"])
def test_polls_end_with_their_socket(how: str) -> None:
    """SIG-480, SIG-532: in the reference the timers survive a disconnect."""
    rig = logged_in(r=0.0)
    rig.gateway("NOREG")
    if how == "loss":
        rig.lose()
        rig.wait_for(S.CONNECTING)
        rig.open()
    else:
        rig.disconnect()
        rig.lose(1000)
    rig.clear()
    rig.advance(9)
    assert not rig.frames("gatewayState")


def test_a_new_login_after_the_refusal_is_a_new_chance() -> None:
    """SIG-213: counting begins anew."""
    rig = logged_in(r=0.0)
    for _ in range(5):
        rig.gateway("NOREG")
        rig.advance(2)
    assert rig.state is S.AUTH_FAILED
    rig.login({})
    rig.login_ok()
    assert rig.state is S.REGISTERING
    rig.gateway("NOREG")
    assert rig.state is S.REGISTERING


def test_losing_registration_does_not_touch_calls() -> None:
    """SIG-217."""
    rig = Rig.registered(r=0.0)
    call = rig.outbound("active")
    rig.clear()
    for _ in range(5):
        rig.gateway("NOREG")
        rig.advance(2)
    assert rig.state is S.AUTH_FAILED
    assert rig.states(call) == []
    rig.dtmf(call, "1")
    assert rig.frames("info")


def test_failure_may_come_minutes_after_ready() -> None:
    """SIG-216."""
    rig = Rig.registered()
    rig.always("ping", {})
    rig.advance(180)
    rig.gateway("FAIL_WAIT")
    assert rig.state is S.GATEWAY_WAIT


# SIG-220 to SIG-223: gateway failure.


@pytest.mark.parametrize("state", ["FAILED", "FAIL_WAIT", "TIMEOUT", "DOWN"])
def test_a_gateway_failure_is_told_and_is_not_fatal(state: str) -> None:
    """SIG-220, SIG-363."""
    rig = Rig.registered()
    rig.gateway(state)
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.code, error.name, error.fatal) == (45004, "GATEWAY_FAILED", False)
    assert error.error.original is not None
    assert state in str(error.error.original)


def test_the_next_sockets_go_elsewhere_until_registration_succeeds() -> None:
    """SIG-220, SIG-222, SIG-549."""
    rig = Rig.registered(r=0.0)
    rig.gateway("FAIL_WAIT")
    rig.wait_for(S.CLOSING)
    rig.lose(1000)
    rig.wait_for(S.CONNECTING)
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1&skip_last_voice_sdk_id=true"
    rig.lose(error="refused")
    rig.wait_for(S.CONNECTING)
    assert "skip_last_voice_sdk_id" in rig.urls[-1]
    rig.open()
    rig.login_ok()
    rig.gateway("REGISTER")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    assert "skip_last_voice_sdk_id" in rig.urls[-1]  # REGISTER resets nothing (SIG-210)
    rig.open()
    rig.login_ok()
    rig.gateway("REGED")
    rig.lose()
    rig.wait_for(S.CONNECTING)
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1"


def test_the_failures_survive_the_socket_and_are_forgiven_by_success() -> None:
    """SIG-220, SIG-540: five in a row end it; five over a long life do not."""
    rig = Rig.registered(r=0.0)
    for _ in range(6):
        rig.gateway("FAIL_WAIT")
        registered_again(rig)
    assert rig.state is S.READY
    assert 45003 not in rig.codes
    for _ in range(4):
        rig.gateway("FAIL_WAIT")
        registered_again(rig, "REGISTER")
    rig.gateway("FAIL_WAIT")
    assert rig.codes[-2:] == [45004, 45003]
    assert rig.state is S.CLOSING


def test_connect_begins_to_count_anew() -> None:
    """T01."""
    rig = Rig.registered(r=0.0)
    for _ in range(4):
        rig.gateway("FAIL_WAIT")
        registered_again(rig, "REGISTER")
    rig.disconnect()
    rig.lose(1000)
    rig.ready()
    rig.gateway("NOREG")
    rig.gateway("FAIL_WAIT")
    assert rig.state is S.GATEWAY_WAIT


@pytest.mark.parametrize("reconnect", [True, False])
def test_the_end_names_its_cause(reconnect: bool) -> None:
    """SIG-223."""
    rig = Rig.registered(r=0.0, autoReconnect=reconnect)
    for _ in range(4 if reconnect else 0):
        rig.gateway("FAIL_WAIT")
        registered_again(rig, "REGISTER")
    rig.clear()
    rig.gateway("FAIL_WAIT")
    gateway, exhausted = rig.heard_of(ErrorRaised)
    assert (gateway.code, gateway.fatal) == (45004, False)
    assert (exhausted.code, exhausted.fatal) == (45003, True)
    assert exhausted.error.original is not None
    assert exhausted.error.original.text == "FAIL_WAIT"


@pytest.mark.parametrize("how", ["ready", "loss", "disconnect"])
def test_the_retry_is_bound_to_its_socket(how: str) -> None:
    """SIG-221, SIG-480, SIG-532."""
    rig = Rig.registered(r=0.9)
    rig.always("ping", {})
    rig.gateway("FAIL_WAIT")
    if how == "ready":
        rig.gateway("REGED")
    elif how == "loss":
        rig.lose()
        rig.wait_for(S.CONNECTING)
        rig.open()
        rig.login_ok()
    else:
        rig.disconnect()
        rig.lose(1000)
    assert not hub_of(rig.session).timers.is_set(Timer.GATEWAY_RETRY)
    state = rig.state
    rig.advance(6)
    assert rig.state is state


def test_a_disconnect_while_the_gateway_is_waited_for_stays_a_disconnect() -> None:
    """The retry must not take the intent away while the calls say good-bye."""
    rig = Rig.registered(r=0.0)
    rig.outbound("active")
    rig.gateway("FAIL_WAIT")
    rig.disconnect()
    rig.advance(3)
    assert rig.state is S.GATEWAY_WAIT
    rig.advance(2)
    assert rig.state is S.CLOSING
    rig.lose(1000)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
