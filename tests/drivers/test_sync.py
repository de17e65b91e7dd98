"""The client without ``async``, against the embedded gateway on loopback."""

import signal
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from telnyx_core.errors import InvalidCallState, NotConnected
from telnyx_core.events import CallUpdated, Event, Ready, SessionClosed
from telnyx_core.states import CallState, SessionState
from telnyx_drivers._threads import Threads
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.gateway import Gateway
from telnyx_drivers.sync import (
    AudioFrame,
    Call,
    CallEnded,
    CallNotification,
    LoginFailed,
    MemoryStore,
    TelnyxRTC,
    Tone,
    is_media_recovery_error_event,
)
from tests.drivers.fakes import SilentEngine
from tests.drivers.servers import Servers

pytestmark = [pytest.mark.net]
RATE = 8_000
Make: TypeAlias = Callable[..., TelnyxRTC]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def gateway(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    real = request.node.get_closest_marker("media") is not None
    yield servers.enter(Gateway(users={"alice": "secret", "bob": "hush"}, engine=None if real else SilentEngine))
    servers.stop()


@pytest.fixture
def make(gateway: Gateway, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients with real media where a test is marked so."""
    before = set(threading.enumerate())

    def make(user: str = "alice", password: str = "secret", **options: Any) -> TelnyxRTC:
        if request.node.get_closest_marker("media") is None:
            options.setdefault("engine", lambda setup: SilentEngine(setup.report))
        return TelnyxRTC(login=user, password=password, env=gateway.url, ice_servers=[], **options)

    yield make
    named = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in named if name.startswith("telnyx-") and "file" not in name}


@pytest.mark.media
def test_a_call_from_beginning_to_end(make: Make, tmp_path: Path) -> None:
    with make() as client:
        assert client.state is SessionState.READY
        assert client.connected
        assert client.session_id
        assert client.is_registered()
        assert client.speedTest().size == 262_144
        call = client.new_call("echo", caller_number="+1555", custom_headers=[{"name": "X-A", "value": "1"}])
        assert call.direction == "outbound"
        assert client.call(call.id) == call
        assert list(client.calls) == [call.id]
        assert call.wait_for_state("active", timeout=10) is CallState.ACTIVE
        recording = call.record(tmp_path / "call.wav")
        playback = call.play(Tone(700.0))
        window: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        for frame in call.audio_in(sample_rate=RATE, timeout=10):
            window = [*window[-11:], frame.to_numpy()]
            samples = np.concatenate(window)
            loud = len(window) == 12 and np.abs(samples).max() > 200
            if loud and abs(dominant_frequency(samples, RATE) - 700) < 5:
                break
        assert playback.position > 0
        playback.stop()
        playback.wait()
        assert playback.ended
        recording.stop()
        assert recording.ended
        assert call.stats().packets_received
        assert call.timings is not None
        assert call.latency is not None
        assert call.hold()
        assert call.state is CallState.HELD
        assert call.unhold()
        assert call.toggle_mute() is True
        assert call.info.muted
        call.unmute()
        call.dtmf("12#")
        assert call.write(b"\0\0" * 800, sample_rate=RATE) is True
        call.drain()
        assert call.clear() == 0.0
        cause = call.hangup(drain=True)
        assert cause.cause == "NORMAL_CLEARING"
        assert call.ended == cause
        with pytest.raises(InvalidCallState):
            call.mute()
    assert client.state is SessionState.IDLE
    assert call.hangup() == cause
    assert (tmp_path / "call.wav").stat().st_size > 1000


def test_calling_each_other(make: Make) -> None:
    with make() as alice, make("bob", "hush") as bob:
        heard: list[str] = []

        def answer() -> None:
            for call in bob.incoming(timeout=10):
                with call:
                    heard.append(call.direction)
                    call.answer()
                    break

        thread = threading.Thread(target=answer)
        thread.start()
        call = alice.new_call("bob", caller_number="+1555")
        call.wait_ended(timeout=10)
        thread.join()
        assert heard == ["inbound"]
        with pytest.raises(CallEnded):
            call.wait_for_state("active")


def test_handlers_run_in_a_thread_where_they_may_wait_and_command(make: Make) -> None:
    client = make()
    seen: list[object] = []
    ended = threading.Event()

    def on_ready(event: Ready) -> None:
        seen.append(threading.current_thread().name)
        call = client.new_call("tone", caller_number="+1555")
        call.on(CallUpdated, lambda event: seen.append(event.call.state.value))
        call.wait_for_state("active", timeout=10)
        call.hangup()
        ended.set()

    async def on_closed(event: SessionClosed) -> None:
        seen.append("closed")

    client.on("telnyx.ready", on_ready)
    client.on(SessionClosed, on_closed)
    with client:
        assert ended.wait(10)
    assert seen[0] == "telnyx-handlers"
    assert seen[-1] == "closed"
    assert seen[-3:-1] == ["hangup", "destroy"]


def test_off_and_on_notification(make: Make) -> None:
    general: list[Event] = []
    own: list[Event] = []
    client = make()
    client.on("telnyx.notification", general.append)
    client.on("telnyx.ready", general.append)
    client.off("telnyx.ready", general.append)
    client.off("telnyx.ready", own.append)
    with client:
        client.new_call("tone", caller_number="+1", on_notification=own.append).hangup()
    assert general == []
    assert [type(event) for event in own][-1] is CallNotification
    client.off("telnyx.notification")


def test_events_are_iterated_until_the_client_is_left(make: Make) -> None:
    client = make()
    kinds: list[type[Event]] = []
    events = client.events()

    def read() -> None:
        kinds.extend(type(event) for event in events)

    with client:
        thread = threading.Thread(target=read)
        thread.start()
        with pytest.raises(TimeoutError):
            next(client.incoming(timeout=0.05))
        with pytest.raises(TimeoutError):
            next(client.events(timeout=0.05))
    thread.join(10)
    assert not thread.is_alive()
    assert Ready in kinds
    assert next(client.events(), None) is None
    assert next(client.incoming(), None) is None


def test_errors_are_the_same(make: Make) -> None:
    client = make(password="wrong")
    with pytest.raises(LoginFailed):
        client.connect()
    with pytest.raises(NotConnected):
        client.new_call("x")
    client.disconnect()


def test_what_is_asked_when_the_client_is_gone_is_answered_as_with_async(make: Make) -> None:
    """A call that has ended says so, whichever command it is; what needs no connection needs none."""
    client = make()
    client.clear_reconnect_token()
    with client:
        call = client.new_call("echo")
        call.wait_for_state("active", timeout=10)
    assert call.hangup() == call.wait_ended(timeout=1) == call.ended
    for command in (call.hold, call.mute, call.answer, lambda: call.dtmf("1"), lambda: call.message("bob", "hi")):
        with pytest.raises(InvalidCallState):
            command()
    with pytest.raises(CallEnded):
        call.wait_for_state("active")
    with pytest.raises(NotConnected):
        client.is_registered()
    client.clear_reconnect_token()


def test_it_can_be_connected_again(make: Make) -> None:
    client = make()
    for _ in range(3):
        with client:
            client.connect()
            assert client.connected


def test_ctrl_c_while_waiting_says_good_bye(make: Make) -> None:
    client = make()
    main = threading.get_ident()
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    calls: list[Call] = []
    given_up: list[bool] = []

    def work() -> None:
        with client:
            calls.append(client.new_call("ring", caller_number="+1555"))
            timer.start()
            try:
                calls[0].wait_for_state("active", timeout=30)
            finally:
                deadline = time.monotonic() + 5
                while calls[0]._source._waiters and time.monotonic() < deadline:
                    time.sleep(0.001)
                given_up.append(not calls[0]._source._waiters)

    with pytest.raises(KeyboardInterrupt):
        work()
    timer.join()
    assert given_up == [True], "the wait itself was cancelled, not only ended with the call"
    assert calls[0].ended is not None
    assert client.state is SessionState.IDLE


async def noop() -> None:
    pass


def test_slow_handlers_lose_events_not_memory(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telnyx_drivers._threads.UNHANDLED", 3)
    threads = Threads(lambda event: event, noop)
    threads.connect(noop)
    release = threading.Event()
    heard: list[Event] = []

    def slow(event: Event) -> None:
        release.wait(10)
        heard.append(event)

    threads.hear(slow, Ready(None, "REGED"))
    deadline = time.monotonic() + 10
    while threads._heard.qsize() and time.monotonic() < deadline:
        time.sleep(0.001)
    for _ in range(5):
        threads.hear(slow, Ready(None, "REGED"))
    release.set()
    threads.disconnect(noop, lambda: True)
    assert len(heard) == 4
    assert caplog.text.count("do not keep up") == 2


def test_a_microphone_error_can_be_answered_from_a_handler(servers: Servers, make: Make) -> None:
    engines: list[SilentEngine] = []

    def engine(setup: Any) -> SilentEngine:
        engines.append(SilentEngine(setup.report))
        engines[0].refuse_source = ["permission"]
        return engines[0]

    recovered = threading.Event()
    recovery = {"enabled": True, "on_success": recovered.set}
    with make(engine=engine, media_permissions_recovery=recovery) as alice, make("bob", "hush") as bob:

        def on_error(event: Event) -> None:
            if is_media_recovery_error_event(event):
                assert event.resume() is True

        alice.on("telnyx.error", on_error)
        call = bob.new_call("alice", caller_number="+1")
        incoming = next(alice.incoming(timeout=10))
        incoming.answer()
        assert recovered.wait(10)
        call.hangup()


@pytest.mark.parametrize("how", ["end of the block", "leave"])
def test_a_call_is_left_and_found_again(make: Make, how: str) -> None:
    """``hangup_on_before_unload=False``, or `leave` by hand."""
    store = MemoryStore()
    with make(store=store, hangup_on_before_unload=how == "leave") as client:
        left = client.new_call("echo", caller_number="+1555")
        left.wait_for_state("active", timeout=10)
        if how == "leave":
            client.leave()
    assert left.state is CallState.DESTROY
    with make(store=store) as client:
        call = next(client.incoming(timeout=10, recovered=True))
        assert call.id == left.id
        assert call.wait_for_state("active", timeout=10) is CallState.ACTIVE
        assert call.hangup().cause == "NORMAL_CLEARING"


def test_a_tone_sink_may_block(make: Make, gateway: Gateway, servers: Servers, tmp_path: Path) -> None:
    """As a sound card does."""
    heard: list[str] = []
    enough = threading.Event()

    def sink(frame: AudioFrame) -> None:
        time.sleep(0.02)
        heard.append(threading.current_thread().name)
        if len(heard) == 10:
            enough.set()

    async def ring() -> None:
        gateway.call_user("alice")

    path = tmp_path / "ring.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"\1\1" * RATE)
    with make(ringtone_file=str(path), tone_sink=sink) as client:
        servers.run(ring())
        call = next(client.incoming(timeout=10))
        assert enough.wait(10)
        assert client.is_registered(), "the client's own thread goes on"
        call.hangup()
    assert not {name for name in heard if "telnyx" in name}


def race(count: int, target: Callable[[], object]) -> list[BaseException]:
    """What so many threads raised that did the same at once."""
    raised: list[BaseException] = []
    barrier = threading.Barrier(count)

    def go() -> None:
        barrier.wait()
        try:
            target()
        except BaseException as error:  # noqa: BLE001  # `CancelledError` among them
            raised.append(error)

    threads = [threading.Thread(target=go, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "hangs"
    return raised


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("telnyx-client", "telnyx-handlers")]


def test_many_threads_connect_and_disconnect_one_client(make: Make) -> None:
    for _ in range(3):
        client = make()
        assert race(4, client.connect) == []
        assert client.is_registered()
        assert race(4, client.disconnect) == []
        assert ours() == []


def test_a_handler_that_blocks_does_not_hold_up_the_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telnyx_drivers._threads.PATIENCE", 0.2)
    release = threading.Event()
    client = make()
    client.on("telnyx.ready", lambda: release.wait(60))
    client.connect()
    assert race(2, client.disconnect) == []
    release.set()
    deadline = time.monotonic() + 10
    while ours() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_handler_may_disconnect(make: Make) -> None:
    client = make()
    done = threading.Event()

    def enough() -> None:
        client.disconnect()
        done.set()

    client.on("telnyx.ready", enough)
    client.connect()
    assert done.wait(20)
    deadline = time.monotonic() + 10
    while ours() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ours() == []


def test_serve_answers_each_call_in_a_thread(make: Make, gateway: Gateway, servers: Servers) -> None:
    names: list[str] = []

    def handler(call: Call) -> None:
        call.answer()
        call.wait_for_state("active", timeout=20)
        names.append(threading.current_thread().name)

    with make() as client:
        serving = threading.Thread(target=lambda: client.serve(handler, limit=2), daemon=True)
        serving.start()

        async def ring() -> None:
            gateway.call_user("alice", from_number="+1555", behaviour="silence")

        servers.run(ring())
        deadline = time.monotonic() + 30
        while not names and time.monotonic() < deadline:
            time.sleep(0.05)
        assert names
        client.disconnect()
        serving.join(20)
        assert not serving.is_alive()
