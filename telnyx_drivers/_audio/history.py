"""What is known about a call while it goes on, for whoever wants to follow it."""

from collections.abc import AsyncIterator, Iterable
from typing import Generic, TypeVar

from telnyx_drivers._audio.wakeup import CallSoon, Wakeup

T = TypeVar("T")


class History(Generic[T]):
    """Iterate over everything from the first on, as it becomes known, or look at what is known so far.

    The iteration ends with the call, and several tasks may iterate.
    """

    ended: bool = False

    def __init__(self, most: int, call_soon: CallSoon | None) -> None:
        """Of more than ``most``, the oldest are dropped."""
        self._most = most
        self._known: list[T] = []
        self._dropped = 0
        self._moved = Wakeup(call_soon)

    @property
    def so_far(self) -> tuple[T, ...]:
        """What is known, in the order in which it became known."""
        return tuple(self._known)

    async def __aiter__(self) -> AsyncIterator[T]:
        count = self._dropped
        """Of those that were given out, or dropped."""

        def more() -> bool:
            return self._dropped + len(self._known) > count

        while True:
            await self._moved.wait_until(lambda: more() or self.ended)
            if not more():
                return
            count = max(count, self._dropped) + 1
            yield self._known[count - 1 - self._dropped]

    def _add(self, items: Iterable[T]) -> None:
        self._known += items
        surplus = max(len(self._known) - self._most, 0)
        del self._known[:surplus]
        self._dropped += surplus
        self._moved.fire()

    def _end(self) -> None:
        self.ended = True
        self._moved.fire()
