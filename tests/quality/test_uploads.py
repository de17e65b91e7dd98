"""A driver's part in call reports: written and posted as the core orders, without harm to calls (quality.md 4.4)."""

import itertools
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio
import pytest
from attrs import evolve

from telnyx_core._reports.segment import Segment
from telnyx_core._uploads import UploadQueues
from telnyx_core.actions import AbandonPost, PostBody, WriteReport
from telnyx_core.facts import PostFailed, UploadFact, UploadWritten
from telnyx_core.ids import CallId, UploadId
from telnyx_drivers._reach.http_post import HttpAnswer
from telnyx_drivers._services import reports
from telnyx_drivers._services.last_reports import carry
from telnyx_drivers._services.reports import Uploads
from tests.quality import test_call_report as made

pytestmark = pytest.mark.anyio


class Platform:
    """Answers with the statuses that it is given, in order, then with 200. ``None``: the network fails."""

    def __init__(self, *statuses: int | None, takes: float = 0.0) -> None:
        self.statuses = list(statuses)
        self.takes = takes
        self.retry_after: float | None = None
        """What a 503 says of it."""
        self.posts: list[tuple[float, str, Mapping[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.closed = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        self.posts.append((anyio.current_time(), url, headers, body))
        await anyio.sleep(self.takes)
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            raise ConnectionRefusedError("nobody there")
        if status == 200:
            self.accepted.append(json.loads(body))
        return HttpAnswer(status, self.retry_after if status == 503 else None)

    async def aclose(self) -> None:
        self.closed = True

    @property
    def waits(self) -> list[float]:
        times = [at for at, *_ in self.posts]
        return [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]


def a_report(**options: object) -> Segment:
    """The last part of a call's report."""
    rig, call = made.active(**options)
    rig.advance(2)
    made.hang_up(rig, call)
    [order] = made.uploads(rig)
    return order.segment


async def send(platform: Platform, *parts: Segment) -> None:
    def add(uploads: UploadQueues, now: float) -> None:
        for part in parts:
            uploads.add(part, now)

    await carry(add, platform)


async def test_a_report_is_sent_as_the_platform_wants_it() -> None:
    """STATS-240, STATS-241."""
    segment = a_report(env="ws://127.0.0.1:8021")
    platform = Platform()
    await send(platform, segment)
    [(_, url, headers, _)] = platform.posts
    assert url == "http://127.0.0.1:8021/call_report"
    assert headers["x-call-report-id"] == "report-7"
    assert platform.accepted[0]["summary"]["callId"] == segment.call.id


async def test_the_core_decides_when_it_is_tried_again() -> None:
    """STATS-242; RFC 9110 section 10.2.3."""
    platform = Platform(None, 503, 500)
    platform.retry_after = 7.0
    await send(platform, a_report())
    assert platform.waits == [0.5, 7.0, 2.0]
    assert len(platform.accepted) == 1


async def test_an_attempt_that_takes_too_long_is_broken_off() -> None:
    """STATS-243: its task ends with it, and its answer counts no more."""
    platform = Platform(takes=11.0)
    async with anyio.create_task_group() as group:
        group.start_soon(send, platform, a_report())
        await anyio.sleep(20)
        platform.takes = 0.0
    assert platform.waits == [10.5, 11.0]
    assert len(platform.accepted) == 1


async def test_that_none_can_be_sent_stands_in_the_log_once_for_a_client(caplog: pytest.LogCaptureFixture) -> None:
    """Not for every call of a day on which the platform takes no reports."""
    segment = a_report()
    other = evolve(segment, call=evolve(segment.call, id=CallId("other")))
    with caplog.at_level(logging.DEBUG, "telnyx_drivers.reports"):
        await send(Platform(*[401] * 40), segment, other)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if "could not be sent" in record.msg]
    assert [level for level, _ in told] == ["WARNING", "DEBUG"]
    assert "the platform answers 401" in told[0][1]


class Loop:
    """What a driver gives `Uploads`: tasks, and an inbox."""

    def __init__(self, group: Any, platform: Platform | None) -> None:
        self.facts: list[UploadFact] = []
        self.platform = platform
        self._group = group
        self.uploads = Uploads(self._spawn, self._make, self.facts.append)

    def _spawn(self, work: Callable[[], Awaitable[None]], ended: Callable[[], None]) -> None:
        async def run() -> None:
            try:
                await work()
            finally:
                ended()

        self._group.start_soon(run)

    async def _make(self) -> Platform | None:
        await anyio.lowlevel.checkpoint()
        return self.platform


async def test_without_the_extra_nothing_is_sent_and_nothing_breaks() -> None:
    """There is no body to send, and so the core asks for no more."""
    async with anyio.create_task_group() as group:
        loop = Loop(group, None)
        loop.uploads.perform(WriteReport(UploadId(1), a_report(), 0, 1000))
    assert loop.facts == [UploadWritten(UploadId(1), ())]
    await loop.uploads.aclose()


def test_the_missing_extra_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "telnyx_drivers._reach.http_post", raising=False)
    assert reports.make_poster(None) is None
    assert "telnyx-rtc[http]" in caplog.text


async def test_a_report_that_breaks_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours must not cost a call, nor keep a client from leaving."""
    segment = a_report()
    broken = evolve(segment, entries=(None,))  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        platform = Platform()
        loop = Loop(group, platform)
        loop.uploads.perform(WriteReport(UploadId(1), broken, 0, 1000))
        platform.post = partial(_break, platform)  # type: ignore[method-assign]
        loop.uploads.perform(PostBody(UploadId(2), "http://h/", {}, b"{}"))
    assert loop.facts == [PostFailed(UploadId(2), "it was broken off"), UploadWritten(UploadId(1), ())] or (
        loop.facts == [UploadWritten(UploadId(1), ()), PostFailed(UploadId(2), "it was broken off")]
    )
    assert "broke on its way" in caplog.text


async def _break(platform: Platform, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
    raise ZeroDivisionError


async def test_what_is_abandoned_tells_nothing_more() -> None:
    async with anyio.create_task_group() as group:
        platform = Platform(takes=60.0)
        loop = Loop(group, platform)
        begun = anyio.current_time()
        for upload in (UploadId(1), UploadId(2)):
            loop.uploads.perform(PostBody(upload, "http://h/", {}, b"{}"))
        loop.uploads.perform(AbandonPost(UploadId(1)))
        await anyio.sleep(1)
        loop.uploads.perform(AbandonPost(UploadId(2)))
        loop.uploads.perform(AbandonPost(UploadId(2)))
    assert anyio.current_time() == begun + 1
    assert loop.facts == []
    await loop.uploads.aclose()
    assert platform.closed
