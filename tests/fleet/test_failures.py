"""Each way in which a fleet's parts can fail: real processes, real sockets and real audio, before and after.

All of it once with processes of this machine, and once on a Ray cluster of three nodes.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from telnyx_core.fleet.requests import Acquire, Reply, Report, Request
from telnyx_core.gateway.events import CallEnded, CallStarted, ClientLoggedIn, ClientLost, DigitsReceived
from telnyx_core.ids import SocketId
from telnyx_drivers.fleet import (
    CallRecord,
    Fleet,
    FleetCall,
    FleetClosed,
    FleetFull,
    LocalStore,
    Outcome,
    Stage,
)
from telnyx_drivers.fleet.ray import NAMESPACE, SLOTS, RayStore
from telnyx_drivers.gateway import Fault, Gateway, GatewayThread, Swallow
from tests.fleet import bots, program

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]
LIMIT = 60.0
ROOT = Path(__file__).parents[2]
T = TypeVar("T")

On: TypeAlias = Literal["processes", "ray"]
SLOTS_OF: dict[On, int] = {"processes": 4, "ray": 12}


class Cuttable:
    """Over a store: it cannot be reached by the workers whose names stand in a folder, and knows their processes."""

    folder: Path

    def apply(self, request: Request) -> Reply:
        if isinstance(request, Acquire) and not hasattr(self, "owner"):
            self.owner = request.owner
            (self.folder / "processes" / self.owner).write_text(f"{os.getpid()} {os.getppid()}")
        if isinstance(request, Report) and (self.folder / "cut" / self.owner).exists():
            raise OSError("the network is split")
        return super().apply(request)  # type: ignore[misc]


class CuttableLocalStore(Cuttable, LocalStore):
    pass


class CuttableRayStore(Cuttable, RayStore):
    pass


class Cluster(Protocol):
    """`ray.cluster_utils.Cluster`."""

    address: str

    def add_node(self, **options: object) -> object: ...
    def shutdown(self) -> None: ...


NODE = {
    "num_cpus": 1,
    "node_ip_address": "127.0.0.2",  # Ray takes 127.0.0.1 for what is to be replaced by the address of a network
    "include_dashboard": False,
    "object_store_memory": 80_000_000,
}


HEALTH = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1_000, "health_check_failure_threshold": 5}
"""As docs/how-to/fleet.md recommends it."""


@contextmanager
def ray_cluster(patch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head and two nodes, each of which could carry the whole fleet."""
    import ray
    from ray.cluster_utils import Cluster as Made

    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made: Cluster = Made()
    try:
        made.add_node(**NODE, _system_config=HEALTH)
        for _ in range(2):
            made.add_node(**NODE, resources={SLOTS: 15})
        ray.init(address=made.address, log_to_driver=False)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


class Story:
    """A fleet of two workers on a loop of its own, and what its tests do with it."""

    def __init__(
        self,
        portal: BlockingPortal,
        gateway: GatewayThread,
        fleet: Fleet,
        folder: Path,
        cluster: Cluster | None,
    ) -> None:
        self.portal = portal
        self.gateway = gateway
        self.fleet = fleet
        self.folder = folder
        self.cluster = cluster

    @property
    def slots(self) -> int:
        return SLOTS_OF[self.on]

    @property
    def on(self) -> On:
        return "processes" if self.cluster is None else "ray"

    def run(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        async def bounded() -> T:
            with anyio.fail_after(LIMIT):
                return await function(*arguments)

        return self.portal.call(bounded)

    def dial(self, key: str, number: str = "tone", timeout: float | None = LIMIT) -> FleetCall:
        return self.portal.call(partial(self.fleet.dial, number, key=key, timeout=timeout))

    def hears(self, call: FleetCall, moves: int) -> None:
        """Audio goes both ways, after so many moves: the bot has heard the tone, and the gateway the bot's digit."""
        self.gateway.wait_for(
            DigitsReceived,
            lambda event: event.call == call.record.call and int(event.digits) >= moves,
            timeout=LIMIT,
        )

    def talking(self, key: str) -> FleetCall:
        call = self.dial(key)
        self.hears(call, 0)
        return call

    def moved(self, call: FleetCall) -> None:
        """Once more than it had. A busy machine may have moved it before."""
        self.hears(call, call.record.moves + 1)

    def ended(self, call: FleetCall) -> CallRecord:
        return self.run(call.ended)

    def hangup(self, *calls: FleetCall) -> None:
        for call in calls:
            assert self.run(call.hangup).outcome is Outcome.COMPLETED

    def process(self, call: FleetCall) -> int:
        return self._processes(call)[0]

    def node(self, call: FleetCall) -> int:
        """The process of which the worker is a child, which stands for its node."""
        return self._processes(call)[1]

    def _processes(self, call: FleetCall) -> list[int]:
        return [int(each) for each in (self.folder / "processes" / call.record.owner).read_text().split()]

    def count(self, kind: type, where: Callable[[Any], bool]) -> int:
        return self.gateway.do(lambda it: sum(isinstance(event, kind) and where(event) for event in it.history))


NO_RAY = pytest.mark.skipif(find_spec("ray") is None or sys.platform != "linux", reason="needs Linux and the extra ray")


@pytest.fixture(scope="module", params=["processes", pytest.param("ray", marks=NO_RAY)])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "cut").mkdir()
    (folder / "processes").mkdir()
    on: On = request.param
    with (
        pytest.MonkeyPatch.context() as patch,
        ray_cluster(patch) if on == "ray" else nullcontext() as cluster,
        GatewayThread(lambda: Gateway(users={"alice": "secret", "bob": "hush"})) as gateway,
        start_blocking_portal("asyncio") as portal,
    ):
        fleet = Fleet(
            bots.talk,
            slots=SLOTS_OF[on],
            workers=2,
            store=(CuttableRayStore if on == "ray" else CuttableLocalStore)(folder, lease=4.0),
            on=on,
            login="alice",
            password="secret",
            env=gateway.url,
            ice_servers=[],
        )
        with portal.wrap_async_context_manager(fleet):
            yield Story(portal, gateway, fleet, folder, cluster)


def test_a_bot_that_raises_loses_its_own_call_alone(story: Story) -> None:
    other = story.talking("stays")
    ended = story.ended(story.talking("raises-1"))
    assert (ended.outcome, ended.cause, ended.code) == (Outcome.FAILED, "NORMAL_TEMPORARY_FAILURE", 41)
    assert ended.error == "ValueError: the bot's own fault"
    assert other.record.stage is Stage.ACTIVE
    story.hangup(other)


def test_a_key_is_dialled_once_and_slots_are_exact(story: Story) -> None:
    calls = [story.dial(f"lead-{number}") for number in range(story.slots)]
    for call in calls:
        story.hears(call, 0)
    assert story.dial("lead-2").record.call == calls[2].record.call
    assert len({call.record.shard for call in calls}) == 2
    with pytest.raises(FleetFull):
        story.dial("one more", timeout=0)
    story.hangup(*calls)
    assert story.dial("lead-2").record.outcome is Outcome.COMPLETED
    assert story.count(CallStarted, lambda event: event.call == calls[2].record.call) == 1


def test_a_killed_worker_is_replaced_and_its_call_goes_on(story: Story) -> None:
    call, other = story.talking("killed"), story.talking("beside it")
    before, node = call.record.owner, story.node(call)
    os.kill(story.process(call), signal.SIGKILL)
    story.moved(call)
    assert call.record.owner != before
    assert story.node(call) == node
    story.hangup(call, other)


def test_a_call_whose_fate_is_unknown_is_not_dialled_again(story: Story) -> None:
    invite = Fault(do=Swallow(), method="telnyx_rtc.invite")
    story.gateway.do(lambda it: it.add_fault(invite))
    call = story.dial("unknown")
    story.run(wait_for_stage, call, Stage.DIALLING)
    os.kill(story.process(call), signal.SIGKILL)
    assert story.ended(call).outcome is Outcome.UNKNOWN
    assert story.dial("unknown").record == call.record
    assert story.count(CallStarted, lambda event: event.call == call.record.call) == 0
    story.gateway.do(lambda it: it.clear_faults())


async def wait_for_stage(call: FleetCall, stage: Stage) -> None:
    while call.record.stage < stage:
        await call._fleet.change()


def test_a_worker_that_stands_still_is_replaced_as_one_whose_node_is_gone(story: Story) -> None:
    call = story.talking("still")
    os.kill(story.process(call), signal.SIGSTOP)
    story.moved(call)
    story.hangup(call)


def test_the_old_owner_has_stopped_before_a_new_one_logs_in_where_the_network_is_split(story: Story) -> None:
    call = story.talking("split")
    before = story.gateway.do(lambda it: len(it.history))
    (story.folder / "cut" / call.record.owner).touch()
    story.moved(call)
    there: dict[str, SocketId] = {}
    resumed = 0
    for number, event in enumerate(story.gateway.do(lambda it: list(it.history))):
        match event:
            case ClientLoggedIn(socket, _, session_id):
                assert number < before or session_id not in there, "the old owner is still there"
                resumed += number >= before
                there[session_id] = socket
            case ClientLost(socket):
                there = {session_id: each for session_id, each in there.items() if each != socket}
            case _:
                pass
    assert resumed
    story.hangup(call)


def test_new_workers_take_the_calls_over(story: Story) -> None:
    calls = [story.talking("deployed"), story.talking("deployed too")]
    before = [story.process(call) for call in calls]
    moves = [call.record.moves for call in calls]
    story.run(story.fleet.replace_workers)
    for call, moved in zip(calls, moves, strict=True):
        story.hears(call, moved + 1)
    assert not set(before) & {story.process(call) for call in calls}
    assert story.count(CallEnded, lambda event: event.call in [call.record.call for call in calls]) == 0
    story.hangup(*calls)


def test_inbound_calls_are_spread_over_the_workers(story: Story) -> None:
    for _ in range(story.slots):
        story.gateway.do(lambda it: it.call_user("alice", behaviour="tone"))
    story.run(wait_for_calls, story.fleet, story.slots)
    shards = [record.shard for record in story.fleet.calls.values()]
    assert sorted(shards.count(shard) for shard in set(shards)) == [story.slots // 2] * 2
    for record in story.fleet.calls.values():
        assert record.inbound
        story.gateway.do(lambda it, call=record.call: it.hangup(call))
    story.run(wait_for_calls, story.fleet, 0)


def test_calls_outlive_the_head_and_the_next_one_takes_them_over(story: Story, tmp_path: Path) -> None:
    url = story.gateway.url
    command = (sys.executable, "-m", "tests.fleet.program", url, tmp_path, story.on)
    address = {} if story.cluster is None else {"RAY_ADDRESS": story.cluster.address}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **address}) as head:
        started = story.gateway.wait_for(CallStarted, lambda event: event.user == "bob", timeout=LIMIT)
        story.gateway.wait_for(DigitsReceived, lambda event: event.call == started.call, timeout=LIMIT)
        head.kill()
    before = story.gateway.do(lambda it: len(it.history))

    async def second() -> CallRecord:
        async with program.fleet(url, str(tmp_path), story.on) as fleet:
            call = await fleet.dial("tone", key="kept")
            assert call.record.call == started.call
            while not call.record.moves:
                await fleet.change()
            await anyio.to_thread.run_sync(partial(story.hears, call, 1))
            return await call.hangup()

    assert story.run(second).outcome is Outcome.COMPLETED
    if story.cluster is not None:
        nothing_is_left(tmp_path)
    events = story.gateway.do(lambda it: list(it.history))[before:]
    ends = [event.by for event in events if isinstance(event, CallEnded) and event.call == started.call]
    assert ends == ["client"]


def test_a_killed_ledger_goes_on_with_what_it_knew(story: Story) -> None:
    if story.cluster is None:
        pytest.skip("processes read the file themselves")
    import ray

    call = story.talking("known")
    ray.kill(ray.get_actor(f"ledger {story.folder}", namespace=NAMESPACE))
    other = story.talking("later")
    assert story.dial("known").record.call == call.record.call
    story.hangup(call, other)


def nothing_is_left(folder: Path) -> None:
    """Of a fleet that has ended, on Ray."""
    import ray
    from ray.util import placement_group_table

    with pytest.raises(ValueError, match="Failed to look up actor"):
        ray.get_actor(f"ledger {folder}", namespace=NAMESPACE)
    groups = [each for each in placement_group_table().values() if each["name"].startswith(f"{folder} ")]
    assert [each["state"] for each in groups] == ["REMOVED"]


def test_a_lost_nodes_calls_go_on_on_another_one(story: Story) -> None:
    if story.cluster is None:
        pytest.skip("one machine is one node")
    calls = [story.talking("lost"), story.talking("elsewhere")]
    nodes = [story.node(call) for call in calls]
    assert nodes[0] != nodes[1]
    os.kill(nodes[0], signal.SIGKILL)
    story.moved(calls[0])
    assert story.node(calls[0]) == nodes[1]
    assert calls[1].record.moves == 0
    story.hangup(*calls)


def test_a_drained_fleet_takes_no_more_calls_and_ends_none(story: Story) -> None:
    call = story.talking("drained")
    assert story.run(partial(story.fleet.drain, timeout=0.1)) is False
    with pytest.raises(FleetClosed):
        story.dial("too late")
    assert call.record.stage is Stage.ACTIVE
    story.hangup(call)
    assert story.run(story.fleet.drain) is True


async def wait_for_calls(fleet: Fleet, count: int) -> None:
    while sum(record.stage is Stage.ACTIVE for record in fleet.calls.values()) != count or len(fleet.calls) != count:
        await fleet.change()
