"""A client with two addresses, 40 ms from a server that listens to one of them: in two network namespaces.

`bench/addresses.py` measures the same.
"""

import pytest

from tests.network.roaming import roaming

pytestmark = [pytest.mark.media, pytest.mark.net, pytest.mark.slow]


@pytest.mark.parametrize("keep", [True, False], ids=["keep", "replace"])
def test_calls_connect_and_outlive_the_address_that_carries_them(keep: bool) -> None:
    with roaming(keep=keep) as scene:
        scene.call("out")
        scene.call("in")
        for _ in range(2):
            scene.lose_the_path()  # heard again within the far end's patience, or the word does not come
        scene.call("out")
