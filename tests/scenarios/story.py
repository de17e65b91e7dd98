"""How most stories begin, and the words that they are told in."""

from typing import Any

from attrs import evolve

from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_core.testing import ALICE, Sim, SimClient

NEW, REQUESTING, TRYING, RINGING, EARLY, ACTIVE, HELD, RECOVERING, ANSWERING, HANGUP, DESTROY, PURGE = (
    CallState.NEW,
    CallState.REQUESTING,
    CallState.TRYING,
    CallState.RINGING,
    CallState.EARLY,
    CallState.ACTIVE,
    CallState.HELD,
    CallState.RECOVERING,
    CallState.ANSWERING,
    CallState.HANGUP,
    CallState.DESTROY,
    CallState.PURGE,
)

KEEPING = evolve(ALICE, keep_connection_alive_on_socket_close=True)


def at_the_phone(options=ALICE, **world: Any) -> tuple[Sim, SimClient]:
    """Alice is registered."""
    sim = Sim(options, **world)
    return sim, sim.ready()


def talking(to: str = "echo", options=ALICE, **world: Any) -> tuple[Sim, SimClient, CallId]:
    """Alice has called, was answered, and hears something."""
    sim, alice = at_the_phone(options, **world)
    return sim, alice, call_and_talk(sim, alice, to)


def call_and_talk(sim: Sim, alice: SimClient, to: str = "echo") -> CallId:
    call = alice.new_call(to)
    sim.run_until(lambda: alice.state_of(call) is ACTIVE and sim.media_flows(call, alice))
    sim.run(0.5)
    return call


def rung(options=ALICE, **world: Any) -> tuple[Sim, SimClient, CallId]:
    """Somebody calls Alice; her phone rings."""
    sim, alice = at_the_phone(options, **world)
    return sim, alice, ring(sim, alice)


def ring(sim: Sim, alice: SimClient, **call: Any) -> CallId:
    ident = sim.gateway.call_user("alice", now=sim.now, **call)
    sim.run_until(lambda: ident in alice.calls)
    sim.run(0.2)
    return ident


def spoken_to(options=ALICE, **world: Any) -> tuple[Sim, SimClient, CallId]:
    """Somebody has called Alice, and she has answered."""
    sim, alice, call = rung(options, **world)
    alice.answer(call)
    sim.run_until(lambda: alice.state_of(call) is ACTIVE and sim.media_flows(call))
    sim.run(0.5)
    return sim, alice, call


def ended(alice: SimClient, call: CallId) -> bool:
    """The application has heard the end, once."""
    return [state for state in alice.states(call) if state is DESTROY] == [DESTROY] and call not in alice.calls


def nothing_left(sim: Sim) -> None:
    """After a good-bye: the client holds nothing, the gateway has no call, and no deadline is set."""
    for client in sim.clients:
        client.ledger.at_rest()
        assert client.session.next_timeout() is None
        assert not client.ledger.tickets
    assert not sim.gateway.calls
