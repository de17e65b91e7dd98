"""Choice of the ICE path as the platform's server does it, for a peer that stands in for that server.

It has one address and needs no more than one of the client's. While it starts, it follows the first check that comes
from an address which it does not know yet, nominating or not, and then the last one that nominates; DTLS and RTP from
any other address are dropped. Once the handshake is over it stays where it is, unless nothing has come from there for
long. It checks where it is, twice a second, and has OpenSSL's own patience with the handshake.
"""

from typing import Final

from telnyx_core.ice import Address, Credentials
from telnyx_core.ice.agent import Agent
from telnyx_core.ice.checklist import Pair
from telnyx_core.ice.generation import Generation, HeardCheck

CHECK_SECONDS: Final = 0.5
SILENCE_SECONDS: Final = 6.0
"""Without a check from where it is, after which it follows one from elsewhere: three consent checks of a client."""


class ServingAgent(Agent):
    follows: Pair | None = None
    """What is accepted comes this way."""
    _checked_at = 0.0

    @property
    def listens_to(self) -> Address | None:
        """DTLS and SRTP are accepted from here only, once there has been a check."""
        return None if self.follows is None else self.follows.remote.address

    def restart(self, now: float) -> Credentials:
        self._confirmed = False  # it starts once more, and follows checks as it did at first
        return super().restart(now)

    def _checked_by(self, generation: Generation, pair: Pair, now: float, *, nominates: bool) -> None:
        wanted = now - self._checked_at > SILENCE_SECONDS if self._confirmed else nominates or not pair.heard
        present = generation is self._current
        if present and (wanted or self.follows is None):
            self.follows = pair
        if pair is self.follows:
            self._checked_at = now
        super()._checked_by(generation, pair, now, nominates=nominates)
        if present and generation.pair is not None and generation.pair is not self.follows:
            self._select(generation, pair, now)

    def _learn(self, generation: Generation, check: HeardCheck, now: float) -> None:
        # Of those that come before the description it goes where the first one came from.
        if generation.remote is not None or not generation.early:
            super()._learn(generation, check, now)

    def _select(self, generation: Generation, pair: Pair, now: float) -> None:
        followed = self.follows is not None and generation.checklist.pairs.get(self.follows.way) is self.follows
        super()._select(generation, self.follows if followed and self.follows is not None else pair, now)

    def _taken(self, data: bytes, base: Address, source: Address, now: float) -> bool:
        elsewhere = bool(data) and data[0] > 3 and source != self.listens_to
        return not elsewhere and super()._taken(data, base, source, now)
