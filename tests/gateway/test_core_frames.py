"""Whatever comes over a socket: no text makes the gateway raise."""

import itertools
import json
from contextlib import suppress
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telnyx_core.errors import InvalidCallState
from telnyx_core.facts import BinaryReceived, PeerStateChanged
from telnyx_core.gateway import Duplicate, Fault, GatewayOptions, Quirks
from telnyx_core.gateway.client_sockets import MAX_AWAITED
from telnyx_core.gateway.events import (
    Acknowledged,
    CallRecordingReceived,
    CallReportReceived,
    ClientConnected,
    FrameRejected,
    GatewayEvent,
)
from telnyx_core.gateway.legs import Phase
from telnyx_core.ids import SocketId
from tests.gateway.rig import OFFER, Client, Rig

USERS = {"alice": "secret", "bob": "hush"}


# Garbage.


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "42",
        "true",
        '"a string"',
        "[]",
        "[1,2]",
        "{}",
        '{"jsonrpc":"2.0"}',
        '{"id":1}',
        '{"method":null}',
        '{"method":5,"id":1}',
        '{"jsonrpc":"2.0","id":"unknown-id","result":{"message":"?"}}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}',
        '{"jsonrpc":"2.0","id":{},"method":[]}',
        "[" * 100_000,
        "#SP",
        "#SPX",
    ],
)
def test_text_that_means_nothing_is_ignored(text: str) -> None:
    rig = Rig()
    client = rig.client()
    client.send(text)
    assert client.take() == []
    assert client.closed is None
    client.ask("telnyx_rtc.gatewayState")


@pytest.mark.parametrize("text", ["", " ", "not json", '{"jsonrpc":', "1" * 5_000, "\ud800"])
def test_text_that_is_no_json_is_answered(text: str) -> None:
    """PS-030: "Text that is not JSON is answered -32600"."""
    client = Rig().client()
    client.send(text)
    (answer,) = client.take()
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    client.ask("telnyx_rtc.gatewayState")


def test_a_batch_is_answered_by_a_batch() -> None:
    """PS-030: "batches are answered by a batch"."""
    client = Rig().client()
    methods = ("ping", "gatewayState", "nonsense")
    batch = [{"jsonrpc": "2.0", "id": method, "method": f"telnyx_rtc.{method}"} for method in methods]
    client.send(json.dumps(batch))
    replies = json.loads(client.texts[-1])
    assert [(reply["id"], "result" in reply) for reply in replies] == [
        ("ping", True),
        ("gatewayState", True),
        ("nonsense", False),
    ]
    count = len(client.texts)
    client.send('[{"jsonrpc":"2.0","method":"telnyx_rtc.nonsense"}]')
    assert len(client.texts) == count, "what asks for no reply gets none"


@pytest.mark.parametrize("char", ["x", "\u20ac"])
def test_a_frame_of_more_than_a_million_bytes_loses_the_socket(char: str) -> None:
    """PS-029: "A frame of more than **1,000,000 bytes** makes the server drop the socket at once." Not characters."""
    client = Rig().client()
    frame = '{"jsonrpc":"2.0","id":"1","method":"telnyx_rtc.ping","x":"%s"}'
    room = (1_000_000 - len(frame) + len("%s")) // len(char.encode())
    client.send(frame % (char * room))
    assert client.take()[-1]["result"]["message"] == "PONG"
    client.send(frame % (char * (room + 1)))
    assert client.closed == (1006, "")


def test_a_notification_gets_no_reply_even_if_it_is_refused() -> None:
    rig = Rig()
    client = rig.client()
    client.send({"jsonrpc": "2.0", "method": "telnyx_rtc.nonsense"})
    client.send({"jsonrpc": "2.0", "method": "telnyx_rtc.bye", "params": {"dialogParams": {"callID": "x"}}})
    assert client.take() == []
    assert rig.told(FrameRejected)[-1].reason == "CALL DOES NOT EXIST"


def test_unknown_methods_are_refused() -> None:
    """SIG-193: also those that only mobile clients send."""
    client = Rig().client()
    for method in ("telnyx_rtc.attachCalls", "telnyx_rtc.ringing_ack", "toString", "telnyx_rtc.clientReady"):
        assert client.refused(method)["code"] == -32601


@pytest.mark.parametrize("ident", [7, "7", 0, ""], ids=repr)
def test_ids_are_echoed_with_their_type(ident: Any) -> None:
    """SIG-056."""
    reply = Rig().client().request("telnyx_rtc.ping", ident=ident)
    assert reply is not None
    assert reply["id"] == ident
    assert type(reply["id"]) is type(ident)


def test_a_request_target_that_is_no_url_has_no_query() -> None:
    rig = Rig()
    rig.connect("//[")
    assert rig.told(ClientConnected)[0].query == {}


def test_binary_frames_are_activity_and_nothing_else() -> None:
    rig = Rig()
    client = rig.client()
    rig.wait(20)
    rig.tell(BinaryReceived(client.socket, 5))
    rig.tell(BinaryReceived(SocketId(99), 5))
    rig.wait(20)
    assert client.take() == []
    rig.wait(10)
    assert client.pushed("telnyx_rtc.ping")


def test_acknowledgements_that_never_come_are_forgotten() -> None:
    """SRV-031: the platform ignores them, so a client may never send any."""
    rig = Rig()
    client = rig.client()
    for number in range(MAX_AWAITED + 50):
        rig.command("push", client.socket, "telnyx_rtc.event", {"n": number})
    pushed = client.pushed("telnyx_rtc.event")
    client.acknowledge(pushed[0])
    assert rig.told(Acknowledged) == []
    client.acknowledge(pushed[-1])
    client.acknowledge(pushed[-1])
    assert len(rig.told(Acknowledged)) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
METHODS = [
    "login",
    "anonymous_login",
    "ai_conversation",
    "telnyx_rtc.gatewayState",
    "telnyx_rtc.ping",
    "telnyx_rtc.invite",
    "telnyx_rtc.answer",
    "telnyx_rtc.attach",
    "telnyx_rtc.bye",
    "telnyx_rtc.modify",
    "telnyx_rtc.info",
    "telnyx_rtc.candidate",
    "telnyx_rtc.endOfCandidates",
    "telnyx_rtc.subscribe",
    "telnyx_rtc.unsubscribe",
    "telnyx_rtc.broadcast",
]
CALLS = ["c1", "c2", "c3"]
params = st.fixed_dictionaries(
    {},
    optional={
        "dialogParams": st.fixed_dictionaries(
            {},
            optional={
                "callID": st.sampled_from(CALLS) | json_values,
                "destination_number": st.sampled_from(["echo", "early", "busy", "ring", "bob", "alice"]) | json_values,
                "custom_headers": json_values,
            },
        )
        | json_values,
        "callID": st.sampled_from(CALLS) | json_values,
        "sdp": st.sampled_from(["v=0", "not an sdp"]) | json_values,
        "action": st.sampled_from(["hold", "unhold", "toggleHold", "updateMedia"]) | json_values,
        "login": st.sampled_from(list(USERS)) | json_values,
        "passwd": st.sampled_from(list(USERS.values())) | json_values,
        "sessid": st.sampled_from(["s1", "s2"]) | json_values,
        "target_id": json_values,
        "dtmf": json_values,
        "msg": json_values,
        "candidate": json_values,
        "eventChannel": json_values,
        "item": json_values,
        "trickle": json_values,
    },
)
requests = st.builds(
    lambda method, ident, params: json.dumps({"id": ident, "method": method, "params": params}),
    st.sampled_from(METHODS),
    st.integers(0, 3) | st.text(max_size=2) | st.none(),
    params,
)
speed_tests = st.sampled_from(["#SPU 9", "#SPB", "#SPE"])
texts = requests | st.builds(json.dumps, json_values) | st.text(max_size=50) | speed_tests
DOINGS = """lose connect answer attach media fail call hang-up renegotiate echo early bob alice hold toggleHold
updateMedia bye digits text candidate converse report login state restart forget wait""".split()  # noqa: SIM905
doings = st.sampled_from(DOINGS)
spoken = st.tuples(st.sampled_from([0, 1]), texts)
steps = st.lists(st.one_of(doings, doings, doings, doings, spoken, st.floats(0, 100)), min_size=5, max_size=40)


def do(rig: Rig, clients: list[Client], doing: str) -> None:
    """Something that makes sense, now and then: random text alone would never get far."""
    open_clients = [client for client in clients if client.closed is None]
    calls = list(rig.core.calls)
    match doing:
        case "lose" if open_clients:
            open_clients[0].lose()
        case "connect":
            for number, (user, password) in enumerate(USERS.items()):
                if number == 0 or clients[number].closed is not None:
                    clients[number] = rig.connect()
                    clients[number].request("login", {"login": user, "passwd": password, "sessid": f"s{number + 1}"})
        case "echo" | "early" | "bob" | "alice" if open_clients:
            caller = open_clients[-1] if doing == "alice" else open_clients[0]
            caller.request("telnyx_rtc.invite", caller.invitation(doing, f"d{rig.number()}"))
        case "hold" | "toggleHold" | "updateMedia" | "bye":
            for client, call in itertools.product(open_clients, calls):
                method = "bye" if doing == "bye" else "modify"
                client.request(f"telnyx_rtc.{method}", client.dialog(call, action=doing, sdp=OFFER))
        case "digits" | "text" | "candidate":
            method = "candidate" if doing == "candidate" else "info"
            members = {"digits": {"dtmf": "1"}, "text": {"msg": {"body": "hi"}}, "candidate": {"candidate": "c"}}[doing]
            for client, call in itertools.product(open_clients, calls):
                client.request(f"telnyx_rtc.{method}", client.dialog(call, **members))
        case "converse" | "state" | "login" if open_clients:
            methods = {"converse": "ai_conversation", "state": "telnyx_rtc.gatewayState", "login": "login"}
            open_clients[0].request(methods[doing])
        case "report" if open_clients:
            open_clients[0].send({"id": "r", "type": "debug_report_data"})
        case "wait":
            rig.wait(31)
        case "restart":
            rig.command("restart")
        case "forget":
            rig.command("forget_sessions")
        case "answer" | "attach":
            for client in open_clients:
                for frame in client.pushed("telnyx_rtc.invite") + client.pushed("telnyx_rtc.attach"):
                    client.acknowledge(frame)
                    client.request(f"telnyx_rtc.{doing}", client.dialog(frame["params"]["callID"], sdp=OFFER))
        case "media" | "fail":
            for media in list(rig.peers):
                rig.tell(PeerStateChanged(media, "connected" if doing == "media" else "failed"))
        case "call" if rig.core.sockets("bob"):
            rig.command("call_user", "bob")
        case "hang-up" if calls:
            rig.command("hangup", calls[0])
        case "renegotiate":
            for call in calls:
                if rig.core.calls[call].phase is Phase.ANSWERED:
                    with suppress(InvalidCallState):  # Its media was never connected.
                        rig.command("renegotiate", call)
        case _:
            pass


def begin(*, auto_media: bool) -> tuple[Rig, list[Client]]:
    """alice and bob have logged in."""
    faults = (Fault(method="telnyx_rtc.ping", on="push", nth=3, do=Duplicate()),)
    rig = Rig(GatewayOptions(users=USERS, quirks=Quirks(trickle_out=True), faults=faults), auto_media=auto_media)
    return rig, [rig.client("alice", sessid="s1"), rig.client("bob", sessid="s2")]


def finish(rig: Rig) -> None:
    """Everybody leaves: then nothing is left, whatever was said before."""
    for socket in rig.core.sockets():
        rig.clients[socket].lose()
    rig.settle()
    rig.wait(200)
    rig.settle()
    assert rig.core.calls == {}
    assert rig.peers == {}
    assert rig.unreleased == set()
    assert rig.core.next_timeout() is None, "a gateway without clients waits for nothing"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(steps, st.booleans())
def test_no_conversation_makes_the_gateway_raise(conversation: list[Any], auto_media: bool) -> None:
    """The rig checks every action against the contract."""
    rig, clients = begin(auto_media=auto_media)
    for step in conversation:
        match step:
            case (who, text):
                if clients[who].closed is None:
                    clients[who].send(text)
            case str() as doing:
                do(rig, clients, doing)
            case seconds:
                rig.wait(seconds)
                rig.settle()
    finish(rig)


def test_long_walks_meet_everything_that_there_is_to_be_told() -> None:
    """A walk that never gets far would pass as well: this one has to."""
    met: set[type[object]] = set()
    for seed in range(150):
        rng = Random(seed)
        rig, clients = begin(auto_media=rng.random() < 0.7)
        for _ in range(60):
            do(rig, clients, rng.choice(DOINGS))
            rig.settle()
        finish(rig)
        met |= {type(event) for event in rig.events}
    assert met == set(get_args(GatewayEvent)) - {CallReportReceived, CallRecordingReceived}
