"""Handlers and streams: who hears what, in which order, and what a handler may do."""

import gc
import inspect
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import get_args, get_overloads

import anyio
import anyio.lowlevel
import pytest

from telnyx_core.events import (
    EVENT_NAMES,
    CallUpdated,
    ErrorRaised,
    Event,
    FrameIgnored,
    Ready,
    SocketMessage,
    UserMediaError,
    WarningRaised,
)
from telnyx_core.states import CallState
from telnyx_drivers import _logs as logs
from telnyx_drivers._emitter import _SILENT_NAMES, BACKLOG, Broadcast, Handlers, name_of
from telnyx_drivers._guard import Handler
from telnyx_drivers._listening import Heard, On
from telnyx_drivers.asyncio import (
    EventsOverrun,
    MediaRecoveryError,
    MediaRecoveryFailed,
    is_media_recovery_error_event,
    isMediaRecoveryErrorEvent,
)
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World, next_of
from tests.drivers.inside import driver_of

pytestmark = pytest.mark.anyio


async def test_handlers_run_in_order_of_registration_whatever_the_way(make_client: MakeClient) -> None:
    """SIG-421, CALL-552."""
    client = make_client()
    order: list[str] = []
    client.on("telnyx.ready", lambda event: order.append("first, by name"))
    client.on(Ready, lambda event: order.append("second, by type"))
    client.on("telnyx.ready", lambda event: order.append("third, by name"))
    async with client:
        await anyio.lowlevel.checkpoint()
    assert order == ["first, by name", "second, by type", "third, by name"]


async def test_a_raising_handler_stops_nobody(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, faults: list[object], anyio_backend_name: str
) -> None:
    """CALL-006, CALL-970: sync or async, the exception is told and the call goes on."""
    client = make_client()
    heard: list[object] = []

    def bad(event: object) -> None:
        raise ZeroDivisionError("sync")

    async def worse(event: object) -> None:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError("async")

    for handler in (bad, worse, heard.append):
        client.on(CallUpdated, handler)
    async with client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await call.hangup()
    assert len(heard) >= 4
    assert caplog.text.count("ZeroDivisionError: sync") == len(heard)
    assert caplog.text.count("ZeroDivisionError: async") == len(heard)
    assert "worse failed" in caplog.text
    assert {record.levelname for record in caplog.records if record.exc_info} == {"ERROR"}
    assert len(faults) == (0 if anyio_backend_name == "trio" else 2 * len(heard))


async def test_a_command_inside_a_handler_is_an_ordinary_command(make_client: MakeClient, world: World) -> None:
    """CALL-005, CALL-971: what the event is about has been done before, what is commanded follows."""
    async with make_client() as client:
        states: list[str] = []

        def on_update(event: CallUpdated) -> None:
            states.append(event.call.state.value)
            call = client.call(event.call.id)
            if event.call.state is CallState.ACTIVE:
                assert call is not None
                call.mute()
                assert call.info.muted

        client.on("telnyx.notification", on_update)
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await call.hangup()
        assert states == ["new", "requesting", "trying", "ringing", "active", "hangup", "destroy"]


async def test_an_async_handler_may_take_its_time_and_even_disconnect(make_client: MakeClient, world: World) -> None:
    client = make_client()
    steps: list[str] = []

    async def on_ready(event: Ready) -> None:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await anyio.sleep(100)
        steps.append("slept")
        await client.disconnect()
        steps.append("disconnected")

    client.on("telnyx.ready", on_ready)
    await client.connect()
    async for _ in client.events():
        pass
    await anyio.lowlevel.checkpoint()
    await anyio.sleep(1)
    assert steps == ["slept", "disconnected"]


async def test_an_async_handler_still_running_is_cancelled_with_the_block(make_client: MakeClient) -> None:
    client = make_client()
    ends: list[str] = []

    async def on_ready(event: Ready) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("cancelled")

    client.on("telnyx.ready", on_ready)
    async with client:
        await anyio.sleep(1)
        assert ends == []
    assert ends == ["cancelled"]


async def test_off_takes_back_what_on_gave(make_client: MakeClient) -> None:
    client = make_client()
    heard: list[str] = []

    def handler(event: object) -> None:
        heard.append("handler")

    client.on("telnyx.ready", handler)
    client.on("telnyx.ready", handler)
    client.on("telnyx.ready", lambda event: heard.append("other"))
    client.off("telnyx.ready", handler)
    async with client:
        await anyio.lowlevel.checkpoint()
    assert heard == ["handler", "other"]
    client.off("telnyx.ready")
    async with client:
        await anyio.lowlevel.checkpoint()
    assert heard == ["handler", "other"]


def test_a_misspelt_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'telnyx\.notification'"):
        Handlers().add("telnyx.notifcation", print)
    with pytest.raises(ValueError, match=r"the names are .*telnyx\.ready"):
        Handlers().add("ready!", print)
    with pytest.raises(ValueError, match="is not an event"):
        Handlers().add(int, print)  # type: ignore[type-var]


def test_every_event_has_its_name_and_a_refinement_the_name_of_its_base() -> None:
    for kind, name in EVENT_NAMES.items():
        handlers = Handlers()
        handlers.add(kind, print)
        handlers.add(name, print)
    assert issubclass(MediaRecoveryError, ErrorRaised)
    assert name_of(Ready(None, "REGED")) == "telnyx.ready"


def test_a_checker_knows_every_event_by_its_name() -> None:
    """What ``on("telnyx.ready")`` passes to its handler is an overload of its own; one that is missing is no error."""

    def call() -> None:
        """Stands for the method, which a protocol gives no body: overloads are kept by module and name."""

    call.__module__, call.__qualname__ = On.__module__, "On.__call__"
    known: dict[str, object] = {}
    for overload in get_overloads(call):
        parameters = inspect.signature(overload).parameters
        for name in get_args(parameters["event"].annotation):
            if isinstance(name, str) and "handler" in parameters:
                known[name] = parameters["handler"].annotation
    assert known.keys() == {*EVENT_NAMES.values(), *_SILENT_NAMES}
    names = Counter(EVENT_NAMES.values())
    for kind, name in EVENT_NAMES.items():
        if names[name] == 1:
            assert known[name] == Heard[kind]


async def test_by_type_only_that_type_is_heard(make_client: MakeClient) -> None:
    client = make_client()
    heard: list[Event] = []
    client.on(UserMediaError, heard.append)
    async with client:
        await (await client.new_call("+1555")).hangup()
    assert heard == [], "call updates have the same name, and another type"


async def test_a_reader_that_falls_behind_is_told(make_client: MakeClient) -> None:
    broadcast = Broadcast[int]()
    stream, other = broadcast.stream(), broadcast.stream(backlog=10_000)
    for number in range(BACKLOG + 5):
        broadcast.publish(number)
    with pytest.raises(EventsOverrun) as caught:
        await anext(stream)
    assert caught.value.lost == BACKLOG + 1
    assert await anext(other) == 0


async def test_a_reader_of_large_frames_is_cut_off_before_they_fill_the_memory() -> None:
    """A frame may have a megabyte, and is several times as large once it is made of objects."""
    broadcast = Broadcast[Event]()
    stream = broadcast.stream()
    for _ in range(3):
        broadcast.publish(SocketMessage({"a": "frame"}, 1 << 20))
    with pytest.raises(EventsOverrun):
        await anext(stream)
    stream = broadcast.stream()
    for _ in range(20):
        broadcast.publish(SocketMessage({"a": "frame"}, 1 << 20))
        assert isinstance(await anext(stream), SocketMessage), "one who keeps up sees each"


async def test_a_dropped_stream_costs_nothing_and_a_closed_one_ends() -> None:
    broadcast = Broadcast[int]()
    broadcast.stream()
    gc.collect()
    kept = broadcast.stream()
    broadcast.publish(1)
    assert len(broadcast._streams) == 1
    await kept.aclose()
    broadcast.publish(2)
    assert [item async for item in kept] == []


async def test_two_readers_of_one_stream_share_it() -> None:
    broadcast = Broadcast[int]()
    stream = broadcast.stream()
    taken: list[int] = []

    async def read() -> None:
        taken.extend([item async for item in stream])

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(read)
        await anyio.lowlevel.checkpoint()
        for number in range(10):
            broadcast.publish(number)
            await anyio.lowlevel.checkpoint()
        broadcast.end()
    assert sorted(taken) == list(range(10))


async def test_a_frame_that_means_nothing_is_an_event_and_nothing_else(make_client: MakeClient, world: World) -> None:
    async with make_client() as client:
        stream = client.events()
        world.server.request("no.such.method")
        async for event in stream:
            if isinstance(event, FrameIgnored):
                break
        assert client.connected


# Media permissions recovery (MEDIA-300 to MEDIA-307).


@pytest.mark.parametrize("way", ["resume", "resume again", "reject", "timeout", "bye"])
async def test_a_recoverable_microphone_error_can_be_answered(
    make_client: MakeClient, world: World, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[str] = []

    async def on_error(error: Exception) -> None:
        await anyio.lowlevel.checkpoint()
        outcomes.append(f"error {type(error).__name__}")

    client = make_client(
        media_permissions_recovery={
            "enabled": True,
            "timeout": 20,
            "on_success": lambda: outcomes.append("success"),
            "on_error": on_error,
        }
    )
    errors: list[ErrorRaised] = []
    client.on("telnyx.error", errors.append)
    await client.connect()
    world.server.ring("in-1")
    call = await anext(client.incoming())
    driver_of(client).engine()
    world.engines[0].refuse_source = ["permission"] * (2 if way == "resume again" else 1)
    stream = client.events()
    await call.answer()
    event = await next_of(stream, ErrorRaised)
    assert is_media_recovery_error_event(event)
    assert isMediaRecoveryErrorEvent is is_media_recovery_error_event
    assert (event.code, event.fatal, call.state) == (42001, False, CallState.RINGING)
    match way:
        case "resume":
            assert event.resume() is True
            assert event.resume() is False, "MEDIA-321"
            await call.wait_for_state("active", timeout=5)
            assert outcomes == ["success"]
        case "resume again":
            assert event.resume() is True
            await call.wait_ended(timeout=5)
        case "reject":
            assert event.reject() is True
            assert event.reject() is False, "MEDIA-322"
            await call.wait_ended(timeout=5)
        case "timeout":
            await anyio.sleep(19)
            assert call.live
            await call.wait_ended(timeout=5)
        case _:
            world.server.bye("in-1")
            await call.wait_ended(timeout=5)
    await anyio.sleep(1)
    assert event.resume() is False
    if way in ("resume again", "reject", "timeout"):
        assert outcomes == [f"error {MediaRecoveryFailed.__name__}"]
        assert errors[-1].recoverable is False
        assert not is_media_recovery_error_event(errors[-1])
    if way == "bye":
        assert outcomes == [], "MEDIA-319"
    await client.disconnect()


async def test_events_are_logged_by_layer_and_without_secrets(
    make_client: MakeClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "telnyx_drivers")
    async with make_client(login_token="pl4nted", env="ws://127.0.0.1:1") as client:
        heard = client.events()
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        await next_of(heard, WarningRaised)
        await call.hangup()
    names = {record.name for record in caplog.records}
    assert names >= {"telnyx_drivers.signalling", "telnyx_drivers.media", "telnyx_drivers.client"}
    assert "telnyx_rtc.invite" in caplog.text
    assert "pl4nted" not in caplog.text
    assert "abcdefghijklmnopqrstuvwx" not in caplog.text, "a=ice-pwd"


class Unspeakable:
    """A handler that can be called, and raises whatever else it is asked."""

    def __call__(self, event: object) -> None:
        raise Wordless

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("no attributes")

    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def closes_itself() -> None:
    raise GeneratorExit


async def closes_itself_later() -> None:
    raise GeneratorExit


@pytest.mark.parametrize("handler", [Unspeakable(), closes_itself, closes_itself_later], ids=range(3))
async def test_a_handler_that_cannot_be_described_or_closes_itself_costs_nothing(
    make_client: MakeClient, faults: list[object], handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """Its label was made outside the guard, and a ``GeneratorExit`` was taken for ours: both ended the client."""
    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        client.on("telnyx.notification", handler)
        assert await call.hold()
        await anyio.sleep(1)
        assert await call.unhold()
        assert call.live
        assert driver_of(client).failure is None
    assert "failed" in caplog.text


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise ZeroDivisionError("the log's own handler")


async def test_a_handler_or_filter_of_the_log_that_raises_costs_no_call(
    make_client: MakeClient, faults: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the application's code too: it raised into whatever said something, and ended the client."""
    broken = Broken(level=1)
    logs.ROOT.addHandler(broken)
    try:
        async with make_client() as client:
            call = await client.new_call("+1555")
            await call.wait_for_state("active")
            client.on("telnyx.notification", lambda event: 1 / 0)
            assert await call.hold()
            assert await call.unhold()
            assert call.live
            assert driver_of(client).failure is None
    finally:
        logs.ROOT.removeHandler(broken)
    said = capsys.readouterr().err
    assert "the log's own handler" in said
    assert "handler test_a_handler_or_filter" in said, "what was to be said is not lost"


async def test_the_log_names_a_handler_and_not_what_it_was_made_with(
    make_client: MakeClient, faults: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    def handle(key: str, event: Event) -> None:
        raise KeyError

    async with make_client() as client:
        client.on("telnyx.notification", partial(handle, "pl4nt3d"))
        await (await client.new_call("+1555")).wait_for_state("active")
    assert "handle failed" in caplog.text
    assert "pl4nt3d" not in caplog.text


async def test_a_handler_that_yields_is_refused(make_client: MakeClient) -> None:
    """To call it runs nothing of it, and nothing was said."""

    def yields(event: object) -> Iterator[int]:
        yield 1

    async def yields_later(event: object) -> AsyncIterator[int]:
        yield 1

    client = make_client()
    for handler in (yields, yields_later, partial(yields)):
        with pytest.raises(TypeError, match="yields"):
            client.on("telnyx.ready", handler)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="yields"):
        await client.serve(yields_later)
    await anyio.lowlevel.checkpoint()
