"""Turns what happens to a client into measurements and spans."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import anyio
from attrs import define, field

from telnyx_core.events import (
    CallInfo,
    CallUpdated,
    ErrorRaised,
    Ready,
    SessionClosed,
    SocketClose,
    SocketOpen,
    StatsFrame,
    WarningRaised,
)
from telnyx_core.ids import CallId
from telnyx_core.states import LIVE, CallState
from telnyx_drivers._client import Client
from telnyx_drivers.telemetry import instruments
from telnyx_drivers.telemetry.instruments import Instrument, Meter

if TYPE_CHECKING:
    from telnyx_drivers._audio.turns import Turn

LAG_INTERVAL: Final = 0.5
"""Seconds between two looks at the loop."""
_MOST_CAUSES: Final = 50
"""Causes of hang-up that are told apart: a server may name any, and each is a time series."""
_FRAME: Final = 0.02
_NONE: Final[Mapping[str, str]] = {}


class Span(Protocol):
    """A piece of time with a name. Times are seconds of the epoch."""

    def begin(self, name: str, at: float, attributes: Mapping[str, str]) -> "Span":
        """A span within this one."""
        ...

    def end(self, at: float, attributes: Mapping[str, str], error: str | None) -> None:
        """It is over; ``error`` says what went wrong, if anything did."""
        ...


class Tracer(Protocol):
    """Takes spans. Called on the client's loop: it must neither wait nor raise."""

    def begin(self, name: str, at: float, attributes: Mapping[str, str]) -> Span:
        """A span within none."""
        ...


def observe(
    client: Client,
    *meters: Meter,
    tracer: Tracer | None = None,
    turns: bool = True,
    wall: Callable[[], float] = time.time,
) -> None:
    """From now on tell the meters, and the tracer, what happens to a client. Before it connects, nothing is missed.

    ``turns``: also who spoke when in each call, which takes a little of the processor for each. ``wall`` is the clock,
    in seconds of the epoch. ::

        meter = PrometheusMeter()
        with meter.served(9464):
            client = TelnyxRTC(login_token=token)
            observe(client, meter)
            async with client: ...
    """
    _Observer(client, meters, tracer, turns, wall)


@define
class _Call:
    """What is remembered of a call that has not ended."""

    direction: str
    state: CallState
    asked_at: float | None = None
    """When the invite left, or the decision to answer fell."""
    span: Span | None = None
    stage: Span | None = None
    recovery: Span | None = None
    active_at: float | None = None
    lost_at: float | None = None
    buffered: tuple[float, int] = field(default=(0.0, 0))
    """Jitter buffer's delay in seconds and samples emitted, as of the reading before."""


class _Observer:
    def __init__(
        self, client: Client, meters: tuple[Meter, ...], tracer: Tracer | None, turns: bool, wall: Callable[[], float]
    ) -> None:
        self._client = client
        self._meters = meters
        self._tracer = tracer
        self._with_turns = turns
        self._wall = wall
        self._calls: dict[CallId, _Call] = {}
        self._causes: set[str] = set()
        self._session: Span | None = None
        self._outage: Span | None = None
        self._lost_at: float | None = None
        self._looking = False
        watch = client._watchers.add  # pyright: ignore[reportPrivateUsage]
        watch(SocketOpen, self._opened)
        watch(SocketClose, self._lost)
        watch(Ready, self._ready)
        watch(SessionClosed, self._closed)
        watch(CallUpdated, self._call_updated)
        watch(StatsFrame, self._frame)
        watch(ErrorRaised, self._error)
        watch(WarningRaised, self._warning)

    def _measure(self, instrument: Instrument, value: float | None, attributes: Mapping[str, str] = _NONE) -> None:
        if value is not None:
            for meter in self._meters:
                meter.measure(instrument, value, attributes)

    def _error(self, event: ErrorRaised) -> None:
        self._measure(instruments.ERRORS, 1, {"error.type": event.name})

    def _warning(self, event: WarningRaised) -> None:
        self._measure(instruments.WARNINGS, 1, {"error.type": event.name})

    # The session.

    def _opened(self, event: SocketOpen) -> None:
        if self._session is None and self._tracer is not None:
            self._session = self._tracer.begin("telnyx_rtc.session", self._wall(), {})

    def _lost(self, event: SocketClose) -> None:
        if self._lost_at is None:
            self._lost_at = self._wall()
            if self._session is not None:
                self._outage = self._session.begin("telnyx_rtc.session.outage", self._lost_at, {})

    def _ready(self, event: Ready) -> Awaitable[None] | None:
        """What a handler returns runs until the client is closed."""
        now = self._wall()
        if self._lost_at is not None:
            self._measure(instruments.OUTAGES, now - self._lost_at)
            self._lost_at = None
        self._outage = _ended(self._outage, now)
        if self._looking:
            return None
        self._looking = True
        return self._look_at_loop()

    def _closed(self, event: SessionClosed) -> None:
        now, why = self._wall(), event.reason.value
        self._outage = _ended(self._outage, now)
        self._session = _ended(self._session, now, {"reason": why})
        self._lost_at = None

    async def _look_at_loop(self) -> None:
        try:
            while True:
                due = anyio.current_time() + LAG_INTERVAL
                await anyio.sleep_until(due)
                self._measure(instruments.LOOP_LAG, max(anyio.current_time() - due, 0.0))
        finally:
            self._looking = False

    # Calls.

    def _call_updated(self, event: CallUpdated) -> Awaitable[None] | None:
        info, now = event.call, self._wall()
        call = self._calls.get(info.id)
        if call is None:
            if info.state not in LIVE:
                return None
            call = self._begun(info, now)
        elif info.state is call.state:
            return None
        call.state = info.state
        match info.state:
            case CallState.REQUESTING | CallState.ANSWERING:
                call.asked_at = now
                self._stage(call, now)
            case CallState.RECOVERING:
                call.stage = _ended(call.stage, now)
                call.lost_at = now
                if call.span is not None:
                    call.recovery = call.span.begin("telnyx_rtc.call.recovery", now, {})
            case CallState.ACTIVE | CallState.HELD:
                return self._active(info, call, now)
            case CallState.HANGUP | CallState.DESTROY | CallState.PURGE:
                self._over(info, call, now)
            case _:
                self._stage(call, now)
        return None

    def _begun(self, info: CallInfo, now: float) -> _Call:
        call = self._calls[info.id] = _Call(info.direction, info.state)
        self._measure(instruments.CALLS_ACTIVE, 1, {"direction": info.direction})
        about = {"telnyx_rtc.call.id": info.id, "direction": info.direction}
        if self._session is not None:
            call.span = self._session.begin("telnyx_rtc.call", now, about)
        elif self._tracer is not None:
            call.span = self._tracer.begin("telnyx_rtc.call", now, about)
        return call

    def _stage(self, call: _Call, now: float) -> None:
        """A stage of the setup begins, and the one before it is over."""
        call.stage = _ended(call.stage, now)
        if call.span is not None and call.active_at is None:
            call.stage = call.span.begin(f"telnyx_rtc.call.setup.{call.state.value}", now, {})

    def _active(self, info: CallInfo, call: _Call, now: float) -> Awaitable[None] | None:
        call.stage = _ended(call.stage, now)
        if call.lost_at is not None:
            self._measure(instruments.RECOVERIES, now - call.lost_at)
            call.lost_at = None
            call.recovery = _ended(call.recovery, now)
        if call.active_at is not None:
            return None
        call.active_at = now
        if call.asked_at is not None:  # a call of a former process was set up there
            self._measure(instruments.SETUP, now - call.asked_at, {"direction": call.direction})
        return self._follow(info.id, call) if self._with_turns else None

    def _over(self, info: CallInfo, call: _Call, now: float) -> None:
        del self._calls[info.id]
        cause = self._cause(info)
        ending = {"answered": str(info.answered).lower(), "cause": cause}
        self._measure(instruments.CALLS_ACTIVE, -1, {"direction": call.direction})
        self._measure(instruments.CALLS, 1, {"direction": call.direction, **ending})
        if call.active_at is not None:
            self._measure(instruments.DURATION, now - call.active_at, {"direction": call.direction})
        _ended(call.stage, now)
        _ended(call.recovery, now, error="not recovered")
        _ended(call.span, now, ending, error=None if info.answered else cause)

    def _cause(self, info: CallInfo) -> str:
        cause = "unknown" if info.ended is None or info.ended.cause is None else info.ended.cause
        if len(self._causes) < _MOST_CAUSES:
            self._causes.add(cause)
        return cause if cause in self._causes else "other"

    def _frame(self, event: StatsFrame) -> None:
        self._measure(instruments.MOS, event.mos)
        self._measure(instruments.LOSS, None if event.packet_loss is None else event.packet_loss / 100)
        self._measure(instruments.JITTER, None if event.jitter is None else event.jitter / 1_000)
        self._measure(instruments.ROUND_TRIP, None if event.rtt is None else event.rtt / 1_000)
        call, reading = self._calls.get(event.call), event.reading
        delay, emitted = reading.jitter_buffer_delay, reading.jitter_buffer_emitted_count
        if call is not None and delay is not None and emitted is not None:
            before, count = call.buffered
            call.buffered = delay, emitted
            if emitted > count and delay >= before:  # less: another peer, which counts from zero
                self._measure(instruments.BUFFER, (delay - before) / (emitted - count))

    # Turns.

    async def _follow(self, ident: CallId, call: _Call) -> None:
        handle = self._client.call(ident)
        if handle is None or not handle.live:
            return
        counts, began = handle.audio.counts, self._wall()
        first = began - _FRAME * (counts.sent + counts.sent_missed)
        async for turn in handle.turns:
            self._turn(turn, call, first)

    def _turn(self, turn: "Turn", call: _Call, first: float) -> None:
        if turn.who == "local":
            self._measure(instruments.RESPONSE, turn.response)
        elif turn.interrupts:
            self._measure(instruments.BARGE_IN, turn.barge_in)
        if call.span is not None:
            span = call.span.begin("telnyx_rtc.turn", first + turn.start, {"who": turn.who})
            span.end(first + turn.end, {"interrupts": str(turn.interrupts).lower()}, None)


def _ended(
    span: Span | None, now: float, attributes: Mapping[str, str] = _NONE, error: str | None = None
) -> Span | None:
    """End it, if there is one; returns what takes its place."""
    if span is not None:
        span.end(now, attributes, error)
    return None
