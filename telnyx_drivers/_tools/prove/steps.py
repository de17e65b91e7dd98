"""The test calls, one function for each step. What happens to them is evidence, and raises nothing."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import as_file
from pathlib import Path
from typing import Final, TypeAlias

from attrs import define, evolve, field

from telnyx_core._signalling.ice_servers import TELNYX_TURN_UDP_3478
from telnyx_core._wire.json_types import Json
from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import DigitReceived
from telnyx_core.options import CallOptions, ClientOptions, Codec, CustomHeader, IceServer
from telnyx_drivers._assets import HELLO
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._exceptions import TelnyxClientError
from telnyx_drivers._tools.prove.delays import delays_of
from telnyx_drivers._tools.prove.evidence import Evidence, Step, read_session
from telnyx_drivers._tools.prove.plan import CODECS, Plan
from telnyx_drivers._tools.prove.prober import Prober
from telnyx_drivers._webrtc.ice_plan import Server
from telnyx_drivers.diagnose import probes
from telnyx_drivers.diagnose.echo import measure_echo, read_wav
from telnyx_drivers.diagnose.findings import Probe, milliseconds

HEADER: Final = "X-Telnyx-Rtc-Prove"
ECHO: Final = 0.5
"""Correlation from which on what came back is an echo."""
GONE: Final = "turns:turn2.telnyx.com:443"
"""A relay that was announced to be switched off."""
_LOGGED_IN_WITHIN: Final = 20.0
_ANSWERED_WITHIN: Final = 30.0
_HEARD_WITHIN: Final = 8.0
"""Seconds from the answer to the first audio: more than ICE and DTLS take on any line that is of use."""
_BACK_WITHIN: Final = 25.0
"""Seconds until a call whose socket was lost must be active again."""
_SOME: Final = 10
"""Frames of 20 ms that must arrive before audio counts as heard."""
_BRIEFLY: Final = 2.0
_CODECS: Final[Mapping[str, Codec]] = {
    "opus": Codec("audio/opus", 48_000, 2),
    "G722": Codec("audio/G722", 8_000),  # 8000 by an old error of the registry (RFC 3551 section 4.5.2)
    "PCMU": Codec("audio/PCMU", 8_000),
    "PCMA": Codec("audio/PCMA", 8_000),
}


class _NotSo(Exception):  # no error: it is the result of the step
    """The step cannot go on; the text says why."""


@define(eq=False)
class _Run:
    """One step while it runs."""

    plan: Plan
    step: Step
    folder: Path
    """Where the journals go."""
    seen: dict[str, Json] = field(factory=dict[str, Json])
    probes: list[Probe] = field(factory=list[Probe])
    journals: list[Path] = field(factory=list[Path])
    calls: int = 0

    @asynccontextmanager
    async def client(self, name: str = "", options: ClientOptions | None = None) -> AsyncGenerator[Prober, None]:
        """Registered, with a journal of its own. Raises `_NotSo`."""
        journal = self.folder / f"journal-{self.step}{name and '-'}{name}.jsonl"
        self.journals.append(journal)
        async with AsyncExitStack() as stack:
            client = Prober(
                options or self.plan.options, ssl=self.plan.tls, connect_timeout=_LOGGED_IN_WITHIN, journal=journal
            )
            try:
                await stack.enter_async_context(client)
            except TelnyxClientError as error:
                raise _NotSo(f"the login failed: {error}") from error
            yield client

    @asynccontextmanager
    async def call(self, client: Prober, options: CallOptions | None = None) -> AsyncGenerator[CallHandle, None]:
        """A call that is active, and is hung up on the way out. Raises `_NotSo`."""
        wanted = options or CallOptions()
        if not wanted.destination_number:
            wanted = evolve(wanted, destination_number=self.plan.destination)
        self.calls += 1
        try:
            call = await client.new_call(evolve(wanted, caller_number=self.plan.caller_number))
        except LocalProtocolError as error:
            raise _NotSo(str(error)) from error
        try:
            await call.wait_for_state("active", timeout=_ANSWERED_WITHIN)
            yield call
        except TimeoutError:
            raise _NotSo(f"the call is {call.state.value} and nothing more came of it") from None
        except (TelnyxClientError, LocalProtocolError) as error:
            raise _NotSo(str(error)) from error
        finally:
            await call.hangup()


async def carry_out(plan: Plan, step: Step, folder: Path) -> Evidence:
    """Ask one step's questions. The journals of its sessions go into ``folder``."""
    run = _Run(plan, step, folder)
    began = time.perf_counter()
    failure = None
    try:
        await _STEPS[step](run)
    except _NotSo as reason:
        failure = str(reason)
    return Evidence(
        step=step,
        failure=failure,
        seconds=time.perf_counter() - began,
        calls=run.calls,
        sessions=tuple(read_session(journal) for journal in run.journals),
        journals=tuple(run.journals),
        probes=tuple(run.probes),
        seen=run.seen,
    )


async def _servers(run: _Run) -> None:
    """Every STUN and TURN server by itself."""
    servers: list[Server] = list(run.plan.servers)
    if run.plan.by_default:
        servers += probes.servers_of([evolve(TELNYX_TURN_UDP_3478, urls=(GONE,))])
    few = asyncio.Semaphore(probes.AT_ONCE)

    async def attempt(server: Server) -> None:
        async with few:
            run.probes.append(await probes.try_server(server, run.plan.tls))

    async with asyncio.TaskGroup() as group:
        for server in dict.fromkeys(servers):
            group.create_task(attempt(server))


async def _talk(run: _Run) -> None:
    """One call in which everything is done once: hold at once, audio both ways, keys, hold again."""
    headers = CallOptions(custom_headers=(CustomHeader(HEADER, "outward"),))
    async with run.client() as client:
        run.seen |= {"region": client.region, "dc": client.dc}
        async with run.call(client, headers) as call:
            if await call.hold():
                await call.unhold()
            run.seen["heard"] = await _heard(call)
            run.seen["echo"] = await _echo(call)
            await call.dtmf("1")
            run.seen["digits_reply"] = await client.press("1w2")
            with _noted(run, "digits_in_rtp"):
                await call.dtmf("2", via="rtp")
                run.seen["digits_in_rtp"] = True
            run.seen["hold"] = await call.hold()
            run.seen["unhold"] = await call.unhold()


async def _codecs(run: _Run) -> None:
    """Each codec, offered alone."""
    async with run.client() as client:
        for name in CODECS:
            options = CallOptions(preferred_codecs=(_CODECS[name],))
            with _noted(run, name):
                async with run.call(client, options) as call:
                    run.seen[name] = await _heard(call)


async def _relay(run: _Run) -> None:
    """Audio through each TURN server, and nothing else."""
    async with run.client() as client:
        for server in run.plan.relays:
            alone = IceServer(server.url, server.username, server.credential)
            with _noted(run, server.url):
                async with run.call(client, CallOptions(ice_servers=(alone,), force_relay_candidate=True)) as call:
                    run.seen[server.url] = await _heard(call)


async def _drop(run: _Run) -> None:
    """A socket that is lost in a call."""
    async with run.client() as client, run.call(client) as call:
        run.seen["heard_before"] = await _heard(call)
        began = time.perf_counter()
        client.drop()
        await _recovered(call)
        run.seen["back_ms"] = milliseconds(time.perf_counter() - began)
        run.seen["heard_after"] = await _heard(call)


async def _away(run: _Run) -> None:
    """No socket for a long while: does the server still have the call?"""
    options = evolve(run.plan.options, max_reconnect_attempts=0)
    async with run.client(options=options) as client, run.call(client) as call:
        run.seen["heard_before"] = await _heard(call)
        client.stay_away()
        await asyncio.sleep(run.plan.away_seconds)
        began = time.perf_counter()
        client.come_back()
        await _recovered(call)
        run.seen["back_ms"] = milliseconds(time.perf_counter() - began)
        run.seen["heard_after"] = await _heard(call)


async def _back(run: _Run) -> None:
    """A number that rings this very user: both legs are at hand."""
    assert run.plan.back is not None, "the step is for plans with such a number"
    digits: dict[str, str] = {"caller": "", "callee": ""}
    headers = (CustomHeader(HEADER, "inward"),)
    async with run.client("caller") as caller, run.client("callee") as callee:
        answering = asyncio.create_task(_answer(caller, callee))
        try:
            options = CallOptions(destination_number=run.plan.back, custom_headers=headers)
            async with run.call(caller, options) as call:
                inward = await answering
                if inward is None:
                    raise _NotSo("the call was answered by somebody else")

                def heard(event: DigitReceived) -> None:
                    digits["caller" if event.call == call.id else "callee"] += event.digit

                for client in (caller, callee):
                    client.on(DigitReceived, heard)
                run.seen["caller_heard"] = await _heard(call)
                run.seen["callee_heard"] = await _heard(inward)
                await call.dtmf("5")
                await inward.dtmf("7")
                await asyncio.sleep(_BRIEFLY)
                run.seen["digits_that_came"] = {**digits}
                await inward.hangup()
        finally:
            answering.cancel()


async def _answer(*clients: Prober) -> CallHandle | None:
    """The first call that rings at one of them, answered; ``None`` when none does."""

    async def one(client: Prober) -> CallHandle | None:
        async for call in client.incoming():
            await call.answer()
            return call
        return None

    waiting = [asyncio.create_task(one(client)) for client in clients]
    try:
        done, _ = await asyncio.wait(waiting, timeout=_ANSWERED_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result() if done else None
    finally:
        for task in waiting:
            task.cancel()


async def _drift(run: _Run) -> None:
    """Does the echo's delay grow? Two clocks that differ show after minutes only."""
    async with run.client() as client, run.call(client) as call:
        run.seen["heard"] = await _heard(call)
        with tempfile.TemporaryDirectory() as folder, as_file(HELLO) as hello:
            path = Path(folder) / "call.wav"
            recording = await call.record(path)
            playback = await call.play(hello, loop=True)
            with contextlib.suppress(TimeoutError):
                await call.wait_ended(run.plan.drift_seconds)
            playback.stop()
            await recording.stop()
            drift = await asyncio.to_thread(delays_of, path)
        if drift is None:
            raise _NotSo("what was said did not come back: the far end is no echo")
        run.seen |= {
            "pieces": len(drift.delays),
            "drift_ppm": round(1e6 * drift.rate, 1),
            "delay_ms": milliseconds(drift.delays[0].seconds),
            "delay_spread_ms": milliseconds(drift.spread),
        }


async def _heard(call: CallHandle) -> bool:
    """Whether audio comes from now on, waiting for the first of it."""
    frames = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HEARD_WITHIN):
            async for _ in call.audio_in():
                frames += 1
                if frames == _SOME:
                    return True
    return False


async def _recovered(call: CallHandle) -> None:
    """Until the call is active on another socket. Raises ``TimeoutError``, or `CallEnded`."""
    async with asyncio.timeout(_BACK_WITHIN):
        await call.wait_for_state("recovering")
        await call.wait_for_state("active")


async def _echo(call: CallHandle) -> Json:
    """Say a sentence; how much later it came back, and how like it was. ``None``: no echo."""
    with tempfile.TemporaryDirectory() as folder, as_file(HELLO) as hello:
        path = Path(folder) / "call.wav"
        recording = await call.record(path)
        playback = await call.play(hello)
        await playback.wait()
        with contextlib.suppress(TimeoutError):
            await call.wait_ended(1.0)
        await recording.stop()
        try:
            found = await asyncio.to_thread(measure_echo, read_wav(hello)[1][:, 0], path)
        except ValueError:
            return None  # nothing was recorded
    if found.correlation < ECHO:
        return None
    return {"delay_ms": milliseconds(found.delay), "correlation": round(found.correlation, 3)}


@contextlib.contextmanager
def _noted(run: _Run, name: str) -> Generator[None, None, None]:
    """Note why one of several things could not be done: that is its result."""
    try:
        yield
    except (_NotSo, TelnyxClientError) as reason:
        run.seen[name] = str(reason)


_Carry: TypeAlias = Callable[[_Run], Awaitable[None]]
_STEPS: Final[Mapping[Step, _Carry]] = {
    "servers": _servers,
    "talk": _talk,
    "codecs": _codecs,
    "relay": _relay,
    "drop": _drop,
    "away": _away,
    "back": _back,
    "drift": _drift,
}
