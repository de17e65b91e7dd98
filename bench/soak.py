"""Ten calls for five minutes: is memory flat, are handles, and what does measuring cost?

``python bench/soak.py [CALLS] [SECONDS]``. The gateway runs in a process of its own, so that the figures are the
client's. Every call says something and is heard; statistics, frames, reports and uploads are on, as by default.
"""

import asyncio
import json
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field

from telnyx_core.events import StatsFrame, StatsReport
from telnyx_core.facts import Fact, StatsTaken
from telnyx_core.session import Session
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._webrtc.peer import Peer
from telnyx_drivers.asyncio import TelnyxRTC, Tone

PAGE = os.sysconf("SC_PAGE_SIZE")
FIRST = 10.0
"""Seconds before the first look: buffers fill, caches warm up. The first upload, after three minutes, loads an HTTP
client: a step of some megabytes, once."""
STEP = 2.0


@define
class Cost:
    """Seconds of this thread's processor time that went into measuring."""

    reading: float = 0.0
    judging: float = 0.0
    readings: int = 0


@define
class Look:
    at: float
    memory: float
    """MB that are resident."""
    handles: int
    tasks: Counter[str]
    """How many there are of each kind, by what they run and where they wait."""
    threads: int
    cpu: float
    """Seconds of processor time, so far."""


@define
class Looks:
    all: list[Look] = field(factory=list[Look])

    def take(self) -> Look:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6
        used = resource.getrusage(resource.RUSAGE_SELF)
        look = Look(
            time.monotonic(),
            resident,
            len(os.listdir("/proc/self/fd")),
            Counter(map(kind_of, asyncio.all_tasks())),
            threading.active_count(),
            used.ru_utime + used.ru_stime,
        )
        self.all.append(look)
        return look

    @property
    def busiest(self) -> Look:
        """The look that saw most tasks."""
        return max(self.all, key=lambda look: look.tasks.total())

    def slope(self) -> float:
        """Megabytes an hour, by least squares."""
        times = [look.at for look in self.all]
        sizes = [look.memory for look in self.all]
        middle, mean = sum(times) / len(times), sum(sizes) / len(sizes)
        across = sum((at - middle) ** 2 for at in times)
        return 3600 * sum((at - middle) * (size - mean) for at, size in zip(times, sizes, strict=True)) / across


def kind_of(task: asyncio.Task[object]) -> str:
    """What it was started with, and the innermost of our own functions in which it waits."""
    step: object = task.get_coro()
    name = inner = getattr(step, "__qualname__", "?")
    if task is asyncio.current_task():  # CPython 3.11 can crash when it is asked where a running coroutine waits
        return name
    while (step := getattr(step, "cr_await", None) or getattr(step, "ag_await", None)) is not None:
        inner = getattr(step, "__qualname__", inner)
    return f"{name} > {inner}"


def differences(first: Counter[str], last: Counter[str]) -> str:
    """What there is more or less of, for a reader."""
    changes = {kind: last[kind] - first[kind] for kind in sorted(first | last) if last[kind] != first[kind]}
    return "; ".join(f"{change:+d} {kind}" for kind, change in changes.items()) or "none"


def watch_cost() -> Cost:
    """From now on count what measuring costs, in the engine and in the core."""
    cost = Cost()
    report_reading, receive = Peer.report_reading, Session.receive

    def timed_reading(peer: Peer, take: Callable[[StatsSnapshot], StatsSnapshot]) -> None:
        began = time.thread_time()
        report_reading(peer, take)
        cost.reading += time.thread_time() - began
        cost.readings += 1

    def timed_receive(session: Session, fact: Fact, *, now: float) -> None:
        if not isinstance(fact, StatsTaken):
            receive(session, fact, now=now)
            return
        began = time.thread_time()
        receive(session, fact, now=now)
        cost.judging += time.thread_time() - began

    Peer.report_reading = timed_reading  # type: ignore[method-assign]
    Session.receive = timed_receive  # type: ignore[method-assign]
    return cost


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[str, str]]:
    """URL and password of a gateway for the user ``soak``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telnyx_drivers", "gateway", "--user", "soak", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        document = json.loads(await process.stdout.readline())
        yield document["url"], document["users"]["soak"]
    finally:
        process.terminate()
        await process.wait()


async def main(calls: int, seconds: float) -> None:
    cost, looks = watch_cost(), Looks()
    frames, reports = 0, 0

    def note(event: StatsFrame | StatsReport) -> None:
        nonlocal frames, reports
        frames += isinstance(event, StatsFrame)
        reports += isinstance(event, StatsReport)

    async with gateway() as (url, password), TelnyxRTC(login="soak", password=password, env=url) as client:
        client.on("telnyx.stats.frame", note)
        client.on("telnyx.stats.report", note)
        alive = [await client.new_call("echo") for _ in range(calls)]
        for call in alive:
            await call.wait_for_state("active", timeout=20)
            await call.play(Tone(440.0))
        await asyncio.sleep(FIRST)
        cost.reading = cost.judging = cost.readings = 0
        first = looks.take()
        while (now := time.monotonic()) < first.at + seconds:
            await asyncio.sleep(min(STEP, first.at + seconds - now))
            looks.take()
        last = looks.all[-1]
        spent, readings = cost.reading + cost.judging, cost.readings
        lost = [call.id for call in alive if not call.live]
        for call in alive:
            await call.hangup()
    wall = last.at - first.at
    print(f"{calls} calls, {wall:.0f} s, {frames} frames, {reports} reports, {len(lost)} calls lost on the way")
    print(f"memory    {first.memory:.1f} MB at first, {last.memory:.1f} MB at last, {looks.slope():+.1f} MB an hour")
    print("by minute", ", ".join(f"{look.memory:.0f}" for look in looks.all[:: round(60 / STEP)]))
    print(f"handles   {first.handles} at first, {last.handles} at last")
    print(f"tasks     {first.tasks.total()} at first, {last.tasks.total()} at last", end=": ")
    print(differences(first.tasks, last.tasks))
    print(f"          {looks.busiest.tasks.total()} at most:", differences(first.tasks, looks.busiest.tasks))
    print(f"processor {100 * (last.cpu - first.cpu) / wall:.1f} % of a core in all")
    to_read, to_judge = (1e6 * each / max(1, readings) for each in (cost.reading, cost.judging))
    print(f"measuring {100 * spent / wall:.3f} % of a core: {readings} readings, each {to_read:.0f} µs", end=" ")
    print(f"to take and {to_judge:.0f} µs to judge")


if __name__ == "__main__":
    arguments = sys.argv[1:] + ["10", "300"][len(sys.argv) - 1 :]
    asyncio.run(main(int(arguments[0]), float(arguments[1])))
