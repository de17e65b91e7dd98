"""Places calls at a pace, and ends by itself."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from telnyx_core.errors import LocalProtocolError
from telnyx_core.events import StatsReport
from telnyx_drivers._calls import CallHandle
from telnyx_drivers._client import Client
from telnyx_drivers._exceptions import CallEnded, TelnyxClientError
from telnyx_drivers._tools.load.outcome import Outcome, Summary
from telnyx_drivers._tools.load.scenario import DEFAULT, Step, perform

if TYPE_CHECKING:
    from telnyx_drivers._webrtc.call_audio import CallAudio

_LOOK: Final = 0.01
"""Seconds between two looks at the pace."""
_REPORT: Final = 5.0
"""Seconds to wait for a call's figures, once it has ended."""


@frozen(kw_only=True)
class Pace:
    """How many calls begin when."""

    rate: float
    """Calls per second, once the ramp is over."""
    ramp: float = 0.0
    """Seconds in which the rate rises to that, from none."""
    duration: float
    """Seconds in which calls begin."""
    at_once: int
    """Calls at the same time, at most."""
    calls: int | None = None
    """Calls in all, at most."""

    def due(self, elapsed: float) -> float:
        """How many should have begun by then."""
        time = min(elapsed, self.duration)
        if time < self.ramp:
            return self.rate * time * time / (2 * self.ramp)
        return self.rate * (time - self.ramp / 2)


class Load:
    """One client's calls to one destination, on asyncio."""

    def __init__(
        self,
        client: Client,
        destination: str,
        pace: Pace,
        *,
        steps: tuple[Step, ...] = DEFAULT,
        caller_number: str = "",
        answer_within: float = 30.0,
        told: Callable[[int, int], None] = lambda begun, live: None,
    ) -> None:
        """``told`` is called with each call that begins: how many have, and how many there are."""
        self._client = client
        self._destination = destination
        self._pace = pace
        self._steps = steps
        self._caller_number = caller_number
        self._answer_within = answer_within
        self._told = told
        self._outcomes: list[Outcome] = []
        self._live: set[asyncio.Task[None]] = set()
        self._greatest = self._held_back = self._begun = 0

    async def warm_up(self) -> None:
        """One call that is not counted: the first one of a process loads the media engine. Its failure is no matter."""
        with contextlib.suppress(TimeoutError, TelnyxClientError):
            call = await self._client.new_call(self._destination, caller_number=self._caller_number)
            try:
                await call.wait_for_state("active", timeout=self._answer_within)
            finally:
                await call.hangup()

    async def run(self) -> Summary:
        """Until the last call that was begun in time is over. Cancelled, it hangs up those that there are."""
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            while not self._over(clock() - start):
                self._begin(start, clock() - start)
                await asyncio.sleep(_LOOK)
            while self._live:
                await asyncio.wait(self._live)
        finally:
            for task in self._live:
                task.cancel()
            await asyncio.gather(*self._live, return_exceptions=True)
        return self.summary

    @property
    def summary(self) -> Summary:
        """Of the calls that are over."""
        return Summary(tuple(self._outcomes), self._greatest, self._held_back)

    def _over(self, elapsed: float) -> bool:
        return elapsed >= self._pace.duration or (self._pace.calls is not None and self._begun >= self._pace.calls)

    def _begin(self, start: float, elapsed: float) -> None:
        missing = int(self._pace.due(elapsed)) + 1 - self._begun if self._pace.rate else 0
        if self._pace.calls is not None:
            missing = min(missing, self._pace.calls - self._begun)
        room = self._pace.at_once - len(self._live)
        if missing > room:
            # Those are left out and not made up for: the load is never greater than was asked for.
            self._held_back += missing - room
            self._begun += missing - room
        for _ in range(min(missing, room)):
            self._begun += 1
            task = asyncio.create_task(self._place(elapsed))
            self._live.add(task)
            task.add_done_callback(self._live.discard)
            self._greatest = max(self._greatest, len(self._live))
            self._told(self._begun, len(self._live))

    async def _place(self, began: float) -> None:
        clock = asyncio.get_running_loop().time
        asked, active_at, failure = clock(), None, None
        frames, bad = 0, 0
        call: CallHandle | None = None
        report: asyncio.Task[StatsReport] | None = None
        try:
            try:
                call = await self._client.new_call(self._destination, caller_number=self._caller_number)
                report = asyncio.create_task(call.wait_for(StatsReport))
                await call.wait_for_state("active", timeout=self._answer_within)
                active_at = clock()
                audio = call.audio
                await perform(self._steps, call)
                frames, bad = _frames(audio)
                if not call.live and call.ended is not None:
                    failure = f"ended early: {call.ended.cause}"
            except TimeoutError:
                failure = f"not active within {self._answer_within:g} s"
            except CallEnded as error:
                failure = str(error.cause.cause) if error.error is None else error.error.name
            except (TelnyxClientError, LocalProtocolError, OSError) as error:
                failure = type(error).__name__
            finally:
                ended = clock()
                if call is not None:
                    await call.hangup()
            self._outcomes.append(
                Outcome(
                    began=began,
                    failure=failure,
                    setup=None if active_at is None else active_at - asked,
                    talked=None if active_at is None else ended - active_at,
                    frames=frames,
                    bad=bad,
                    mos=None if report is None else await _mos(report),
                )
            )
        finally:
            if report is not None:
                report.cancel()


def _frames(audio: "CallAudio") -> tuple[int, int]:
    """Those that should have passed both ways, and those of them that did not in their time."""
    counts, reading = audio.counts, audio.reading()
    missed = counts.sent_missed + counts.heard_missed
    concealed = 0
    if reading is not None and reading.concealed_samples is not None and reading.total_samples_received:
        concealed = round(counts.heard * reading.concealed_samples / reading.total_samples_received)
    return counts.sent + counts.heard + missed, missed + concealed


async def _mos(report: "asyncio.Task[StatsReport]") -> float | None:
    try:
        return (await asyncio.wait_for(report, _REPORT)).average_mos
    except (TimeoutError, TelnyxClientError):
        return None
