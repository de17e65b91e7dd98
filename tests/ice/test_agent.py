"""One story of the agent each: roles, nomination, trickle, consent, restart, lost addresses, and what it refuses."""

import itertools
from random import Random

import pytest

from telnyx_core.ice import (
    Address,
    Agent,
    Candidate,
    CandidateGathered,
    CandidateType,
    Credentials,
    DataReceived,
    Dropped,
    GatheringFinished,
    IceError,
    IceState,
    PairSelected,
    RestartFailed,
    ServerFailed,
    StateChanged,
    Transmit,
    stun,
)
from telnyx_core.ice.agent import MAX_HOSTS
from telnyx_core.ice.checklist import MAX_PAIRS
from telnyx_core.ice.checks import MAX_SENT
from telnyx_core.ice.generation import MAX_EARLY, MAX_REMOTE
from telnyx_core.ice.stun import Attr, Kind, Method
from tests.ice.inside import checks_of, current, generations
from tests.ice.internet import Internet, Nat, NatKind, Player, StunNode, both_ways, call, player, restart

HERE, THERE = Address("10.0.0.1", 1000), Address("10.0.0.2", 2000)
CREDENTIALS = Credentials("there123", "p" * 24)


def remote(port: int = THERE.port, host: str = THERE.host, priority: int = 2130706431) -> Candidate:
    return Candidate(f"f{port}", 1, "udp", priority, Address(host, port), CandidateType.HOST)


def drain(agent: Agent) -> list[object]:
    found: list[object] = []
    while (action := agent.next_action()) is not None:
        found.append(action)
    return found


def transmissions(agent: Agent) -> list[Transmit]:
    return [each for each in drain(agent) if isinstance(each, Transmit)]


def lone(*, controlling: bool = True, tie_breaker: int | None = None) -> Agent:
    """An agent whose far end is played by hand."""
    agent = Agent(controlling=controlling, rng=Random(1), tie_breaker=tie_breaker)
    agent.gather([HERE], [], 0.0)
    drain(agent)
    return agent


def checking(*, controlling: bool = True, tie_breaker: int | None = None) -> tuple[Agent, stun.Message]:
    """One that has sent its first check."""
    agent = lone(controlling=controlling, tie_breaker=tie_breaker)
    agent.set_remote(CREDENTIALS, 0.0)
    agent.add_remote_candidate(remote(), 0.0)
    (sent,) = transmissions(agent)
    assert sent.remote == THERE
    return agent, stun.decode(sent.data)


def answer(request: stun.Message, *attributes: stun.Attribute, kind: Kind = Kind.SUCCESS, key: str = "p" * 24) -> bytes:
    mapped = stun.xor_address(Attr.XOR_MAPPED_ADDRESS, HERE, request.transaction_id)
    whole = attributes if kind is Kind.ERROR else (mapped, *attributes)
    return stun.encode(Method.BINDING, kind, request.transaction_id, whole, key=key.encode())


def request(
    agent: Agent,
    *attributes: stun.Attribute,
    nominates: bool = False,
    role: int = Attr.ICE_CONTROLLED,
    tie_breaker: int = 1,
    priority: int | None = 1853824767,
    key: str | None = None,
    serial: int = 0,
) -> bytes:
    """A check of the far end."""
    local = agent.local_credentials
    whole = [(Attr.USERNAME, f"{local.ufrag}:there123".encode()), stun.number(role, tie_breaker, 8), *attributes]
    if priority is not None:
        whole.append(stun.number(Attr.PRIORITY, priority))
    if nominates:
        whole.append((Attr.USE_CANDIDATE, b""))
    transaction_id = b"far end " + serial.to_bytes(4, "big")
    return stun.encode(Method.BINDING, Kind.REQUEST, transaction_id, whole, key=(key or local.password).encode())


def kinds(sent: list[Transmit]) -> list[tuple[Address, Kind, bool]]:
    messages = [(each.remote, stun.decode(each.data)) for each in sent]
    return [(where, each.kind, each.get(Attr.USE_CANDIDATE) is not None) for where, each in messages]


def pair(
    *, delay: float = 0.02, loss: float = 0.0, hosts: int = 1, seed: int = 1, **more: object
) -> tuple[Internet, Player, Player]:
    net = Internet(seed=seed, delay=delay)
    one = player(net, *(f"10.0.0.{each + 1}" for each in range(hosts)), controlling=True, **more)  # type: ignore[arg-type]
    other = player(net, "10.0.1.1", controlling=False)
    net.loss = loss
    call(one, other)
    return net, one, other


def connected(**more: object) -> tuple[Internet, Player, Player]:
    net, one, other = pair(**more)  # type: ignore[arg-type]
    assert net.run(10.0, lambda: one.connected and other.connected)
    return net, one, other


# Checks


def test_a_check_says_what_the_standard_asks_for() -> None:
    """RFC 8445 section 7.1: name, role, priority, signature, fingerprint; no nomination before a pair works."""
    agent, message = checking()
    assert message.get(Attr.USERNAME) == f"there123:{agent.local_credentials.ufrag}".encode()
    assert message.number(Attr.ICE_CONTROLLING, 8) is not None
    assert message.number(Attr.PRIORITY) == 110 << 24 | 65_535 << 8 | 255
    assert message.get(Attr.USE_CANDIDATE) is None
    assert message.verify(CREDENTIALS.password.encode())
    assert message._raw[-8:-4] == b"\x80\x28\0\4"


def test_the_first_pair_that_answers_is_selected_and_nominated_at_once() -> None:
    agent, message = checking()
    agent.receive(answer(message), HERE, THERE, 0.05)
    actions = drain(agent)
    assert [type(each) for each in actions] == [StateChanged, PairSelected, Transmit]
    assert kinds([each for each in actions if isinstance(each, Transmit)]) == [(THERE, Kind.REQUEST, True)]
    assert agent.round_trip == pytest.approx(0.05)


def test_the_selected_pair_is_nominated_until_the_path_is_confirmed_and_a_while_longer() -> None:
    """PS-039: a server goes to where it was nominated last, until its handshake is over."""
    net, one, _ = connected()
    begun = len(one.sent)
    net.run(3.0)
    nominations = [
        when for when, each in one.sent[begun:] if stun.decode(each.data).get(Attr.USE_CANDIDATE) is not None
    ]
    gaps = [later - earlier for earlier, later in itertools.pairwise(nominations)]
    assert len(nominations) >= 29
    assert all(gap == pytest.approx(0.1) for gap in gaps)
    one.agent.confirm(net.now)
    confirmed, begun = net.now, len(one.sent)
    net.run(30.0)
    later = [when - confirmed for when, each in one.sent[begun:] if stun.decode(each.data).kind is Kind.REQUEST]
    assert sum(each <= 2.1 for each in later) >= 19
    assert all(4.0 <= late - early <= 6.0 for early, late in itertools.pairwise(later) if early > 2.1)


def test_no_other_pair_is_checked_once_one_works() -> None:
    net, one, _ = connected(hosts=2)
    begun = one.selections[0][0]
    net.run(20.0)
    assert {each.base for when, each in one.sent if when > begun} == {one.selections[0][1].local.address}
    assert len(one.selections) == 1


@pytest.mark.parametrize("how", ["another key", "another address", "another socket", "unknown attribute", "changed"])
def test_an_answer_that_is_not_to_be_believed_changes_nothing(how: str) -> None:
    agent, message = checking()
    agent.gather([Address("10.0.0.3", 9)], [], 0.0)
    drain(agent)
    source, base = THERE, HERE
    data = answer(message)
    match how:
        case "another key":
            data = answer(message, key="q" * 24)
        case "another address":
            source = Address("10.0.0.2", 2001)
        case "another socket":
            base = Address("10.0.0.3", 9)
        case "unknown attribute":
            data = answer(message, (0x7777, b""))
        case _:
            data = data[:30] + b"?" + data[31:]
    agent.receive(data, base, source, 0.01)
    assert agent.selected is None
    agent.receive(answer(message), HERE, THERE, 0.02)
    assert agent.selected is not None


def test_an_answer_counts_once() -> None:
    agent, message = checking()
    agent.receive(answer(message), HERE, THERE, 0.05)
    drain(agent)
    agent.receive(answer(message), HERE, THERE, 9.0)
    assert agent.round_trip == pytest.approx(0.05)


def test_an_error_fails_the_pair_until_the_far_end_checks_it() -> None:
    agent, message = checking()
    agent.receive(answer(message, stun.error_code(500, "no"), kind=Kind.ERROR), HERE, THERE, 0.01)
    agent.handle_timeout(5.0)
    assert transmissions(agent) == []
    agent.receive(request(agent), HERE, THERE, 6.0)
    assert [kind for _, kind, _ in kinds(transmissions(agent))] == [Kind.REQUEST, Kind.SUCCESS]


def test_checks_are_paced_and_repeated() -> None:
    """RFC 8445 section 14: no two checks within the pacing, whatever the number of pairs."""
    agent = lone()
    agent.set_remote(CREDENTIALS, 0.0)
    for port in range(1, 31):
        agent.add_remote_candidate(remote(port), 0.0)
    times: list[float] = []
    now = 0.0
    while now < 5.0:
        times += [now] * len(transmissions(agent))
        due = agent.next_timeout()
        assert due is not None
        assert due > now
        now = due
        agent.handle_timeout(now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) > 0.0199
    assert len(times) > 100


def test_a_path_that_opens_late_is_found_soon() -> None:
    net, one, other = pair()
    net.cuts |= {("10.0.0.1", "*"), ("10.0.1.1", "*")}
    net.run(6.0)
    net.cuts.clear()
    assert net.run(0.6, lambda: one.connected and other.connected)


def test_without_success_it_fails_in_time_and_says_nothing_more() -> None:
    """RFC 8863: not before 39.5 s, for the far end may still show itself."""
    net, one, other = pair()
    net.cuts.add(("10.0.0.1", "*"))
    assert not net.run(39.0, lambda: one.agent.state is IceState.FAILED)
    assert net.run(2.0, lambda: one.agent.state is IceState.FAILED)
    net.run(5.0)
    quiet = len(one.sent)
    net.run(100.0)
    assert len(one.sent) == quiet
    assert other.agent.state is IceState.FAILED
    assert one.agent.next_timeout() is None


def test_an_offer_without_candidates_waits_for_the_checks_of_the_far_end() -> None:
    net = Internet()
    one, other = player(net, "10.0.0.1", controlling=True), player(net, "10.0.1.1", controlling=False)
    one.open()
    other.open()
    other.agent.set_remote(one.agent.local_credentials, 0.0)
    other.pump()
    net.run(5.0)
    one.learn(other.describe())
    assert net.run(2.0, lambda: one.connected and other.connected)
    assert other.agent.selected is not None
    assert other.agent.selected[1].type is CandidateType.PEER_REFLEXIVE


def test_candidates_may_trickle_in_late() -> None:
    """RFC 8838: the patience is counted from the last of them, until the far end has said that there are no more."""
    net, one, other = pair()
    net.cuts |= {("10.0.0.1", "10.0.1.1"), ("10.0.1.1", "10.0.0.1")}
    net.run(30.0)
    late = player(net, "10.0.0.9", controlling=True)
    net.sockets[late.hosts[0]] = lambda data, source: None
    other.agent.add_remote_candidate(remote(late.hosts[0].port, "10.0.0.9"), net.now)
    other.pump()
    net.run(15.0)
    assert other.agent.state is IceState.CHECKING
    other.agent.end_of_remote_candidates(net.now)
    other.agent.add_remote_candidate(remote(9, "10.0.0.9"), net.now)
    net.run(25.0)
    assert other.agent.state is IceState.FAILED
    assert one.agent.state is IceState.FAILED


# Requests of the far end


def test_a_check_is_answered_with_the_address_that_it_came_from() -> None:
    agent = lone(controlling=False)
    agent.receive(request(agent, role=Attr.ICE_CONTROLLING), HERE, THERE, 0.0)
    (sent,) = transmissions(agent)
    message = stun.decode(sent.data)
    assert (sent.remote, message.kind) == (THERE, Kind.SUCCESS)
    assert message.address(Attr.XOR_MAPPED_ADDRESS) == THERE
    assert message.verify(agent.local_credentials.password.encode())


@pytest.mark.parametrize("how", ["key", "name", "unsigned", "indication", "method", "noise", "empty"])
def test_strangers_hear_nothing(how: str) -> None:
    agent = lone()
    data = request(agent)
    match how:
        case "key":
            data = request(agent, key="x" * 24)
        case "name":
            other = Agent(controlling=True, rng=Random(9))
            data = request(other, key=agent.local_credentials.password)
        case "unsigned":
            name = agent.local_credentials.ufrag.encode() + b":there123"
            data = stun.encode(Method.BINDING, Kind.REQUEST, b"x" * 12, [(Attr.USERNAME, name)])
        case "indication":
            data = stun.encode(Method.BINDING, Kind.INDICATION, b"x" * 12)
        case "method":
            data = stun.encode(Method.ALLOCATE, Kind.REQUEST, b"x" * 12)
        case "noise":
            data = b"\0\1\2"
        case _:
            data = b""
    agent.set_remote(CREDENTIALS, 0.0)
    agent.receive(data, HERE, THERE, 0.1)
    agent.receive(b"\x80audio", HERE, THERE, 0.1)
    told = [each for each in drain(agent) if not isinstance(each, StateChanged)]
    assert told == [Dropped(data, HERE, THERE), Dropped(b"\x80audio", HERE, THERE)]
    assert current(agent).remotes == {}


def refusal(agent: Agent, data: bytes) -> stun.Message:
    agent.receive(data, HERE, THERE, 0.0)
    (sent,) = transmissions(agent)
    return stun.decode(sent.data)


def test_what_must_be_understood_and_is_not_is_refused() -> None:
    """RFC 8489 section 6.3.1: error 420 with the list."""
    agent = lone()
    said = refusal(agent, request(agent, (0x7777, b"?")))
    assert said.error == (420, "Unknown Attribute")
    assert said.get(Attr.UNKNOWN_ATTRIBUTES) == b"\x77\x77"


def test_a_check_without_a_priority_is_refused() -> None:
    agent = lone()
    assert refusal(agent, request(agent, priority=None)).error == (400, "Bad Request")
    assert refusal(agent, request(agent, priority=0)).error == (400, "Bad Request")


def test_checks_that_come_before_the_description_are_kept_within_a_bound() -> None:
    agent = lone(controlling=False)
    for port in range(1, 100):
        data = request(agent, role=Attr.ICE_CONTROLLING, nominates=port == 1)
        agent.receive(data, HERE, Address("10.0.0.2", port), 0.0)
    assert len(transmissions(agent)) == 99
    assert len(current(agent).early) == MAX_EARLY
    agent.set_remote(CREDENTIALS, 0.1)
    # The nominated one is checked at once, and the others wait for it.
    assert kinds(transmissions(agent))[0] == (Address("10.0.0.2", 1), Kind.REQUEST, False)


def test_a_far_end_that_knows_the_password_cannot_fill_the_memory() -> None:
    agent = lone()
    agent.set_remote(CREDENTIALS, 0.0)
    for serial in range(1200):
        source = Address("10.0.0.2", serial + 1)
        agent.receive(request(agent, serial=serial), HERE, source, serial * 0.001)
        agent.add_remote_candidate(remote(serial + 1, "10.0.0.3"), serial * 0.001)
        drain(agent)
    assert len(current(agent).remotes) == MAX_REMOTE
    assert len(current(agent).checklist.pairs) <= MAX_PAIRS
    assert len(checks_of(agent).sent) <= MAX_SENT


def test_the_pairs_are_bounded_and_the_best_are_kept() -> None:
    agent = Agent(controlling=True, rng=Random(1))
    agent.gather([Address("10.0.0.1", port) for port in range(1, 30)], [], 0.0)
    assert len(agent.local_candidates) == MAX_HOSTS
    agent.set_remote(CREDENTIALS, 0.0)
    for port in range(1, 40):
        agent.add_remote_candidate(remote(port, priority=1000 + port), 0.0)
    pairs = current(agent).checklist.pairs
    assert len(pairs) == MAX_PAIRS
    assert (Address("10.0.0.1", 1), Address("10.0.0.2", 39)) in pairs


@pytest.mark.parametrize(
    "line",
    [
        "candidate:1 2 udp 1 10.0.0.2 2000 typ host",
        "candidate:1 1 tcp 1 10.0.0.2 2000 typ host",
        "candidate:1 1 udp 1 10.0.0.2 0 typ host",
    ],
)
def test_candidates_that_are_not_for_us(line: str) -> None:
    agent = lone()
    agent.set_remote(CREDENTIALS, 0.0)
    agent.add_remote_candidate(Candidate.parse(line), 0.0)
    assert transmissions(agent) == []


def test_addresses_of_two_families_are_not_paired() -> None:
    agent = Agent(controlling=True, rng=Random(1))
    v4, v6 = Address("10.0.0.1", 1), Address("fd00::1", 1)
    agent.gather([v4, v6], [], 0.0)
    agent.set_remote(CREDENTIALS, 0.0)
    agent.add_remote_candidate(remote(5, "fd00::2"), 0.0)
    assert [each.base for each in transmissions(agent)] == [v6]


# Roles


@pytest.mark.parametrize("controlling", [True, False])
@pytest.mark.parametrize("stronger", [True, False])
def test_a_role_conflict_is_settled_by_the_tie_breakers(controlling: bool, stronger: bool) -> None:
    """RFC 8445 section 7.3.1.1: the larger one is controlling, whoever notices it."""
    agent = lone(controlling=controlling, tie_breaker=100)
    role = Attr.ICE_CONTROLLING if controlling else Attr.ICE_CONTROLLED
    said = refusal(agent, request(agent, role=role, tie_breaker=99 if stronger else 101))
    keeps = stronger == controlling
    assert agent.controlling is (controlling if keeps else not controlling)
    assert said.error == ((487, "Role Conflict") if keeps else None)


def test_a_487_changes_the_role_and_the_check_is_repeated() -> None:
    """RFC 8445 section 7.2.5.1."""
    agent, message = checking(tie_breaker=5)
    agent.receive(answer(message, stun.error_code(487, "Role Conflict"), kind=Kind.ERROR), HERE, THERE, 0.03)
    assert not agent.controlling
    (sent,) = transmissions(agent)
    again = stun.decode(sent.data)
    assert again.get(Attr.ICE_CONTROLLED) is not None
    assert again.number(Attr.ICE_CONTROLLED, 8) != 5
    agent.receive(answer(message, stun.error_code(487, "Role Conflict"), kind=Kind.ERROR), HERE, THERE, 0.04)
    assert not agent.controlling


@pytest.mark.parametrize("both", [True, False])
def test_two_of_one_role_agree(both: bool) -> None:
    net = Internet(seed=3)
    one, other = player(net, "10.0.0.1", controlling=both), player(net, "10.0.1.1", controlling=both)
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    net.run(1.0)
    assert one.agent.controlling is not other.agent.controlling
    assert both_ways(one, other)


def test_with_an_ice_lite_far_end_this_one_is_controlling() -> None:
    """RFC 8445 section 6.1.1."""
    agent = lone(controlling=False)
    agent.set_remote(CREDENTIALS, 0.0, lite=True)
    assert agent.controlling


def test_a_controlled_agent_goes_where_it_is_told() -> None:
    agent, message = checking(controlling=False)
    agent.receive(answer(message), HERE, THERE, 0.02)
    assert agent.selected is None
    agent.receive(request(agent, role=Attr.ICE_CONTROLLING, nominates=True), HERE, THERE, 0.03)
    assert agent.selected is not None
    assert agent.selected[1].address == THERE


def test_a_controlled_agent_follows_the_last_nomination_and_the_best_of_several_at_once() -> None:
    agent, message = checking(controlling=False)
    worse = Address("10.0.0.2", 2001)
    agent.add_remote_candidate(remote(2001, priority=5), 0.0)
    agent.receive(answer(message), HERE, THERE, 0.02)
    agent.receive(request(agent, role=Attr.ICE_CONTROLLING, nominates=True), HERE, THERE, 0.03)
    drain(agent)

    def nominate(where: Address, now: float) -> None:
        data = request(agent, role=Attr.ICE_CONTROLLING, nominates=True, serial=int(now * 1000))
        agent.receive(data, HERE, where, now)
        for sent in transmissions(agent):
            check = stun.decode(sent.data)
            if check.kind is Kind.REQUEST:
                agent.receive(answer(check), HERE, sent.remote, now + 0.01)
        drain(agent)

    nominate(worse, 0.1)  # a far end that nominates whatever it checks
    assert agent.selected is not None
    assert agent.selected[1].address == THERE
    nominate(THERE, 0.15)
    nominate(worse, 0.2)
    assert agent.selected[1].address == THERE
    nominate(worse, 0.6)  # it has not said the other for a while
    assert agent.selected[1].address == worse
    nominate(THERE, 0.61)
    assert agent.selected[1].address == THERE


def test_a_controlled_agent_does_not_wait_for_a_nomination_without_an_end() -> None:
    agent, message = checking(controlling=False)
    agent.receive(answer(message), HERE, THERE, 0.02)
    agent.handle_timeout(1.9)
    assert agent.selected is None
    agent.handle_timeout(2.1)
    assert agent.selected is not None


def test_the_pair_that_the_far_end_checks_first_is_nominated_ahead_of_the_answer() -> None:
    """PS-039: it is checked, the others wait for it, and then they do not."""
    agent, _ = checking()
    second = Address("10.0.0.2", 2001)
    agent.add_remote_candidate(remote(2001, priority=5), 0.0)
    drain(agent)
    agent.receive(request(agent), HERE, second, 0.03)
    assert kinds(transmissions(agent)) == [(second, Kind.REQUEST, True), (second, Kind.SUCCESS, False)]
    now = 0.03
    seen: list[tuple[float, Address]] = []
    while now < 2.5:
        due = agent.next_timeout()
        assert due is not None
        now = due
        agent.handle_timeout(now)
        seen += [(now, each.remote) for each in transmissions(agent)]
    assert {where for when, where in seen if when < 1.5} == {second}
    assert {where for when, where in seen if when > 1.6} == {second, THERE}


# Data


def test_data_goes_out_on_the_selected_pair_alone() -> None:
    agent, message = checking()
    assert not agent.send(b"\x80", 0.0)
    agent.receive(answer(message), HERE, THERE, 0.02)
    drain(agent)
    assert agent.send(b"\x80audio", 0.03)
    assert transmissions(agent) == [Transmit(HERE, THERE, b"\x80audio")]


def test_data_is_taken_from_whoever_has_proved_to_know_the_password() -> None:
    net, one, other = connected()
    assert both_ways(one, other)
    stranger = Address("10.9.9.9", 9)
    got = len(one.received)
    one.agent.receive(b"\x80stranger", one.hosts[0], stranger, net.now)
    one.pump()
    assert len(one.received) == got


def test_data_of_a_candidate_that_has_not_proved_itself_is_dropped() -> None:
    agent, message = checking()
    agent.receive(b"\x80early", HERE, THERE, 0.01)
    agent.receive(answer(message), HERE, THERE, 0.02)
    agent.receive(b"\x80voice", HERE, THERE, 0.03)
    assert [each for each in drain(agent) if isinstance(each, DataReceived)] == [DataReceived(b"\x80voice")]


def test_a_closed_agent_is_closed() -> None:
    net, one, _ = connected()
    one.agent.close(net.now)
    one.pump()
    assert one.states[-1] is IceState.CLOSED
    one.agent.close(net.now)
    one.agent.receive(b"\x80", one.hosts[0], THERE, net.now)
    one.agent.handle_timeout(net.now)
    assert not one.agent.send(b"\x80", net.now)
    assert one.agent.next_timeout() is None
    assert one.agent.next_action() is None
    for command in (
        lambda: one.agent.gather([], [], net.now),
        lambda: one.agent.restart(net.now),
        lambda: one.agent.set_remote(CREDENTIALS, net.now),
        lambda: one.agent.add_remote_candidate(remote(), net.now),
    ):
        with pytest.raises(IceError):
            command()


# Consent


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_consent_is_kept_for_minutes(loss: float) -> None:
    net, one, other = connected()
    one.agent.confirm(net.now)
    net.loss = loss
    net.run(200.0)
    assert one.connected
    assert other.connected
    assert both_ways(one, other)


def test_checks_of_the_pair_in_use_are_counted_and_what_was_answered_of_them() -> None:
    """``requestsSent`` that grow while ``responsesReceived`` do not are a path that is cut one way."""
    net, one, other = connected()
    one.agent.confirm(net.now)
    other.agent.confirm(net.now)
    net.run(60.0)
    sent, answered = one.agent.checks
    assert 20 < sent <= answered + 1
    net.loss = 1.0
    net.run(10.0)
    assert one.agent.checks[0] > sent
    assert one.agent.checks[1] - answered <= 1
    net.run(30.0)
    assert one.agent.checks == (0, 0), "no pair is in use"


def test_consent_stops_sending_in_thirty_seconds() -> None:
    """RFC 7675 section 5.1: counted from the last answer, whatever packets come meanwhile."""
    net, one, other = connected()
    one.agent.confirm(net.now)
    net.run(10.0)
    net.cuts.add(("10.0.0.1", "10.0.1.1"))  # we are not heard; the far end's audio comes
    cut = net.now

    def beat() -> None:
        one.say(b"\x80one")
        other.say(b"\x80other")
        net.clock.after(0.02, beat)

    beat()
    net.run(60.0)
    assert one.states[-2:] == [IceState.DISCONNECTED, IceState.FAILED]
    last = max(when for when, _ in one.sent)
    assert last - cut < 30.5
    assert other.agent.state is IceState.FAILED


def test_silence_is_noticed_and_its_end_too() -> None:
    net, one, _ = connected()
    one.agent.confirm(net.now)
    net.run(10.0)
    net.cuts |= {("10.0.0.1", "*"), ("10.0.1.1", "*")}
    assert net.run(11.5, lambda: one.agent.state is IceState.DISCONNECTED)
    net.cuts.clear()
    assert net.run(1.5, lambda: one.connected)


def test_a_far_end_that_sends_no_audio_is_not_disconnected() -> None:
    """PS-045: checks that are answered prove the path."""
    net, one, other = connected()
    one.agent.confirm(net.now)
    net.run(120.0)
    assert one.states == [IceState.CHECKING, IceState.CONNECTED]
    assert other.states == [IceState.CHECKING, IceState.CONNECTED]


def test_round_trips_of_six_seconds_are_no_silence() -> None:
    net, one, other = pair(delay=3.0)
    assert net.run(20.0, lambda: one.connected and other.connected)
    net.run(40.0)
    assert one.states == [IceState.CHECKING, IceState.CONNECTED]
    assert other.states == [IceState.CHECKING, IceState.CONNECTED]


# Lost addresses, and better ones


def test_audio_is_back_in_half_a_second_when_the_address_of_the_path_goes() -> None:
    net, one, other = connected(hosts=2)
    one.agent.confirm(net.now)
    net.run(5.0)
    used = one.selections[-1][1].local.address
    net.gone.add(used.host)
    one.agent.remove_host(used, net.now)
    one.pump()
    assert one.agent.state is IceState.DISCONNECTED
    assert net.run(0.2, lambda: one.connected)
    assert both_ways(one, other, seconds=0.5)
    assert used not in [each.address for each in one.agent.local_candidates]


def test_an_address_that_goes_is_replaced_by_one_that_was_given_up_before() -> None:
    net, one, other = connected(hosts=2)
    one.agent.confirm(net.now)
    used = one.selections[-1][1].local.address
    net.cuts |= {(used.host, "10.0.1.1"), ("10.0.1.1", used.host)}
    assert net.run(15.0, lambda: len(one.selections) == 2)
    net.cuts.clear()
    net.run(1.0)
    one.agent.remove_host(one.selections[-1][1].local.address, net.now)
    one.pump()
    assert net.run(0.2, lambda: one.connected)
    assert both_ways(one, other)


def test_a_direct_pair_that_answers_soon_wins_over_a_relayed_one() -> None:
    agent, message = checking()
    relay = Candidate("r", 1, "udp", 1, Address("10.0.0.9", 9), CandidateType.RELAYED)
    agent.add_remote_candidate(relay, 0.0)
    agent.handle_timeout(0.05)
    (sent,) = [each for each in transmissions(agent) if each.remote == relay.address]
    agent.receive(answer(stun.decode(sent.data)), HERE, relay.address, 0.06)
    assert agent.selected is None
    agent.receive(answer(message), HERE, THERE, 0.1)
    assert agent.selected is not None
    assert agent.selected[1].address == THERE


def test_a_path_that_breaks_is_replaced_by_one_that_works() -> None:
    net, one, other = connected(hosts=2)
    one.agent.confirm(net.now)
    net.run(5.0)
    used = one.selections[-1][1].local.address
    net.cuts |= {(used.host, "10.0.1.1"), ("10.0.1.1", used.host)}
    net.run(12.0)
    assert one.connected
    assert one.selections[-1][1].local.address != used
    assert both_ways(one, other)


def test_a_path_that_breaks_one_way_is_replaced_although_packets_come() -> None:
    net, one, other = connected(hosts=2)
    one.agent.confirm(net.now)
    net.run(5.0)
    used = one.selections[-1][1].local.address
    net.cuts.add((used.host, "10.0.1.1"))
    for beat in range(1000):
        net.clock.after(beat * 0.02, lambda: other.say(b"\x80"))
    net.run(18.0)
    assert one.selections[-1][1].local.address != used
    assert both_ways(one, other)


def test_a_nat_that_forgets_its_bindings_costs_little() -> None:
    """The far end's packets come from another port then: it is believed once it has answered a check."""
    net = Internet(seed=5)
    nat = Nat("203.0.113.1", NatKind.PORT_RESTRICTED)
    one, other = player(net, "10.0.0.1", controlling=True), player(net, "10.0.1.1", controlling=False, nat=nat)
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    one.agent.confirm(net.now)
    net.run(5.0)
    for beat in range(2000):
        net.clock.after(beat * 0.02, lambda: (one.say(b"\x80"), other.say(b"\x80")))
    nat.rebind()
    begun = net.now
    assert net.run(15.0, lambda: len(one.selections) > 1)
    assert net.now - begun < 8.5
    assert both_ways(one, other)


def test_a_better_pair_is_used_when_that_is_asked_for() -> None:
    net, one, other = pair(hosts=2)
    net.cuts |= {("10.0.0.1", "*"), ("10.0.1.1", "10.0.0.1")}
    assert net.run(5.0, lambda: one.connected and other.connected)
    one.agent.confirm(net.now)
    net.cuts.clear()
    net.run(10.0)
    assert len(one.selections) == 1
    one.agent.reselect(net.now)
    one.pump()
    net.run(0.5)
    assert [each.local.address.host for _, each in one.selections] == ["10.0.0.2", "10.0.0.1"]
    net.run(1.0)
    assert other.selections[-1][1].remote.address.host == "10.0.0.1"
    assert both_ways(one, other)
    with pytest.raises(IceError):
        other.agent.reselect(net.now)


# Restart


def silences(net: Internet, one: Player, other: Player, seconds: float) -> list[float]:
    """The longest times without audio, for each direction, of a frame each 20 ms."""
    times: list[list[float]] = [[], []]
    counts = [len(one.received), len(other.received)]

    def beat() -> None:
        one.say(b"\x80")
        other.say(b"\x80")
        for place, each in enumerate((one, other)):
            if len(each.received) > counts[place]:
                counts[place] = len(each.received)
                times[place].append(net.now)

    for number in range(int(seconds / 0.02)):
        net.clock.after(number * 0.02, beat)
    net.run(seconds)
    return [max(later - earlier for earlier, later in itertools.pairwise(each)) for each in times]


@pytest.mark.parametrize("delay", [0.001, 0.1])
def test_a_restart_silences_no_direction_that_worked(delay: float) -> None:
    net, one, other = connected(delay=delay, hosts=2)
    one.agent.confirm(net.now)
    net.run(5.0)
    old = one.agent.local_credentials
    net.clock.after(1.0, lambda: restart(one, other))
    assert max(silences(net, one, other, 4.0)) < 0.05
    assert one.agent.local_credentials != old
    assert [each.restarted for _, each in one.selections] == [False, True]
    assert not one.agent.restarting
    net.run(60.0)
    assert one.states == [IceState.CHECKING, IceState.CONNECTED]
    assert other.states == [IceState.CHECKING, IceState.CONNECTED]
    assert one.agent._previous is None


def test_after_a_restart_the_pair_that_worked_is_checked_first() -> None:
    net, one, other = connected(hosts=2)
    one.agent.confirm(net.now)
    net.run(5.0)
    used, begun = one.selections[-1][1].local.address, net.now
    restart(one, other)
    net.run(3.0)
    assert {each.base for when, each in one.sent if when > begun} == {used}
    assert one.selections[-1][1].local.address == used


def test_checks_of_the_old_generation_are_answered_for_as_long_as_consent_lasts() -> None:
    """RFC 8445 section 9: the far end may use the old pair until it has found the new one."""
    agent, message = checking()
    agent.receive(answer(message), HERE, THERE, 0.02)
    old = request(agent)
    agent.restart(1.0)
    agent.set_remote(Credentials("again123", "q" * 24), 1.0)
    drain(agent)
    agent.add_remote_candidate(remote(), 1.0)
    (sent,) = [each for each in transmissions(agent) if stun.decode(each.data).get(Attr.USE_CANDIDATE) is None]
    agent.receive(answer(stun.decode(sent.data), key="q" * 24), HERE, THERE, 1.1)
    assert not agent.restarting
    drain(agent)
    agent.receive(old, HERE, THERE, 20.0)
    found = [stun.decode(each.data) for each in transmissions(agent)]
    assert any(each.transaction_id == b"far end \0\0\0\0" for each in found)
    agent.handle_timeout(31.2)
    assert len(generations(agent)) == 1


def test_a_restart_heals_a_broken_path() -> None:
    net, one, other = connected(hosts=2)
    one.agent.confirm(net.now)
    used = one.selections[-1][1].local.address
    net.gone.add(used.host)
    net.run(7.0)
    restart(one, other)
    assert net.run(3.0, lambda: one.connected and not one.agent.restarting)
    assert both_ways(one, other)


def test_a_restart_that_is_refused_is_taken_back() -> None:
    net, one, other = connected()
    one.agent.confirm(net.now)
    old = one.agent.local_credentials
    one.agent.restart(net.now)
    assert one.agent.restarting
    net.run(20.0)
    one.agent.abandon_restart(net.now)
    assert one.agent.local_credentials == old
    net.run(60.0)
    assert both_ways(one, other)
    with pytest.raises(IceError):
        one.agent.abandon_restart(net.now)


def test_a_restart_that_finds_nothing_leaves_what_works() -> None:
    """The far end answers with an address that nobody can reach."""
    net, one, other = connected()
    one.agent.confirm(net.now)
    one.agent.restart(net.now)
    one.learn((CREDENTIALS, (remote(9, "10.7.7.7"),)))
    net.run(45.0)
    assert any(isinstance(each, RestartFailed) for _, each in one.told)
    assert one.connected
    assert both_ways(one, other)


def test_restarts_follow_each_other_before_any_is_answered() -> None:
    net, one, other = connected()
    one.agent.confirm(net.now)
    for _ in range(5):
        one.agent.restart(net.now)
    assert len(generations(one.agent)) == 2
    restart(one, other)
    net.run(2.0)
    assert both_ways(one, other)
    assert one.selections[-1][1].restarted


def test_a_failed_agent_is_revived_by_a_restart() -> None:
    net, one, other = pair()
    net.cuts.add(("10.0.0.1", "*"))
    net.run(45.0)
    assert one.agent.state is IceState.FAILED
    net.cuts.clear()
    restart(one, other)
    assert net.run(2.0, lambda: one.connected and other.connected)
    assert both_ways(one, other)


def test_consent_that_lapses_during_a_restart_ends_the_old_pair_alone() -> None:
    net, one, other = connected()
    one.agent.confirm(net.now)
    net.run(3.0)
    net.gone.add("10.0.1.1")
    one.agent.restart(net.now)
    one.pump()
    net.run(40.0)
    assert one.agent.selected is None
    net.gone.clear()
    restart(one, other)
    assert net.run(3.0, lambda: one.connected and other.connected)


def test_other_credentials_without_a_restart_are_refused() -> None:
    agent, _ = checking()
    agent.set_remote(CREDENTIALS, 1.0)
    with pytest.raises(IceError, match="restart"):
        agent.set_remote(Credentials("other123", "p" * 24), 1.0)


# Gathering by STUN


@pytest.mark.parametrize("first", ["ok", "dead", "refuses", "babbles"])
def test_the_first_stun_server_that_answers_is_enough(first: str) -> None:
    net = Internet()
    nodes = [StunNode(net, Address(f"192.0.2.{each}", 3478)) for each in (1, 2)]
    nodes[0].mode = first
    nat = Nat("203.0.113.1", NatKind.FULL_CONE)
    one = player(net, "10.0.0.1", controlling=True, nat=nat, servers=[each.server for each in nodes])
    one.open()
    assert net.run(20.0, lambda: one.agent.gathering_finished)
    candidates = one.agent.local_candidates
    assert [each.type for each in candidates] == [CandidateType.HOST, CandidateType.SERVER_REFLEXIVE]
    assert candidates[1].related == one.hosts[0]
    assert sum(isinstance(each, GatheringFinished) for _, each in one.told) == 1
    failed = [each for _, each in one.told if isinstance(each, ServerFailed)]
    assert [each.code for each in failed] == ([500] if first == "refuses" else [])


def test_gathering_ends_where_no_server_answers_and_says_why() -> None:
    net = Internet()
    node = StunNode(net, Address("192.0.2.1", 3478), "dead")
    one = player(net, "10.0.0.1", controlling=True, servers=[node.server])
    one.open()
    assert not one.agent.gathering_finished
    assert net.run(9.0, lambda: one.agent.gathering_finished)
    assert [(each.code, each.reason) for _, each in one.told if isinstance(each, ServerFailed)] == [(701, "no answer")]


def test_gathering_is_not_over_while_servers_are_announced() -> None:
    agent = Agent(controlling=True, rng=Random(1))
    agent.gather([HERE], [], 0.0, more=True)
    assert not agent.gathering_finished
    agent.gather([], [], 1.0)
    assert agent.gathering_finished


def test_a_binding_is_kept_while_the_far_end_is_ringing_and_a_new_one_is_told() -> None:
    net = Internet()
    node = StunNode(net, Address("192.0.2.1", 3478))
    nat = Nat("203.0.113.1", NatKind.FULL_CONE)
    one = player(net, "10.0.0.1", controlling=True, nat=nat, servers=[node.server])
    one.open()
    net.run(20.0)
    nat.rebind()
    net.run(20.0)
    told = [each.candidate for _, each in one.told if isinstance(each, CandidateGathered)]
    reflexive = [each for each in told if each.type is CandidateType.SERVER_REFLEXIVE]
    assert len({each.address.port for each in reflexive}) == 2
    assert [each for each in one.agent.local_candidates if each in reflexive] == reflexive[1:], "the first is no more"
    assert len(one.sent) == 3


def test_a_server_that_lies_does_no_harm() -> None:
    net = Internet()
    node = StunNode(net, Address("192.0.2.1", 3478), "lies")
    one = player(net, "10.0.0.1", controlling=True, servers=[node.server])
    other = player(net, "10.0.1.1", controlling=False, servers=[node.server])
    call(one, other)
    assert net.run(5.0, lambda: one.connected and other.connected)
    assert both_ways(one, other)


OTHER = Address("10.0.0.9", 1000)


def two_bases(tie_breaker: int = 1 << 63) -> tuple[Agent, dict[Address, stun.Message]]:
    """A controlling agent that has checked the far end from both of its addresses."""
    agent = Agent(controlling=True, rng=Random(1), tie_breaker=tie_breaker)
    agent.gather([HERE, OTHER], [], 0.0)
    agent.set_remote(CREDENTIALS, 0.0)
    agent.add_remote_candidate(remote(), 0.0)
    agent.handle_timeout(0.02)
    return agent, {each.base: stun.decode(each.data) for each in transmissions(agent)}


def test_while_others_wait_for_the_pair_of_the_far_end_none_of_them_is_selected() -> None:
    """PS-039: a server that has been answered goes away with the next check from elsewhere, for a second."""
    agent, sent = two_bases()
    agent.receive(request(agent), HERE, THERE, 0.05)
    again = [stun.decode(each.data) for each in transmissions(agent) if each.data[:2] == b"\0\1"]
    agent.receive(answer(sent[OTHER]), OTHER, THERE, 0.06)
    assert agent.path is None
    agent.receive(answer(again[0]), HERE, THERE, 0.07)
    assert agent.path == (HERE, THERE)


def test_the_pair_of_the_far_end_that_does_not_answer_is_waited_for_and_no_longer() -> None:
    agent, sent = two_bases()
    agent.receive(request(agent), HERE, THERE, 0.05)
    agent.receive(answer(sent[OTHER]), OTHER, THERE, 0.06)
    agent.handle_timeout(1.54)
    assert agent.path is None
    agent.handle_timeout(1.55)
    assert agent.path == (OTHER, THERE)
    due = agent.next_timeout()
    assert due is not None
    assert due > 1.55


@pytest.mark.parametrize("early", [True, False])
def test_a_check_in_the_wrong_role_shows_where_the_far_end_listens(early: bool) -> None:
    """It is refused, and other addresses wait all the same."""
    agent = Agent(controlling=True, rng=Random(1), tie_breaker=1 << 63)
    agent.gather([HERE, OTHER], [], 0.0)
    wrong = request(agent, role=Attr.ICE_CONTROLLING)
    if early:
        agent.receive(wrong, OTHER, THERE, 0.0)
        assert [stun.decode(each.data).kind for each in transmissions(agent)] == [Kind.ERROR]
    agent.set_remote(CREDENTIALS, 0.0)
    if not early:
        agent.receive(wrong, OTHER, THERE, 0.0)
    agent.add_remote_candidate(remote(), 0.0)
    for tick in range(20):
        agent.handle_timeout(tick / 20)
    checks = [each for each in transmissions(agent) if stun.decode(each.data).kind is Kind.REQUEST]
    assert {each.base for each in checks} == {OTHER}
    assert all(stun.decode(each.data).get(Attr.USE_CANDIDATE) is not None for each in checks)


def test_a_server_whose_name_is_known_late_joins_the_race() -> None:
    net = Internet()
    dead, good = StunNode(net, Address("192.0.2.1", 3478), "dead"), StunNode(net, Address("192.0.2.2", 3478))
    one = player(net, "10.0.0.1", controlling=True, servers=[dead.server])
    one.open()
    net.run(0.1)
    one.agent.gather([], [good.server], net.now)
    one.pump()
    net.run(0.4)
    assert one.agent.gathering_finished
    assert not [each for _, each in one.told if isinstance(each, ServerFailed)]


def test_gathering_can_be_ended_and_what_was_given_be_asked_for_again() -> None:
    net = Internet()
    node = StunNode(net, Address("192.0.2.1", 3478))
    nat = Nat("203.0.113.1", NatKind.FULL_CONE)
    one = player(net, "10.0.0.1", controlling=True, nat=nat, servers=[node.server])
    one.open()
    net.run(0.2)
    nat.rebind()
    one.agent.ask_again(net.now)
    one.pump()
    net.run(0.2)
    reflexive = [each for each in one.agent.local_candidates if each.type is CandidateType.SERVER_REFLEXIVE]
    assert [each.address.port for each in reflexive] == [30_002]
    silent = StunNode(net, Address("192.0.2.2", 3478), "dead")
    other = player(net, "10.0.1.1", controlling=True, servers=[silent.server])
    other.open()
    net.run(0.2)
    assert not other.agent.gathering_finished
    other.agent.end_gathering(net.now)
    assert other.agent.gathering_finished


def test_nothing_is_asked_from_loopback_of_a_server_elsewhere() -> None:
    agent = Agent(controlling=True, rng=Random(1))
    agent.gather([Address("127.0.0.1", 9)], [StunNode(Internet(), Address("192.0.2.1", 3478)).server], 0.0)
    assert transmissions(agent) == []
    assert agent.gathering_finished
