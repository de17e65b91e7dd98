"""The times of the events of one call."""

from attrs import define, field

from telnyx_core.events import CallUpdated, Event, MediaStarted
from telnyx_core.ids import CallId
from telnyx_core.states import CallState


@define
class Timeline:
    """Feed it every event with the time at which it came, in seconds of any one clock."""

    call: CallId
    _first: dict[CallState, float] = field(factory=dict[CallState, float], init=False)
    _heard: float | None = field(default=None, init=False)

    def note(self, event: Event, at: float) -> CallState | None:
        """Returns the call's state when this event entered it for the first time."""
        match event:
            case CallUpdated(call=info) if info.id == self.call:
                if info.state not in self._first:
                    self._first[info.state] = at
                    return info.state
            case MediaStarted(call=call) if call == self.call:
                if self._heard is None:
                    self._heard = at
            case _:
                pass
        return None

    @property
    def setup(self) -> float | None:
        """Seconds from the invite, or from the decision to answer, to the active call."""
        return self._since_start(self._first.get(CallState.ACTIVE))

    @property
    def first_audio(self) -> float | None:
        """Seconds from the same moment to the first remote audio packet."""
        return self._since_start(self._heard)

    @property
    def talked(self) -> float | None:
        """Seconds from active to the end."""
        start, end = self._first.get(CallState.ACTIVE), self._first.get(CallState.HANGUP)
        return None if start is None or end is None else end - start

    def _since_start(self, moment: float | None) -> float | None:
        start = self._first.get(CallState.REQUESTING, self._first.get(CallState.ANSWERING))
        return None if start is None or moment is None else moment - start


def milliseconds(seconds: float | None) -> float | None:
    """For a document: to a tenth."""
    return None if seconds is None else round(1000 * seconds, 1)
