"""Delays between attempts: pure functions of the attempt's number and a random generator (SIG-212, SIG-242)."""

from random import Random
from typing import Final

from telnyx_core._time import timeouts

_FIRST: Final = 1.0
_LARGEST: Final = 30.0
_JITTER: Final = 0.25


def backoff(attempt: int, rng: Random) -> float:
    """Seconds before reconnect attempt ``attempt`` (from 1): doubling to 30 s, give or take a quarter (SIG-242)."""
    delay = min(_FIRST * 2.0 ** min(attempt - 1, 16), _LARGEST)
    return delay + delay * _JITTER * (2 * rng.random() - 1)


def first(spread: float, rng: Random) -> float:
    """The same before the first one, which an application may have come up to ``spread`` seconds later (SIG-242)."""
    delay = backoff(1, rng)
    return delay + spread * rng.random() if spread else delay


def hurried(attempt: int, left: float, rng: Random) -> float:
    """Seconds from one attempt to the next while a call can still be saved, for ``left`` more seconds.

    At most 5 s, and less towards the end, so that one falls into what is left whenever the network returns (PS-003).
    """
    most = min(timeouts.HURRIED, max(timeouts.HURRIED_LEAST, left / 4))
    return min(backoff(attempt, rng), most * (1 - _JITTER * rng.random()))


def registration_pause(rng: Random) -> float:
    """Seconds before asking for the gateway state again: 2, 3, 4, 5 or 6 (SIG-453, SIG-454)."""
    return 2.0 + int(rng.random() * 5)
