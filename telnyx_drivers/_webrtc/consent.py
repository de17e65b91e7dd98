"""Consent checks (RFC 7675): one STUN request at a time on the pair in use. Gives round trip and `disconnected`.

aioice's own consent check knows no ``disconnected``, and gives each request half a second, so that it ends a healthy
call over a path with a long round trip. This replaces it, by RFC 7675: consent lapses 30 s after the last answer.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from aioice.stun import TransactionError
from attrs import frozen


@frozen
class ConsentTiming:
    """All in seconds."""

    interval: float = 2.0
    """Between two requests, varied by a fifth either way."""
    patience: float = 2.0
    """For one answer; the request is repeated meanwhile."""
    disconnected: float = 5.0
    """Without an answer and without a packet."""
    expires: float = 30.0
    """Without an answer (RFC 7675 section 5.1)."""


_AMBIGUOUS = 0.5
"""Seconds. A later answer may be to the repeated request, so it does not replace a shorter time already known."""


class Consent:
    """Watches one connected peer.

    ``ask`` is `IceTransport.probe`; ``packets`` counts what has been received from the peer, by any path.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[None]],
        timing: ConsentTiming,
        *,
        packets: Callable[[], int],
        present: Callable[[bool], None],
        expired: Callable[[], None],
    ) -> None:
        self._probe = ask
        self._timing = timing
        self._packets = packets
        self._present = present
        """Told when the far end falls silent, and when it is back."""
        self._expired = expired
        self.round_trip: float | None = None
        """Seconds, of the last answer."""

    async def run(self) -> None:
        """Until consent has expired, or the task is cancelled."""
        now = asyncio.get_running_loop().time
        answered = alive = now()
        counted = self._packets()
        present, fresh = True, False
        while now() - answered < self._timing.expires:
            if present:
                await asyncio.sleep(self._timing.interval * random.uniform(0.8, 1.2))  # noqa: S311  not a secret
            asked = now()
            if fresh and counted != (counted := self._packets()):
                # Packets come and the last request was answered: every second one may be left out.
                fresh, alive = False, asked
                continue
            fresh = await self._ask()
            if fresh:
                answered = now()
                self._measure(answered - asked)
            heard = counted != (counted := self._packets())
            if heard or answered >= asked:
                alive = now()
            if present != (now() - alive < self._timing.disconnected):
                present = not present
                self._present(present)
        self._expired()

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(self._timing.patience):
                await self._probe()
        except (TimeoutError, TransactionError):
            return False
        except OSError:  # there is no path at the moment
            await asyncio.sleep(self._timing.patience)
            return False
        return True

    def _measure(self, seconds: float) -> None:
        if seconds < _AMBIGUOUS or self.round_trip is None or self.round_trip >= _AMBIGUOUS:
            self.round_trip = seconds
