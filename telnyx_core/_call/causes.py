"""Why a call ends, in the causes of the server, and which of them a refused description means (calls.md section 4)."""

from attrs import define, evolve

from telnyx_core._wire.codec import ServerError
from telnyx_core.errors import Failure
from telnyx_core.events import Cause

BUSY = Cause("USER_BUSY", 17)
NORMAL = Cause("NORMAL_CLEARING", 16)
TEMPORARY_FAILURE = Cause("NORMAL_TEMPORARY_FAILURE", 41)
INCOMPATIBLE = Cause("INCOMPATIBLE_DESTINATION", 88)
NO_ANSWER = Cause("NO_ANSWER", 19)
LOST = Cause("RECOVERY_ON_TIMER_EXPIRE", 102)
UNREACHABLE = Cause("DESTINATION_OUT_OF_ORDER", 27)
"""The server's own cause for a call whose media it cannot reach, or whose client was lost before the answer."""

NO_USABLE_CANDIDATE = (
    "no candidate could be used, for only addresses of this host were offered; no STUN or TURN server was reached"
)
_REFUSED_WITHIN = 1.0
"""Seconds within which the server refuses a description because it can use none of its candidates."""


def refusal(server: ServerError | None) -> Cause | None:
    """The cause for a call whose answer the server refused; never USER_BUSY, because we are not busy (PS-027)."""
    if server is None:
        return None
    return INCOMPATIBLE if server.message in ("CODEC ERROR", "MEDIA ERROR") else TEMPORARY_FAILURE


@define
class LastDescription:
    """What may explain that the server refuses a description: it sends to no private address (PS-040)."""

    only_host: bool = False
    """It had nothing but host candidates."""
    sent: float = float("-inf")

    def explained(self, error: Failure, now: float) -> Failure:
        """The error, with its reason where only private addresses were offered."""
        if not self.only_host or now - self.sent > _REFUSED_WITHIN:
            return error
        return evolve(error, text=f"{error.text}: {NO_USABLE_CANDIDATE}")
