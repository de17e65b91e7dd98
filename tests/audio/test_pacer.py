"""The one clock: steady, fair, never in bursts. On a loop whose time the test moves."""

import asyncio
import heapq
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from telnyx_drivers._audio.rtp import pacer
from telnyx_drivers._audio.rtp.pacer import BEAT, Leg


class MovedLoop(asyncio.SelectorEventLoop):
    """Timers fire in order as `move` says, also late, as on a busy machine."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self)
        self.made += 1
        heapq.heappush(self.timers, (when, self.made, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def move(self, seconds: float, late: float = 0.0) -> None:
        end = self.now + seconds
        while self.timers and self.timers[0][0] + late <= end:
            when, _, handle = heapq.heappop(self.timers)
            self.now = max(self.now, when + late)
            if not handle.cancelled():
                handle._run()
        self.now = end

    def block(self, seconds: float) -> None:
        """Something else holds the loop: no timer fires meanwhile."""
        self.now += seconds


def with_loop(test: Callable[[MovedLoop], None]) -> None:
    loop = MovedLoop()

    async def main() -> None:
        test(loop)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert loop not in pacer._pacers, "a clock outlived its legs"


def leg_into(beats: list[tuple[float, int]]) -> Leg:
    return lambda now, skipped: beats.append((now, skipped))


def test_each_leg_is_called_every_twenty_milliseconds() -> None:
    def test(loop: MovedLoop) -> None:
        beats: list[tuple[float, int]] = []
        leave = pacer.join(leg_into(beats))
        loop.move(10.0)
        leave()
        loop.move(1.0)
        assert len(beats) == 500
        assert beats[-1][0] - beats[0][0] == pytest.approx(499 * BEAT)
        assert not any(skipped for _, skipped in beats)

    with_loop(test)


def test_late_timers_do_not_slow_the_clock() -> None:
    def test(loop: MovedLoop) -> None:
        beats: list[tuple[float, int]] = []
        leave = pacer.join(leg_into(beats))
        loop.move(60.0, late=0.004)
        leave()
        assert len(beats) == pytest.approx(3_000, abs=1)

    with_loop(test)


def test_a_late_beat_is_still_the_beat_of_its_time() -> None:
    def test(loop: MovedLoop) -> None:
        beats: list[tuple[float, int]] = []
        leave = pacer.join(leg_into(beats))
        for late in (0.0, 0.006, 0.0, 0.012) * 20:
            loop.move(BEAT, late=late)
        loop.block(0.05)
        loop.move(0.1)
        leave()
        times = [time for time, _ in beats]
        assert np.diff(times) == pytest.approx(BEAT)
        assert not any(skipped for _, skipped in beats)

        beats.clear()
        leave = pacer.join(leg_into(beats))
        loop.move(0.1)
        loop.block(2.0)
        loop.move(0.1)
        leave()
        steps = np.diff([time for time, _ in beats]) / BEAT
        assert steps == pytest.approx([1 + skipped for _, skipped in beats[1:]])

    with_loop(test)


def test_a_short_stall_is_made_up_for_and_a_long_one_is_skipped_without_a_burst() -> None:
    def test(loop: MovedLoop) -> None:
        beats: list[tuple[float, int]] = []
        leave = pacer.join(leg_into(beats))
        loop.move(1.0)
        count = len(beats)
        loop.block(0.05)
        loop.move(0.95)
        assert len(beats) - count == pytest.approx(50, abs=1)
        assert not any(skipped for _, skipped in beats)

        count = len(beats)
        loop.block(2.0)
        loop.move(0.1)
        burst = beats[count:]
        assert len(burst) <= 6
        assert sum(skipped for _, skipped in burst) == pytest.approx(100, abs=1)
        assert len(burst) + sum(skipped for _, skipped in burst) == pytest.approx(2.1 / BEAT, abs=1)
        leave()

    with_loop(test)


def test_many_legs_share_timers_and_spread_over_the_beat() -> None:
    def test(loop: MovedLoop) -> None:
        legs: list[list[tuple[float, int]]] = [[] for _ in range(200)]
        leaves = [pacer.join(leg_into(beats)) for beats in legs]
        made = loop.made
        loop.move(1.0)
        assert {len(beats) for beats in legs} == {50}
        assert loop.made - made == 20 * 50
        phases = {round(beats[-1][0] % BEAT, 6) for beats in legs}
        assert len(phases) == 20
        for leave in leaves:
            leave()

    with_loop(test)


def test_few_legs_wake_the_loop_once_a_beat() -> None:
    def test(loop: MovedLoop) -> None:
        leaves = [pacer.join(leg_into([])) for _ in range(8)]
        made = loop.made
        loop.move(1.0)
        assert loop.made - made == 50
        for leave in leaves:
            leave()

    with_loop(test)


def test_a_leg_that_breaks_or_leaves_in_its_beat_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def test(loop: MovedLoop) -> None:
        good: list[tuple[float, int]] = []

        def broken(now: float, skipped: int) -> None:
            raise RuntimeError("broken leg")

        def leaving(now: float, skipped: int) -> None:
            leave_leaving()

        leave_broken = pacer.join(broken)
        leave_leaving = pacer.join(leaving)
        leave_good = pacer.join(leg_into(good))
        loop.move(1.0)
        assert len(good) == 50
        leave_broken()
        leave_good()
        leave_leaving()

    with caplog.at_level(logging.ERROR):
        with_loop(test)
    assert len([record for record in caplog.records if "broke" in record.message]) == 1
