"""Login on a live socket, transient rejections, the end of a token: signaling.md 4.3 (SIG-218), 4.7, 4.8."""

import base64
import json

import pytest

from telnyx_core import Timer
from telnyx_core._wire.json_types import Json
from telnyx_core.actions import Done, Failed, Settle
from telnyx_core.errors import FailureKind, InvalidCredentials
from telnyx_core.events import ErrorRaised, Ready, SocketOpen, WarningRaised
from telnyx_core.ids import Ticket
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import EPOCH, Rig
from tests.inside import hub_of

S = SessionState


def token(**claims: Json) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzUxMiJ9.{payload}.signature"


def failure(rig: Rig, ticket: Ticket) -> FailureKind:
    outcome = rig.outcomes[ticket]
    assert isinstance(outcome, Failed)
    return outcome.failure.kind


# 4.7 login().


def test_a_new_token_is_used_on_the_same_socket() -> None:
    """SIG-245, SIG-233, SIG-570: the session id is fresh by definition, however old the login."""
    rig = Rig.registered()
    rig.always("ping", {})
    rig.advance(3_000)
    rig.clear()
    ticket = rig.login({"login_token": "x.y.z"})
    params = rig.params("login")
    assert (params["login_token"], params["sessid"], params["reconnection"]) == ("x.y.z", "session-1", True)
    rig.login_ok("session-1")
    assert isinstance(rig.outcomes[ticket], Done)
    assert rig.state is S.READY
    assert not rig.heard_of(Ready)
    rig.lose()
    rig.wait_for(S.CONNECTING)
    rig.open()
    assert rig.params("login")["login_token"] == "x.y.z"


def test_a_refused_token_leaves_the_session_as_it_is() -> None:
    """SIG-245: 46001, the socket stays, calls are untouched, and the old login is in force (PS-014)."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    ticket = rig.login({"login_token": "x.y.z"})
    rig.login_refused(-32001, "JWT token authentication failed")
    assert failure(rig, ticket) is FailureKind.SERVER_ERROR
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(46001, True)]
    assert (rig.state, rig.states(call), rig.session.connected) == (S.READY, [], True)


@pytest.mark.parametrize("state", ["idle", "backoff", "closing", "exhausted"])
def test_without_a_socket_the_credentials_are_kept_for_the_next(state: str) -> None:
    """SIG-246, SIG-569: the outcome is told, without an event."""
    rig = Rig(maxReconnectAttempts=1)
    if state != "idle":
        rig.ready()
    if state == "closing":
        rig.disconnect()
    elif state != "idle":
        rig.lose()
    if state == "exhausted":
        rig.wait_for(S.CONNECTING)
        rig.lose()
    assert rig.state.value == state
    rig.clear()
    ticket = rig.login({"login_token": "x.y.z"})
    assert failure(rig, ticket) is FailureKind.NOT_CONNECTED
    assert rig.events == []
    if state == "closing":
        rig.lose(1000)
    rig.ask_to_connect()
    rig.open()
    assert rig.params("login")["login_token"] == "x.y.z"


def test_while_connecting_the_credentials_are_used_by_the_login_to_come() -> None:
    """SIG-246: the reference hangs."""
    rig = Rig()
    rig.ask_to_connect()
    ticket = rig.login({"login_token": "x.y.z"})
    assert ticket not in rig.outcomes
    rig.open()
    assert [frame["params"]["login_token"] for frame in rig.frames("login")] == ["x.y.z"]
    rig.login_ok()
    assert isinstance(rig.outcomes[ticket], Done)


def test_a_login_that_waits_for_a_socket_that_never_comes_is_told_at_the_end() -> None:
    rig = Rig(maxReconnectAttempts=1, r=0.5)
    rig.ask_to_connect()
    ticket = rig.login({"login_token": "x.y.z"})
    rig.lose(error="refused")
    assert ticket not in rig.outcomes
    rig.wait_for(S.CONNECTING)
    rig.lose(error="refused")
    assert failure(rig, ticket) is FailureKind.NOT_CONNECTED
    assert rig.at_rest


def test_a_login_under_way_when_the_socket_is_lost_is_settled_by_the_next_one() -> None:
    rig = Rig.registered()
    ticket = rig.login({"login_token": "x.y.z"})
    rig.lose()
    assert ticket not in rig.outcomes
    rig.ready()
    assert isinstance(rig.outcomes[ticket], Done)


@pytest.mark.parametrize(
    "credentials", [{"login": "only"}, {"password": "only"}, {"login": "a", "login_token": "b"}, {"nonsense": 1}]
)
def test_unusable_credentials_are_refused_and_change_nothing(credentials: dict[str, object]) -> None:
    """SIG-247: 46002; nothing is sent."""
    rig = Rig.registered()
    with pytest.raises(InvalidCredentials) as refused:
        rig.login(credentials)
    assert refused.value.code == 46002
    assert rig.session.next_action() is None
    assert rig.session.options.login_token == "header.payload.signature"


def test_another_way_to_log_in_replaces_the_former() -> None:
    """SIG-248, SIG-548: in the reference a client with credentials can never become anonymous."""
    rig = Rig.registered(login="gencred", password="p")
    rig.login({"anonymous_login": {"target_id": "assistant"}})
    assert len(rig.frames("anonymous_login")) == 1
    rig.login_ok()
    rig.login({"login": "other", "password": "q"})
    params = rig.params("login")
    assert (params["login"], params["passwd"]) == ("other", "q")
    assert "login_token" not in params


def test_logins_are_serialised_and_each_is_settled_by_its_own() -> None:
    """SIG-249: the second goes out when the first has been answered; its caller hears of the second."""
    rig = Rig.registered()
    first = rig.login({"login_token": "first.y.z"})
    second = rig.login({"login_token": "second.y.z"})
    third = rig.login({"login_token": "third.y.z"})
    assert [frame["params"]["login_token"] for frame in rig.frames("login")] == ["first.y.z"]
    rig.login_ok()
    assert isinstance(rig.outcomes[first], Done)
    assert not {second, third} & set(rig.outcomes)
    assert [frame["params"]["login_token"] for frame in rig.frames("login")] == ["first.y.z", "third.y.z"]
    rig.login_refused()
    assert failure(rig, second) is failure(rig, third) is FailureKind.SERVER_ERROR


def test_a_login_during_the_first_login_follows_it() -> None:
    rig = Rig()
    rig.connect()
    rig.login({"login_token": "x.y.z"})
    rig.login_refused()
    assert rig.state is S.LOGGING_IN
    rig.login_ok()
    assert rig.state is S.REGISTERING


def test_connect_during_a_login_does_not_send_a_second_one() -> None:
    """T04 behind SIG-077: a login that is under way on the socket is waited for."""
    rig = Rig.registered(r=0.0)
    call = rig.outbound("active")
    rig.always("ping", {})
    for _ in range(5):
        rig.gateway("NOREG")
        rig.advance(2)
    assert rig.state is S.AUTH_FAILED
    rig.dtmf(call, "1")
    rig.reply("info", error=(-32000, "Authentication Required"))
    rig.clear()
    rig.ask_to_connect()
    assert rig.frames("login") == []
    rig.login_ok()
    assert len(rig.frames("login")) == 1
    rig.login_ok()
    assert rig.state is S.REGISTERING


def test_the_outcome_of_the_login_comes_before_ready() -> None:
    """SIG-425: socket open, login outcome, ready."""
    rig = Rig()
    rig.ask_to_connect()
    ticket = rig.login({})
    rig.open()
    rig.reply("login", {"sessid": "s", "params": {"state": "REGED"}})
    told = [
        action.ticket if isinstance(action, Settle) else type(action.event)
        for action in rig.actions
        if isinstance(action, Settle) or (hasattr(action, "event") and isinstance(action.event, SocketOpen | Ready))
    ]
    assert told == [SocketOpen, ticket, Ready]


def test_the_options_of_the_caller_are_not_written_into() -> None:
    """SIG-551."""
    rig = Rig.registered()
    before = rig.session.options
    rig.login({"login_token": "x.y.z"})
    assert before.login_token == "header.payload.signature"
    assert rig.session.options is not before


# SIG-218: a rejection that may be passing.


def rejected_again(rig: Rig) -> None:
    rig.lose(1000)
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_refused(message="Session in use")


def test_good_credentials_are_not_given_up_at_the_first_no() -> None:
    """SIG-218: twice again, elsewhere (PS-013), the second time without the session; the third is final."""
    rig = Rig.registered(r=0.5)
    rejected_again(rig)
    assert (rig.state, rig.codes) == (S.CLOSING, [])
    rejected_again(rig)
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1&skip_last_voice_sdk_id=true"
    assert rig.params("login")["sessid"] == "session-1"
    assert (rig.state, rig.codes) == (S.CLOSING, [])
    rejected_again(rig)
    assert rig.urls[-1] == "wss://rtc.telnyx.com/?voice_sdk_id=VSDK-1&skip_last_voice_sdk_id=true"
    assert "sessid" not in rig.params("login")
    assert (rig.state, rig.codes) == (S.AUTH_FAILED, [46001])


def test_the_retries_go_through_the_back_off() -> None:
    """SIG-218: each counts as an attempt."""
    rig = Rig.registered(r=0.5)
    for delay in (1.0, 2.0, 4.0):
        rig.lose(1000)
        lost = rig.now
        rig.wait_for(S.CONNECTING)
        assert rig.now - lost == delay
        rig.open()
        rig.login_refused(message="Session in use")


def test_a_success_between_them_begins_anew() -> None:
    rig = Rig.registered(r=0.5)
    for _ in range(3):
        rejected_again(rig)
        rig.lose(1000)
        rig.wait_for(S.CONNECTING)
        rig.open()
        rig.login_ok()
        rig.gateway()
    assert 46001 not in rig.codes


@pytest.mark.parametrize("why", ["first login", "other credentials", "no reconnection", "on a live socket", "-32602"])
def test_in_any_other_situation_no_is_no(why: str) -> None:
    """SIG-218, last sentence."""
    rig = Rig(autoReconnect=why != "no reconnection")
    rig.ready() if why != "first login" else rig.connect()
    if why == "on a live socket":
        rig.login({})
    elif why == "other credentials":
        rig.lose()
        rig.login({"login_token": "x.y.z"})
        rig.wait_for(S.CONNECTING)
        rig.open()
    elif why == "no reconnection":
        rig.lose()
        rig.connect()
    elif why == "-32602":
        rig.lose()
        rig.wait_for(S.CONNECTING)
        rig.open()
    rig.login_refused(-32602 if why == "-32602" else -32001, "Session in use")
    assert 46001 in rig.codes
    assert rig.state is (S.READY if why == "on a live socket" else S.AUTH_FAILED)


# 4.8 The end of a token.


def warned_at(rig: Rig) -> list[float]:
    return [at for at, action in rig.timeline for event in [getattr(action, "event", None)] if code(event) == 34001]


def code(event: object) -> int:
    return event.code if isinstance(event, WarningRaised) else 0


@pytest.mark.parametrize(
    ("left", "warned"),
    [(600.0, [480.0]), (600.25, [480.25]), (121.0, [1.0]), (120.0, [0.0]), (100.0, [0.0]), (0.0, []), (-1.0, [])],
)
def test_a_token_is_announced_two_minutes_before_it_ends(left: float, warned: list[float]) -> None:
    """SIG-250, SIG-251, SIG-607."""
    rig = Rig(login_token=token(exp=EPOCH + left))
    rig.always("ping", {})
    rig.ready()
    rig.advance(700)
    assert warned_at(rig) == warned


def test_a_token_may_live_for_a_month() -> None:
    """SIG-252, SIG-546: beyond what a browser's timer can wait."""
    rig = Rig(login_token=token(exp=EPOCH + 30 * 86_400))
    rig.ready()
    rig.lose()
    assert hub_of(rig.session).timers.armed[Timer.TOKEN_EXPIRY, None][0] == 30 * 86_400 - 120.0


def test_a_new_token_replaces_the_announcement() -> None:
    """SIG-252."""
    rig = Rig(login_token=token(exp=EPOCH + 600))
    rig.always("ping", {})
    rig.ready()
    rig.advance(100)
    rig.login({"login_token": token(exp=EPOCH + 1_000)})
    rig.login_ok()
    rig.advance(900)
    assert warned_at(rig) == [880.0]


def test_a_token_that_was_refused_replaces_nothing() -> None:
    rig = Rig(login_token=token(exp=EPOCH + 600))
    rig.always("ping", {})
    rig.ready()
    rig.login({"login_token": token(exp=EPOCH + 5_000)})
    rig.login_refused()
    rig.advance(600)
    assert warned_at(rig) == [480.0]


def test_an_announcement_survives_a_loss_and_not_a_disconnect() -> None:
    """SIG-252."""
    rig = Rig(login_token=token(exp=EPOCH + 600), maxReconnectAttempts=0, r=0.5)
    rig.ready()
    rig.lose()
    rig.advance(481)
    assert warned_at(rig) == [480.0]
    rig.disconnect()
    assert rig.at_rest


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c.d", "a.!!.c", token(exp="soon"), token(iat=5)])
def test_a_token_that_tells_no_end_is_no_error(text: str) -> None:
    """SIG-250."""
    rig = Rig(login_token=text)
    rig.always("ping", {})
    rig.ready()
    rig.advance(1_000)
    assert warned_at(rig) == []


def test_only_the_token_that_is_used_counts() -> None:
    """SIG-250: after a switch to anonymous login the former token is nobody's business."""
    rig = Rig.registered(login_token=token(exp=EPOCH + 600))
    rig.always("ping", {})
    rig.login({"anonymous_login": {"target_id": "a"}})
    rig.login_ok()
    rig.advance(600)
    assert warned_at(rig) == []


def test_a_server_that_takes_every_login_and_refuses_what_follows_is_not_flooded() -> None:
    """SIG-077: each refusal asks for a login, and each login for the state that is refused."""
    rig = Rig.registered()
    rig.always("login", {"sessid": "session-1"})
    rig.always("gatewayState", error=(-32000, "Authentication Required"))
    for _ in range(60):
        for _ in range(10):
            rig.request("clientReady", reattached_sessions=[])  # as after every login
        rig.advance(1)
    assert 1 < len(rig.frames("login")) <= 7


REFUSED = (-32000, "Authentication Required")


def refused_again() -> Rig:
    """A login was repeated at 0 s because a request was refused; at 1 s another one is refused."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.always("ping", {})
    rig.always("login", {"sessid": "session-1"})
    rig.always("info", error=REFUSED)
    rig.dtmf(call, "1")
    assert rig.times("login") == [0.0]
    rig.advance(1)
    rig.dtmf(call, "2")
    assert rig.times("login") == [0.0]
    return rig


def test_a_login_that_comes_too_soon_is_put_off_and_not_lost() -> None:
    """SIG-077: nothing else need be refused for it."""
    rig = refused_again()
    rig.advance(60)
    assert rig.times("login") == [0.0, 10.0]


def test_a_login_of_the_application_is_the_one_that_was_put_off() -> None:
    """SIG-077, SIG-245: single flight."""
    rig = refused_again()
    rig.advance(1)
    rig.login({})
    rig.advance(60)
    assert rig.times("login") == [0.0, 2.0]


def test_a_new_socket_logs_in_by_itself() -> None:
    """SIG-077, SIG-085: what was put off was for the old one."""
    rig = refused_again()
    rig.lose()
    rig.ready()
    rig.always("ping", {})
    rig.advance(60)
    assert rig.times("login") == [0.0, 1.0]


@pytest.mark.parametrize("how", ["disconnect", "leave"])
def test_a_session_that_ends_does_not_log_in_any_more(how: str) -> None:
    """SIG-077, SIG-280: nor does it wait for it, behind the good-byes of its calls."""
    rig = refused_again()
    rig.always("bye", {})
    getattr(rig, how)()
    assert rig.state is S.CLOSING
    rig.lose(1000, clean=True)
    assert rig.at_rest
    assert rig.times("login") == [0.0]


def test_the_good_byes_are_not_followed_by_a_login() -> None:
    """SIG-280: the login falls due while the calls say good-bye."""
    rig = refused_again()
    rig.advance(8)
    rig.disconnect()
    rig.advance(2)
    assert rig.times("login") == [0.0]


def test_a_rejection_does_not_outlive_the_login_that_it_answers() -> None:
    """T35, SIG-249: another login is under way when the socket is lost, so the next socket tries it."""
    rig = Rig()
    rig.connect()
    rig.login({"login_token": "another.made.up"})
    rig.login_refused()
    assert rig.state is S.LOGGING_IN
    rig.lose()
    assert rig.state is S.BACKOFF
