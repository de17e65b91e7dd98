"""Two agents on a random internet keep the promises of the agent, whatever its NATs, servers, losses and delays.

The promises are named functions: `connected_exactly_if_a_path_exists`, `audio_flows`, `relay_only_leaks_nothing`,
`memory_is_bounded`. That no packet goes to anyone who has not answered, `internet.Player` and `internet.TurnNode` see
with every packet. What a path is, `a_path_exists` says from the theory of NATs.
"""

from attrs import evolve, frozen
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from telnyx_core.ice import Address, CandidateType
from telnyx_core.ice.checklist import MAX_PAIRS
from telnyx_core.ice.checks import MAX_SENT
from telnyx_core.ice.generation import MAX_REMOTE
from tests.ice.inside import checks_of, generations
from tests.ice.internet import Internet, Nat, NatKind, Player, StunNode, TurnNode, both_ways, call, player, restart

FAST = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: a world that fails is readable as it is, and minutes are not well spent on a smaller one."""


@frozen
class Side:
    nat: NatKind | None
    hairpin: bool
    addresses: int
    stun: str
    turn: str
    relay_only: bool


@frozen
class World:
    seed: int
    one: Side
    other: Side
    same_nat: bool
    delay: float
    jitter: float
    loss: float
    signal: float
    trickles: bool
    both_controlling: bool

    @property
    def patience(self) -> float:
        """Seconds in which a path is found. A loss makes some exchanges be repeated, each at least a round trip."""
        trip = 2 * (self.delay + self.jitter)
        return 2 * self.signal + 8 + (6 if self.loss < 0.2 else 12) * trip + 40 * self.loss


sides = st.builds(
    Side,
    nat=st.sampled_from([None, *NatKind]),
    hairpin=st.booleans(),
    addresses=st.integers(1, 2),
    stun=st.sampled_from(["ok", "ok", "ok", "dead", "babbles", "refuses"]),
    turn=st.sampled_from(["none", "none", "udp", "tcp", "quota", "dead"]),
    relay_only=st.just(False),
)
worlds = st.builds(
    World,
    seed=st.integers(0, 1 << 16),
    one=sides,
    other=sides,
    same_nat=st.booleans(),
    delay=st.sampled_from([0.001, 0.02, 0.2, 1.0, 3.0]),
    jitter=st.sampled_from([0.0, 0.05]),
    loss=st.sampled_from([0.0, 0.0, 0.1, 0.3]),
    signal=st.sampled_from([0.0, 0.05, 2.0]),
    trickles=st.booleans(),
    both_controlling=st.booleans(),
)


def relays(side: Side) -> bool:
    return side.turn in ("udp", "tcp")


def a_path_exists(world: World) -> bool:
    """By the theory of NATs: what a packet of one can reach of the other, and what each knows of the other."""
    one, other = world.one, world.other
    # A relay can be reached by all, and lets in those of whom its owner knows where they are.
    if any(relays(side) and (relays(far) or knows_itself(far)) for side, far in ((one, other), (other, one))):
        return True
    if one.nat is None or other.nat is None:
        return True
    if world.same_nat:
        return True  # by the addresses behind it
    kinds = {one.nat, other.nat}
    if not knows_itself(one) and not knows_itself(other):
        return False
    if not (knows_itself(one) and knows_itself(other)):
        # One has to be open to a stranger whom it cannot know.
        known = one if knows_itself(one) else other
        return known.nat is NatKind.FULL_CONE
    hard = {NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED}
    return not (NatKind.SYMMETRIC in kinds and kinds <= hard)


def knows_itself(side: Side) -> bool:
    return side.nat is None or side.stun == "ok"


def as_gathered(world: World, one: Player, other: Player) -> World:
    """The world without the servers whose answers were lost, or have not come."""
    found: list[Side] = []
    for side, each in ((world.one, one), (world.other, other)):
        kinds = {candidate.type for candidate in each.agent.local_candidates}
        relay = side.turn if CandidateType.RELAYED in kinds else "none"
        reflexive = "ok" if CandidateType.SERVER_REFLEXIVE in kinds else "dead"
        found.append(evolve(side, turn=relay, stun=reflexive))
    return evolve(world, one=found[0], other=found[1])


def build(world: World) -> tuple[Internet, Player, Player, list[TurnNode]]:
    net = Internet(seed=world.seed, delay=world.delay, jitter=world.jitter, loss=0.0)
    shared = Nat("203.0.113.1", world.one.nat, world.one.hairpin) if world.one.nat else None
    players: list[Player] = []
    nodes: list[TurnNode] = []
    for number, side in enumerate((world.one, world.other)):
        nat = shared
        if number and not (world.same_nat and side.nat and shared):
            nat = Nat("203.0.113.2", side.nat, side.hairpin) if side.nat else None
        nat = nat if side.nat else None
        place = StunNode(net, Address(f"192.0.2.{10 + number}", 3478), side.stun)
        node = TurnNode(net, Address(f"192.0.2.{20 + number}", 3478), f"192.0.2.{30 + number}")
        node.mode = side.turn if side.turn in ("quota", "dead") else "ok"
        nodes.append(node)
        servers = [place.server]
        if side.turn != "none":
            servers.append(node.server("tcp" if side.turn == "tcp" else "udp"))
        hosts = [f"10.0.{number}.{each + 1}" for each in range(side.addresses)]
        players.append(
            player(
                net,
                *hosts,
                controlling=number == 0 or world.both_controlling,
                nat=nat,
                servers=servers,
                turns=[node],
                relay_only=side.relay_only,
            )
        )
    net.loss = world.loss
    return net, players[0], players[1], nodes


def connected_exactly_if_a_path_exists(world: World, net: Internet, one: Player, other: Player) -> bool:
    gathering = 0.0 if world.trickles else 3.0 + 6 * (world.delay + world.jitter)
    call(one, other, gather_first=gathering)
    told = as_gathered(world, one, other)
    patience = world.patience if a_path_exists(world) else 15.0
    connected = net.run(patience, lambda: one.connected and other.connected)
    expected = a_path_exists(as_gathered(world, one, other) if world.trickles else told)
    assert connected is expected, (one.states, other.states)
    return connected


def audio_flows(net: Internet, one: Player, other: Player) -> None:
    assert both_ways(one, other, seconds=8.0)
    assert one.agent.controlling is not other.agent.controlling


def memory_is_bounded(*players: Player) -> None:
    for each in players:
        agent = each.agent
        assert len(checks_of(agent).sent) <= MAX_SENT
        for generation in generations(agent):
            assert len(generation.checklist.pairs) <= MAX_PAIRS
            assert len(generation.remotes) <= MAX_REMOTE


@given(worlds)
@settings(max_examples=25, deadline=None, derandomize=True, phases=FAST)
def test_two_agents_on_any_internet(world: World) -> None:
    net, one, other, _ = build(world)
    if connected_exactly_if_a_path_exists(world, net, one, other):
        audio_flows(net, one, other)
    memory_is_bounded(one, other)


def relay_only_leaks_nothing(leaky: Player, nodes: list[TurnNode]) -> None:
    assert {action.remote for _, action in leaky.sent} <= {node.address for node in nodes}
    for candidate in leaky.agent.local_candidates:
        assert candidate.type is CandidateType.RELAYED
        assert not any(host.host in str(candidate) for host in leaky.hosts)


@given(worlds, st.sampled_from(["udp", "tcp", "dead"]))
@settings(max_examples=10, deadline=None, derandomize=True, phases=FAST)
def test_with_relays_alone_nothing_is_shown(world: World, turn: str) -> None:
    """Of a caller that uses relays alone, only its TURN servers ever hear; also when none of them answers."""
    one = evolve(world.one, relay_only=True, turn=turn)
    world = evolve(world, one=one, same_nat=False, delay=min(world.delay, 0.2), loss=min(world.loss, 0.1))
    net, one_player, other, nodes = build(world)
    call(one_player, other)
    expected = turn != "dead" and (knows_itself(world.other) or relays(world.other))
    connected = net.run(20.0, lambda: one_player.connected and other.connected)
    assert connected is expected
    if connected:
        audio_flows(net, one_player, other)
    relay_only_leaks_nothing(one_player, nodes)


EVENTS = ("cut", "cut one way", "heal", "address gone", "rebind", "restart", "refused restart", "reselect", "confirm")


@given(
    world=worlds,
    history=st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([0.05, 1.0, 6.0, 35.0])), max_size=8),
)
@settings(max_examples=8, deadline=None, derandomize=True, phases=FAST)
def test_whatever_has_happened_a_restart_heals_it(world: World, history: list[tuple[str, float]]) -> None:
    """Cuts, lost addresses, forgotten bindings and restarts in any order; when the network works again, so does a call.

    All the while every deadline is dealt with, data goes to nobody who has not answered, and memory is bounded.
    """
    world = evolve(world, delay=min(world.delay, 0.2), loss=0.0, signal=min(world.signal, 0.05))
    sure = evolve(world.one, nat=None, addresses=2)
    world = evolve(world, one=sure)
    net, one, other, _ = build(world)
    call(one, other)
    assert net.run(20.0, lambda: one.connected and other.connected)
    for event, pause in history:
        happens(event, net, one, other)
        net.run(pause)
        memory_is_bounded(one, other)
    net.cuts.clear()
    net.run(1.0)
    silent_before = len(one.agent.local_candidates) == 0
    restart(one, other)
    assert net.run(15.0, lambda: one.connected and other.connected and not one.agent.restarting) is not silent_before
    if not silent_before:
        audio_flows(net, one, other)


def happens(event: str, net: Internet, one: Player, other: Player) -> None:
    here, there = one.hosts[0].host, other.hosts[0].host
    match event:
        case "cut":
            net.cuts |= {(here, "*"), (there, "*")}
        case "cut one way":
            net.cuts.add((here, there))
        case "heal":
            net.cuts.clear()
        case "address gone" if len(one.agent._gatherer.hosts) > 1:
            net.gone.add(here)
            one.agent.remove_host(one.hosts[0], net.now)
        case "rebind":
            for nat in net.nats.values():
                nat.rebind()
        case "restart":
            restart(one, other)
        case "refused restart" if not one.agent.restarting and one.agent.selected is not None:
            one.agent.restart(net.now)
            one.agent.abandon_restart(net.now)
        case "reselect" if one.agent.controlling and one.agent.selected is not None and not one.agent.restarting:
            one.agent.reselect(net.now)
        case "confirm":
            one.agent.confirm(net.now)
        case _:
            pass
    one.pump()
