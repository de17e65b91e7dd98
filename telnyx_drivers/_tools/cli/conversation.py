"""One call from the command line, from its creation to its end: what is played, recorded, shown and counted."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import asdict, field, frozen
from rich.live import Live

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.actions import DigitsVia
from telnyx_core.catalogue import ErrorCode
from telnyx_core.errors import InvalidCallState
from telnyx_core.events import DigitReceived, ErrorRaised, Event, StatsReport, WarningRaised
from telnyx_core.states import CallState
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._emitter import EventStream
from telnyx_drivers._exceptions import CallFailed, UnplayableAudio
from telnyx_drivers._tools.cli.checks import Checks, Loudness, name_of_code
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.timeline import Timeline, milliseconds

if TYPE_CHECKING:
    from telnyx_drivers._audio.player import Playback
    from telnyx_drivers._audio.turns import Turn
    from telnyx_drivers._webrtc.call_audio import CallAudio


@frozen(kw_only=True)
class Plan:
    """What to do in a call once it is active."""

    digits: str | None = None
    digits_via: DigitsVia = "info"
    play: "str | os.PathLike[str] | None" = None
    lead: float = 0.0
    """Seconds to wait before the first word, in which jitter buffers find their length."""
    tail: float = 0.0
    """Seconds to keep listening after the last word."""
    record: Path | None = None
    capture: Path | None = None
    """Where the packets go, decrypted."""
    duration: float | None = None
    """Seconds after which to hang up; ``None``: after playing, or when the other side does."""
    decline: str | None = None
    """The cause with which a call is refused instead of all this."""
    checks: Checks = field(factory=Checks)
    voiceless: bool = False
    """What is said may be in writing alone: silence is no fault."""


class Conversation:
    """Carries out a `Plan` on one call, an outbound one just made or an inbound one that rings.

    With a ``label`` before every line it is one of several side by side, and draws nothing.
    """

    def __init__(self, call: CallHandle, plan: Plan, output: Output, far_end: str, *, label: str = "") -> None:
        self.call = call
        self.label = label
        self.timeline = Timeline(call.id)
        self.digits = ""
        """Pressed by the other side."""
        self.report: StatsReport | None = None
        """The call's quality, once it has ended."""
        self.faults: list[str] = []
        """What went wrong, in whole sentences."""
        self.codes: set[int] = set()
        """Codes of the errors and warnings that were raised."""
        self._watcher = asyncio.create_task(self._watch(call.events()))
        self._plan = plan
        self._output = output
        self._far_end = far_end
        self._audio: CallAudio | None = None
        self._loudness = Loudness()
        self._judged = False
        self._played: float | None = None
        self.recording: Path | None = None
        """Where the call is recorded, once it is."""
        self._left = False

    async def run(self, *, timeout: float | None) -> None:
        """Wait up to ``timeout`` seconds for the call to be active, do what the plan says, and hang up.

        Raises `CallFailed` when it does not come about.
        """
        if self.declined:
            await self.call.hangup(self._plan.decline)
            return
        await self._be_active(timeout)
        await self._talk()

    async def finish(self) -> None:
        """Once the call is over, by `run` or because the client was closed: until its last events are noted."""
        await asyncio.gather(self._watcher, return_exceptions=True)
        if self.call.info.answered and not self._judged:
            self._judged = True
            self.faults += self._judge()

    def _judge(self) -> list[str]:
        """Check the result against the plan, once the call is over."""
        checks, report, setup = self._plan.checks, self.report, self.timeline.setup
        faults: list[str] = []
        if checks.max_setup is not None and (setup is None or setup > checks.max_setup):
            took = "nobody knows how long" if setup is None else f"{1000 * setup:.0f} ms"
            faults.append(f"The call was set up in {took}, not within {1000 * checks.max_setup:.0f} ms.")
        if checks.min_mos is not None:
            mos = None if report is None else report.average_mos
            if mos is None:
                faults.append("The quality is not known: the call was too short, or without statistics.")
            elif mos < checks.min_mos:
                faults.append(f"The quality (MOS) was {mos:.2f}, not {checks.min_mos:g} or better.")
        told = self.codes | {each.code for each in (() if report is None else report.warnings)}
        faults += [f"{code} {name_of_code(code)} was told." for code in sorted(told & checks.fail_on)]
        return faults

    @property
    def _dead_air(self) -> list[Json]:
        """The directions in which nothing audible passed."""
        passed = {"sent": self._loudness.sent_anything, "received": self._loudness.heard_anything}
        return [direction for direction, anything in passed.items() if self._audio is not None and not anything]

    @property
    def given_up(self) -> bool:
        """The caller hung up before the call was active, and no fault on this side was the reason.

        Known when the call is over and `finish` has returned.
        """
        return self._left and not self.call.info.answered and self.codes.isdisjoint(ErrorCode)

    @property
    def declined(self) -> bool:
        """By the plan; whether the caller has heard so is another question."""
        return self._plan.decline is not None

    @property
    def status(self) -> Exit:
        if self.given_up or self.declined:
            return Exit.OK
        if not self.call.info.answered:
            return Exit.FAILED
        return Exit.DEGRADED if self.faults else Exit.OK

    @property
    def turns(self) -> "tuple[Turn, ...]":
        """Who spoke when, as far as there was audio."""
        return () if self._audio is None else self._audio.turns.so_far

    @property
    def packets(self) -> tuple[int, int] | None:
        """Sent and received. Frames of 20 ms, one to a packet, where the call had no statistics; ``None``: no media."""
        report = self.report
        if report is not None and report.packets_sent is not None and report.packets_received is not None:
            return report.packets_sent, report.packets_received
        return None if self._audio is None else (self._audio.counts.sent, self._audio.counts.heard)

    def document(self) -> JsonObject:
        info, ended, report = self.call.info, self.call.ended, self.report
        sent, received = self.packets or (None, None)
        faults: list[Json] = [*self.faults]
        hangup: Json = None
        if ended is not None:
            hangup = {
                "cause": ended.cause,
                "cause_code": ended.cause_code,
                "sip_code": ended.sip_code,
                "sip_reason": ended.sip_reason,
            }
        talked = self.timeline.talked
        return {
            "call_id": info.id,
            "direction": info.direction,
            "far_end": info.destination_number if info.direction == "outbound" else info.remote_caller_number,
            "answered": info.answered,
            "setup_ms": milliseconds(self.timeline.setup),
            "first_audio_ms": milliseconds(self.timeline.first_audio),
            "talked_seconds": None if talked is None else round(talked, 2),
            "played_seconds": self._played,
            "recording": None if self.recording is None else str(self.recording),
            "dead_air": self._dead_air,
            "digits_heard": self.digits,
            "packets_sent": sent,
            "packets_received": received,
            "mos": None if report is None else _rounded(report.average_mos),
            "packet_loss_percent": None if report is None else _rounded(report.average_packet_loss),
            "jitter_ms": None if report is None else _rounded(report.average_jitter),
            "rtt_ms": None if report is None else _rounded(report.average_rtt),
            "warnings": [] if report is None else [each.name for each in report.warnings],
            "turns": [
                {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(turn).items()}
                for turn in self.turns
            ],
            "faults": faults,
            "hangup": hangup,
        }

    async def _watch(self, events: EventStream[Event]) -> None:
        clock = asyncio.get_running_loop().time
        async for event in events:
            match self.timeline.note(event, clock()):
                case CallState.RINGING:
                    self._done("Ringing")
                case CallState.EARLY:
                    self._done("Early media")
                case CallState.ACTIVE:
                    setup = self.timeline.setup
                    self._done("Active" if setup is None else f"Active [dim]after {1000 * setup:.0f} ms[/]")
                case CallState.RECOVERING:
                    self._output.warn(f"{self.label}The connection is lost; the call is being recovered.")
                case _:
                    pass
            match event:
                case DigitReceived(digit=digit):
                    self.digits += digit
                    self._done(f"Pressed {clean(digit)}")
                case StatsReport():
                    self.report = event
                case ErrorRaised() | WarningRaised():
                    self.note_code(event)
                case _:
                    pass

    def note_code(self, event: ErrorRaised | WarningRaised) -> None:
        """Of this call, or of the session as a whole."""
        self.codes.add(event.code)

    def _done(self, text: str) -> None:
        self._output.done(clean(self.label) + text)

    async def _be_active(self, timeout: float | None) -> None:
        try:
            with contextlib.nullcontext() if self.label else self._output.working(f"Calling {self._far_end}"):
                if self.call.direction == "inbound" and self.call.state is CallState.RINGING:
                    await self.call.answer()
                await self.call.wait_for_state("active", timeout=timeout)
        except TimeoutError:
            await self.call.hangup(cause="NO_ANSWER")
            raise CallFailed(f"the call was not active within {timeout:g} seconds") from None
        except (CallFailed, InvalidCallState):
            self._left = self.call.direction == "inbound" and not self.call.live
            raise

    async def _talk(self) -> None:
        plan, call = self._plan, self.call
        self._audio = audio = call.audio
        audio.add_tap(self._loudness)
        _ = audio.turns  # from the first word on
        recording = None
        if plan.record is not None:
            recording = await call.record(plan.record)
            self.recording = plan.record
        capture = None if plan.capture is None else await call.capture(plan.capture)
        async with self._shown(audio):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(plan.duration):
                    if plan.digits is not None:
                        await call.dtmf(plan.digits, via=plan.digits_via)
                    if plan.play is not None:
                        await self._say(plan.play)
                    if plan.play is None or plan.duration is not None:
                        await call.wait_ended()
            await call.hangup()
        for file in (recording, capture):
            if file is not None:
                try:
                    await file.stop()
                except OSError as error:
                    self.faults.append(f"{file.path} is not whole: {error.strerror or error}.")
        self._listen_back(audio)

    def _listen_back(self, audio: "CallAudio") -> None:
        """Report silence as a fault, unless something was played to a far end that only listens."""
        loudness = self._loudness
        if self._plan.voiceless:
            return
        if self._plan.play is not None and not self._played:
            return  # reported already, and over before anything could be heard
        if self._plan.play is not None and not loudness.sent_anything:
            self.faults.append("Dead air: what was played holds nothing audible.")
        if audio.counts.heard == 0:
            self.faults.append("Nothing was heard from the other side.")
        elif not loudness.heard_anything and (self._plan.checks.expect_audio or not loudness.sent_anything):
            self.faults.append("Dead air: nothing audible was heard from the other side.")

    async def _say(self, file: "str | os.PathLike[str]") -> None:
        await asyncio.sleep(self._plan.lead)
        playback: Playback | None = None
        try:
            playback = await self.call.play(file)
            await playback.wait()
            if self.call.live:
                await asyncio.sleep(self._plan.tail)
            else:
                self.faults.append("The call ended before everything was played.")
        except (UnplayableAudio, OSError) as error:
            self.faults.append(f"{error}.")
        finally:
            self._played = 0.0 if playback is None else playback.position
            if not self._played and not self.faults:
                self.faults.append("Nothing was played.")

    @asynccontextmanager
    async def _shown(self, audio: "CallAudio") -> AsyncGenerator[None, None]:
        """While this lasts, draw what passes, if there is a terminal to draw on."""
        from telnyx_drivers._tools.cli.meters import STEP, Meters

        if self.label or not self._output.console.is_terminal:
            yield
            return
        meters = Meters(audio, self._far_end)

        async def sample() -> None:
            while True:
                await asyncio.sleep(STEP)
                meters.sample()

        with Live(meters, console=self._output.console, refresh_per_second=1 / STEP):
            sampler = asyncio.create_task(sample())
            try:
                yield
            finally:
                sampler.cancel()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
