"""The contract with the core: mutate, drain, wait. And what happens when the fault is ours."""

import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from attrs import fields_dict

from telnyx_core.actions import (
    AbandonSocket,
    Action,
    CloseSocket,
    Done,
    Notify,
    OpenPeer,
    OpenSocket,
    PeerConfig,
    SendText,
    Settle,
)
from telnyx_core.events import Event, Ready, SocketOpen
from telnyx_core.facts import Fact, NegotiationFailed, NetworkChanged, SocketClosed, SocketOpened, TextReceived
from telnyx_core.ids import CallId, MediaId, SocketId, Ticket
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.states import SessionState
from telnyx_drivers._driver import INBOX_TEXTS, Driver
from telnyx_drivers._emitter import EventStream, name_of
from telnyx_drivers._keywords import CallKeywords, ClientKeywords
from telnyx_drivers._stalls import LATE, READING
from telnyx_drivers.asyncio import ConnectionFailed, DriverFailed, MediaUnavailable
from tests.drivers.conftest import MakeClient, tasks_now
from tests.drivers.fakes import World
from tests.drivers.inside import driver_of, session_of

pytestmark = pytest.mark.anyio

ONE, TWO = SocketId(1), SocketId(2)


class ScriptedSession:
    """Says what a test told it to say, and complains when it is called from inside of its own actions."""

    def __init__(self) -> None:
        self.actions: deque[Action] = deque()
        self.answers: dict[type[Fact], list[Action]] = {}
        self.told: list[Fact] = []
        self.deadline: float | None = None
        self.fired: list[float] = []
        self.performing = False

    def next_action(self) -> Action | None:
        self.performing = bool(self.actions)
        return self.actions.popleft() if self.actions else None

    def next_timeout(self) -> float | None:
        return self.deadline

    def next_timeout_reason(self) -> None:
        return None

    def receive(self, fact: Fact, *, now: float) -> None:
        assert not self.performing, "re-entered"
        self.told.append(fact)
        self.actions.extend(self.answers.get(type(fact), ()))

    def handle_timeout(self, *, now: float) -> None:
        assert not self.performing, "re-entered"
        self.fired.append(now)
        self.deadline = None


class Listener:
    def __init__(self) -> None:
        self.heard: list[Event] = []

    def notify(self, event: Event) -> None:
        self.heard.append(event)

    def deliver(self) -> None: ...

    def remember(self, values: object) -> None: ...

    def stopped(self, error: Exception | None) -> None: ...


class Recorder:
    """Stands for both the sockets and the loop: everything performed goes into one list."""

    def __init__(self) -> None:
        self.session = ScriptedSession()
        self.listener = Listener()
        self.log: list[str] = []
        self.time = 0.0
        recorder = self

        class Line:
            backlog = 0

            def __init__(self, name: str) -> None:
                self.name = name

            def send(self, text: str) -> None:
                recorder.log.append(f"{self.name} send {text}")
                recorder.driver.tell(TextReceived(ONE, f"echo {text}"))

            def close(self) -> None:
                recorder.log.append(f"{self.name} close")

            def abandon(self) -> None:
                recorder.log.append(f"{self.name} abandon")

        class PlainDriver(Driver):
            def now(self) -> float:
                return recorder.time

            def spawn(self, function: Any) -> None:
                raise NotImplementedError

            async def shielded(self, function: Any) -> None:
                raise NotImplementedError

            async def cancel_tasks(self) -> None: ...

            def _dial(self, socket: SocketId, url: str) -> Line:
                recorder.log.append(f"dial {url}")
                return Line(url)

            def _wake(self) -> None:
                recorder.log.append("wake")

            async def _wait(self, deadline: float | None) -> None:
                raise NotImplementedError

        def no_engine(report: Any) -> Any:
            raise MediaUnavailable("no media")

        self.driver = PlainDriver(self.session, no_engine, self.listener)  # type: ignore[arg-type]

    def performed(self) -> list[str]:
        return [entry for entry in self.log if entry != "wake"]


def test_actions_are_performed_in_order_and_facts_wait_their_turn() -> None:
    world = Recorder()
    world.session.actions.extend(
        [OpenSocket(ONE, "a"), SendText(ONE, "1"), Notify(SocketOpen(ONE)), SendText(ONE, "2"), CloseSocket(ONE)]
    )
    world.driver.drain()
    assert world.performed() == ["dial a", "a send 1", "a send 2", "a close"]
    assert world.session.told == [], "what a line answers at once is told in the next turn"
    assert world.driver.turn() is None
    assert world.session.told == [TextReceived(ONE, "echo 1"), TextReceived(ONE, "echo 2")]


def test_what_a_fact_leads_to_is_performed_before_the_next_fact() -> None:
    world = Recorder()
    world.session.actions.append(OpenSocket(ONE, "a"))
    world.driver.drain()
    world.session.answers = {SocketOpened: [SendText(ONE, "login"), CloseSocket(ONE)]}
    world.driver.tell(SocketOpened(ONE, 0.0))
    world.driver.tell(SocketClosed(ONE, 1000, "", clean=True))
    world.driver.turn()
    assert world.performed() == ["dial a", "a send login", "a close"]
    assert [type(fact) for fact in world.session.told] == [SocketOpened, SocketClosed, TextReceived]


def test_dead_handles_are_ignored() -> None:
    world = Recorder()
    world.session.actions.extend(
        [OpenSocket(ONE, "a"), AbandonSocket(ONE), SendText(ONE, "1"), CloseSocket(ONE), AbandonSocket(ONE)]
    )
    world.driver.drain()
    assert world.performed() == ["dial a", "a abandon"]
    world.session.actions.extend([SendText(TWO, "1"), CloseSocket(TWO), Settle(Ticket(9), Done())])
    world.driver.drain()
    assert world.performed() == ["dial a", "a abandon"]


def test_a_closed_socket_is_let_go() -> None:
    world = Recorder()
    world.session.actions.append(OpenSocket(ONE, "a"))
    world.driver.drain()
    world.driver.tell(SocketClosed(ONE, 1006, "", clean=False))
    world.driver.turn()
    world.session.actions.append(SendText(ONE, "late"))
    world.driver.drain()
    assert world.performed() == ["dial a"]


def test_a_deadline_fires_once_when_it_is_due() -> None:
    world = Recorder()
    world.session.deadline = 5.0
    assert world.driver.turn() == 5.0
    assert world.session.fired == []
    world.time = 5.0
    assert world.driver.turn() is None
    assert world.session.fired == [5.0]


@pytest.mark.parametrize("stalled", [5.0, 11.0, 25.0])
def test_after_a_stall_what_has_arrived_is_read_before_a_deadline_is_judged(stalled: float) -> None:
    """A loop that was blocked says nothing of the far end, whose answer may lie in a buffer."""
    world = Recorder()
    world.session.deadline = 5.0
    world.time = 5.0 + stalled
    assert world.driver.turn() == world.time + READING, "and then it looks again"
    assert world.session.fired == []
    world.time += READING / 2
    world.driver.tell(TextReceived(ONE, "the answer"))
    world.driver.turn()
    assert world.session.told == [TextReceived(ONE, "the answer")]
    assert world.session.fired == []
    world.time += READING / 2
    world.driver.turn()
    assert world.session.fired == [world.time], "without an answer it is judged, once"
    world.session.deadline = world.time + 3.0
    world.time += 3.0 + LATE
    world.driver.turn()
    assert len(world.session.fired) == 2, "a deadline that is met in time waits for nothing"


def test_a_loop_that_is_always_late_judges_all_the_same() -> None:
    world = Recorder()
    world.session.deadline = 5.0
    for _ in range(3):
        world.time += 10.0
        world.driver.turn()
    assert len(world.session.fired) == 1


def test_a_host_that_has_slept_is_noticed_when_it_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock is ahead of the monotonic one."""
    world, ahead = Recorder(), 0.0
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    world.driver.turn()
    for ahead in (9.0, 3_609.0, 3_609.0, -90.0):  # noqa: B007  # the clock reads it
        world.driver.turn()
    assert world.session.told == [NetworkChanged("resumed")]


def test_media_without_an_engine_is_a_failed_negotiation() -> None:
    world = Recorder()
    config = PeerConfig(role="answer", ice_servers=())
    world.session.actions.append(OpenPeer(MediaId(3), CallId("c"), config))
    world.driver.drain()
    world.driver.turn()
    assert world.session.told == [NegotiationFailed(MediaId(3), "other", "no media")]


async def test_a_reader_waits_while_the_inbox_is_full() -> None:
    world = Recorder()
    passed: list[int] = []

    async def read() -> None:
        for number in range(INBOX_TEXTS + 5):
            world.driver.tell(TextReceived(ONE, str(number)))
            await world.driver.room()
            passed.append(number)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.sleep(1)
        assert len(passed) == INBOX_TEXTS - 1
        world.driver.turn()
        await anyio.sleep(1)
        assert len(passed) == INBOX_TEXTS + 5


async def test_a_fault_of_ours_stops_the_client_and_reaches_everybody_who_waits(
    make_client: MakeClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    before = tasks_now()
    client = make_client()
    caught: list[str] = []
    told: list[str] = []
    for name in ("telnyx.error", "telnyx.closed"):
        client.on(name, lambda event: told.append(name_of(event)))  # type: ignore[call-overload]

    async def read(stream: EventStream[Event]) -> None:
        async for _ in stream:
            pass

    await client.connect()
    async with anyio.create_task_group() as group:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        world.server.mute.add("telnyx_rtc.info")

        async def expect(name: str, wait: Any) -> None:
            with pytest.raises((DriverFailed, Exception)) as failure:
                await wait()
            caught.append(f"{name}: {type(failure.value).__name__}")

        group.start_soon(expect, "command", lambda: call.dtmf("1"))
        group.start_soon(expect, "events", lambda: read(client.events()))
        group.start_soon(expect, "call events", lambda: read(call.events()))
        group.start_soon(expect, "incoming", lambda: anext(client.incoming()))
        group.start_soon(expect, "end", call.wait_ended)
        await anyio.sleep(1)

        def broken(fact: Fact, *, now: float) -> None:
            raise AssertionError("cannot be")

        session_of(client).receive = broken  # type: ignore[method-assign]
        world.server.ring("in-1")
    assert sorted(caught) == [
        "call events: DriverFailed",
        "command: DriverFailed",
        "end: DriverFailed",
        "events: DriverFailed",
        "incoming: DriverFailed",
    ]
    assert "AssertionError: cannot be" in caplog.text
    assert told == ["telnyx.error", "telnyx.closed"]
    assert (client.state, client.connected, call.live) == (SessionState.IDLE, False, False)
    assert world.server.methods().count("telnyx_rtc.bye") == 1, "the far end is told all the same"
    with pytest.raises(DriverFailed):
        await call.hangup()
    await client.disconnect()
    # What the application does next begins afresh.
    async with client:
        world.server.mute.clear()
        again = await client.new_call("+1666")
        await again.wait_for_state("active")
        assert await again.hold()
    assert tasks_now() == before


async def test_leaving_the_block_raises_what_ended_the_client(make_client: MakeClient, world: World) -> None:
    def broken(fact: Fact, *, now: float) -> None:
        raise AssertionError("cannot be")

    async def program() -> None:
        async with make_client() as client:
            session_of(client).receive = broken  # type: ignore[method-assign]
            world.server.ring("in-1")
            await anyio.sleep(1)

    with pytest.raises(DriverFailed) as failed:
        await program()
    assert isinstance(failed.value.__cause__, AssertionError)


def test_a_failed_connection_is_no_fault_of_ours() -> None:
    assert not issubclass(ConnectionFailed, DriverFailed)


def test_the_keywords_are_exactly_the_options() -> None:
    assert set(get_type_hints(ClientKeywords)) == set(fields_dict(ClientOptions))
    assert set(get_type_hints(CallKeywords)) == set(fields_dict(CallOptions)) - {"destination_number"}


@pytest.mark.parametrize("anyio_backend_name", ["asyncio", "trio"])
def test_a_program_that_ends_stops_loading_the_engine_at_the_next_module(
    make_client: MakeClient, anyio_backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of a second is not to last two more for what it never needed; and the loop runs while it is loaded."""
    signals = SimpleNamespace(started=threading.Event(), release=threading.Event(), further=threading.Event())
    monkeypatch.setitem(sys.modules, "loading_signals", signals)
    for name in ("loading_first", "loading_second"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "loading_first.py").write_text(
        "from loading_signals import release, started\nstarted.set()\nrelease.wait(30)\n"
    )
    (tmp_path / "loading_second.py").write_text("from loading_signals import further\nfurther.set()\n")
    monkeypatch.syspath_prepend(tmp_path)

    async def main() -> None:
        client = make_client()
        driver_of(client).preload = ("loading_first", "loading_second")
        await client.connect()
        assert await anyio.to_thread.run_sync(signals.started.wait, 30)
        assert await client.is_registered()
        await client.disconnect()

    anyio.run(main, backend=anyio_backend_name)
    signals.release.set()
    assert not signals.further.wait(0.2)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("anyio_backend_name", ["asyncio", "trio"])
def test_a_handler_that_waits_after_a_disconnect_does_not_keep_the_program_from_ending(
    make_client: MakeClient, anyio_backend_name: str, again: bool
) -> None:
    """On trio nobody cancelled it once the client was at rest, and `trio.run` never returned."""
    ends: list[str] = []

    async def main() -> None:
        async def waits(event: Ready) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ends.append("cancelled")

        client = make_client()
        client.on(Ready, waits)
        for _ in range(2 if again else 1):
            await client.connect()
            await anyio.sleep(0.01)
            await client.disconnect()
        assert ends == []

    anyio.run(main, backend=anyio_backend_name)
    assert ends == ["cancelled"] * (2 if again else 1)
