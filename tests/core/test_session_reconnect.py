"""Coming back after a loss, closing, disconnecting, being punted: signaling.md 4.6, 4.11 to 4.14."""

from typing import get_args

import pytest

from telnyx_core import Timer
from telnyx_core.actions import AbandonSocket, CloseSocket, OpenSocket
from telnyx_core.errors import NotConnected, OptionsError
from telnyx_core.events import CloseReason, ErrorRaised, SessionClosed, SocketClose, SocketError, SocketOpen
from telnyx_core.facts import NetworkChanged, SocketClosed, SocketOpened
from telnyx_core.options import Region
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import Rig
from tests.inside import hub_of

S = SessionState


def opened_at(rig: Rig) -> list[float]:
    return [at for at, action in rig.timeline if isinstance(action, OpenSocket)]


# 4.6 Automatic reconnection.


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1008, 1011, 4014])
def test_every_close_code_is_a_loss(code: int) -> None:
    """SIG-240, SIG-278: no code changes the behaviour."""
    rig = Rig.registered()
    rig.lose(code, "why", clean=code == 1000)
    assert rig.state is S.BACKOFF
    assert rig.heard_of(SocketClose) == [SocketClose(rig.socket, code, "why", code == 1000)]


@pytest.mark.parametrize("r", [0.0, 0.25, 0.5, 0.75, 0.999])
def test_the_delays_grow_and_are_spread(r: float) -> None:
    """SIG-242: the table; without a live call the first attempt is spread too."""
    rig = Rig(r=r, maxReconnectAttempts=0)
    rig.ask_to_connect()
    rig.clear()
    found: list[float] = []
    for _ in range(8):
        lost = rig.now
        rig.lose(error="refused")
        rig.wait_for(S.CONNECTING)
        found.append(rig.now - lost)
    assert found == pytest.approx([d * (1 + 0.25 * (2 * r - 1)) for d in (1, 2, 4, 8, 16, 30, 30, 30)])


def test_with_a_live_call_the_first_attempt_is_immediate() -> None:
    """A decided improvement on SIG-242: every second of an outage is heard."""
    rig = Rig.registered(r=0.5)
    rig.outbound("active")
    rig.clear()
    rig.lose()
    assert rig.session.next_timeout() == rig.now
    rig.wait_for(S.CONNECTING)
    rig.lose(error="refused")
    rig.wait_for(S.CONNECTING)
    assert opened_at(rig) == [0.0, 1.0]


def test_a_call_that_does_not_survive_the_loss_makes_no_hurry() -> None:
    rig = Rig.registered(r=0.5)
    rig.outbound("requesting")
    rig.lose()
    assert rig.session.next_timeout() == 1.0


def test_an_attempt_is_counted_at_the_loss_and_forgiven_by_reged_alone() -> None:
    """SIG-241, SIG-244, SIG-530: neither an open socket nor a login nor REGISTER forgives."""
    rig = Rig(r=0.5, maxReconnectAttempts=3)
    rig.ask_to_connect()
    for _ in range(3):
        rig.open()
        rig.login_ok()
        rig.gateway("REGISTER")
        rig.lose()
        rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.gateway("REGISTER")
    rig.gateway("REGED")
    rig.lose()
    assert rig.state is S.BACKOFF
    for _ in range(2):
        rig.wait_for(S.CONNECTING)
        rig.lose()
    assert rig.state is S.BACKOFF
    rig.wait_for(S.CONNECTING)
    rig.open()
    rig.login_ok()
    rig.gateway("REGISTER")
    rig.lose()
    assert rig.state is S.EXHAUSTED


def test_disconnect_forgives_the_attempts() -> None:
    """SIG-244."""
    rig = Rig(maxReconnectAttempts=1)
    rig.ask_to_connect()
    rig.lose(error="refused")
    rig.disconnect()
    rig.ask_to_connect()
    rig.lose(error="refused")
    assert rig.state is S.BACKOFF


def test_error_and_close_of_one_socket_are_one_loss() -> None:
    """SIG-243, SIG-545, SIG-424: 45002, the socket's error, the socket's close, in this order."""
    rig = Rig.registered()
    rig.lose(1006, error="reset by peer")
    assert [type(event) for event in rig.events] == [ErrorRaised, SocketError, SocketClose]
    assert rig.heard_of(SocketError) == [SocketError(rig.socket, "reset by peer")]
    (error,) = rig.heard_of(ErrorRaised)
    assert (error.code, error.fatal) == (45002, False)
    rig.wait_for(S.CONNECTING)
    assert len(opened_at(rig)) == 1


@pytest.mark.parametrize("error", ["", "reset by peer"])
def test_with_reconnection_off_there_is_one_warning(error: str) -> None:
    """SIG-545: the reference raises 36005 twice."""
    rig = Rig.registered(autoReconnect=False)
    rig.lose(error=error)
    assert rig.codes.count(36005) == 1


def test_an_intended_close_hides_no_later_warning() -> None:
    """SIG-283, SIG-545."""
    rig = Rig.registered(autoReconnect=False)
    rig.disconnect()
    rig.lose(1000)
    assert 36005 not in rig.codes
    rig.ready()
    rig.lose()
    assert rig.codes.count(36005) == 1


# Connecting takes too long.


def test_an_attempt_has_fifteen_seconds() -> None:
    """SIG-034, SIG-450: then it is abandoned; that no connection came about is told with 45002 (SIG-363)."""
    rig = Rig()
    rig.ask_to_connect()
    rig.advance(14.9)
    assert rig.state is S.CONNECTING
    rig.advance(0.1)
    assert AbandonSocket(rig.socket) in rig.actions
    (close,) = rig.heard_of(SocketClose)
    assert (close.code, close.reason, close.was_clean) == (1006, "CONNECT_TIMEOUT", False)
    assert rig.codes == [45002]
    assert rig.state is S.BACKOFF


# 4.11 Closing.


def test_a_close_has_five_seconds() -> None:
    """SIG-276, SIG-277, SIG-462: then the socket is abandoned and the close is told. That is no error."""
    rig = Rig.registered()
    rig.disconnect()
    rig.clear()
    rig.advance(4.9)
    assert rig.actions == []
    rig.advance(0.1)
    assert AbandonSocket(rig.socket) in rig.actions
    (close,) = rig.heard_of(SocketClose)
    assert (close.code, close.was_clean) == (1006, False)
    assert close.reason.startswith("STUCK_WS_TIMEOUT")
    assert rig.codes == []
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


def test_a_close_that_is_answered_cancels_the_deadline() -> None:
    """SIG-277."""
    rig = Rig.registered()
    rig.disconnect()
    rig.lose(1000)
    rig.clear()
    rig.advance(10)
    assert rig.actions == []


def test_from_the_close_request_on_nothing_more_is_sent() -> None:
    """SIG-276, SIG-257: keepalive and health checks end, and no deadline of a call sends anything."""
    rig = Rig.registered()
    rig.outbound("active")
    rig.peer("failed")
    rig.media_ok()
    rig.describe(complete=False)
    rig.request("ping")
    rig.advance(9.5)
    rig.candidate()
    rig.advance(0.5)
    assert rig.state is S.CLOSING
    rig.clear()
    rig.advance(4.9)
    assert rig.sent == []


@pytest.mark.parametrize("until", ["new", "ringing"])
def test_a_call_that_is_being_set_up_sends_nothing_on_a_closing_socket(until: str) -> None:
    rig = Rig.registered()
    if until == "new":
        rig.dial()
    else:
        call = rig.ring()
        rig.answer(call)
        rig.remote_applied()
    rig.media_ok()
    rig.request("ping")
    rig.advance(10)
    assert rig.state is S.CLOSING
    rig.clear()
    rig.describe()
    assert rig.sent == []


def test_the_application_is_refused_while_the_socket_closes() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("ping")
    rig.advance(10)
    rig.clear()
    with pytest.raises(NotConnected):
        rig.hold(call)
    ticket = rig.hangup(call)
    assert rig.sent == []
    assert ticket in rig.outcomes
    assert rig.states(call) == ["hangup", "destroy"]


# 4.12 disconnect().


def test_disconnect_with_calls_says_good_bye_to_all_of_them_at_once() -> None:
    """SIG-280, CALL-370, CALL-965: state purge, BYEs in parallel, in order of creation; then the socket."""
    rig = Rig.registered()
    calls = [rig.outbound("active"), rig.outbound("ringing"), rig.inbound("ringing")]
    rig.clear()
    rig.disconnect()
    said = [(frame["params"]["dialogParams"]["callID"], frame["params"]["causeCode"]) for frame in rig.frames("bye")]
    assert said == [(calls[0], 16), (calls[1], 17), (calls[2], 17)]
    assert [rig.states(call) for call in calls] == [["purge", "hangup"]] * 3
    assert rig.state is S.READY
    for _ in calls:
        assert rig.state is S.READY
        rig.reply("bye")
    assert rig.state is S.CLOSING
    assert [rig.states(call)[-1] for call in calls] == ["destroy"] * 3
    rig.lose(1000)
    assert (rig.state, rig.at_rest, rig.codes) == (S.IDLE, True, [])


def test_disconnect_waits_five_seconds_for_all_calls_together() -> None:
    """SIG-467."""
    rig = Rig.registered()
    for _ in range(3):
        rig.outbound("active")
    rig.advance(1)
    rig.clear()
    rig.disconnect()
    rig.advance(4.9)
    assert not any(isinstance(action, CloseSocket) for action in rig.actions)
    rig.advance(0.1)
    assert rig.state is S.CLOSING
    assert not rig.session.calls


def test_a_second_disconnect_joins_the_first() -> None:
    """SIG-281: it sends nothing and prolongs nothing."""
    rig = Rig.registered()
    rig.outbound("active")
    rig.disconnect()
    rig.clear()
    rig.advance(3)
    rig.disconnect()
    assert rig.actions == []
    rig.advance(2)
    assert rig.state is S.CLOSING
    rig.disconnect()
    rig.lose(1000)
    assert rig.heard_of(SessionClosed) == [SessionClosed(CloseReason.DISCONNECTED)]


def test_disconnect_in_idle_does_nothing() -> None:
    """SIG-281."""
    rig = Rig()
    rig.disconnect()
    assert (rig.actions, rig.state) == ([], S.IDLE)


def test_disconnect_while_connecting_abandons_the_attempt() -> None:
    """SIG-284: no ``telnyx.socket.open`` may follow."""
    rig = Rig()
    rig.ask_to_connect()
    rig.clear()
    rig.disconnect()
    assert rig.actions[0] == AbandonSocket(rig.socket)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
    rig.tell(SocketOpened(rig.socket, 0.0))
    assert not rig.heard_of(SocketOpen)
    assert rig.events == [SessionClosed(CloseReason.DISCONNECTED)]


def test_disconnect_while_recovering_closes_takes_over_the_close() -> None:
    """A close that was to lead to a reconnection now leads to rest."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.request("ping")
    rig.advance(10)
    assert rig.state is S.CLOSING
    rig.disconnect()
    assert rig.states(call)[-1] == "destroy"
    rig.lose(1006)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
    assert rig.events[-1] == SessionClosed(CloseReason.DISCONNECTED)


def test_disconnect_during_an_outage_ends_the_calls_here() -> None:
    """T30, SIG-310: there is no socket to say it on."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.lose()
    rig.clear()
    rig.disconnect()
    assert rig.states(call) == ["purge", "hangup", "destroy"]
    assert (rig.sent, rig.codes, rig.at_rest) == ([], [], True)


def test_a_socket_that_is_lost_during_the_good_byes_ends_the_disconnect() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.disconnect()
    rig.lose(1006)
    assert rig.states(call)[-1] == "destroy"
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


def test_a_path_that_breaks_during_the_good_byes_is_not_waited_for() -> None:
    """Recovery of the socket would serve nobody: the close comes now, and it stays a disconnect."""
    rig = Rig.registered()
    rig.request("ping")
    rig.advance(8)
    call = rig.outbound("active")
    rig.disconnect()
    rig.advance(2)
    assert rig.state is S.CLOSING
    assert rig.states(call)[-1] == "destroy"
    rig.lose(1006)
    assert rig.state is S.IDLE


def test_a_login_that_is_rejected_during_the_good_byes_changes_no_plan() -> None:
    """It was to be tried again elsewhere (SIG-218); but the application wants to leave."""
    rig = Rig.registered()
    rig.come_back()
    rig.outbound("active")
    rig.gateway("NOREG")
    rig.login({})
    rig.disconnect()
    rig.login_refused()
    rig.advance(20)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)
    assert 45002 not in rig.codes


def test_after_disconnect_no_timer_is_armed_and_nothing_is_opened() -> None:
    """SIG-481, SIG-532."""
    rig = Rig.registered(login_token="eyJh.eyJleHAiOjE5MDAwMDAwMDB9.x")
    assert hub_of(rig.session).timers.is_set(Timer.TOKEN_EXPIRY)
    rig.gateway("NOREG")
    rig.disconnect()
    rig.lose(1000)
    assert rig.session.next_timeout() is None
    assert len(hub_of(rig.session).timers) == 0


def test_a_session_can_be_used_again() -> None:
    rig = Rig.registered()
    for _ in range(3):
        rig.outbound("active")
        rig.disconnect()
        rig.advance(10)
        assert rig.at_rest
        rig.ready()


# 4.13 PUNT.


def test_a_punt_ends_the_calls_without_a_word_and_for_good() -> None:
    """SIG-291, CALL-371, CALL-522: cause 41; acknowledged first."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    ident = rig.request("punt")
    assert rig.sent == [{"jsonrpc": "2.0", "id": ident, "result": {"method": "telnyx_rtc.punt"}}]
    assert rig.states(call) == ["purge", "hangup", "destroy"]
    ended = [event.call.ended for event in rig.events if hasattr(event, "call") and hasattr(event.call, "ended")]
    assert ended[-1] is not None
    assert (ended[-1].cause, ended[-1].cause_code) == ("NORMAL_TEMPORARY_FAILURE", 41)
    rig.lose(1000, clean=True)
    assert rig.codes == [36005]
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


def test_a_punt_with_keep_alive_and_live_media_replaces_the_socket() -> None:
    """SIG-291, SIG-543, CALL-521, CALL-969: acknowledged, closed, reconnected; the call is untouched."""
    rig = Rig.registered(keepConnectionAliveOnSocketClose=True)
    call = rig.outbound("active")
    rig.clear()
    rig.request("punt")
    assert len(rig.acknowledged) == 1
    assert rig.state is S.CLOSING
    assert rig.states(call) == []
    rig.lose(1000, clean=True)
    assert rig.state is S.BACKOFF
    assert rig.codes == []
    assert rig.session.session_id == "session-1"


@pytest.mark.parametrize("why", ["no keep-alive", "no call", "dead peer", "no media yet"])
def test_a_punt_without_live_media_is_final(why: str) -> None:
    rig = Rig.registered(keepConnectionAliveOnSocketClose=why != "no keep-alive")
    if why in ("no keep-alive", "dead peer"):
        rig.outbound("active")
    if why == "dead peer":
        rig.peer("failed")
    if why == "no media yet":
        rig.ring()
    rig.request("punt")
    rig.lose(1000)
    assert rig.state is S.IDLE


@pytest.mark.parametrize(("pause", "final"), [(59.0, True), (60.0, False)])
def test_a_second_punt_within_a_minute_is_final(pause: float, final: bool) -> None:
    """SIG-291, SIG-472: two clients that share a session must not evict each other for ever."""
    rig = Rig.registered(keepConnectionAliveOnSocketClose=True)
    rig.always("ping", {})
    call = rig.outbound("active")
    rig.request("punt")
    rig.come_back(call, code=1000)
    rig.attach(call)
    rig.describe_answer(call)
    rig.reply("attach")
    rig.peer("connected")
    rig.advance(pause)
    rig.clear()
    rig.request("punt")
    rig.lose(1000)
    assert rig.state is (S.IDLE if final else S.BACKOFF)


def test_a_punt_during_the_good_byes_ends_them() -> None:
    rig = Rig.registered(keepConnectionAliveOnSocketClose=True)
    call = rig.outbound("active")
    rig.disconnect()
    rig.request("punt")
    assert rig.states(call)[-1] == "destroy"
    rig.lose(1000)
    assert (rig.state, rig.at_rest) == (S.IDLE, True)


def test_a_punt_before_the_login_is_one_too() -> None:
    rig = Rig()
    rig.connect()
    rig.request("punt")
    rig.lose(1000)
    assert rig.state is S.IDLE
    assert rig.codes == [36005]


# 4.14 One socket at a time.


def test_there_is_never_more_than_one_socket() -> None:
    """SIG-295, SIG-296; the ledger of the rig watches every action."""
    rig = Rig.registered()
    rig.request("ping")
    rig.advance(11)
    order = [type(action) for action in rig.actions if isinstance(action, AbandonSocket | OpenSocket)]
    rig.wait_for(S.CONNECTING)
    assert order == [AbandonSocket]
    assert list(rig.ledger.sockets) == [rig.socket]


# A server that is in trouble.


@pytest.mark.parametrize(("asked", "waited"), [(12.0, 12.0), (0.2, 1.0), (0.0, 1.0), (86_400.0, 300.0)])
def test_a_server_that_says_when_to_come_again_is_obeyed_within_reason(asked: float, waited: float) -> None:
    """RFC 9110 section 10.2.3; never sooner than SIG-242 says."""
    rig = Rig(r=0.5)
    rig.ask_to_connect()
    lost = rig.now
    rig.tell(SocketClosed(rig.socket, 1006, "", clean=False, error="HTTP 503", retry_after=asked))
    rig.wait_for(S.CONNECTING)
    assert rig.now - lost == waited


def test_not_even_a_live_call_or_another_network_makes_it_sooner() -> None:
    rig = Rig.registered(r=0.5)
    rig.outbound("active")
    lost = rig.now
    rig.tell(SocketClosed(rig.socket, 1006, "", clean=False, retry_after=20.0))
    rig.advance(5.0)
    rig.tell(NetworkChanged("path_changed"))
    assert rig.state is S.BACKOFF
    rig.wait_for(S.CONNECTING)
    assert rig.now - lost == 20.0


def test_a_server_that_falls_over_after_each_registration_is_spared() -> None:
    """SIG-244 forgives the attempts, so that 45003 does not come; the pauses grow all the same."""
    rig = Rig(r=0.5)
    pauses: list[float] = []
    for _ in range(8):
        rig.ready()
        rig.advance(2.0)
        lost = rig.now
        rig.lose()
        rig.wait_for(S.CONNECTING)
        pauses.append(rig.now - lost)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_registration_that_lasted_is_forgiven_everything() -> None:
    rig = Rig(r=0.5)
    for lasted in (1.0, 1.0, 31.0):
        rig.ready()
        rig.always("ping")
        rig.advance(lasted)
        lost = rig.now
        rig.lose()
        rig.wait_for(S.CONNECTING)
    assert rig.now - lost == 1.0


@pytest.mark.parametrize("region", get_args(Region))
def test_another_region_takes_the_calls_along(region: str) -> None:
    """PS-047: "us-east, us-central, us-west, ca-central, eu, apac, south-asia". At once, for nothing has failed."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.session.switch_region(region, now=rig.now)
    rig.drain()
    assert rig.state is S.CLOSING
    rig.lose(1000)
    assert rig.state is S.CONNECTING
    assert rig.urls[-1].startswith(f"wss://{region}.rtc.telnyx.com/")
    assert rig.states(call)[-1] == "recovering"
    rig.open()
    assert rig.params("login")["sessid"] == "session-1"


def test_another_region_while_the_socket_is_being_opened() -> None:
    rig = Rig()
    rig.session.connect(now=rig.now)
    rig.drain()
    rig.session.switch_region("eu", now=rig.now)
    rig.drain()
    assert (rig.state, rig.urls[-1]) == (S.CONNECTING, "wss://eu.rtc.telnyx.com/")


def test_what_is_no_region_changes_nothing() -> None:
    rig = Rig.registered()
    with pytest.raises(OptionsError):
        rig.session.switch_region("eu/../", now=rig.now)
    assert (rig.state, rig.session.options.region) == (S.READY, None)


def test_a_region_for_later() -> None:
    rig = Rig()
    rig.session.switch_region("apac", now=rig.now)
    rig.session.connect(now=rig.now)
    rig.drain()
    assert rig.urls == ["wss://apac.rtc.telnyx.com/"]
