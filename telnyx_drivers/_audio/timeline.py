"""The number of a 20 ms frame in its call: both directions count by one clock, also while nothing runs."""

from typing import Final

from telnyx_drivers._audio.frames import FRAMES_PER_SECOND

_IN_STEP: Final = 0.75
"""Frames. A beat may move by less, when the far end's packets come at another time, and is still the next one."""


class Timeline:
    """Of one call: frame 0 is the first that was sent or heard."""

    def __init__(self) -> None:
        self.origin: float | None = None
        """When frame 0 was due, in seconds of the media's clock."""
        self.sent = Direction(self)
        self.heard = Direction(self)

    def next_at(self, time: float) -> int | None:
        """The number of the frame that is due next after this time; ``None`` before the first of all."""
        return None if self.origin is None else int((time - self.origin) * FRAMES_PER_SECOND + 1e-6) + 1


class Direction:
    """The frames of one direction; each gets its number when it arrives."""

    def __init__(self, timeline: Timeline) -> None:
        self.missed = 0
        """Frames whose time passed while nothing ran."""
        self.exact = 0.0
        """When the latest frame began, in seconds since frame 0 was due: beats lie between the numbers."""
        self._timeline = timeline
        self._next = 0
        self._phase: float | None = None
        """By how many frames beats of this direction come after frame 0's."""

    @property
    def next(self) -> int:
        return self._next

    def place(self, due: float | None) -> int | None:
        """The number of a frame that was due at ``due`` (seconds, monotonic); ``None``: that time already has a frame.

        Without a time it is the next one, and not before the other direction's latest.
        """
        timeline = self._timeline
        number = self._next
        if due is None:
            number = max(number, timeline.sent.next - 1, timeline.heard.next - 1)
            self.exact = number / FRAMES_PER_SECOND
        else:
            if timeline.origin is None:
                timeline.origin = due - number / FRAMES_PER_SECOND
            self.exact = due - timeline.origin
            position = self.exact * FRAMES_PER_SECOND
            if self._phase is None:
                number = max(round(position), number)
                self._phase = position - number
            elif (off := position - self._phase - number) <= -_IN_STEP:
                return None
            elif off >= _IN_STEP:
                number += round(off)
                self.missed += number - self._next
        self._next = number + 1
        return number
