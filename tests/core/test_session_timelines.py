"""The reference timelines: signaling.md section 10, r = 0.5, zero network delay, times in seconds."""

import base64
import json
from collections.abc import Iterable

import pytest

from telnyx_core.actions import Action, CloseSocket, Notify, OpenSocket
from telnyx_core.events import ErrorRaised, WarningRaised
from telnyx_core.facts import Fact, SocketClosed
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import EPOCH, Rig

S = SessionState


def heard(rig: Rig) -> list[tuple[float, int]]:
    """Errors and warnings with their times."""
    return [
        (at, action.event.code)
        for at, action in rig.timeline
        if isinstance(action, Notify) and isinstance(action.event, ErrorRaised | WarningRaised)
    ]


def opened(rig: Rig) -> list[float]:
    return [at for at, action in rig.timeline if isinstance(action, OpenSocket)]


def closing(rig: Rig) -> list[float]:
    return [at for at, action in rig.timeline if isinstance(action, CloseSocket)]


def refuse(action: Action) -> Iterable[Fact]:
    """A server that refuses every connection."""
    if isinstance(action, OpenSocket):
        yield SocketClosed(action.socket, 1006, "", clean=False, error="connection refused")


def test_sig_600_credentials_that_never_register() -> None:
    rig = Rig(r=0.5)
    rig.connect()
    rig.always("gatewayState", {"params": {"state": "NOREG"}})
    rig.login_ok()
    rig.client_ready()
    rig.always("ping", {})
    rig.advance(20)
    assert rig.times("gatewayState") == [0.0, 4.0, 8.0, 12.0, 16.0]
    assert heard(rig) == [(16.0, 46001)]
    assert len(rig.frames("login")) == 1


def test_sig_601_a_server_that_refuses_every_connection() -> None:
    rig = Rig(r=0.5)
    rig.reflex = refuse
    rig.ask_to_connect()
    rig.advance(1_000)
    assert opened(rig) == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0, 121.0, 151.0, 181.0]
    assert heard(rig) == [(at, 45002) for at in opened(rig)] + [(181.0, 45003)]
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)


@pytest.mark.parametrize("closes", [True, False])
def test_sig_602_silence_from_the_moment_the_socket_opened(closes: bool) -> None:
    rig = Rig.registered(r=0.5)
    rig.advance(12)
    assert rig.times("ping") == [4.0]
    assert heard(rig) == [(12.0, 36003)]
    if closes:
        rig.lose(1000)
    rig.wait_for(S.CONNECTING)
    assert opened(rig) == [13.0 if closes else 14.0]


def test_sig_603_a_server_that_pings_and_answers_nothing() -> None:
    rig = Rig.registered(r=0.5)
    for _ in range(5):
        rig.advance(3)
        rig.say("noise")
    rig.request("ping")
    for _ in range(10):
        rig.advance(1)
        if rig.session.connected:
            rig.say("noise")
    assert rig.times("ping") == [15.0]
    assert heard(rig) == [(25.0, 36003)]


def test_sig_604_foreign_traffic_and_no_answer() -> None:
    rig = Rig.registered(r=0.5)
    while rig.now < 55:
        rig.advance(1)
        rig.request("event", eventChannel="x")
    assert rig.times("ping") == [45.0]
    assert heard(rig) == [(55.0, 36003)]


def test_sig_605_an_idle_socket() -> None:
    """The probe precedes the keepalive, and makes it unnecessary."""
    rig = Rig.registered(r=0.5)
    rig.always("ping", {"message": "PONG"})
    rig.advance(84)
    assert rig.times("ping") == [4.0 * number for number in range(1, 22)]


def test_sig_606_a_gateway_that_fails_after_every_registration() -> None:
    rig = Rig.registered(r=0.5)
    rig.always("ping", {})
    rig.gateway("FAIL_WAIT")
    for _ in range(4):
        rig.wait_for(S.CLOSING)
        rig.lose(1000)
        rig.wait_for(S.CONNECTING)
        rig.open()
        rig.login_ok()
        rig.gateway("FAIL_WAIT")
    # attempts 1 to 4, back-off 1, 2, 4, 8; each failure waits 4 s
    assert closing(rig) == [4.0, 9.0, 15.0, 23.0, 31.0]
    assert opened(rig) == [5.0, 11.0, 19.0, 31.0]
    assert heard(rig) == [(0.0, 45004), (5.0, 45004), (11.0, 45004), (19.0, 45004), (31.0, 45004), (31.0, 45003)]
    rig.lose(1000)
    assert (rig.state, rig.at_rest) == (S.EXHAUSTED, True)


@pytest.mark.parametrize(("left", "warned"), [(600, [(480.0, 34001)]), (100, [(0.0, 34001)]), (-1, [])])
def test_sig_607_the_end_of_a_token(left: int, warned: list[tuple[float, int]]) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": EPOCH + left}).encode()).rstrip(b"=").decode()
    rig = Rig(r=0.5, login_token=f"header.{claims}.signature")
    rig.always("ping", {})
    rig.ready()
    rig.advance(700)
    assert heard(rig) == warned


def test_sig_608_the_network_is_cut_during_a_call() -> None:
    """With a live call the first attempt is immediate (a decided improvement): at 6, for a socket that is silent
    anyway is not waited for. Then at most 5 s apart (PS-003).
    """
    rig = Rig.registered(r=0.5)
    call = rig.outbound("active")
    rig.peer("connected", call)
    rig.clear()
    rig.network("offline")
    assert rig.times("ping") == [0.0]
    rig.advance(5)
    assert heard(rig) == [(0.0, 48001), (5.0, 36003)]
    rig.advance(0.9)
    rig.reflex = refuse
    rig.advance(42 - rig.now)
    assert opened(rig)[:5] == [6.0, 7.0, 9.0, 13.0, pytest.approx(17.375)]
    tried = len(opened(rig))
    rig.reflex = None
    rig.network("online")
    assert opened(rig)[tried:] == [42.0]
    rig.open()
    assert rig.params("login")["sessid"] == "session-1"
    rig.login_ok("session-1")
    rig.attach(call)
    rig.client_ready(call)
    rig.describe_answer(call)
    rig.reply("attach")
    rig.gateway()
    assert rig.states(call) == ["recovering", "active"]


def test_sig_609_disconnect_with_two_calls_and_a_silent_server() -> None:
    rig = Rig.registered(r=0.5)
    calls = [rig.outbound("active"), rig.outbound("active")]
    rig.clear()
    rig.disconnect()
    rig.advance(20)
    assert rig.times("bye") == [0.0, 0.0]
    assert closing(rig) == [5.0]
    assert [rig.states(call) for call in calls] == [["purge", "hangup", "destroy"]] * 2
    assert (rig.state, rig.at_rest, heard(rig)) == (S.IDLE, True, [])
