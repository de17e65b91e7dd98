"""One STUN request to a server: its repeats and its end (RFC 8489 section 6.2.1); and all times of the agent."""

from random import Random
from typing import Final

from attrs import define, frozen

FIRST_RTO: Final = 0.25
"""Seconds. RFC 8489 says half a second where nothing is known; a call that is being set up waits for the answer."""
LONGEST_RTO: Final = 2.0
"""Seconds between two repeats."""


@frozen(kw_only=True)
class Timing:
    """All in seconds. The defaults are for one audio call."""

    pacing: float = 0.02
    """Ta of RFC 8445 section 14: between two checks of any pairs."""
    repeat: float = 0.1
    """Until a check that is not answered is sent again; twice as long each time."""
    repeat_longest: float = 0.4
    """So that a path that opens late is found soon. With many pairs it is longer, so that the pacing holds."""
    follow: float = 1.5
    """For so long no other pair is checked than the one that the far end has chosen."""
    relay_acceptance: float = 0.3
    """For so long after a relayed pair has worked a direct one may still win."""
    unnominated: float = 2.0
    """After so long a controlled agent uses a pair that works although it was not nominated."""
    patience: float = 39.5
    """Until checks without success have failed (RFC 8863), and until a search for another pair is given up."""
    nominate: float = 0.1
    """Between two nominations of the selected pair while the far end may still listen elsewhere."""
    nominate_after: float = 2.0
    """For so long nominations go on after `Agent.confirm`."""
    consent: float = 5.0
    """Between two consent checks, varied by a fifth either way (RFC 7675 section 5.1)."""
    consent_retry: float = 0.5
    """Between them while none is answered."""
    disconnected: float = 3.0
    """Without an answer to a request and without a packet: then other pairs are looked for."""
    consent_expires: float = 30.0
    """Without an answer: then nothing may be sent any more (RFC 7675 section 5.1)."""
    keepalive: float = 15.0
    """Between two requests that keep a NAT's binding for a reflexive candidate until a pair is selected."""
    stun_head_start: float = 0.25
    """Of one STUN server over the next."""
    turn_head_start: float = 0.2
    """Of one TURN server over the next."""
    server: float = 8.0
    """For the answer of a server to one request."""


@define(eq=False)
class Transaction:
    """A request that is repeated until it is answered, or its time is over."""

    id: bytes
    request: bytes
    deadline: float
    due: float
    """When to send it next."""
    reliable: bool = False
    """Over a stream: it is sent once."""
    _rto: float = FIRST_RTO

    def sent(self, now: float) -> bytes:
        """What to send now; the next time is set."""
        self.due = self.deadline if self.reliable else min(now + self._rto, self.deadline)
        self._rto = min(2 * self._rto, LONGEST_RTO)
        return self.request


def fresh_id(rng: Random) -> bytes:
    """A transaction id: 96 bits that nobody off the path can guess if ``rng`` is a good one."""
    return rng.randbytes(12)
