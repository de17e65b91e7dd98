"""Ended calls that the server may still name (SIG-314, CALL-424): a bounded number, for longer than it keeps a call."""

from attrs import define, frozen

from telnyx_core._time import timeouts
from telnyx_core._time.limits import MAX_TOMBSTONES
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import Cause
from telnyx_core.ids import CallId


@frozen
class Tombstone:
    cause: Cause
    dialog: JsonObject
    owes_bye: bool
    """The server never confirmed the end: it is sent one more BYE when it names the call."""
    until: float


@define
class Tombstones:
    """Insertion order is age, so forgetting costs no more than remembering."""

    stones: dict[CallId, Tombstone]

    @classmethod
    def none(cls) -> "Tombstones":
        return cls({})

    def __len__(self) -> int:
        return len(self.stones)

    def bury(self, call: CallId, cause: Cause, dialog: JsonObject, now: float, *, owes_bye: bool) -> None:
        self.stones.pop(call, None)
        self._forget_old(now)
        self.stones[call] = Tombstone(cause, dialog, owes_bye, now + timeouts.TOMBSTONE)

    def find(self, call: CallId, now: float) -> Tombstone | None:
        stone = self.stones.get(call)
        return stone if stone is not None and now < stone.until else None

    def settle(self, call: CallId, now: float) -> None:
        """The server knows that the call has ended: no BYE is owed any more."""
        stone = self.find(call, now)
        if stone is not None and stone.owes_bye:
            self.stones[call] = Tombstone(stone.cause, stone.dialog, owes_bye=False, until=stone.until)

    def forget(self, call: CallId) -> None:
        """Remove the entry: the id is in use again, or the call has not ended at the server."""
        self.stones.pop(call, None)

    def clear(self) -> None:
        self.stones.clear()

    def _forget_old(self, now: float) -> None:
        while self.stones:
            oldest = next(iter(self.stones))
            if now < self.stones[oldest].until and len(self.stones) < MAX_TOMBSTONES:
                return
            del self.stones[oldest]
