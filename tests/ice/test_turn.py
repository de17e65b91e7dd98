"""Relays: how an allocation is asked for, kept and lost, and what servers may do (RFC 8656)."""

from random import Random

import pytest

from telnyx_core.ice import (
    Address,
    CandidateType,
    CloseStream,
    GatheringFinished,
    IceState,
    ServerFailed,
    StateChanged,
    Timing,
    Transmit,
    TurnServer,
    stun,
)
from telnyx_core.ice.stun import Attr, Kind, Method, StunError
from telnyx_core.ice.turn import MAX_PEERS, AllocationState, StreamFramer, ToServer, TurnClient
from tests.ice.inside import current
from tests.ice.internet import Internet, Nat, NatKind, Player, TurnNode, both_ways, call, player

PLACE, SECOND = Address("192.0.2.1", 3478), Address("192.0.2.2", 3478)


def relayed(
    transport: str = "udp", mode: str = "ok", *, nodes: int = 1, nonce: bytes = b"nonce-1"
) -> tuple[Internet, Player, Player, list[TurnNode]]:
    """A caller that uses relays alone, and one with a public address."""
    net = Internet(seed=2)
    found = [TurnNode(net, Address(f"192.0.2.{1 + each}", 3478), f"192.0.2.{101 + each}") for each in range(nodes)]
    found[0].mode, found[0].nonce = mode, nonce
    servers = [node.server(transport) for node in found]
    nat = Nat("203.0.113.1", NatKind.SYMMETRIC)
    one = player(net, "10.0.0.1", controlling=True, nat=nat, servers=list(servers), turns=found, relay_only=True)
    other = player(net, "10.0.1.1", controlling=False)
    return net, one, other, found


def failures(each: Player) -> list[tuple[int, str]]:
    return [(action.code, action.reason) for _, action in each.told if isinstance(action, ServerFailed)]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_through_a_relay(transport: str) -> None:
    net, one, other, (node,) = relayed(transport)
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    assert both_ways(one, other)
    assert failures(one) == []
    (candidate,) = one.agent.local_candidates
    assert candidate.type is CandidateType.RELAYED
    assert one.selections[0][1].local == candidate
    # By a channel, once it is bound; before it by indications.
    net.run(1.0)
    node.data_forms.clear()
    assert both_ways(one, other)
    assert set(node.data_forms) == {"channel"}


def test_without_channels_indications_do() -> None:
    net, one, other, (node,) = relayed(mode="no channels")
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    net.run(2.0)
    assert both_ways(one, other)
    assert set(node.data_forms) == {"send"}


def test_a_relay_is_kept_for_twenty_minutes_with_its_permissions_and_channels_and_new_nonces() -> None:
    net, one, other, (node,) = relayed()
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    one.agent.confirm(net.now)
    for minute in range(20):
        net.run(60.0)
        if minute % 10 == 5:
            node.nonce = b"nonce-%d" % minute
        assert one.connected
    assert both_ways(one, other)
    assert failures(one) == []


def test_an_allocation_is_given_back() -> None:
    net, one, _, (node,) = relayed()
    one.open()
    net.run(2.0)
    assert len(node.allocations) == 1
    one.agent.close(net.now)
    one.pump()
    net.run(1.0)
    assert node.allocations == {}


@pytest.mark.parametrize("trouble", ["stale nonce", "lost datagram", "dead server"])
def test_giving_an_allocation_back_is_tried_until_the_server_has_confirmed_it(trouble: str) -> None:
    """What is left alone counts against the quota for ten minutes: a 438 asks for the same with another nonce."""
    net, one, _, (node,) = relayed()
    one.open()
    net.run(2.0)
    if trouble == "stale nonce":
        node.nonce = b"nonce-2"
    elif trouble == "dead server":
        node.mode = "dead"
    one.agent.close(net.now)
    if trouble == "lost datagram":
        while (action := one.agent.next_action()) is not None:
            assert isinstance(action, Transmit | StateChanged)
    one.pump()
    assert one.agent.relayed
    net.run(1.0 if trouble != "dead server" else 20.0)
    assert not one.agent.relayed, "given back, or given up"
    assert one.agent.next_timeout() is None
    assert len(node.allocations) == (trouble == "dead server")
    assert failures(one) == []


def test_what_is_granted_to_one_who_has_left_is_given_back() -> None:
    net, one, _, (node,) = relayed()
    one.open()
    while not node.allocations:
        net.run(0.001)
    assert one.agent.local_candidates == (), "the grant is on its way"
    one.agent.close(net.now)
    one.pump()
    net.run(1.0)
    assert node.allocations == {}
    assert not one.agent.relayed


@pytest.mark.parametrize(
    ("mode", "code"),
    [("quota", 486), ("mismatch", 437), ("always stale", 438), ("unauthorized", 401), ("lies", 701), ("dead", 0)],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_next_server_is_used_when_the_first_gives_nothing(mode: str, code: int, transport: str) -> None:
    net, one, other, nodes = relayed(transport, mode, nodes=2)
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    assert both_ways(one, other)
    assert one.agent.local_candidates[0].address.host == nodes[1].relay_host
    said = [each for each, _ in failures(one)]
    assert said == ([] if (code == 0 and transport == "udp") or not said else [code or 701])


@pytest.mark.parametrize("mode", ["quota", "dead", "unauthorized", "always stale", "babbles"])
def test_where_no_server_gives_a_relay_the_reason_is_told(mode: str) -> None:
    net, one, _, _ = relayed(mode=mode)
    one.open()
    assert net.run(20.0, lambda: one.agent.gathering_finished)
    assert one.agent.local_candidates == ()
    assert len(failures(one)) == 1
    assert sum(isinstance(each, GatheringFinished) for _, each in one.told) == 1


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_names_another(transport: str) -> None:
    """RFC 8489 section 10."""
    net, one, _, nodes = relayed(transport, "redirects", nodes=2)
    nodes[0].alternate = nodes[1].address
    one.servers[:] = [nodes[0].server(transport)]
    one.open()
    net.run(3.0)
    assert one.agent.local_candidates[0].address.host == nodes[1].relay_host
    assert failures(one) == []
    if transport == "tcp":
        assert sum(isinstance(each, CloseStream) for _, each in one.told) == 1


def test_servers_that_name_each_other_are_given_up() -> None:
    net, one, _, nodes = relayed("udp", "redirects", nodes=2)
    nodes[1].mode = "redirects"
    nodes[0].alternate, nodes[1].alternate = nodes[1].address, nodes[0].address
    one.servers[:] = [nodes[0].server()]
    one.open()
    net.run(5.0)
    assert [code for code, _ in failures(one)] == [300]
    assert sum(isinstance(each, Transmit) for _, each in one.told) < 10


def test_a_host_that_the_server_refuses_is_given_up_and_the_others_are_not() -> None:
    net, one, other, _ = relayed(mode="forbids")
    call(one, other)
    net.run(5.0)
    assert not one.connected
    assert all(each.state.value == "failed" for each in current(one.agent).checklist)


def test_a_relay_that_is_lost_is_replaced() -> None:
    net, one, other, nodes = relayed(nodes=2)
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    one.agent.confirm(net.now)
    assert one.agent.local_candidates[0].address.host == nodes[0].relay_host
    nodes[0].allocations.clear()  # as after a crash
    nodes[0].mode = "quota"
    assert net.run(15.0, lambda: len(one.selections) > 1)
    assert one.agent.local_candidates[0].address.host == nodes[1].relay_host
    assert both_ways(one, other)
    assert 437 in [code for code, _ in failures(one)]


def test_a_stream_that_closes_is_replaced_by_another() -> None:
    net, one, other, _ = relayed("tcp")
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    one.agent.confirm(net.now)
    (stream,) = one._streams
    del one._streams[stream]
    one.agent.stream_closed(stream, "reset by peer", net.now)
    one.pump()
    assert one.agent.state is IceState.DISCONNECTED
    assert failures(one) == [(701, "reset by peer")]
    assert net.run(3.0, lambda: one.connected)
    assert both_ways(one, other)


def test_a_server_that_takes_back_what_it_gave_is_not_asked_without_an_end() -> None:
    net, one, _, _ = relayed("tcp")
    one.open()
    for _ in range(100):
        net.run(1.0)
        for stream in list(one._streams):
            del one._streams[stream]
            one.agent.stream_closed(stream, "reset by peer", net.now)
            one.pump()
    assert len(failures(one)) < 20
    assert one.agent.gathering_finished


def test_rubbish_on_a_stream_ends_it() -> None:
    net, one, _, _ = relayed("tcp")
    one.open()
    net.run(0.05)
    (stream,) = one._streams
    one.stream_received(stream, b"\x15\3\3\0\2\2\x28")
    assert [code for code, _ in failures(one)] == [701]
    assert any(isinstance(each, CloseStream) for _, each in one.told)


def test_unknown_streams_are_passed_over() -> None:
    net, one, _, _ = relayed("tcp")
    one.open()
    one.agent.stream_opened(99, net.now)
    one.agent.stream_received(99, b"x", net.now)
    one.agent.stream_closed(99, "x", net.now)
    assert failures(one) == []


# The client by itself


def client(transport: str = "udp", **more: object) -> TurnClient:
    server = TurnServer(PLACE, "user", "pass", transport, **more)  # type: ignore[arg-type]
    return TurnClient(server, Random(1), Timing())


def asked(each: TurnClient) -> list[stun.Message]:
    found = [output.data for output in each.outputs if isinstance(output, ToServer)]
    each.outputs.clear()
    return [stun.decode(data) for data in found]


def ready(**more: object) -> TurnClient:
    each = client(**more)  # type: ignore[arg-type]
    each.allocate(0.0)
    (message,) = asked(each)
    relay = stun.xor_address(Attr.XOR_RELAYED_ADDRESS, Address("192.0.2.9", 9), message.transaction_id)
    each.receive(stun.encode(Method.ALLOCATE, Kind.SUCCESS, message.transaction_id, [relay]), 0.1)
    assert each.state is AllocationState.READY
    each.outputs.clear()
    return each


def test_requests_are_repeated_over_udp_and_not_over_a_stream() -> None:
    for transport, times in (("udp", 7), ("tcp", 1)):
        each = client(transport)
        each.allocate(0.0)
        count = 0
        while (due := each.next_timeout()) is not None:
            count += len(asked(each))
            each.handle_timeout(due)
        assert count == times, transport
        assert each.state is AllocationState.GONE


def test_a_relay_of_another_family_is_asked_for() -> None:
    each = client(family=6)
    each.allocate(0.0)
    assert asked(each)[0].get(Attr.REQUESTED_ADDRESS_FAMILY) == b"\x02\0\0\0"


def test_a_password_is_not_shown() -> None:
    assert "pass" not in repr(client().server).replace("password", "")


def test_an_answer_without_a_signature_is_not_believed_once_there_is_a_key() -> None:
    each = client()
    each.allocate(0.0)
    (message,) = asked(each)
    challenge = [stun.error_code(401, "?"), (Attr.REALM, b"sim"), (Attr.NONCE, b"1")]
    each.receive(stun.encode(Method.ALLOCATE, Kind.ERROR, message.transaction_id, challenge), 0.1)
    (again,) = asked(each)
    assert again.verify(stun.long_term_key("user", "sim", "pass"))
    relay = stun.xor_address(Attr.XOR_RELAYED_ADDRESS, Address("192.0.2.9", 9), again.transaction_id)
    each.receive(stun.encode(Method.ALLOCATE, Kind.SUCCESS, again.transaction_id, [relay]), 0.2)
    assert each.state is AllocationState.ASKING


def test_permissions_and_channels_are_bounded() -> None:
    each = ready()
    for number in range(300):
        each.send(b"\0check", Address(f"10.0.{number // 100}.{number % 100}", 9), 1.0)
        each.bind(Address(f"10.0.{number // 100}.{number % 100}", 9), 1.0)
    assert len(each._permissions) == MAX_PEERS
    assert len(each._channels) == MAX_PEERS
    assert len(each._requests) <= 160


def test_datagrams_wait_for_the_permission_within_a_bound() -> None:
    each = ready()
    peer = Address("10.0.0.9", 9)
    for number in range(20):
        each.send(bytes([number]), peer, 1.0)
    (permission,) = asked(each)
    assert permission.method is Method.CREATE_PERMISSION
    each.receive(stun.encode(Method.CREATE_PERMISSION, Kind.SUCCESS, permission.transaction_id), 1.1)
    sent = asked(each)
    assert [message.get(Attr.DATA) for message in sent] == [bytes([number]) for number in range(16, 20)]


def test_what_nobody_asked_for_changes_nothing() -> None:
    each = ready()
    for data in (
        b"",
        b"\x40\0\0\4abcd",
        b"\x40",
        stun.encode(Method.BINDING, Kind.REQUEST, b"x" * 12),
        stun.encode(Method.ALLOCATE, Kind.SUCCESS, b"x" * 12),
        stun.encode(Method.DATA, Kind.INDICATION, b"x" * 12),
        stun.encode(Method.DATA, Kind.INDICATION, b"x" * 12, [(Attr.XOR_PEER_ADDRESS, b"?")]),
    ):
        each.receive(data, 1.0)
        assert list(each.outputs) == []


@pytest.mark.parametrize("lifetime", [0, 1, 600, 1 << 31])
def test_a_lifetime_is_taken_within_bounds(lifetime: int) -> None:
    each = client("tcp")
    each.allocate(0.0)
    (message,) = asked(each)
    relay = stun.xor_address(Attr.XOR_RELAYED_ADDRESS, Address("192.0.2.9", 9), message.transaction_id)
    said = [relay, stun.number(Attr.LIFETIME, lifetime)]
    each.receive(stun.encode(Method.ALLOCATE, Kind.SUCCESS, message.transaction_id, said), 0.0)
    due = each.next_timeout()
    assert due is not None
    assert 15 <= due <= 3540


# The stream


def test_a_stream_is_cut_wherever_it_is_cut() -> None:
    message = stun.encode(Method.DATA, Kind.INDICATION, b"x" * 12, [(Attr.DATA, b"abc")])
    channel = b"\x40\0\0\5hello"
    stream = message + channel + bytes(3) + message + channel + bytes(3)
    for size in range(1, len(stream)):
        framer = StreamFramer()
        frames: list[bytes] = []
        for start in range(0, len(stream), size):
            frames += framer.feed(stream[start : start + size])
        assert frames == [message, channel, message, channel]


@pytest.mark.parametrize("rubbish", [b" HTTP", b"\xff\xff\xff\xff", b"\x16\3\1\0"])
def test_what_is_no_frame_is_refused(rubbish: bytes) -> None:
    with pytest.raises(StunError):
        StreamFramer().feed(rubbish)
