"""The two worlds: the core alone against its contract, and everything together (anchors 9.4).

The invariants are named in `tests.world.alone` and `tests.world.together`. ``WORLD=nightly`` runs ten thousand examples
of each, by chance; otherwise a few hundred, the same ones every time.
"""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.world.alone import Alone
from tests.world.conftest import COUNTED, NIGHTLY, SETTINGS
from tests.world.together import Together


@pytest.mark.no_cover  # tracing would make minutes of it, and nothing is measured here that tests/core does not measure
@pytest.mark.parametrize("world", [Alone, Together], ids=["alone", "together"])
def test_world(world: type[Alone] | type[Together], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "counted", COUNTED)
    run_state_machine_as_test(world, settings=SETTINGS)
    examples = sum(number for name, number in COUNTED.items() if name.startswith("examples"))
    assert examples >= (10_000 if NIGHTLY else 300)
