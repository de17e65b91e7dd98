"""What became of each call of a load, and of all together."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Final

from attrs import asdict, fields, frozen

from telnyx_core._wire.json_types import JsonObject

SHARES: Final = (0.5, 0.9, 0.95, 0.99)


@frozen(kw_only=True)
class Outcome:
    """One call."""

    began: float
    """Seconds since the load began."""
    failure: str | None
    """Why it did not come about, or ended before its time; ``None`` where all went as it should."""
    setup: float | None = None
    """Seconds from the invite to the active call."""
    talked: float | None = None
    """Seconds from active to the end."""
    frames: int = 0
    """Frames of 20 ms that should have passed, both ways together."""
    bad: int = 0
    """Those of them that were not sent in time, were lost, or came too late."""
    mos: float | None = None
    """Estimated mean opinion score."""


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The smallest value that so many percent do not exceed (nearest rank), and the greatest; empty for none."""
    if not values:
        return {}
    ordered = sorted(values)
    found = {f"p{100 * share:g}": ordered[max(-(-round(share * 100) * len(ordered) // 100) - 1, 0)] for share in SHARES}
    return {**found, "max": ordered[-1]}


@frozen
class Summary:
    """Of a whole load."""

    outcomes: tuple[Outcome, ...]
    greatest: int
    """Calls at the same time, at most."""
    held_back: int
    """Calls that were not placed, because as many were there as may be."""

    @property
    def failures(self) -> dict[str, int]:
        """How many calls failed, by why."""
        return dict(Counter(each.failure for each in self.outcomes if each.failure is not None).most_common())

    @property
    def bad_share(self) -> float | None:
        """Of all frames of all calls, 0 to 1; ``None`` where there were none."""
        frames = sum(each.frames for each in self.outcomes)
        return sum(each.bad for each in self.outcomes) / frames if frames else None

    def to_mapping(self) -> JsonObject:
        """As JSON."""
        failures, share = self.failures, self.bad_share
        setup = percentiles([1_000 * each.setup for each in self.outcomes if each.setup is not None])
        scores = [each.mos for each in self.outcomes if each.mos is not None]
        return {
            "calls": len(self.outcomes),
            "failed": sum(failures.values()),
            "failures": {**failures},
            "greatest": self.greatest,
            "held_back": self.held_back,
            "setup_ms": {name: round(value, 1) for name, value in setup.items()},
            "bad_frames_percent": None if share is None else round(100 * share, 3),
            "mos_mean": round(sum(scores) / len(scores), 2) if scores else None,
            "mos_min": round(min(scores), 2) if scores else None,
        }

    def to_csv(self) -> str:
        """A line for each call, and one with the names before them."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [each.name for each in fields(Outcome)], lineterminator="\n")
        writer.writeheader()
        for outcome in self.outcomes:
            cells = {
                name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(outcome).items()
            }
            writer.writerow(cells)
        return text.getvalue()
