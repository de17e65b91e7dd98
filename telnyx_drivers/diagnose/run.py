"""The diagnosis itself: from the server's name to a call with an echo, one step after the other.

A bad network raises nothing: it is what the report is about (DIAG-010). `asyncio` only, as real media needs it.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.resources import as_file
from pathlib import Path
from typing import Final

from attrs import define, evolve, field

from telnyx_core._options.call import CallOptions
from telnyx_core._quality.establishment_marks import Mark
from telnyx_core._signalling.ice_servers import ice_servers_for
from telnyx_core._signalling.url import build_url
from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.errors import LocalProtocolError, TelnyxError
from telnyx_core.events import Event, StatsReport
from telnyx_core.stats.timings import EstablishmentTimings
from telnyx_drivers._assets import HELLO
from telnyx_drivers._asyncio import TelnyxRTC
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._emitter import EventStream
from telnyx_drivers._exceptions import CallEnded, ConnectionFailed, LoginFailed, TelnyxClientError
from telnyx_drivers._webrtc.ice_plan import Server
from telnyx_drivers.diagnose import probes, verdict
from telnyx_drivers.diagnose.findings import IceFindings, NetworkFindings, Probe, milliseconds
from telnyx_drivers.diagnose.observed import Observed
from telnyx_drivers.diagnose.report import Echo, Listener, Plan, Report
from telnyx_drivers.diagnose.verdict import Judgement

ESTABLISHED_WITHIN: Final = 30.0
"""Seconds for the test call (DIAG-021)."""
LOGGED_IN_WITHIN: Final = 20.0
SAMPLE_SECONDS: Final = 1.0
"""Between two readings of the call (DIAG-023)."""
ECHO: Final = 0.5
"""Correlation from which on what came back is an echo."""


async def diagnose(plan: Plan, listener: Listener) -> Report:
    """Check everything and give the verdicts. If this is cancelled, a call in progress is hung up."""
    began = time.perf_counter()
    run = _Run(plan, listener)
    await run.everything()
    run.timings["totalMs"] = milliseconds(time.perf_counter() - began)
    return Report(
        judgement=verdict.combine(run.judgements),
        names=run.names,
        signaling=run.signaling,
        registered=run.registered,
        servers=tuple(run.servers),
        ice=run.ice,
        network=run.network,
        echo=run.echo,
        call=run.call,
        timings=run.timings,
    )


@define(eq=False)
class _Run:
    plan: Plan
    listener: Listener
    judgements: list[Judgement] = field(factory=list[Judgement])
    names: probes.Names | None = None
    signaling: Probe | None = None
    registered: float | None = None
    servers: list[Probe] = field(factory=list[Probe])
    observed: Observed = field(factory=Observed)
    ice: IceFindings | None = None
    network: NetworkFindings | None = None
    echo: Echo | None = None
    call: str | None = None
    timings: JsonObject = field(factory=dict[str, Json])

    async def everything(self) -> None:
        if not await self._reach() or not self.plan.log_in:
            await self._try_servers(alone=True)
            return
        try:
            async with self._registered() as client:
                await self._try_servers(alone=False)
                await self._call(client)
        except (LoginFailed, ConnectionFailed) as error:
            reason = _worded(error)
            self.listener.done("Login", ok=False, detail=reason)
            self.judgements.append(verdict.of_signaling(self.signaling, reason))
            await self._try_servers(alone=True)

    # The signalling server.

    async def _reach(self) -> bool:
        """Whether the server can be reached."""
        url = build_url(self.plan.options, voice_sdk_id=None, first_canary=True, skip_last=False).url
        self.listener.begins("Looking up the server's name")
        names = self.names = await probes.look_up(url)
        shown = names.error or f"{', '.join(names.addresses)}, {_ms(names.seconds)}"
        if names.addresses == (names.host,):
            shown = "an address, no name"
        self.listener.done(f"DNS: {names.host}", ok=names.error is None, detail=shown)
        if names.error is not None:
            note = verdict.Note("signaling_dns_failed", f"{names.host}: {names.error}.", "signaling")
            self.judgements.append(Judgement("blocked", (note,)))
            return False
        self.listener.begins("Opening a WebSocket")
        probe = self.signaling = await probes.try_websocket(url, self.plan.tls)
        self.listener.done(f"WebSocket: port {probe.port}", ok=probe.ok, detail=probe.error or _ms(probe.seconds))
        if not probe.ok or not self.plan.log_in:
            self.judgements.append(verdict.of_signaling(probe))
        return probe.ok

    @asynccontextmanager
    async def _registered(self) -> AsyncGenerator[TelnyxRTC, None]:
        options = evolve(self.plan.options, call_report_interval=SAMPLE_SECONDS, prefetch_ice_candidates=False)
        client = TelnyxRTC(options, engine=self.observed.engine, ssl=self.plan.tls, connect_timeout=LOGGED_IN_WITHIN)
        self.listener.begins("Logging in")
        began = time.perf_counter()
        async with client:
            self.registered = time.perf_counter() - began
            facts = [part for part in (client.region, client.dc) if part]
            self.listener.done("Login: registered", detail=", ".join([*facts, _ms(self.registered)]))
            self.judgements.append(verdict.of_signaling(self.signaling))
            yield client

    # STUN and TURN.

    async def _try_servers(self, *, alone: bool) -> None:
        found = probes.servers_of(ice_servers_for(self.plan.options, CallOptions()))
        if not found:
            return
        self.listener.begins(f"Trying {len(found)} STUN and TURN servers")
        few = asyncio.Semaphore(probes.AT_ONCE)

        async def attempt(server: Server) -> Probe:
            async with few:
                return await probes.try_server(server, self.plan.tls)

        async with asyncio.TaskGroup() as group:
            for trying in [group.create_task(attempt(server)) for server in found]:
                probe = await trying
                self.servers.append(probe)
                shown = probe.error or f"{probe.address}, {_ms(probe.seconds)}"
                self.listener.done(probe.url, ok=probe.ok, detail=shown)
        self.judgements.append(verdict.of_servers(self.servers, alone=alone))

    # The test call.

    async def _call(self, client: TelnyxRTC) -> None:
        self.listener.begins(f"Calling {self.plan.destination}")
        began = time.perf_counter()
        try:
            call = await client.new_call(self.plan.destination, caller_number=self.plan.caller_number)
        except LocalProtocolError as error:
            self._not_established(str(error))
            return
        self.call = call.id
        events = call.events()
        failure = await self._established(call)
        if failure is None:
            self.timings["establishedMs"] = milliseconds(time.perf_counter() - began)
            took = _ms(time.perf_counter() - began)
            self.listener.done("Call: established", detail=", ".join(filter(None, (took, call.info.node))))
            await self._converse(call)
        await call.hangup()
        urls = tuple(server.url for server in probes.servers_of(ice_servers_for(client.options, CallOptions())))
        self.ice = self.observed.ice(urls, forced_relay=client.options.force_relay_candidate)
        if failure is None or self.observed.ice_state != "new":  # else the far end did not let it come to that
            answering = {probe.url for probe in self.servers if probe.ok}
            self.judgements.append(verdict.of_ice(self.ice, answering))
        if failure is not None:
            self._not_established(failure or None)
        await self._take_timings(events)

    async def _established(self, call: CallHandle) -> str | None:
        """``None`` when it is; else the reason, empty when it is unknown."""
        try:
            async with asyncio.timeout(ESTABLISHED_WITHIN):
                await call.wait_for_state("active")
                await self.observed.connected.wait()
        except TimeoutError:
            return "" if call.error is None else _sentence(call.error)
        except CallEnded as error:
            return _worded(error)
        return None

    def _not_established(self, failure: str | None) -> None:
        self.listener.done("Call", ok=False, detail=failure or f"not established within {ESTABLISHED_WITHIN:g} s")
        # What has worked so far is no reason to call the whole ready (DIAG-400).
        self.judgements = [evolve(part, verdict=None) if part.verdict == "ready" else part for part in self.judgements]
        self.judgements.append(verdict.not_established(failure))

    async def _converse(self, call: CallHandle) -> None:
        """Say a sentence, and read the line's figures meanwhile."""
        self.listener.begins(f"Talking to the far end for {self.plan.seconds:g} s")
        self.observed.samples.clear()
        with tempfile.TemporaryDirectory() as folder, as_file(HELLO) as hello:
            recording = await call.record(Path(folder) / "call.wav")
            playback = await call.play(hello)
            with contextlib.suppress(TimeoutError):
                await call.wait_ended(self.plan.seconds)
            playback.stop()
            await recording.stop()
            self.echo = await asyncio.to_thread(_measure_echo, hello, Path(folder) / "call.wav")
        self.network = NetworkFindings.of(self.observed.samples)
        self.judgements.append(verdict.of_network(self.network))
        self.listener.done(f"Quality: {verdict.quality(self.network)}", detail=_figures(self.network))
        if self.echo is not None:
            text = f"Echo: {100 * self.echo.correlation:.0f} % like what was said"
            self.listener.done(text, detail=f"{_ms(self.echo.delay)} later")

    async def _take_timings(self, events: EventStream[Event]) -> None:
        async for event in events:
            if isinstance(event, StatsReport) and event.establishment is not None:
                self.timings |= _timings(event.establishment)


def _worded(error: TelnyxClientError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}." if error.error is None else _sentence(error.error)


def _sentence(error: TelnyxError) -> str:
    """The catalogue's, with what was behind it this time."""
    return error.message if error.original is None else f"{error.message.rstrip('.')}: {error.original.text}."


def _timings(establishment: EstablishmentTimings) -> JsonObject:
    """The figures that the platform's diagnosis has too, and all others."""
    at = {step.label: step.from_start for step in establishment.steps}
    began = at.get(Mark.GATHERING_STARTED.value)
    timings: JsonObject = {"callEstablishment": establishment.record()}
    for name, mark in (
        ("iceGatheringMs", Mark.GATHERING_COMPLETED),
        ("firstNonHostCandidateMs", Mark.FIRST_NON_HOST_CANDIDATE),
    ):
        reached = at.get(mark.value)
        if began is not None and reached is not None and reached >= began:
            timings[name] = round(reached - began, 1)
    return timings


def _measure_echo(hello: Path, recording: Path) -> Echo | None:
    from telnyx_drivers.diagnose.echo import measure_echo, read_wav

    try:
        found = measure_echo(read_wav(hello)[1][:, 0], recording)
    except ValueError:
        return None  # nothing was recorded
    return Echo(delay=found.delay, correlation=found.correlation) if found.correlation >= ECHO else None


def _figures(network: NetworkFindings) -> str:
    texts = [
        None if network.rtt is None else f"round trip {_ms(network.rtt.average)}",
        None if network.jitter is None else f"jitter {_ms(network.jitter.average)}",
        None if network.loss is None else f"loss {100 * network.loss:.1f} %",
        None if network.mos is None else f"MOS {network.mos:.1f}",
    ]
    return ", ".join(filter(None, texts)) or "no figures"


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.{1 if seconds < 0.01 else 0}f} ms"
