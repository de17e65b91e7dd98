"""What the host says of its network, and what becomes of it (SIG-272 to SIG-274, MEDIA-611)."""

import socket
import sys
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from telnyx_core.facts import NetworkChange
from telnyx_core.ids import SocketId
from telnyx_drivers._services import network
from telnyx_drivers._services.network import NetworkWatch
from telnyx_drivers.testing.virtual_loop import JumpingLoop

SOCKET = SocketId(1)


class Host:
    """A network that changes when a test says so. It is also the kernel that tells of it."""

    def __init__(self) -> None:
        self.addresses = ["10.0.0.2"]
        self.told: list[NetworkChange] = []
        self.login_refused: list[SocketId] = []
        self.closed = False
        self.watch = NetworkWatch(
            self.told.append, self.login_refused.append, source=lambda: self, route=self.route, has=self.has
        )
        self._news = anyio.Event()

    def route(self, host: str) -> str | None:
        return None if ":" in host or not self.addresses else self.addresses[0]

    def has(self, address: str) -> bool:
        return address in self.addresses

    async def news(self) -> None:
        await self._news.wait()
        self._news = anyio.Event()

    def close(self) -> None:
        self.closed = True

    def change(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self._news.set()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    if request.param == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": JumpingLoop}


async def settled() -> None:
    await anyio.sleep(3 * network.SETTLE_SECONDS)


@pytest.mark.anyio
async def test_what_happens_to_the_way_is_told_once_it_has_settled() -> None:
    host = Host()
    assert host.watch.reached(SOCKET, "10.0.0.2", "10.0.0.1")
    async with anyio.create_task_group() as group:
        group.start_soon(host.watch.run)
        await settled()
        assert host.told == []
        for addresses, told in [
            ((), ["offline"]),
            (("10.0.0.3",), ["online"]),
            (("10.0.0.4", "10.0.0.3"), ["path_changed"]),
            (("10.0.0.4",), []),
        ]:
            host.told.clear()
            host.change(*addresses)
            await settled()
            assert host.told == told
        host.watch.stop()
    assert host.closed


@pytest.mark.anyio
async def test_an_address_that_comes_right_after_the_old_one_has_gone_is_one_change() -> None:
    host = Host()
    host.watch.reached(SOCKET, "10.0.0.2", "10.0.0.1")
    async with anyio.create_task_group() as group:
        group.start_soon(host.watch.run)
        await anyio.lowlevel.checkpoint()
        host.change()
        await anyio.sleep(network.SETTLE_SECONDS / 2)
        assert host.login_refused == [SOCKET], "that is certain at once"
        host.change("10.0.0.9")
        await settled()
        assert host.told == ["path_changed"]
        host.watch.stop()


@pytest.mark.anyio
async def test_a_socket_that_is_quicker_than_the_network_settles_takes_no_news_away() -> None:
    """SIG-272: whoever is not told ``online`` would keep the next ``offline`` to itself."""
    host = Host()
    host.watch.reached(SOCKET, "10.0.0.2", "10.0.0.1")
    async with anyio.create_task_group() as group:
        group.start_soon(host.watch.run)
        await anyio.lowlevel.checkpoint()
        host.change()
        await settled()
        host.change("10.0.0.9")
        await anyio.sleep(network.SETTLE_SECONDS / 2)
        assert host.told == ["offline"]
        assert not host.watch.reached(SocketId(2), "10.0.0.9", "10.0.0.1")
        assert host.told == ["offline", "online"]
        await settled()
        assert host.told == ["offline", "online"], "once"
        host.watch.stop()


@pytest.mark.anyio
async def test_a_socket_that_has_left_is_not_looked_after_and_one_with_its_address_lives_on() -> None:
    host = Host()
    host.addresses = ["10.0.0.2", "10.0.0.3"]
    host.watch.reached(SOCKET, "10.0.0.2", "10.0.0.1")
    assert not host.watch.reached(SocketId(2), "10.0.0.3", "10.0.0.1"), "once is enough"
    host.watch.left(SOCKET)
    async with anyio.create_task_group() as group:
        group.start_soon(host.watch.run)
        await anyio.lowlevel.checkpoint()
        host.change("10.0.0.3")
        await settled()
        host.watch.stop()
    assert host.login_refused == []


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "", "/run/socket"])
@pytest.mark.anyio
async def test_nothing_is_watched_for_a_server_on_this_host(peer: str) -> None:
    assert not Host().watch.reached(SOCKET, peer, peer)


@pytest.mark.anyio
@pytest.mark.parametrize("pause", [True, False])
async def test_it_may_be_stopped_at_any_time_and_runs_again(pause: bool) -> None:
    host = Host()
    for _ in range(2):
        assert host.watch.reached(SOCKET, "10.0.0.2", "10.0.0.1")
        async with anyio.create_task_group() as group:
            group.start_soon(host.watch.run)
            if pause:
                await settled()
            host.watch.stop()


@pytest.mark.anyio
async def test_where_nothing_says_anything_it_is_looked_up() -> None:
    host = Host()
    watch = NetworkWatch(
        host.told.append, host.login_refused.append, source=network.Polling, route=host.route, has=host.has
    )
    watch.reached(SOCKET, "10.0.0.2", "10.0.0.1")
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run)
        host.addresses = ["10.0.0.5"]
        await anyio.sleep(network.POLL_SECONDS + 2 * network.SETTLE_SECONDS)
        assert host.told == ["path_changed"]
        watch.stop()


def test_the_way_to_this_host_is_its_own_and_nobody_has_a_documentation_address() -> None:
    assert network.source_towards("127.0.0.1") == "127.0.0.1"
    assert network.is_ours("127.0.0.1")
    assert not network.is_ours("192.0.2.77")
    assert not network.is_ours("2001:db8::77")


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
def test_a_sandbox_without_netlink_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> socket.socket:
        raise PermissionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        assert isinstance(network.kernel(), network.Polling)
    kernel = network.kernel()
    assert isinstance(kernel, network.Netlink)
    kernel.close()
