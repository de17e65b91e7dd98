"""Calls with far ends that are not ours, as models: a telephony server, one that takes the first address, a browser."""

import pytest

from telnyx_core.ice import Address, IceState, in_server_order
from tests.ice.foreign import FINISHED, SILENCE_SECONDS, Browser, FirstCandidate, Peer, Server, shake
from tests.ice.internet import Internet, Nat, NatKind, Player, TurnNode, player


def meet(
    kind: type[Peer],
    *,
    controlling: bool,
    delay: float = 0.02,
    loss: float = 0.0,
    seed: int = 1,
    turn: bool = False,
    nat: NatKind | None = None,
) -> tuple[Internet, Player, Peer]:
    """A caller with two addresses, and perhaps a relay, and a far end. Each learns the other's description at once."""
    net = Internet(seed=seed, delay=delay)
    node = TurnNode(net, Address("192.0.2.1", 3478), "192.0.2.9")
    servers = [node.server()] if turn else []
    box = None if nat is None else Nat("198.51.100.1", nat)
    one = player(net, "10.0.0.1", "10.0.0.2", controlling=controlling, nat=box, servers=list(servers))
    far = kind(net, [Address("10.0.1.1", 9000)], controlling=not controlling)
    one.open()
    net.run(2.0)
    net.loss = loss
    far.learn((one.agent.local_credentials, tuple(in_server_order(one.agent.local_candidates))))
    net.clock.after(one.signal, lambda: one.learn(far.describe()))
    return net, one, far


def flows(net: Internet, one: Player, far: Peer, seconds: float = 5.0) -> bool:
    begun = len(far.heard)

    def beat() -> None:
        one.say(b"\x80voice")
        far.say(b"\x80voice")  # type: ignore[attr-defined]

    for number in range(int(seconds / 0.1)):
        net.clock.after(number * 0.1, beat)
    return net.run(seconds + 1, lambda: b"\x80voice" in one.received and b"\x80voice" in far.heard[begun:])


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize("delay", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("controlling", [True, False])
def test_a_server_that_follows_the_first_check_and_the_last_nomination(
    controlling: bool, delay: float, loss: float, turn: bool
) -> None:
    """PS-039: every call connects, and its handshake is over soon, in and out, by two addresses and a relay."""
    for seed in range(2):
        net, one, server = meet(Server, controlling=controlling, delay=delay, loss=loss, seed=seed, turn=turn)
        begun = net.now
        assert net.run(6.0, lambda one=one: one.connected), seed
        shake(one)
        assert net.run(4.0, lambda one=one: FINISHED in one.received), seed
        assert net.now - begun < 1.0 + 10 * delay + (2.0 if loss else 0.0), seed
        net.run(5.0)
        assert flows(net, one, server), seed
        # A controlled agent goes where the server has let itself be drawn.
        assert len(one.selections) == 1 or not controlling


@pytest.mark.parametrize("late", [0.032, 0.036, 0.04, 0.044])
def test_an_answerer_stays_where_such_a_server_has_turned(late: float) -> None:
    """Its first check comes before the server has the answer, and its second draws the server away from the address
    that it has just nominated. That one answers later, and is better; but the server is not there any more.
    """
    net = Internet(seed=1, delay=0.03)
    one = player(net, "10.0.0.1", "10.0.0.2", controlling=False)
    server = Server(net, [Address("10.0.1.1", 9000)], controlling=True)
    one.open()
    net.run(2.0)
    answer = one.agent.local_credentials, tuple(in_server_order(one.agent.local_candidates))
    net.clock.after(late, lambda: server.learn(answer))
    one.learn(server.describe())
    assert net.run(1.0, lambda: one.connected)
    net.run(0.1)  # a handshake has more than one flight
    shake(one)
    assert net.run(0.5, lambda: FINISHED in one.received)
    assert flows(net, one, server)


def test_such_a_server_is_not_drawn_away_by_a_restart() -> None:
    net, one, server = meet(Server, controlling=True)
    assert net.run(5.0, lambda: one.connected)
    shake(one)
    assert net.run(4.0, lambda: FINISHED in one.received)
    net.run(5.0)
    at = server.at  # type: ignore[attr-defined]
    server.local = type(server.local).fresh(server.rng)
    one.agent.restart(net.now)
    server.learn((one.agent.local_credentials, tuple(in_server_order(one.agent.local_candidates))))
    one.learn(server.describe())
    net.run(3.0)
    assert [each.restarted for _, each in one.selections] == [False, True]
    assert server.at == at  # type: ignore[attr-defined]
    assert flows(net, one, server)


def test_such_a_server_follows_a_path_that_has_moved_after_a_long_silence() -> None:
    """PS-041: "Until ICE and DTLS are up it follows valid checks from another address; later only after a long
    silence". A NAT that forgets is such a move: until then the server drops what comes by the new mapping.
    """
    net, one, server = meet(Server, controlling=True, nat=NatKind.PORT_RESTRICTED)
    assert net.run(5.0, lambda: one.connected)
    shake(one)
    assert net.run(4.0, lambda: FINISHED in one.received)
    net.run(5.0)
    assert flows(net, one, server)
    at = server.at  # type: ignore[attr-defined]
    for nat in net.nats.values():
        nat.rebind()
    net.run(SILENCE_SECONDS - 2.0)
    assert server.at == at  # type: ignore[attr-defined]
    net.run(6.0)
    assert server.at != at  # type: ignore[attr-defined]
    assert flows(net, one, server)


@pytest.mark.parametrize("controlling", [True, False])
def test_a_far_end_that_sends_to_the_first_candidate(controlling: bool) -> None:
    """Its packets are taken where it sends them, whichever pair is selected."""
    net, one, far = meet(FirstCandidate, controlling=controlling)
    assert net.run(5.0, lambda: one.connected)
    assert flows(net, one, far)


@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("controlling", [True, False])
def test_a_browser(controlling: bool, loss: float) -> None:
    net, one, far = meet(Browser, controlling=controlling, loss=loss)
    assert net.run(8.0, lambda: one.connected and far.selected is not None)  # type: ignore[attr-defined]
    assert flows(net, one, far)
    one.agent.confirm(net.now)
    net.run(20.0)
    assert one.connected
    assert flows(net, one, far)
    assert IceState.FAILED not in one.states
    if controlling:
        # It has pinged every pair; we have stayed with one.
        assert len(one.selections) == 1
        assert far.selected == (far.hosts[0], one.selections[0][1].local.address)  # type: ignore[attr-defined]


def test_a_browser_that_moves_to_another_pair_is_followed() -> None:
    net, one, far = meet(Browser, controlling=False)
    assert net.run(5.0, lambda: one.connected)
    net.run(3.0)
    used = one.selections[-1][1].local.address
    net.cuts |= {(used.host, "10.0.1.1"), ("10.0.1.1", used.host)}
    net.run(6.0)
    assert one.selections[-1][1].local.address != used
    assert flows(net, one, far)
