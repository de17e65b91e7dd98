"""Logins, sessions and gateway states."""

import base64
import json
from typing import Any

import pytest

from telnyx_core.errors import OptionsError
from telnyx_core.gateway import Assistant, GatewayOptions, Limits, Quirks
from telnyx_core.gateway.auth import token_expiry
from telnyx_core.gateway.events import ClientConnected, ClientLoggedIn, LoginRefused, StateTold
from tests.gateway.rig import WALL, Rig

USERS = {"alice": "secret", "bob": "hush"}


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def test_a_login_gives_a_session_and_a_routing_token() -> None:
    """SIG-118, SIG-057: `sessid` in the result, `voice_sdk_id` beside it; clientReady follows unasked (SIG-135)."""
    rig = Rig()
    client = rig.connect()
    reply = client.request("login", {"login": "alice", "passwd": "secret", "reconnection": False})
    assert reply is not None
    assert reply["result"]["message"] == "logged in"
    assert reply["voice_sdk_id"].startswith("VSDK")
    (ready,) = client.pushed("telnyx_rtc.clientReady")
    assert ready["params"] == {"reattached_sessions": []}
    assert isinstance(ready["id"], int)
    assert ready["voice_sdk_id"] == reply["voice_sdk_id"]


def test_who_is_connected_can_be_seen() -> None:
    rig = Rig()
    first, stranger, bob, second = rig.client("alice"), rig.connect(), rig.client("bob"), rig.client("alice")
    assert rig.core.sockets() == [first.socket, stranger.socket, bob.socket, second.socket]
    assert rig.core.sockets("alice") == [first.socket, second.socket]
    assert rig.core.sockets("nobody") == []
    assert rig.core.session_id(bob.socket) == bob.sessid
    assert rig.core.session_id(stranger.socket) is None
    bob.lose()
    assert rig.core.session_id(bob.socket) is None


def test_a_wrong_password_is_refused_and_the_socket_stays_usable() -> None:
    """SRV-030."""
    rig = Rig()
    client = rig.connect()
    assert client.refused("login", {"login": "alice", "passwd": "wrong"})["code"] == -32001
    assert client.closed is None
    assert rig.told(LoginRefused)[0].user == "alice"
    client.login()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"login": "alice"},
        {"login": "nobody"},
        {"passwd": "secret"},
        {"login": "nobody", "passwd": "secret"},
        {"login": "alice", "passwd": None},
        {"login": 7, "passwd": "secret"},
        {"login_token": "unknown"},
        {"login_token": "unknown", "login": "alice", "passwd": "secret"},
    ],
)
def test_logins_that_prove_nothing_are_refused(params: dict[str, Any]) -> None:
    """The token is preferred (SIG-111): a good password beside a bad token does not help."""
    assert Rig().connect().refused("login", params)["code"] == -32001


def test_the_login_event_carries_no_secret() -> None:
    rig = Rig(GatewayOptions(users=USERS, tokens={"t0k3n": "bob"}))
    rig.connect().login("alice", "secret")
    rig.connect().ask("login", {"login_token": "t0k3n"})
    first, second = rig.told(ClientLoggedIn)
    assert (first.user, second.user) == ("alice", "bob")
    assert first.params == {"login": "alice"}
    assert second.params == {}
    assert "secret" not in repr(rig.core.options)
    assert "t0k3n" not in repr(rig.core.options)


@pytest.mark.parametrize(
    "method",
    [
        "telnyx_rtc.gatewayState",
        "telnyx_rtc.ping",
        "telnyx_rtc.invite",
        "telnyx_rtc.bye",
        "ai_conversation",
        "telnyx_rtc.subscribe",
        "nonsense",
    ],
)
def test_before_a_login_everything_needs_authentication(method: str) -> None:
    """SRV-030, SIG-132: also a ping."""
    error = Rig().connect().refused(method)
    assert (error["code"], error["message"]) == (-32000, "Authentication Required")


def test_an_error_carries_no_routing_token() -> None:
    """The frame of SIG-077."""
    client = Rig().client()
    client.request("nonsense")
    assert "voice_sdk_id" not in client.take()[-1]


def test_tokens_name_their_users() -> None:
    options = GatewayOptions(tokens={"tok": "bob"}, token_user=lambda token: token.removeprefix("for-") or None)
    rig = Rig(options)
    rig.connect().ask("login", {"login_token": "tok"})
    rig.connect().ask("login", {"login_token": "for-carol"})
    assert [event.user for event in rig.told(ClientLoggedIn)] == ["bob", "carol"]


def test_an_expired_token_is_refused_where_expiry_counts() -> None:
    late, good, forever = jwt(exp=WALL + 50), jwt(exp=WALL + 500), jwt(sub="x")
    tokens = {late: "alice", good: "alice", forever: "alice"}
    strict, lax = Rig(GatewayOptions(tokens=tokens, respect_token_expiry=True)), Rig(GatewayOptions(tokens=tokens))
    assert strict.connect().refused("login", {"login_token": late})["message"] == "JWT token authentication failed"
    strict.connect().ask("login", {"login_token": good})
    strict.connect().ask("login", {"login_token": forever})
    lax.connect().ask("login", {"login_token": late})


def test_time_passes_for_a_token_while_its_socket_is_open() -> None:
    token = jwt(exp=WALL + 160)
    rig = Rig(GatewayOptions(tokens={token: "alice"}, respect_token_expiry=True))
    client = rig.connect()
    client.ask("login", {"login_token": token})
    rig.wait(70)
    assert client.refused("login", {"login_token": token})["code"] == -32001


@pytest.mark.parametrize(
    ("token", "expiry"),
    [
        (jwt(exp=12), 12.0),
        (jwt(exp=12.5, more="~~~???"), 12.5),
        (jwt(), None),
        (jwt(exp=True), None),
        (jwt(exp="12"), None),
        ("a.b", None),
        ("a.!.c", None),
        ("a.W10.c", None),
        ("a.eyJ.c", None),
        ("not a token", None),
    ],
)
def test_the_expiry_of_a_token(token: str, expiry: float | None) -> None:
    assert token_expiry(token) == expiry


def test_tokens_can_be_expired_by_command() -> None:
    rig = Rig(GatewayOptions(tokens={"a": "alice", "b": "bob"}))
    rig.command("expire_tokens", "a")
    assert rig.connect().refused("login", {"login_token": "a"})["code"] == -32001
    rig.connect().ask("login", {"login_token": "b"})
    rig.command("expire_tokens")
    assert rig.connect().refused("login", {"login_token": "b"})["code"] == -32001


def test_anonymous_login_needs_a_known_assistant() -> None:
    """SIG-122."""
    rig = Rig(GatewayOptions(assistants={"assistant-1": Assistant()}))
    target = {"target_type": "ai_assistant", "target_id": "assistant-1", "target_params": {"conversation_id": "c"}}
    client = rig.connect()
    assert client.refused("anonymous_login", {**target, "target_id": "other"})["code"] == -32001
    assert client.refused("anonymous_login", {**target, "target_type": "human"})["code"] == -32001
    assert client.refused("anonymous_login", {})["code"] == -32001
    assert client.ask("anonymous_login", target)["message"] == "logged in"
    assert rig.told(ClientLoggedIn)[0].params["target_params"] == {"conversation_id": "c"}


def test_a_state_request_is_told_region_and_report_id() -> None:
    """SIG-125, SIG-127."""
    rig = Rig(GatewayOptions(users=USERS, region="eu", dc="fr5"))
    client = rig.client()
    result = client.ask("telnyx_rtc.gatewayState")
    assert result["sessid"] == client.sessid
    assert result["params"]["state"] == "REGED"
    assert (result["params"]["region"], result["params"]["dc"]) == ("eu", "fr5")
    assert result["params"]["call_report_id"] == client.ask("telnyx_rtc.gatewayState")["params"]["call_report_id"]


def test_the_registration_script_is_followed_and_its_last_state_stays() -> None:
    rig = Rig(GatewayOptions(users=USERS, registration=("NOREG", "TRYING", "REGED")))
    client = rig.client()
    results = [client.ask("telnyx_rtc.gatewayState")["params"] for _ in range(4)]
    assert [result["state"] for result in results] == ["NOREG", "TRYING", "REGED", "REGED"]
    assert results[0] == {"state": "NOREG"}
    assert [event.state for event in rig.told(StateTold)] == ["NOREG", "TRYING", "REGED", "REGED"]
    assert {event.user for event in rig.told(StateTold)} == {"alice"}
    # The script begins again with the next login.
    assert rig.client().ask("telnyx_rtc.gatewayState")["params"]["state"] == "NOREG"


def test_states_are_pushed_on_schedule_and_on_command() -> None:
    """SIG-125: a push is a request with an integer id; what was pushed last is also the answer."""
    rig = Rig(GatewayOptions(users=USERS, registration=("UNREGED",), push_states=((2.0, "TRYING"), (5.0, "REGED"))))
    client = rig.client()
    rig.wait(2)
    assert [frame["params"] for frame in client.pushed("telnyx_rtc.gatewayState")] == [{"state": "TRYING"}]
    rig.wait(3)
    assert client.pushed("telnyx_rtc.gatewayState")[1]["params"]["state"] == "REGED"
    assert client.ask("telnyx_rtc.gatewayState")["params"]["state"] == "REGED"
    rig.command("push_state", client.socket, "FAIL_WAIT")
    assert client.pushed("telnyx_rtc.gatewayState")[2]["params"] == {"state": "FAIL_WAIT"}
    assert [event.state for event in rig.told(StateTold)] == ["TRYING", "REGED", "REGED", "FAIL_WAIT"]
    assert client.ask("telnyx_rtc.gatewayState")["params"]["state"] == "FAIL_WAIT"


def test_a_scheduled_push_dies_with_its_socket() -> None:
    rig = Rig(GatewayOptions(users=USERS, push_states=((2.0, "TRYING"),), ping_interval=None, reattach_window=1))
    rig.client().lose()
    rig.wait(1)
    assert rig.core.next_timeout() is None


def test_a_client_may_choose_its_session_id() -> None:
    """SIG-115: mobile clients do, always."""
    rig = Rig()
    assert rig.connect().login(sessid="mine")["sessid"] == "mine"


def test_a_session_is_resumed_under_its_id_with_its_token() -> None:
    rig = Rig()
    client = rig.client()
    token = client.frames[0]["voice_sdk_id"]
    client.lose()
    again = rig.connect(f"/?voice_sdk_id={token}")
    assert again.login(sessid=client.sessid, reconnection=True)["sessid"] == client.sessid
    assert again.frames[0]["voice_sdk_id"] == token
    assert [event.resumed for event in rig.told(ClientLoggedIn)] == [False, True]
    assert rig.told(ClientConnected)[1].query == {"voice_sdk_id": token}


def test_another_node_has_another_token() -> None:
    """SIG-016: `skip_last_voice_sdk_id` asks for one."""
    rig = Rig()
    client = rig.client()
    client.lose()
    again = rig.connect(f"/?voice_sdk_id={client.frames[0]['voice_sdk_id']}&skip_last_voice_sdk_id=true")
    again.login(sessid=client.sessid)
    assert again.frames[0]["voice_sdk_id"] != client.frames[0]["voice_sdk_id"]


def test_somebody_elses_session_is_not_given_away() -> None:
    """SIG-598."""
    rig = Rig()
    alice = rig.client("alice")
    error = rig.connect().refused("login", {"login": "bob", "passwd": "hush", "sessid": alice.sessid})
    assert (error["code"], error["message"]) == (-32001, "Session in use")
    assert alice.closed is None


def test_a_second_socket_of_a_session_punts_the_first() -> None:
    """SRV-024: `punt`, then 1000."""
    rig = Rig()
    first = rig.client()
    second = rig.connect()
    assert second.login(sessid=first.sessid)["sessid"] == first.sessid
    assert first.take()[-1]["method"] == "telnyx_rtc.punt"
    assert first.closed is not None
    assert first.closed[0] == 1000
    assert second.closed is None


def test_a_token_is_refreshed_on_a_live_socket() -> None:
    """The login of a live socket (SIG-592): same session, clientReady again, nobody is punted."""
    rig = Rig()
    client = rig.client()
    assert client.login(sessid=client.sessid, reconnection=True)["sessid"] == client.sessid
    assert [frame.get("method") for frame in client.take()] == [None, "telnyx_rtc.clientReady"]
    assert client.closed is None


def test_a_login_without_the_session_id_starts_anew() -> None:
    rig = Rig()
    client = rig.client()
    assert client.ask("login", {"login": "alice", "passwd": "secret"})["sessid"] != client.sessid


def test_a_session_id_that_is_too_long_is_not_adopted() -> None:
    assert len(Rig().connect().login(sessid="x" * 300)["sessid"]) == 36


def test_too_many_sockets_are_turned_away() -> None:
    rig = Rig(GatewayOptions(users=USERS, limits=Limits(sockets=2)))
    rig.client()
    rig.client()
    third = rig.connect()
    assert third.closed is not None
    assert third.closed[0] == 1013
    third.send('{"id":1,"method":"telnyx_rtc.ping"}')
    assert third.texts == []
    assert len(rig.core.sockets()) == 2


def test_remembered_sessions_are_bounded() -> None:
    rig = Rig(GatewayOptions(users=USERS, limits=Limits(sockets=3)))
    client = rig.client()
    call = client.invite("echo")
    assert rig.core.calls.keys() == {call}
    for number in range(20):
        client.login(sessid=f"s{number}")
    assert len(list(rig.core._sessions)) <= 6
    assert rig.core.session_id(client.socket) == "s19"
    assert rig.core.calls == {}, "its session was among those that are forgotten"
    assert rig.peers == {}


@pytest.mark.parametrize(
    "quirks",
    [Quirks(), Quirks(echo_ping=True), Quirks(silent_on_ping=True)],
    ids=["result", "echo", "silence"],
)
def test_what_a_client_gets_for_its_ping(quirks: Quirks) -> None:
    """SIG-133, SIG-065, SIG-131."""
    rig = Rig(GatewayOptions(users=USERS, quirks=quirks))
    client = rig.client()
    client.request("telnyx_rtc.ping", ident="p1")
    frames = client.take()
    if quirks.silent_on_ping:
        assert frames == []
    elif quirks.echo_ping:
        assert frames == [{"jsonrpc": "2.0", "id": "p1", "method": "telnyx_rtc.ping", "params": {}}]
    else:
        assert frames[0]["result"]["message"] == "PONG"


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(OptionsError):
        GatewayOptions(registration=())
    with pytest.raises(OptionsError):
        GatewayOptions(reattach_window=-1)
    with pytest.raises(OptionsError):
        GatewayOptions(ping_interval=0)
    with pytest.raises(OptionsError):
        GatewayOptions(push_states=((-1.0, "REGED"),))
