"""Asynchronous tests run on both loops, on a virtual clock; see ``tests/drivers``."""

from typing import Any

import pytest
import trio.testing

from telnyx_drivers.testing.virtual_loop import JumpingLoop


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    if request.param == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": JumpingLoop}
