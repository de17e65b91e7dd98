"""What a machine must have for these tests, and what they share."""

from collections.abc import Iterator

import pytest

from tests.network.coturn import PROGRAM, Coturn


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    if PROGRAM is None:
        pytest.skip("coturn is not installed (apt-get install coturn)")
    server = Coturn(tmp_path_factory.mktemp("coturn"))
    try:
        yield server
    finally:
        server.stop()
