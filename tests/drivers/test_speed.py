"""`speed_test` where the server never answers, on both loops. Over real sockets: `test_end_to_end`."""

import anyio
import pytest

from telnyx_core.errors import Busy
from telnyx_drivers.asyncio import CallFailed
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World


@pytest.mark.anyio
@pytest.mark.parametrize("lost", [False, True], ids=["silent", "lost"])
async def test_the_wait_has_an_end(make_client: MakeClient, world: World, lost: bool) -> None:
    """SIG-094: "fails on generation end or after 30 000 ms". In JS it hangs."""
    async with make_client() as client, anyio.create_task_group() as group:
        said: list[CallFailed] = []

        async def measure() -> None:
            with pytest.raises(CallFailed) as failed:
                await client.speed_test()
            said.append(failed.value)

        group.start_soon(measure)
        await anyio.sleep(1)
        with pytest.raises(Busy):
            await client.speed_test()
        if lost:
            world.server.drop()
        await anyio.sleep(1 if lost else 30)
        assert [error.failure.kind.value for error in said if error.failure] == [
            "StaleRequest" if lost else "RequestTimeout"
        ]
