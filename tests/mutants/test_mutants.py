"""The sown bugs can still be sown; that they are found is shown by `python -m tests.mutants.run`."""

import ast
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, Mutant

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
