"""The two worlds: the core alone against its contract, and everything together (anchors 9.4).

The invariants are named in `tests.world.alone` and `tests.world.together`; how long they run stands in
`tests.world.conftest`.
"""

import functools
from time import perf_counter

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.world.alone import Alone
from tests.world.conftest import COUNTED, EXAMPLES, REPORT, SETTINGS, SLICES, WALK
from tests.world.together import Together

WORLDS: dict[str, type[Alone] | type[Together]] = {"alone": Alone, "together": Together}

# Tracing would make minutes of it, and nothing is measured here that tests/core does not measure.
pytestmark = pytest.mark.no_cover


@functools.cache
def run(name: str, slice_: int) -> tuple[int, int]:
    """The examples and steps of a slice, which runs once in a process."""
    world = seed(slice_)(WORLDS[name])
    examples, steps, begun = COUNTED[f"examples ({name})"], COUNTED[f"steps ({name})"], perf_counter()
    with WALK.walking(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "counted", COUNTED)
        run_state_machine_as_test(world, settings=settings(SETTINGS, max_examples=EXAMPLES[name]))
    examples, steps = COUNTED[f"examples ({name})"] - examples, COUNTED[f"steps ({name})"] - steps
    REPORT.append(f"{name} {slice_}: {examples:,} examples, {steps:,} steps in {perf_counter() - begun:.0f} s")
    return examples, steps


@pytest.mark.parametrize("slice_", SLICES)
@pytest.mark.parametrize("name", WORLDS)
def test_world(name: str, slice_: int) -> None:
    examples, steps = run(name, slice_)
    assert examples >= EXAMPLES[name]
    assert steps >= 10 * examples, "the worlds end before anything happens"


def test_every_edge_is_walked() -> None:
    """Architecture; anchors 9.4: every state is reached and every edge walked, or who stays at the door passes.

    Chosen alone, as one that failed is, it runs the worlds itself.
    """
    for name in WORLDS:
        for slice_ in SLICES:
            run(name, slice_)
    assert WALK.session.missed() == []
    assert WALK.call.missed() == []
