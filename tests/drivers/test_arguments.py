"""What is handed over in the wrong way is refused at the face, and the call lives (issue: arguments)."""

import contextlib
import inspect
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import telnyx_drivers.asyncio
import telnyx_drivers.sync
import telnyx_drivers.trio
from telnyx_core.errors import LocalProtocolError
from telnyx_core.states import SessionState
from telnyx_drivers._arguments import ARGUMENTS, LONGEST_WAIT
from telnyx_drivers._client import Client
from telnyx_drivers._emitter import Emits
from telnyx_drivers.asyncio import AudioFrame, CallHandle, TelnyxClientError
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import World
from tests.drivers.inside import driver_of

FRAME = AudioFrame(bytes(640), 16_000)


class Awkward:
    """An object that fits nothing, and cannot even be printed."""

    def __repr__(self) -> str:
        return "<awkward>"


def junk() -> list[Any]:
    """Afresh for each call: some of it can be used up."""
    return [
        None, True, 0, -1, 5, 10**30, 2.5, float("nan"), float("inf"), "", "x", "\0", "\ud83d", b"", bytes(640),
        bytearray(3), [], [bytes(640)], ["x", 5], {}, {"a": 1}, {"type": object()}, (1, 2), set(), object(), Awkward(),
        lambda: None, int, Exception("x"), np.zeros(7), iter([bytes(2)]), (each for each in [5]),
    ]  # fmt: skip


# The methods that leave, or wait for what a test would have to bring about.
_NOT_CALLED = frozenset(
    {"connect", "disconnect", "leave", "wait_ended", "hangup", "from_mapping", "serve", "farewell"}
    | {"switch_region", "switchRegion"}  # a new socket, on which this server keeps no call
)
_FOR_EACH_OTHER = frozenset(
    {"pull", "push", "packet", "source_broke", "close", "end", "read", "set_muted", "set_deaf", "on_fault"}
    | {"notify", "deliver", "remember", "ask_token", "stopped", "note", "note_error", "publish", "give_up", "call"}
)


def methods(owner: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each once, however many names it has."""
    seen: set[object] = set()
    for name in sorted(set(dir(owner))):
        if name.startswith("_") or name in _NOT_CALLED | _FOR_EACH_OTHER:
            continue
        member = getattr(owner, name)
        itself = getattr(member, "__func__", member)
        if callable(member) and itself not in seen:
            seen.add(itself)
            yield name, member


def given_to(method: Callable[..., Any], rng: random.Random) -> tuple[list[Any], dict[str, Any]]:
    """Junk for every parameter; now and then too little of it, or a keyword that is none."""
    values = junk()
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        value = values[rng.randrange(len(values))]
        if parameter.kind is parameter.KEYWORD_ONLY:
            if rng.random() < 0.7:
                keywords[name] = value
        elif parameter.kind is parameter.VAR_KEYWORD:
            if rng.random() < 0.3:
                keywords["nonsense"] = value
        elif rng.random() < 0.9:
            positional.append(value)
    return positional, keywords


REFUSALS = (TypeError, ValueError, LocalProtocolError, TelnyxClientError, OSError, LookupError, TimeoutError)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(2))
async def test_no_junk_given_to_any_public_method_costs_the_call(
    make_client: MakeClient, world: World, seed: int, faults: list[object], tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        called: set[str] = set()
        for owner in (client, call, call.audio, call.audio_out):
            for name, method in methods(owner):
                for _ in range(6):
                    positional, keywords = given_to(method, rng)
                    called.add(name)
                    with anyio.move_on_after(1):
                        try:
                            result = method(*positional, **keywords)
                            if inspect.isawaitable(result):
                                await result
                        except REFUSALS:
                            pass
                    if not call.live:
                        pytest.fail(f"{name}({positional}, {keywords}) ended the call")
        assert len(called) > 40
        # Whatever was accepted by chance, such as a handler, shall not be in the way of what follows.
        other = await client.new_call("+1666", on_notification=lambda event: None)
        await other.wait_for_state("active", timeout=5)
        assert driver_of(client).failure is None
        assert client.state is SessionState.READY
        assert call.live
        before = len(world.server.received)
        assert await call.hold() in (True, False)
        assert len(world.server.received) > before


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "arguments", "hint"),
    [
        ("play", (bytes(640),), "audio_out.write(pcm, sample_rate=...)"),
        ("play", (np.zeros(160, np.int16),), "audio_out.write(pcm, sample_rate=...)"),
        ("play", ([bytes(640)],), "yields AudioFrame, not bytes"),
        ("play", ((bytes(640), FRAME),), "yields AudioFrame, not bytes"),
        ("play", ([],), "holds no AudioFrame"),
        ("play", (None,), "not None"),
        ("play", (5,), "not int"),
        ("play", ({"a": 1},), "not dict"),
        ("message", (1, 2), "to must be a number or an address, not int"),
        ("hangup", (5, "x"), "cause must be"),
        ("hangup", ("USER_BUSY", "x"), "cause_code must be a whole number"),
        ("dtmf", (5,), "digits must be"),
        ("dtmf", ("",), "digits must be"),
        ("send_conversation_message", ("x", "http://one.url"), "attachments must be a list"),
        ("set_audio_out_device", (5,), "device_id must be"),
        ("record", (5,), "path must be a path"),
        ("record", ("a\0b",), "null"),
        ("wait_for_state", ("nope",), "nope"),
        ("wait_for_state", ("active", "5"), "timeout must be a number of seconds"),
        ("wait_for_state", ("active", LONGEST_WAIT * 2), "milliseconds"),
        ("answer", ({"X-A": "b"},), "custom_headers must be a list"),
    ],
)
async def test_a_refusal_says_what_to_give(
    make_client: MakeClient, world: World, method: str, arguments: tuple[Any, ...], hint: str
) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")

        def said() -> list[str]:
            # A virtual clock runs on while a thread fetches a first frame: keepalives come and go.
            return [method for method in world.server.methods() if method not in ("", "telnyx_rtc.ping")]

        before = said()
        with pytest.raises((TypeError, ValueError), match=re.escape(hint)):
            await getattr(call, method)(*arguments)
        assert said() == before, "nothing reaches the wire"
        assert call.live


@pytest.mark.anyio
async def test_iterators_of_frames_are_played(make_client: MakeClient) -> None:
    async def frames() -> AsyncIterator[AudioFrame]:
        yield FRAME

    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        for what in ([FRAME] * 2, iter([FRAME]), (each for each in [FRAME]), frames()):
            playback = await call.play(what)
            while not playback.ended:
                await anyio.sleep(0.01)
                call.audio.pull(16_000)
            assert playback.error is None


@pytest.mark.anyio
@pytest.mark.parametrize("error", [BaseException("no Exception"), GeneratorExit()], ids=["base", "exit"])
async def test_an_iterator_that_raises_what_is_no_exception_ends_its_playing_alone(
    make_client: MakeClient, faults: list[object], error: BaseException
) -> None:
    """On trio it ended the program with an internal error."""

    async def frames() -> AsyncIterator[AudioFrame]:
        yield FRAME
        raise error

    async with make_client() as client:
        call = await client.new_call("+1555")
        await call.wait_for_state("active")
        playback = await call.play(frames())
        while not playback.ended:
            await anyio.sleep(0.01)
            call.audio.pull(16_000)
        assert isinstance(playback.error, Exception)
        assert call.live
        assert driver_of(client).failure is None


CLIENTS = [telnyx_drivers.asyncio.TelnyxRTC, telnyx_drivers.trio.TelnyxRTC, telnyx_drivers.sync.TelnyxRTC]


@pytest.mark.parametrize("kind", CLIENTS, ids=["asyncio", "trio", "sync"])
@pytest.mark.parametrize(
    ("arguments", "keywords", "hint"),
    [
        (({"login_token": "t"},), {}, "TelnyxRTC.from_mapping({...})"),
        ((), {"login_token": "t", "enableCallReports": True}, "did you mean enable_call_reports=?"),
        ((), {"login_token": "t", "enable_call_report": True}, "did you mean enable_call_reports=?"),
        ((), {"login_token": "t", "call_report_interval": 3000}, "milliseconds"),
        ((), {"login_token": "t", "media_permissions_recovery": {"timeout": 20000}}, "milliseconds"),
        ((), {"login_token": "t", "media_permissions_recovery": {"timeout": 2500}}, "milliseconds"),
        ((), {"login_token": "t", "call_report_flush_interval": 180_000}, "milliseconds"),
        ((), {"login_token": "t", "connect_timeout": 60_000}, "milliseconds"),
        ((), {"login_token": "t", "store": "file.json"}, "FileStore"),
        ((), {"login_token": "t", "token_provider": "token"}, "function"),
        ((), {"login_token": "t", "rng": 5}, "random.Random"),
        ((), {"login_token": "t", "ssl": True}, "SSLContext"),
        ((), {"login_token": "t", "journal": 5}, "path"),
    ],
)
def test_a_client_that_is_made_wrongly_says_how(
    kind: type[Any], arguments: tuple[Any, ...], keywords: dict[str, Any], hint: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(hint)):
        kind(*arguments, **keywords)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_check_refuses_with_a_type_or_a_value_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ARGUMENTS)))
    value = data.draw(
        st.sampled_from(junk()) | st.text() | st.floats() | st.integers() | st.lists(st.text() | st.none())
    )
    with contextlib.suppress(TypeError, ValueError):
        ARGUMENTS[name](name, value)


def test_every_public_parameter_is_in_the_table() -> None:
    ours = {"self", "keywords", "kind", "limit", "decline"}
    for owner in (Client, CallHandle, Emits):
        for name, member in vars(owner).items():
            if name.startswith("_") or name in _FOR_EACH_OTHER | {"from_mapping"} or not callable(member):
                continue
            for parameter in inspect.signature(member).parameters:
                if parameter not in ours | {"destination"}:
                    assert parameter in ARGUMENTS, (owner, name)
                    assert hasattr(member, "__wrapped__"), f"{name} is not checked"
