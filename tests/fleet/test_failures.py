"""Each way in which a fleet's parts can fail: real processes, real sockets and real audio, before and after."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from telnyx_core.fleet.requests import Acquire, Reply, Report, Request
from telnyx_core.gateway.events import CallEnded, CallStarted, ClientLoggedIn, ClientLost, DigitsReceived
from telnyx_core.ids import SocketId
from telnyx_drivers.fleet import CallRecord, Fleet, FleetCall, FleetFull, LocalStore, Outcome, Stage
from telnyx_drivers.fleet.process import Processes
from telnyx_drivers.gateway import Fault, Gateway, GatewayThread, Swallow
from tests.fleet import bots, program

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]
LIMIT = 60.0
ROOT = Path(__file__).parents[2]


class Cuttable(LocalStore):
    """A store that cannot be reached by the workers whose names stand in a folder beside it."""

    def apply(self, request: Request) -> Reply:
        if isinstance(request, Acquire):
            self.owner = request.owner
        if isinstance(request, Report) and (self.folder / "cut" / self.owner).exists():
            raise OSError("the network is split")
        return super().apply(request)


class Story:
    """A fleet of two workers on a loop of its own, and what its tests do with it."""

    def __init__(self, portal: BlockingPortal, gateway: GatewayThread, fleet: Fleet, folder: Path) -> None:
        self.portal = portal
        self.gateway = gateway
        self.fleet = fleet
        self.folder = folder

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
        return self.portal.call(call.ended)

    def hangup(self, *calls: FleetCall) -> None:
        for call in calls:
            assert self.portal.call(call.hangup).outcome is Outcome.COMPLETED

    def process(self, call: FleetCall) -> int:
        processes = self.fleet._workers
        assert isinstance(processes, Processes)
        return processes._running[call.record.owner][1].pid

    def count(self, kind: type, where: Callable[[Any], bool]) -> int:
        return self.gateway.do(lambda it: sum(isinstance(event, kind) and where(event) for event in it.history))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "cut").mkdir()
    with (
        GatewayThread(lambda: Gateway(users={"alice": "secret", "bob": "hush"})) as gateway,
        start_blocking_portal("asyncio") as portal,
    ):
        fleet = Fleet(
            bots.talk,
            slots=4,
            workers=2,
            store=Cuttable(folder, lease=4.0),
            login="alice",
            password="secret",
            env=gateway.url,
            ice_servers=[],
        )
        with portal.wrap_async_context_manager(fleet):
            yield Story(portal, gateway, fleet, folder)


def test_a_bot_that_raises_loses_its_own_call_alone(story: Story) -> None:
    other = story.talking("stays")
    ended = story.ended(story.talking("raises-1"))
    assert (ended.outcome, ended.cause, ended.code) == (Outcome.FAILED, "NORMAL_TEMPORARY_FAILURE", 41)
    assert ended.error == "ValueError: the bot's own fault"
    assert other.record.stage is Stage.ACTIVE
    story.hangup(other)


def test_a_key_is_dialled_once_and_slots_are_exact(story: Story) -> None:
    calls = [story.talking(f"lead-{number}") for number in range(4)]
    assert story.dial("lead-2").record.call == calls[2].record.call
    assert len({call.record.shard for call in calls}) == 2
    with pytest.raises(FleetFull):
        story.dial("lead-5", timeout=0)
    story.hangup(*calls)
    assert story.dial("lead-2").record.outcome is Outcome.COMPLETED
    assert story.count(CallStarted, lambda event: event.call == calls[2].record.call) == 1


def test_a_killed_worker_is_replaced_and_its_call_goes_on(story: Story) -> None:
    call, other = story.talking("killed"), story.talking("beside it")
    before = call.record.owner
    os.kill(story.process(call), signal.SIGKILL)
    story.moved(call)
    assert call.record.owner != before
    story.hangup(call, other)


def test_a_call_whose_fate_is_unknown_is_not_dialled_again(story: Story) -> None:
    invite = Fault(do=Swallow(), method="telnyx_rtc.invite")
    story.gateway.do(lambda it: it.add_fault(invite))
    call = story.dial("unknown")
    story.portal.call(partial(wait_for_stage, call, Stage.DIALLING))
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
    story.portal.call(story.fleet.replace_workers)
    for call, moved in zip(calls, moves, strict=True):
        story.hears(call, moved + 1)
    assert not set(before) & {story.process(call) for call in calls}
    assert story.count(CallEnded, lambda event: event.call in [call.record.call for call in calls]) == 0
    story.hangup(*calls)


def test_inbound_calls_are_spread_over_the_workers(story: Story) -> None:
    for _ in range(4):
        story.gateway.do(lambda it: it.call_user("alice", behaviour="tone"))
    story.portal.call(wait_for_calls, story.fleet, 4)
    shards = [record.shard for record in story.fleet.calls.values()]
    assert sorted(shards.count(shard) for shard in set(shards)) == [2, 2]
    for record in story.fleet.calls.values():
        assert record.inbound
        story.gateway.do(lambda it, call=record.call: it.hangup(call))
    story.portal.call(wait_for_calls, story.fleet, 0)


def test_calls_outlive_the_head_and_the_next_one_takes_them_over(story: Story, tmp_path: Path) -> None:
    url = story.gateway.url
    with subprocess.Popen((sys.executable, "-m", "tests.fleet.program", url, tmp_path), cwd=ROOT) as head:
        started = story.gateway.wait_for(CallStarted, lambda event: event.user == "bob", timeout=LIMIT)
        story.gateway.wait_for(DigitsReceived, lambda event: event.call == started.call, timeout=LIMIT)
        head.kill()
    before = story.gateway.do(lambda it: len(it.history))

    async def second() -> CallRecord:
        async with program.fleet(url, str(tmp_path)) as fleet:
            call = await fleet.dial("tone", key="kept")
            assert call.record.call == started.call
            while not call.record.moves:
                await fleet.change()
            await anyio.to_thread.run_sync(partial(story.hears, call, 1))
            return await call.hangup()

    assert story.portal.call(second).outcome is Outcome.COMPLETED
    events = story.gateway.do(lambda it: list(it.history))[before:]
    ends = [event.by for event in events if isinstance(event, CallEnded) and event.call == started.call]
    assert ends == ["client"]


async def wait_for_calls(fleet: Fleet, count: int) -> None:
    while sum(record.stage is Stage.ACTIVE for record in fleet.calls.values()) != count or len(fleet.calls) != count:
        await fleet.change()
