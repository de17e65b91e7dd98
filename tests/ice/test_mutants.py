"""The bugs of `tests.ice.mutants` can still be sown. Whether they are found, `python -m tests.ice.mutants` says."""

import pytest

from tests.ice.mutants import MUTANTS
from tests.mutants.mutants import Mutant
from tests.mutants.run import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.story.replace(" ", "-"))
def test_it_can_be_sown(mutant: Mutant) -> None:
    text = (ROOT / "telnyx_core" / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.old != mutant.new
