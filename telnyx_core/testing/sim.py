"""A whole world on one virtual clock: clients, a gateway, their media and the wires between them.

Nothing waits in real time and nothing is random: the same seed and the same script give the same frames, in any
process. A day of signalling takes well under a second.
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Final

from telnyx_core._wire.json_types import JsonView
from telnyx_core.actions import SendText
from telnyx_core.gateway import GatewayCore, GatewayOptions
from telnyx_core.gateway.actions import (
    AbortConnection,
    CloseConnection,
    Feed,
    GatewayAction,
    GatewayNotify,
    ReleaseCall,
)
from telnyx_core.gateway.events import GatewayEvent
from telnyx_core.gateway.facts import GatewayFact
from telnyx_core.ids import CallId, SocketId
from telnyx_core.options import ClientOptions
from telnyx_core.states import SessionState
from telnyx_core.testing.client import SimClient
from telnyx_core.testing.clock import VirtualClock
from telnyx_core.testing.contract import ContractViolation
from telnyx_core.testing.media import MediaModel
from telnyx_core.testing.wire import Wire

ALICE: Final = ClientOptions(login="alice", password="wonderland", env="wss://gateway.test", ice_servers=())
"""A client that `WONDERLAND` lets in."""
WONDERLAND: Final = GatewayOptions(users={"alice": "wonderland", "bob": "builder"})
"""A gateway with two users and the usual numbers: echo, tone, early, busy, reject, ring and more."""

_AT_ONE_INSTANT: Final = 10_000
"""More steps than this at one instant are an endless loop."""


class Sim:
    """The world. Commands go through `client`, the far end's doings through `gateway` (then call `settle`).

    ``strict`` compares the whole session before and after each refused command, which costs time.
    """

    def __init__(
        self,
        options: ClientOptions = ALICE,
        *,
        gateway: GatewayOptions = WONDERLAND,
        seed: int = 0,
        remembered: JsonView | None = None,
        strict: bool = False,
    ) -> None:
        self.clock = VirtualClock()
        self.model = MediaModel(self.clock)
        self.gateway = GatewayCore(gateway, rng=Random(seed))
        self.gateway_media = self.model.engine(self.tell_gateway, fed=True)
        self.gateway_events: list[tuple[float, GatewayEvent]] = []
        self.clients: list[SimClient] = []
        self.steps = 0
        """How often something has happened."""
        self._strict = strict
        self._seeds = count(seed)
        self._far_ids = count(1)
        self.client = self.add_client(options, remembered=remembered)

    @property
    def now(self) -> float:
        return self.clock.now

    @property
    def wire(self) -> Wire:
        """The first client's."""
        return self.client.wire

    # Who takes part.

    def add_client(self, options: ClientOptions, *, remembered: JsonView | None = None) -> SimClient:
        client = SimClient(
            options,
            self.clock,
            self.model,
            seed=next(self._seeds),
            far_ids=self._far_ids,
            tell_gateway=self.tell_gateway,
            remembered=remembered,
            strict=self._strict,
        )
        self.clients.append(client)
        return client

    def restart(self, client: SimClient | None = None, *, forgets: bool = False) -> SimClient:
        """The client's process dies, and a new one begins with what the old one remembered (or with nothing)."""
        old = client or self.client
        old.gone = True
        old.wire.drop(seen_by="gateway")
        old.media.vanish()
        self.clients.remove(old)
        new = self.add_client(old.options, remembered=None if forgets else old.remembered)
        if old is self.client:
            self.client = new
        return new

    # Time.

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        while self._step(until):
            pass
        self.clock.now = until

    def run_until(self, condition: Callable[[], bool], within: float = 60.0) -> None:
        """Let time pass until the condition holds; `ContractViolation` if it does not ``within`` so many seconds."""
        self.settle()
        until = self.now + within
        while not condition():
            if not self._step(until):
                raise ContractViolation(f"this did not come about within {within:g} s of {self.now:g} s")

    def next_event_at(self) -> float | None:
        """When something happens next, if nothing is asked meanwhile."""
        first = _earlier(self.clock.next(), self.gateway.next_timeout())
        for client in self.clients:
            first = _earlier(first, client.due)
        return first

    def settle(self) -> None:
        """Perform what the gateway was asked to do by a direct call of one of its commands."""
        self._drain_gateway()

    def ready(self, client: SimClient | None = None) -> SimClient:
        """Connect, and wait until calls can be made."""
        one = client or self.client
        one.connect()
        self.run_until(lambda: one.state is SessionState.READY)
        return one

    def _step(self, until: float) -> bool:
        self.settle()
        at = self.next_event_at()
        if at is None or at > until:
            return False
        self.steps += 1
        self._mind_the_loop(at)
        if self.clock.next() == at:
            self.clock.let_one_happen()
        else:
            self.clock.now = max(at, self.now)
            for client in list(self.clients):
                if client.due is not None and client.due <= self.now:
                    client.wake()
            due = self.gateway.next_timeout()
            if due is not None and due <= self.now:
                self.gateway.handle_timeout(now=self.now)
        self.settle()
        return True

    _instant = (0.0, 0)

    def _mind_the_loop(self, at: float) -> None:
        when, times = self._instant
        self._instant = (at, times + 1 if at <= when else 0)
        if self._instant[1] > _AT_ONE_INSTANT:
            raise ContractViolation(f"{_AT_ONE_INSTANT} things happened at {at:g} s and time does not go on")

    # The gateway's driver.

    def tell_gateway(self, fact: GatewayFact) -> None:
        self.gateway.receive(fact, now=self.now)
        self._drain_gateway()

    def _drain_gateway(self) -> None:
        while (action := self.gateway.next_action()) is not None:
            self._perform(action)

    def _perform(self, action: GatewayAction) -> None:
        match action:
            case SendText(far, text):
                if wire := self._wire(far):
                    wire.gateway_sends(far, text)
            case CloseConnection(far, code, reason):
                if wire := self._wire(far):
                    wire.gateway_closes(far, code, reason)
            case AbortConnection(far):
                if wire := self._wire(far):
                    wire.gateway_closes(far, 1006, "")
            case Feed(call, source):
                self.gateway_media.feed(call, source)
            case ReleaseCall(call):
                self.gateway_media.release(call)
            case GatewayNotify(event):
                self.gateway_events.append((self.now, event))
            case _:
                self.gateway_media.perform(action)

    def _wire(self, far: SocketId) -> Wire | None:
        return next((client.wire for client in self.clients if client.wire.has(far)), None)

    # Looking.

    def media_flows(self, call: CallId, client: SimClient | None = None) -> bool:
        """The peer that the client uses for this call and the gateway's are each other's ends, and connected."""
        mine = (client or self.client).media.peer_in_use(call)
        theirs = self.gateway_media.peer_in_use(call)
        if mine is None or theirs is None or self.model.partner(mine) is not theirs:
            return False
        return mine.state == theirs.state == "connected" and mine.engine.path_up and theirs.engine.path_up


def _earlier(one: float | None, other: float | None) -> float | None:
    return other if one is None or (other is not None and other < one) else one
