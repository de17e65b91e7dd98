"""The arithmetic of trying again: pure functions of an attempt's number and a die (SIG-212, SIG-242)."""

from random import Random
from typing import Final

_FIRST: Final = 1.0
_LARGEST: Final = 30.0
_JITTER: Final = 0.25


def backoff(attempt: int, rng: Random) -> float:
    """Seconds before reconnect attempt ``attempt`` (from 1): doubling to 30 s, give or take a quarter (SIG-242)."""
    delay = min(_FIRST * 2.0 ** min(attempt - 1, 16), _LARGEST)
    return delay + delay * _JITTER * (2 * rng.random() - 1)


def registration_pause(rng: Random) -> float:
    """Seconds before asking for the gateway state again: 2, 3, 4, 5 or 6 (SIG-453, SIG-454)."""
    return 2.0 + int(rng.random() * 5)
