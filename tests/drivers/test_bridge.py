"""The bridge: an engine that needs asyncio, in a thread of its own, for an application on either loop."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pytest
import trio

from telnyx_core.actions import CreateOffer, MediaAction, OpenPeer, PeerConfig, StartTone, ToneAction
from telnyx_core.facts import MediaFact, MediaHeard, PeerStateChanged, SourceOpened
from telnyx_core.ids import CallId, MediaId
from telnyx_drivers._webrtc import bridge
from telnyx_drivers._webrtc.bridge import PENDING, BridgedEngine, MediaLoop
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import EngineFactory, EngineSetup
from telnyx_drivers.asyncio import MediaUnavailable

pytestmark = pytest.mark.anyio
CALL = CallId("c")
CONFIG = PeerConfig(role="offer", ice_servers=())


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Real clocks: there is a second thread."""
    return str(request.param)


class LoopBound:
    """Like the aiortc engine it works on one asyncio loop only, and reports from tasks."""

    def __init__(self, setup: EngineSetup) -> None:
        self.setup = setup
        self.thread = threading.current_thread()
        self.loop = asyncio.get_running_loop()
        self.performed: list[MediaAction | ToneAction] = []
        self.released: list[CallId] = []
        self.closed = 0
        self.hang = False
        self.blocked = threading.Event()
        self.blocked.set()

    def perform(self, action: MediaAction | ToneAction) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.blocked.wait(5)
        self.performed.append(action)
        if isinstance(action, OpenPeer):
            self.setup.call_audio(action.call)
        elif isinstance(action, CreateOffer):
            self.loop.call_soon(self.setup.report, MediaHeard(action.media))

    def audio(self, call: CallId) -> CallAudio:
        raise AssertionError("the bridge keeps the audio")

    def release(self, call: CallId) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.released.append(call)

    async def aclose(self) -> None:
        self.closed += 1
        if self.hang:
            await asyncio.sleep(3600)


class Bench:
    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self.call_soon = call_soon
        self.app_thread = threading.current_thread()
        self.facts: list[MediaFact] = []
        self.news = anyio.Event()
        self.inner: list[LoopBound] = []
        self.bridges: list[BridgedEngine] = []

    def report(self, fact: MediaFact) -> None:
        assert threading.current_thread() is self.app_thread
        self.facts.append(fact)
        self.news.set()
        self.news = anyio.Event()

    def factory(self, setup: EngineSetup) -> LoopBound:
        self.inner.append(LoopBound(setup))
        return self.inner[-1]

    def make(self, factory: EngineFactory | None = None) -> BridgedEngine:
        def never(call: CallId) -> CallAudio:
            raise AssertionError("the bridge makes the audio, with its own wake-ups")

        setup = EngineSetup(self.report, "ws://x/", never)
        self.bridges.append(BridgedEngine(setup, factory or self.factory, self.call_soon))  # type: ignore[arg-type]
        return self.bridges[-1]

    async def until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not holds():  # noqa: ASYNC110  # what is waited for happens in another thread
                await anyio.sleep(0.005)


@pytest.fixture
async def bench(anyio_backend_name: str) -> AsyncIterator[Bench]:
    if anyio_backend_name == "trio":
        bench = Bench(trio.lowlevel.current_trio_token().run_sync_soon)
    else:
        bench = Bench(asyncio.get_running_loop().call_soon_threadsafe)
    interval = sys.getswitchinterval()
    yield bench
    for engine in bench.bridges:
        await engine.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name == "telnyx-media"]
    assert MediaLoop._current is None
    assert sys.getswitchinterval() == interval


async def test_orders_cross_in_order_and_facts_come_back_in_order(bench: Bench) -> None:
    engine = bench.make()
    orders = [OpenPeer(MediaId(1), CALL, CONFIG), *(CreateOffer(MediaId(n)) for n in range(1, 200))]
    for order in orders:
        engine.perform(order)
    await bench.until(lambda: len(bench.facts) == 199)
    assert bench.inner[0].performed == orders
    assert bench.facts == [MediaHeard(MediaId(n)) for n in range(1, 200)]
    assert bench.inner[0].thread is not bench.app_thread
    assert bench.inner[0].setup.url == "ws://x/"


async def test_a_call_has_one_audio_on_both_sides(bench: Bench) -> None:
    engine = bench.make()
    engine.perform(OpenPeer(MediaId(1), CALL, CONFIG))
    await bench.until(lambda: bool(bench.inner[0].performed))
    audio = engine.audio(CALL)
    assert bench.inner[0].setup.call_audio(CALL) is audio
    assert bench.inner[0].setup.call_audio(CallId("d")) is engine.audio(CallId("d"))
    engine.release(CALL)
    assert audio.closed
    await bench.until(lambda: bench.inner[0].released == [CALL])
    await bench.until(lambda: CALL not in engine._audios)


async def test_a_calls_audio_is_made_here_although_the_engine_asks_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an application waits on belongs to the loop that it was made for."""
    makers: list[threading.Thread] = []

    class Noted(CallAudio):
        def __init__(self, **keywords: Any) -> None:
            makers.append(threading.current_thread())
            super().__init__(**keywords)

    monkeypatch.setattr(bridge, "CallAudio", Noted)
    engine = bench.make()
    engine.perform(OpenPeer(MediaId(1), CALL, CONFIG))
    await bench.until(lambda: bool(bench.inner[0].performed))
    assert makers == [bench.app_thread]


async def test_audio_heard_on_the_media_thread_wakes_the_application(bench: Bench) -> None:
    engine = bench.make()
    reader = engine.audio(CALL).audio_in(sample_rate=8000)
    samples = np.full(160, 1000, np.int16)

    def push() -> None:
        bench.inner[0].setup.call_audio(CALL).push(samples, 8000)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:

            async def feed() -> None:
                for _ in range(20):
                    await anyio.sleep(0.002)
                    bench.inner[0].loop.call_soon_threadsafe(push)

            group.start_soon(feed)
            for _ in range(20):
                frame = await anext(reader)
                assert len(frame.data) == 320


async def test_what_the_factory_raises_is_raised_here_and_leaves_no_thread(bench: Bench) -> None:
    def broken(setup: EngineSetup) -> LoopBound:
        raise MediaUnavailable("no aiortc")

    with pytest.raises(MediaUnavailable, match="no aiortc"):
        bench.make(broken)


async def test_two_engines_share_the_thread_until_the_last_has_gone(bench: Bench) -> None:
    first, second = bench.make(), bench.make()
    assert bench.inner[0].thread is bench.inner[1].thread
    await first.aclose()
    assert bench.inner[0].thread.is_alive()
    second.perform(CreateOffer(MediaId(1)))
    await bench.until(lambda: bool(bench.facts))
    await second.aclose()
    assert not bench.inner[0].thread.is_alive()
    third = bench.make()
    assert bench.inner[2].thread is not bench.inner[0].thread
    await third.aclose()


async def test_closing_twice_and_at_once_closes_once(bench: Bench) -> None:
    engine = bench.make()
    async with anyio.create_task_group() as group:
        group.start_soon(engine.aclose)
        group.start_soon(engine.aclose)
    await engine.aclose()
    assert bench.inner[0].closed == 1


async def test_closing_goes_on_when_cancelled(bench: Bench) -> None:
    engine = bench.make()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await engine.aclose()
    assert bench.inner[0].closed == 1
    assert not bench.inner[0].thread.is_alive()


async def test_an_engine_that_does_not_close_is_left_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bridge, "CLOSE_SECONDS", 0.05)
    engine = bench.make()
    bench.inner[0].hang = True
    await engine.aclose()
    assert "does not answer" in caplog.text
    assert not bench.inner[0].thread.is_alive(), "its task was cancelled with the loop"


async def test_a_media_loop_that_does_not_keep_up_fails_its_peers(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    engine = bench.make()
    bench.inner[0].blocked.clear()
    engine.perform(StartTone(CALL, "ringtone"))
    await bench.until(lambda: engine._orders == 0)
    for _ in range(PENDING):
        engine.perform(StartTone(CALL, "ringtone"))
    assert bench.facts == []
    engine.perform(StartTone(CALL, "ringtone"))
    engine.perform(CreateOffer(MediaId(7)))
    assert bench.facts == [PeerStateChanged(MediaId(7), "failed")]
    assert "does not keep up" in caplog.text
    bench.inner[0].blocked.set()
    await bench.until(lambda: len(bench.inner[0].performed) == PENDING + 1)


async def test_an_application_that_does_not_keep_up_loses_the_peer_not_the_memory(bench: Bench) -> None:
    engine = bench.make()
    flooded = threading.Event()

    def flood() -> None:
        for _ in range(3 * PENDING):
            bench.inner[0].setup.report(SourceOpened(MediaId(3), "x"))
        flooded.set()

    bench.inner[0].loop.call_soon_threadsafe(flood)
    assert flooded.wait(10), "meanwhile the application's loop stands still"
    assert len(engine._facts) == PENDING + 1
    await bench.until(lambda: bool(bench.facts))
    assert bench.facts[-1] == PeerStateChanged(MediaId(3), "failed")


async def test_a_failing_callback_harms_nobody(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    engine = bench.make()

    def fail() -> None:
        raise ZeroDivisionError

    engine._call_soon(fail)
    await bench.until(lambda: "ZeroDivisionError" in caplog.text)
    engine.perform(CreateOffer(MediaId(1)))
    await bench.until(lambda: bool(bench.facts))


@pytest.mark.parametrize("runner", ["asyncio", "trio"])
def test_a_program_that_forgets_to_close_still_ends(runner: str) -> None:
    program = f"""
        import anyio
        from telnyx_drivers._webrtc.bridge import BridgedEngine
        from telnyx_drivers._webrtc.ports import EngineSetup

        class Engine:
            def __init__(self, setup):
                import asyncio
                self.setup = setup
                asyncio.get_running_loop().call_later(0.01, self.tick)
            def tick(self):
                import asyncio
                from telnyx_core.facts import MediaHeard
                self.setup.report(MediaHeard(1))
                asyncio.get_running_loop().call_later(0.01, self.tick)

        async def main():
            if {runner!r} == "trio":
                import trio
                soon = trio.lowlevel.current_trio_token().run_sync_soon
            else:
                import asyncio
                soon = asyncio.get_running_loop().call_soon_threadsafe
            BridgedEngine(EngineSetup(lambda fact: None, "", lambda call: None), Engine, soon)
            await anyio.sleep(0.1)

        anyio.run(main, backend={runner!r})
        import time
        time.sleep(0.1)  # facts for a loop that is no more
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
