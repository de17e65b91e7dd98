"""The stages of a call's set-up."""

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core.stats.timings import EstablishmentTimings


@given(st.floats(0, 1e6), st.lists(st.floats(0, 30), max_size=10))
def test_the_steps_add_up(start: float, pauses: list[float]) -> None:
    at, reached = start, []
    for number, pause in enumerate(pauses):
        at += pause
        reached.append((f"step {number}", at))
    steps = EstablishmentTimings("trickle", "outbound", start, tuple(reached)).steps
    total = 0.0
    for step, (label, when) in zip(steps, reached, strict=True):
        total += step.delta
        assert step.label == label
        assert abs(step.from_start - 1000 * (when - start)) <= 0.001
        assert abs(total - step.from_start) <= 0.001 * len(steps)
