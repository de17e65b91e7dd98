"""The questions to ask, and what they cost."""

import ssl
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from telnyx_core._signalling.ice_servers import PRODUCTION, ice_servers_for
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_drivers._tools.prove.evidence import STEPS, Step
from telnyx_drivers._webrtc.ice_plan import Server, TurnServer
from telnyx_drivers.diagnose.probes import servers_of

CODECS: Final = ("opus", "G722", "PCMU", "PCMA")
SETUP: Final = 3.0
"""Seconds that a call takes to come about and to be talked in briefly, for the estimate."""


@frozen(kw_only=True)
class Plan:
    """``destination`` is called; an echo is best. ``back`` is a number that rings this user, for inbound calls."""

    options: ClientOptions
    destination: str
    back: str | None = None
    caller_number: str = ""
    steps: tuple[Step, ...] = STEPS
    away_seconds: float = 100.0
    drift_seconds: float = 180.0
    tls: ssl.SSLContext | None = None

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(servers_of(ice_servers_for(self.options, CallOptions())))

    @property
    def by_default(self) -> bool:
        """The servers are the platform's."""
        return ice_servers_for(self.options, CallOptions()) is PRODUCTION

    @property
    def relays(self) -> tuple[TurnServer, ...]:
        return tuple(server for server in self.servers if isinstance(server, TurnServer))

    @property
    def carried_out(self) -> tuple[Step, ...]:
        """The steps for which there is something to do."""
        possible: dict[Step, bool] = {
            "servers": bool(self.servers),
            "relay": bool(self.relays),
            "back": self.back is not None,
        }
        return tuple(step for step in STEPS if step in self.steps and possible.get(step, True))

    def cost(self, step: Step) -> tuple[int, float]:
        """Calls that are dialled, and about how many seconds it all takes."""
        match step:
            case "servers":
                return 0, 5.0
            case "codecs":
                return len(CODECS), SETUP * len(CODECS)
            case "relay":
                return len(self.relays), SETUP * len(self.relays)
            case "talk":
                return 1, 15.0
            case "drop":
                return 1, 8.0
            case "back":
                return 1, 8.0
            case "away":
                return 1, self.away_seconds + 8.0
            case "drift":
                return 1, self.drift_seconds + 3.0

    def total(self, steps: Iterable[Step] | None = None) -> tuple[int, float]:
        costs = [self.cost(step) for step in (self.carried_out if steps is None else steps)]
        return sum(calls for calls, _ in costs), sum(seconds for _, seconds in costs)
