"""What every part of the gateway uses: the time, the random generator, the deadlines and the one queue of actions."""

from collections import deque
from collections.abc import Callable
from random import Random
from uuid import UUID

from telnyx_core._time.timers import TimerTable
from telnyx_core.gateway.actions import GatewayAction, GatewayNotify
from telnyx_core.gateway.events import GatewayEvent
from telnyx_core.gateway.options import GatewayOptions
from telnyx_core.ids import MediaId


class Context:
    def __init__(self, options: GatewayOptions, rng: Random) -> None:
        self.options = options
        self.timers = TimerTable()
        self.now = 0.0
        self._rng = rng
        self.node = self.uuid()
        """The id of this node, new with every start of it (PS-023)."""
        self._actions: deque[GatewayAction] = deque()
        self._steps: deque[Callable[[], None]] = deque()
        self._media = 0
        self._request = rng.randrange(1, 10_000)

    def advance(self, now: float) -> None:
        """Time never goes backwards inside."""
        self.now = max(self.now, now)

    def act(self, action: GatewayAction) -> None:
        self._actions.append(action)

    def notify(self, event: GatewayEvent) -> None:
        self._actions.append(GatewayNotify(event))

    def afterwards(self, step: Callable[[], None]) -> None:
        """Run a step after the work in progress, whose actions then come first in the queue."""
        self._steps.append(step)

    def next_action(self) -> GatewayAction | None:
        while not self._actions and self._steps:
            self._steps.popleft()()
        return self._actions.popleft() if self._actions else None

    def begin_anew(self) -> None:
        """Another process of the same node."""
        self.node = self.uuid()

    def uuid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def token(self) -> str:
        """A routing token in the platform's shape; it names nothing outside this gateway."""
        return f"VSDK{self._rng.getrandbits(112):028x}"

    def media(self) -> MediaId:
        self._media += 1
        return MediaId(self._media)

    def request_id(self) -> int:
        """Server requests are numbered."""
        self._request += 1
        return self._request
