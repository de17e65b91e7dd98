"""The bare core with no network at all: a unit test of an application, against a simulated gateway and virtual time.

    pytest test_without_network.py

The application under test is a redialler: it calls a number again until somebody answers.
"""

from collections.abc import Callable

from telnyx_core.events import CallUpdated, Event
from telnyx_core.ids import CallId
from telnyx_core.states import CallState
from telnyx_core.testing import Sim


class Redialler:
    """Knows nothing of sockets or loops: it is told events, and places calls through what it was given."""

    def __init__(self, dial: Callable[[], CallId], *, attempts: int) -> None:
        self.attempts = attempts
        self.answered: CallId | None = None
        self._dial = dial
        self._call = dial()

    def hear(self, event: Event) -> None:
        match event:
            case CallUpdated(call) if call.id == self._call and call.state is CallState.ACTIVE:
                self.answered = call.id
            case CallUpdated(call) if call.id == self._call and call.state is CallState.DESTROY:
                self.attempts -= 1
                if self.attempts:
                    self._call = self._dial()
            case _:
                pass


def run(sim: Sim, redialler: Redialler, seconds: int) -> None:
    """Let time pass, and tell the application what was heard meanwhile."""
    told = 0
    for _ in range(seconds):
        sim.run(1.0)
        heard = [event for _, event in sim.client.events]
        for event in heard[told:]:
            redialler.hear(event)
        told = len(heard)


def test_it_calls_again_while_the_line_is_busy() -> None:
    sim = Sim()
    sim.ready()
    numbers = iter(["busy", "busy", "echo"])
    redialler = Redialler(lambda: sim.client.new_call(next(numbers)), attempts=5)
    run(sim, redialler, 30)
    assert redialler.answered is not None
    assert redialler.attempts == 3


def test_it_gives_up() -> None:
    sim = Sim()
    sim.ready()
    redialler = Redialler(lambda: sim.client.new_call("busy"), attempts=3)
    run(sim, redialler, 30)
    assert redialler.answered is None
    assert redialler.attempts == 0
