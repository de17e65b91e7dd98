"""The simulated WebSocket keeps TCP's promise of order, whatever becomes of the times."""

from itertools import count
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.facts import SocketFact, TextReceived
from telnyx_core.gateway.facts import GatewayFact
from telnyx_core.ids import SocketId
from telnyx_core.testing import VirtualClock, Wire


def pass_time(clock: VirtualClock, seconds: float) -> None:
    end = clock.now + seconds
    while (when := clock.next()) is not None and when <= end:
        clock.let_one_happen()
    clock.now = end


MOVES = st.lists(st.sampled_from(["send", "send", "stall", "heal", "wait", "slow", "fast"]), max_size=20)


@given(MOVES, st.randoms(use_true_random=False))
def test_what_is_sent_first_arrives_first(moves: list[str], rng: Random) -> None:
    clock, heard = VirtualClock(), list[str]()

    def at_the_gateway(fact: GatewayFact) -> None:
        if isinstance(fact, TextReceived):
            heard.append(fact.text)

    def at_the_client(fact: SocketFact) -> None:
        pass

    wire = Wire(clock, rng, count(1), tell_client=at_the_client, tell_gateway=at_the_gateway)
    wire.open(SocketId(1), "ws://gateway.test")
    pass_time(clock, 1.0)
    sent = [str(number) for number in range(moves.count("send"))]
    waiting = iter(sent)
    for move in moves:
        match move:
            case "send":
                wire.send(SocketId(1), next(waiting))
            case "stall":
                wire.stall("up")
            case "heal":
                wire.heal()
            case "wait":
                pass_time(clock, 1.0)
            case "slow":
                wire.latency = 0.7
            case _:
                wire.latency = 0.02
    wire.heal()
    pass_time(clock, 60.0)
    assert heard == sent
