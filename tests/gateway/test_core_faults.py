"""Trouble on request, and half-dead sockets."""

from typing import Any

import pytest

from telnyx_core.gateway import Delay, Drop, Duplicate, Fault, Garble, GatewayOptions, Refuse, Swallow
from telnyx_core.gateway.events import Acknowledged, CallStarted, FaultStruck, FrameRejected, LoginRefused
from telnyx_core.gateway.faults import FaultTable
from tests.gateway.rig import Client, Rig

USERS = {"alice": "secret", "bob": "hush"}
STATE = "telnyx_rtc.gatewayState"


def troubled(*faults: Fault) -> Rig:
    return Rig(GatewayOptions(users=USERS, faults=faults, ping_interval=None))


def states(client: Client) -> int:
    """How many replies to state requests came."""
    return sum("state" in frame.get("result", {}).get("params", {}) for frame in client.frames)


def test_a_rule_strikes_its_occurrence_and_no_other() -> None:
    client = troubled(Fault(method=STATE, nth=2, do=Refuse(-32000, "Authentication Required"))).client()
    client.ask(STATE)
    assert client.refused(STATE) == {"code": -32000, "message": "Authentication Required"}
    client.ask(STATE)


def test_a_rule_without_a_number_strikes_always() -> None:
    rig = troubled(Fault(method=STATE, nth=None, do=Refuse(message="no", members={"cause": "X"})))
    client = rig.client()
    for _ in range(3):
        assert client.refused(STATE) == {"code": -32002, "message": "no", "cause": "X"}
    assert [event.fault for event in rig.told(FaultStruck)] == ["Refuse"] * 3


def test_rules_count_by_user_also_before_a_login() -> None:
    rig = troubled(Fault(method="login", user="bob", nth=1, do=Refuse(-32001, "Login Incorrect")))
    rig.client("alice")
    bob = rig.connect()
    assert bob.refused("login", {"login": "bob", "passwd": "hush"})["code"] == -32001
    bob.login("bob", "hush")


def test_rules_know_the_user_of_every_request() -> None:
    rig = troubled(
        Fault(method=STATE, user="bob", nth=None, do=Swallow()),
        Fault(method="anonymous_login", user="anonymous", do=Refuse(-32001, "no")),
    )
    alice, bob = rig.client("alice"), rig.client("bob")
    alice.ask(STATE)
    assert bob.request(STATE) is None
    assert rig.connect().refused("anonymous_login") == {"code": -32001, "message": "no"}


def test_two_rules_count_on_their_own_and_the_first_one_strikes() -> None:
    table = FaultTable([Fault(method="m", nth=2, do=Swallow()), Fault(method="m", nth=2, do=Duplicate())])
    assert table.strike("request", "m", None) is None
    struck = table.strike("request", "m", None)
    assert struck is not None
    assert struck.do == Swallow()
    assert table.strike("request", "m", None) is None
    assert table.strike("reply", "m", None) is None


@pytest.mark.parametrize(("when", "processed"), [("before", False), ("after", True)])
def test_the_socket_drops_before_or_after_an_invite_takes_effect(when: Any, processed: bool) -> None:
    rig = troubled(Fault(method="telnyx_rtc.invite", do=Drop(when)))
    client = rig.client()
    client.request("telnyx_rtc.invite", client.invitation("echo", "c1"))
    assert client.closed == (1006, "")
    assert len(rig.told(CallStarted)) == processed


def test_a_drop_after_a_drop_is_one_drop() -> None:
    rig = troubled(
        Fault(method=STATE, do=Drop("after")),
        Fault(method=STATE, on="reply", do=Drop("after")),
        Fault(method="telnyx_rtc.ping", do=Drop("after", 1011)),
        Fault(method="telnyx_rtc.ping", on="reply", do=Drop("before", 4000)),
    )
    first, second = rig.client(), rig.client()
    first.request(STATE)
    assert first.closed == (1006, "")
    second.request("telnyx_rtc.ping")
    assert second.closed == (4000, "")


def test_a_drop_may_be_a_proper_close() -> None:
    rig = troubled(Fault(method="telnyx_rtc.bye", on="push", do=Drop("after", 1011, "gone")))
    client = rig.client()
    client.request("telnyx_rtc.invite", client.invitation("busy", "c1"))
    assert client.closed == (1011, "gone")
    assert client.frames[-1]["method"] == "telnyx_rtc.bye", "sent, and then closed"


def test_a_push_may_be_lost_with_its_socket() -> None:
    rig = troubled(Fault(method="telnyx_rtc.ringing", on="push", do=Drop()))
    client = rig.client()
    client.request("telnyx_rtc.invite", client.invitation("echo", "c1"))
    assert client.closed is not None
    assert client.pushed("telnyx_rtc.ringing") == []


def test_a_request_that_is_swallowed_never_happened() -> None:
    rig = troubled(Fault(method="telnyx_rtc.invite", do=Swallow()))
    client = rig.client()
    assert client.request("telnyx_rtc.invite", client.invitation("echo", "c1")) is None
    assert rig.core.calls == {}


def test_a_reply_that_is_swallowed_leaves_the_effect() -> None:
    rig = troubled(Fault(method="telnyx_rtc.invite", on="reply", do=Swallow()))
    client = rig.client()
    assert client.request("telnyx_rtc.invite", client.invitation("echo", "c1")) is None
    assert list(rig.core.calls) == ["c1"]


def test_a_request_is_delayed_and_others_overtake_it() -> None:
    rig = troubled(Fault(method=STATE, do=Delay(4.0)))
    client = rig.client()
    assert client.request(STATE) is None
    client.ask("telnyx_rtc.ping")
    rig.wait(3.9)
    assert states(client) == 0
    rig.wait(0.1)
    assert states(client) == 1


def test_what_was_delayed_is_not_struck_again() -> None:
    rig = troubled(Fault(method=STATE, nth=None, do=Delay(1.0)))
    client = rig.client()
    client.request(STATE)
    rig.wait(1)
    assert states(client) == 1


def test_a_reply_is_delayed() -> None:
    rig = troubled(Fault(method="telnyx_rtc.invite", on="reply", do=Delay(1.0)))
    client = rig.client()
    client.request("telnyx_rtc.invite", client.invitation("echo", "c1"))
    assert [frame["method"] for frame in client.take()] == ["telnyx_rtc.ringing", "telnyx_rtc.answer"]
    rig.wait(1)
    assert client.take()[0]["result"]["callID"] == "c1"


def test_what_is_held_back_dies_with_its_socket() -> None:
    rig = troubled(Fault(method=STATE, nth=None, do=Delay(4.0)), Fault(on="push", nth=None, do=Delay(1.0)))
    client = rig.client()
    client.request(STATE)
    client.lose()
    assert rig.core.next_timeout() == rig.now + 120, "nothing but the session's window"
    rig.wait(120)
    assert rig.core.next_timeout() is None


def test_a_duplicate_takes_effect_twice() -> None:
    rig = troubled(
        Fault(method=STATE, do=Duplicate()),
        Fault(method="telnyx_rtc.answer", on="push", do=Duplicate()),
        Fault(method="telnyx_rtc.ping", on="reply", do=Duplicate()),
    )
    client = rig.client()
    client.request(STATE)
    assert states(client) == 2
    client.invite("echo")
    first, second = client.pushed("telnyx_rtc.answer")
    assert first == second
    client.request("telnyx_rtc.ping")
    assert len(client.take()) == 2 + 3 + 1 + 2


def test_a_duplicate_of_what_lost_the_socket_is_nothing() -> None:
    rig = troubled(Fault(method=STATE, do=Duplicate()), Fault(method=STATE, on="reply", do=Drop()))
    client = rig.client()
    client.request(STATE)
    assert client.closed is not None


def test_frames_are_garbled_either_way() -> None:
    rig = troubled(
        Fault(method=STATE, do=Garble()),
        Fault(method=STATE, on="reply", do=Garble()),
        Fault(method="telnyx_rtc.ping", on="reply", do=Garble("null")),
        Fault(method="telnyx_rtc.info", do=Garble('{"id":1,"method":"strange"}')),
    )
    client = rig.client()
    client.request(STATE)
    assert states(client) == 0
    assert rig.told(FrameRejected)[-1].reason == "not JSON"
    client.request(STATE)
    whole = client.texts[-1]
    assert whole.startswith('{"jsonrpc":"2.0"')
    assert not whole.endswith("}")
    client.request("telnyx_rtc.ping")
    assert client.texts[-1] == "null"
    client.request("telnyx_rtc.info")
    assert client.frames[-1]["error"]["code"] == -32601


def test_what_was_garbled_is_not_struck_again() -> None:
    rig = troubled(Fault(method=STATE, do=Garble('{"id":1,"method":"telnyx_rtc.ping"}')), Fault(nth=4, do=Swallow()))
    client = rig.client()
    client.ask("telnyx_rtc.ping")
    client.request(STATE)
    assert client.frames[-1]["result"]["message"] == "PONG"
    client.request("telnyx_rtc.ping")
    assert client.frames[-1]["id"] == 1, "the fourth request of all, the login included, is swallowed"


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="refused"):
        Fault(on="reply", do=Refuse())
    with pytest.raises(ValueError, match="count from 1"):
        Fault(nth=0, do=Swallow())


def test_rules_come_and_go_by_command() -> None:
    rig = troubled()
    client = rig.client()
    rig.command("add_fault", Fault(method=STATE, nth=None, do=Swallow()))
    assert client.request(STATE) is None
    rig.command("clear_faults")
    client.ask(STATE)


def test_a_login_can_be_refused_for_a_while() -> None:
    """PS-013: a rejection that passes, of a credential that has not spread to this node yet."""
    rig = troubled(Fault(method="login", user="alice", do=Refuse(-32001, "Login Incorrect")))
    client = rig.connect()
    client.refused("login", {"login": "alice", "passwd": "secret"})
    assert rig.told(LoginRefused) == []
    client.login()


# Half-dead sockets.


def test_a_black_hole_inwards_swallows_what_the_client_sends() -> None:
    rig = troubled()
    client = rig.client()
    rig.command("blackhole", client.socket, "in")
    assert client.request(STATE) is None
    rig.command("push_state", client.socket, "TRYING")
    assert client.frames[-1]["params"]["state"] == "TRYING"
    rig.command("blackhole", client.socket, "in", lost=False)
    client.ask(STATE)


def test_a_black_hole_outwards_swallows_what_the_gateway_sends() -> None:
    rig = troubled()
    client = rig.client()
    rig.command("blackhole", client.socket, "out")
    assert client.request("telnyx_rtc.invite", client.invitation("echo", "c1")) is None
    assert list(rig.core.calls) == ["c1"]
    rig.command("blackhole", client.socket, "out", lost=False)
    client.ask(STATE)


def test_a_frozen_socket_does_nothing_at_all_until_it_thaws() -> None:
    rig = troubled()
    client = rig.client()
    rig.command("freeze", client.socket)
    assert client.request(STATE) is None
    rig.command("push_state", client.socket, "TRYING")
    assert client.pushed(STATE) == []
    assert client.closed is None
    rig.command("freeze", client.socket, frozen=False)
    client.ask(STATE)


# Pings (SRV-031, SIG-130 to SIG-132).


def test_the_gateway_pings_after_a_rest_with_a_number() -> None:
    rig = Rig(GatewayOptions(users=USERS, ping_interval=30.0))
    client = rig.client()
    rig.wait(29.9)
    assert client.pushed("telnyx_rtc.ping") == []
    rig.wait(0.1)
    rig.wait(30)
    pings = client.pushed("telnyx_rtc.ping")
    assert [ping["params"] for ping in pings] == [{"serno": 1}, {"serno": 2}]
    assert all(isinstance(ping["id"], int) for ping in pings)


def test_traffic_of_the_client_puts_the_ping_off() -> None:
    rig = Rig(GatewayOptions(users=USERS, ping_interval=30.0))
    client = rig.client()
    for _ in range(5):
        rig.wait(20)
        client.ask(STATE)
    assert client.pushed("telnyx_rtc.ping") == []


def test_a_socket_without_a_login_is_not_pinged() -> None:
    rig = Rig(GatewayOptions(users=USERS, ping_interval=30.0))
    client = rig.connect()
    rig.wait(100)
    assert client.texts == []


@pytest.mark.parametrize("style", ["echo", "result"])
def test_every_style_of_pong_is_understood(style: str) -> None:
    """SIG-590: the reference sends a ping of its own, which is a request like any other."""
    rig = Rig(GatewayOptions(users=USERS))
    client = rig.client()
    rig.wait(30)
    (ping,) = client.pushed("telnyx_rtc.ping")
    before = len(client.frames)
    client.send(ping if style == "echo" else {"jsonrpc": "2.0", "id": ping["id"], "result": {}})
    assert [(event.method, event.ok) for event in rig.told(Acknowledged)] == [("telnyx_rtc.ping", True)]
    assert len(client.frames) == before, "an answer is not answered"


def test_a_request_is_no_pong_whatever_its_id() -> None:
    """SIG-056: a client that numbers its requests as the gateway does is answered all the same."""
    rig = Rig(GatewayOptions(users=USERS))
    client = rig.client()
    rig.wait(30)
    (ping,) = client.pushed("telnyx_rtc.ping")
    reply = client.request(STATE, ident=ping["id"])
    assert reply is not None
    assert reply["result"]["params"]["state"] == "REGED"
