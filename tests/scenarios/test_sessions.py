"""Sessions over their lives: punts, logins, tokens, restarts of the process (signaling.md 4.5 to 4.13, 5.3)."""

import base64
import json

import pytest
from attrs import evolve

from telnyx_core.actions import Done, Failed
from telnyx_core.errors import InvalidCredentials
from telnyx_core.events import CallUpdated, Cause, Ready, SessionClosed, SocketClose, WarningRaised
from telnyx_core.gateway import Fault, Refuse
from telnyx_core.options import ClientOptions
from telnyx_core.states import SessionState
from telnyx_core.testing import ALICE, EPOCH, WONDERLAND, Connecting, Sim
from tests.scenarios.story import (
    ACTIVE,
    HELD,
    KEEPING,
    RECOVERING,
    at_the_phone,
    call_and_talk,
    ended,
    nothing_left,
    talking,
)


def jwt(expires_in: float) -> str:
    body = json.dumps({"exp": EPOCH + expires_in, "sub": "alice"}).encode()
    return ".".join(["h", base64.urlsafe_b64encode(body).decode().rstrip("="), "s"])


def with_token(token: str) -> ClientOptions:
    return ClientOptions(login_token=token, env="wss://gateway.test", ice_servers=())


# Punt.


def test_a_punt_with_a_call_that_is_kept() -> None:
    """SIG-291, SIG-543: only the socket goes, and the ack was sent before."""
    sim, alice, call = talking(options=KEEPING)
    sim.gateway.punt(alice.wire.far_socket, now=sim.now)
    sim.run(10)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)
    assert alice.state is SessionState.READY


def test_a_punt_with_a_call_that_is_not_kept() -> None:
    """SIG-291, CALL-371: the call ends without BYE, 36005 `server_punt`, and nothing is tried again."""
    sim, alice, call = talking()
    sim.gateway.punt(alice.wire.far_socket, now=sim.now)
    sim.run(60)
    assert ended(alice, call)
    assert alice.cause_of(call) == Cause("NORMAL_TEMPORARY_FAILURE", 41)
    assert alice.requests("telnyx_rtc.bye") == []
    assert alice.state is SessionState.IDLE
    (warning,) = alice.all_of(WarningRaised)
    assert (warning.code, warning.details["reason"]) == (36005, "server_punt")
    alice.ledger.at_rest()


def test_a_second_punt_within_a_minute_is_final() -> None:
    """SIG-472: two clients of one session must not evict each other for ever."""
    sim, alice, call = talking(options=KEEPING)
    sim.gateway.punt(alice.wire.far_socket, now=sim.now)
    sim.run(10)
    assert alice.state_of(call) is ACTIVE
    sim.gateway.punt(alice.wire.far_socket, now=sim.now)
    sim.run(60)
    assert ended(alice, call)
    assert alice.state is SessionState.IDLE


def test_a_second_punt_after_a_minute_is_survived() -> None:
    sim, alice, call = talking(options=KEEPING)
    for _ in range(3):
        sim.gateway.punt(alice.wire.far_socket, now=sim.now)
        sim.run(70)
        assert alice.state_of(call) is ACTIVE
        assert sim.media_flows(call)


def test_after_a_punt_the_next_login_is_another_session() -> None:
    """SIG-291: the session id and the token are erased."""
    sim, alice = at_the_phone()
    sim.gateway.punt(alice.wire.far_socket, now=sim.now)
    sim.run(5)
    alice.connect()
    sim.run(5)
    assert alice.state is SessionState.READY
    assert "sessid" not in alice.requests("login")[1]
    assert "voice_sdk_id" not in alice.urls[1]


# Logging in.


def test_a_wrong_password() -> None:
    """T10, PS-013: refused three times, 46001; the socket waits for better credentials, which work on it (T27)."""
    sim = Sim(evolve(ALICE, password="looking-glass"))
    alice = sim.client
    alice.connect()
    sim.run(5)
    assert alice.state is SessionState.AUTH_FAILED
    assert alice.errors() == [46001]
    tried = len(alice.all_of(SocketClose))
    assert tried == 2
    ticket = alice.login({"password": "wonderland"})
    sim.run(2)
    assert isinstance(alice.outcomes[ticket], Done)
    assert alice.state is SessionState.READY
    assert len(alice.all_of(SocketClose)) == tried


def test_credentials_that_make_no_set_are_refused_and_change_nothing() -> None:
    """SIG-247."""
    sim, alice = at_the_phone(strict=True)
    with pytest.raises(InvalidCredentials):
        alice.login({"login_token": "t", "password": "p"})
    sim.run(5)
    assert len(alice.requests("login")) == 1


def test_a_new_token_on_a_live_socket_during_a_call() -> None:
    """SIG-245, SIG-249: nothing is interrupted."""
    world = evolve(WONDERLAND, tokens={"first": "alice", "second": "alice"})
    sim = Sim(with_token("first"), gateway=world)
    alice = sim.ready()
    call = call_and_talk(sim, alice)
    ticket = alice.login({"login_token": "second"})
    sim.run(2)
    assert isinstance(alice.outcomes[ticket], Done)
    assert alice.state is SessionState.READY
    assert alice.state_of(call) is ACTIVE
    assert len(alice.all_of(Ready)) == 1
    assert alice.requests("login")[1]["sessid"] == alice.session.session_id


def test_a_new_token_that_is_no_good_during_a_call() -> None:
    """T27b: 46001 and the ticket fails; the session and the call stay."""
    sim, alice, call = talking()
    ticket = alice.login({"login": "alice", "password": "nonsense"})
    sim.run(2)
    assert isinstance(alice.outcomes[ticket], Failed)
    assert alice.errors() == [46001]
    assert alice.state is SessionState.READY
    assert alice.state_of(call) is ACTIVE


def test_three_logins_at_once_are_one_after_the_other() -> None:
    """SIG-249."""
    sim, alice = at_the_phone()
    tickets = [alice.login({"password": "wonderland"}) for _ in range(3)]
    sim.run(2)
    assert all(isinstance(alice.outcomes[ticket], Done) for ticket in tickets)
    assert alice.state is SessionState.READY


def test_the_token_is_about_to_expire() -> None:
    """SIG-607: 600 s left, 34001 at 480 s; and a new token sets a new deadline."""
    token = jwt(600)
    sim = Sim(with_token(token), gateway=evolve(WONDERLAND, token_user=lambda _: "alice"))
    alice = sim.ready()
    sim.run(479 - sim.now)
    assert alice.warnings() == []
    sim.run(2)
    assert alice.warnings() == [34001]
    alice.login({"login_token": jwt(3600)})
    sim.run(1000)
    assert alice.warnings() == [34001]


def test_the_warning_survives_a_lost_socket() -> None:
    """SIG-252."""
    sim = Sim(with_token(jwt(600)), gateway=evolve(WONDERLAND, token_user=lambda _: "alice"))
    alice = sim.ready()
    sim.run(100)
    alice.wire.drop()
    sim.run(400)
    assert alice.warnings() == [34001]


def test_the_token_has_expired_when_the_socket_is_lost() -> None:
    """SIG-253, SIG-218: refused three times, for a refusal may be passing; then 46001, and no more."""
    world = evolve(WONDERLAND, token_user=lambda _: "alice", respect_token_expiry=True)
    sim = Sim(with_token(jwt(300)), gateway=world)
    alice = sim.ready()
    call = call_and_talk(sim, alice)
    sim.run(400)
    assert alice.state_of(call) is ACTIVE
    alice.wire.drop()
    sim.run(60)
    assert alice.state is SessionState.AUTH_FAILED
    assert alice.errors().count(46001) == 1
    assert len(alice.requests("login")) == 4
    sim.run(200)
    alice.wire.drop()
    sim.run(60)
    assert ended(alice, call)


def test_the_server_forgets_that_we_are_logged_in() -> None:
    """SIG-077: -32000 on a request: one new login on this socket, whatever else fails meanwhile."""
    sim, alice, call = talking()
    refusal = Fault(do=Refuse(code=-32000, message="Authentication Required"), method="telnyx_rtc.info", nth=None)
    sim.gateway.add_fault(refusal, now=sim.now)
    tickets = [alice.dtmf(call, digit) for digit in "123"]
    sim.run(2)
    assert all(isinstance(alice.outcomes[ticket], Failed) for ticket in tickets)
    assert len(alice.requests("login")) == 2
    assert alice.state is SessionState.READY
    assert alice.state_of(call) is ACTIVE


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("code", [-32001, -32000])
def test_a_first_login_that_is_refused_in_passing(code: int, times: int) -> None:
    """PS-013: "may be passing (a fresh telephony credential takes seconds to spread): close, skip the node, at most two
    more tries, not fatal meanwhile"."""
    refuse = Refuse(code=code, message="LOGIN incorrect")
    refusals = tuple(Fault(do=refuse, method="login", nth=nth + 1) for nth in range(times))
    sim = Sim(gateway=evolve(WONDERLAND, faults=refusals))
    sim.client.connect()
    sim.run(6)
    assert sim.client.state is SessionState.READY
    assert sim.client.errors() == []
    assert len(sim.client.requests("login")) == times + 1


def test_a_server_that_wants_a_login_before_the_login() -> None:
    """SIG-533, PS-013: one login on each of three sockets, no loop."""
    world = evolve(WONDERLAND, faults=(Fault(do=Refuse(code=-32000, message="no"), method="login", nth=None),))
    sim = Sim(gateway=world)
    sim.client.connect()
    sim.run(60)
    assert len(sim.client.requests("login")) == 3
    assert sim.client.state is SessionState.AUTH_FAILED


def test_another_user_logs_in_on_the_same_socket() -> None:
    """SIG-235, SIG-245."""
    sim, alice = at_the_phone()
    ticket = alice.login({"login": "bob", "password": "builder"})
    sim.run(2)
    outcome = alice.outcomes[ticket]
    assert isinstance(outcome, Done | Failed)
    assert alice.state is SessionState.READY


# Leaving and coming back.


def test_disconnect_and_connect_again() -> None:
    """SIG-235, SIG-281: a new session; disconnecting twice is disconnecting once."""
    sim, alice, call = talking()
    alice.disconnect()
    alice.disconnect()
    sim.run(5)
    assert ended(alice, call)
    assert len(alice.all_of(SessionClosed)) == 1
    nothing_left(sim)
    alice.connect()
    sim.run(5)
    assert alice.state is SessionState.READY
    assert "sessid" not in alice.requests("login")[1]
    call_and_talk(sim, alice)


def test_disconnect_before_connect() -> None:
    """SIG-281."""
    sim = Sim()
    sim.client.disconnect()
    sim.run(5)
    assert sim.client.events == []
    nothing_left(sim)


def test_connecting_twice_opens_one_socket() -> None:
    """T03."""
    sim = Sim()
    sim.client.connect()
    sim.client.connect()
    sim.run(5)
    sim.client.connect()
    sim.run(5)
    assert len(sim.client.urls) == 1


def test_an_outage_of_ten_minutes() -> None:
    """SIG-589: failed attempts do not renew the session's freshness."""
    sim, alice = at_the_phone(evolve(ALICE, max_reconnect_attempts=0))
    alice.wire.connecting = Connecting.REFUSED
    alice.wire.drop()
    sim.run(600)
    alice.wire.heal()
    sim.run(60)
    assert alice.state is SessionState.READY
    assert "sessid" not in alice.requests("login")[-1]
    assert alice.requests("login")[-1]["reconnection"] is True


# A process that dies and comes back.


@pytest.mark.parametrize("held", [False, True], ids=["active", "held"])
def test_the_process_restarts_and_remembers(held: bool) -> None:
    """SIG-316, SIG-342, CALL-533: the call is offered again and taken up, held if it was."""
    sim, alice, call = talking()
    if held:
        alice.hold(call)
        sim.run(1)
    again = sim.restart()
    sim.ready()
    sim.run(5)
    assert again.state_of(call) is (HELD if held else ACTIVE)
    assert again.states(call)[0] is RECOVERING
    assert sim.media_flows(call)
    assert again.told_of(call).recovered_call_id == call
    assert again.requests("login")[0]["reconnection"] is True
    again.hangup(call)
    sim.run(1)
    assert ended(again, call)
    assert not sim.gateway.calls


def test_the_process_dies_between_a_hold_and_its_reply() -> None:
    """CALL-533: the new one takes the call for active, and says so: it does not stay silent over there."""
    sim, alice, call = talking()
    alice.hold(call)
    sim.run(0.03)
    assert sim.gateway.calls[call].held
    again = sim.restart()
    sim.ready()
    sim.run(5)
    assert again.state_of(call) is ACTIVE
    assert not sim.gateway.calls[call].held


def test_the_process_restarts_and_has_forgotten() -> None:
    """Without a store there is nothing to come back to; the server's patience ends."""
    sim, _, _ = talking()
    again = sim.restart(forgets=True)
    sim.ready()
    sim.run(120)
    assert again.all_of(CallUpdated) == []
    assert not sim.gateway.calls


def test_the_process_restarts_too_late() -> None:
    """SIG-332: the marker names a call that the server no longer has: 48501, and no call."""
    sim, alice, call = talking()
    sim.gateway.hangup(call, now=sim.now)
    remembered = alice.remembered
    again = sim.restart()
    assert again.remembered == remembered
    sim.ready()
    sim.run(5)
    assert again.errors() == [48501]
    assert again.all_of(CallUpdated) == []


def test_the_process_restarts_after_an_hour() -> None:
    """SIG-232, SIG-317: nothing of it is good any more, and nothing is said of it."""
    sim, _, _ = talking()
    sim.run(600)
    again = sim.restart()
    sim.run(3600)
    sim.ready()
    sim.run(5)
    assert "sessid" not in again.requests("login")[0]
    assert again.errors() == []


def test_the_process_restarts_with_two_calls() -> None:
    """Both were marked, both are offered, both are taken up."""
    sim, alice, first = talking()
    second = call_and_talk(sim, alice, "tone")
    again = sim.restart()
    sim.ready()
    sim.run(5)
    assert (again.state_of(first), again.state_of(second)) == (ACTIVE, ACTIVE)
    assert sim.media_flows(first)
    assert sim.media_flows(second)


def test_what_is_remembered_holds_no_secret() -> None:
    """SIG-316."""
    _, alice, _ = talking()
    assert "wonderland" not in json.dumps(alice.remembered)
    assert "ice-pwd" not in json.dumps(alice.remembered)


def test_clear_reconnect_token() -> None:
    """SIG-234: from the next socket on."""
    sim, alice = at_the_phone()
    alice.clear_reconnect_token()
    alice.wire.drop()
    sim.run(5)
    assert alice.state is SessionState.READY
    assert "voice_sdk_id" not in alice.urls[1]
    assert "sessid" not in alice.requests("login")[1]


def test_the_same_story_twice_is_the_same_to_the_letter() -> None:
    """Architecture, promise 2: the same seed and the same facts give the same actions."""

    def story() -> list[str]:
        sim, alice, call = talking(seed=7)
        alice.wire.jitter = 0.3
        for _ in range(3):
            alice.wire.drop()
            sim.run(20)
        alice.hangup(call)
        sim.run(5)
        return [f"{at} {action!r}" for at, action in alice.actions] + [frame.text for frame in alice.wire.log]

    assert story() == story()


def test_two_clients_share_nothing() -> None:
    """SIG-297."""
    sim, alice = at_the_phone()
    bob = sim.ready(sim.add_client(evolve(ALICE, login="bob", password="builder")))
    call = call_and_talk(sim, alice)
    bob.wire.drop()
    sim.run(5)
    assert alice.all_of(SocketClose) == []
    assert alice.state_of(call) is ACTIVE
    assert bob.state is SessionState.READY
    assert alice.session.session_id != bob.session.session_id
