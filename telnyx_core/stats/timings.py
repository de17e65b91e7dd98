"""How long each step of a call's establishment took."""

from typing import Literal, TypeAlias

from attrs import frozen

from telnyx_core._wire.json_types import JsonObject

Mode: TypeAlias = Literal["trickle", "non-trickle"]


@frozen
class Step:
    """Milliseconds: since the call was placed or its invite came, and since the step before."""

    label: str
    from_start: float
    delta: float

    def record(self) -> JsonObject:
        return {"label": self.label, "fromStart": self.from_start, "delta": self.delta}


@frozen
class EstablishmentTimings:
    """The stages of one call's set-up, as far as it has come."""

    mode: Mode
    """How candidates are sent: ``trickle``, one by one, or ``non-trickle``, with the description."""
    direction: Literal["inbound", "outbound"]
    """``inbound`` or ``outbound``, as seen from here."""
    start: float
    """Seconds on the session's clock."""
    reached: tuple[tuple[str, float], ...]
    """Labels with the times at which they were reached, earliest first."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In the order in which they happened."""
        steps: list[Step] = []
        before = self.start
        for label, at in self.reached:
            steps.append(Step(label, _milliseconds(at - self.start), _milliseconds(at - before)))
            before = at
        return tuple(steps)

    def record(self) -> JsonObject:
        """The steps under the names of the JS SDK."""
        return {"mode": self.mode, "direction": self.direction, "steps": [step.record() for step in self.steps]}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
