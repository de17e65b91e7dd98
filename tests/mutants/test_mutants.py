"""The sown bugs can still be sown; that they are found is shown by `python -m tests.mutants.run`."""

import ast
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.run import chosen, why

CORE = Path(__file__).parent.parent.parent / "telnyx_core"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.story)
def test_the_bug_can_be_sown(mutant: Mutant) -> None:
    text = (CORE / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    ast.parse(text.replace(mutant.old, mutant.new))
    assert mutant.new != mutant.old


def test_there_are_enough_of_them_and_each_has_its_story() -> None:
    stories = [mutant.story for mutant in MUTANTS]
    assert len(stories) == len(set(stories)) >= 10


def test_words_and_numbers_pick_bugs() -> None:
    assert [number for number, _ in chosen(["2", "4-5"])] == [2, 4, 5]
    assert {mutant.story for _, mutant in chosen(["ringtone"])} == {"the ringtone goes on after the call"}
    assert [number for number, _ in chosen([])] == list(range(len(MUTANTS) + 1))


def test_a_find_is_told_in_one_line() -> None:
    said = """
________________________________ test_world[alone-0] _________________________________
tests/world/alone.py:590: in something_ends_every_passing_state
    inside.something_ends_every_passing_state(self.session, owed)
tests/world/inside.py:115: in something_ends_every_passing_state
    assert out, f"nothing ends {call.state.value} of call {call.id}"
E   AssertionError: nothing ends recovering of call 7f150524-34b9-45df-9e77-69b10f4205b4
"""
    told = "alone, `something_ends_every_passing_state`: AssertionError: nothing ends recovering of call X"
    assert why(said) == told
